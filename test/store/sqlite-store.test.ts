import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import { type Database, loadEngine } from '../../lib/store/sqlite/engine.ts';
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
  ])('commits nothing to what is there, and says that it was %s', async (how, take) => {
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

describe('a file that is no store', () => {
  it.each([
    ['another program’s database', "create table t (a); insert into t values ('theirs')"],
    ['a store with a trigger in it', 'create trigger t after insert on record begin select 1; end'],
    ['a store of other tables', 'create table more (a)'],
    ['a store of a later version', 'pragma user_version = 2'],
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

  it('but an empty file is made a store', async () => {
    writeFileSync(file, '');
    const store = await open();
    expect(await put(store, 'a', '1')).toBe(true);
  });
});
