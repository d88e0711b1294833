import { RecentlyUsed } from '../core/recently-used.ts';
import { type Entry, type KeyStore, type Stamp, sameValue } from './key-store.ts';

/** The record at a path, or that there is none. */
export interface Found<T> {
  /** Undefined if there is none. */
  readonly record: T | undefined;
}

interface Remembered<T> extends Found<T> {
  readonly bytes: Uint8Array;
  /** The store's, before it was read. */
  stamp: Stamp | undefined;
}

/**
 * Opens a record's bytes. `before` is what was there when it was last read.
 *
 * @throws KmsError if the bytes are not as pairmint wrote them
 */
type Open<T> = (path: string, bytes: Uint8Array, before: T | undefined) => T;

const nothing = { record: undefined };

/** Records of a store, each read and opened once for as long as its bytes stay the same. */
export class RecordCache<T> {
  readonly #store: KeyStore;
  readonly #open: Open<T>;
  #remembered = new RecentlyUsed<Remembered<T>>();
  // Cached misses: path → stamp. By themselves, so that requests for made-up names push no record out.
  readonly #absent = new RecentlyUsed<Stamp>();

  constructor(store: KeyStore, open: Open<T>) {
    this.#store = store;
    this.#open = open;
  }

  /** The record at a path, if it was read before and still holds. */
  peek(path: string): Found<T> | undefined {
    const found = this.#remembered.get(path);
    if (found !== undefined && this.#holds(path, found.stamp)) return found;
    return this.#holds(path, this.#absent.get(path)) ? nothing : undefined;
  }

  /** The record at a path as it is now; undefined if there is none. @throws KmsError */
  async get(path: string): Promise<T | undefined> {
    const found = this.peek(path);
    if (found !== undefined) return found.record;
    return this.fresh(path);
  }

  /** The record read from the store, whatever is remembered. */
  async fresh(path: string): Promise<T | undefined> {
    // Before it is read: what is committed meanwhile is to be read next time.
    const stamp = this.#store.stamp();
    const bytes = await this.#store.get(path);
    if (bytes !== undefined) return this.take({ path, value: bytes }, stamp);
    this.#remembered.delete(path);
    if (stamp !== undefined) this.#absent.set(path, stamp);
    return undefined;
  }

  /** Opens and remembers an entry that was read from the store after `stamp`. @throws KmsError */
  take({ path, value }: Entry, stamp: Stamp | undefined): T {
    const before = this.#remembered.get(path);
    if (before !== undefined && sameValue(before.bytes, value)) {
      before.stamp = stamp;
      return before.record as T;
    }
    const record = this.#open(path, value, before?.record);
    this.#remembered.set(path, { bytes: value, record, stamp });
    return record;
  }

  /** Lets go of a record, whether it is still there or not. */
  forget(path: string): void {
    this.#remembered.delete(path);
  }

  /** Lets go of everything. */
  forgetAll(): void {
    this.#remembered = new RecentlyUsed();
  }

  #holds(path: string, stamp: Stamp | undefined): boolean {
    return stamp !== undefined && this.#store.holds(path, stamp);
  }
}
