import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../lib/native.ts';
import type { KeyStore } from '../../lib/store/key-store.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('utf8');

const { viewFile } = loadNative();

const stores: Record<string, () => KeyStore> = {
  memory: () => new MemoryStore(),
  lmdb: () => await SqliteStore.open(temporaryFolder(), viewFile),
};

describe.each(Object.entries(stores))('a %s store', (_name, openStore) => {
  let store: KeyStore;
  beforeEach(() => {
    store = openStore();
  });
  afterEach(() => store.close());

  const put = (path: string, value: string) =>
    store.commit([{ path, expected: undefined, next: bytes(value) }]);

  it('gives back what was put, and undefined for what was not', async () => {
    expect(await put('a', '1')).toBe(true);
    expect(text(await store.get('a'))).toBe('1');
    expect(await store.get('b')).toBeUndefined();
  });

  it('changes a value only from what is expected', async () => {
    await put('a', '1');
    expect(await put('a', '2')).toBe(false);
    const change = (expected: string, next: string) =>
      store.commit([{ path: 'a', expected: bytes(expected), next: bytes(next) }]);
    expect(await change('2', '3')).toBe(false);
    expect(text(await store.get('a'))).toBe('1');
    expect(await change('1', '3')).toBe(true);
    expect(text(await store.get('a'))).toBe('3');
  });

  it('shows what another one on the same place has committed, in the same turn', async () => {
    const url = store.url.replace('sqlite:', '');
    const other = store instanceof SqliteStore ? await SqliteStore.open(url) : store;
    expect(await other.get('a')).toBeUndefined();
    await put('a', '1');
    expect(text(await other.get('a'))).toBe('1');
    await put('b', '2');
    expect(await other.list('', { limit: 5 })).toHaveLength(2);
    if (other !== store) await other.close();
  });

  it('is of another generation after each commit, and of the same until then', async () => {
    const url = store.url.replace('sqlite:', '');
    const other = store instanceof SqliteStore ? await SqliteStore.open(url, viewFile) : store;
    const seen = new Set<number | undefined>();
    for (let i = 0; i < 100; i++) {
      await (i % 2 === 0 ? store : other).commit([
        { path: `${i}`, expected: undefined, next: bytes('1') },
      ]);
      expect(await store.commit([{ path: '0', expected: undefined, next: bytes('2') }])).toBe(
        false,
      );
      await store.get('0');
      expect(store.generation()).toBeTypeOf('number');
      expect(other.generation()).toBe(store.generation());
      seen.add(store.generation());
    }
    expect(seen.size).toBe(100);
    if (other !== store) await other.close();
  });

  it('counts entries, or what they weigh, until there are enough', async () => {
    for (const path of ['a/1', 'a/20', 'a/300', 'b/4']) await put(path, 'x');
    const weigh = (path: string) => Number(path.slice(2));
    expect(await store.count('a/', 10)).toBe(3);
    expect(await store.count('a/', 2)).toBe(2);
    expect(await store.count('a/', 1000, weigh)).toBe(321);
    expect(await store.count('c/', 10, weigh)).toBe(0);
  });

  it('removes a value', async () => {
    await put('a', '1');
    expect(await store.commit([{ path: 'a', expected: bytes('1'), next: undefined }])).toBe(true);
    expect(await store.get('a')).toBeUndefined();
  });

  it('applies all changes of a commit or none', async () => {
    await put('a', '1');
    const changes = [
      { path: 'b', expected: undefined, next: bytes('2') },
      { path: 'a', expected: bytes('wrong'), next: bytes('2') },
    ];
    expect(await store.commit(changes)).toBe(false);
    expect(await store.get('b')).toBeUndefined();
    expect(text(await store.get('a'))).toBe('1');
  });

  it('lets one of many commits that expect the same win', async () => {
    const won = await Promise.all(Array.from({ length: 50 }, (_, i) => put('a', String(i))));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(text(await store.get('a'))).toBe(String(won.indexOf(true)));
  });

  it('keeps a copy, so that changing what was passed in changes nothing', async () => {
    const value = bytes('1');
    await store.commit([{ path: 'a', expected: undefined, next: value }]);
    value.fill(0x32);
    expect(text(await store.get('a'))).toBe('1');
  });

  it('lists a prefix in ascending order, from after a path, up to a limit', async () => {
    for (const path of ['k/b', 'k/a', 'k/c', 'j/z', 'l', 'k', 'k/ab']) await put(path, path);
    const paths = async (options: { after?: string; limit: number }) =>
      (await store.list('k/', options)).map((entry) => entry.path);
    expect(await paths({ limit: 10 })).toEqual(['k/a', 'k/ab', 'k/b', 'k/c']);
    expect(await paths({ limit: 2 })).toEqual(['k/a', 'k/ab']);
    expect(await paths({ after: 'k/ab', limit: 10 })).toEqual(['k/b', 'k/c']);
    expect(await paths({ after: 'k/aa', limit: 1 })).toEqual(['k/ab']);
    expect(await paths({ after: 'k/c', limit: 10 })).toEqual([]);
    expect((await store.list('k/', { limit: 1 })).map(({ value }) => text(value))).toEqual(['k/a']);
  });

  it('behaves as an ordered map under any sequence of commits', async () => {
    const path = fc.stringMatching(/^[a-c/]{1,3}$/);
    const step = fc.record({
      path,
      next: fc.option(fc.uint8Array({ maxLength: 4 })),
      honest: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const fresh = openStore();
        const model = new Map<string, Uint8Array>();
        for (const { path, next, honest } of steps) {
          const expected = honest ? model.get(path) : Buffer.from('never there');
          const done = await fresh.commit([{ path, expected, next: next ?? undefined }]);
          expect(done).toBe(honest);
          if (!done) continue;
          if (next === null) model.delete(path);
          else model.set(path, next);
        }
        const listed = await fresh.list('', { limit: 100 });
        const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(listed.map((e) => [e.path, Buffer.from(e.value)])).toEqual(
          wanted.map(([p, v]) => [p, Buffer.from(v)]),
        );
        await fresh.close();
      }),
      { numRuns: 30 },
    );
  });
});
