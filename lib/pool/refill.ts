import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../core/error-message.ts';
import { requireState } from '../keys/key-checks.ts';
import type { KeyDirectory } from '../keys/key-directory.ts';
import { damaged } from '../store/store-errors.ts';
import type { Filler } from './filler.ts';
import type { PoolDirectory, PoolRecord } from './pool-directory.ts';

interface Level {
  /**
   * The last count less the pairs claimed since; other processes may have claimed or filled. The
   * target if all missing pairs were minted or reserved.
   */
  pairs: number;
  countedAt: number;
}

const countEvery = 10_000;
const pauseAfterFailure = 60_000;

/**
 * Fills the pools that this process takes from, in the background: one crossing at a time, not
 * while a request waits for a pair of its own, and not what another process is already minting. It
 * does not keep the process alive.
 */
export class Refill {
  readonly #directory: PoolDirectory;
  readonly #keys: KeyDirectory;
  readonly #filler: Filler;
  readonly #levels = new Map<string, Level>();
  readonly #due = new Map<string, PoolRecord>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #foreground = 0;
  #endOfForeground = () => {};
  /** For each pool that could not be filled, the time until which it is left alone. */
  readonly #restUntil = new Map<string, number>();

  constructor(options: { directory: PoolDirectory; keys: KeyDirectory; filler: Filler }) {
    this.#directory = options.directory;
    this.#keys = options.keys;
    this.#filler = options.filler;
  }

  /** Runs work that a request waits for; background minting pauses until it is done. */
  async before<T>(work: () => Promise<T>): Promise<T> {
    this.#foreground++;
    try {
      return await work();
    } finally {
      if (--this.#foreground === 0) this.#endOfForeground();
    }
  }

  /** Must be called for each claim: how many pairs it got, and whether the pool is dry. */
  claimed(pool: PoolRecord, pairs: number, { dry }: { dry: boolean }): void {
    const now = performance.now();
    const { poolId } = pool;
    if (this.#stop.signal.aborted || this.#due.has(poolId)) return;
    if (now < (this.#restUntil.get(poolId) ?? 0)) return;
    const level = this.#levels.get(poolId);
    if (level !== undefined) level.pairs -= pairs;
    const isHigh = level !== undefined && level.pairs > pool.low;
    if (!dry && isHigh && now - level.countedAt < countEvery) return;
    this.#due.set(poolId, pool);
    this.#running ??= this.#run();
  }

  /** Stops at once; pairs that were minted are kept. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#endOfForeground();
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      for (const [poolId, pool] of this.#due) {
        if (this.#stop.signal.aborted) return;
        await this.#refill(pool).catch((error) => this.#fail(pool, error));
        this.#due.delete(poolId);
      }
    } finally {
      // In the same microtask as the end of the loop: a pool that falls due later starts a new run.
      this.#running = undefined;
    }
  }

  async #refill(pool: PoolRecord): Promise<void> {
    const { signal } = this.#stop;
    const low = await this.#count(pool, pool.low + 1);
    if (low > pool.low) return;
    await this.#filler.fill(pool, {
      material: () => this.#material(pool),
      concurrency: 1,
      signal,
      turn: () => this.#turn(),
    });
    // Other processes have reserved the pairs that are still missing.
    this.#levels.set(pool.poolId, { pairs: pool.target, countedAt: performance.now() });
  }

  async #count(pool: PoolRecord, most: number): Promise<number> {
    const pairs = await this.#directory.count(pool, most);
    this.#levels.set(pool.poolId, { pairs, countedAt: performance.now() });
    return pairs;
  }

  async #material(pool: PoolRecord) {
    const key = await this.#keys.findById(pool);
    if (key === undefined) throw damaged(`of the key of a pool, ${pool.keyId},`);
    requireState(key);
    return (await this.#keys.vault.current(key)).material;
  }

  /** Waits until no request waits for a pair. The pause does not keep the process alive. */
  async #turn(): Promise<void> {
    const { signal } = this.#stop;
    await pause(0, undefined, { signal, ref: false });
    while (this.#foreground > 0) {
      await new Promise<void>((resolve) => {
        this.#endOfForeground = resolve;
      });
      signal.throwIfAborted();
    }
  }

  #fail({ poolId, keyId, spec }: PoolRecord, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const hasFailed = this.#restUntil.has(poolId);
    this.#restUntil.set(poolId, performance.now() + pauseAfterFailure);
    if (hasFailed) return;
    process.emitWarning(
      `the pool of ${spec} pairs of ${keyId} is not filled: ${messageOf(error)}`,
      {
        code: 'PAIRMINT_POOL',
      },
    );
  }
}
