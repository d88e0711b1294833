import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../core/error-message.ts';
import { KmsError } from '../model/errors.ts';
import { lotSize } from '../pool/lots.ts';
import type { PoolApi, PoolDescription } from './pool-api.ts';

export interface WorkerOptions {
  readonly pools: PoolApi;
  /** Ends the work; pairs that were minted are kept. */
  readonly signal: AbortSignal;
  /** Called with all pools each time they were counted. */
  readonly onStatus?: ((pools: readonly PoolDescription[]) => void) | undefined;
  /** Called when pairs were added to a pool. */
  readonly onAdded?: ((pairs: number) => void) | undefined;
  /**
   * Called once when a pool cannot be filled or the store fails, and again only after a success.
   */
  readonly onTrouble?: ((sentence: string) => void) | undefined;
  /** Milliseconds between two counts of the pools while all are full. */
  readonly pollEvery?: number | undefined;
  /** Milliseconds before a failure is tried again; doubled each time, up to a minute. */
  readonly firstPause?: number | undefined;
}

// Counting pools takes the store time: at most a twentieth of it.
const lookShare = 20;
const longestPause = 60_000;
// Lots minted for one pool before the next has its turn: some seconds for RSA_4096.
const turn = 256;

/** A failure, and when it is tried again. */
interface Rest {
  until: number;
  pause: number;
}

/** Keeps all pools of an account and region at their targets, until the signal. */
export class PoolWorker {
  readonly #options: WorkerOptions;
  readonly #firstPause: number;
  readonly #rests = new Map<string, Rest>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#firstPause = options.firstPause ?? 1000;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const wait = await this.#round();
      if (wait > 0) await pause(wait, undefined, { signal }).catch(() => {});
    }
  }

  /** Gives every pool its turn and returns how long to wait before the next round. */
  async #round(): Promise<number> {
    const { pools, signal, onStatus, pollEvery = 2000 } = this.#options;
    const began = performance.now();
    let listed: PoolDescription[];
    try {
      listed = await pools.list();
    } catch (error) {
      return this.#fail('the pools', error);
    }
    this.#rests.delete('the pools');
    onStatus?.(listed);
    const looked = performance.now() - began;
    let added = 0;
    for (const pool of listed) {
      if (pool.level < pool.target && !signal.aborted) added += await this.#fill(pool);
    }
    return added > 0 ? 0 : Math.max(pollEvery, lookShare * looked);
  }

  async #fill(pool: PoolDescription): Promise<number> {
    const { pools, signal, onAdded } = this.#options;
    const { KeyId, KeyPairSpec, target } = pool;
    const name = `the pool of ${KeyPairSpec} pairs of ${KeyId}`;
    if (performance.now() < (this.#rests.get(name)?.until ?? 0)) return 0;
    try {
      const added = await pools.fill({
        pool: { KeyId, KeyPairSpec },
        most: turn * lotSize(KeyPairSpec, target),
        signal,
      });
      onAdded?.(added);
      this.#rests.delete(name);
      return added;
    } catch (error) {
      // The pool was deleted meanwhile.
      const isGone = error instanceof KmsError && error.name === 'NotFoundException';
      if (!signal.aborted && !isGone) this.#fail(name, error);
      return 0;
    }
  }

  #fail(what: string, error: unknown): number {
    const rest = this.#rests.get(what);
    const wait = rest === undefined ? this.#firstPause : Math.min(2 * rest.pause, longestPause);
    this.#rests.set(what, { until: performance.now() + wait, pause: wait });
    if (rest === undefined) {
      this.#options.onTrouble?.(`${what} cannot be filled: ${messageOf(error)}`);
    }
    return wait;
  }
}
