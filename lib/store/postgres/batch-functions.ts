// Batches of a store on PostgreSQL: step 2 of the schema.
//
// While somebody holds an old snapshot, every earlier version of a row stays, and each look for the row
// steps over all of them. So no row is written at each claim or each settlement but those of the chunks
// in question: what a batch has is the sum of its results. Rows of chunks are made some at a time, when they
// are wanted. Each time a row of `batch_mark` is added that says how many were made, and below which
// number all are settled, so that no claim looks there. So making, cancelling and fencing a batch take the
// same time whatever its size.
//
// Locks are taken in the order of functions.ts, then the row of `batch`, then rows of `chunk`. A claim
// skips chunks that others are just claiming; the attempt numbers, not the locks, tell who may settle.
//
// Chunks have rows only while they are to be minted, of no batch that was cancelled or deleted.

import { ifExpected, lockLimit, parametersOfChanges } from './functions.ts';

/** The column `state` of a batch. */
export const states = {
  open: 0,
  cancelled: 1,
  deleted: 2,
  /** As open, but no chunk is to be minted any more. */
  done: 3,
} as const;

// As in batch-store.ts when this step was made: a step never changes.
const longestLease = 60;
const signsLast = 10;
const firstRest = 1000;
const longestRest = 30_000;

// A claim steps over the dead rows of one or two of these.
const laidOutAtOnce = 64;
// A worker's sign of life is noted this often, in seconds.
const signEvery = 1;
// More than a chunk is ever claimed, so that no earlier claim has the number of a later one.
const fenceJump = 1000;

/** The statements that make the tables of batches, with the rights that roles have to those of records. */
export function batchTablesOf(schema: string): string[] {
  const made = ['batch', 'batch_mark', 'chunk', 'chunk_result', 'batch_worker'];
  const tables = made.map((table) => `${schema}.${table}`).join(', ');
  return [
    `create table ${schema}.batch (id bigint generated always as identity primary key, ` +
      'name text collate "C" not null unique, pairs bigint not null, chunk integer not null, ' +
      'chunks integer not null, state smallint not null default 0, ' +
      // Of a deleted batch, the results below this number are removed.
      'purged integer not null default 0, ' +
      // What was done of one that was cancelled; of others it is what is not to be minted any more.
      'kept bigint, fenced integer not null default 0, refusal text, ' +
      'rest integer not null default 0, rest_until timestamptz)',
    `create index batch_open on ${schema}.batch (id) where state = ${states.open}`,
    `create index batch_deleted on ${schema}.batch (id) where state = ${states.deleted}`,
    `create table ${schema}.batch_mark (batch bigint not null, made integer not null, ` +
      'low integer not null, primary key (batch, made))',
    `create table ${schema}.chunk (batch bigint not null, n integer not null, ` +
      'pairs integer not null, attempt integer not null, lease timestamptz, primary key (batch, n)) ' +
      // Room for the versions that claims and renewals make.
      'with (fillfactor = 50)',
    `create table ${schema}.chunk_result (batch bigint not null, n integer not null, ` +
      'pairs integer not null, attempt integer not null, worker text collate "C" not null, ' +
      'settled timestamptz not null, value bytea not null, primary key (batch, n))',
    // Random bytes do not get smaller.
    `alter table ${schema}.chunk_result alter column value set storage external`,
    `create table ${schema}.batch_worker (batch bigint not null, worker text collate "C" not null, ` +
      'since timestamptz not null, seen timestamptz not null, primary key (batch, worker))',
    `do $body$
declare
  role record;
begin
  for role in select g.grantee::regrole::text as name
      from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
      where c.oid = '${schema}.record'::regclass and g.grantee not in (0, current_user::regrole)
        and g.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
      group by g.grantee having count(distinct g.privilege_type) = 4 loop
    execute 'grant select, insert, update, delete on ${tables} to '
      || role.name;
  end loop;
end $body$`,
  ];
}

/** The statements that make the functions of batches in a schema. */
export function batchFunctionsOf(schema: string): string[] {
  const make = (signature: string, body: string, settings = '') =>
    `create function ${schema}.${signature} language plpgsql ` +
    `set lock_timeout = '${lockLimit}'${settings} as $body$\n${body}\n$body$`;
  // Of a small table a scan is planned that reads all of it, and the plan is kept when dead rows come. Its
  // cost, where nothing else will do, would have the plan compiled, which takes a second.
  const byIndex = ' set enable_seqscan = off set jit = off';
  const hasEnded = (end: string) =>
    `(${end} is null or ${end} <= clock_timestamp() or ` +
    `${end} > clock_timestamp() + interval '${longestLease} seconds')`;
  // Claims, with the ids of their batches, in the order in which rows are locked.
  const claimed =
    'select b.id, u.n, u.attempt, u.at::int as at from unnest(names, numbers, attempts) with ordinality ' +
    `as u (name, n, attempt, at) join ${schema}.batch b on b.name = u.name order by b.id, u.n`;
  const longerRest = `least(greatest(${firstRest}, 2 * b.rest), ${longestRest})`;
  const restFromNow = `clock_timestamp() + make_interval(secs => ${longerRest} / 1000.0)`;
  return [
    // The epoch, 0 if no record was to be changed; null if a value is not as expected or the batch is there.
    make(
      'submit_batch(attempt uuid, batch_name text, batch_pairs bigint, pairs_each int, ' +
        `chunk_count int, ${parametersOfChanges}) returns bigint`,
      `declare
  now_epoch bigint := 0;
begin
  perform ${schema}.require_durability();
  ${ifExpected(schema)}
  end if;
  insert into ${schema}.batch (name, pairs, chunk, chunks)
    values (batch_name, batch_pairs, pairs_each, chunk_count) on conflict (name) do nothing;
  if not found then
    return null;
  end if;
  if cardinality(paths) > 0 then
    now_epoch := ${schema}.apply_changes(paths, expected, nexts);
  end if;
  insert into ${schema}.attempt (id, result) values (attempt, now_epoch);
  return now_epoch;
end`,
    ),
    // Cancels or deletes a batch. What is to be minted of it is gone at once.
    make(
      `end_batch(attempt uuid, batch_name text, new_state int, ${parametersOfChanges}) ` +
        'returns bigint',
      `declare
  now_epoch bigint := 0;
  batch_id bigint;
begin
  perform ${schema}.require_durability();
  ${ifExpected(schema)}
    now_epoch := ${schema}.apply_changes(paths, expected, nexts);
  end if;
  update ${schema}.batch b set state = new_state
    where b.name = batch_name and b.state <> ${states.deleted} returning b.id into batch_id;
  perform 1 from ${schema}.chunk c where c.batch = batch_id order by c.n for update;
  delete from ${schema}.chunk c where c.batch = batch_id;
  if new_state = ${states.cancelled} then
    update ${schema}.batch b set kept = (select coalesce(sum(r.pairs), 0)
      from ${schema}.chunk_result r where r.batch = batch_id) where b.id = batch_id;
  end if;
  insert into ${schema}.attempt (id, result) values (attempt, now_epoch);
  return now_epoch;
end`,
    ),
    // The first batch behind another that has a chunk to claim, or the first of all.
    make(
      'next_batch(behind bigint) returns bigint',
      `declare
  batch_id bigint;
begin
  for lap in 1 .. 2 loop
    select b.id into batch_id from ${schema}.batch b
      left join lateral (select k.made, k.low from ${schema}.batch_mark k
        where k.batch = b.id order by k.made desc limit 1) m on true
      where b.state = ${states.open}
        and case lap when 1 then b.id > behind else b.id <= behind end
        and (b.refusal is null or ${hasEnded('b.rest_until')})
        and (coalesce(m.made, 0) < b.chunks or exists (select from ${schema}.chunk c
          where c.batch = b.id and c.n >= m.low and ${hasEnded('c.lease')}))
      order by b.id limit 1;
    exit when batch_id is not null;
  end loop;
  return batch_id;
end`,
      byIndex,
    ),
    // Makes rows of chunks; says how many. None are made while others are making some: a call that
    // holds locks on chunks never waits for a batch.
    make(
      'lay_out_chunks(batch_id bigint, wanted int) returns int',
      `declare
  b record;
  last record;
  first_n int;
  next_made int;
begin
  select * into b from ${schema}.batch f where f.id = batch_id and f.state = ${states.open}
    for update skip locked;
  if b.id is null then
    return 0;
  end if;
  select k.made, k.low into last from ${schema}.batch_mark k where k.batch = b.id
    order by k.made desc limit 1;
  first_n := coalesce(last.made, 0);
  next_made := least(b.chunks, first_n + greatest(wanted, ${laidOutAtOnce}));
  if next_made = first_n then
    return 0;
  end if;
  insert into ${schema}.batch_mark (batch, made, low) values (b.id, next_made,
    coalesce((select c.n from ${schema}.chunk c where c.batch = b.id and c.n >= last.low
      order by c.n limit 1), first_n));
  insert into ${schema}.chunk (batch, n, pairs, attempt)
    select b.id, g, least(b.chunk, b.pairs - b.chunk::bigint * g), b.fenced
    from generate_series(first_n, next_made - 1) as g;
  return next_made - first_n;
end`,
      byIndex,
    ),
    // Claims of one batch, in order, those that nobody else is just claiming.
    make(
      'claim_free(batch_id bigint, low int, most int, seconds float8) ' +
        'returns table (n int, pairs int, attempt int)',
      // One by one: a join of several may be planned as one with all rows of the batch, dead ones, too.
      `declare
  free_n int;
begin
  for free_n in select c.n from ${schema}.chunk c
      where c.batch = batch_id and c.n >= low and ${hasEnded('c.lease')}
      order by c.n limit most for update skip locked loop
    return query update ${schema}.chunk c set attempt = c.attempt + 1,
      lease = clock_timestamp() + make_interval(secs => seconds)
      where c.batch = batch_id and c.n = free_n returning c.n, c.pairs, c.attempt;
  end loop;
end`,
      byIndex,
    ),
    make(
      'claim_chunks(worker_name text, most int, seconds float8, behind bigint) ' +
        'returns table (id bigint, name text, n int, pairs int, attempt int)',
      `declare
  batch_id bigint;
  next ${schema}.batch;
  low int;
  wanted int;
  claimed int := 0;
begin
  perform ${schema}.require_durability();
  for tries in 1 .. 8 loop
    batch_id := ${schema}.next_batch(behind);
    if batch_id is null then
      return;
    end if;
    select * into next from ${schema}.batch b where b.id = batch_id;
    wanted := most;
    if next.refusal is not null then
      -- One at a time tries whether it is allowed by now.
      update ${schema}.batch b set rest = ${longerRest}, rest_until = ${restFromNow}
        where b.id = next.id and b.refusal is not null and ${hasEnded('b.rest_until')};
      if not found then
        continue;
      end if;
      wanted := 1;
    end if;
    select k.low into low from ${schema}.batch_mark k where k.batch = batch_id
      order by k.made desc limit 1;
    return query select next.id, next.name, f.n, f.pairs, f.attempt
      from ${schema}.claim_free(batch_id, coalesce(low, 0), wanted, seconds) f;
    get diagnostics claimed = row_count;
    if claimed < wanted and ${schema}.lay_out_chunks(batch_id, wanted - claimed) > 0 then
      return query select next.id, next.name, f.n, f.pairs, f.attempt
        from ${schema}.claim_free(batch_id, coalesce(low, 0), wanted - claimed, seconds) f;
      claimed := 1;
    end if;
    if claimed > 0 then
      perform ${schema}.give_sign(batch_id, worker_name);
      return;
    end if;
    -- Others are just making some.
    perform pg_sleep(0.005);
  end loop;
end`,
      byIndex,
    ),
    // A worker of which nothing was heard for a while begins anew.
    make(
      'give_sign(batch_id bigint, worker_name text) returns void',
      `begin
  if exists (select from ${schema}.batch_worker w where w.batch = batch_id
      and w.worker = worker_name and w.seen <= clock_timestamp()
      and w.seen > clock_timestamp() - interval '${signEvery} seconds') then
    return;
  end if;
  insert into ${schema}.batch_worker as w (batch, worker, since, seen)
    values (batch_id, worker_name, clock_timestamp(), clock_timestamp())
    on conflict (batch, worker) do update set seen = excluded.seen,
      since = case when excluded.seen between w.seen and w.seen + interval '${signsLast} seconds'
        then w.since else excluded.since end;
end`,
    ),
    // Says of each claim whether it holds.
    make(
      'renew_chunks(worker_name text, names text[], numbers int[], attempts int[], seconds float8) ' +
        'returns bool[]',
      `declare
  held bool[] := array_fill(false, array[cardinality(numbers)]);
  ids bigint[] := '{}';
  given record;
  batch_id bigint;
begin
  perform ${schema}.require_durability();
  for given in ${claimed} loop
    update ${schema}.chunk c set lease = clock_timestamp() + make_interval(secs => seconds)
      where c.batch = given.id and c.n = given.n and c.attempt = given.attempt;
    if found then
      held[given.at] := true;
      ids := ids || given.id;
    end if;
  end loop;
  for batch_id in select distinct i from unnest(ids) as i order by i loop
    perform ${schema}.give_sign(batch_id, worker_name);
  end loop;
  return held;
end`,
      byIndex,
    ),
    // Whether this claim has settled the chunk, now or before. The deletion is the fence: it finds a row
    // if nobody has claimed or settled the chunk since, and no claim finds it any more.
    make(
      'settle_chunk(worker_name text, batch_name text, chunk_n int, chunk_attempt int, ' +
        'chunk_value bytea) returns bool',
      `declare
  b record;
  pairs_there int;
begin
  perform ${schema}.require_durability();
  select f.id, f.refusal into b from ${schema}.batch f
    where f.name = batch_name and f.state <> ${states.deleted};
  if b.refusal is not null then
    perform 1 from ${schema}.batch f where f.id = b.id for update;
  end if;
  delete from ${schema}.chunk c
    where c.batch = b.id and c.n = chunk_n and c.attempt = chunk_attempt
    returning c.pairs into pairs_there;
  if pairs_there is null then
    return exists (select from ${schema}.chunk_result r
      where r.batch = b.id and r.n = chunk_n and r.attempt = chunk_attempt);
  end if;
  insert into ${schema}.chunk_result (batch, n, pairs, attempt, worker, settled, value)
    values (b.id, chunk_n, pairs_there, chunk_attempt, worker_name, clock_timestamp(), chunk_value)
    on conflict (batch, n) do nothing;
  if not found then
    return false;
  end if;
  if b.refusal is not null then
    update ${schema}.batch f set refusal = null, rest = 0, rest_until = null where f.id = b.id;
  end if;
  return true;
end`,
      byIndex,
    ),
    make(
      'release_chunks(names text[], numbers int[], attempts int[], reason text) returns void',
      `declare
  ids bigint[] := '{}';
  given record;
begin
  perform ${schema}.require_durability();
  if reason is not null then
    perform 1 from ${schema}.batch b where b.name = any(names) order by b.id for update;
  end if;
  for given in ${claimed} loop
    update ${schema}.chunk c set lease = null
      where c.batch = given.id and c.n = given.n and c.attempt = given.attempt;
    if found then
      ids := ids || given.id;
    end if;
  end loop;
  if reason is not null then
    -- One that was refused before rests since it was claimed, or since another worker was refused.
    update ${schema}.batch b set refusal = reason,
      rest = case when b.refusal is null then ${longerRest} else b.rest end,
      rest_until = case when b.refusal is null then ${restFromNow} else b.rest_until end
      where b.id = any(ids);
  end if;
end`,
      byIndex,
    ),
    // Chunks that are not made yet begin behind the numbers, too.
    make(
      'fence_batches() returns void',
      `begin
  perform ${schema}.require_durability();
  perform 1 from ${schema}.batch b where b.state = ${states.open} order by b.id for update;
  update ${schema}.batch b set fenced = b.fenced + ${fenceJump} where b.state = ${states.open};
  perform 1 from ${schema}.chunk c order by c.batch, c.n for update;
  update ${schema}.chunk c set attempt = c.attempt + ${fenceJump}, lease = null;
end`,
    ),
    // Removes some of what a deleted batch has left; false if there is none, or others remove it.
    make(
      'purge_batches(most int) returns bool',
      `declare
  b record;
  last_n int;
  removed bigint;
begin
  perform ${schema}.require_durability();
  -- Claims look at these no more.
  update ${schema}.batch f set state = ${states.done} where f.state = ${states.open}
    and exists (select from ${schema}.batch_mark k where k.batch = f.id and k.made = f.chunks)
    and not exists (select from ${schema}.chunk c where c.batch = f.id);
  select * into b from ${schema}.batch f where f.state = ${states.deleted}
    order by f.id limit 1 for update skip locked;
  if not found then
    return false;
  end if;
  select max(s.n), count(*) into last_n, removed from (select r.n from ${schema}.chunk_result r
    where r.batch = b.id and r.n >= b.purged order by r.n limit most) s;
  if removed = 0 then
    delete from ${schema}.batch_worker w where w.batch = b.id;
    delete from ${schema}.batch_mark k where k.batch = b.id;
    delete from ${schema}.batch f where f.id = b.id;
    return true;
  end if;
  delete from ${schema}.chunk_result r where r.batch = b.id and r.n between b.purged and last_n;
  update ${schema}.batch f set purged = last_n + 1 where f.id = b.id;
  return true;
end`,
      byIndex,
    ),
  ];
}
