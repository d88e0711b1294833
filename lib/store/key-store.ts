import type { BatchStore } from './batch-store.ts';
import type { Change } from './change.ts';
import type { LotStore } from './lot-store.ts';
import type { StoreFigures } from './store-figures.ts';

export interface Entry {
  readonly path: string;
  readonly value: Uint8Array;
}

/** When something was read: `holds` tells whether it is still true. */
export type Stamp = number;

/**
 * Where keys live: an ordered map from paths (ASCII, at most 1,024 characters) to bytes, lots of
 * waiting pairs, and batches.
 *
 * The store knows nothing of keys. Values are wrapped or authenticated before they get here, so a
 * store can lose data but not forge it. Several processes may share one; they coordinate by
 * comparing what they read with what is there, in `commit`.
 *
 * Values that a store hands out are the caller's own: they never change. Every method that returns a
 * promise rejects with KMSInternalException, and with a StoreError as its cause, if the store fails.
 */
export interface KeyStore {
  readonly url: string;

  /** To be taken before a read whose result is remembered; undefined: remember nothing. */
  stamp(): Stamp | undefined;

  /**
   * Whether what was read at a path after `stamp` is still there, for every process that shares it; if
   * machines share it, as far as this one heard within the last second.
   */
  holds(path: string, stamp: Stamp): boolean;

  get(path: string): Promise<Uint8Array | undefined>;

  /** The values at several paths, all of one moment. */
  getAll(paths: readonly string[]): Promise<(Uint8Array | undefined)[]>;

  /** The entries whose paths begin with `prefix` and come after `after`, ascending, at most `limit`. */
  list(prefix: string, options: ListOptions): Promise<Entry[]>;

  /** How many entries have paths that begin with `prefix`, counted until there are `most`. */
  count(prefix: string, most: number): Promise<number>;

  /**
   * Applies all changes or none. Resolves to false if a value is not as expected; when it resolves
   * to true the changes are durable and every process sees them, and where something was replaced or
   * removed, no `holds` says any more that the earlier value is there.
   */
  commit(changes: readonly Change[]): Promise<boolean>;

  /** Removes all entries whose paths begin with `prefix`, at once, and says how many they were. */
  removeAll(prefix: string): Promise<number>;

  /** Tells `listener` that other processes may have changed anything, soon after they have. */
  onChanged(listener: () => void): void;

  /**
   * Looks within two seconds whether the store can be read and written to, and writes nothing. A store
   * that was read-only when it was opened need not be writable.
   */
  probe(): Promise<void>;

  readonly lots: LotStore;

  readonly batches: BatchStore;

  /**
   * The time by the clock that all who share the store go by, in milliseconds since the epoch; without it,
   * they go by the machine's.
   */
  now?(): number;

  /** What shows that a store was put back or lost commits, if something other than a file does. */
  readonly history?: StoreHistory;

  /** What operators want to know of a store that is more than a file. */
  facts?(): Promise<StoreFact[]>;

  /** What it did in this process so far, for monitoring; never fails. */
  figures(): StoreFigures;

  /** How many sessions of all processes wait for another one's lock, if the store can tell. */
  lockWaits?(): Promise<number>;

  /** What keeps a copy of the store and brings it back, if the store can do that itself. */
  readonly copies?: StoreCopies;

  close(): Promise<void>;
}

/** A database, and how far it is. */
export interface StoreOrigin {
  /** Names the database among all: a copy or a restored one has another. */
  readonly system: string;
  /** Counts how often another server took its place. */
  readonly timeline: number;
  /** Only rises. */
  readonly position: bigint;
}

/** Whether a store is what it was, with all that was committed to it. */
export interface StoreHistory {
  /** As it was seen last. */
  readonly origin: StoreOrigin | undefined;
  /** Why commits may be lost, so that waiting pairs may have been answered; undefined if none are. */
  readonly doubt: string | undefined;
  /** Asks how far it is now, so that `origin` is no older than this call. @throws if it cannot be asked */
  look(): Promise<void>;
  /** Begins to doubt, unless it does already. */
  suspect(reason: string): void;
  /** Ends the doubt: the store as it is now is the one to go on with. */
  accept(): void;
  /** Tells `listener` when a doubt begins. */
  onDoubt(listener: () => void): void;
}

/** A fact about a store, and advice if it could be better. */
export interface StoreFact {
  readonly subject: string;
  readonly text: string;
  readonly advice?: string;
}

export interface ListOptions {
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Copies of a whole store. Waiting pairs are in none: a pair is answered once. */
export interface StoreCopies {
  /** Writes all entries, as they are at one moment, to a new file. */
  backup(file: string): Promise<void>;

  /** Replaces all entries by those of a backup and removes all lots, at once. */
  restore(file: string): Promise<void>;

  /** What is wrong with the store's file as such, a sentence each. */
  faults(): Promise<string[]>;
}

/** Tells whether two values of a store are the same, absence included. */
export function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
