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
import { CommitWriter } from '../commit-counter.ts';
import { type DrawnOwner, raiseAt, vouch } from '../drawn-file.ts';
import type { Change } from '../key-store.ts';
import { sameValue } from '../key-store.ts';
import type { LotAddition, Reservation, StoredLot } from '../lot-store.ts';
import { StoreError } from '../store-errors.ts';
import { type Answer, type Call, failureOf, monotonicNow } from './calls.ts';
import { takeOver } from './copies.ts';
import { openToWrite } from './database.ts';
import type { Database, Statement } from './engine.ts';
import { isBusy, replaced, storeError } from './faults.ts';
import type { OpenFiles } from './open-files.ts';
import { afterAll, bytesOf, inOrder, numberOf } from './reader.ts';

// As long as people wait for a request, and shorter than clients' time limits.
const lockLimit = 5000;
const probeLimit = 1000;
const firstSleep = 1;
const longestSleep = 32;
// What a commit or two may need in the file of changes.
const leastRoom = 65_536;

/** What a step of a transaction gives: its answer, and whether what was read before may be untrue. */
interface Step {
  readonly result: unknown;
  readonly changes: boolean;
}

type Method = (writer: Writing, ...args: never[]) => Step;

/** A connection that writes, with its statements. */
interface Writing {
  readonly file: string;
  readonly database: Database;
  readonly files: OpenFiles;
  readonly statement: (sql: string) => Statement;
}

const changed = (result: unknown): Step => ({ result, changes: true });
const unchanged = (result: unknown): Step => ({ result, changes: false });

/** What can be done in a transaction, together with others. */
const methods = {
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
    // Where no lot is left none waits, whatever was counted: it would never be filled again.
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
    // One that ends later than it can was made while the clock was ahead.
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

/** What needs the connection for itself. */
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
 * Writes to a store's file: several calls in one transaction, so that they wait for the disk once.
 * Blocks its thread while another process writes, five seconds at most.
 */
export class Writer {
  readonly #file: string;
  readonly #commits: CommitWriter;
  #inode: string | undefined;
  #writing: Writing | undefined;
  #hasFailed = false;
  /** Why it writes nothing more: opened anew, it would write to files that others do not read. */
  #left: StoreError | undefined;

  /**
   * @param inode of the file that it must be, if one is known
   * @throws Error if the file cannot be opened, or is not there and may not be made
   */
  constructor(file: string, options: { mayMake: boolean; inode?: string | undefined }) {
    this.#file = file;
    this.#inode = options.inode;
    this.#open({ mayMake: options.mayMake && options.inode === undefined });
    // Not before it is known that the file is a store.
    this.#commits = new CommitWriter(`${file}-commits`);
  }

  /** Does what all of the calls ask, and says for each what came of it. */
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

  /** One look is enough for all who ask, and a lock that was just waited for in vain is no news. */
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
        // Closed with statements that are in use, a connection would keep its lock.
        step();
      } catch {
        // There is no transaction any more, or the disk fails.
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
      // One of them may be to blame, such as by meeting a damaged page. What may have been committed is
      // not tried again: it would take its own change for another's.
      const { fault } = storeError(error);
      const isOver = fault === 'busy' || fault === 'outcome unknown';
      if (calls.length > 1 && !isOver) return calls.flatMap((call) => this.#together([call]));
      // Each waits for a lock as long as the others, from when it was sent.
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

  /** Ends the transaction. The connection is made anew, so that nothing of a failing disk stays. */
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

  /** @throws StoreError if what is committed is not, or was not, seen by others */
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

/** Waits for the lock on writing. SQLite's own way of waiting would not let the thread be ended. */
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

/** @throws Error while the disk does not take what was written */
function syncChanges(file: string): void {
  // Not the store's file: closing that would lose the locks on it.
  if (!existsSync(`${file}-wal`)) return;
  const changes = openSync(`${file}-wal`, 'r');
  try {
    fsyncSync(changes);
  } finally {
    closeSync(changes);
  }
}

/** Until when a call waits for the lock on writing. */
function limitOf({ sentAt }: Call): number {
  return sentAt + lockLimit;
}

function areExpected({ statement }: Writing, changes: readonly Change[]): boolean {
  const get = statement('select value from record where path = ?');
  return changes.every(({ path, expected }) => {
    const row = get.get(path);
    return sameValue(row && bytesOf(row.value), expected);
  });
}

function apply({ database, statement }: Writing, changes: readonly Change[]): boolean {
  // Material that is destroyed is overwritten.
  database.exec('pragma secure_delete = on');
  for (const { path, expected, next } of changes) {
    if (next === undefined) statement('delete from record where path = ?').run(path);
    else if (expected === undefined || !sameValue(expected, next)) {
      statement(
        'insert into record (path, value) values (?, ?) on conflict (path) do update set ' +
          'value = excluded.value',
      ).run(path, next);
    }
  }
  database.exec('pragma secure_delete = fast');
  return true;
}

/** Takes down how far a pool is drawn, before it is: behind this transaction, others would do so at once. */
function noteDrawn(file: string, pool: string, serial: number): void {
  try {
    raiseAt(`${file}-drawn`, pool, serial);
  } catch {
    // The lots are gone all the same, and the processes that had them remember it.
  }
}

function poolId({ statement }: Writing, pool: string): number | undefined {
  return statement('select id from pool where name = ?').get(pool)?.id as number | undefined;
}

function pairsOf(lots: readonly StoredLot[]): number {
  return lots.reduce((sum, { pairs }) => sum + pairs, 0);
}
