/** One step of a commit: the value at `path` changes from `expected` to `next`; undefined is none. */
export interface Change {
  readonly path: string;
  readonly expected: Uint8Array | undefined;
  readonly next: Uint8Array | undefined;
}

export interface Entry {
  readonly path: string;
  readonly value: Uint8Array;
}

/**
 * Where keys live: an ordered map from paths (ASCII, at most 1,024 characters) to bytes.
 *
 * The store knows nothing of keys. Values are wrapped or authenticated before they get here, so a
 * store can lose data but not forge it. Several processes may share one; they coordinate by
 * comparing what they read with what is there, in `commit`.
 */
export interface KeyStore {
  readonly url: string;

  get(path: string): Promise<Uint8Array | undefined>;

  /** The entries whose paths begin with `prefix` and come after `after`, ascending, at most `limit`. */
  list(prefix: string, options: { after?: string | undefined; limit: number }): Promise<Entry[]>;

  /**
   * How many entries have paths that begin with `prefix`, or what they weigh, counted until there are
   * `most`.
   */
  count(prefix: string, most: number, weigh?: (path: string) => number): Promise<number>;

  /**
   * Applies all changes or none. Resolves to false when a value is not as expected; when it
   * resolves to true the changes are durable and every process sees them.
   */
  commit(changes: readonly Change[]): Promise<boolean>;

  /**
   * A number that is another one after each commit of any process: while it is the same, all that was
   * read since is true. Undefined where that takes as long as reading.
   */
  generation(): number | undefined;

  close(): Promise<void>;
}

/** Tells whether two values of a store are the same, absence included. */
export function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
