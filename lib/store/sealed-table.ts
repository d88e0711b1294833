import type { Native, RootKey } from '../native/addon.ts';
import type { Change } from './change.ts';
import type { Entry, KeyStore, ListOptions, Stamp } from './key-store.ts';
import { type Found, RecordCache } from './record-cache.ts';
import { openState, sealState } from './sealed-state.ts';
import { damaged } from './store-errors.ts';

/** An authenticated record, with the entry that it is in: to be compared when it is changed. */
export interface Row<T> extends Entry {
  readonly record: T;
  readonly sequence: bigint;
}

/** How records of one kind are kept. */
export interface Format<T, R extends Row<T>> {
  /**
   * The record is this only member of the sealed state, so that it cannot be taken for anything else
   * that the same MAC covers. Undefined if the record is the state itself.
   */
  readonly member?: string;
  pathOf(record: T): string;
  /** The 16 bytes that the record at a path is sealed for: an id of a key, or of another owner. */
  sealingId(path: string): Uint8Array;
  /** What a row is for those who read it; may throw. */
  rowOf(row: Row<T>): R;
}

/** The records of one kind in a store: authenticated as they are read, and bound to their paths. */
export class SealedTable<T, R extends Row<T> = Row<T>> {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #format: Format<T, R>;
  readonly #cache: RecordCache<R>;

  constructor(
    options: { readonly store: KeyStore; readonly native: Native; readonly rootKey: RootKey },
    format: Format<T, R>,
  ) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#format = format;
    this.#cache = new RecordCache(options.store, (path, value) => this.open({ path, value }));
  }

  /** The row at a path, if `get` or `take` read it before and it still holds. */
  peek(path: string): Found<R> | undefined {
    return this.#cache.peek(path);
  }

  /** The row at a path, which is remembered; undefined if there is none. @throws KmsError */
  get(path: string): Promise<R | undefined> {
    return this.#cache.get(path);
  }

  /** Opens and remembers an entry that was read from the store after `stamp`. @throws KmsError */
  take(entry: Entry, stamp: Stamp | undefined): R {
    return this.#cache.take(entry, stamp);
  }

  /** Lets go of all that is remembered. */
  forgetAll(): void {
    this.#cache.forgetAll();
  }

  /** The row at a path, from the store and not remembered. @throws KmsError */
  async read(path: string): Promise<R | undefined> {
    const entry = await this.entry(path);
    return entry && this.open(entry);
  }

  /** The rows whose paths are `prefix` and a name after `after`, not remembered. @throws KmsError */
  async list(prefix: string, { after, limit }: ListOptions): Promise<R[]> {
    const entries = await this.#store.list(prefix, { after: after && prefix + after, limit });
    return entries.map((entry) => this.open(entry));
  }

  /** The entry at a path, not authenticated. */
  async entry(path: string): Promise<Entry | undefined> {
    const value = await this.#store.get(path);
    return value && { path, value };
  }

  /** Authenticates an entry. @throws KmsError */
  open({ path, value }: Entry): R {
    const { member, pathOf, sealingId } = this.#format;
    const opened = openState(this.#native, this.#rootKey, sealingId(path), value);
    if (opened === undefined) throw damaged(path);
    const record = (member === undefined ? opened.state : memberOf(opened.state, member)) as
      | T
      | undefined;
    if (record === undefined || pathOf(record) !== path) throw damaged(path);
    return this.#format.rowOf({ path, value, record, sequence: opened.sequence });
  }

  /** The change that adds a record. */
  insertion(record: T, sequence = 0n): Change {
    const path = this.#format.pathOf(record);
    return { path, expected: undefined, next: this.#seal(path, record, sequence) };
  }

  /** The change of a row to another record of the same path. */
  replacement({ path, value, ...row }: Row<T>, record: T, sequence = row.sequence): Change {
    return { path, expected: value, next: this.#seal(path, record, sequence) };
  }

  #seal(path: string, record: T, sequence: bigint): Buffer {
    const { member, sealingId } = this.#format;
    const state = member === undefined ? record : { [member]: record };
    return sealState(this.#native, this.#rootKey, sealingId(path), { sequence, state });
  }
}

/** The change that takes an entry away. */
export function removal({ path, value }: Entry): Change {
  return { path, expected: value, next: undefined };
}

/** A no-op change: the commit fails if the entry changed since it was read. */
export function unchanged({ path, value }: Entry): Change {
  return { path, expected: value, next: value };
}

function memberOf(state: unknown, name: string): unknown {
  return (state as Readonly<Record<string, unknown>> | null)?.[name];
}
