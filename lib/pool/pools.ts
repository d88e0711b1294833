import { messageOf } from '../core/error-message.ts';
import type { Key } from '../keys/key.ts';
import type { KeyDirectory } from '../keys/key-directory.ts';
import { materialIdOfBlob } from '../model/blob-header.ts';
import { KmsError } from '../model/errors.ts';
import type { DataKeyPairSpec } from '../model/types.ts';
import { isNativeError, type KeyMaterial, type MintedPair, type Native } from '../native/addon.ts';
import { lotsOf, pairsOf, type WaitingPair } from './lots.ts';
import { type PoolDirectory, type PoolRecord, poolContext } from './pool-directory.ts';
import type { Refill } from './refill.ts';

/** Counts of the requests for pairs of a pool. */
export interface PoolCounts {
  /** Served from the pool. */
  hits: number;
  /** Minted or refused, because the pool was dry or the store failed. */
  misses: number;
  /**
   * Waiting pairs that were skipped: damaged, forged, sealed under material that is gone, or
   * claimed from a pool that was drained or deleted meanwhile.
   */
  skipped: number;
}

/** What this process did with a pool, besides answering from it. */
export interface PoolTraffic {
  /** Pairs that it took out of the pool in the store. */
  taken: number;
  /** Requests that it refused because the pool was dry. */
  refused: number;
}

/** A request for a waiting pair, with the key that must seal it. */
export interface Demand {
  readonly key: Key;
  readonly spec: DataKeyPairSpec;
  /** The key's current material. */
  readonly material: KeyMaterial;
  readonly context: Uint8Array;
  readonly plaintext: boolean;
}

/** The pairs of one pool that this process has claimed. */
interface Stock {
  /** As it was last read: its levels may have changed. */
  pool: PoolRecord;
  readonly pairs: WaitingPair[];
  /** The claim under way; resolves to whether it got any pairs. */
  claiming: Promise<boolean> | undefined;
  /** How many pairs the next claim takes, if the pool is large enough. */
  size: number;
  claimedAt: number;
  /** When to claim again after the last claim failed. */
  restUntil: number;
}

/** A pool as this process knows it. */
interface PoolState {
  stock: Stock;
  readonly counts: PoolCounts;
  readonly traffic: PoolTraffic;
  readonly warned: Set<string>;
}

// A claim waits for the disk, so busy processes claim many pairs at a time. Idle ones claim few: a
// process that is killed loses its claims. A claim of 256 holds the event loop for some
// milliseconds, mostly for the disk.
const smallestClaim = 16;
const largestClaim = 256;
const fast = 2000;
const restAfterFailure = 1000;

/**
 * Serves requests from pools. A process claims pairs from the store, many at a time, before it
 * serves any of them: a crash may lose a claimed pair, but no pair is ever served twice.
 */
export class Pools {
  readonly #directory: PoolDirectory;
  readonly #keys: KeyDirectory;
  readonly #native: Native;
  readonly #onDry: 'mint' | 'fail';
  readonly #refill: Refill | undefined;
  readonly #states = new Map<string, PoolState>();

  constructor(options: {
    directory: PoolDirectory;
    keys: KeyDirectory;
    native: Native;
    onDryPool: 'mint' | 'fail';
    /** Fills pools that run low; undefined if this process does not. */
    refill?: Refill | undefined;
  }) {
    this.#directory = options.directory;
    this.#keys = options.keys;
    this.#native = options.native;
    this.#onDry = options.onDryPool;
    this.#refill = options.refill;
  }

  /**
   * Takes a pair and seals it for the request; undefined if there is no pool or it is dry.
   *
   * @throws KmsError LimitExceededException if the pool is dry and minting instead is not allowed
   */
  async take(demand: Demand): Promise<MintedPair | undefined> {
    const { key, spec } = demand;
    const { keyId, region, accountId } = key.record;
    const name = { keyId, region, accountId, spec };
    const remembered = this.#directory.known(name);
    const pool = remembered ? remembered.record?.record : await this.#directory.find(name);
    const state = this.#stateOf(pool, key.arn, spec);
    if (state === undefined) return undefined;
    for (;;) {
      const waiting = await this.#next(state);
      if (waiting === undefined) break;
      const pair = await this.#sealAnew(waiting, demand);
      if (pair !== undefined) {
        state.counts.hits++;
        return pair;
      }
      skip(state, 1, unusable);
    }
    state.counts.misses++;
    if (this.#onDry === 'mint') return undefined;
    state.traffic.refused++;
    throw new KmsError(
      'LimitExceededException',
      `The pool of ${spec} pairs of ${key.arn} is empty. Fill it, or let requests mint.`,
    );
  }

  /** Mints pairs that a request waits for; background filling pauses meanwhile. */
  mint<T>(work: () => Promise<T>): Promise<T> {
    return this.#refill === undefined ? work() : this.#refill.before(work);
  }

  /** This process's counts for a pool. */
  countsOf(keyArn: string, spec: DataKeyPairSpec): PoolCounts {
    return { ...(this.#states.get(nameOf(keyArn, spec))?.counts ?? noCounts) };
  }

  trafficOf(keyArn: string, spec: DataKeyPairSpec): PoolTraffic {
    return { ...(this.#states.get(nameOf(keyArn, spec))?.traffic ?? noTraffic) };
  }

  /** How many pairs of a pool this process has claimed and not served. */
  claimed(keyArn: string, pool: PoolRecord): number {
    return this.#stockOf(keyArn, pool)?.length ?? 0;
  }

  /** Drops this process's claims on a pool that it drains or deletes; returns how many pairs. */
  forget(keyArn: string, pool: PoolRecord): number {
    return this.#stockOf(keyArn, pool)?.splice(0).length ?? 0;
  }

  #stockOf(keyArn: string, { spec, poolId }: PoolRecord): WaitingPair[] | undefined {
    const stock = this.#states.get(nameOf(keyArn, spec))?.stock;
    return stock?.pool.poolId === poolId ? stock.pairs : undefined;
  }

  /** Stops filling, and puts back the pairs that were claimed and not served. */
  async close(): Promise<void> {
    await this.#refill?.close();
    // All at once, so that a lock held by another process is waited for only once.
    await Promise.all([...this.#states.values()].map((state) => this.#putBack(state)));
  }

  async #putBack(state: PoolState): Promise<void> {
    const { stock } = state;
    await stock.claiming;
    const pairs = stock.pairs.splice(0);
    if (pairs.length === 0) return;
    try {
      await this.#directory.add(stock.pool, lotsOf(pairs));
    } catch (error) {
      warnOnce(state, `${pairs.length} pairs could not be put back: ${messageOf(error)}`);
    }
  }

  /** The state of a pool; undefined if the pool does not exist and never did for this process. */
  #stateOf(
    pool: PoolRecord | undefined,
    keyArn: string,
    spec: DataKeyPairSpec,
  ): PoolState | undefined {
    const name = nameOf(keyArn, spec);
    const state = this.#states.get(name);
    if (state === undefined) {
      if (pool === undefined) return undefined;
      const fresh = {
        stock: newStock(pool),
        counts: { ...noCounts },
        traffic: { ...noTraffic },
        warned: new Set<string>(),
      };
      this.#states.set(name, fresh);
      return fresh;
    }
    if (state.stock.pool.poolId !== pool?.poolId) {
      skip(state, state.stock.pairs.splice(0).length, drained);
      if (pool !== undefined) state.stock = newStock(pool);
    } else if (pool !== undefined) {
      state.stock.pool = pool;
    }
    return pool && state;
  }

  async #next(state: PoolState): Promise<WaitingPair | undefined> {
    const { stock } = state;
    for (;;) {
      if (stock.pairs.length <= claimSize(stock) / 4) this.#claim(state);
      const pair = stock.pairs.pop();
      if (pair !== undefined || stock.claiming === undefined) return pair;
      // Even if the claim got some, other waiting requests may have taken them all: try again.
      if (!(await stock.claiming)) return undefined;
    }
  }

  #claim(state: PoolState): void {
    const { stock } = state;
    const now = performance.now();
    if (stock.claiming !== undefined || now < stock.restUntil) return;
    const wasFast = now - stock.claimedAt < fast;
    stock.size = wasFast ? Math.min(2 * stock.size, largestClaim) : smallestClaim;
    stock.claimedAt = now;
    stock.claiming = this.#claimInto(state, stock).finally(() => {
      stock.claiming = undefined;
    });
  }

  async #claimInto(state: PoolState, stock: Stock): Promise<boolean> {
    const { pool } = stock;
    try {
      const { lots, skipped, dry } = await this.#directory.claim(pool, claimSize(stock));
      const pairs = pairsOf(lots);
      stock.pairs.push(...pairs);
      skip(state, skipped, unusable);
      const taken = pairs.length + skipped;
      state.traffic.taken += taken;
      this.#refill?.claimed(pool, taken, { dry });
      return taken > 0;
    } catch (error) {
      stock.restUntil = performance.now() + restAfterFailure;
      stock.claimedAt = Number.NEGATIVE_INFINITY;
      warnOnce(state, `cannot be drawn from: ${messageOf(error)}`);
      return false;
    }
  }

  /** The material that sealed a waiting pair; undefined if the key no longer has it. */
  async #sourceOf({ sealed }: WaitingPair, { key, material }: Demand) {
    const id = materialIdOfBlob(sealed);
    // Nearly always the material that the request has just read; reading it again would take as
    // long as opening the pair.
    if (id === key.record.currentMaterialId) return material;
    return this.#keys.material(key.record, id);
  }

  /** In one crossing, so that the private key never reaches JavaScript unless it was asked for. */
  async #sealAnew(waiting: WaitingPair, demand: Demand): Promise<MintedPair | undefined> {
    const { material, context, plaintext, spec } = demand;
    const source = await this.#sourceOf(waiting, demand);
    if (source === undefined) return undefined;
    try {
      return await this.#native.takeFromLot({
        source,
        sourceContext: poolContext(spec),
        lot: waiting.sealed,
        index: waiting.index,
        material,
        context,
        plaintext,
      });
    } catch (error) {
      if (isNativeError(error, 'INVALID_CIPHERTEXT')) return undefined;
      throw error;
    }
  }
}

const noCounts: Readonly<PoolCounts> = { hits: 0, misses: 0, skipped: 0 };
const noTraffic: Readonly<PoolTraffic> = { taken: 0, refused: 0 };

function nameOf(keyArn: string, spec: DataKeyPairSpec): string {
  return `${keyArn} ${spec}`;
}

/** The size of the next claim, which leaves a part of a small pool to other processes. */
function claimSize({ pool, size }: Stock): number {
  return Math.min(size, Math.ceil(pool.target / 4));
}

function newStock(pool: PoolRecord): Stock {
  return {
    pool,
    pairs: [],
    claiming: undefined,
    size: smallestClaim,
    claimedAt: Number.NEGATIVE_INFINITY,
    restUntil: Number.NEGATIVE_INFINITY,
  };
}

const drained = 'was drained or deleted; what was claimed of it is passed over';
const unusable = 'has pairs that cannot be used; they are removed and passed over';

function skip(state: PoolState, pairs: number, why: string): void {
  if (pairs === 0) return;
  state.counts.skipped += pairs;
  warnOnce(state, why);
}

/** Warns once of each kind of trouble of a pool: texts that differ only in figures are one kind. */
function warnOnce({ stock, warned }: PoolState, trouble: string): void {
  const kind = trouble.replace(/\d+/g, '');
  if (warned.has(kind)) return;
  warned.add(kind);
  const { spec, keyId } = stock.pool;
  process.emitWarning(`the pool of ${spec} pairs of ${keyId} ${trouble}`, {
    code: 'PAIRMINT_POOL',
  });
}
