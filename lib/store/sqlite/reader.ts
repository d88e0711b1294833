import { randomUUID } from 'node:crypto';
import type { BatchLevel, ChunkCounts, ChunkResult, SettledChunk } from '../batch-store.ts';
import type { Entry } from '../key-store.ts';
import type { StoredLot } from '../lot-store.ts';
import { StoreError } from '../store-errors.ts';
import { BatchRows } from './batch-rows.ts';
import { monotonicNow } from './calls.ts';
import { bytesOf, numberOf, textOf } from './cells.ts';
import { openToRead } from './database.ts';
import type { Database, Row, Statement } from './engine.ts';
import { replaced } from './faults.ts';
import type { OpenFiles } from './open-files.ts';

// Sorts after all characters of paths.
export const afterAll = '\uffff';

/** Reads from a store's file. */
export class Reader {
  readonly #database: Database;
  readonly #files: OpenFiles;
  readonly #isCurrent: () => boolean;
  // Tells readers apart: SQLite's data_version starts with the same number in each connection.
  readonly #name = randomUUID();
  readonly #get: Statement;
  readonly #listFrom: Statement;
  readonly #listAfter: Statement;
  readonly #count: Statement;
  readonly #pool: Statement;
  readonly #lots: Statement;
  readonly #pools: Statement;
  readonly #version: Statement;
  readonly #batches: BatchRows;

  /**
   * @param inode the inode that the file must have, if known
   * @throws Error if the file cannot be opened, also if a lock is held: it does not wait
   */
  constructor(file: string, { inode }: { inode?: string | undefined } = {}) {
    const { database, files, isCurrent } = openToRead(file, { wait: 0 });
    this.#database = database;
    this.#files = files;
    this.#isCurrent = isCurrent;
    if (inode !== undefined && inode !== files.inode) {
      database.close();
      throw replaced(file);
    }
    const list = (compared: string) =>
      database.prepare(
        `select path, value from record where path ${compared} ? and path < ? order by path limit ?`,
      );
    this.#get = database.prepare('select value from record where path = ?');
    this.#listFrom = list('>=');
    this.#listAfter = list('>');
    this.#count = database.prepare(
      'select count(*) as n from (select 1 from record where path >= ? and path < ? limit ?)',
    );
    this.#pool = database.prepare('select last_serial, waiting from pool where name = ?');
    this.#lots = database.prepare(
      'select serial, pairs, value from lot where pool = (select id from pool where name = ?) ' +
        'and serial > ? order by serial limit ?',
    );
    this.#pools = database.prepare(
      'select name from pool where exists (select 1 from lot where pool = pool.id) order by name',
    );
    this.#version = database.prepare('pragma data_version');
    this.#batches = new BatchRows(database);
  }

  /** The inode of the file that it reads. */
  get inode(): string {
    return this.#files.inode;
  }

  /** @throws StoreError if one of its open files is no longer at its path */
  requireSame(): void {
    this.#files.requireSame();
  }

  /** Whether it sees the latest commits; otherwise a new reader is needed. */
  get isCurrent(): boolean {
    return this.#isCurrent();
  }

  get(path: string): Uint8Array | undefined {
    const row = this.#get.get(path);
    return row && bytesOf(row.value);
  }

  getAll(paths: readonly string[]): (Uint8Array | undefined)[] {
    this.#database.exec('begin');
    try {
      return paths.map((path) => this.get(path));
    } finally {
      this.#database.exec('commit');
    }
  }

  /** @throws StoreError if the entries are out of order: paging through them might never end */
  list(prefix: string, after: string | undefined, limit: number): Entry[] {
    const rows =
      after === undefined
        ? this.#listFrom.all(prefix, prefix + afterAll, limit)
        : this.#listAfter.all(after, prefix + afterAll, limit);
    let last = after;
    for (const row of rows) {
      const path = textOf(row.path);
      bytesOf(row.value);
      if (!path.startsWith(prefix) || (last !== undefined && path <= last)) {
        throw new StoreError('corrupt', 'the index of records is out of order');
      }
      last = path;
    }
    return rows as unknown as Entry[];
  }

  count(prefix: string, most: number): number {
    return this.#count.get(prefix, prefix + afterAll, most)?.n as number;
  }

  levels(pools: readonly string[]): number[] {
    return pools.map((pool) => numberOf(this.#pool.get(pool)?.waiting ?? 0));
  }

  lastSerial(pool: string): number {
    return numberOf(this.#pool.get(pool)?.last_serial ?? 0);
  }

  listLots(pool: string, after: number, limit: number): StoredLot[] {
    const rows = this.#lots.all(pool, after, limit);
    for (const { value } of rows) bytesOf(value);
    return inOrder(rows, after);
  }

  /** The pools that have lots. */
  pools(): string[] {
    return this.#pools.all().map(({ name }) => textOf(name));
  }

  chunksWait(): boolean {
    return this.#batches.isWaiting(monotonicNow());
  }

  batchLevels(names: readonly string[]): (BatchLevel | undefined)[] {
    return this.#batches.levels(names, monotonicNow());
  }

  settledChunks(name: string, after: number, limit: number): SettledChunk[] {
    return this.#batches.settled(name, after, limit);
  }

  chunkResult(name: string, n: number): ChunkResult | undefined {
    return this.#batches.result(name, n);
  }

  batchNames(): string[] {
    return this.#batches.names();
  }

  chunkCounts(): ChunkCounts {
    return this.#batches.chunks(monotonicNow());
  }

  /**
   * Changes whenever another connection has committed; differs from reader to reader.
   *
   * @throws StoreError as requireSame does
   */
  dataVersion(): string {
    this.requireSame();
    return `${this.#name} ${this.#version.get()?.data_version}`;
  }

  /** Saves the commits of a removed file of changes into the store's file, if no lock is held. */
  saveChanges(): void {
    if (this.#files.lackOnlyChanges) this.#database.exec('pragma wal_checkpoint');
  }

  close(): void {
    this.#database.close();
  }
}

/** The lots of selected rows. @throws StoreError if their serials do not rise */
export function inOrder(rows: readonly Row[], after: number): StoredLot[] {
  let last = after;
  for (const { serial, pairs } of rows) {
    numberOf(pairs);
    if (numberOf(serial) <= last) {
      throw new StoreError('corrupt', 'the index of lots is out of order');
    }
    last = numberOf(serial);
  }
  return rows as unknown as StoredLot[];
}
