import { RecentlyUsed } from '../core/recently-used.ts';
import { keyArn, keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { Change } from '../store/change.ts';
import type { Entry, KeyStore, Stamp } from '../store/key-store.ts';
import type { Found } from '../store/record-cache.ts';
import { type Row, SealedTable } from '../store/sealed-table.ts';
import { damaged, wentBack } from '../store/store-errors.ts';
import type { Key, ReadKey } from './key.ts';
import { type KeyRecord, regionsOf } from './key-record.ts';
import { changesShared, sharedChanges } from './multi-region.ts';
import { keyPath } from './paths.ts';
import { hasTerms } from './settlement.ts';

// Of these the newest state is remembered, so that an older one is refused: some 20 MB if all are used.
const rememberedSequences = 100_000;

/**
 * The records of a store's keys, authenticated and as they were written: what fell due since is not
 * done. Every change of a record counts its sequence number up.
 */
export class KeyTable {
  readonly #store: KeyStore;
  readonly #table: SealedTable<KeyRecord, ReadKey>;
  /** The highest sequence number that each key was seen with. */
  #highest = new RecentlyUsed<bigint>(rememberedSequences);

  constructor(options: { store: KeyStore; native: Native; rootKey: RootKey }) {
    this.#store = options.store;
    this.#table = new SealedTable<KeyRecord, ReadKey>(options, {
      pathOf: keyPath,
      sealingId: (path) => keyIdBytes(path.slice(path.indexOf('key/') + 'key/'.length)),
      rowOf: (row) => this.#latest(row),
    });
  }

  /** The key at a path, if it was read before and still holds. */
  peek(path: string): Found<ReadKey> | undefined {
    return this.#table.peek(path);
  }

  get(path: string): Promise<ReadKey | undefined> {
    return this.#table.get(path);
  }

  /** Opens and remembers an entry that was read from the store after `stamp`. @throws KmsError */
  take(entry: Entry, stamp: Stamp | undefined): ReadKey {
    return this.#table.take(entry, stamp);
  }

  /** Reads the keys of paths that are not known, all at once. */
  async readAhead(paths: readonly string[]): Promise<void> {
    const unknown = [...new Set(paths)].filter((path) => this.#table.peek(path) === undefined);
    if (unknown.length === 0) return;
    const stamp = this.#store.stamp();
    const values = await this.#store.getAll(unknown);
    for (const [i, path] of unknown.entries()) {
      const value = values[i];
      if (value !== undefined) this.#table.take({ path, value }, stamp);
    }
  }

  /** Lets go of everything, sequence numbers included. */
  forgetAll(): void {
    this.#table.forgetAll();
    this.#highest = new RecentlyUsed(rememberedSequences);
  }

  /** Authenticates an entry. @throws KmsError */
  open(entry: Entry): ReadKey {
    return this.#table.open(entry);
  }

  /** The keys of the other regions of a multi-Region key. */
  async otherRegions(record: KeyRecord, except?: string): Promise<ReadKey[]> {
    const { primary, replicas } = regionsOf(record);
    const others: ReadKey[] = [];
    for (const region of [primary, ...replicas]) {
      if (region === record.region || region === except) continue;
      const path = keyPath({ ...record, region });
      const other = await this.get(path);
      if (other === undefined) throw damaged(path);
      others.push(other);
    }
    return others;
  }

  /** The change that adds a key: later, by its number, than any that was here before and is destroyed. */
  insertion(record: KeyRecord, now: number): Change {
    return this.#table.insertion(record, BigInt(Math.max(record.creationDate, now)));
  }

  /** The change of a key alone. */
  replacement(key: ReadKey, record: KeyRecord): Change {
    return this.#table.replacement(key, record, key.sequence + 1n);
  }

  /** The change of a key and, if it is one of a multi-Region key, of the others. */
  async replacements(
    key: ReadKey,
    record: KeyRecord,
    {
      except,
      checkOther,
    }: { except?: string; checkOther?: ((other: Key) => void | Promise<void>) | undefined } = {},
  ): Promise<Change[]> {
    const change = this.replacement(key, record);
    if (!changesShared(key.record, record)) return [change];
    const others = await this.otherRegions(record, except);
    for (const other of others) await checkOther?.(other);
    return [change, ...sharedChanges(record, others, this.replacement.bind(this))];
  }

  // Every change counts up: a record that counts less than one seen before was put back.
  #latest(row: Row<KeyRecord>): ReadKey {
    const { path, sequence } = row;
    if (sequence < (this.#highest.get(path) ?? 0n)) throw wentBack(path);
    this.#highest.set(path, sequence);
    const record = withMaterials(row.record);
    return { ...row, record, arn: keyArn(record), hasTerms: hasTerms(record) };
  }
}

// Until keys could rotate, a record had nothing but its current material's id.
function withMaterials(state: KeyRecord): KeyRecord {
  const { currentMaterialId: id, materials } = state as Partial<KeyRecord>;
  if (materials !== undefined || id === undefined) return state;
  return { ...state, materials: [{ id, state: 'CURRENT' }] };
}
