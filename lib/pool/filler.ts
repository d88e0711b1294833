import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { abortable } from '../core/abortable.ts';
import { inParallel } from '../core/in-parallel.ts';
import { keyArn } from '../model/key-id.ts';
import type { KeyMaterial, Native } from '../native/addon.ts';
import { countPairs, type Lot, lotSize } from './lots.ts';
import { type PoolDirectory, type PoolRecord, poolContext } from './pool-directory.ts';

export interface FillRequest {
  /**
   * Returns the current material of the pool's key. Called again every few pairs, because the key
   * may be disabled or rotated meanwhile. If it throws, filling ends.
   */
  readonly material: () => Promise<KeyMaterial>;
  /** How many crossings into native code are under way at a time. */
  readonly concurrency: number;
  /** The most pairs to mint. */
  readonly most?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Awaited before each crossing. */
  readonly turn?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Whether to wait until the pairs that other processes have reserved are minted. */
  readonly isPatient?: boolean | undefined;
  /** Called after pairs were added. */
  readonly onAdded?: ((pairs: number) => Promise<void> | void) | undefined;
}

// A commit waits for the disk, so that pairs minted quickly share one; a crash loses at most these.
const lotsToACommit = 64;
const flushEvery = 250;
// Other processes draw and fill, too, so the missing pairs are counted again this often.
const countEvery = 5000;
// How often to check whether other processes have minted the pairs that they reserved.
const lookEvery = 250;

/** Mints pairs into pools, up to their targets. */
export class Filler {
  readonly #directory: PoolDirectory;
  readonly #native: Native;
  readonly #minted = new Map<string, number>();

  constructor(options: { directory: PoolDirectory; native: Native }) {
    this.#directory = options.directory;
    this.#native = options.native;
  }

  /** How many pairs this process has minted into a key's pool. */
  minted(arn: string, { spec }: Pick<PoolRecord, 'spec'>): number {
    return this.#minted.get(`${arn} ${spec}`) ?? 0;
  }

  #noteMinted(pool: PoolRecord, pairs: number): void {
    const arn = keyArn(pool);
    this.#minted.set(`${arn} ${pool.spec}`, this.minted(arn, pool) + pairs);
  }

  /**
   * Fills a pool; stops if the pool is deleted or drained meanwhile. Pairs that were minted before
   * a failure or an abort are kept.
   *
   * @returns how many pairs were added
   * @throws the error of `material`; KmsError if the store fails; the signal's reason
   */
  async fill(pool: PoolRecord, request: FillRequest): Promise<number> {
    // Of its own for each filling: several of one process share a pool as those of several do.
    const filler = randomUUID();
    try {
      return await this.#fill(pool, filler, request);
    } finally {
      // Gives back what was reserved and not minted; otherwise others take it over later.
      await this.#directory.reserve(pool, { filler, most: 0 }).catch(() => {});
    }
  }

  async #fill(pool: PoolRecord, filler: string, request: FillRequest): Promise<number> {
    const { most = pool.target } = request;
    let added = 0;
    for (;;) {
      request.signal?.throwIfAborted();
      const current = await this.#directory.find(pool);
      if (current?.poolId !== pool.poolId) return added;
      const share = { filler, most: most - added };
      const wanted = added < most ? await this.#directory.reserve(current, share) : 0;
      if (wanted > 0) {
        added += await this.#mint(current, { filler, count: wanted }, request);
        continue;
      }
      const level = await this.#directory.count(current, current.target);
      if (added >= most || level >= current.target || !request.isPatient) return added;
      await pause(lookEvery, undefined, { signal: request.signal });
    }
  }

  /** Mints up to `count` pairs; stops early when the level must be counted again. */
  async #mint(
    pool: PoolRecord,
    { filler, count }: { filler: string; count: number },
    request: FillRequest,
  ): Promise<number> {
    const { signal, concurrency, onAdded } = request;
    const finished: Lot[] = [];
    const began = performance.now();
    let flushedAt = began;
    let added = 0;
    const flush = async () => {
      const lots = finished.splice(0);
      if (!(await this.#directory.add(pool, lots, filler))) return false;
      const pairs = countPairs(lots);
      added += pairs;
      flushedAt = performance.now();
      this.#noteMinted(pool, pairs);
      await onAdded?.(pairs);
      return true;
    };
    let material = await request.material();
    let left = count;
    const size = lotSize(pool.spec, pool.target);
    const mint = async (stop: AbortSignal) => {
      const several = Math.min(size, left);
      left -= several;
      await request.turn?.(stop);
      const sealed = await this.#mintLot(pool, material, several, stop);
      finished.push({ sealed, first: 0, end: several });
      return several;
    };
    const lots = inParallel(mint, { count: Math.ceil(count / size), concurrency, signal });
    try {
      for await (const _ of lots) {
        const now = performance.now();
        if (finished.length < lotsToACommit && now - flushedAt < flushEvery) continue;
        if (!(await flush()) || now - began > countEvery) break;
        material = await request.material();
      }
    } finally {
      // Also after a failure: finished pairs are kept.
      if (finished.length > 0) await flush();
    }
    return added;
  }

  async #mintLot(
    { spec }: PoolRecord,
    material: KeyMaterial,
    count: number,
    stop: AbortSignal,
  ): Promise<Uint8Array> {
    const args = { material, spec, context: poolContext(spec), count };
    return abortable(stop, (onStart) => this.#native.mintLot(args, onStart));
  }
}
