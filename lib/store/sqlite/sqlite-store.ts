import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigurationError } from '../../core/configuration-error.ts';
import { messageOf } from '../../core/error-message.ts';
import type { Native } from '../../native/addon.ts';
import type { BatchStore } from '../batch-store.ts';
import type { Change } from '../change.ts';
import { CommitReader } from '../commit-counter.ts';
import type { Entry, KeyStore, ListOptions, Stamp, StoreCopies } from '../key-store.ts';
import type { LotAddition, LotStore, Reservation, StoredLot } from '../lot-store.ts';
import { storeStateAt } from '../places.ts';
import { StoreError, unavailable } from '../store-errors.ts';
import { type StoreFigures, StoreTally } from '../store-figures.ts';
import { isBuiltIn } from './engine.ts';
import { storeError } from './faults.ts';
import { LocalEngine } from './local-engine.ts';
import { Reader } from './reader.ts';
import { RemoteEngine } from './remote-engine.ts';

type FileEngine = LocalEngine | RemoteEngine;
type ViewFile = Native['viewFile'];

// How long changes of the file by other programs than pairmint may go unseen.
const lookEvery = 500;
const probeLimit = 1800;
// Until a process that makes the file again has written to it; the files beside it may be older.
const makingLimit = 2000;
const makingLook = 20;

/** Keys in a file, shared by the processes of one machine: SQLite with a write-ahead log. */
export class SqliteStore implements KeyStore {
  readonly url: string;
  readonly lots: LotStore;
  readonly batches: BatchStore;
  readonly copies: StoreCopies;
  readonly #engine: FileEngine;
  readonly #commits: CommitReader;
  readonly #tally = new StoreTally();
  readonly #listeners: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #isReadOnly: boolean;
  /** Whether one of the engine's open files is no longer at its path. */
  #isReplaced = false;
  /** Changes after every change of the file, also those that `#commits` does not count. */
  #stamp = 0;
  #stampedCommits: number | undefined;
  #lastLook: { readonly version: string; readonly commits: number | undefined } | undefined;
  #isLooking = false;

  private constructor(file: string, engine: FileEngine, commits: CommitReader) {
    this.url = urlOf(file);
    this.#isReadOnly = isReadOnly(file);
    this.#engine = engine;
    this.#commits = commits;
    this.lots = this.#lotStore();
    this.batches = this.#batchStore();
    this.copies = {
      backup: (to) => this.#call('backup', path.resolve(to)),
      restore: (from) => this.#call('restore', path.resolve(from)),
      faults: () => this.#call('faults'),
    };
    this.#timer = setInterval(() => void this.#look(), lookEvery).unref();
  }

  /**
   * @param viewFile native code's function; without it nothing is cached
   * @throws ConfigurationError if the file cannot be opened or is not a store
   */
  static async open(file: string, viewFile: ViewFile = () => undefined): Promise<SqliteStore> {
    const engine = isBuiltIn ? new LocalEngine(file) : new RemoteEngine(file);
    try {
      const isThere = await holdsStore(file);
      if (!isThere) mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      await engine.open({ isThere });
      const commits = new CommitReader(`${file}-commits`, viewFile);
      if (commits.last() === undefined) {
        // The file of commits was removed, or the store was copied without it. A store on a
        // read-only disk works without.
        await engine.call('make', []).catch(() => {});
        commits.follow();
      }
      const store = new SqliteStore(file, engine, commits);
      // Later reads are compared with the state at this moment.
      await store.#look();
      return store;
    } catch (cause) {
      await engine.close();
      throw new ConfigurationError(
        `the store ${urlOf(file)} cannot be opened: ${messageOf(cause)}`,
        {
          hint: 'name another file with PAIRMINT_STORE=sqlite:FILE or --store, or restore this one',
          cause,
        },
      );
    }
  }

  stamp(): Stamp | undefined {
    const commits = this.#isReplaced ? undefined : this.#commits.last();
    if (commits === undefined) return undefined;
    if (commits !== this.#stampedCommits) {
      this.#stampedCommits = commits;
      this.#stamp++;
    }
    return this.#stamp;
  }

  holds(_path: string, stamp: Stamp): boolean {
    return this.stamp() === stamp;
  }

  get(path: string): Promise<Uint8Array | undefined> {
    return this.#call('get', path);
  }

  getAll(paths: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#call('getAll', paths);
  }

  list(prefix: string, { after, limit }: ListOptions): Promise<Entry[]> {
    return this.#call('list', prefix, after, limit);
  }

  count(prefix: string, most: number): Promise<number> {
    return this.#call('count', prefix, most);
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    const isDone: boolean = await this.#call('commit', changes);
    // The caller's cached record was stale: this process may count in a file that was replaced.
    if (!isDone) this.#commits.follow();
    return this.#tally.committed(isDone);
  }

  removeAll(prefix: string): Promise<number> {
    return this.#call('removeAll', prefix);
  }

  onChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async probe(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new StoreError('busy', `no answer within ${probeLimit} ms`);
      timer = setTimeout(() => reject(error), probeLimit);
    });
    const asked = [this.#call('get', 'format'), ...(this.#isReadOnly ? [] : [this.#call('probe')])];
    try {
      await Promise.race([Promise.all(asked), late.catch(unavailable)]);
    } finally {
      clearTimeout(timer);
    }
  }

  figures(): StoreFigures {
    return this.#tally.figures();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#engine.close();
    this.#commits.close();
  }

  #lotStore(): LotStore {
    return {
      lastSerial: (pool) => this.#call('lastSerial', pool),
      add: (addition: LotAddition) => this.#call('add', addition),
      take: (pool, pairs) => this.#call('take', pool, pairs),
      levels: (pools) => this.#call('levels', pools),
      reserve: (reservation: Reservation) => this.#call('reserve', reservation),
      clear: (prefix, changes) => this.#call('clear', prefix, changes),
      list: (pool, { after, limit }): Promise<StoredLot[]> =>
        this.#call('listLots', pool, after, limit),
      vouch: (at, owner) => this.#call('vouch', at, owner),
      pools: () => this.#call('pools'),
    };
  }

  #batchStore(): BatchStore {
    return {
      submit: (batch, changes) => this.#call('submitBatch', batch, changes),
      isWaiting: () => this.#call('chunksWait'),
      claim: (demand) => this.#call('claimChunks', demand),
      renew: (worker, claims, seconds) => this.#call('renewChunks', worker, claims, seconds),
      settle: (worker, claim, value) => this.#call('settleChunk', worker, claim, value),
      release: (claims, refusal) => this.#call('releaseChunks', claims, refusal),
      levels: (names) => this.#call('batchLevels', names),
      settled: (name, { after, limit }) => this.#call('settledChunks', name, after, limit),
      result: (name, n) => this.#call('chunkResult', name, n),
      cancel: (name, changes) => this.#call('cancelBatch', name, changes),
      delete: (name, changes) => this.#call('deleteBatch', name, changes),
      purge: () => this.#call('purgeBatches'),
      fence: () => this.#call('fenceBatches'),
      names: () => this.#call('batchNames'),
      chunks: () => this.#call('chunkCounts'),
    };
  }

  async #call<T>(method: string, ...args: unknown[]): Promise<T> {
    this.#tally.queries[method in Reader.prototype ? 'read' : 'write']++;
    try {
      return (await this.#engine.call(method, args)) as T;
    } catch (error) {
      const { fault } = storeError(error);
      this.#tally.failed(fault);
      if (fault === 'replaced') this.#isReplaced = true;
      return unavailable(error);
    }
  }

  /** Looks for changes that pairmint's own count of commits does not show. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      this.#commits.follow();
      const commits = this.#commits.last();
      this.#tally.queries.follow++;
      const version = (await this.#engine.call('dataVersion', [])) as string;
      const last = this.#lastLook;
      this.#lastLook = { version, commits };
      if (last === undefined) return;
      if (last.commits === commits && version === last.version) return;
      // Even if a counted commit explains the change: another program may have changed the file
      // after it. Pools' commits are not counted; reading again after them costs little.
      if (version !== last.version) this.#stamp++;
      for (const listener of this.#listeners) listener();
    } catch (error) {
      // Other failures are reported by the next call that meets them.
      if (storeError(error).fault === 'replaced') this.#isReplaced = true;
    } finally {
      this.#isLooking = false;
    }
  }
}

/** Whether there is a store. @throws StoreError if it lost its contents: it must not be made anew */
async function holdsStore(file: string): Promise<boolean> {
  const end = performance.now() + makingLimit;
  for (;;) {
    const state = storeStateAt(file);
    if (state !== 'emptied') return state === 'some';
    if (performance.now() > end) {
      throw new StoreError('corrupt', 'the file is empty, and files of a store are beside it');
    }
    await pause(makingLook);
  }
}

function isReadOnly(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return false;
  } catch {
    return true;
  }
}

function urlOf(file: string): string {
  return `sqlite:${file}`;
}
