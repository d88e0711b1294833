// Every change of a store is one call of one of these functions, so it needs one message to the server
// and leaves no open transaction behind when its caller dies. Names are qualified: behind a pooler a
// session's search_path is another client's.
//
// Locks are taken in this order, so that no two calls wait for each other: the row of `meta`, rows of
// `record` by path, rows of `pool` by name. The row of `meta` makes the order of epochs the order of
// commits: who reads the changes after an epoch misses none.
//
// A call that changes something leaves the id of the attempt, which its caller chose. If the caller
// loses the answer, `settle` finds the id, or takes it, and then the call can no longer succeed.

// Less than a client waits: otherwise calls whose callers gave up would queue for a lock.
export const lockLimit = '2500ms';

export const parametersOfChanges = 'paths text[], expected bytea[], nexts bytea[]';

/**
 * The beginning of an `if` of PL/pgSQL, for a call that may change records: takes the lock for it, and
 * returns null from the function if a value is not as expected.
 */
export const ifExpected = (schema: string) => `if cardinality(paths) > 0 then
    perform 1 from ${schema}.meta for update;
    if not ${schema}.are_expected(paths, expected, nexts) then
      return null;
    end if;`;

/** The statements that make the functions in a schema. */
export function functionsOf(schema: string): string[] {
  const make = (signature: string, body: string) =>
    `create or replace function ${schema}.${signature} language plpgsql ` +
    `set lock_timeout = '${lockLimit}' as $body$\n${body}\n$body$`;
  return [
    make(
      'require_durability() returns void',
      // Behind a pooler the setting may be another session's than the one that was checked.
      `begin
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
end`,
    ),
    make(
      `are_expected(${parametersOfChanges}) returns bool`,
      `declare
  found_value bytea;
begin
  for i in 1 .. cardinality(paths) loop
    found_value := null;
    if nexts[i] is not distinct from expected[i] then
      select r.value into found_value from ${schema}.record r where r.path = paths[i] for share;
    else
      select r.value into found_value from ${schema}.record r where r.path = paths[i] for update;
    end if;
    if found_value is distinct from expected[i] then
      return false;
    end if;
  end loop;
  return true;
end`,
    ),
    make(
      `apply_changes(${parametersOfChanges}) returns bigint`,
      `declare
  now_epoch bigint;
begin
  update ${schema}.meta set epoch = epoch + 1 returning epoch into now_epoch;
  for i in 1 .. cardinality(paths) loop
    if nexts[i] is null then
      update ${schema}.record r set value = null, epoch = now_epoch, gone = now()
        where r.path = paths[i];
    elsif nexts[i] is distinct from expected[i] then
      insert into ${schema}.record as r (path, value, epoch) values (paths[i], nexts[i], now_epoch)
        on conflict (path) do update
        set value = excluded.value, epoch = excluded.epoch, gone = null;
    end if;
  end loop;
  return now_epoch;
end`,
    ),
    // The epoch; null if a value is not as expected.
    make(
      `commit_changes(attempt uuid, ${parametersOfChanges}) returns bigint`,
      `declare
  now_epoch bigint;
begin
  perform ${schema}.require_durability();
  perform 1 from ${schema}.meta for update;
  if not ${schema}.are_expected(paths, expected, nexts) then
    return null;
  end if;
  now_epoch := ${schema}.apply_changes(paths, expected, nexts);
  insert into ${schema}.attempt (id, result) values (attempt, now_epoch);
  return now_epoch;
end`,
    ),
    make(
      'remove_all(attempt uuid, first text, behind text) returns bigint',
      `declare
  removed bigint;
begin
  perform ${schema}.require_durability();
  perform 1 from ${schema}.meta for update;
  update ${schema}.record set value = null, gone = now(),
    epoch = (select m.epoch + 1 from ${schema}.meta m)
    where path >= first and path < behind and value is not null;
  get diagnostics removed = row_count;
  if removed > 0 then
    update ${schema}.meta set epoch = epoch + 1;
  end if;
  insert into ${schema}.attempt (id, result) values (attempt, removed);
  return removed;
end`,
    ),
    // The result of an attempt; null if it failed, or did not arrive and never will.
    make(
      'settle(attempt uuid) returns bigint',
      `declare
  found_result bigint;
begin
  perform ${schema}.require_durability();
  insert into ${schema}.attempt (id) values (attempt) on conflict (id) do nothing;
  select a.result into found_result from ${schema}.attempt a where a.id = attempt;
  return found_result;
end`,
    ),
    make(
      'locked_pool(pool_name text) returns bigint',
      `declare
  pool_id bigint;
begin
  loop
    select p.id into pool_id from ${schema}.pool p where p.name = pool_name for update;
    exit when pool_id is not null;
    insert into ${schema}.pool (name) values (pool_name) on conflict (name) do nothing;
  end loop;
  return pool_id;
end`,
    ),
    // The record is share-locked: a change of it waits, and then finds the lots.
    make(
      'add_lots(attempt uuid, record_path text, record_value bytea, pool_name text, ' +
        'serials bigint[], counts int[], vals bytea[], filler_name text) returns text',
      `declare
  found_value bytea;
  pool_id bigint;
  total bigint;
begin
  perform ${schema}.require_durability();
  select r.value into found_value from ${schema}.record r where r.path = record_path for share;
  if found_value is distinct from record_value then
    return 'gone';
  end if;
  pool_id := ${schema}.locked_pool(pool_name);
  if exists (select from ${schema}.pool p where p.id = pool_id and p.last_serial >= any(serials)) then
    return 'taken';
  end if;
  if cardinality(serials) = 0 then
    return 'added';
  end if;
  insert into ${schema}.lot (pool, serial, pairs, value)
    select pool_id, u.serial, u.pairs, u.value
    from unnest(serials, counts, vals) as u (serial, pairs, value);
  select sum(c) into total from unnest(counts) as c;
  update ${schema}.pool p set last_serial = serials[cardinality(serials)],
    waiting = p.waiting + total where p.id = pool_id;
  update ${schema}.reservation r set pairs = greatest(0, r.pairs - total)
    where r.pool = pool_id and r.filler = filler_name;
  insert into ${schema}.attempt (id, result) values (attempt, 1);
  return 'added';
end`,
    ),
    // Beginning behind the lot that was taken last, it steps over no rows that are dead but not yet
    // vacuumed, and serves none that came back by hand.
    make(
      'take_lots(pool_name text, wanted int) ' +
        'returns table (serial bigint, pairs int, value bytea, waiting bigint)',
      `declare
  pool_id bigint;
  before bigint;
  last bigint;
  total bigint := 0;
  lot record;
  pairs_left bigint;
begin
  perform ${schema}.require_durability();
  select p.id, p.taken_serial into pool_id, before from ${schema}.pool p
    where p.name = pool_name for update;
  for lot in select l.serial, l.pairs from ${schema}.lot l
      where l.pool = pool_id and l.serial > before order by l.serial limit wanted loop
    exit when total >= wanted;
    total := total + lot.pairs;
    last := lot.serial;
  end loop;
  if last is null then
    update ${schema}.pool p set waiting = 0 where p.id = pool_id and p.waiting <> 0;
    return;
  end if;
  update ${schema}.pool p set taken_serial = last,
    waiting = case when exists (select from ${schema}.lot l where l.pool = pool_id and l.serial > last)
      then greatest(0, p.waiting - total) else 0 end
    where p.id = pool_id returning p.waiting into pairs_left;
  return query with taken as (
    delete from ${schema}.lot l
      where l.pool = pool_id and l.serial > before and l.serial <= last
      returning l.serial, l.pairs, l.value)
    select t.serial, t.pairs, t.value, pairs_left from taken t order by t.serial;
end`,
    ),
    make(
      'reserve(pool_name text, filler_name text, target bigint, most bigint, seconds float8) ' +
        'returns bigint',
      `declare
  pool_id bigint;
  latest timestamptz;
  reserved bigint;
begin
  if most = 0 and not exists (select from ${schema}.pool p where p.name = pool_name) then
    return 0;
  end if;
  pool_id := ${schema}.locked_pool(pool_name);
  -- By the time at which the lock was got: those who waited less made theirs later.
  latest := clock_timestamp() + make_interval(secs => seconds);
  -- One that ends later than it can was made while the clock was ahead.
  delete from ${schema}.reservation r where r.pool = pool_id
    and (r.filler = filler_name or r.until <= clock_timestamp() or r.until > latest);
  select least(most, target - p.waiting
      - (select coalesce(sum(r.pairs), 0) from ${schema}.reservation r where r.pool = pool_id))
    into reserved from ${schema}.pool p where p.id = pool_id;
  if reserved <= 0 then
    return 0;
  end if;
  insert into ${schema}.reservation (pool, filler, pairs, until)
    values (pool_id, filler_name, reserved, latest);
  return reserved;
end`,
    ),
    // How many pairs the pools had; null if a value is not as expected.
    make(
      `clear_pools(attempt uuid, first text, behind text, ${parametersOfChanges}) returns bigint`,
      `declare
  ids bigint[];
  removed bigint;
begin
  perform ${schema}.require_durability();
  ${ifExpected(schema)}
    perform ${schema}.apply_changes(paths, expected, nexts);
  end if;
  select coalesce(array_agg(p.id), '{}') into ids from (
    select id from ${schema}.pool where name >= first and name < behind order by name for update) p;
  select coalesce(sum(pairs), 0) into removed from ${schema}.lot where pool = any(ids);
  delete from ${schema}.lot where pool = any(ids);
  delete from ${schema}.reservation where pool = any(ids);
  delete from ${schema}.pool where id = any(ids);
  insert into ${schema}.attempt (id, result) values (attempt, removed);
  return removed;
end`,
    ),
    // Notes of removed records are for processes that were cut off for some minutes.
    make(
      'tidy() returns void',
      `begin
  perform 1 from ${schema}.meta for update;
  delete from ${schema}.record where gone < now() - interval '1 hour';
  delete from ${schema}.attempt where made < now() - interval '1 hour';
  delete from ${schema}.machine where seen < now() - interval '1 day';
end`,
    ),
  ];
}
