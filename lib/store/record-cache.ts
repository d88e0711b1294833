import { type KeyStore, sameValue } from './key-store.ts';
import { RecentlyUsed } from './recently-used.ts';
import { unavailable } from './store-errors.ts';

/** What is at a path. */
export interface Found<T> {
  /** Undefined where nothing is. */
  readonly record: T | undefined;
}

interface Remembered<T> extends Found<T> {
  readonly bytes: Uint8Array;
  /** The store's, before it was read. */
  generation: number | undefined;
}

/**
 * Opens a record's bytes. `before` is what was there when it was last read.
 *
 * @throws KmsError where the bytes are not as pairmint wrote them
 */
type Open<T> = (path: string, bytes: Uint8Array, before: T | undefined) => T;

const nothing = { record: undefined };

/** Records of a store, each read and opened once for as long as its bytes stay the same. */
export class RecordCache<T> {
  readonly #store: KeyStore;
  readonly #open: Open<T>;
  readonly #remembered = new RecentlyUsed<Remembered<T>>();
  // The generations of where nothing was. By themselves: whoever asks for names at random takes the
  // place of no record.
  readonly #absent = new RecentlyUsed<number>();

  constructor(store: KeyStore, open: Open<T>) {
    this.#store = store;
    this.#open = open;
  }

  /** What is at a path, where nothing was committed to the store since it was read. */
  peek(path: string): Found<T> | undefined {
    const now = this.#store.generation();
    if (now === undefined) return undefined;
    const known = this.#remembered.get(path);
    if (known?.generation === now) return known;
    return this.#absent.get(path) === now ? nothing : undefined;
  }

  /** The record at a path as it is now; undefined where there is none. @throws KmsError */
  async get(path: string): Promise<T | undefined> {
    const known = this.peek(path);
    if (known !== undefined) return known.record;
    // Before it is read: what is committed meanwhile is to be read next time.
    const generation = this.#store.generation();
    const bytes = await this.#store.get(path).catch(unavailable);
    if (bytes === undefined) {
      this.#remembered.delete(path);
      if (generation !== undefined) this.#absent.set(path, generation);
      return undefined;
    }
    const before = this.#remembered.get(path);
    if (before !== undefined && sameValue(before.bytes, bytes)) {
      before.generation = generation;
      return before.record;
    }
    const record = this.#open(path, bytes, before?.record);
    this.#remembered.set(path, { bytes: Uint8Array.from(bytes), record, generation });
    return record;
  }

  /** Lets go of a record, whether it is still there or not. */
  forget(path: string): void {
    this.#remembered.delete(path);
  }
}
