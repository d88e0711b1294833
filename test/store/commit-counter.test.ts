import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import { CommitReader, CommitWriter } from '../../lib/store/commit-counter.ts';
import { monotonicNow } from '../../lib/store/sqlite/calls.ts';
import { Reader } from '../../lib/store/sqlite/reader.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { Writer } from '../../lib/store/sqlite/writer.ts';
import { temporaryFolder } from '../support/folders.ts';

const engine = vi.hoisted(() => ({ onOpen: () => {} }));
vi.mock('../../lib/store/sqlite/engine.ts', async (load) => {
  const original = await load<typeof import('../../lib/store/sqlite/engine.ts')>();
  const { DatabaseSync } = original.loadEngine();
  /** Has a file open when the test hears of it. */
  function Opened(...args: ConstructorParameters<typeof DatabaseSync>) {
    const database = new DatabaseSync(...args);
    engine.onOpen();
    return database;
  }
  return { ...original, loadEngine: () => ({ DatabaseSync: Opened }) };
});

const { viewFile } = loadNative();

let folder: string;
let path: string;
const opened: { close(): void }[] = [];
function writerOf(file = path): CommitWriter {
  const writer = new CommitWriter(file);
  opened.push(writer);
  return writer;
}
function readerOf(file = path, view = viewFile): CommitReader {
  const reader = new CommitReader(file, view);
  opened.push(reader);
  return reader;
}
/** Writes over what is there, in its place. */
function overwrite(words: Uint32Array, file = path): void {
  const opened = openSync(file, 'r+');
  writeSync(opened, words);
  closeSync(opened);
}
beforeEach(() => {
  folder = temporaryFolder();
  path = `${folder}/commits`;
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

describe('a counter of commits', () => {
  it('shows every process that a commit has ended, and not that it is under way', () => {
    const writer = writerOf();
    const [mine, others] = [readerOf(), readerOf()];
    const before = others.last();
    expect(before).toBeTypeOf('number');
    writer.begin();
    expect([mine.last(), others.last()]).toEqual([before, before]);
    writer.end();
    expect(others.last()).toBe(mine.last());
    expect(others.last()).not.toBe(before);
  });

  it('gives no number twice, though a process died in a commit', () => {
    writerOf().begin();
    const [writer, reader] = [writerOf(), readerOf()];
    const before = reader.last();
    writer.begin();
    writer.end();
    expect(((reader.last() ?? 0) - (before ?? 0)) >>> 0).toBe(2);
  });

  it('is not taken back by a process that comes late to say that its commit has ended', () => {
    const [early, late] = [writerOf(), writerOf()];
    const reader = readerOf();
    const before = reader.last();
    late.begin();
    early.begin();
    early.end();
    const ended = reader.last();
    expect(ended).not.toBe(before);
    late.end();
    expect(reader.last()).toBe(ended);
  });

  it('goes on from its largest number with zero', () => {
    writeFileSync(path, Buffer.alloc(8, 255));
    const [writer, reader] = [writerOf(), readerOf()];
    expect(reader.last()).toBe(2 ** 32 - 1);
    writer.begin();
    writer.end();
    expect(reader.last()).toBe(0);
  });

  it.each([
    ['ends ahead of what began', 5, 100],
    ['is half as far as it can be', 0, 2 ** 31],
    ['began far ahead', 2 ** 31 - 1, 0],
    ['is all ones and zeros', 0, 2 ** 32 - 1],
  ])('counts on from garbage that %s', (_how, begun, ended) => {
    const [writer, reader] = [writerOf(), readerOf()];
    overwrite(Uint32Array.of(begun, ended));
    for (let i = 0; i < 3; i++) {
      const before = reader.last();
      writer.begin();
      writer.end();
      expect(reader.last()).not.toBe(before);
    }
  });

  it('begins anywhere, so that it goes on from no other file that was there', () => {
    const begins = Array.from({ length: 8 }, (_, i) => {
      writerOf(`${path}${i}`);
      return readerOf(`${path}${i}`).last();
    });
    expect(new Set(begins).size).toBeGreaterThan(6);
  });

  it('cannot be looked at if memory cannot show the file, and counts all the same', () => {
    const writer = writerOf();
    const [blind, reader] = [readerOf(path, () => undefined), readerOf()];
    const before = reader.last();
    writer.begin();
    writer.end();
    expect(blind.last()).toBeUndefined();
    expect(reader.last()).not.toBe(before);
    expect(readFileSync(path)).toHaveLength(8);
  });
});

describe('a file of commits', () => {
  const replacements: [string, () => void][] = [
    ['deleted', () => rmSync(path)],
    ['moved away', () => renameSync(path, `${path}.old`)],
  ];

  it.each(replacements)('is left by a process that commits, when it was %s', (_how, take) => {
    const [writer, reader] = [writerOf(), readerOf()];
    const before = reader.last();
    take();
    writer.begin();
    expect(existsSync(path)).toBe(true);
    reader.follow();
    const begun = reader.last();
    expect(begun).not.toBe(before);
    writer.end();
    expect(reader.last()).toBeTypeOf('number');
    expect(reader.last()).not.toBe(begun);
  });

  it.each(replacements)('is left by a process that looks, when it was %s', (_how, take) => {
    writerOf();
    const reader = readerOf();
    const before = reader.last();
    take();
    reader.follow();
    expect(reader.last()).toBeUndefined();
    const other = writerOf();
    other.begin();
    other.end();
    reader.follow();
    expect(reader.last()).toBe(readerOf().last());
    expect(reader.last()).not.toBe(before);
  });

  it('is not believed if the new one cannot be opened', () => {
    const [writer, reader] = [writerOf(), readerOf()];
    rmSync(path);
    mkdirSync(path);
    reader.follow();
    expect(reader.last()).toBeUndefined();
    expect(() => writer.begin()).toThrow(/EISDIR/);
  });

  it('is made whole by one of the processes that find no file', () => {
    const writers = [writerOf(), writerOf()];
    expect(readdirSync(folder)).toEqual(['commits']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const reader = readerOf();
    for (const writer of writers) {
      const before = reader.last();
      writer.begin();
      writer.end();
      expect(reader.last()).not.toBe(before);
    }
  });

  it('is made anew if it is empty, and not in its place', () => {
    writeFileSync(path, '');
    const { ino } = statSync(path);
    renameSync(path, `${path}.old`);
    writeFileSync(path, '');
    writerOf();
    expect(statSync(path).ino).not.toBe(ino);
    expect(readerOf().last()).toBeTypeOf('number');
  });

  it.each([1, 7, 9, 4096])('of %d bytes is refused, and never shown', (length) => {
    writeFileSync(path, Buffer.alloc(length));
    expect(() => writerOf()).toThrow(`has ${length} bytes instead of 8`);
    expect(readerOf().last()).toBeUndefined();
    expect(statSync(path).size).toBe(length);
  });

  it.each([3, 12])('that has %d bytes by now is not counted in', (length) => {
    const writer = writerOf();
    truncateSync(path, length);
    expect(() => writer.begin()).toThrow(`has ${length} bytes instead of 8: remove it`);
    rmSync(path);
    writer.begin();
    writer.end();
    expect(readerOf().last()).toBeTypeOf('number');
  });

  it('is not shown any more once it is cut short', () => {
    writerOf();
    truncateSync(path, 3);
    expect(readerOf().last()).toBeUndefined();
  });

  it('is refused if it is a link, to write and to look', () => {
    const target = `${folder}/target`;
    writeFileSync(target, Buffer.alloc(8));
    symlinkSync(target, path);
    expect(() => writerOf()).toThrow(/ELOOP/);
    expect(readerOf().last()).toBeUndefined();
    // The file takes its place later.
    rmSync(path);
    const [writer, reader] = [writerOf(), readerOf()];
    rmSync(path);
    symlinkSync(target, path);
    reader.follow();
    expect(reader.last()).toBeUndefined();
    expect(() => writer.begin()).toThrow(/ELOOP/);
    expect(readFileSync(target)).toEqual(Buffer.alloc(8));
  });

  it('is one in memory for all that look at it, however often it is opened', (context) => {
    if (process.platform !== 'linux') return context.skip();
    writerOf();
    const first = readerOf();
    for (let i = 0; i < 1000; i++) {
      const reader = new CommitReader(path, viewFile);
      expect(reader.last()).toBe(first.last());
      reader.close();
    }
    const mappings = readFileSync('/proc/self/maps', 'utf8').split('\n');
    expect(mappings.filter((line) => line.endsWith(path)).length).toBe(1);
  });

  it('leaves few of its views behind, if each was looked at by one at a time', (context) => {
    if (process.platform !== 'linux') return context.skip();
    writerOf();
    for (let i = 0; i < 1000; i++) new CommitReader(path, viewFile).close();
    const mappings = readFileSync('/proc/self/maps', 'utf8').split('\n');
    expect(mappings.filter((line) => line.endsWith(path)).length).toBeLessThan(10);
  });
});

describe('a store', () => {
  const commit = (id: number, changes: readonly unknown[]) => ({
    id,
    sentAt: monotonicNow(),
    method: 'commit',
    args: [changes],
  });
  const file = () => `${folder}/store.db`;
  /** Works in this process and thread, so that the test can get between its steps. */
  const openWriter = () => {
    const writer = new Writer(file(), { mayMake: true });
    opened.push(writer);
    return writer;
  };

  it('says that a commit has ended when others see it, and not before', () => {
    const writer = openWriter();
    const reader = new Reader(file());
    opened.push(reader);
    const seen: [string, Uint8Array | undefined][] = [];
    const { begin, end } = CommitWriter.prototype;
    vi.spyOn(CommitWriter.prototype, 'begin').mockImplementation(function (this: CommitWriter) {
      begin.call(this);
      seen.push(['begun', reader.get('a')]);
    });
    vi.spyOn(CommitWriter.prototype, 'end').mockImplementation(function (this: CommitWriter) {
      seen.push(['ends', reader.get('a')]);
      end.call(this);
    });
    writer.run([commit(1, [{ path: 'a', expected: undefined, next: Buffer.from('1') }])]);
    vi.restoreAllMocks();
    expect(seen.map(([when, value]) => [when, value && Buffer.from(value)])).toEqual([
      ['begun', undefined],
      ['ends', Buffer.from('1')],
    ]);
  });

  it('shows every change at once though there is garbage in its file of commits', async () => {
    const [store, other] = await Promise.all([
      SqliteStore.open(file(), viewFile),
      SqliteStore.open(file(), viewFile),
    ]);
    await store.commit([{ path: 'a', expected: undefined, next: Buffer.from('0') }]);
    const before = new CommitReader(`${file()}-commits`, viewFile).last() as number;
    overwrite(Uint32Array.of(before - 1000, before), `${file()}-commits`);
    for (let i = 0; i < 5; i++) {
      const stamp = other.stamp() as number;
      const [expected, next] = [Buffer.from(`${i}`), Buffer.from(`${i + 1}`)];
      expect(await store.commit([{ path: 'a', expected, next }])).toBe(true);
      expect(other.holds('a', stamp)).toBe(false);
    }
    await Promise.all([store.close(), other.close()]);
  });

  it('writes to the file that has its name, though another took its place while it was opened', () => {
    openWriter().close();
    opened.pop();
    engine.onOpen = () => {
      engine.onOpen = () => {};
      copyFileSync(file(), `${file()}.copy`);
      renameSync(`${file()}.copy`, file());
    };
    const { ino } = statSync(file());
    const writer = openWriter();
    expect(statSync(file()).ino).not.toBe(ino);
    const change = { path: 'a', expected: undefined, next: Buffer.from('1') };
    expect(writer.run([commit(1, [change])])).toEqual([{ id: 1, result: true }]);
    const reader = new Reader(file());
    opened.push(reader);
    expect(reader.get('a')).toEqual(new Uint8Array(Buffer.from('1')));
  });

  it('is not made if its commits cannot be counted: others would not see them', async () => {
    mkdirSync(`${file()}-commits`);
    await expect(SqliteStore.open(file(), viewFile)).rejects.toThrow(/cannot be opened: EISDIR/);
  });

  it('commits nothing if the file of commits was replaced by something else', () => {
    const writer = openWriter();
    rmSync(`${file()}-commits`);
    mkdirSync(`${file()}-commits`);
    const change = { path: 'a', expected: undefined, next: Buffer.from('1') };
    expect(writer.run([commit(1, [change])])).toEqual([
      { id: 1, failure: { fault: 'failed', message: expect.stringMatching(/EISDIR/) } },
    ]);
    rmSync(`${file()}-commits`, { recursive: true });
    expect(writer.run([commit(2, [change])])).toEqual([{ id: 2, result: true }]);
  });

  it('counts no commit that does not come about', () => {
    const writer = openWriter();
    const reader = readerOf(`${file()}-commits`);
    const before = reader.last();
    expect(before).toBeTypeOf('number');
    const unexpected = { path: 'a', expected: Buffer.from('1'), next: Buffer.from('2') };
    expect(writer.run([commit(1, [unexpected])])).toEqual([{ id: 1, result: false }]);
    expect(reader.last()).toBe(before);
    // A value that SQLite refuses, after one that it takes.
    const changes = [Buffer.from('1'), 'no bytes'].map((next, i) => ({
      path: `${i}`,
      expected: undefined,
      next,
    }));
    expect(writer.run([commit(2, changes)])[0]?.failure?.fault).toBe('failed');
    expect(reader.last()).toBe(before);
    expect(writer.run([commit(3, [unexpected])])).toEqual([{ id: 3, result: false }]);
    expect(
      writer.run([{ id: 4, sentAt: monotonicNow(), method: 'removeAll', args: [''] }]),
    ).toEqual([{ id: 4, result: 0 }]);
    expect(reader.last()).toBe(before);
  });

  it('lets one that fails spoil no other one that came with it', () => {
    const writer = openWriter();
    const put = (id: number, next: unknown) =>
      commit(id, [{ path: `${id}`, expected: undefined, next }]);
    const answers = writer.run([put(1, Buffer.from('1')), put(2, 'no bytes'), put(3, Buffer.of())]);
    expect(answers.map(({ id, result, failure }) => [id, result, failure?.fault])).toEqual([
      [1, true, undefined],
      [2, undefined, 'failed'],
      [3, true, undefined],
    ]);
    const reader = new Reader(file());
    opened.push(reader);
    expect(reader.list('', undefined, 9).map(({ path }) => path)).toEqual(['1', '3']);
  });
});
