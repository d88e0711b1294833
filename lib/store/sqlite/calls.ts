import type { StoreFault } from '../store-errors.ts';
import { StoreError } from '../store-errors.ts';
import { storeError } from './faults.ts';

/** A call of a method in another thread or process. */
export interface Call {
  readonly id: number;
  /** By `monotonicNow`; a call's time limit for a lock starts here. */
  readonly sentAt: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The outcome of a call; `failure` if it failed. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: { readonly fault: StoreFault; readonly message: string };
}

/** Milliseconds of a clock that is never set and that all processes of a machine share. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

export function failureOf(id: number, error: unknown): Answer {
  const { fault, message } = storeError(error);
  return { id, failure: { fault, message } };
}

/** The calls that wait for their answers. */
export class Calls {
  readonly #waiting = new Map<number, PromiseWithResolvers>();
  readonly #onBusy: (isBusy: boolean) => void;
  #lastId = 0;

  /** @param onBusy called when the first call begins to wait, and when the last one has ended */
  constructor(onBusy: (isBusy: boolean) => void) {
    this.#onBusy = onBusy;
  }

  /** Sends a call by `send` and waits for its answer. @throws StoreError */
  make(send: (call: Call) => void, method: string, args: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      if (this.#waiting.size === 1) this.#onBusy(true);
      send({ id, sentAt: monotonicNow(), method, args });
    });
  }

  settle({ id, result, failure }: Answer): void {
    const call = this.#waiting.get(id);
    if (call === undefined) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#onBusy(false);
    if (failure === undefined) call.resolve(result);
    else call.reject(new StoreError(failure.fault, failure.message));
  }

  /** Fails all waiting calls: no answer will come any more. */
  failAll(reason: string): void {
    for (const id of [...this.#waiting.keys()]) {
      this.settle({ id, failure: { fault: 'outcome unknown', message: reason } });
    }
  }
}

interface PromiseWithResolvers {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}
