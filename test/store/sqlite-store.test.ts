import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import { type Database, isBuiltIn, loadEngine } from '../../lib/store/sqlite/engine.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';

const { viewFile } = loadNative();
const bytes = (text: string) => Buffer.from(text, 'utf8');

let file: string;
beforeEach(() => {
  file = `${temporaryFolder()}/store.db`;
});

async function open(): Promise<SqliteStore> {
  const store = await SqliteStore.open(file, viewFile);
  onTestFinished(() => store.close());
  return store;
}

/** The file as another program works on it. */
function foreign(): Database {
  const database = new (loadEngine().DatabaseSync)(file);
  onTestFinished(() => database.close());
  return database;
}

const put = (store: SqliteStore, path: string, value: string) =>
  store.commit([{ path, expected: undefined, next: bytes(value) }]);

describe('a store that another program changes', () => {
  it.each(['at once', 'beside a commit', 'when it was looked at long ago'])(
    'is read anew soon, %s',
    async (when) => {
      const store = await open();
      if (when === 'beside a commit') await put(store, 'b', '1');
      if (when.startsWith('when')) await new Promise((done) => setTimeout(done, 1200));
      const stamp = store.stamp() as number;
      expect(stamp).toBeTypeOf('number');
      foreign().exec("insert into record values ('a', x'31')");
      await vi.waitFor(() => expect(store.holds('a', stamp)).toBe(false), 5000);
      expect(store.stamp()).toBeTypeOf('number');
    },
  );
});

describe('a store that was closed', () => {
  it('answers nothing but that it was, and begins nothing anew', async () => {
    const store = await SqliteStore.open(file, viewFile);
    await put(store, 'a', '1');
    await store.close();
    for (const asked of [store.get('a'), put(store, 'b', '1'), store.lots.levels(['p'])]) {
      const error = await asked.catch((reason) => reason);
      expect(error).toMatchObject({ name: 'KMSInternalException' });
      expect(error.cause.message).toBe('the store was closed');
    }
    expect(existsSync(`${file}-wal`)).toBe(false);
  });
});

describe('a store whose file is taken away', () => {
  it.each([
    ['moved', () => renameSync(file, `${file}.old`)],
    ['removed', () => rmSync(file)],
    [
      'replaced',
      () => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
    ],
  ])('commits nothing to the new file, and says that the old one was %s', async (how, take) => {
    const store = await open();
    await put(store, 'a', '1');
    take();
    const failure = await put(store, 'b', '1').catch((error) => error);
    expect(failure.cause).toMatchObject({ fault: 'replaced' });
    await vi.waitFor(() => expect(store.stamp()).toBeUndefined(), 5000);
    const reading = await store.get('a').catch((error) => error);
    expect(reading.cause).toMatchObject({ fault: 'replaced' });
    expect(existsSync(file)).toBe(how === 'replaced');
  });
});

describe('a store under which a file that SQLite has open is taken away', () => {
  const takings: [string, string, () => void][] = [
    ['removed', '-wal', () => rmSync(`${file}-wal`)],
    ['moved', '-wal', () => renameSync(`${file}-wal`, `${file}-old`)],
    [
      'replaced',
      '-wal',
      () => {
        copyFileSync(`${file}-wal`, `${file}-copy`);
        renameSync(`${file}-copy`, `${file}-wal`);
      },
    ],
    ['removed', '-shm', () => rmSync(`${file}-shm`)],
  ];
  const why = (name: string) => ({
    name: 'KMSInternalException',
    cause: expect.objectContaining({
      message: `${file}${name} was moved, removed or replaced while it was open: start again`,
    }),
  });

  it.each(takings)('acknowledges no write once it was %s (%s)', async (_how, name, take) => {
    const store = await open();
    const other = await open();
    await put(store, 'a', '1');
    take();
    // The second has written nothing yet.
    await expect(put(store, 'b', '1')).rejects.toMatchObject(why(name));
    await expect(put(other, 'c', '1')).rejects.toMatchObject({ name: 'KMSInternalException' });
    await expect(put(store, 'd', '1')).rejects.toMatchObject(why(name));
    await expect(put(other, 'e', '1')).rejects.toMatchObject(why(name));
  });

  it.each(takings)('is not read any more soon after it was %s (%s)', async (_how, name, take) => {
    const store = await open();
    await put(store, 'a', '1');
    take();
    await vi.waitFor(() => expect(store.stamp()).toBeUndefined(), 5000);
    await expect(store.get('a')).rejects.toMatchObject(why(name));
    await expect(store.list('', { limit: 1 })).rejects.toMatchObject(why(name));
    await expect(put(store, 'b', '1')).rejects.toMatchObject(why(name));
  });

  it('keeps what was acknowledged before its file of changes was removed', async () => {
    const store = await open();
    for (let i = 0; i < 50; i++) await put(store, `a${i}`, '1');
    rmSync(`${file}-wal`);
    await vi.waitFor(() => expect(store.stamp()).toBeUndefined(), 5000);
    const again = await open();
    expect(await again.list('', { limit: 100 })).toHaveLength(50);
    expect(await put(again, 'b', '1')).toBe(true);
    await store.close();
    expect(await again.list('', { limit: 100 })).toHaveLength(51);
    expect(await again.copies.faults()).toEqual([]);
  });
});

describe('a store whose lock somebody holds while it is opened or read', () => {
  it('keeps the thread free, and is read when the lock is', async (context) => {
    // Without SQLite of its own, Node.js never waits for it.
    if (!isBuiltIn) context.skip();
    await (await open()).close();
    const holder = new (loadEngine().DatabaseSync)(file);
    holder.exec('pragma locking_mode = exclusive');
    holder.exec('begin immediate');
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
    const opening = open();
    await new Promise((done) => setTimeout(done, 1500));
    holder.exec('commit');
    holder.close();
    const store = await opening;
    clearInterval(ticking);
    expect(await store.get('a')).toBeUndefined();
    expect(longest).toBeLessThan(1000);
  });
});

describe('what reads a whole store', () => {
  it('does not delay writers, and ends with the store', async () => {
    const store = await open();
    const value = Buffer.alloc(20_000, 1);
    const fill = Array.from({ length: 2500 }, (_, i) => ({
      path: `a${i}`,
      expected: undefined,
      next: value,
    }));
    await store.commit(fill);
    for (const long of [
      () => store.copies.backup(`${file}.backup`),
      () => Promise.all([store.copies.faults(), store.copies.faults(), store.copies.faults()]),
    ]) {
      let isOver = false;
      const running = long().finally(() => {
        isOver = true;
      });
      let written = 0;
      // Those that were there when it began may have come before it.
      while (!isOver) {
        await put(store, `b${Math.random()}`, '1');
        written++;
      }
      await running;
      expect(written).toBeGreaterThan(5);
    }
    const backup = store.copies.backup(`${file}.other`).catch((error) => error.cause.message);
    await store.close();
    expect(await backup).toMatch(isBuiltIn ? /^the store was closed$/ : /has ended/);
    const left = readdirSync(path.dirname(file));
    expect(left.filter((name) => /other|unfinished|wal|shm/.test(name))).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('drops no lock of those that read and write', async () => {
    const store = await open();
    const { ino } = statSync(file);
    const locks = () =>
      readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${ino} `));
    await put(store, 'a', '1');
    await store.copies.backup(`${file}.backup`);
    expect(await store.copies.faults()).toEqual([]);
    expect(locks()).toHaveLength(1);
    expect(existsSync(`${file}-wal`)).toBe(true);
  });
});

describe('a pool whose count is not that of its lots', () => {
  it('is counted anew when it is found to be empty', async () => {
    const store = await open();
    await put(store, 'record', '1');
    await store.lots.add({
      pool: 'p/',
      lots: [{ serial: 1, pairs: 4, value: bytes('x') }],
      unchanged: { path: 'record', value: bytes('1') },
      filler: 'me',
    });
    foreign().exec('delete from lot');
    expect(await store.lots.levels(['p/'])).toEqual([4]);
    expect(await store.lots.take('p/', 1)).toEqual({ lots: [], left: 0 });
    expect(await store.lots.levels(['p/'])).toEqual([0]);
    expect(await store.lots.lastSerial('p/')).toBe(1);
  });
});

describe('a store that was made before there were batches', () => {
  const name = 'place:batch/1';
  const submission = { name, pairs: 5, chunk: 5 };
  beforeEach(async () => {
    const store = await SqliteStore.open(file, viewFile);
    await put(store, 'a', '1');
    await store.close();
    const database = new (loadEngine().DatabaseSync)(file);
    for (const table of ['batch', 'chunk', 'chunk_result', 'batch_worker']) {
      database.exec(`drop table ${table}`);
    }
    database.exec('pragma user_version = 1');
    database.close();
  });

  it('is read as it is, and has no batches', async () => {
    const store = await open();
    expect(await store.get('a')).toEqual(new Uint8Array(bytes('1')));
    expect(await store.batches.isWaiting()).toBe(false);
    expect(await store.batches.names()).toEqual([]);
    expect(await store.batches.levels([name])).toEqual([undefined]);
    expect(foreign().prepare('pragma user_version').get()).toEqual({ user_version: 1 });
  });

  it('gets their tables when it is written to, while others have it open', async () => {
    const [store, other] = [await open(), await open()];
    expect(await other.batches.isWaiting()).toBe(false);
    expect(await put(store, 'b', '2')).toBe(true);
    expect(await store.batches.submit(submission, [])).toBe(true);
    expect(await other.batches.isWaiting()).toBe(true);
    const claims = await other.batches.claim({ worker: 'x', most: 1, seconds: 5 });
    expect(await other.batches.settle('x', claims[0] as never, bytes('pairs'))).toBe(true);
    expect(await store.get('a')).toEqual(new Uint8Array(bytes('1')));
    expect(await (await open()).batches.names()).toEqual([name]);
    expect(foreign().prepare('pragma user_version').get()).toEqual({ user_version: 2 });
  });

  it('is brought back by a restore into a store of today', async () => {
    const backup = `${file}.old`;
    copyFileSync(file, backup);
    const store = await open();
    await store.batches.submit(submission, []);
    await store.copies.restore(backup);
    expect(await store.batches.names()).toEqual([]);
    expect(await store.batches.isWaiting()).toBe(false);
    expect(await store.get('a')).toEqual(new Uint8Array(bytes('1')));
  });
});

describe('a file that is not a store', () => {
  it.each([
    ['another program’s database', "create table t (a); insert into t values ('theirs')"],
    ['a store with a trigger in it', 'create trigger t after insert on record begin select 1; end'],
    ['a store of other tables', 'create table more (a)'],
    ['a store of a later version', 'pragma user_version = 3'],
    ['a store of no version', 'pragma user_version = 0'],
  ])('such as %s is refused and left alone', async (name, sql) => {
    if (name.startsWith('a store')) await (await SqliteStore.open(file, viewFile)).close();
    const database = foreign();
    database.exec(sql);
    const schema = () => database.prepare('select sql from sqlite_schema order by 1').all();
    const before = schema();
    await expect(SqliteStore.open(file, viewFile)).rejects.toThrow(/cannot be opened: its? /);
    expect(schema()).toEqual(before);
  });

  it('such as a folder is refused', async () => {
    mkdirSync(file);
    await expect(SqliteStore.open(file, viewFile)).rejects.toThrow(/cannot be opened: /);
  });

  it.each(['-wal', '-commits', '-drawn'])(
    'such as one that lost its contents, of which %s is left, is refused and left alone',
    async (end) => {
      writeFileSync(file, '');
      writeFileSync(file + end, 'of a store');
      await expect(SqliteStore.open(file, viewFile)).rejects.toThrow(/cannot be opened: .* empty/);
      expect([statSync(file).size, readFileSync(file + end, 'utf8')]).toEqual([0, 'of a store']);
    },
  );

  it('but one that another process begins anew is waited for', async () => {
    writeFileSync(file, '');
    writeFileSync(`${file}-drawn`, 'of a store that was removed');
    const opening = SqliteStore.open(file, viewFile);
    setTimeout(() => {
      rmSync(`${file}-drawn`);
    }, 200);
    const store = await opening;
    expect(await put(store, 'a', '1')).toBe(true);
    await store.close();
  });

  it('but an empty file is made a store', async () => {
    writeFileSync(file, '');
    const store = await open();
    expect(await put(store, 'a', '1')).toBe(true);
  });
});
