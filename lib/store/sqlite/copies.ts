import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../store-errors.ts';
import { openToRead, rollBack, schemaOf } from './database.ts';
import type { Database } from './engine.ts';

/** Writes the records of one moment to a new file, which is whole or not there. */
export function copyTo(database: Database, file: string): void {
  const unfinished = `${file}.${randomBytes(8).toString('hex')}.unfinished`;
  // Refuses what is there, and keeps others from reading.
  closeSync(openSync(unfinished, 'wx', 0o600));
  try {
    attached(database, unfinished, () => {
      database.exec('begin');
      try {
        for (const statement of schemaOf('other')) database.exec(statement);
        database.exec('insert into other.record select * from main.record order by path');
        database.exec('commit');
      } catch (error) {
        rollBack(database);
        throw error;
      }
    });
    // Unlike renaming, fails if the file is there.
    linkSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
  syncFolder(path.dirname(file));
}

/** Replaces the records by those of a backup. Waiting pairs are removed. */
export function takeOver(database: Database, file: string): void {
  // Refuses what is no backup. A transaction is open already, in which nothing can be attached: the rows pass through here.
  const { database: source } = openToRead(file);
  try {
    for (const table of ['record', 'lot', 'pool', 'reservation']) {
      database.exec(`delete from main.${table}`);
    }
    const insert = database.prepare('insert into main.record (path, value) values (?, ?)');
    const select = source.prepare(
      'select path, value from record where path > ? order by path limit 500',
    );
    for (let last = ''; ; ) {
      const rows = select.all(last);
      for (const { path, value } of rows) insert.run(path as string, value as Uint8Array);
      const next = rows.at(-1)?.path as string | undefined;
      if (next === undefined) return;
      if (next <= last) throw new StoreError('corrupt', `${file} is out of order`);
      last = next;
    }
  } finally {
    source.close();
  }
}

function attached(database: Database, file: string, use: () => void): void {
  database.prepare('attach database ? as other').run(file);
  try {
    database.exec('pragma other.journal_mode = delete');
    database.exec('pragma other.synchronous = full');
    use();
  } finally {
    database.exec('detach database other');
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
