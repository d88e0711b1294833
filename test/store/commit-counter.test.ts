import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../lib/native.ts';
import { CommitCounter } from '../../lib/store/commit-counter.ts';
import { LmdbStore } from '../../lib/store/lmdb-store.ts';
import { temporaryFolder } from '../support/folders.ts';

const { viewFile } = loadNative();

describe('a counter of commits', () => {
  let path: string;
  const open = () => CommitCounter.open(path, viewFile);
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
    const blind = CommitCounter.open(path, () => undefined);
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

describe('a store', () => {
  it('is not opened where its commits cannot be counted: others would not see them', async () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/commits`);
    expect(() => LmdbStore.open(folder, viewFile)).toThrow(/cannot be opened: EISDIR/);
  });

  it('counts no commit that does not come about', async () => {
    const folder = temporaryFolder();
    const store = LmdbStore.open(folder, viewFile);
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
