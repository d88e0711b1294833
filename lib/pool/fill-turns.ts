import { sameValue } from '../store/key-store.ts';
import type { PoolDirectory, PoolRecord } from './pool-directory.ts';

// Clocks of processes differ, and jump: what does not change for so long belongs to nobody.
const abandonedAfter = 30_000;
const renewEvery = 5000;

/**
 * Lets one of the processes that share a store fill a pool in the background, so that it is filled
 * once and not as often as there are processes. Where two of them do so after all, such as after
 * one was stopped for a while, there are more pairs than the target, and nothing else is wrong.
 */
export class FillTurns {
  readonly #directory: PoolDirectory;
  /** The turns of other processes, and since when they are the same. */
  readonly #others = new Map<string, { turn: Uint8Array; since: number }>();

  constructor(directory: PoolDirectory) {
    this.#directory = directory;
  }

  /** Does the work, unless another process is at it; says whether it did. */
  async take(pool: PoolRecord, work: () => Promise<void>): Promise<boolean> {
    const there = await this.#directory.turnOf(pool);
    if (there !== undefined && !this.#isAbandoned(pool, there)) return false;
    let turn = await this.#directory.changeTurn(pool, there);
    if (turn === undefined) return false;
    this.#others.delete(pool.poolId);
    // One that cannot be renewed is abandoned, for all that others can tell.
    const renew = async () => {
      turn = (await this.#directory.changeTurn(pool, turn).catch(() => undefined)) ?? turn;
    };
    let renewing = Promise.resolve();
    const timer = setInterval(() => {
      renewing = renewing.then(renew);
    }, renewEvery).unref();
    try {
      await work();
    } finally {
      clearInterval(timer);
      await renewing;
      await this.#directory.endTurn(pool, turn).catch(() => {});
    }
    return true;
  }

  #isAbandoned({ poolId }: PoolRecord, turn: Uint8Array): boolean {
    const now = performance.now();
    const known = this.#others.get(poolId);
    if (known !== undefined && sameValue(known.turn, turn)) {
      return now - known.since > abandonedAfter;
    }
    this.#others.set(poolId, { turn, since: now });
    return false;
  }
}
