import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Entry } from '../key-store.ts';
import { StoreError } from '../store-errors.ts';
import { type Answer, Calls } from './calls.ts';
import { storeError } from './faults.ts';
import { Reader } from './reader.ts';
import { script } from './script.ts';

/** Runs the methods of a store's file: `Reader`'s, and those of its writer. */
export interface Engine {
  /** @throws StoreError */
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

// About a millisecond's worth.
const listedAtOnce = 100;
const lockLimit = 5000;
const retryEvery = 5;
// Longer than what is under way waits for a lock.
const closeLimit = 10_000;

/** Reads in this thread, which takes less time than asking another one, and writes in one of its own. */
export class LocalEngine implements Engine {
  readonly #file: string;
  #reader: Reader | undefined;
  #writer: WriteThread | undefined;
  #isClosed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Makes the file if there is none, and sees whether it can be read. @throws StoreError */
  async open({ isThere }: { isThere: boolean }): Promise<void> {
    if (!isThere) await this.#write('make', []);
    try {
      await this.call('dataVersion', []);
    } catch (error) {
      if (storeError(error).fault === 'foreign') throw error;
      // Whoever was about to make it may have been killed.
      await this.#write('make', []).catch(() => {
        throw error;
      });
      await this.call('dataVersion', []);
    }
  }

  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#isClosed) throw closed();
    if (method === 'list') return this.#list(...(args as [string, string | undefined, number]));
    if (method in Reader.prototype) {
      return this.#read((reader) => {
        const read = reader[method as 'get'] as (...args: unknown[]) => unknown;
        return read.apply(reader, [...args]);
      });
    }
    return this.#write(method, args.map(owned));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#close();
    await this.#writer?.close();
  }

  async #list(prefix: string, after: string | undefined, limit: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let last = after; ; await turn()) {
      const wanted = Math.min(listedAtOnce, limit - entries.length);
      const some = await this.#read((reader) => reader.list(prefix, last, wanted));
      entries.push(...some);
      if (some.length < wanted || entries.length >= limit) return entries;
      last = some.at(-1)?.path;
    }
  }

  /** Reads; waits for a lock without holding up the thread. */
  async #read<T>(read: (reader: Reader) => T): Promise<T> {
    const end = performance.now() + lockLimit;
    for (;;) {
      try {
        if (this.#reader?.isCurrent === false) this.#close();
        this.#reader ??= new Reader(this.#file);
        return read(this.#reader);
      } catch (error) {
        const failure = storeError(error);
        if (failure.fault !== 'busy' || performance.now() > end) throw this.#failed(failure);
      }
      await pause(retryEvery);
      if (this.#isClosed) throw closed();
    }
  }

  /** The next read begins anew, so that nothing of a failing disk stays. */
  #failed(failure: StoreError): StoreError {
    this.#close();
    return failure;
  }

  #close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #write(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#writer === undefined || this.#writer.hasEnded) {
      this.#writer = new WriteThread(this.#file);
    }
    return this.#writer.call(method, args);
  }
}

/** What is asked of an engine after its end. */
export function closed(): StoreError {
  return new StoreError('failed', 'the store was closed');
}

/** The thread that writes, from outside. Keeps the process alive while something is asked of it. */
class WriteThread {
  readonly #worker: Worker;
  readonly #calls: Calls;
  #hasEnded = false;

  constructor(file: string) {
    this.#worker = new Worker(script(import.meta.url, 'write-thread'), {
      name: 'pairmint store',
      workerData: { file },
      execArgv: [],
    });
    this.#worker.unref();
    this.#calls = new Calls((isBusy) => (isBusy ? this.#worker.ref() : this.#worker.unref()));
    this.#worker.on('message', (answers: readonly Answer[]) => {
      for (const answer of answers) this.#calls.settle(answer);
    });
    this.#worker.on('error', (error) => this.#end(error.message));
    this.#worker.on('exit', () => this.#end('it was ended'));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#calls.make((call) => this.#worker.postMessage(call), method, args);
  }

  async close(): Promise<void> {
    if (this.#hasEnded) return;
    const timer = setTimeout(() => void this.#worker.terminate(), closeLimit);
    await this.call('close', []).catch(() => {});
    clearTimeout(timer);
  }

  #end(reason: string): void {
    this.#hasEnded = true;
    this.#calls.failAll(`the thread that writes to the store has ended: ${reason}`);
  }
}

/**
 * A copy of an argument whose bytes lie in memory of their own: with a view, the whole of the memory
 * that it looks at would be sent, which a small Buffer shares with others.
 */
function owned(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(owned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, owned(part)]));
}
