-- The statements that make version 1 of the schema, as the pairmint that had no other made them.
create table pairmint.meta (one boolean primary key default true check (one), version integer not null, epoch bigint not null)
-- next
insert into pairmint.meta (version, epoch) values (0, 0)
-- next
create table pairmint.record (path text collate "C" primary key, value bytea, epoch bigint not null, gone timestamptz)
-- next
create index record_epoch on pairmint.record (epoch)
-- next
create index record_gone on pairmint.record (gone) where gone is not null
-- next
create table pairmint.pool (id bigint generated always as identity primary key, name text collate "C" not null unique, last_serial bigint not null default 0, taken_serial bigint not null default 0, waiting bigint not null default 0)
-- next
create table pairmint.lot (pool bigint not null, serial bigint not null, pairs integer not null, value bytea not null, primary key (pool, serial))
-- next
alter table pairmint.lot alter column value set storage external
-- next
alter table pairmint.lot set (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)
-- next
create table pairmint.reservation (pool bigint not null, filler text not null, pairs bigint not null, until timestamptz not null, primary key (pool, filler))
-- next
create table pairmint.attempt (id uuid primary key, made timestamptz not null default now(), result bigint)
-- next
create index attempt_made on pairmint.attempt (made)
-- next
create table pairmint.machine (id uuid primary key, name text not null, seen timestamptz not null)
-- next
create or replace function pairmint.require_durability() returns void language plpgsql set lock_timeout = '2500ms' as $body$
begin
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
end
$body$
-- next
create or replace function pairmint.are_expected(paths text[], expected bytea[], nexts bytea[]) returns bool language plpgsql set lock_timeout = '2500ms' as $body$
declare
  found_value bytea;
begin
  for i in 1 .. cardinality(paths) loop
    found_value := null;
    if nexts[i] is not distinct from expected[i] then
      select r.value into found_value from pairmint.record r where r.path = paths[i] for share;
    else
      select r.value into found_value from pairmint.record r where r.path = paths[i] for update;
    end if;
    if found_value is distinct from expected[i] then
      return false;
    end if;
  end loop;
  return true;
end
$body$
-- next
create or replace function pairmint.apply_changes(paths text[], expected bytea[], nexts bytea[]) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  now_epoch bigint;
begin
  update pairmint.meta set epoch = epoch + 1 returning epoch into now_epoch;
  for i in 1 .. cardinality(paths) loop
    if nexts[i] is null then
      update pairmint.record r set value = null, epoch = now_epoch, gone = now()
        where r.path = paths[i];
    elsif nexts[i] is distinct from expected[i] then
      insert into pairmint.record as r (path, value, epoch) values (paths[i], nexts[i], now_epoch)
        on conflict (path) do update
        set value = excluded.value, epoch = excluded.epoch, gone = null;
    end if;
  end loop;
  return now_epoch;
end
$body$
-- next
create or replace function pairmint.commit_changes(attempt uuid, paths text[], expected bytea[], nexts bytea[]) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  now_epoch bigint;
begin
  perform pairmint.require_durability();
  perform 1 from pairmint.meta for update;
  if not pairmint.are_expected(paths, expected, nexts) then
    return null;
  end if;
  now_epoch := pairmint.apply_changes(paths, expected, nexts);
  insert into pairmint.attempt (id, result) values (attempt, now_epoch);
  return now_epoch;
end
$body$
-- next
create or replace function pairmint.remove_all(attempt uuid, first text, behind text) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  removed bigint;
begin
  perform pairmint.require_durability();
  perform 1 from pairmint.meta for update;
  update pairmint.record set value = null, gone = now(),
    epoch = (select m.epoch + 1 from pairmint.meta m)
    where path >= first and path < behind and value is not null;
  get diagnostics removed = row_count;
  if removed > 0 then
    update pairmint.meta set epoch = epoch + 1;
  end if;
  insert into pairmint.attempt (id, result) values (attempt, removed);
  return removed;
end
$body$
-- next
create or replace function pairmint.settle(attempt uuid) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  found_result bigint;
begin
  perform pairmint.require_durability();
  insert into pairmint.attempt (id) values (attempt) on conflict (id) do nothing;
  select a.result into found_result from pairmint.attempt a where a.id = attempt;
  return found_result;
end
$body$
-- next
create or replace function pairmint.locked_pool(pool_name text) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  pool_id bigint;
begin
  loop
    select p.id into pool_id from pairmint.pool p where p.name = pool_name for update;
    exit when pool_id is not null;
    insert into pairmint.pool (name) values (pool_name) on conflict (name) do nothing;
  end loop;
  return pool_id;
end
$body$
-- next
create or replace function pairmint.add_lots(attempt uuid, record_path text, record_value bytea, pool_name text, serials bigint[], counts int[], vals bytea[], filler_name text) returns text language plpgsql set lock_timeout = '2500ms' as $body$
declare
  found_value bytea;
  pool_id bigint;
  total bigint;
begin
  perform pairmint.require_durability();
  select r.value into found_value from pairmint.record r where r.path = record_path for share;
  if found_value is distinct from record_value then
    return 'gone';
  end if;
  pool_id := pairmint.locked_pool(pool_name);
  if exists (select from pairmint.pool p where p.id = pool_id and p.last_serial >= any(serials)) then
    return 'taken';
  end if;
  if cardinality(serials) = 0 then
    return 'added';
  end if;
  insert into pairmint.lot (pool, serial, pairs, value)
    select pool_id, u.serial, u.pairs, u.value
    from unnest(serials, counts, vals) as u (serial, pairs, value);
  select sum(c) into total from unnest(counts) as c;
  update pairmint.pool p set last_serial = serials[cardinality(serials)],
    waiting = p.waiting + total where p.id = pool_id;
  update pairmint.reservation r set pairs = greatest(0, r.pairs - total)
    where r.pool = pool_id and r.filler = filler_name;
  insert into pairmint.attempt (id, result) values (attempt, 1);
  return 'added';
end
$body$
-- next
create or replace function pairmint.take_lots(pool_name text, wanted int) returns table (serial bigint, pairs int, value bytea, waiting bigint) language plpgsql set lock_timeout = '2500ms' as $body$
declare
  pool_id bigint;
  before bigint;
  last bigint;
  total bigint := 0;
  lot record;
  pairs_left bigint;
begin
  perform pairmint.require_durability();
  select p.id, p.taken_serial into pool_id, before from pairmint.pool p
    where p.name = pool_name for update;
  for lot in select l.serial, l.pairs from pairmint.lot l
      where l.pool = pool_id and l.serial > before order by l.serial limit wanted loop
    exit when total >= wanted;
    total := total + lot.pairs;
    last := lot.serial;
  end loop;
  if last is null then
    update pairmint.pool p set waiting = 0 where p.id = pool_id and p.waiting <> 0;
    return;
  end if;
  update pairmint.pool p set taken_serial = last,
    waiting = case when exists (select from pairmint.lot l where l.pool = pool_id and l.serial > last)
      then greatest(0, p.waiting - total) else 0 end
    where p.id = pool_id returning p.waiting into pairs_left;
  return query with taken as (
    delete from pairmint.lot l
      where l.pool = pool_id and l.serial > before and l.serial <= last
      returning l.serial, l.pairs, l.value)
    select t.serial, t.pairs, t.value, pairs_left from taken t order by t.serial;
end
$body$
-- next
create or replace function pairmint.reserve(pool_name text, filler_name text, target bigint, most bigint, seconds float8) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  pool_id bigint;
  latest timestamptz;
  reserved bigint;
begin
  if most = 0 and not exists (select from pairmint.pool p where p.name = pool_name) then
    return 0;
  end if;
  pool_id := pairmint.locked_pool(pool_name);
  -- By the time at which the lock was got: those who waited less made theirs later.
  latest := clock_timestamp() + make_interval(secs => seconds);
  -- One that ends later than it can was made while the clock was ahead.
  delete from pairmint.reservation r where r.pool = pool_id
    and (r.filler = filler_name or r.until <= clock_timestamp() or r.until > latest);
  select least(most, target - p.waiting
      - (select coalesce(sum(r.pairs), 0) from pairmint.reservation r where r.pool = pool_id))
    into reserved from pairmint.pool p where p.id = pool_id;
  if reserved <= 0 then
    return 0;
  end if;
  insert into pairmint.reservation (pool, filler, pairs, until)
    values (pool_id, filler_name, reserved, latest);
  return reserved;
end
$body$
-- next
create or replace function pairmint.clear_pools(attempt uuid, first text, behind text, paths text[], expected bytea[], nexts bytea[]) returns bigint language plpgsql set lock_timeout = '2500ms' as $body$
declare
  ids bigint[];
  removed bigint;
begin
  perform pairmint.require_durability();
  if cardinality(paths) > 0 then
    perform 1 from pairmint.meta for update;
    if not pairmint.are_expected(paths, expected, nexts) then
      return null;
    end if;
    perform pairmint.apply_changes(paths, expected, nexts);
  end if;
  select coalesce(array_agg(p.id), '{}') into ids from (
    select id from pairmint.pool where name >= first and name < behind order by name for update) p;
  select coalesce(sum(pairs), 0) into removed from pairmint.lot where pool = any(ids);
  delete from pairmint.lot where pool = any(ids);
  delete from pairmint.reservation where pool = any(ids);
  delete from pairmint.pool where id = any(ids);
  insert into pairmint.attempt (id, result) values (attempt, removed);
  return removed;
end
$body$
-- next
create or replace function pairmint.tidy() returns void language plpgsql set lock_timeout = '2500ms' as $body$
begin
  perform 1 from pairmint.meta for update;
  delete from pairmint.record where gone < now() - interval '1 hour';
  delete from pairmint.attempt where made < now() - interval '1 hour';
  delete from pairmint.machine where seen < now() - interval '1 day';
end
$body$
