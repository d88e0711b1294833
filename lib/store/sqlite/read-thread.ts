// Reads the whole of a store's file in a thread of its own, so that neither writers nor the event
// loop wait for it.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Answer, type Call, failureOf } from './calls.ts';
import { copyTo } from './copies.ts';
import { openToRead, patience, type ReadConnection } from './database.ts';
import type { Row } from './engine.ts';
import { closed, replaced, storeError } from './faults.ts';

/** The thread's `workerData`. */
export interface ReadThreadData {
  readonly file: string;
  /** The inode that the file must have, if known. */
  readonly inode: string | undefined;
  /** Set to a value other than 0 when the store closes. */
  readonly stop: Int32Array;
}

const port = parentPort as MessagePort;
const { file, inode, stop } = workerData as ReadThreadData;

const methods: Readonly<
  Record<string, (connection: ReadConnection, check: () => void, ...args: never[]) => unknown>
> = {
  backup: ({ database }, check, to: string) => copyTo(database, to, check),
  faults: faultsIn,
};

port.on('message', (call: Call) => {
  if (call.method !== 'close') port.postMessage([answer(call)]);
  port.close();
});

function answer({ id, method, args }: Call): Answer {
  try {
    const connection = openToRead(file, { wait: patience });
    try {
      if (inode !== undefined && connection.files.inode !== inode) throw replaced(file);
      const run = methods[method] as (...args: unknown[]) => unknown;
      return { id, result: run(connection, () => check(connection), ...args) };
    } finally {
      connection.database.close();
    }
  } catch (error) {
    return failureOf(id, error);
  }
}

function check({ files, isCurrent }: ReadConnection): void {
  if (Atomics.load(stop, 0) !== 0) throw closed();
  files.requireSame();
  if (!isCurrent()) throw new Error(`${file} was written to through another mount: try again`);
}

/** The faults of the file itself, one sentence each. */
function faultsIn({ database }: ReadConnection, check: () => void): string[] {
  const looks: readonly (readonly [sql: string, describe: (row: Row) => string])[] = [
    ['pragma integrity_check', ({ integrity_check: fault }) => `${fault}`],
    [
      'select name, waiting, (select coalesce(sum(pairs), 0) from lot where pool = pool.id) as ' +
        'there from pool where waiting <> there order by name',
      ({ name, waiting, there }) =>
        `the pool ${name} is said to have ${waiting} waiting pairs, and its lots have ${there}`,
    ],
    [
      'select pool, count(*) as lots from lot where pool not in (select id from pool) group by pool',
      ({ pool, lots }) => `${lots} lots are of pool number ${pool}, which is not there`,
    ],
  ];
  return looks.flatMap(([sql, describe]) => {
    check();
    try {
      return database
        .prepare(sql)
        .all()
        .map(describe)
        .filter((fault) => fault !== 'ok');
    } catch (error) {
      return [storeError(error).message];
    }
  });
}
