// Batches of a store on PostgreSQL: step 2 of the schema.
//
// While somebody holds an old snapshot, every earlier version of a row stays, and whoever looks the row
// up steps over all of them. So no row is written at each claim or each settlement but those of the chunks
// in question: what a batch has is the sum of its results. Rows of chunks are made some hundred at a
// time, when they are wanted. `low` rises with them: below it all chunks are settled, and no claim looks
// there. So making, cancelling and fencing a batch take the same time whatever its size.
//
// Locks are taken in the order of functions.ts, then the row of `batch`, then rows of `chunk`. A claim
// skips chunks that others are just claiming; the attempt numbers, not the locks, tell who may settle.
//
// Chunks have rows only while they are to be minted, of no batch that was cancelled or deleted.

/** The column `state` of a batch. */
export const states = { open: 0, cancelled: 1, deleted: 2 } as const;

// As in batch-store.ts when this step was made: a step never changes.
const longestLease = 60;
const signsLast = 10;
const firstRest = 1000;
const longestRest = 30_000;

const lockLimit = '2500ms';
// A claim steps over the dead rows of about two of these.
const laidOutAtOnce = 256;
// A worker's sign of life is noted this often, in seconds.
const signEvery = 1;
// More than a chunk is ever claimed, so that no earlier claim has the number of a later one.
const fenceJump = 1000;

const parametersOfChanges = 'paths text[], expected bytea[], nexts bytea[]';

/** The statements that make the tables of batches, which whoever may use those of records may use. */
export function batchTablesOf(schema: string): string[] {
  const made = ['batch', 'chunk', 'chunk_result', 'batch_worker'];
  const tables = made.map((table) => `${schema}.${table}`).join(', ');
  return [
    `create table ${schema}.batch (id bigint generated always as identity primary key, ` +
      'name text collate "C" not null unique, pairs bigint not null, chunk integer not null, ' +
      'chunks integer not null, state smallint not null default 0, ' +
      // The chunks below `made` were made: those below `low` have no rows any more. Of a deleted batch,
      // the results below `low` are removed.
      'made integer not null default 0, low integer not null default 0, ' +
      // What was done of one that was cancelled; of others it is what is not to be minted any more.
      'kept bigint, fenced integer not null default 0, refusal text, ' +
      'rest integer not null default 0, rest_until timestamptz)',
    `create index batch_open on ${schema}.batch (id) where state = ${states.open} and low < chunks`,
    `create index batch_deleted on ${schema}.batch (id) where state = ${states.deleted}`,
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
  if cardinality(paths) > 0 then
    perform 1 from ${schema}.meta for update;
    if not ${schema}.are_expected(paths, expected, nexts) then
      return null;
    end if;
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
  if cardinality(paths) > 0 then
    perform 1 from ${schema}.meta for update;
    if not ${schema}.are_expected(paths, expected, nexts) then
      return null;
    end if;
    now_epoch := ${schema}.apply_changes(paths, expected, nexts);
  end if;
  update ${schema}.batch b set state = new_state,
    low = case new_state when ${states.deleted} then 0 else b.chunks end
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
      where b.state = ${states.open} and b.low < b.chunks
        and case lap when 1 then b.id > behind else b.id <= behind end
        and (b.refusal is null or ${hasEnded('b.rest_until')})
        and (b.made < b.chunks or exists (select from ${schema}.chunk c
          where c.batch = b.id and c.n >= b.low and ${hasEnded('c.lease')}))
      order by b.id limit 1;
    exit when batch_id is not null;
  end loop;
  return batch_id;
end`,
      byIndex,
    ),
    // Makes rows of chunks, unless others have just made some.
    make(
      'lay_out_chunks(batch_id bigint, known_made int, wanted int) returns void',
      `declare
  b record;
  next_made int;
begin
  select * into b from ${schema}.batch where id = batch_id for update;
  if b.state is distinct from ${states.open} or b.made > known_made then
    return;
  end if;
  next_made := least(b.chunks, b.made + greatest(wanted, ${laidOutAtOnce}));
  update ${schema}.batch set made = next_made,
    low = coalesce((select c.n from ${schema}.chunk c where c.batch = b.id and c.n >= b.low
      order by c.n limit 1), b.made)
    where id = b.id;
  insert into ${schema}.chunk (batch, n, pairs, attempt)
    select b.id, n, least(b.chunk, b.pairs - b.chunk::bigint * n), b.fenced
    from generate_series(b.made, next_made - 1) as n;
end`,
      byIndex,
    ),
    make(
      'claim_chunks(worker_name text, most int, seconds float8, behind bigint) ' +
        'returns table (id bigint, name text, n int, pairs int, attempt int)',
      `declare
  batch_id bigint;
  next ${schema}.batch;
  wanted int;
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
    if next.made < next.chunks and wanted > (select count(*) from (select from ${schema}.chunk c
        where c.batch = next.id and c.n >= next.low and ${hasEnded('c.lease')} limit wanted) free) then
      perform ${schema}.lay_out_chunks(next.id, next.made, wanted);
    end if;
    return query
      with free as materialized (select c.n from ${schema}.chunk c
        where c.batch = next.id and c.n >= next.low and ${hasEnded('c.lease')}
        order by c.n limit wanted for update skip locked),
      taken as (update ${schema}.chunk c set attempt = c.attempt + 1,
        lease = clock_timestamp() + make_interval(secs => seconds)
        from free where c.batch = next.id and c.n = free.n returning c.n, c.pairs, c.attempt)
      select next.id, next.name, t.n, t.pairs, t.attempt from taken t order by t.n;
    if found then
      perform ${schema}.give_sign(next.id, worker_name);
      return;
    end if;
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
  held bool[];
  batch_id bigint;
begin
  perform ${schema}.require_durability();
  perform 1 from ${schema}.chunk c join ${schema}.batch b on b.id = c.batch
    join unnest(names, numbers, attempts) as u (name, n, attempt)
      on b.name = u.name and c.n = u.n and c.attempt = u.attempt
    order by c.batch, c.n for update of c;
  with renewed as (update ${schema}.chunk c
      set lease = clock_timestamp() + make_interval(secs => seconds)
      from ${schema}.batch b, unnest(names, numbers, attempts) as u (name, n, attempt)
      where b.id = c.batch and b.name = u.name and c.n = u.n and c.attempt = u.attempt
      returning u.name, u.n, u.attempt)
    select array_agg(r.n is not null order by u.at) into held
    from unnest(names, numbers, attempts) with ordinality as u (name, n, attempt, at)
    left join renewed r on r.name = u.name and r.n = u.n and r.attempt = u.attempt;
  for batch_id in select b.id from ${schema}.batch b where b.name in
      (select u.name from unnest(names, held) as u (name, is_held) where u.is_held) order by b.id loop
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
  ids bigint[];
begin
  perform ${schema}.require_durability();
  if reason is not null then
    perform 1 from ${schema}.batch b where b.name = any(names) order by b.id for update;
  end if;
  perform 1 from ${schema}.chunk c join ${schema}.batch b on b.id = c.batch
    join unnest(names, numbers, attempts) as u (name, n, attempt)
      on b.name = u.name and c.n = u.n and c.attempt = u.attempt
    order by c.batch, c.n for update of c;
  with released as (update ${schema}.chunk c set lease = null
      from ${schema}.batch b, unnest(names, numbers, attempts) as u (name, n, attempt)
      where b.id = c.batch and b.name = u.name and c.n = u.n and c.attempt = u.attempt
      returning c.batch)
    select array_agg(distinct r.batch) into ids from released r;
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
  update ${schema}.batch f set low = f.chunks where f.state = ${states.open} and f.low < f.chunks
    and f.made = f.chunks and not exists (select from ${schema}.chunk c where c.batch = f.id);
  select * into b from ${schema}.batch f where f.state = ${states.deleted}
    order by f.id limit 1 for update skip locked;
  if not found then
    return false;
  end if;
  select max(s.n), count(*) into last_n, removed from (select r.n from ${schema}.chunk_result r
    where r.batch = b.id and r.n >= b.low order by r.n limit most) s;
  if removed = 0 then
    delete from ${schema}.batch_worker w where w.batch = b.id;
    delete from ${schema}.batch f where f.id = b.id;
    return true;
  end if;
  delete from ${schema}.chunk_result r where r.batch = b.id and r.n between b.low and last_n;
  update ${schema}.batch f set low = last_n + 1 where f.id = b.id;
  return true;
end`,
      byIndex,
    ),
  ];
}
