import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  statfsSync,
} from 'node:fs';
import path from 'node:path';
import type { Change } from '../change.ts';
import { CommitWriter } from '../commit-counter.ts';
import { type DrawnOwner, raiseAt, vouch } from '../drawn-file.ts';
import type { LotAddition, Reservation, StoredLot } from '../lot-store.ts';
import { StoreError } from '../store-errors.ts';
import { batchMethods } from './batch-writes.ts';
import { type Answer, type Call, failureOf, monotonicNow } from './calls.ts';
import { bytesOf, numberOf } from './cells.ts';
import { takeOver } from './copies.ts';
import { openToWrite } from './database.ts';
import type { Database, Statement } from './engine.ts';
import { isBusy, replaced, storeError } from './faults.ts';
import { afterAll, inOrder } from './reader.ts';
import { apply, areExpected, changed, type Method, unchanged, type Writing } from './writing.ts';

// As long as people will wait, and shorter than clients' time limits.
const lockLimit = 5000;
const probeLimit = 1000;
const firstSleep = 1;
const longestSleep = 32;
// Enough for one or two commits in the file of changes.
const leastRoom = 65_536;

/** Methods that can share a transaction with others. */
const methods = {
  ...batchMethods,

  commit: (writing, changes: readonly Change[]) =>
    areExpected(writing, changes) ? changed(apply(writing, changes)) : unchanged(false),

  removeAll({ statement }, prefix: string) {
    const remove = statement('delete from record where path >= ? and path < ?');
    const removed = Number(remove.run(prefix, prefix + afterAll).changes);
    return { result: removed, changes: removed > 0 };
  },

  add(writing, { pool, lots, unchanged: record, filler }: LotAddition) {
    const { statement } = writing;
    const expected = { path: record.path, expected: record.value, next: record.value };
    if (!areExpected(writing, [expected])) return unchanged('gone');
    const last = statement('select last_serial from pool where name = ?').get(pool)?.last_serial;
    if (lots.some(({ serial }) => serial <= ((last as number | undefined) ?? 0))) {
      return unchanged('taken');
    }
    const newest = lots.at(-1);
    if (newest === undefined) return unchanged('added');
    statement(
      'insert into pool (name, last_serial, waiting) values (?, ?, ?) on conflict (name) do ' +
        'update set last_serial = excluded.last_serial, waiting = waiting + excluded.waiting',
    ).run(pool, newest.serial, pairsOf(lots));
    const id = poolId(writing, pool) as number;
    const insert = statement('insert into lot (pool, serial, pairs, value) values (?, ?, ?, ?)');
    for (const { serial, pairs, value } of lots) insert.run(id, serial, pairs, value);
    statement('update reservation set pairs = max(0, pairs - ?) where pool = ? and filler = ?').run(
      pairsOf(lots),
      id,
      filler,
    );
    return unchanged('added');
  },

  take(writing, pool: string, pairs: number) {
    const { statement } = writing;
    const id = poolId(writing, pool);
    if (id === undefined) return unchanged({ lots: [], left: 0 });
    const select = statement(
      'select serial, pairs from lot where pool = ? order by serial limit ?',
    );
    const remove = statement('delete from lot where pool = ? and serial = ? returning value');
    const lots: StoredLot[] = [];
    for (const { serial, pairs: several } of inOrder(select.all(id, pairs), -1)) {
      if (pairsOf(lots) >= pairs) break;
      const removed = remove.all(id, serial);
      if (removed.length !== 1) {
        throw new StoreError('corrupt', 'the index of lots is not that of its table');
      }
      lots.push({ serial, pairs: several, value: bytesOf(removed[0]?.value) });
    }
    const last = lots.at(-1)?.serial;
    if (last !== undefined) noteDrawn(writing.file, pool, last);
    // If no lot is left, set the count to 0: a pool with a wrong count would never be filled again.
    const count = 'case when exists (select 1 from lot where pool = id) then max(0, waiting - ?)';
    statement(`update pool set waiting = ${count} else 0 end where id = ?`).run(pairsOf(lots), id);
    const left = statement('select waiting from pool where id = ?').get(id)?.waiting;
    return unchanged({ lots, left: numberOf(left) });
  },

  reserve(writing, { pool, filler, target, most, seconds }: Reservation) {
    const { statement } = writing;
    if (most === 0 && poolId(writing, pool) === undefined) return unchanged(0);
    statement(
      'insert into pool (name, last_serial, waiting) values (?, 0, 0) on conflict (name) do nothing',
    ).run(pool);
    const id = poolId(writing, pool) as number;
    const now = Date.now();
    const until = now + 1000 * seconds;
    // A reservation that ends too late was made while the clock was ahead.
    statement('delete from reservation where until <= ? or until > ?').run(now, until);
    const remove = statement('delete from reservation where pool = ? and filler = ?');
    remove.run(id, filler);
    const row = statement(
      'select waiting, (select coalesce(sum(pairs), 0) from reservation where pool = pool.id) as ' +
        'reserved from pool where id = ?',
    ).get(id);
    const missing = target - (row?.waiting as number) - (row?.reserved as number);
    const reserved = Math.max(0, Math.min(most, missing));
    if (reserved > 0) {
      statement('insert into reservation (pool, filler, pairs, until) values (?, ?, ?, ?)').run(
        id,
        filler,
        reserved,
        until,
      );
    }
    return unchanged(reserved);
  },

  clear(writing, prefix: string, changes: readonly Change[]) {
    const { statement } = writing;
    if (!areExpected(writing, changes)) return unchanged(undefined);
    const bounds = [prefix, prefix + afterAll] as const;
    const named = 'from pool where name >= ? and name < ?';
    const found = statement(
      `select coalesce(sum(pairs), 0) as n from lot where pool in (select id ${named})`,
    );
    const pairs = found.get(...bounds)?.n;
    for (const table of ['lot', 'reservation']) {
      statement(`delete from ${table} where pool in (select id ${named})`).run(...bounds);
    }
    statement(`delete ${named}`).run(...bounds);
    apply(writing, changes);
    return { result: pairs, changes: changes.length > 0 };
  },

  vouch: (_writing, file: string, owner: DrawnOwner) => unchanged(vouch(file, owner)),

  restore: ({ database }, file: string) => changed(takeOver(database, file)),
} satisfies Record<string, Method>;

/** Methods that need the connection for themselves. */
const alone: Readonly<Record<string, (writing: Writing, ...args: never[]) => unknown>> = {
  probe({ file, database }) {
    accessSync(file, constants.W_OK);
    const { bavail, bsize } = statfsSync(path.dirname(file));
    if (bavail * bsize < leastRoom) throw new StoreError('full', `the disk of ${file} is full`);
    begin(database, monotonicNow() + probeLimit);
    database.exec('rollback');
  },
};

/**
 * Writes to a store's file, several calls in one transaction, so that they wait for the disk once.
 * Blocks its thread for up to five seconds while another process writes.
 */
export class Writer {
  readonly #file: string;
  readonly #commits: CommitWriter;
  #inode: string | undefined;
  #writing: Writing | undefined;
  #hasFailed = false;
  /**
   * Why it stopped writing for good: opened again, it would write to files that others do not read.
   */
  #left: StoreError | undefined;

  /**
   * @param inode the inode that the file must have, if known
   * @throws Error if the file cannot be opened, or does not exist and may not be made
   */
  constructor(file: string, options: { mayMake: boolean; inode?: string | undefined }) {
    this.#file = file;
    this.#inode = options.inode;
    this.#open({ mayMake: options.mayMake && options.inode === undefined });
    // Made only now that the file is known to be a store.
    this.#commits = new CommitWriter(`${file}-commits`);
  }

  /** Runs all calls and returns an answer for each. */
  run(calls: readonly Call[]): Answer[] {
    const answers: Answer[] = [];
    let together: Call[] = [];
    const flush = () => {
      if (together.length > 0) answers.push(...this.#together(together));
      together = [];
    };
    const probes = calls.filter(({ method }) => method === 'probe');
    for (const call of calls) {
      if (probes.includes(call)) continue;
      if (Object.hasOwn(methods, call.method)) {
        together.push(call);
        continue;
      }
      flush();
      answers.push(this.#alone(call));
    }
    flush();
    return [...answers, ...this.#probe(probes, answers)];
  }

  /** One probe answers all; if a call has just waited for the lock in vain, no probe is needed. */
  #probe(probes: readonly Call[], answers: readonly Answer[]): Answer[] {
    const [first] = probes;
    if (first === undefined) return [];
    const busy = answers.find(({ failure }) => failure?.fault === 'busy');
    const answer = busy ?? this.#alone(first);
    return probes.map(({ id }) => ({ ...answer, id }));
  }

  close(): void {
    this.#release();
    this.#commits.close();
  }

  #release(): void {
    const { database } = this.#writing ?? {};
    this.#writing = undefined;
    for (const step of [() => database?.exec('rollback'), () => database?.close()]) {
      try {
        // A connection that is closed while statements are in use would keep its lock.
        step();
      } catch {
        // The transaction has ended already, or the disk fails.
      }
    }
  }

  #alone({ id, method, args }: Call): Answer {
    try {
      if (method === 'probe' && this.#hasFailed) syncChanges(this.#file);
      const run = alone[method] as (writing: Writing, ...args: unknown[]) => unknown;
      return { id, result: run(this.#current(), ...args) };
    } catch (error) {
      return failureOf(id, error);
    }
  }

  #together(calls: readonly Call[]): Answer[] {
    try {
      return this.#transact(calls);
    } catch (error) {
      // One of the calls may be to blame, for instance because it met a damaged page, so each is
      // tried alone. Not if the commit may have succeeded: a call would take its own change for
      // another's.
      const { fault } = storeError(error);
      const isOver = fault === 'busy' || fault === 'outcome unknown';
      if (calls.length > 1 && !isOver) return calls.flatMap((call) => this.#together([call]));
      // Each call waits equally long for the lock, counted from when it was sent.
      const later = fault === 'busy' ? calls.filter((call) => limitOf(call) > monotonicNow()) : [];
      const failed = calls.filter((call) => !later.includes(call));
      const answers = failed.map(({ id }) => failureOf(id, error));
      return later.length === 0 ? answers : [...answers, ...this.#together(later)];
    }
  }

  #transact(calls: readonly Call[]): Answer[] {
    const writing = this.#current();
    const { database } = writing;
    let step: 'begin' | 'change' | 'commit' = 'begin';
    let isCounted = false;
    try {
      begin(database, Math.min(...calls.map(limitOf)));
      step = 'change';
      const steps = calls.map(({ method, args }) => {
        const run = methods[method as keyof typeof methods] as Method;
        return run(writing, ...(args as never[]));
      });
      isCounted = steps.some(({ changes }) => changes);
      if (isCounted) this.#commits.begin();
      step = 'commit';
      database.exec('commit');
      if (isCounted) this.#commits.end();
      this.#requireSame(writing);
      this.#hasFailed = false;
      return steps.map(({ result }, i) => ({ id: (calls[i] as Call).id, result }));
    } catch (error) {
      throw this.#failed(error, step);
    }
  }

  /** Ends the transaction, and the connection, so that nothing read from a failing disk is kept. */
  #failed(error: unknown, step: 'begin' | 'change' | 'commit'): StoreError {
    const failure = storeError(error);
    if (step === 'begin' && failure.fault === 'busy') return failure;
    this.#hasFailed = true;
    this.#release();
    if (step !== 'commit') return failure;
    return new StoreError('outcome unknown', `a commit failed: ${failure.message}`, {
      cause: error,
    });
  }

  #current(): Writing {
    if (this.#left !== undefined) throw this.#left;
    const writing = this.#writing ?? this.#open({ mayMake: false });
    this.#requireSame(writing);
    return writing;
  }

  /** @throws StoreError if other processes do not see this connection's commits */
  #requireSame({ files }: Writing): void {
    try {
      files.requireSame();
    } catch (error) {
      const failure = storeError(error);
      if (failure.fault === 'replaced') this.#left = failure;
      throw failure;
    }
  }

  #open({ mayMake }: { mayMake: boolean }): Writing {
    const { database, files } = openToWrite(this.#file, { mayMake });
    this.#inode ??= files.inode;
    if (files.inode !== this.#inode) {
      database.close();
      this.#left = replaced(this.#file);
      throw this.#left;
    }
    const statements = new Map<string, Statement>();
    const statement = (sql: string) => {
      const prepared = statements.get(sql) ?? database.prepare(sql);
      statements.set(sql, prepared);
      return prepared;
    };
    this.#writing = { file: this.#file, database, files, statement };
    return this.#writing;
  }
}

/** Waits for the write lock. A thread in SQLite's own wait could not be terminated. */
function begin(database: Database, end: number): void {
  for (let sleep = firstSleep; ; sleep = Math.min(2 * sleep, longestSleep)) {
    try {
      database.exec('begin immediate');
      return;
    } catch (error) {
      if (!isBusy(error) || monotonicNow() >= end) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, sleep * Math.random() + 1);
  }
}

/** @throws Error if the disk does not take what was written */
function syncChanges(file: string): void {
  // Not the store's file: closing it would drop the locks on it.
  if (!existsSync(`${file}-wal`)) return;
  const changes = openSync(`${file}-wal`, 'r');
  try {
    fsyncSync(changes);
  } finally {
    closeSync(changes);
  }
}

/** The time until which a call waits for the write lock. */
function limitOf({ sentAt }: Call): number {
  return sentAt + lockLimit;
}

/**
 * Notes a pool's serial before the commit: right after it, other processes may claim further lots.
 */
function noteDrawn(file: string, pool: string, serial: number): void {
  try {
    raiseAt(`${file}-drawn`, pool, serial);
  } catch {
    // The lots are removed all the same, and the processes that took them remember the serial.
  }
}

function poolId({ statement }: Writing, pool: string): number | undefined {
  return statement('select id from pool where name = ?').get(pool)?.id as number | undefined;
}

function pairsOf(lots: readonly StoredLot[]): number {
  return lots.reduce((sum, { pairs }) => sum + pairs, 0);
}
