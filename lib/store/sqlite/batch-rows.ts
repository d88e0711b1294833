import {
  type BatchLevel,
  type ChunkCounts,
  type ChunkResult,
  chunksOf,
  isActive,
  longestLease,
  rateOf,
  type SettledChunk,
} from '../batch-store.ts';
import { StoreError } from '../store-errors.ts';
import { bytesOf, numberOf, textOf } from './cells.ts';
import type { Database, Row, Statement } from './engine.ts';

/** The column `state` of a batch. */
export const states = { open: 0, cancelled: 1, deleted: 2 } as const;

/** Selects the batches of which a chunk can be claimed; to be run with `claimableBounds`, twice. */
export const claimable =
  'select id, name, refusal, rest, rest_until from batch ' +
  `where state = ${states.open} and (refusal is null or rest_until <= ? or rest_until > ?) and ` +
  'exists (select 1 from chunk where batch = batch.id and (lease <= ? or lease > ?))';

/** Between which times a lease or a rest ends that has not ended yet (`hasEnded`). */
export function claimableBounds(now: number): [from: number, to: number] {
  return [now, now + 1000 * longestLease];
}

/** Reads batches. A store on a read-only disk may have no tables for them. */
export class BatchRows {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  #hasTables = false;

  constructor(database: Database) {
    this.#database = database;
  }

  isWaiting(now: number): boolean {
    const bounds = claimableBounds(now);
    return this.#all(`${claimable} limit 1`, ...bounds, ...bounds).length > 0;
  }

  levels(names: readonly string[], now: number): (BatchLevel | undefined)[] {
    return names.map((name) => {
      const [row] = this.#all(
        `select id, done, state, refusal from batch where name = ? and state <> ${states.deleted}`,
        name,
      );
      return row && this.#levelOf(row, now);
    });
  }

  settled(name: string, after: number, limit: number): SettledChunk[] {
    const rows = this.#all(
      'select n, pairs, attempt from chunk_result where batch = ' +
        '(select id from batch where name = ?) and n > ? order by n limit ?',
      name,
      after,
      limit,
    );
    let last = after;
    for (const { n } of rows) {
      if (numberOf(n) <= last) {
        throw new StoreError('corrupt', 'the index of chunks is out of order');
      }
      last = numberOf(n);
    }
    return rows.map(chunkOf);
  }

  result(name: string, n: number): ChunkResult | undefined {
    const [row] = this.#all(
      'select n, pairs, attempt, value from chunk_result where batch = ' +
        '(select id from batch where name = ?) and n = ?',
      name,
      n,
    );
    return row && { ...chunkOf(row), value: bytesOf(row.value) };
  }

  names(): string[] {
    const rows = this.#all(`select name from batch where state <> ${states.deleted} order by name`);
    return rows.map(({ name }) => textOf(name));
  }

  chunks(now: number): ChunkCounts {
    const rows = this.#all(
      'select b.pairs, b.chunk, b.refusal, count(c.n) as unsettled, ' +
        'coalesce(sum(c.lease > ? and c.lease <= ?), 0) as leased ' +
        `from batch b left join chunk c on c.batch = b.id where b.state = ${states.open} group by b.id`,
      ...claimableBounds(now),
    );
    const counts = { waiting: 0, leased: 0, stalled: 0, done: 0 };
    for (const { pairs, chunk, refusal, ...row } of rows) {
      const unsettled = numberOf(row.unsettled);
      const leased = numberOf(row.leased);
      counts.leased += leased;
      counts[refusal === null ? 'waiting' : 'stalled'] += unsettled - leased;
      counts.done += chunksOf({ pairs: numberOf(pairs), chunk: numberOf(chunk) }) - unsettled;
    }
    return counts;
  }

  #levelOf({ id, done, state, refusal }: Row, now: number): BatchLevel {
    const workers = this.#all(
      'select worker, pairs, since, seen, settled_at, stint from batch_worker where batch = ? ' +
        'order by worker',
      numberOf(id),
    );
    return {
      done: numberOf(done),
      isCancelled: state === states.cancelled,
      refusal: refusal === null ? undefined : textOf(refusal),
      workers: workers.map((row) => {
        const stint = {
          since: numberOf(row.since),
          seen: numberOf(row.seen),
          settledAt: numberOf(row.settled_at),
          stint: numberOf(row.stint),
        };
        return {
          worker: textOf(row.worker),
          pairs: numberOf(row.pairs),
          rate: rateOf(stint, now),
          isActive: isActive(stint, now),
        };
      }),
    };
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    if (!this.#exist()) return [];
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement.all(...values);
  }

  #exist(): boolean {
    this.#hasTables ||=
      this.#database.prepare("select 1 from sqlite_schema where name = 'batch'").get() !==
      undefined;
    return this.#hasTables;
  }
}

function chunkOf({ n, pairs, attempt }: Row): SettledChunk {
  return { n: numberOf(n), pairs: numberOf(pairs), attempt: numberOf(attempt) };
}
