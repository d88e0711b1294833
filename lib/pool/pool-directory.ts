import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { KeyDirectory } from '../keys/key-directory.ts';
import { type KeyPlace, type Place, poolPrefixes, poolRecordsPrefix } from '../keys/paths.ts';
import { KmsError } from '../model/errors.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { DataKeyPairSpec } from '../model/types.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { Change } from '../store/change.ts';
import { entriesOf } from '../store/entries.ts';
import type { Entry, KeyStore } from '../store/key-store.ts';
import type { StoredLot } from '../store/lot-store.ts';
import type { Found } from '../store/record-cache.ts';
import { retry } from '../store/retry.ts';
import { type Row, removal, SealedTable } from '../store/sealed-table.ts';
import { damaged, StoreError } from '../store/store-errors.ts';
import type { Drawn } from './drawn.ts';
import { countPairs, decodeLots, encodeLots, entrySize, intoEntries, type Lot } from './lots.ts';

/** A pool as it was made: pairs of one spec, waiting under one key. */
export interface PoolRecord extends KeyPlace {
  readonly spec: DataKeyPairSpec;
  /** How many pairs are to wait. */
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

/** The pairs of a claim: no other process, now or later, gets them. */
export interface Claim {
  readonly lots: readonly Lot[];
  /**
   * Pairs that were not as pairmint wrote them, or had been taken before; they are removed and never
   * served.
   */
  readonly skipped: number;
  /** Whether nothing was left. */
  readonly dry: boolean;
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

// One for all pairs of a spec; never mutated.
const contexts = new Map<DataKeyPairSpec, Uint8Array>();

/** The pools of a store and the pairs that wait in them. Everything read is authenticated. */
export class PoolDirectory {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #table: SealedTable<PoolRecord>;
  readonly #drawn: Drawn;

  constructor(options: { store: KeyStore; native: Native; rootKey: RootKey; drawn: Drawn }) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#drawn = options.drawn;
    this.#table = new SealedTable<PoolRecord>(options, {
      member: 'pool',
      pathOf: recordPath,
      sealingId: (path) => keyIdBytes(path.split('/')[1] ?? ''),
      rowOf: (row) => row,
    });
  }

  async find(name: PoolName): Promise<PoolRecord | undefined> {
    const row = await this.#table.get(recordPath(name));
    return row?.record;
  }

  /** The same at once, if it was read before and nothing has been committed since. */
  known(name: PoolName): Found<Row<PoolRecord>> | undefined {
    return this.#table.peek(recordPath(name));
  }

  /** Makes a pool, or changes the levels of the one that is there. */
  async put(pool: Omit<PoolRecord, 'poolId'>): Promise<PoolRecord> {
    const path = recordPath(pool);
    return retry(async () => {
      const row = await this.#table.read(path);
      const record = row
        ? { ...row.record, target: pool.target, low: pool.low }
        : { ...pool, poolId: randomUUID() };
      const change = row ? this.#table.replacement(row, record) : this.#table.insertion(record);
      return (await this.#store.commit([change])) && record;
    });
  }

  async list(place: Place): Promise<PoolRecord[]> {
    const rows = await this.#table.list(poolRecordsPrefix(place), { limit: maxPools });
    return rows.map(({ record }) => record);
  }

  /** Deletes a pool with its pairs; false if there is none. */
  async delete(name: PoolName): Promise<boolean> {
    // The record is not read: a damaged one can be deleted, too.
    const removed = await this.#replace(name, removal);
    return removed !== undefined;
  }

  /**
   * Removes all pairs that wait and says how many they were; undefined if there is no pool. What
   * processes have claimed is void from then on.
   */
  async drain(name: PoolName): Promise<number | undefined> {
    return this.#replace(name, (entry) => {
      const row = this.#table.open(entry);
      return this.#table.replacement(row, { ...row.record, poolId: randomUUID() });
    });
  }

  /**
   * Makes void what waits in the pools of a store that was copied or restored, for it may have been answered
   * elsewhere. Pools whose records are damaged are removed.
   */
  async voidAll(): Promise<void> {
    for await (const entry of entriesOf(this.#store)) {
      if (poolRecordPattern.test(entry.path)) await this.#void(entry);
    }
  }

  /** Makes the pools usable after the store was copied or restored, its fence raised and its pairs made void. */
  async acceptStore(): Promise<void> {
    await this.#drawn.resetIn(this.#store.lots);
  }

  async #void(entry: Entry): Promise<void> {
    let pool: PoolRecord;
    try {
      pool = this.#table.open(entry).record;
    } catch {
      const names = `${entry.path.replace(':pool-record/', ':pool/')}/`;
      await this.#store.lots.clear(names, [removal(entry)]);
      return;
    }
    await this.drain(pool);
  }

  /** Whether the store was copied or restored, and has not been fenced since. */
  get needsFence(): boolean {
    return !this.#drawn.isTrusted || this.#store.history?.doubt !== undefined;
  }

  /**
   * Adds lots to a pool: durable on return. False if the pool was deleted or drained meanwhile.
   *
   * @param filler who reserved the pairs, if anybody did
   */
  async add(pool: PoolRecord, added: readonly Lot[], filler = 'nobody'): Promise<boolean> {
    const path = recordPath(pool);
    const name = pairsPrefix(pool);
    const parts = intoEntries(added, entrySize(pool.target));
    if (parts.length === 0) return true;
    const outcome = await retry(async () => {
      const row = await this.#table.read(path);
      if (row?.record.poolId !== pool.poolId) return 'gone';
      const last = await this.#store.lots.lastSerial(name);
      // A store that has forgotten its count gives no serial again that was drawn.
      const first = Math.max(last, this.#drawn.of(name)) + 1;
      const result = await this.#store.lots.add({
        pool: name,
        lots: parts.map((lots, i) => this.#encode(pool, first + i, lots)),
        unchanged: { path, value: row.value },
        filler,
      });
      // The record may have other levels by now and be the same pool: read it again.
      return result === 'added' && result;
    });
    return outcome === 'added';
  }

  /**
   * Takes about `most` pairs out of the store: durably, before any of them is used.
   *
   * @throws KmsError KMSInternalException if the store was copied or restored and not fenced since
   */
  async claim(pool: PoolRecord, most: number): Promise<Claim> {
    this.#requireFenced();
    const name = pairsPrefix(pool);
    // Before taking: others take later lots meanwhile.
    const drawn = this.#drawn.of(name);
    const { lots: taken, left } = await this.#store.lots.take(name, most);
    const last = taken.at(-1);
    if (last === undefined) return { lots: [], skipped: 0, dry: true };
    this.#drawn.raise(name, last.serial);
    const read = taken.map((stored) => ({
      stored,
      lots: stored.serial > drawn ? this.#decode(pool, stored) : undefined,
    }));
    const spoilt = read.filter(({ lots }) => lots === undefined);
    return {
      lots: read.flatMap(({ lots = [] }) => lots),
      skipped: spoilt.reduce((sum, { stored }) => sum + stored.pairs, 0),
      dry: left === 0,
    };
  }

  /**
   * Takes a pool over from another store under the same root key, with the pairs that wait there: each
   * is durably gone from there before it is here. It gets another pool id, so that a lot that was put
   * back there is of no use here. Can be repeated if it was interrupted.
   *
   * @param entry the pool's record in the other store
   * @returns how many pairs wait here now that waited there, and how many were not sound
   */
  async moveFrom(source: PoolDirectory, entry: Entry): Promise<{ moved: number; spoilt: number }> {
    const theirs = this.#table.open(entry).record;
    const own = await this.#adopt(theirs);
    let moved = 0;
    let spoilt = 0;
    for (let isDry = false; !isDry; ) {
      const { lots, skipped, dry } = await source.claim(theirs, movedAtOnce);
      if (!(await this.add(own, lots))) throw damaged(entry.path);
      moved += countPairs(lots);
      spoilt += skipped;
      isDry = dry;
    }
    return { moved, spoilt };
  }

  /** Whether an entry is the record of a pool that another store's entry was taken over as. */
  isAdopted(own: Entry, theirs: Entry): boolean {
    return isSameButForId(this.#table.open(own).record, this.#table.open(theirs).record);
  }

  async #adopt(theirs: PoolRecord): Promise<PoolRecord> {
    return retry(async () => {
      const row = await this.#table.read(recordPath(theirs));
      if (row !== undefined && isSameButForId(row.record, theirs)) return row.record;
      const record = { ...theirs, poolId: randomUUID() };
      const change = row ? this.#table.replacement(row, record) : this.#table.insertion(record);
      return (await this.#store.commit([change])) && record;
    });
  }

  /** How many pairs wait in the store, counted up to `most`. */
  async count(pool: PoolRecord, most: number): Promise<number> {
    const [level = 0] = await this.#store.lots.levels([pairsPrefix(pool)]);
    return Math.min(most, level);
  }

  /**
   * How many pairs a filler is to mint for a pool, `most` at most: of those missing, what no other one,
   * here or in another process, has reserved. To be asked for again within `reservedFor` while it mints.
   *
   * @throws KmsError KMSInternalException, as `claim` does
   */
  async reserve(
    pool: PoolRecord,
    { filler, most }: { filler: string; most: number },
  ): Promise<number> {
    this.#requireFenced();
    return this.#store.lots.reserve({
      pool: pairsPrefix(pool),
      filler,
      target: pool.target,
      most,
      seconds: reservedFor,
    });
  }

  /** What is wrong with the record of a pool and with its lots, and how many pairs wait. @throws KmsError */
  async check(keys: KeyDirectory, entry: Entry): Promise<{ faults: string[]; pairs: number }> {
    const pool = this.#table.open(entry).record;
    const faults = (await keys.has(pool)) ? [] : [`${entry.path} is of a key that is not there`];
    const { spoilt, pairs } = await this.#countLots(pool);
    if (spoilt > 0) faults.push(`${entry.path} has ${spoilt} lots that cannot be used`);
    return { faults, pairs };
  }

  /** Names lots that wait in no pool of which there is a record, a sentence each. */
  async strayLots(): Promise<string[]> {
    const strays: string[] = [];
    for (const name of await this.#store.lots.pools()) {
      if (await this.#belongs(name)) continue;
      // A pool that was deleted or drained in between took its lots with it.
      const [first] = await this.#store.lots.list(name, { after: -1, limit: 1 });
      if (first !== undefined)
        strays.push(`lots wait in ${name}, of which there is no pool record`);
    }
    return strays;
  }

  /** Whether lots of this name can be those of a pool: of one whose record is damaged, too. */
  async #belongs(name: string): Promise<boolean> {
    const [, recordName = '', poolId] = lotsPattern.exec(name) ?? [];
    const entry = await this.#table.entry(recordName.replace(':pool/', ':pool-record/'));
    if (entry === undefined) return false;
    try {
      return this.#table.open(entry).record.poolId === poolId;
    } catch {
      return true;
    }
  }

  async #countLots(pool: PoolRecord): Promise<{ spoilt: number; pairs: number }> {
    const counted = { spoilt: 0, pairs: 0 };
    for (let after = -1; ; ) {
      const lots = await this.#store.lots.list(pairsPrefix(pool), { after, limit: listedAtOnce });
      for (const lot of lots) {
        if (this.#decode(pool, lot) === undefined) counted.spoilt++;
        else counted.pairs += lot.pairs;
      }
      const last = lots.at(-1);
      if (last === undefined) return counted;
      after = last.serial;
    }
  }

  #requireFenced(): void {
    if (!this.needsFence) return;
    const { doubt } = this.#store.history ?? {};
    throw new KmsError(
      'KMSInternalException',
      "The store was copied or restored, so its waiting pairs may be answered elsewhere: run 'pairmint store fence'.",
      { ...(doubt !== undefined && { cause: new StoreError('put back', doubt) }) },
    );
  }

  /** Changes a pool's record and removes its pairs, and says how many they were. */
  async #replace(name: PoolName, change: (entry: Entry) => Change): Promise<number | undefined> {
    const { removed } = await retry(async () => {
      const entry = await this.#table.entry(recordPath(name));
      if (entry === undefined) return { removed: undefined };
      const removed = await this.#store.lots.clear(allPairsPrefix(name), [change(entry)]);
      return removed !== undefined && { removed };
    });
    return removed;
  }

  #encode(pool: PoolRecord, serial: number, lots: readonly Lot[]): StoredLot {
    const pairs = countPairs(lots);
    const body = Buffer.concat([magic, encodeLots(lots)]);
    const mac = this.#mac(pool, { serial, pairs }, body);
    return { serial, pairs, value: Buffer.concat([body, mac]) };
  }

  #decode(pool: PoolRecord, stored: StoredLot): Lot[] | undefined {
    const { value } = stored;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (bytes.length < magic.length + macLength || bytes.indexOf(magic) !== 0) return undefined;
    const body = bytes.subarray(0, -macLength);
    const mac = bytes.subarray(-macLength);
    if (!timingSafeEqual(this.#mac(pool, stored, body), mac)) return undefined;
    return decodeLots(body.subarray(magic.length));
  }

  // Name, serial and count are part of it: no lot passes for another pool's or for a later one.
  #mac(
    pool: PoolRecord,
    { serial, pairs }: Pick<StoredLot, 'serial' | 'pairs'>,
    body: Uint8Array,
  ): Uint8Array {
    const text = Buffer.from(`${pairsPrefix(pool)}${serial}.${pairs}\0`, 'latin1');
    const bytes = Buffer.concat([text, body]);
    return this.#native.stateMac(this.#rootKey, keyIdBytes(pool.keyId), bytes);
  }
}

// Nine specs of some thousand keys.
const maxPools = 100_000;
const listedAtOnce = 500;
// One flush of each store's disk for so many; those that are under way when it ends are lost.
const movedAtOnce = 256;
export const poolRecordPattern = /^[^/]*:pool-record\//;
// The name of a pool's lots: its record's, but for the kind, and the pool's id.
const lotsPattern = /^([^/]*:pool\/[^/]+\/[^/]+)\/([^/]+)\/$/;
// Longer than minting goes on without a look at the level, for the sake of busy machines.
const reservedFor = 30;

function isSameButForId(a: PoolRecord, b: PoolRecord): boolean {
  const text = (record: PoolRecord) => JSON.stringify({ ...record, poolId: '' });
  return text(a) === text(b);
}

function recordPath(pool: PoolName): string {
  return poolPrefixes(pool)[0] + pool.spec;
}

/** Prefix of the names that the pairs of a pool, and of earlier ones in its place, wait under. */
function allPairsPrefix(pool: PoolName): string {
  return `${poolPrefixes(pool)[1]}${pool.spec}/`;
}

function pairsPrefix(pool: PoolRecord): string {
  return `${allPairsPrefix(pool)}${pool.poolId}/`;
}
