import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../store-errors.ts';
import { openToRead, patience, rollBack, schemaOf } from './database.ts';
import { type Database, loadEngine } from './engine.ts';

const atOnce = 500;

/**
 * Writes the records of one moment to a new file, which appears only when it is complete.
 *
 * @param check called again and again; the copy ends if it throws
 */
export function copyTo(source: Database, file: string, check: () => void): void {
  // Before the work; linking makes sure of it.
  if (existsSync(file)) throw new StoreError('failed', 'there is such a file already');
  const unfinished = `${file}.${randomBytes(8).toString('hex')}.unfinished`;
  // Fails if the file exists; the mode keeps other users from reading it.
  closeSync(openSync(unfinished, 'wx', 0o600));
  try {
    write(source, unfinished, check);
    check();
    // Unlike renaming, linking fails if the file exists.
    linkSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
  syncFolder(path.dirname(file));
}

const others = ['lot', 'pool', 'reservation', 'batch', 'chunk', 'chunk_result', 'batch_worker'];

/** Replaces the records by those of a backup. Waiting pairs are removed, and the pairs of batches. */
export function takeOver(database: Database, file: string): void {
  // Opening it checks that the file is a backup.
  const { database: source } = openToRead(file, { wait: patience });
  try {
    for (const table of ['record', ...others]) {
      database.exec(`delete from main.${table}`);
    }
    copyRecords(source, database, () => {});
  } finally {
    source.close();
  }
}

function write(source: Database, file: string, check: () => void): void {
  const copy = new (loadEngine().DatabaseSync)(file);
  try {
    // No journal: an unfinished copy is removed anyway.
    copy.exec('pragma journal_mode = off');
    copy.exec('pragma synchronous = full');
    copy.exec('pragma fullfsync = on');
    copy.exec('begin');
    for (const statement of schemaOf('main')) copy.exec(statement);
    source.exec('begin');
    try {
      copyRecords(source, copy, check);
    } finally {
      rollBack(source);
    }
    copy.exec('commit');
  } finally {
    copy.close();
  }
}

/** Copies row by row: SQLite attaches no file in a transaction or to a read-only connection. */
function copyRecords(source: Database, to: Database, check: () => void): void {
  const insert = to.prepare('insert into main.record (path, value) values (?, ?)');
  const select = source.prepare(
    `select path, value from record where path > ? order by path limit ${atOnce}`,
  );
  for (let last = ''; ; ) {
    check();
    const rows = select.all(last);
    for (const { path, value } of rows) insert.run(path as string, value as Uint8Array);
    const next = rows.at(-1)?.path as string | undefined;
    if (next === undefined) return;
    if (next <= last) throw new StoreError('corrupt', 'the index of records is out of order');
    last = next;
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
