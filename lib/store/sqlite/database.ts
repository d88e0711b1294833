import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs';
import { pathToFileURL } from 'node:url';
import { StoreError } from '../store-errors.ts';
import { type Database, loadEngine } from './engine.ts';
import { replaced } from './faults.ts';
import { inodeOf, OpenFiles } from './open-files.ts';

// 'PRMT' marks a store among SQLite files.
const applicationId = 0x5052_4d54;

// What each version added to the one before. To the letter as SQLite keeps them in its schema.
const steps: readonly (readonly string[])[] = [
  [
    'CREATE TABLE record (path text primary key, value blob not null) strict',
    'CREATE TABLE pool (id integer primary key, name text not null unique, ' +
      'last_serial integer not null, waiting integer not null) strict',
    'CREATE TABLE lot (pool integer not null, serial integer not null, pairs integer not null, ' +
      'value blob not null, primary key (pool, serial)) strict',
    'CREATE TABLE reservation (pool integer not null, filler text not null, pairs integer not null, ' +
      'until integer not null, primary key (pool, filler)) strict',
  ],
  [
    'CREATE TABLE batch (id integer primary key, name text not null unique, ' +
      'pairs integer not null, chunk integer not null, done integer not null, ' +
      'state integer not null, refusal text, rest integer not null, rest_until integer not null, ' +
      'turn integer not null) strict',
    'CREATE TABLE chunk (batch integer not null, n integer not null, pairs integer not null, ' +
      'attempt integer not null, lease integer not null, primary key (batch, n)) strict',
    'CREATE TABLE chunk_result (batch integer not null, n integer not null, ' +
      'pairs integer not null, attempt integer not null, value blob not null, ' +
      'primary key (batch, n)) strict',
    'CREATE TABLE batch_worker (batch integer not null, worker text not null, ' +
      'pairs integer not null, since integer not null, seen integer not null, ' +
      'settled_at integer not null, stint integer not null, primary key (batch, worker)) strict',
  ],
];
const version = steps.length;

// For every connection. A schema that is not ours to the letter is refused, and even ours is not
// trusted. Cells are checked as they are read, which finds most damaged pages.
const settings = [
  'busy_timeout = 0',
  'mmap_size = 0',
  'trusted_schema = off',
  'cell_size_check = on',
  'temp_store = memory',
];

// A commit is on the disk when it returns, also on macOS, where drives would keep it in their
// cache. A file of changes larger than 16 MiB is truncated after it was taken over into the store.
const writerSettings = [
  'synchronous = full',
  'fullfsync = on',
  'checkpoint_fullfsync = on',
  'journal_size_limit = 16777216',
];

// SQLite's primary codes if shared memory cannot be made: SQLITE_IOERR, SQLITE_FULL,
// SQLITE_CANTOPEN.
const unshared = [10, 13, 14];

/**
 * Milliseconds that a thread may block in SQLite while another process makes the store or takes
 * over its changes. Not for the thread of the event loop.
 */
export const patience = 5000;

// The inode may change between two looks: an overlay gives a file another one on its first write.
const attempts = 3;

/** A connection and its open files. */
export interface Connection {
  readonly database: Database;
  readonly files: OpenFiles;
}

/** Opens a store's file for writing; makes the file if `mayMake`. @throws Error as SQLite does */
export function openToWrite(file: string, { mayMake }: { mayMake: boolean }): Connection {
  if (!existsSync(file)) {
    if (!mayMake) throw replaced(file);
    makeFile(file);
  }
  accessSync(file, constants.W_OK);
  return openSame(file, () => connectToWrite(file));
}

/** Opens the file at a path; tries again unless the path had the same inode before and after. */
function openSame(file: string, connect: () => Database): Connection {
  for (let left = attempts; ; left--) {
    const inode = inodeOf(file);
    const database = connect();
    if (inode !== undefined && inodeOf(file) === inode) {
      return { database, files: new OpenFiles(file, inode) };
    }
    database.close();
    if (left <= 1) throw replaced(file);
  }
}

function connectToWrite(file: string): Database {
  const database = new (loadEngine().DatabaseSync)(file);
  return set(database, patience, () => {
    // Checked before any write: another program's database must not be changed.
    if (!isEmpty(database)) checkSchema(database);
    const [mode] = database.prepare('pragma journal_mode = wal').all();
    if (mode?.journal_mode !== 'wal') {
      throw new StoreError('failed', 'the file system does not let processes share memory');
    }
    makeSchema(database);
    for (const setting of writerSettings) database.exec(`pragma ${setting}`);
  });
}

/**
 * Makes the file with mode 0600, because SQLite would let the group read it, unless another process
 * makes it first. The file is closed before it gets its name: closing a file drops all locks that
 * the process has on it (fcntl(2)), and if a connection has lost its lock, the next program that
 * closes the store removes the file of changes.
 */
function makeFile(file: string): void {
  const unnamed = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  closeSync(openSync(unnamed, 'wx', 0o600));
  try {
    linkSync(unnamed, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(unnamed);
  }
}

/** A read-only connection. */
export interface ReadConnection extends Connection {
  /** Whether it sees the latest commits; otherwise it must be opened again. */
  isCurrent(): boolean;
}

/**
 * Opens a store's file for reading.
 *
 * @param wait how many milliseconds to block the thread while a lock is held
 * @throws Error as SQLite does
 */
export function openToRead(file: string, { wait }: { wait: number }): ReadConnection {
  const { DatabaseSync } = loadEngine();
  const before = looksOf(file);
  try {
    const connection = openSame(file, () => {
      const database = new DatabaseSync(file);
      return set(database, wait, () => checkSchema(database));
    });
    return { ...connection, isCurrent: () => true };
  } catch (error) {
    const mayLackMemory = unshared.includes(((error as { errcode?: number }).errcode ?? 0) & 0xff);
    const hasChanges = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
    if (!mayLackMemory || hasChanges || !existsSync(file)) throw error;
    // On a read-only or full file system SQLite cannot make its shared memory, but no process can
    // write either. That may change at any time, through another mount or when space is freed.
    const place = pathToFileURL(file);
    place.searchParams.set('immutable', '1');
    const inode = inodeOf(file);
    if (inode === undefined) throw error;
    const database = new DatabaseSync(place, { readOnly: true });
    return {
      database: set(database, wait, () => checkSchema(database)),
      files: new OpenFiles(file, inode, []),
      isCurrent: () => looksOf(file) === before,
    };
  }
}

/** A text that changes when the file is written to. */
function looksOf(file: string): string {
  const parts = [file, `${file}-wal`].map((name) => {
    const status = statSync(name, { bigint: true, throwIfNoEntry: false });
    return status && `${status.ino} ${status.size} ${status.mtimeNs}`;
  });
  return parts.join();
}

/** The statements that make the schema of a backup called `name` in a connection. */
export function schemaOf(name: string): string[] {
  return [...additions(name, { after: 0 }), `pragma ${name}.application_id = ${applicationId}`];
}

/** The statements that make the schema of an earlier version that of today. */
function additions(name: string, { after }: { after: number }): string[] {
  const tables = steps.slice(after).flat();
  return [
    ...tables.map((table) => table.replace('CREATE TABLE ', `CREATE TABLE ${name}.`)),
    `pragma ${name}.user_version = ${version}`,
  ];
}

function set(database: Database, wait: number, prepare: () => void): Database {
  try {
    database.exec(`pragma busy_timeout = ${wait}`);
    prepare();
    for (const setting of settings) database.exec(`pragma ${setting}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function makeSchema(database: Database): void {
  database.exec('begin immediate');
  try {
    const after = isEmpty(database) ? 0 : checkSchema(database);
    const statements = after === 0 ? schemaOf('main') : additions('main', { after });
    if (after < version) for (const statement of statements) database.exec(statement);
    checkSchema(database);
    database.exec('commit');
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Rolls back a failed transaction, unless SQLite has done so itself. */
export function rollBack(database: Database): void {
  try {
    database.exec('rollback');
  } catch {
    // The caller reports the earlier failure.
  }
}

function isEmpty(database: Database): boolean {
  return database.prepare('select 1 from sqlite_schema limit 1').get() === undefined;
}

/**
 * The version of the schema. A trigger or view that was added to the file would run in our
 * transactions.
 */
function checkSchema(database: Database): number {
  if (isEmpty(database)) throw new StoreError('corrupt', 'it has no tables');
  const id = database.prepare('pragma application_id').get()?.application_id;
  if (id !== applicationId) throw new StoreError('foreign', 'it is not a pairmint store');
  const found = database.prepare('pragma user_version').get()?.user_version;
  // A store of an earlier version that cannot be written to can be read all the same.
  if (typeof found !== 'number' || found < 1 || found > version) {
    throw new StoreError(
      'foreign',
      `its tables are of version ${found}, made by another pairmint; this one reads version ${version}`,
    );
  }
  const tables = steps.slice(0, found).flat();
  const schema = database.prepare('select sql from sqlite_schema where sql is not null').all();
  const statements = schema.map(({ sql }) => sql);
  const isOurs = statements.length === tables.length && tables.every((t) => statements.includes(t));
  if (!isOurs) throw new StoreError('corrupt', 'its tables are not as pairmint made them');
  return found;
}
