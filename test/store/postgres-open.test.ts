import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigurationError } from '../../lib/core/configuration-error.ts';
import { type OpenOptions, Pairmint } from '../../lib/service/pairmint.ts';
import { parseAddress } from '../../lib/store/postgres/address.ts';
import { type Client, loadDriver } from '../../lib/store/postgres/driver.ts';
import { passwordFor } from '../../lib/store/postgres/password.ts';
import { migratePostgres, PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { currentVersion } from '../../lib/store/postgres/schema.ts';
import { withoutPassword } from '../../lib/store/store-url.ts';
import { capture } from '../cli/run.ts';
import { Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres, secretPassword } from '../support/postgres.ts';

async function refusalOf(open: Promise<{ close(): Promise<void> }>): Promise<ConfigurationError> {
  const error = await open.then(
    (opened) => opened.close().then(() => undefined),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(`${error.message} ${error.hint}`).not.toContain(secretPassword);
  return error;
}

describe('the URL of a store on PostgreSQL', () => {
  it('names several hosts, a user, a database and what else there is', () => {
    const url =
      'postgresql://us%40er:p%3Ass@one:1111,[::1]:2222,three/keys?schema=mine&connections=9&sslmode=disable';
    const address = parseAddress(url);
    expect(address).toMatchObject({
      url: 'postgresql://us%40er@one:1111,[::1]:2222,three/keys?schema=mine&connections=9&sslmode=disable',
      hosts: [
        { host: 'one', port: 1111 },
        { host: '::1', port: 2222 },
        { host: 'three', port: 5432 },
      ],
      user: 'us@er',
      password: 'p:ss',
      database: 'keys',
      schema: 'mine',
      connections: 9,
    });
  });

  it('asks for a verified certificate of another machine, unless it says otherwise', () => {
    const ssl = (url: string) => parseAddress(url).ssl(parseAddress(url).hosts[0] as never);
    expect(ssl('postgres://u@127.0.0.1/d')).toBe(false);
    expect(ssl('postgres://u@%2Frun%2Fpostgresql/d')).toBe(false);
    expect(ssl('postgres://u@db.example/d')).toMatchObject({ rejectUnauthorized: true });
    expect(ssl('postgres://u@127.0.0.1/d?sslmode=require')).toEqual({ rejectUnauthorized: false });
    expect(ssl('postgres://u@db.example/d?sslmode=disable')).toBe(false);
  });

  it.each([
    ['postgres://u:not-to-be-seen@h/d?sslmode=prefer', 'it would go on without encryption unseen'],
    ['postgres://u:not-to-be-seen@h/d?nonsense=1', "there is no parameter 'nonsense'"],
    ['postgres://u@h/d?password=not-to-be-seen', 'a password stands before the host'],
    ['postgres://u:not-to-be-seen@h:99999/d', 'one of its hosts is not HOST or HOST:PORT'],
    ['postgres://u:not-to-be-seen@h/d?connections=2', 'connections is a number from 3 to 100'],
    ['postgres://u:not-to-be-seen@h/d?schema=a"b', 'is not a name of a schema'],
    ['postgres://u:not-to-be%zz@h/d', 'hexadecimal'],
    ['postgres://u:not/to@be-seen@h/d', 'it has not the form'],
    ['postgres:not-a-url', 'it has not the form'],
    ['postgres://u@h/d?target_session_attrs=standby', 'target_session_attrs is read-write'],
  ])('%s is refused with the reason, and without the password', async (store, reason) => {
    const { message, hint } = await refusalOf(Pairmint.open({ store }));
    expect(message).toContain(reason);
    expect(message).not.toMatch(/not-to-be|be-seen/);
    expect(hint).toContain('postgres://USER@HOST');
  });

  it.each([
    ['postgres://u:secret@h/d', 'postgres://u@h/d'],
    ['postgress://u:secret@h/d', 'postgress://u@h/d'],
    ['postgres://u:sec/r@et@h/d', 'postgres://u@h/d'],
    ['postgres://:secret@h/d', 'postgres://h/d'],
    ['postgres://u@h/d?password=secret&a=b', 'postgres://u@h/d?password=…&a=b'],
    ['sqlite:/a/b@c.db', 'sqlite:/a/b@c.db'],
  ])('%s is shown as %s', (url, shown) => {
    expect(withoutPassword(url)).toBe(shown);
  });

  it('that is misspelt does not show its password', async () => {
    const { message } = await refusalOf(Pairmint.open({ store: 'postgress://u:secret@h/d' }));
    expect(message).toBe("'postgress://u@h/d' is not a store");
  });

  it('needs the package pg, and says how to get it', async () => {
    const error = await loadDriver(() => Promise.reject(new Error('not found'))).catch((e) => e);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.hint).toBe('npm install pg');
  });

  it('takes a password function for itself alone', async () => {
    const storePassword = () => 'x';
    const { message } = await refusalOf(Pairmint.open({ store: 'memory:', storePassword }));
    expect(message).toBe('storePassword is of no use to the store memory:');
    const any = { store: 'postgres://u@h/d', storePassword: 'x' } as unknown as OpenOptions;
    expect((await refusalOf(Pairmint.open(any))).message).toBe('storePassword must be a function');
  });
});

describe('the password of a connection', () => {
  const address = parseAddress('postgres://u@h:1234/d');
  const [host] = address.hosts as [{ host: string; port: number }];
  const env = { ...process.env };
  afterEach(() => {
    process.env = { ...env };
  });

  it('comes from the line of PGPASSFILE that fits', async () => {
    const file = `${temporaryFolder()}/pgpass`;
    writeFileSync(file, '# none\nh:1234:other:u:wrong\n*:*:d:u:a\\:b\\\\c\nh:*:*:*:later\n', {
      mode: 0o600,
    });
    process.env.PGPASSFILE = file;
    delete process.env.PGPASSWORD;
    expect(await passwordFor(address, host, undefined)).toBe('a:b\\c');
    expect(await passwordFor(address, host, async () => 'token')).toBe('token');
    process.env.PGPASSWORD = 'of the environment';
    expect(await passwordFor(address, host, undefined)).toBe('of the environment');
  });

  it('is not read from a file that others can read', async () => {
    const file = `${temporaryFolder()}/pgpass`;
    writeFileSync(file, '*:*:*:*:x\n', { mode: 0o644 });
    process.env.PGPASSFILE = file;
    delete process.env.PGPASSWORD;
    await expect(passwordFor(address, host, undefined)).rejects.toThrow('can be read by others');
  });
});

describe.skipIf(!hasPostgres)('a store on PostgreSQL', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.remove());

  it('is made by an explicit init alone, and says what was made without the password', async () => {
    const folder = temporaryFolder();
    const store = cluster.url(await cluster.database());
    const rootKey = { file: `${folder}/root.key` };
    const { message, hint } = await refusalOf(Pairmint.open({ store, rootKey }));
    expect(message).toBe(`there is no store at ${withoutPassword(store)}`);
    expect(hint).toContain('pairmint init');
    expect(readdirSync(folder)).toEqual([]);
    const args = ['--store', store, '--root-key-file', rootKey.file];
    const made = await capture(['init', ...args], (options) => Pairmint.open(options));
    expect(made.exitCode).toBe(0);
    expect(made.stdout).toContain(withoutPassword(store));
    expect(readdirSync(folder)).toEqual(['root.key', 'root.key.seen']);
    const seen = await capture(['doctor', ...args], (options) => Pairmint.open(options));
    expect(seen.stdout).toMatch(/server +PostgreSQL \d+/);
    expect(seen.stdout).toContain('synchronous_commit on');
    expect(seen.stdout).toContain('0 others have the store open');
    for (const { stdout, stderr } of [made, seen]) {
      expect(stdout + stderr).not.toContain(secretPassword);
    }
    const kms = await Pairmint.open({ store, rootKey });
    expect((await kms.listKeys({})).Keys).toEqual([]);
    await expect(kms.store.backup(`${folder}/copy`)).rejects.toThrow('is backed up by its server');
    await kms.close();
  });

  it('is made by one of four that begin at once, and the others leave no root key', async () => {
    const store = cluster.url(await cluster.database());
    const folders = Array.from({ length: 4 }, () => temporaryFolder());
    const outcomes = await Promise.all(
      folders.map((folder) =>
        Pairmint.open({ store, create: true, rootKey: { file: `${folder}/root.key` } }).then(
          (kms) => kms.close().then(() => 'made'),
          (error) => error,
        ),
      ),
    );
    const losers = outcomes.filter((outcome) => outcome !== 'made');
    expect(losers).toHaveLength(3);
    for (const error of losers) {
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error.message).toMatch(/another process has just made|no root key file/);
    }
    const keys = folders.map((folder) => readdirSync(folder));
    expect(keys.flat()).toEqual(['root.key', 'root.key.seen']);
    expect(keys[outcomes.indexOf('made')]).toHaveLength(2);
  });

  it('is refused with another root key, and no new one is made where it is missing', async () => {
    const folder = temporaryFolder();
    const store = cluster.url(await cluster.database());
    const rootKey = { file: `${folder}/root.key` };
    await (await Pairmint.open({ store, rootKey, create: true })).close();
    const other = { bytes: Buffer.alloc(32, 1) };
    expect((await refusalOf(Pairmint.open({ store, rootKey: other }))).message).toContain(
      'the root key is not the one',
    );
    const file = `${folder}/none.key`;
    expect((await refusalOf(Pairmint.open({ store, rootKey: { file } }))).message).toBe(
      `there is no root key file ${file}`,
    );
    expect(existsSync(file)).toBe(false);
  });

  it('has pools that processes share, checks them, and voids them by a fence', async () => {
    const store = cluster.url(await cluster.database());
    const rootKey = { bytes: Buffer.alloc(32, 1) };
    const one = await Pairmint.open({ store, rootKey, create: true, refillPools: false });
    const two = await Pairmint.open({ store, rootKey, refillPools: false });
    const { KeyMetadata } = await one.createKey({});
    const request = {
      KeyId: KeyMetadata?.KeyId as string,
      KeyPairSpec: 'ECC_NIST_EDWARDS25519',
    } as const;
    await one.pools.create({ ...request, target: 40 });
    expect(await one.pools.fill()).toBe(40);
    const drawn = await Promise.all(
      [one, two, one, two].map((kms) => kms.generateDataKeyPairWithoutPlaintext(request)),
    );
    const keys = drawn.map(({ PublicKey }) => Buffer.from(PublicKey ?? []).toString('hex'));
    expect(new Set(keys).size).toBe(4);
    expect(await two.store.check()).toMatchObject({ faults: [] });
    await one.store.fence();
    expect(await two.store.check()).toMatchObject({ pairs: 0, faults: [] });
    expect(await two.pools.fill()).toBe(40);
    await Promise.all([one.close(), two.close()]);
  });

  it('takes its password from a function, anew for each connection', async () => {
    const store = cluster.url(await cluster.database()).replace(`:${secretPassword}`, '');
    let asked = 0;
    const storePassword = async () => {
      asked++;
      return secretPassword;
    };
    const rootKey = { bytes: Buffer.alloc(32, 1) };
    const kms = await Pairmint.open({ store, storePassword, rootKey, create: true });
    await kms.createKey({});
    await kms.close();
    expect(asked).toBeGreaterThan(2);
    const wrong = await refusalOf(Pairmint.open({ store, rootKey, storePassword: () => 'wrong' }));
    expect(wrong.message).toContain('password authentication failed');
  });

  it('is found on the host that takes writes', async () => {
    const url = cluster.url(await cluster.database());
    const several = url.replace('@', '@127.0.0.1:1,');
    const store = await PostgresStore.open(several, { makeSchema: true });
    await store.probe();
    await store.close();
  });

  it.each([
    ['of a newer version', 'update pairmint.meta set version = 99', 'a newer pairmint made it'],
    ['of another program', 'drop table pairmint.meta', 'is not as pairmint made it'],
    ['with a column more', 'alter table pairmint.lot add x int', 'is not as pairmint made it'],
    [
      'with a trigger',
      'create trigger t before update on pairmint.record for each row execute function ' +
        'suppress_redundant_updates_trigger()',
      'is not as pairmint made it',
    ],
    ['of an older version', 'update pairmint.meta set version = 0', 'has version 0'],
  ])('whose schema is %s is refused', async (_what, spoil, reason) => {
    const database = await cluster.database();
    const url = cluster.url(database);
    await migratePostgres(url);
    await cluster.query(spoil, database);
    expect((await refusalOf(PostgresStore.open(url))).message).toContain(reason);
  });

  it.each([
    ['synchronous_commit = off', 'synchronous_commit is off'],
    ['default_transaction_read_only = on', 'read-only'],
  ])('is refused where the server has %s', async (setting, reason) => {
    const database = await cluster.database();
    const url = cluster.url(database);
    await migratePostgres(url);
    await cluster.query(`alter database ${database} set ${setting}`);
    expect((await refusalOf(PostgresStore.open(url))).message).toContain(reason);
  });

  it('writes durably also where a pooler lends a session that does not', async () => {
    const database = await cluster.database();
    await migratePostgres(cluster.url(database));
    const [row] = await cluster.query(
      "select set_config('synchronous_commit', 'off', true), pairmint.require_durability(), " +
        "current_setting('synchronous_commit') as now",
      database,
    );
    expect(row?.now).toBe('on');
  });

  it('is served by a role without the right to make tables, and names what it lacks', async () => {
    const database = await cluster.database();
    const url = cluster.url(database);
    expect(await migratePostgres(url)).toMatchObject({ from: 0, to: currentVersion });
    expect(await migratePostgres(url)).toMatchObject({
      from: currentVersion,
      to: currentVersion,
    });
    const role = `role_${database}`;
    await cluster.query(`create role ${role} login password '${secretPassword}'`);
    const service = cluster.url(database, { user: role });
    const open = () => PostgresStore.open(service);
    expect((await refusalOf(open())).message).toContain('lacks rights: usage of the schema');
    await cluster.query(`grant usage on schema pairmint to ${role}`, database);
    expect((await refusalOf(open())).message).toContain('lacks rights: select');
    await cluster.query(`grant select on pairmint.meta to ${role}`, database);
    expect((await refusalOf(open())).message).toContain('lacks rights: select, insert, update');
    const tables = 'select, insert, update, delete on all tables in schema pairmint';
    await cluster.query(`grant ${tables} to ${role}`, database);
    const store = await open();
    expect(await store.commit([{ path: 'a', expected: undefined, next: Buffer.from('1') }])).toBe(
      true,
    );
    await store.close();
    const fresh = cluster.url(await cluster.database(), { user: role });
    const refused = await refusalOf(PostgresStore.open(fresh, { makeSchema: true }));
    expect(refused.message).toContain('the role may not make the schema');
  });

  it('that cannot be reached is refused in time, with the reason', async () => {
    const from = performance.now();
    const error = await refusalOf(PostgresStore.open(cluster.url('x', { port: 1 })));
    expect(error.message).toContain('ECONNREFUSED');
    expect(performance.now() - from).toBeLessThan(5000);
    const wrong = await refusalOf(PostgresStore.open(cluster.url('not_there')));
    expect(wrong.message).toContain('database "not_there" does not exist');
  });

  it('is refused where the server is too old', async () => {
    const { prototype } = (await loadDriver()).Client as unknown as { prototype: Client };
    const { query } = prototype;
    const old = vi.spyOn(prototype, 'query').mockImplementation(async function (
      this: Client,
      statement,
    ) {
      const { rows } = await query.call(this, statement);
      const isAsked = statement.text.includes('server_version_num');
      const fake = { version: '14.10', number: 140_010 };
      return { rows: isAsked ? rows.map((row) => ({ ...row, ...fake })) : rows };
    });
    onTestFinished(() => old.mockRestore());
    const { message } = await refusalOf(PostgresStore.open(cluster.url(), { makeSchema: true }));
    expect(message).toContain('PostgreSQL 14.10 is too old: a store needs 15 or later');
  });

  it('is refused where the role may not execute its functions', async () => {
    const database = await cluster.database();
    await migratePostgres(cluster.url(database));
    const role = `role_${database}`;
    await cluster.query(`create role ${role} login password '${secretPassword}'`);
    for (const text of [
      `grant usage on schema pairmint to ${role}`,
      `grant select, insert, update, delete on all tables in schema pairmint to ${role}`,
      'revoke execute on all functions in schema pairmint from public',
    ]) {
      await cluster.query(text, database);
    }
    const url = cluster.url(database, { user: role });
    const { message } = await refusalOf(PostgresStore.open(url));
    expect(message).toContain(
      `the role ${role} lacks rights: execute on all functions of pairmint`,
    );
  });

  it('is migrated by the next who tries if the first was killed in the middle', async () => {
    const database = await cluster.database();
    const url = cluster.url(database);
    // A second for each table.
    await cluster.query(
      'create function slow() returns event_trigger language plpgsql as ' +
        "'begin perform pg_sleep(1); end'; " +
        "create event trigger slow on ddl_command_end when tag in ('CREATE TABLE') " +
        'execute function slow()',
      database,
    );
    const commands = new Commands(temporaryFolder());
    const { child, ended } = commands.start('store', 'migrate', '--store', url);
    const sleeping = `select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = '${database}'`;
    await vi.waitFor(async () => expect(await cluster.query(sleeping)).toHaveLength(1), 20_000);
    child.kill('SIGKILL');
    await ended;
    await cluster.query('alter event trigger slow disable', database);
    const { from, to } = await migratePostgres(url);
    expect([from, to]).toEqual([0, to]);
    const store = await PostgresStore.open(url);
    await store.close();
  }, 60_000);

  it('is refused where fsync is off', async () => {
    const own = await Cluster.start();
    onTestFinished(() => own.remove());
    await own.stop('SIGINT');
    await own.run({ fsync: 'off' });
    expect((await refusalOf(PostgresStore.open(own.url()))).message).toContain('fsync is off');
  });
});
