import { KmsError } from '../model/errors.ts';
import type { BatchStore } from './batch-store.ts';
import type { Change } from './change.ts';
import type {
  Entry,
  KeyStore,
  ListOptions,
  Stamp,
  StoreCopies,
  StoreFact,
  StoreHistory,
} from './key-store.ts';
import type { LotStore } from './lot-store.ts';
import { isAway, type MoveMark, movePath, reasonOf } from './move-mark.ts';
import { StoreError } from './store-errors.ts';
import type { StoreFigures } from './store-figures.ts';

type Read = (bytes: Uint8Array | undefined) => MoveMark | undefined;

// Where every commit ends what was read before, the mark is read again only after so many milliseconds:
// a copy waits longer than that before it reads.
const lookEvery = 250;

/**
 * A store that may be moved elsewhere while it is open: from then on all that is asked of it is refused,
 * with where it went. Each change depends on the mark of a move being as it was read, so that none is made to a
 * store that is being copied, even before this process hears of that.
 */
export class MovableStore implements KeyStore {
  readonly url: string;
  readonly lots: LotStore;
  readonly batches: BatchStore;
  readonly copies?: StoreCopies;
  readonly history?: StoreHistory;
  readonly now?: () => number;
  readonly facts?: () => Promise<StoreFact[]>;
  readonly lockWaits?: () => Promise<number>;
  /** The same store, for the copy itself. */
  readonly bare: KeyStore;
  readonly #store: KeyStore;
  readonly #readMark: Read;
  #mark: MoveMark | undefined;
  /** What is at the path of the mark, as it was read last. */
  #bytes: Uint8Array | undefined;
  #stamp: Stamp | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param readMark authenticates the mark */
  constructor(store: KeyStore, readMark: Read) {
    this.#store = store;
    this.bare = store;
    this.#readMark = readMark;
    this.url = store.url;
    if (store.copies !== undefined) this.copies = store.copies;
    if (store.history !== undefined) this.history = store.history;
    if (store.now !== undefined) this.now = store.now.bind(store);
    if (store.facts !== undefined) this.facts = store.facts.bind(store);
    if (store.lockWaits !== undefined) this.lockWaits = store.lockWaits.bind(store);
    const { lots, batches } = guardedParts(store, {
      check: async () => this.#requireHere(),
      look: () => this.#look(),
      depending: (changes) => this.#depending(changes),
    });
    this.lots = lots;
    this.batches = batches;
    // The next request is told of what fails here.
    store.onChanged(() => void this.#look().catch(() => {}));
  }

  /** Reads the mark; resolves to it if the store is not here any more. @throws KmsError */
  async mark(): Promise<MoveMark | undefined> {
    const stamp = this.#store.stamp();
    const bytes = await this.#store.get(movePath);
    const mark = this.#readMark(bytes);
    this.#bytes = bytes;
    this.#mark = isAway(mark) ? mark : undefined;
    this.#stamp = stamp;
    this.#lookedAt = performance.now();
    return this.#mark;
  }

  stamp(): Stamp | undefined {
    return this.#mark === undefined ? this.#store.stamp() : undefined;
  }

  holds(path: string, stamp: Stamp): boolean {
    return this.#mark === undefined && this.#store.holds(path, stamp);
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    await this.#requireHere();
    return this.#store.get(path);
  }

  async getAll(paths: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    await this.#requireHere();
    return this.#store.getAll(paths);
  }

  async list(prefix: string, options: ListOptions): Promise<Entry[]> {
    await this.#requireHere();
    return this.#store.list(prefix, options);
  }

  async count(prefix: string, most: number): Promise<number> {
    await this.#requireHere();
    return this.#store.count(prefix, most);
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    this.#refuseIfMoved();
    if (await this.#store.commit(this.#depending(changes))) return true;
    await this.#look();
    return false;
  }

  async removeAll(prefix: string): Promise<number> {
    await this.#requireHere();
    return this.#store.removeAll(prefix);
  }

  onChanged(listener: () => void): void {
    this.#store.onChanged(listener);
  }

  async probe(): Promise<void> {
    this.#refuseIfMoved();
    await this.#store.probe();
    await this.#requireHere();
  }

  figures(): StoreFigures {
    return this.#store.figures();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #depending(changes: readonly Change[]): readonly Change[] {
    this.#refuseIfMoved();
    if (changes.length === 0) return changes;
    return [...changes, { path: movePath, expected: this.#bytes, next: this.#bytes }];
  }

  /** Undefined if the mark was looked for and cannot be there. @throws KmsError */
  #requireHere(): Promise<void> | undefined {
    this.#refuseIfMoved();
    if (this.#stamp !== undefined && this.#store.holds(movePath, this.#stamp)) return undefined;
    return performance.now() - this.#lookedAt < lookEvery ? undefined : this.#look();
  }

  /** @throws KmsError if the store was moved */
  async #look(): Promise<void> {
    await this.mark();
    this.#refuseIfMoved();
  }

  #refuseIfMoved(): void {
    if (this.#mark === undefined) return;
    const cause = new StoreError('moved', reasonOf(this.url, this.#mark));
    throw new KmsError('KMSInternalException', `The key store was moved to ${this.#mark.url}.`, {
      cause,
    });
  }
}

/** What keeps changes to lots and batches from a store that must not be changed any more. */
interface Guard {
  /** Called before each call that makes no commit. */
  readonly check: () => Promise<void>;
  /** Called after a commit that found something else than expected. */
  readonly look: () => Promise<void>;
  readonly depending: (changes: readonly Change[]) => readonly Change[];
}

/** The lots and batches of a store, each call of which is kept from it if it must not be used. */
export function guardedParts(
  { lots, batches }: Pick<KeyStore, 'lots' | 'batches'>,
  { check, look, depending }: Guard,
): Pick<KeyStore, 'lots' | 'batches'> {
  const changing = async (isDone: Promise<boolean>) => {
    if (await isDone) return true;
    await look();
    return false;
  };
  return {
    lots: checked(lots, check, {
      clear: async (prefix, changes) => {
        if (changes.length === 0) await check();
        const pairs = await lots.clear(prefix, depending(changes));
        if (pairs === undefined) await look();
        return pairs;
      },
    }),
    batches: checked(batches, check, {
      submit: (batch, changes) => changing(batches.submit(batch, depending(changes))),
      cancel: (name, changes) => changing(batches.cancel(name, depending(changes))),
      delete: (name, changes) => changing(batches.delete(name, depending(changes))),
    }),
  };
}

/** The same part of a store; each of its methods is called only after `check`, but for those given. */
function checked<T extends object>(part: T, check: () => Promise<void>, given: Partial<T>): T {
  return new Proxy(part, {
    get(_part, name) {
      const own = given[name as keyof T];
      if (own !== undefined) return own;
      const method = part[name as keyof T];
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]) => {
        await check();
        return method.apply(part, args);
      };
    },
  });
}
