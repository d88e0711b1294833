import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { DataKeyPairSpec } from '../model/types.ts';
import type { Native, RootKey } from '../native.ts';
import { type KeyPlace, type Place, poolPrefixes, scope } from '../store/key-directory.ts';
import { keyIdBytes } from '../store/key-record.ts';
import type { Change, Entry, KeyStore } from '../store/key-store.ts';
import { type Found, RecordCache } from '../store/record-cache.ts';
import { openState, sealState } from '../store/sealed-state.ts';
import { damaged, unavailable } from '../store/store-errors.ts';
import { countPairs, decodeLots, encodeLots, entrySize, intoEntries, type Lot } from './lots.ts';

/** A pool as it was made: pairs of one spec, waiting under one key. */
export interface PoolRecord extends KeyPlace {
  readonly spec: DataKeyPairSpec;
  /** How many pairs shall wait. */
  readonly target: number;
  /** At how many it is filled again. */
  readonly low: number;
  /**
   * Another one for each pool that was made here, and for each time that it was drained: pairs of an
   * earlier one, waiting or claimed, are void.
   */
  readonly poolId: string;
  /** Milliseconds since the epoch. */
  readonly creationDate: number;
}

export interface PoolName extends KeyPlace {
  readonly spec: DataKeyPairSpec;
}

/** What was claimed: no other process and no later one gets it. */
export interface Claim {
  readonly lots: readonly Lot[];
  /** Pairs of entries that were not as pairmint wrote them; they are removed and never served. */
  readonly skipped: number;
  /** Whether nothing was left. */
  readonly dry: boolean;
}

/** An entry that this process has added and that has room for more. */
interface Tail {
  readonly poolId: string;
  readonly entry: Entry;
  readonly lots: readonly Lot[];
}

const magic = Buffer.from('DKQ\x02', 'latin1');
const macLength = 32;

/**
 * What the private keys in pools are bound to. No encryption context encodes like this (it would
 * have 2^32 - 1 pairs), so no request can open what waits.
 */
export function poolContext(spec: DataKeyPairSpec): Uint8Array {
  let context = contexts.get(spec);
  if (context === undefined) {
    const marks = Buffer.from([0xff, 0xff, 0xff, 0xff]);
    context = Buffer.concat([marks, Buffer.from(`pool ${spec}`, 'latin1')]);
    contexts.set(spec, context);
  }
  return context;
}

// One for all pairs of a spec, whom nobody changes.
const contexts = new Map<DataKeyPairSpec, Uint8Array>();

/** The pools of a store and the pairs that wait in them. Everything read is authenticated. */
export class PoolDirectory {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #read: RecordCache<PoolRecord>;
  #tail: Tail | undefined;

  constructor(options: { store: KeyStore; native: Native; rootKey: RootKey }) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#read = new RecordCache(options.store, (path, bytes) => this.#open(path, bytes));
  }

  async find(name: PoolName): Promise<PoolRecord | undefined> {
    return this.#read.get(recordPath(name));
  }

  /** The same at once, where it was looked for before and nothing has been committed since. */
  known(name: PoolName): Found<PoolRecord> | undefined {
    return this.#read.peek(recordPath(name));
  }

  /** Makes a pool, or changes the levels of the one that is there. */
  async put(pool: Omit<PoolRecord, 'poolId'>): Promise<PoolRecord> {
    for (;;) {
      const path = recordPath(pool);
      const expected = await this.#get(path);
      const existing = expected && this.#open(path, expected);
      const record = existing
        ? { ...existing, target: pool.target, low: pool.low }
        : { ...pool, poolId: randomUUID() };
      if (await this.#commit([{ path, expected, next: this.#seal(record) }])) return record;
    }
  }

  async list(place: Place): Promise<PoolRecord[]> {
    const prefix = `${scope(place)}pool-record/`;
    const entries = await this.#store.list(prefix, { limit: maxPools }).catch(unavailable);
    return entries.map(({ path, value }) => this.#open(path, value));
  }

  /** Deletes a pool, then its pairs; false where there is none. */
  async delete(name: PoolName): Promise<boolean> {
    const path = recordPath(name);
    for (;;) {
      const expected = await this.#get(path);
      if (expected === undefined) return false;
      if (!(await this.#commit([{ path, expected, next: undefined }]))) continue;
      await this.#removePairs(name);
      return true;
    }
  }

  /**
   * Removes all pairs that wait and says how many they were; undefined where there is no pool. What
   * processes have claimed is void from then on.
   */
  async drain(name: PoolName): Promise<number | undefined> {
    const path = recordPath(name);
    for (;;) {
      const expected = await this.#get(path);
      if (expected === undefined) return undefined;
      const record = { ...this.#open(path, expected), poolId: randomUUID() };
      if (!(await this.#commit([{ path, expected, next: this.#seal(record) }]))) continue;
      return this.#removePairs(name);
    }
  }

  /**
   * Adds lots to a pool: durable on return. Those that come one by one are gathered in an entry, which
   * is written again with each. False where the pool was deleted or drained meanwhile.
   */
  async add(pool: PoolRecord, added: readonly Lot[]): Promise<boolean> {
    const path = recordPath(pool);
    const size = entrySize(pool.target);
    for (;;) {
      const record = await this.#get(path);
      if (record === undefined) return false;
      if (this.#open(path, record).poolId !== pool.poolId) return false;
      const tail = this.#tail?.poolId === pool.poolId ? this.#tail : undefined;
      const parts = intoEntries([...(tail?.lots ?? []), ...added], size);
      const entries = parts.map((lots) => this.#encode(pool, lots));
      const changes = [
        { path, expected: record, next: record },
        ...(tail === undefined ? [] : [removal(tail.entry)]),
        ...entries.map(addition),
      ];
      this.#tail = undefined;
      // Where it fails, another process has claimed the tail, or changed the pool.
      if (!(await this.#commit(changes))) continue;
      const [entry, lots] = [entries.at(-1), parts.at(-1)];
      if (entry !== undefined && lots !== undefined && countPairs(lots) < size) {
        this.#tail = { poolId: pool.poolId, entry, lots };
      }
      return true;
    }
  }

  /** Takes about `most` pairs out of the store: durably, before any of them is used. */
  async claim(pool: PoolRecord, most: number): Promise<Claim> {
    const limit = Math.max(1, Math.floor(most / entrySize(pool.target)));
    for (;;) {
      const entries = await this.#store.list(pairsPrefix(pool), { limit }).catch(unavailable);
      if (entries.length === 0) return { lots: [], skipped: 0, dry: true };
      const taken = entries.map(copyOf);
      // Another process took some of them.
      if (!(await this.#commit(taken.map(removal)))) continue;
      const read = taken.map((entry) => ({ entry, lots: this.#decode(pool.keyId, entry) }));
      return {
        lots: read.flatMap(({ lots = [] }) => lots),
        skipped: countAll(read.filter(({ lots }) => lots === undefined).map(({ entry }) => entry)),
        dry: entries.length < limit,
      };
    }
  }

  /** How many pairs wait in the store, counted up to `most`. */
  async count(pool: PoolRecord, most: number): Promise<number> {
    const counted = await this.#store.count(pairsPrefix(pool), most, pairsIn).catch(unavailable);
    return Math.min(most, counted);
  }

  /** Whose turn it is to fill a pool: nothing but that it changes, or does not, means anything. */
  async turnOf(pool: PoolRecord): Promise<Uint8Array | undefined> {
    return this.#get(turnPath(pool));
  }

  /** Takes a turn, or renews one, that nobody else has changed; undefined where somebody has. */
  async changeTurn(
    pool: PoolRecord,
    expected: Uint8Array | undefined,
  ): Promise<Uint8Array | undefined> {
    const next = randomBytes(16);
    return (await this.#commit([{ path: turnPath(pool), expected, next }])) ? next : undefined;
  }

  async endTurn(pool: PoolRecord, expected: Uint8Array): Promise<void> {
    await this.#commit([{ path: turnPath(pool), expected, next: undefined }]);
  }

  /** Removes the void pairs of a pool's name; says how many they were. */
  async #removePairs(name: PoolName): Promise<number> {
    let removed = 0;
    for (let after: string | undefined; ; ) {
      const entries = await this.#store
        .list(allPairsPrefix(name), { after, limit: atOnce })
        .catch(unavailable);
      if (entries.length === 0) return removed;
      after = entries.at(-1)?.path;
      const listed = entries.map(copyOf);
      // Read after them: of those listed, all that are not of this pool are of earlier ones.
      const pool = await this.find(name);
      const old = listed.filter(({ path }) => !pool || !path.startsWith(pairsPrefix(pool)));
      removed += await this.#removeEach(old);
    }
  }

  /** Removes entries; those that another process took meanwhile are its own. */
  async #removeEach(entries: readonly Entry[]): Promise<number> {
    if (entries.length === 0) return 0;
    if (await this.#commit(entries.map(removal))) return countAll(entries);
    const removed = await Promise.all(entries.map((entry) => this.#commit([removal(entry)])));
    return countAll(entries.filter((_, i) => removed[i]));
  }

  #encode(pool: PoolRecord, lots: readonly Lot[]): Entry {
    const path = `${pairsPrefix(pool)}${randomUUID()}.${countPairs(lots)}`;
    const body = Buffer.concat([magic, encodeLots(lots)]);
    return { path, value: Buffer.concat([body, this.#mac(pool.keyId, path, body)]) };
  }

  #decode(keyId: string, { path, value }: Entry): Lot[] | undefined {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (bytes.length < magic.length + macLength || bytes.indexOf(magic) !== 0) return undefined;
    const body = bytes.subarray(0, -macLength);
    const mac = bytes.subarray(-macLength);
    if (!timingSafeEqual(this.#mac(keyId, path, body), mac)) return undefined;
    return decodeLots(body.subarray(magic.length));
  }

  // The path is part of it: an entry of one pool is none of another.
  #mac(keyId: string, path: string, body: Uint8Array): Uint8Array {
    const text = Buffer.from(`${path}\0`, 'latin1');
    return this.#native.stateMac(this.#rootKey, keyIdBytes(keyId), Buffer.concat([text, body]));
  }

  #seal(pool: PoolRecord): Buffer {
    const id = keyIdBytes(pool.keyId);
    return sealState(this.#native, this.#rootKey, id, { sequence: 0n, state: { pool } });
  }

  #open(path: string, bytes: Uint8Array): PoolRecord {
    const [, keyId = ''] = path.split('/');
    const opened = openState(this.#native, this.#rootKey, keyIdBytes(keyId), bytes)?.state;
    const pool = (opened as { pool?: PoolRecord } | undefined)?.pool;
    if (pool === undefined || recordPath(pool) !== path) throw damaged(path);
    return pool;
  }

  async #get(path: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#store.get(path).catch(unavailable);
    return bytes && Uint8Array.from(bytes);
  }

  async #commit(changes: readonly Change[]): Promise<boolean> {
    return this.#store.commit(changes).catch(unavailable);
  }
}

// Nine specs of some thousand keys.
const maxPools = 100_000;
// As many as a commit removes without holding up the event loop.
const atOnce = 500;

function recordPath(pool: PoolName): string {
  return poolPrefixes(pool)[0] + pool.spec;
}

/** Of all pairs that wait under a name, those of deleted pools whose removal was cut short included. */
function allPairsPrefix(pool: PoolName): string {
  return `${poolPrefixes(pool)[1]}${pool.spec}/`;
}

function turnPath(pool: PoolName): string {
  return poolPrefixes(pool)[2] + pool.spec;
}

function pairsPrefix(pool: PoolRecord): string {
  return `${allPairsPrefix(pool)}${pool.poolId}/`;
}

/** How many pairs an entry has, by its path; a path that pairmint did not make counts as one. */
function pairsIn(path: string): number {
  const [, pairs = 1] = /\.(\d{1,2})$/.exec(path) ?? [];
  return Number(pairs);
}

function countAll(entries: readonly Entry[]): number {
  return entries.reduce((sum, { path }) => sum + pairsIn(path), 0);
}

// What a store hands out may change under it.
function copyOf({ path, value }: Entry): Entry {
  return { path, value: Uint8Array.from(value) };
}

function addition({ path, value }: Entry): Change {
  return { path, expected: undefined, next: value };
}

function removal({ path, value }: Entry): Change {
  return { path, expected: value, next: undefined };
}
