import {
  type BatchLevel,
  type BatchStore,
  type ChunkClaim,
  type ChunkCounts,
  type ChunkDemand,
  type ChunkResult,
  chunksOf,
  isActive,
  longestLease,
  type NewBatch,
  purgedAtOnce,
  rateOf,
  type SettledChunk,
  type WorkerShare,
} from '../batch-store.ts';
import type { Change } from '../change.ts';
import { states } from './batch-functions.ts';
import { valuesOf } from './changes.ts';
import type { Database } from './database.ts';
import type { Row, SqlValue } from './driver.ts';

// Calls that claim, renew, settle or give back are simply repeated if their answer is lost: the number of
// the attempt makes them the same. A claim whose answer was lost ends with its lease.

/** The batches of a store on PostgreSQL. Times are of the database's clock. */
export class PostgresBatches implements BatchStore {
  readonly #database: Database;
  readonly #schema: string;
  readonly #onChanged: (paths: readonly string[], epoch?: number) => void;
  /** The id of the batch that this process claimed of last: the next one has its turn. */
  #behind = '0';

  /** @param onChanged called after records were changed together with batches, or were found changed */
  constructor(
    database: Database,
    schema: string,
    onChanged: (paths: readonly string[], epoch?: number) => void,
  ) {
    this.#database = database;
    this.#schema = schema;
    this.#onChanged = onChanged;
  }

  submit(batch: NewBatch, changes: readonly Change[]): Promise<boolean> {
    const { name, pairs, chunk } = batch;
    return this.#change('submit_batch', [name, pairs, chunk, chunksOf(batch)], changes);
  }

  async isWaiting(): Promise<boolean> {
    const text = `select ${this.#schema}.next_batch(0) is not null as is_waiting`;
    const [row] = await this.#database.read(text, []);
    return row?.is_waiting as boolean;
  }

  async claim({ worker, most, seconds }: ChunkDemand): Promise<ChunkClaim[]> {
    const text = `select id, name, n, pairs, attempt from ${this.#schema}.claim_chunks($1, $2, $3, $4)`;
    const rows = await this.#database.take(text, [worker, most, seconds, this.#behind]);
    const [first] = rows;
    if (first !== undefined) this.#behind = first.id as string;
    return rows.map(({ name, n, pairs, attempt }) => ({
      batch: name as string,
      n: n as number,
      pairs: pairs as number,
      attempt: attempt as number,
    }));
  }

  async renew(worker: string, claims: readonly ChunkClaim[], seconds: number): Promise<boolean[]> {
    if (claims.length === 0) return [];
    const text = `select ${this.#schema}.renew_chunks($1, $2, $3, $4, $5) as held`;
    const [row] = await this.#database.take(text, [worker, ...columnsOf(claims), seconds]);
    return row?.held as boolean[];
  }

  async settle(worker: string, claim: ChunkClaim, value: Uint8Array): Promise<boolean> {
    const { batch, n, attempt } = claim;
    const text = `select ${this.#schema}.settle_chunk($1, $2, $3, $4, $5) as is_ours`;
    // A copy: it may be sent again after the caller has changed it.
    const values = [worker, batch, n, attempt, Buffer.from(value)];
    const [row] = await this.#database.take(text, values);
    return row?.is_ours as boolean;
  }

  async release(claims: readonly ChunkClaim[], refusal?: string): Promise<void> {
    const text = `select ${this.#schema}.release_chunks($1, $2, $3, $4)`;
    await this.#database.take(text, [...columnsOf(claims), refusal ?? null]);
  }

  async levels(names: readonly string[]): Promise<(BatchLevel | undefined)[]> {
    if (names.length === 0) return [];
    const rows = await this.#database.read(levelsOf(this.#schema), [names]);
    const byName = new Map<unknown, Row[]>();
    for (const row of rows) byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
    return names.map((name) => levelOf(byName.get(name)));
  }

  async settled(
    name: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<SettledChunk[]> {
    const rows = await this.#results('n, pairs, attempt', 'n > $2 order by n limit $3', [
      name,
      after,
      limit,
    ]);
    return rows.map(chunkOf);
  }

  async result(name: string, n: number): Promise<ChunkResult | undefined> {
    const [row] = await this.#results('n, pairs, attempt, value', 'n = $2', [name, n]);
    return row && { ...chunkOf(row), value: row.value as Uint8Array };
  }

  cancel(name: string, changes: readonly Change[]): Promise<boolean> {
    return this.#change('end_batch', [name, states.cancelled], changes);
  }

  delete(name: string, changes: readonly Change[]): Promise<boolean> {
    return this.#change('end_batch', [name, states.deleted], changes);
  }

  async purge(): Promise<boolean> {
    const text = `select ${this.#schema}.purge_batches($1) as has_removed`;
    const [row] = await this.#database.take(text, [purgedAtOnce]);
    return row?.has_removed as boolean;
  }

  async fence(): Promise<void> {
    await this.#database.take(`select ${this.#schema}.fence_batches()`, []);
  }

  async names(): Promise<string[]> {
    const text = `select name from ${this.#schema}.batch where state <> ${states.deleted} order by name`;
    const rows = await this.#database.read(text, []);
    return rows.map(({ name }) => name as string);
  }

  async chunks(): Promise<ChunkCounts> {
    const [row = {}] = await this.#database.read(chunksByState(this.#schema), []);
    const { waiting, leased, stalled, done } = row;
    return {
      waiting: Number(waiting),
      leased: Number(leased),
      stalled: Number(stalled),
      done: Number(done),
    };
  }

  /**
   * Calls a function that changes records, too. Nobody needs to wait until all have heard of it: a chunk of
   * a batch that has ended cannot be settled, whatever a worker remembers.
   */
  async #change(
    name: 'submit_batch' | 'end_batch',
    values: readonly SqlValue[],
    changes: readonly Change[],
  ): Promise<boolean> {
    const all = [...values, ...valuesOf(changes)];
    const places = all.map((_, i) => `$${i + 2}`).join(', ');
    const text = `select ${this.#schema}.${name}($1, ${places}) as epoch`;
    const epoch = await this.#database.write<number | undefined>(
      (attempt) => ({ text, values: [attempt, ...all] }),
      {
        row: ({ epoch }) => (epoch === null ? undefined : Number(epoch)),
        left: (number) => number,
      },
    );
    this.#onChanged(
      changes.map(({ path }) => path),
      epoch,
    );
    return epoch !== undefined;
  }

  #results(columns: string, condition: string, values: readonly SqlValue[]): Promise<Row[]> {
    const text =
      `select ${columns} from ${this.#schema}.chunk_result where batch = (select id from ` +
      `${this.#schema}.batch where name = $1 and state <> ${states.deleted}) and ${condition}`;
    return this.#database.read(text, values);
  }
}

/** Counts the chunks of open batches. Those that are settled, or not laid out yet, have no row. */
function chunksByState(schema: string): string {
  const free = 'b.chunks - coalesce(m.made, 0) + c.rows - c.leased';
  return (
    `select coalesce(sum(${free}) filter (where b.refusal is null), 0) as waiting, ` +
    'coalesce(sum(c.leased), 0) as leased, ' +
    `coalesce(sum(${free}) filter (where b.refusal is not null), 0) as stalled, ` +
    `coalesce(sum(m.made - c.rows), 0) as done from ${schema}.batch b left join lateral ` +
    `(select k.made, k.low from ${schema}.batch_mark k where k.batch = b.id ` +
    'order by k.made desc limit 1) m on true cross join lateral ' +
    '(select count(*) as rows, count(*) filter (where c.lease > clock_timestamp() and ' +
    `c.lease <= clock_timestamp() + interval '${longestLease} seconds') as leased ` +
    `from ${schema}.chunk c where c.batch = b.id and c.n >= m.low) c where b.state = ${states.open}`
  );
}

/** Selects what each worker did for batches, or a row without a worker for a batch that has none. */
function levelsOf(schema: string): string {
  const milliseconds = (time: string) => `extract(epoch from ${time})::float8 * 1000`;
  return (
    `select b.name, b.state, b.refusal, ${milliseconds('clock_timestamp()')} as now, s.*, ` +
    // Not the sum of the results: if one is missing, that is found out.
    `coalesce(b.kept, b.pairs - greatest(0, b.pairs - coalesce(m.made, 0)::bigint * b.chunk) - ` +
    `coalesce((select sum(c.pairs) from ${schema}.chunk c where c.batch = b.id and c.n >= m.low), 0)) as done ` +
    `from ${schema}.batch b left join lateral (select k.made, k.low from ${schema}.batch_mark k ` +
    `where k.batch = b.id order by k.made desc limit 1) m on true left join lateral (select u.worker, ` +
    `${milliseconds('max(u.since)')} as since, ${milliseconds('max(u.seen)')} as seen, ` +
    `${milliseconds('max(u.settled)')} as settled, sum(u.pairs) as pairs, sum(u.stint) as stint ` +
    'from (select w.worker, w.since, w.seen, null::timestamptz as settled, 0 as pairs, 0 as stint ' +
    `from ${schema}.batch_worker w where w.batch = b.id union all ` +
    'select r.worker, null, null, r.settled, r.pairs, ' +
    'case when r.settled >= w.since then r.pairs else 0 end ' +
    `from ${schema}.chunk_result r left join ${schema}.batch_worker w ` +
    'on w.batch = r.batch and w.worker = r.worker where r.batch = b.id) u group by u.worker) s on true ' +
    `where b.name = any($1) and b.state <> ${states.deleted} order by s.worker`
  );
}

function levelOf(rows: readonly Row[] | undefined): BatchLevel | undefined {
  const [first] = rows ?? [];
  if (first === undefined) return undefined;
  const workers = (rows ?? []).filter(({ worker }) => worker !== null).map(shareOf);
  return {
    done: Number(first.done),
    isCancelled: first.state === states.cancelled,
    refusal: (first.refusal as string | null) ?? undefined,
    workers,
  };
}

function shareOf({ worker, now, since, seen, settled, pairs, stint }: Row): WorkerShare {
  const at = now as number;
  const settledAt = (settled as number | null) ?? Number.NEGATIVE_INFINITY;
  const sign = {
    since: (since as number | null) ?? settledAt,
    seen: Math.max((seen as number | null) ?? settledAt, settledAt),
    settledAt,
    stint: Number(stint),
  };
  return {
    worker: worker as string,
    pairs: Number(pairs),
    rate: rateOf(sign, at),
    isActive: isActive(sign, at),
  };
}

/** Claims as the functions of the schema take them. */
function columnsOf(claims: readonly ChunkClaim[]): [string[], number[], number[]] {
  return [
    claims.map(({ batch }) => batch),
    claims.map(({ n }) => n),
    claims.map(({ attempt }) => attempt),
  ];
}

function chunkOf({ n, pairs, attempt }: Row): SettledChunk {
  return { n: n as number, pairs: pairs as number, attempt: attempt as number };
}
