import { batchesPrefix, type Place } from '../keys/paths.ts';
import { KmsError } from '../model/errors.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { DataKeyPairSpec } from '../model/types.ts';
import type { Native, RootKey } from '../native/addon.ts';
import {
  type BatchLevel,
  type BatchStore,
  type ChunkClaim,
  type ChunkResult,
  chunksOf,
  longestLease,
  pairsInChunk,
} from '../store/batch-store.ts';
import type { Entry, KeyStore } from '../store/key-store.ts';
import { retry } from '../store/retry.ts';
import { removal, SealedTable } from '../store/sealed-table.ts';
import { damaged } from '../store/store-errors.ts';
import { ChunkValues, type Pair } from './chunk-value.ts';

/** Who submitted a batch, and what it may do: its pairs are minted as this caller. */
export interface Submitter {
  /** The ARN of a caller. */
  readonly principal: string;
  /** The text of its identity policy, if it was given one. */
  readonly identityPolicy?: string | undefined;
  /** When its temporary credentials were issued, in milliseconds since the epoch. */
  readonly tokenIssueTime?: number | undefined;
}

/** A batch as it was submitted; all of it is authenticated at rest. */
export interface BatchRecord extends Place {
  readonly batchId: string;
  /** The key, as the submitter named it: policies may depend on the alias. */
  readonly keyId: string;
  /** The key that this name meant. */
  readonly keyArn: string;
  readonly spec: DataKeyPairSpec;
  readonly encryptionContext?: Readonly<Record<string, string>>;
  /** How many pairs are minted. */
  readonly count: number;
  /** How many pairs are minted and stored together. */
  readonly chunk: number;
  readonly submitter: Submitter;
  /** Milliseconds since the epoch. */
  readonly creationDate: number;
  /** When it was cancelled, if it was. */
  readonly cancellationDate?: number;
}

/** A batch and how far it is; the level is undefined if the store has only its record. */
export interface BatchState {
  readonly record: BatchRecord;
  readonly level: BatchLevel | undefined;
}

const mostBatches = 100_000;
const listedAtOnce = 500;
const copiedAtOnce = 16;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The batches of a store. Everything read is authenticated. */
export class BatchDirectory {
  readonly #store: KeyStore;
  readonly #values: ChunkValues;
  readonly #table: SealedTable<BatchRecord>;
  readonly #needsFence: () => boolean;

  constructor(options: {
    store: KeyStore;
    native: Native;
    rootKey: RootKey;
    /** Whether the store was copied or put back, and nobody has said that it may be used. */
    needsFence: () => boolean;
  }) {
    this.#store = options.store;
    this.#values = new ChunkValues(options);
    this.#needsFence = options.needsFence;
    this.#table = new SealedTable<BatchRecord>(options, {
      member: 'batch',
      pathOf: batchName,
      sealingId: (path) => keyIdBytes(path.slice(path.lastIndexOf('/') + 1)),
      rowOf: (row) => row,
    });
  }

  /** The part of the store that keeps batches. */
  get store(): BatchStore {
    return this.#store.batches;
  }

  /** Makes a batch: durable on return. */
  async submit(record: BatchRecord): Promise<void> {
    const { count: pairs, chunk } = record;
    const batch = { name: batchName(record), pairs, chunk };
    const made = await this.store.submit(batch, [this.#table.insertion(record)]);
    if (!made) throw damaged(batch.name);
  }

  /** Undefined if there is no batch of this id. @throws KmsError */
  async find(place: Place, batchId: string): Promise<BatchState | undefined> {
    if (!uuid.test(batchId)) return undefined;
    const name = batchName({ ...place, batchId });
    const row = await this.#table.read(name);
    if (row === undefined) return undefined;
    const [level] = await this.store.levels([name]);
    return { record: row.record, level };
  }

  /** The record of a claimed chunk's batch; undefined if it is gone. @throws KmsError */
  async recordOf({ batch }: Pick<ChunkClaim, 'batch'>): Promise<BatchRecord | undefined> {
    return (await this.#table.get(batch))?.record;
  }

  /** The batches of an account and region, the earliest first. @throws KmsError */
  async list(place: Place): Promise<BatchState[]> {
    const rows = await this.#table.list(batchesPrefix(place), { limit: mostBatches });
    const levels = await this.store.levels(rows.map(({ path }) => path));
    const states = rows.map(({ record }, i) => ({ record, level: levels[i] }));
    return states.sort((a, b) => a.record.creationDate - b.record.creationDate);
  }

  /** Cancels a batch; false if it is gone. */
  async cancel(record: BatchRecord, now: number): Promise<boolean> {
    const name = batchName(record);
    const { found } = await retry(async () => {
      const row = await this.#table.read(name);
      if (row === undefined) return { found: false };
      const cancelled = { ...row.record, cancellationDate: now };
      const done = await this.store.cancel(name, [this.#table.replacement(row, cancelled)]);
      return done && { found: true };
    });
    return found;
  }

  /** Deletes a batch with its pairs, also one whose record is damaged; false if it is gone. */
  async delete(batch: Place & { readonly batchId: string }): Promise<boolean> {
    const name = batchName(batch);
    const { found } = await retry(async () => {
      const entry = await this.#table.entry(name);
      if (entry === undefined) return { found: false };
      return (await this.store.delete(name, [removal(entry)])) && { found: true };
    });
    if (found) await this.purge();
    return found;
  }

  /** Frees the room of deleted batches: of those too whose deletion was ended by a kill. */
  async purge(): Promise<void> {
    while (await this.store.purge()) {}
  }

  /**
   * Claims chunks for a worker. @throws KmsError KMSInternalException if the store was copied or
   *   restored and not fenced since: the batches may be minted elsewhere
   */
  async claim(worker: string, most: number, seconds: number): Promise<ChunkClaim[]> {
    if (this.#needsFence()) {
      throw new KmsError(
        'KMSInternalException',
        "The store was copied or restored, so its batches may be minted elsewhere: run 'pairmint store fence'.",
      );
    }
    return (await this.store.isWaiting()) ? this.store.claim({ worker, most, seconds }) : [];
  }

  /** Stores the pairs of a chunk; false if the claim is void. */
  async settle(
    worker: string,
    { batchId }: BatchRecord,
    claim: ChunkClaim,
    pairs: readonly Pair[],
  ): Promise<boolean> {
    return this.store.settle(worker, claim, this.#values.encode({ ...claim, batchId }, pairs));
  }

  /**
   * The pairs of a batch in the order of its chunks, a chunk at a time, without the first `skip`: up to
   * the first chunk that is not minted, or, of a cancelled batch, all that are.
   *
   * @throws KmsError KMSInternalException at a chunk that is not as pairmint wrote it
   */
  async *results(record: BatchRecord, skip: number): AsyncGenerator<Pair[], void, undefined> {
    const name = batchName(record);
    const hasGaps = record.cancellationDate !== undefined;
    let left = skip;
    for (let after = -1; ; ) {
      const settled = await this.store.settled(name, { after, limit: listedAtOnce });
      for (const { n, pairs } of settled) {
        if (n !== after + 1 && !hasGaps) return;
        after = n;
        if (!isChunk(record, { n, pairs })) throw damagedChunk(record, n);
        if (left >= pairs) left -= pairs;
        else {
          const result = await this.store.result(name, n);
          // The batch was deleted in between.
          if (result === undefined) return;
          yield this.#open(record, result).slice(left);
          left = 0;
        }
      }
      if (settled.length < listedAtOnce) return;
    }
  }

  /**
   * Takes the batches of another store over, whose records are here already: chunks that are minted
   * there are sealed anew for the attempts here. Can be repeated if it was interrupted; no worker may use
   * this store meanwhile.
   *
   * @returns how many batches there are
   */
  async copyFrom(source: BatchDirectory): Promise<number> {
    const theirs = source.#store.batches;
    const names = await theirs.names();
    const records = new Map<string, BatchRecord>();
    const isCancelled = new Set<string>();
    if (names.length === 0) return 0;
    const levels = await theirs.levels(names);
    for (const [i, name] of names.entries()) {
      const record = (await this.#table.read(name))?.record;
      const level = levels[i];
      // One that is being deleted has lost its record.
      if (record === undefined || level === undefined) continue;
      records.set(name, record);
      if (level.isCancelled) isCancelled.add(name);
      const { count: pairs, chunk } = record;
      const [there] = await this.store.levels([name]);
      if (there === undefined) await this.store.submit({ name, pairs, chunk }, []);
    }
    // Those of a copy that was interrupted.
    await this.store.fence();
    await this.#settleFrom(source, records);
    for (const name of isCancelled) await this.store.cancel(name, []);
    return records.size;
  }

  /** Settles all chunks that another store has, and gives the others back. */
  async #settleFrom(source: BatchDirectory, records: Map<string, BatchRecord>): Promise<void> {
    const worker = 'store copy';
    const open = new Map<string, ChunkClaim>();
    // Claims take turns through the batches, and a lease may run out before the end.
    for (let idle = 0; idle <= records.size; ) {
      const claims = await this.store.claim({ worker, most: copiedAtOnce, seconds: longestLease });
      const isNew = claims.some(({ batch, n }) => !open.has(`${batch} ${n}`));
      idle = isNew ? 0 : idle + 1;
      for (const claim of claims) {
        const record = records.get(claim.batch);
        const result = await source.#store.batches.result(claim.batch, claim.n);
        if (record === undefined || result === undefined) {
          open.set(`${claim.batch} ${claim.n}`, claim);
        } else if (!(await this.settle(worker, record, claim, source.#open(record, result)))) {
          throw damagedChunk(record, claim.n);
        }
      }
    }
    await this.store.release([...open.values()]);
  }

  /** Makes the claims of all workers void, in a store that was copied or put back. */
  async fence(): Promise<void> {
    await this.store.fence();
  }

  /** What is wrong with a batch and its chunks. @throws KmsError */
  async check(entry: Entry): Promise<string[]> {
    const { record } = this.#table.open(entry);
    const [level] = await this.store.levels([entry.path]);
    if (level === undefined) return [];
    let done = 0;
    let spoilt = 0;
    for (let after = -1; ; ) {
      const settled = await this.store.settled(entry.path, { after, limit: listedAtOnce });
      for (const { n } of settled) {
        const result = await this.store.result(entry.path, n);
        if (result === undefined) continue;
        done += result.pairs;
        if (this.#decode(record, result) === undefined) spoilt++;
      }
      const last = settled.at(-1);
      if (last === undefined) break;
      after = last.n;
    }
    const [now] = await this.store.levels([entry.path]);
    const faults: string[] = [];
    if (spoilt > 0)
      faults.push(`${entry.path} has ${spoilt} chunks that are not as pairmint wrote them`);
    if (now !== undefined && (done < level.done || done > now.done)) {
      faults.push(`${entry.path} is said to have ${level.done} pairs, and its chunks have ${done}`);
    }
    return faults;
  }

  /** Names batches of which there is no record, a sentence each. */
  async strays(): Promise<string[]> {
    const names = await this.store.names();
    const entries = await this.#store.getAll(names);
    const stray = names.filter((_, i) => entries[i] === undefined);
    // Looked at again: they may have been deleted in between.
    const still = await this.store.names();
    return stray
      .filter((name) => still.includes(name))
      .map((name) => `chunks wait for ${name}, of which there is no record`);
  }

  #open(record: BatchRecord, result: ChunkResult): Pair[] {
    const pairs = this.#decode(record, result);
    if (pairs !== undefined) return pairs;
    throw damagedChunk(record, result.n);
  }

  #decode(record: BatchRecord, result: ChunkResult): Pair[] | undefined {
    if (!isChunk(record, result)) return undefined;
    const { batchId, spec } = record;
    return this.#values.decode({ ...result, batchId }, spec, result);
  }
}

/** Whether a batch has a chunk of this number and size. */
function isChunk(
  { count: pairs, chunk }: BatchRecord,
  found: Pick<ChunkResult, 'n' | 'pairs'>,
): boolean {
  const isThere = found.n >= 0 && found.n < chunksOf({ pairs, chunk });
  return isThere && found.pairs === pairsInChunk({ pairs, chunk }, found.n);
}

function damagedChunk(record: BatchRecord, n: number): KmsError {
  return damaged(`of chunk ${n} of ${batchName(record)}`);
}

/** The name of a batch in the store: the path of its record. */
export function batchName(batch: Place & { batchId: string }): string {
  return batchesPrefix(batch) + batch.batchId;
}
