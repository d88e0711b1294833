import type { Change } from './change.ts';
import type { DrawnOwner } from './drawn-file.ts';

/** Pairs that wait together under one number. */
export interface StoredLot {
  /** Counts the lots of its pool; no two have the same, whatever was removed. */
  readonly serial: number;
  readonly pairs: number;
  readonly value: Uint8Array;
}

/** The lots that are added at once, and their pool. */
export interface LotAddition {
  readonly pool: string;
  /** Ascending, from the one after the last that the pool gave to a lot. */
  readonly lots: readonly StoredLot[];
  /** The pool's record as it was read; it must be the same still. */
  readonly unchanged: { readonly path: string; readonly value: Uint8Array };
  /** Whose reservation the pairs are taken off. */
  readonly filler: string;
}

/** A share of a pool's missing pairs that one filler will mint. */
export interface Reservation {
  readonly pool: string;
  /** Names who mints, among all processes. */
  readonly filler: string;
  /** How many pairs are to wait in the pool. */
  readonly target: number;
  /** How many it wants at most; none gives back what it had. */
  readonly most: number;
  /** When the others may take it over, if it was not renewed. */
  readonly seconds: number;
}

/**
 * Lots of waiting pairs, by the names of their pools (paths, as of entries). Nothing here has a part in
 * stamps. All changes are durable on return.
 */
export interface LotStore {
  /** The serial of the last lot that a pool was ever given, 0 if there was none. */
  lastSerial(pool: string): Promise<number>;

  /**
   * Adds lots. `taken` if another process gave their serials to lots of its own: count again from
   * lastSerial; `gone` if the pool's record changed.
   */
  add(addition: LotAddition): Promise<'added' | 'taken' | 'gone'>;

  /**
   * Takes the oldest lots, until they have as many pairs: they are gone before it resolves, and no
   * other call gets them. `left` says how many pairs still wait. How far the pool was drawn is in the
   * store's file of drawn pools by then, if it has one.
   */
  take(pool: string, pairs: number): Promise<{ lots: StoredLot[]; left: number }>;

  /** How many pairs wait in each pool. */
  levels(pools: readonly string[]): Promise<number[]>;

  /** How many pairs the filler is to mint: of those missing, what no other filler has reserved. */
  reserve(reservation: Reservation): Promise<number>;

  /**
   * Makes changes and removes the lots of all pools whose names begin with `prefix`, all or nothing.
   * How many pairs they had; undefined if a value is not as expected.
   */
  clear(prefix: string, changes: readonly Change[]): Promise<number | undefined>;

  /** The lots of a pool after a serial, to be checked; they stay. */
  list(pool: string, options: { after: number; limit: number }): Promise<StoredLot[]>;

  /** Makes the file of drawn pools at a path vouch for a store, as one with a later fence does already. */
  vouch?(path: string, owner: DrawnOwner): Promise<void>;

  /** The names of the pools that have lots, in order. */
  pools(): Promise<string[]>;
}
