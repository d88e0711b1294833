import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadNative } from '../../lib/native.ts';
import { CommitCounter } from '../../lib/store/commit-counter.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';

const { viewFile } = loadNative();

describe('a counter of commits', () => {
  let path: string;
  const counters: CommitCounter[] = [];
  const open = (view = viewFile) => {
    const counter = new CommitCounter(path, view);
    counters.push(counter);
    return counter;
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });
  beforeEach(() => {
    path = `${temporaryFolder()}/commits`;
  });

  it('shows every process that a commit is under way, and that it has ended', () => {
    const [mine, others] = [open(), open()];
    const before = others.last();
    expect(before).toBeTypeOf('number');
    mine.begin();
    expect([mine.last(), others.last()]).toEqual([undefined, undefined]);
    mine.end();
    expect(others.last()).toBe(mine.last());
    expect(others.last()).not.toBe(before);
  });

  it('tells nothing after a process died in a commit, until the next has ended', () => {
    open().begin();
    const counter = open();
    expect(counter.last()).toBeUndefined();
    counter.begin();
    expect(counter.last()).toBeUndefined();
    counter.end();
    expect(counter.last()).toBeTypeOf('number');
  });

  it('is not taken back by a process that comes late to say that its commit has ended', () => {
    const [early, late] = [open(), open()];
    late.begin();
    early.begin();
    expect(early.last()).toBeUndefined();
    early.end();
    const ended = early.last();
    expect(ended).toBeTypeOf('number');
    late.end();
    expect(late.last()).toBe(ended);
  });

  it('goes on from its largest number with none', () => {
    writeFileSync(path, Buffer.alloc(8, 255));
    const counter = open();
    expect(counter.last()).toBe(2 ** 32 - 1);
    counter.begin();
    counter.end();
    expect(counter.last()).toBe(0);
  });

  it('tells nothing where memory cannot show the file, and counts all the same', () => {
    const blind = open(() => undefined);
    const counter = open();
    const before = counter.last();
    blind.begin();
    expect([blind.last(), counter.last()]).toEqual([undefined, undefined]);
    blind.end();
    expect(blind.last()).toBeUndefined();
    expect(counter.last()).not.toBe(before);
    expect(readFileSync(path)).toHaveLength(8);
  });
});

describe('a file of commits that is deleted or replaced under a process', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = temporaryFolder();
    path = `${folder}/commits`;
  });
  const replacements: [string, () => void][] = [
    ['deleted', () => rmSync(path)],
    ['moved away', () => renameSync(path, `${path}.old`)],
  ];

  it.each(replacements)('is left by whoever commits, when it was %s', (_how, take) => {
    const counter = new CommitCounter(path, viewFile);
    const before = counter.last();
    take();
    counter.begin();
    expect(existsSync(path)).toBe(true);
    expect(counter.last()).toBeUndefined();
    counter.end();
    expect(counter.last()).not.toBe(before);
    counter.close();
  });

  it.each(replacements)('is left by whoever reads, when it was %s', async (_how, take) => {
    const counter = new CommitCounter(path, viewFile);
    const before = counter.last();
    take();
    const other = new CommitCounter(path, viewFile);
    other.begin();
    other.end();
    await vi.waitFor(() => expect(counter.last()).toBe(other.last()), 2000);
    expect(counter.last()).not.toBe(before);
    counter.close();
    other.close();
  });

  it('is not believed where the new one cannot be opened', async () => {
    const counter = new CommitCounter(path, viewFile);
    rmSync(path);
    mkdirSync(path);
    await vi.waitFor(() => expect(counter.last()).toBeUndefined(), 2000);
    expect(() => counter.begin()).toThrow(/EISDIR/);
    counter.close();
  });

  it('is made whole, by one of those that find none', () => {
    const both = [new CommitCounter(path, viewFile), new CommitCounter(path, viewFile)];
    expect(both[0]?.last()).toBe(both[1]?.last());
    expect(readdirSync(folder)).toEqual(['commits']);
    expect(statSync(path).mode & 0o600).toBe(0o600);
    for (const counter of both) counter.close();
    writeFileSync(path, '');
    const again = new CommitCounter(path, viewFile);
    expect(again.last()).toBeTypeOf('number');
    again.close();
  });
});

describe('a store', () => {
  it('says that a commit has ended when others see it, and not before', async () => {
    const folder = temporaryFolder();
    const [store, other] = [await SqliteStore.open(folder, viewFile), await SqliteStore.open(folder, viewFile)];
    const seen: Promise<Uint8Array | undefined>[] = [];
    const { begin, end } = CommitCounter.prototype;
    vi.spyOn(CommitCounter.prototype, 'begin').mockImplementation(function (this: CommitCounter) {
      begin.call(this);
      seen.push(other.get('a'));
    });
    vi.spyOn(CommitCounter.prototype, 'end').mockImplementation(function (this: CommitCounter) {
      seen.push(other.get('a'));
      end.call(this);
    });
    await store.commit([{ path: 'a', expected: undefined, next: Buffer.from('1') }]);
    vi.restoreAllMocks();
    expect(await Promise.all(seen)).toEqual([undefined, Buffer.from('1')]);
    await Promise.all([store.close(), other.close()]);
  });

  it('is not opened where its commits cannot be counted: others would not see them', async () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/commits`);
    expect(() => await SqliteStore.open(folder, viewFile)).toThrow(/cannot be opened: EISDIR/);
  });

  it('counts no commit that does not come about', async () => {
    const folder = temporaryFolder();
    const store = await SqliteStore.open(folder, viewFile);
    expect(existsSync(`${folder}/commits`)).toBe(true);
    const before = store.generation();
    const unexpected = { path: 'a', expected: Buffer.from('1'), next: Buffer.from('2') };
    expect(await store.commit([unexpected])).toBe(false);
    expect(store.generation()).toBe(before);
    // A path that LMDB refuses, after one that it takes.
    const changes = ['a', 'b'.repeat(5000)].map((path) => ({
      path,
      expected: undefined,
      next: Buffer.from('1'),
    }));
    await expect(store.commit(changes)).rejects.toThrow();
    expect(await store.get('a')).toBeUndefined();
    expect(store.generation()).toBeTypeOf('number');
    await store.close();
  });
});
