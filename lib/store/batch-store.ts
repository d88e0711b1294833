import type { Change } from './change.ts';

/** A batch as a store keeps it. What it is for is in its record, an entry of the store. */
export interface NewBatch {
  /** The path of its record. */
  readonly name: string;
  readonly pairs: number;
  /** How many pairs each chunk has; the last one may have fewer. */
  readonly chunk: number;
}

/** A part of a batch that one worker mints. */
export interface ChunkClaim {
  /** The batch's name. */
  readonly batch: string;
  /** Counts the chunks of the batch from 0. */
  readonly n: number;
  readonly pairs: number;
  /** Counts the claims of this chunk: only the last one may settle it. */
  readonly attempt: number;
}

/** Which chunks a worker wants. */
export interface ChunkDemand {
  /** Names the worker among all that share the store. */
  readonly worker: string;
  /** How many chunks it wants at most. */
  readonly most: number;
  /** How long they are its own, unless it renews its claims; at most `longestLease`. */
  readonly seconds: number;
}

/** A chunk whose pairs are in the store. */
export interface SettledChunk {
  readonly n: number;
  readonly pairs: number;
  readonly attempt: number;
}

export interface ChunkResult extends SettledChunk {
  readonly value: Uint8Array;
}

/** What one worker did for a batch. */
export interface WorkerShare {
  readonly worker: string;
  /** How many pairs it has settled. */
  readonly pairs: number;
  /** Pairs a second, 0 if it works on the batch no more. */
  readonly rate: number;
  readonly isActive: boolean;
}

/** How far a batch is. */
export interface BatchLevel {
  /** How many pairs are settled. */
  readonly done: number;
  readonly isCancelled: boolean;
  /** Why the last chunk that was tried could not be minted; undefined once one was settled. */
  readonly refusal: string | undefined;
  readonly workers: readonly WorkerShare[];
}

/** Chunks by how they are. */
export interface ChunkCounts {
  /** Can be claimed now. */
  readonly waiting: number;
  readonly leased: number;
  /** Of batches whose last chunk could not be minted, and not leased. */
  readonly stalled: number;
  /** Stored. */
  readonly done: number;
}

/**
 * Batches and their chunks, by the batches' names. Nothing here has a part in stamps. All changes are
 * durable on return.
 *
 * Who claims a chunk has a lease on it. Once the lease has run out, the chunk is claimed by others, with
 * a higher attempt number. The number is compared in the transaction that stores the pairs, so that of
 * all who mint a chunk exactly one settles it, however late the others come.
 */
export interface BatchStore {
  /** Makes changes and a batch with its chunks, all or nothing; false if a value is not as expected. */
  submit(batch: NewBatch, changes: readonly Change[]): Promise<boolean>;

  /** Whether a chunk could be claimed now. */
  isWaiting(): Promise<boolean>;

  /**
   * Claims chunks of one batch; batches have their turns. Of a batch that was refused it gives one chunk
   * after each rest, which shows whether what was refused is allowed by now. The rests double, from one
   * second up to half a minute, until a chunk is settled.
   */
  claim(demand: ChunkDemand): Promise<ChunkClaim[]>;

  /** Makes leases last from now on. False for each claim that is void: others may have the chunk. */
  renew(worker: string, claims: readonly ChunkClaim[], seconds: number): Promise<boolean[]>;

  /**
   * Stores the pairs of a chunk. False if the claim is void or the batch was cancelled. True again if
   * this very claim has settled the chunk, so that a call whose outcome is unknown can be repeated.
   */
  settle(worker: string, claim: ChunkClaim, value: Uint8Array): Promise<boolean>;

  /**
   * Gives chunks back, so that others need not wait for the end of the lease. With a refusal their
   * batch rests.
   */
  release(claims: readonly ChunkClaim[], refusal?: string): Promise<void>;

  /** How far batches are; undefined for one that is not there. */
  levels(names: readonly string[]): Promise<(BatchLevel | undefined)[]>;

  /** The settled chunks of a batch after a number, ascending. */
  settled(name: string, options: { after: number; limit: number }): Promise<SettledChunk[]>;

  /** The pairs of a chunk; undefined if it is not settled. */
  result(name: string, n: number): Promise<ChunkResult | undefined>;

  /**
   * Makes changes and withdraws all chunks that are not settled; false if a value is not as expected.
   */
  cancel(name: string, changes: readonly Change[]): Promise<boolean>;

  /**
   * Makes changes and takes a batch away; false if a value is not as expected. Its chunks are gone for
   * everyone; `purge` frees their room.
   */
  delete(name: string, changes: readonly Change[]): Promise<boolean>;

  /** Removes some of what deleted batches have left; false if nothing is left. */
  purge(): Promise<boolean>;

  /** Makes all claims void, those too that are still to be settled. */
  fence(): Promise<void>;

  /** The names of all batches, in order. */
  names(): Promise<string[]>;

  /** How many chunks there are of all batches that are not cancelled or deleted, by how they are. */
  chunks(): Promise<ChunkCounts>;
}

// Milliseconds. Each attempt after a rest is a refused request in the audit.
const firstRest = 1000;
const longestRest = 30_000;

/** Seconds. A lease that ends later was written by a clock that has been set back. */
export const longestLease = 60;

/** Milliseconds without a sign of a worker after which it counts as gone. */
export const signsLast = 10_000;

/** How many chunks' pairs are removed at once. */
export const purgedAtOnce = 64;

/** The chunks of a batch. */
export function chunksOf({ pairs, chunk }: Pick<NewBatch, 'pairs' | 'chunk'>): number {
  return Math.ceil(pairs / chunk);
}

/** How many pairs chunk number `n` has. */
export function pairsInChunk(
  { pairs, chunk }: Pick<NewBatch, 'pairs' | 'chunk'>,
  n: number,
): number {
  return Math.min(chunk, pairs - n * chunk);
}

/** When a worker began to work on a batch, and what it has settled since, in milliseconds of one clock. */
export interface Stint {
  readonly since: number;
  /** The last sign of it. */
  readonly seen: number;
  /** When it last settled a chunk. */
  readonly settledAt: number;
  /** How many pairs it has settled since it began. */
  readonly stint: number;
}

/** Whether a worker has given signs all the while; otherwise its work begins anew. */
export function isActive({ seen }: Pick<Stint, 'seen'>, now: number): boolean {
  return seen <= now && now - seen <= signsLast;
}

/** Pairs a second. */
export function rateOf(stint: Stint, now: number): number {
  const { since, settledAt } = stint;
  return isActive(stint, now) && settledAt > since ? (1000 * stint.stint) / (settledAt - since) : 0;
}

/** How many milliseconds a batch rests that was refused again after it had rested. */
export function longerRest(rest: number): number {
  return Math.min(Math.max(firstRest, 2 * rest), longestRest);
}

/** Whether a lease, or a rest, that ends at a time has run out. */
export function hasEnded(end: number, now: number): boolean {
  return end <= now || end > now + 1000 * longestLease;
}
