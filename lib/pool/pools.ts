import { messageOf } from '../core/error-message.ts';
import type { Key, KeyDirectory } from '../keys/key-directory.ts';
import { materialIdOfBlob } from '../model/blob-header.ts';
import { KmsError } from '../model/errors.ts';
import type { DataKeyPairSpec } from '../model/types.ts';
import { isNativeError, type KeyMaterial, type MintedPair, type Native } from '../native/addon.ts';
import { lotsOf, pairsOf, type WaitingPair } from './lots.ts';
import { type PoolDirectory, type PoolRecord, poolContext } from './pool-directory.ts';
import type { Refill } from './refill.ts';

/** What became of the requests that a pool could have served. */
export interface PoolCounts {
  /** Served from the pool. */
  hits: number;
  /** Minted, or refused, because the pool was dry or the store failed. */
  misses: number;
  /**
   * Pairs that waited and were passed over: damaged, forged, sealed under material that is gone, or
   * claimed of a pool that was drained or deleted meanwhile.
   */
  skipped: number;
}

/** What a request wants a waiting pair sealed for. */
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
  /** As it was read last: its levels may change. */
  pool: PoolRecord;
  readonly pairs: WaitingPair[];
  /** Resolves to whether it found any. */
  claiming: Promise<boolean> | undefined;
  /** How many the next claim takes, where the pool is large enough. */
  size: number;
  claimedAt: number;
  /** Not before then, for the last claim failed. */
  restUntil: number;
}

/** A pool as this process knows it. */
interface Known {
  stock: Stock;
  readonly counts: PoolCounts;
  readonly warned: Set<string>;
}

// A claim waits for the disk. Few are claimed where few are asked for, so that a process that is
// killed loses few; the more the faster they go. A claim of 256 holds the event loop for some
// milliseconds, most of it for the disk.
const smallestClaim = 16;
const largestClaim = 256;
const fast = 2000;
const restAfterFailure = 1000;

/**
 * Serves requests from pools. A process claims pairs from the store, many at a time, before it hands
 * any of them out: a crash may lose a claimed pair, and none is ever handed out twice.
 */
export class Pools {
  readonly #directory: PoolDirectory;
  readonly #keys: KeyDirectory;
  readonly #native: Native;
  readonly #onDry: 'mint' | 'fail';
  readonly #refill: Refill | undefined;
  readonly #known = new Map<string, Known>();

  constructor(options: {
    directory: PoolDirectory;
    keys: KeyDirectory;
    native: Native;
    onDryPool: 'mint' | 'fail';
    /** What fills pools that run low, if anything here does. */
    refill?: Refill | undefined;
  }) {
    this.#directory = options.directory;
    this.#keys = options.keys;
    this.#native = options.native;
    this.#onDry = options.onDryPool;
    this.#refill = options.refill;
  }

  /**
   * Takes a pair and seals it for the request; undefined where there is no pool, or none waits.
   *
   * @throws KmsError LimitExceededException where none waits and no pair may be minted instead
   */
  async take(demand: Demand): Promise<MintedPair | undefined> {
    const { key, spec } = demand;
    const { keyId, region, accountId } = key.record;
    const name = { keyId, region, accountId, spec };
    const found = this.#directory.known(name);
    const pool = found ? found.record?.record : await this.#directory.find(name);
    const known = this.#knownAs(pool, key.arn, spec);
    if (known === undefined) return undefined;
    for (;;) {
      const waiting = await this.#next(known);
      if (waiting === undefined) break;
      const pair = await this.#sealAnew(waiting, demand);
      if (pair !== undefined) {
        known.counts.hits++;
        return pair;
      }
      skip(known, 1, unusable);
    }
    known.counts.misses++;
    if (this.#onDry === 'mint') return undefined;
    throw new KmsError(
      'LimitExceededException',
      `The pool of ${spec} pairs of ${key.arn} is empty. Fill it, or let requests mint.`,
    );
  }

  /** Mints a pair, or several, that a request waits for: before any that are to wait in a pool. */
  mint<T>(work: () => Promise<T>): Promise<T> {
    return this.#refill === undefined ? work() : this.#refill.before(work);
  }

  /** What this process has served from a pool. */
  countsOf(keyArn: string, spec: DataKeyPairSpec): PoolCounts {
    return { ...(this.#known.get(nameOf(keyArn, spec))?.counts ?? noCounts) };
  }

  /** How many pairs of a pool this process has claimed and not handed out. */
  claimed(keyArn: string, pool: PoolRecord): number {
    return this.#stockOf(keyArn, pool)?.length ?? 0;
  }

  /** Forgets what this process has claimed of a pool that it drains or deletes; says how many. */
  forget(keyArn: string, pool: PoolRecord): number {
    return this.#stockOf(keyArn, pool)?.splice(0).length ?? 0;
  }

  #stockOf(keyArn: string, { spec, poolId }: PoolRecord): WaitingPair[] | undefined {
    const stock = this.#known.get(nameOf(keyArn, spec))?.stock;
    return stock?.pool.poolId === poolId ? stock.pairs : undefined;
  }

  /** Stops filling, and puts back what was claimed and not handed out. */
  async close(): Promise<void> {
    await this.#refill?.close();
    // Together, so that a lock that somebody holds is waited for once.
    await Promise.all([...this.#known.values()].map((known) => this.#putBack(known)));
  }

  async #putBack(known: Known): Promise<void> {
    const { stock } = known;
    await stock.claiming;
    const pairs = stock.pairs.splice(0);
    if (pairs.length === 0) return;
    try {
      await this.#directory.add(stock.pool, lotsOf(pairs));
    } catch (error) {
      warnOnce(known, `${pairs.length} pairs could not be put back: ${messageOf(error)}`);
    }
  }

  /** A pool as it is now; undefined where there is none and none was known. */
  #knownAs(pool: PoolRecord | undefined, keyArn: string, spec: DataKeyPairSpec): Known | undefined {
    const name = nameOf(keyArn, spec);
    const known = this.#known.get(name);
    if (known === undefined) {
      if (pool === undefined) return undefined;
      const made = { stock: newStock(pool), counts: { ...noCounts }, warned: new Set<string>() };
      this.#known.set(name, made);
      return made;
    }
    if (known.stock.pool.poolId !== pool?.poolId) {
      skip(known, known.stock.pairs.splice(0).length, drained);
      if (pool !== undefined) known.stock = newStock(pool);
    } else if (pool !== undefined) {
      known.stock.pool = pool;
    }
    return pool && known;
  }

  async #next(known: Known): Promise<WaitingPair | undefined> {
    const { stock } = known;
    for (;;) {
      if (stock.pairs.length <= claimSize(stock) / 4) this.#claim(known);
      const pair = stock.pairs.pop();
      if (pair !== undefined || stock.claiming === undefined) return pair;
      // Where it found some, others who waited may have taken them all.
      if (!(await stock.claiming)) return undefined;
    }
  }

  #claim(known: Known): void {
    const { stock } = known;
    const now = performance.now();
    if (stock.claiming !== undefined || now < stock.restUntil) return;
    const wasFast = now - stock.claimedAt < fast;
    stock.size = wasFast ? Math.min(2 * stock.size, largestClaim) : smallestClaim;
    stock.claimedAt = now;
    stock.claiming = this.#claimInto(known, stock).finally(() => {
      stock.claiming = undefined;
    });
  }

  async #claimInto(known: Known, stock: Stock): Promise<boolean> {
    const { pool } = stock;
    try {
      const { lots, skipped, dry } = await this.#directory.claim(pool, claimSize(stock));
      const pairs = pairsOf(lots);
      stock.pairs.push(...pairs);
      skip(known, skipped, unusable);
      const taken = pairs.length + skipped;
      this.#refill?.claimed(pool, taken, { dry });
      return taken > 0;
    } catch (error) {
      stock.restUntil = performance.now() + restAfterFailure;
      stock.claimedAt = Number.NEGATIVE_INFINITY;
      warnOnce(known, `cannot be drawn from: ${messageOf(error)}`);
      return false;
    }
  }

  /** What a waiting pair was sealed under; undefined where the key has no such material. */
  async #sourceOf({ sealed }: WaitingPair, { key, material }: Demand) {
    const id = materialIdOfBlob(sealed);
    // Nearly always what the request has just read from the store; reading it again takes as long as
    // opening the pair.
    if (id === key.record.currentMaterialId) return material;
    return this.#keys.material(key.record, id);
  }

  /** In one crossing, so that no JavaScript sees the private key of a request that asks for none. */
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

function nameOf(keyArn: string, spec: DataKeyPairSpec): string {
  return `${keyArn} ${spec}`;
}

/** Something of a small pool shall be left to other processes. */
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

function skip(known: Known, pairs: number, why: string): void {
  if (pairs === 0) return;
  known.counts.skipped += pairs;
  warnOnce(known, why);
}

/** Warns of each trouble of a pool once, whatever figures are in it. */
function warnOnce({ stock, warned }: Known, trouble: string): void {
  const kind = trouble.replace(/\d+/g, '');
  if (warned.has(kind)) return;
  warned.add(kind);
  const { spec, keyId } = stock.pool;
  process.emitWarning(`the pool of ${spec} pairs of ${keyId} ${trouble}`, {
    code: 'PAIRMINT_POOL',
  });
}
