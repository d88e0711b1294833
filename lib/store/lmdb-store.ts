import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Database } from 'lmdb';
import { ConfigurationError } from '../configuration-error.ts';
import type { Native } from '../native.ts';
import { CommitCounter } from './commit-counter.ts';
import { checkFreeSpace } from './free-space.ts';
import { type Change, type Entry, type KeyStore, sameValue } from './key-store.ts';
import { faultOf, makeRoom } from './lmdb-file.ts';

// As CommonJS it is three files instead of twenty, and a command starts the sooner.
const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');

// So that others have a turn of the event loop.
const countedAtOnce = 2000;

// What a commit may take at most: the pages on the way to each value, its own, and some for LMDB.
const pageSize = 4096;
const pagesToAChange = 4;
const pagesToACommit = 16;

type ViewFile = Native['viewFile'];

// Sorts after every character that a path may have.
const afterAll = '\uffff';

/** Keys in a folder, shared by the processes of one machine: LMDB through the lmdb package. */
export class LmdbStore implements KeyStore {
  readonly url: string;
  readonly #folder: string;
  readonly #db: Database<Buffer, string>;
  readonly #commits: CommitCounter;

  private constructor(folder: string, db: Database<Buffer, string>, commits: CommitCounter) {
    this.url = urlOf(folder);
    this.#folder = folder;
    this.#db = db;
    this.#commits = commits;
  }

  /**
   * @param viewFile as native code has it; without it the store has no generation
   * @throws ConfigurationError where the folder cannot be written or holds no store
   */
  static open(folder: string, viewFile: ViewFile = () => undefined): LmdbStore {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      checkFreeSpace(folder);
      const fault = faultOf(path.join(folder, 'data.mdb'));
      if (fault !== undefined) throw new Error(fault);
      const db = open<Buffer, string>({
        path: folder,
        noSubdir: false,
        encoding: 'binary',
        // The default resolves a commit before it is on disk.
        overlappingSync: false,
      });
      return new LmdbStore(folder, db, countCommits(folder, db, viewFile));
    } catch (cause) {
      throw new ConfigurationError(
        `the store ${urlOf(folder)} cannot be opened: ${reasonOf(cause)}`,
        {
          hint: 'name another folder with PAIRMINT_STORE=lmdb:FOLDER or --store, or restore this one',
          cause,
        },
      );
    }
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.#current().get(path);
  }

  async list(
    prefix: string,
    { after, limit }: { after?: string | undefined; limit: number },
  ): Promise<Entry[]> {
    const range = this.#current().getRange({
      start: after ?? prefix,
      exclusiveStart: after !== undefined,
      end: prefix + afterAll,
      limit,
    });
    return Array.from(range, ({ key, value }) => ({ path: key, value }));
  }

  async count(prefix: string, most: number, weigh = (_path: string) => 1): Promise<number> {
    let count = 0;
    for (let last = prefix; count < most; await turn()) {
      const limit = Math.min(countedAtOnce, most - count);
      const options = { start: last, exclusiveStart: true, end: prefix + afterAll, limit };
      const paths = Array.from(this.#current().getKeys(options));
      count = paths.reduce((sum, path) => sum + weigh(path), count);
      if (paths.length < limit) break;
      last = paths.at(-1) as string;
    }
    return count;
  }

  // In this thread, which waits for the disk: lmdb's other way waits in a libuv thread for a callback,
  // and a process that exits meanwhile waits for that thread for ever. Changes of keys are rare.
  async commit(changes: readonly Change[]): Promise<boolean> {
    checkFreeSpace(this.#folder);
    let begun = false;
    try {
      return this.#db.transactionSync(() => {
        if (!changes.every(({ path, expected }) => sameValue(this.#db.get(path), expected))) {
          // Whoever expected it may have been told by a file that nobody counts in any more.
          this.#commits.look();
          return false;
        }
        this.#commits.begin();
        begun = true;
        makeRoom(path.join(this.#folder, 'data.mdb'), pagesFor(changes));
        for (const { path, next } of changes) {
          if (next === undefined) this.#db.removeSync(path);
          else this.#db.putSync(path, Buffer.from(next));
        }
        return true;
      });
    } finally {
      if (begun) this.#commits.end();
    }
  }

  generation(): number | undefined {
    return this.#commits.last();
  }

  async close(): Promise<void> {
    await this.#db.close();
    this.#commits.close();
  }

  // lmdb reads from one snapshot until the event loop turns; what another Pairmint or process has
  // committed since then, and has answered, must be seen. Costs about a microsecond.
  #current(): Database<Buffer, string> {
    this.#db.resetReadTxn();
    return this.#db;
  }
}

function countCommits(folder: string, db: Database<Buffer, string>, viewFile: ViewFile) {
  try {
    return new CommitCounter(path.join(folder, 'commits'), viewFile);
  } catch (error) {
    void db.close();
    throw error;
  }
}

function pagesFor(changes: readonly Change[]): number {
  const bytes = changes.reduce((sum, { next }) => sum + (next?.byteLength ?? 0), 0);
  return pagesToACommit + pagesToAChange * changes.length + Math.ceil(bytes / pageSize);
}

function urlOf(folder: string): string {
  return `lmdb:${folder}`;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
