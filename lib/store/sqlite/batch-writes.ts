import {
  type ChunkClaim,
  type ChunkDemand,
  chunksOf,
  isActive,
  longerRest,
  type NewBatch,
  pairsInChunk,
  purgedAtOnce,
} from '../batch-store.ts';
import type { Change } from '../change.ts';
import { claimable, claimableBounds, states } from './batch-rows.ts';
import { monotonicNow } from './calls.ts';
import { numberOf, textOf } from './cells.ts';
import type { Row } from './engine.ts';
import { apply, areExpected, type Method, type Step, unchanged, type Writing } from './writing.ts';

// Times are of the clock that all processes of a machine share and nobody sets. It begins anew with the
// machine, which ends all leases (`hasEnded`).

interface Held {
  readonly id: number;
  readonly isRefused: boolean;
}

/** The methods of a `BatchStore` that change it. They can share a transaction with others. */
export const batchMethods = {
  submitBatch(writing, batch: NewBatch, changes: readonly Change[]) {
    const { statement } = writing;
    if (find(writing, batch.name) !== undefined || !areExpected(writing, changes)) {
      return unchanged(false);
    }
    const { name, pairs, chunk } = batch;
    statement(
      'insert into batch (name, pairs, chunk, done, state, rest, rest_until, turn) ' +
        `values (?, ?, ?, 0, ${states.open}, 0, 0, 0)`,
    ).run(name, pairs, chunk);
    const id = numberOf(find(writing, name)?.id);
    const insert = statement(
      'insert into chunk (batch, n, pairs, attempt, lease) values (?, ?, ?, 0, 0)',
    );
    for (let n = 0; n < chunksOf(batch); n++) insert.run(id, n, pairsInChunk(batch, n));
    return make(writing, changes);
  },

  claimChunks(writing, { worker, most, seconds }: ChunkDemand) {
    const { statement } = writing;
    const now = monotonicNow();
    const bounds = claimableBounds(now);
    const batch = statement(`${claimable} order by turn, id limit 1`).get(...bounds, ...bounds);
    if (batch === undefined) return unchanged([]);
    const id = numberOf(batch.id);
    const isRefused = batch.refusal !== null;
    statement(
      'update batch set turn = (select max(turn) + 1 from batch), rest = ?, rest_until = ? where id = ?',
    ).run(...restOf(batch, isRefused, now), id);
    const open = statement(
      'select n, pairs from chunk where batch = ? and (lease <= ? or lease > ?) order by n limit ?',
    ).all(id, ...bounds, isRefused ? 1 : most);
    const take = statement(
      'update chunk set attempt = attempt + 1, lease = ? where batch = ? and n = ? returning attempt',
    );
    const claims = open.map(({ n, pairs }): ChunkClaim => {
      const taken = take.all(now + 1000 * seconds, id, numberOf(n))[0];
      const attempt = numberOf(taken?.attempt);
      return { batch: textOf(batch.name), n: numberOf(n), pairs: numberOf(pairs), attempt };
    });
    begin(writing, id, worker, now);
    return unchanged(claims);
  },

  renewChunks(writing, worker: string, claims: readonly ChunkClaim[], seconds: number) {
    const { statement } = writing;
    const now = monotonicNow();
    const renewed = claims.map((claim) => {
      const held = heldBy(writing, claim);
      if (held === undefined) return false;
      setLease(writing, held, claim, now + 1000 * seconds);
      statement('update batch_worker set seen = ? where batch = ? and worker = ?').run(
        now,
        held.id,
        worker,
      );
      return true;
    });
    return unchanged(renewed);
  },

  settleChunk(writing, worker: string, claim: ChunkClaim, value: Uint8Array) {
    const { statement } = writing;
    const { n, pairs, attempt } = claim;
    const held = heldBy(writing, claim);
    if (held === undefined) return unchanged(isSettledBy(writing, claim));
    const { id } = held;
    const now = monotonicNow();
    statement('delete from chunk where batch = ? and n = ?').run(id, n);
    statement(
      'insert into chunk_result (batch, n, pairs, attempt, value) values (?, ?, ?, ?, ?)',
    ).run(id, n, pairs, attempt, value);
    statement(
      'update batch set done = done + ?, refusal = null, rest = 0, rest_until = 0 where id = ?',
    ).run(pairs, id);
    statement(
      'update batch_worker set pairs = pairs + ?, stint = stint + ?, seen = ?, settled_at = ? ' +
        'where batch = ? and worker = ?',
    ).run(pairs, pairs, now, now, id, worker);
    return unchanged(true);
  },

  releaseChunks(writing, claims: readonly ChunkClaim[], refusal: string | undefined) {
    const { statement } = writing;
    const refused = new Map<number, Held>();
    for (const claim of claims) {
      const held = heldBy(writing, claim);
      if (held === undefined) continue;
      setLease(writing, held, claim, 0);
      refused.set(held.id, held);
    }
    if (refusal === undefined) return unchanged(undefined);
    const now = monotonicNow();
    for (const { id, isRefused } of refused.values()) {
      const row = statement('select rest, rest_until from batch where id = ?').get(id) as Row;
      // Otherwise it rests since the claim, or since another worker was refused.
      const [rest, until] = restOf(row, !isRefused, now);
      statement('update batch set refusal = ?, rest = ?, rest_until = ? where id = ?').run(
        refusal,
        rest,
        until,
        id,
      );
    }
    return unchanged(undefined);
  },

  cancelBatch(writing, name: string, changes: readonly Change[]) {
    if (!areExpected(writing, changes)) return unchanged(false);
    const { statement } = writing;
    statement(`update batch set state = ${states.cancelled} where name = ?`).run(name);
    statement('delete from chunk where batch = (select id from batch where name = ?)').run(name);
    return make(writing, changes);
  },

  deleteBatch(writing, name: string, changes: readonly Change[]) {
    if (!areExpected(writing, changes)) return unchanged(false);
    writing.statement(`update batch set state = ${states.deleted} where name = ?`).run(name);
    return make(writing, changes);
  },

  purgeBatches({ statement }) {
    const row = statement(`select id from batch where state = ${states.deleted} limit 1`).get();
    if (row === undefined) return unchanged(false);
    const id = numberOf(row.id);
    const removed = statement(
      'delete from chunk_result where rowid in ' +
        '(select rowid from chunk_result where batch = ? limit ?)',
    ).run(id, purgedAtOnce);
    if (Number(removed.changes) < purgedAtOnce) {
      for (const table of ['chunk', 'batch_worker']) {
        statement(`delete from ${table} where batch = ?`).run(id);
      }
      statement('delete from batch where id = ?').run(id);
    }
    return unchanged(true);
  },

  fenceBatches({ statement }) {
    statement('update chunk set attempt = attempt + 1, lease = 0').run();
    return unchanged(undefined);
  },
} satisfies Record<string, Method>;

/** Notes that a worker works on a batch. */
function begin({ statement }: Writing, id: number, worker: string, now: number): void {
  const row = statement('select seen from batch_worker where batch = ? and worker = ?').get(
    id,
    worker,
  );
  if (row !== undefined && isActive({ seen: numberOf(row.seen) }, now)) {
    statement('update batch_worker set seen = ? where batch = ? and worker = ?').run(
      now,
      id,
      worker,
    );
    return;
  }
  statement(
    'insert into batch_worker (batch, worker, pairs, since, seen, settled_at, stint) ' +
      'values (?, ?, 0, ?, ?, ?, 0) on conflict (batch, worker) do update set ' +
      'since = excluded.since, seen = excluded.seen, settled_at = excluded.settled_at, stint = 0',
  ).run(id, worker, now, now, now);
}

function make(writing: Writing, changes: readonly Change[]): Step {
  apply(writing, changes);
  return { result: true, changes: changes.length > 0 };
}

function find({ statement }: Writing, name: string): Row | undefined {
  return statement('select id from batch where name = ?').get(name);
}

/** The batch of a claim that holds still. */
function heldBy({ statement }: Writing, { batch, n, attempt }: ChunkClaim): Held | undefined {
  const row = statement(
    'select batch.id, batch.refusal from batch join chunk on chunk.batch = batch.id ' +
      `where batch.name = ? and batch.state = ${states.open} and chunk.n = ? and chunk.attempt = ?`,
  ).get(batch, n, attempt);
  return row && { id: numberOf(row.id), isRefused: row.refusal !== null };
}

function isSettledBy({ statement }: Writing, { batch, n, attempt }: ChunkClaim): boolean {
  const row = statement(
    'select 1 from batch join chunk_result on chunk_result.batch = batch.id ' +
      `where name = ? and state <> ${states.deleted} and n = ? and attempt = ?`,
  ).get(batch, n, attempt);
  return row !== undefined;
}

function setLease({ statement }: Writing, { id }: Held, { n }: ChunkClaim, lease: number): void {
  statement('update chunk set lease = ? where batch = ? and n = ?').run(lease, id, n);
}

/** The rest of a batch from now on, a longer one if it begins anew. */
function restOf(row: Row, isNew: boolean, now: number): [rest: number, until: number] {
  const rest = numberOf(row.rest);
  if (!isNew) return [rest, numberOf(row.rest_until)];
  return [longerRest(rest), now + longerRest(rest)];
}
