import { ConfigurationError } from '../../core/configuration-error.ts';
import { StoreError } from '../store-errors.ts';
import type { Address } from './address.ts';
import { batchFunctionsOf, batchTablesOf } from './batch-functions.ts';
import { type Connections, query } from './connections.ts';
import type { Client, Row } from './driver.ts';
import { stateOf, storeError } from './faults.ts';
import { functionsOf } from './functions.ts';

/** The statements of each step, which is one transaction and is never changed once it was released. */
export const steps: readonly ((schema: string) => string[])[] = [
  (schema) => [
    `create table ${schema}.meta (one boolean primary key default true check (one), ` +
      'version integer not null, epoch bigint not null)',
    `insert into ${schema}.meta (version, epoch) values (0, 0)`,
    // No value: the record was removed, which those who remember it must hear of.
    `create table ${schema}.record (path text collate "C" primary key, value bytea, ` +
      'epoch bigint not null, gone timestamptz)',
    `create index record_epoch on ${schema}.record (epoch)`,
    `create index record_gone on ${schema}.record (gone) where gone is not null`,
    `create table ${schema}.pool (id bigint generated always as identity primary key, ` +
      'name text collate "C" not null unique, last_serial bigint not null default 0, ' +
      'taken_serial bigint not null default 0, waiting bigint not null default 0)',
    `create table ${schema}.lot (pool bigint not null, serial bigint not null, ` +
      'pairs integer not null, value bytea not null, primary key (pool, serial))',
    // Random bytes do not get smaller, and lots live for minutes.
    `alter table ${schema}.lot alter column value set storage external`,
    `alter table ${schema}.lot set (autovacuum_vacuum_threshold = 5000, ` +
      'autovacuum_vacuum_cost_delay = 0)',
    `create table ${schema}.reservation (pool bigint not null, filler text not null, ` +
      'pairs bigint not null, until timestamptz not null, primary key (pool, filler))',
    `create table ${schema}.attempt (id uuid primary key, made timestamptz not null default now(), ` +
      'result bigint)',
    `create index attempt_made on ${schema}.attempt (made)`,
    `create table ${schema}.machine (id uuid primary key, name text not null, ` +
      'seen timestamptz not null)',
    ...functionsOf(schema),
  ],
  // 2: batches.
  (schema) => [...batchTablesOf(schema), ...batchFunctionsOf(schema)],
];

/** The version of the schema that this pairmint works with. */
export const currentVersion = steps.length;

// The columns as the steps leave them.
const columns =
  'attempt.id uuid,attempt.made timestamptz,attempt.result int8,' +
  'batch.id int8,batch.name text,batch.pairs int8,batch.chunk int4,batch.chunks int4,' +
  'batch.state int2,batch.purged int4,batch.kept int8,batch.fenced int4,' +
  'batch.refusal text,batch.rest int4,batch.rest_until timestamptz,' +
  'batch_mark.batch int8,batch_mark.made int4,batch_mark.low int4,' +
  'batch_worker.batch int8,batch_worker.worker text,batch_worker.since timestamptz,' +
  'batch_worker.seen timestamptz,' +
  'chunk.batch int8,chunk.n int4,chunk.pairs int4,chunk.attempt int4,chunk.lease timestamptz,' +
  'chunk_result.batch int8,chunk_result.n int4,chunk_result.pairs int4,chunk_result.attempt int4,' +
  'chunk_result.worker text,chunk_result.settled timestamptz,chunk_result.value bytea,' +
  'lot.pool int8,lot.serial int8,lot.pairs int4,lot.value bytea,' +
  'machine.id uuid,machine.name text,machine.seen timestamptz,' +
  'meta.one bool,meta.version int4,meta.epoch int8,' +
  'pool.id int8,pool.name text,pool.last_serial int8,pool.taken_serial int8,pool.waiting int8,' +
  'record.path text,record.value bytea,record.epoch int8,record.gone timestamptz,' +
  'reservation.pool int8,reservation.filler text,reservation.pairs int8,reservation.until timestamptz';

const migrationLimit = 30_000;

/** The state of a database: whether there is a schema, and of which version. */
export type SchemaState = { readonly version: number } | 'none';

/**
 * Looks at the schema and at what the role may do.
 *
 * @throws StoreError if it is somebody else's, or of another version, or rights are missing
 */
export async function inspectSchema(connections: Connections, address: Address, end: number) {
  const version = await connections.use(end, (client) => versionOf(client, address.schema, end));
  if (version === undefined) return 'none';
  requireVersion(version, address);
  const [found] = await connections.run(lookAt(address.schema), end);
  requireOurs(found, address);
  return { version };
}

function requireVersion(version: number, { schema }: Address): void {
  if (version === currentVersion) return;
  const text = `the schema ${schema} has version ${version}; this pairmint works with ${currentVersion}`;
  if (version < currentVersion) {
    throw new ConfigurationError(text, { hint: 'bring it up to date: pairmint store migrate' });
  }
  throw new ConfigurationError(`${text}: a newer pairmint made it`, {
    hint: 'update pairmint: npm install pairmint@latest',
  });
}

/** Undefined if there is no such schema, or an empty one. @throws StoreError if it is another program's */
async function versionOf(client: Client, schema: string, end: number): Promise<number | undefined> {
  const text =
    'select (select count(*)::int from pg_class c where c.relnamespace = n.oid) as tables, ' +
    "has_schema_privilege(n.oid, 'usage') as is_usable from pg_namespace n where nspname = $1";
  const [found] = await query(client, { text, values: [schema] }, end);
  if (found === undefined || found.tables === 0) return undefined;
  if (found.is_usable !== true) throw lacking(`usage of the schema ${schema}`);
  try {
    const rows = await query(client, { text: `select version from ${schema}.meta` }, end);
    const version = rows[0]?.version;
    if (rows.length === 1 && typeof version === 'number') return version;
  } catch (error) {
    if (stateOf(error) === '42501') throw lacking(`select on ${schema}.meta`);
    if (storeError(error).fault !== 'foreign') throw error;
  }
  throw foreign(schema);
}

function lookAt(schema: string) {
  const rights = ['select', 'insert', 'update', 'delete'].map(
    (right) => `(not has_table_privilege(c.oid, '${right}'))::int`,
  );
  return {
    text:
      "select (select string_agg(c.relname || '.' || a.attname || ' ' || t.typname, ',' " +
      'order by c.relname, a.attnum) from pg_class c join pg_attribute a on a.attrelid = c.oid ' +
      "join pg_type t on t.oid = a.atttypid where c.relnamespace = n.oid and c.relkind = 'r' " +
      'and a.attnum > 0 and not a.attisdropped) as columns, ' +
      '(select count(*)::int from pg_trigger g join pg_class c on c.oid = g.tgrelid ' +
      'where c.relnamespace = n.oid and not g.tgisinternal) as triggers, ' +
      `(select sum(${rights.join(' + ')})::int from pg_class c where c.relnamespace = n.oid ` +
      "and c.relkind = 'r') as lacking_tables, " +
      '(select count(*)::int from pg_proc p where p.pronamespace = n.oid and not ' +
      "has_function_privilege(p.oid, 'execute')) as lacking_functions " +
      'from pg_namespace n where nspname = $1',
    values: [schema],
  };
}

// A trigger that was added would run in our transactions.
function requireOurs(found: Row | undefined, { schema, user }: Address): void {
  if (found?.columns !== columns || found.triggers !== 0) throw foreign(schema);
  if (found.lacking_tables !== 0) {
    throw lacking(`select, insert, update and delete on all tables of ${schema}`, user);
  }
  if (found.lacking_functions !== 0) throw lacking(`execute on all functions of ${schema}`, user);
}

/**
 * Brings the schema up to date, or makes it; says which versions it had and has. One process at a
 * time does so: the others wait for it and find it done.
 *
 * @throws StoreError if the role may not, or the schema is newer or somebody else's
 */
export async function migrate(connections: Connections, address: Address) {
  const { schema } = address;
  const end = performance.now() + migrationLimit;
  return connections.use(end, async (client) => {
    let from: number | undefined;
    for (;;) {
      const version = await step(client, schema, end);
      from ??= version;
      if (version > currentVersion) requireVersion(version, address);
      if (version >= currentVersion) return { from, to: version };
    }
  });
}

/** Does the next step, if there is one; says which version the schema had before. */
async function step(client: Client, schema: string, end: number): Promise<number> {
  const run = (text: string, values: readonly string[] = []) =>
    query(client, { text, values }, end);
  await run('begin');
  try {
    // Of the transaction, for a session's lock would stay behind in a pooler.
    await run('select pg_advisory_xact_lock(hashtext($1))', [`pairmint ${schema}`]);
    const found = await versionOf(client, schema, end);
    const version = found ?? 0;
    const statements = steps[version]?.(schema);
    if (statements !== undefined) {
      if (found === undefined) await makeSchema(run, schema);
      for (const text of statements) await run(text);
      await run(`update ${schema}.meta set version = ${version + 1}`);
    }
    await run('commit');
    return version;
  } catch (error) {
    await run('rollback').catch(() => {});
    if (stateOf(error) === '42501') {
      throw new StoreError(
        'failed',
        `the role may not make the schema: ${(error as Error).message}`,
      );
    }
    throw error;
  }
}

/** An empty one may have been made by somebody who may, for one who may not. */
async function makeSchema(
  run: (text: string, values?: readonly string[]) => Promise<Row[]>,
  schema: string,
) {
  const there = await run('select 1 from pg_namespace where nspname = $1', [schema]);
  if (there.length === 0) await run(`create schema ${schema}`);
}

function foreign(schema: string): StoreError {
  return new StoreError('foreign', `the schema ${schema} is not as pairmint made it`);
}

function lacking(rights: string, user?: string): StoreError {
  const who = user === undefined ? 'the role' : `the role ${user}`;
  return new StoreError('failed', `${who} lacks rights: ${rights}`);
}
