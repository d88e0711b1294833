import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import type { KeyStore } from '../../lib/store/key-store.ts';
import type { StoredLot } from '../../lib/store/lot-store.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { Cluster, hasPostgres, Pooler } from '../support/postgres.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('utf8');

const { viewFile } = loadNative();

let cluster: Cluster;
let pooler: Pooler;
beforeAll(async () => {
  if (!hasPostgres) return;
  cluster = await Cluster.start();
  pooler = await Pooler.start(cluster);
});
afterAll(async () => {
  if (!hasPostgres) return;
  await pooler.stop();
  await cluster.remove();
});

interface Kind {
  readonly open: (folder: string) => Promise<KeyStore>;
  /** Milliseconds after which others know of a commit, if not at once. */
  readonly bound?: number;
}

// A commit that replaces something takes as long as the bound: a second would be long here.
const staleness = { bound: 40, every: 10 };
const onPostgres = (port: () => number): Kind => ({
  open: (folder) => {
    // A schema for each folder: both stores of a test are on the same place.
    const schema = `s_${path.basename(folder).replace(/\W/g, '_').toLowerCase()}_${port()}`;
    const url = cluster.url('postgres', { port: port(), more: `?schema=${schema}` });
    return PostgresStore.open(url, { makeSchema: true, staleness });
  },
  bound: staleness.bound,
});

const stores: Record<string, Kind> = {
  memory: { open: async () => new MemoryStore() },
  sqlite: { open: (folder) => SqliteStore.open(`${folder}/store.db`, viewFile) },
  ...(hasPostgres && {
    postgres: onPostgres(() => cluster.port),
    'postgres, through a pooler,': onPostgres(() => pooler.port),
  }),
};

describe.each(Object.entries(stores))('a %s store', (_name, { open: openStore, bound }) => {
  let folder: string;
  let store: KeyStore;
  // The same place as another process sees it, where there can be one.
  let other: KeyStore;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
    store = await openStore(folder);
    other = store instanceof MemoryStore ? store : await openStore(folder);
  });
  afterEach(async () => {
    await store.removeAll('');
    await store.lots.clear('', []);
  });
  afterAll(async () => {
    await other.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const put = (path: string, value: string) =>
    store.commit([{ path, expected: undefined, next: bytes(value) }]);
  const paths = async (prefix: string, options: { after?: string; limit: number }) =>
    (await store.list(prefix, options)).map((entry) => entry.path);

  describe('as a map of records', () => {
    it('gives back the values that were put, and undefined for others', async () => {
      expect(await put('a', '1')).toBe(true);
      expect(text(await store.get('a'))).toBe('1');
      expect(await store.get('b')).toBeUndefined();
    });

    it('keeps values of any length, none and a megabyte included', async () => {
      for (const value of [Buffer.alloc(0), Buffer.alloc(1), randomBytes(1 << 20)]) {
        const path = `${value.length}`;
        expect(await store.commit([{ path, expected: undefined, next: value }])).toBe(true);
        const found = await store.get(path);
        expect(found && Buffer.from(found).equals(value)).toBe(true);
        expect(await store.commit([{ path, expected: value, next: undefined }])).toBe(true);
      }
    });

    it('keeps paths of 1,024 characters apart by their last one', async () => {
      const long = 'p'.repeat(1023);
      await put(`${long}a`, '1');
      await put(`${long}b`, '2');
      expect(text(await store.get(`${long}a`))).toBe('1');
      expect(await paths(long, { limit: 9 })).toEqual([`${long}a`, `${long}b`]);
    });

    it('commits nothing where something is that a change expects not to be, and leaves it', async () => {
      const change = { path: 'b', expected: undefined, next: bytes('1') };
      const nothing = { path: 'a', expected: undefined, next: undefined };
      expect(await store.commit([nothing, change])).toBe(true);
      expect(text(await store.get('b'))).toBe('1');
      await put('a', '1');
      const next = { path: 'c', expected: undefined, next: bytes('1') };
      expect(await store.commit([nothing, next])).toBe(false);
      expect(await store.get('c')).toBeUndefined();
      expect(text(await store.get('a'))).toBe('1');
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

    it('commits nothing if a value that must stay is not as expected', async () => {
      await put('a', '1');
      const stay = (value: string) => ({ path: 'a', expected: bytes(value), next: bytes(value) });
      const made = { path: 'b', expected: undefined, next: bytes('2') };
      expect(await store.commit([made, stay('0')])).toBe(false);
      expect(await store.get('b')).toBeUndefined();
      expect(await store.commit([made, stay('1')])).toBe(true);
      expect(text(await store.get('b'))).toBe('2');
    });

    it('shows what another one on the same place has committed, in the same turn', async () => {
      expect(await other.get('a')).toBeUndefined();
      await put('a', '1');
      expect(text(await other.get('a'))).toBe('1');
      await put('b', '2');
      expect(await other.list('', { limit: 5 })).toHaveLength(2);
    });

    it('reads several values of one moment, in the order that they were asked for', async () => {
      await put('a', '1');
      await put('b', '2');
      const found = await store.getAll(['b', 'none', 'a', 'b']);
      expect(found.map(text)).toEqual(['2', undefined, '1', '2']);
      expect(await store.getAll([])).toEqual([]);
    });

    it('never shows two values between two commits', async () => {
      const change = (expected: string, next: string) =>
        ['a', 'b'].map((path) => ({ path, expected: bytes(expected), next: bytes(next) }));
      for (const path of ['a', 'b']) await put(path, '0');
      let isDone = false;
      const committing = (async () => {
        for (let i = 0; i < 60; i++) {
          await store.commit(change(`${i}`, `${i + 1}`));
          await new Promise(setImmediate);
        }
        isDone = true;
      })();
      let reads = 0;
      while (!isDone) {
        const [a, b] = await other.getAll(['a', 'b']);
        expect(text(a)).toBe(text(b));
        reads++;
        await new Promise(setImmediate);
      }
      await committing;
      expect(reads).toBeGreaterThan(2);
    });

    it('counts entries until there are enough', async () => {
      for (const path of ['a/1', 'a/20', 'a/300', 'b/4', 'a', 'a0']) await put(path, 'x');
      expect(await store.count('a/', 10)).toBe(3);
      expect(await store.count('a/', 2)).toBe(2);
      expect(await store.count('c/', 10)).toBe(0);
      expect(await store.count('', 100)).toBe(6);
    });

    it('removes a value', async () => {
      await put('a', '1');
      expect(await store.commit([{ path: 'a', expected: bytes('1'), next: undefined }])).toBe(true);
      expect(await store.get('a')).toBeUndefined();
    });

    it('removes all values of a prefix at once, and no other one', async () => {
      for (const path of ['a/1', 'a/2', 'a/~', 'a', 'a0', 'b/1']) await put(path, 'x');
      expect(await store.removeAll('a/')).toBe(3);
      expect(await store.removeAll('a/')).toBe(0);
      expect(await paths('', { limit: 10 })).toEqual(['a', 'a0', 'b/1']);
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
      const won = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          (i % 2 === 0 ? store : other).commit([
            { path: 'a', expected: undefined, next: bytes(`${i}`) },
          ]),
        ),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(text(await store.get('a'))).toBe(String(won.indexOf(true)));
    });

    it('keeps a copy, so that changing what was passed in changes nothing', async () => {
      const value = bytes('1');
      const done = store.commit([{ path: 'a', expected: undefined, next: value }]);
      value.fill(0x32);
      await done;
      value.fill(0x33);
      expect(text(await store.get('a'))).toBe('1');
    });

    it('gives values that are the caller’s own and never change', async () => {
      await put('a', 'old');
      const ask = async () => [
        await store.get('a'),
        (await store.getAll(['a', 'a']))[1],
        (await store.list('', { limit: 1 }))[0]?.value,
      ];
      const found = await ask();
      await store.commit([{ path: 'a', expected: bytes('old'), next: bytes('new') }]);
      expect(found.map(text)).toEqual(['old', 'old', 'old']);
      for (const value of await ask()) value?.fill(0);
      expect((await ask()).map(text)).toEqual(['new', 'new', 'new']);
      expect(found.map(text)).toEqual(['old', 'old', 'old']);
    });

    it('lists a prefix in ascending order, from after a path, up to a limit', async () => {
      for (const path of ['k/b', 'k/a', 'k/c', 'j/z', 'l', 'k', 'k/ab']) await put(path, path);
      const keys = (options: { after?: string; limit: number }) => paths('k/', options);
      expect(await keys({ limit: 10 })).toEqual(['k/a', 'k/ab', 'k/b', 'k/c']);
      expect(await keys({ limit: 2 })).toEqual(['k/a', 'k/ab']);
      expect(await keys({ after: 'k/ab', limit: 10 })).toEqual(['k/b', 'k/c']);
      expect(await keys({ after: 'k/aa', limit: 1 })).toEqual(['k/ab']);
      expect(await keys({ after: 'k/c', limit: 10 })).toEqual([]);
      const [first] = await store.list('k/', { limit: 1 });
      expect(text(first?.value)).toBe('k/a');
    });

    it('lists more than it reads at a time', async () => {
      const names = Array.from({ length: 450 }, (_, i) => `k/${String(i).padStart(4, '0')}`);
      const changes = names.map((path) => ({ path, expected: undefined, next: bytes(path) }));
      await store.commit(changes);
      expect(await paths('k/', { limit: 1000 })).toEqual(names);
      expect(await paths('k/', { limit: 101 })).toEqual(names.slice(0, 101));
      expect(await paths('k/', { after: 'k/0099', limit: 200 })).toEqual(names.slice(100, 300));
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
          await store.removeAll('');
          const model = new Map<string, Uint8Array>();
          for (const { path, next, honest } of steps) {
            const expected = honest ? model.get(path) : Buffer.from('never there');
            const done = await store.commit([{ path, expected, next: next ?? undefined }]);
            expect(done).toBe(honest);
            if (!done) continue;
            if (next === null) model.delete(path);
            else model.set(path, next);
          }
          const listed = await other.list('', { limit: 100 });
          const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
          expect(listed.map((e) => [e.path, Buffer.from(e.value)])).toEqual(
            wanted.map(([p, v]) => [p, Buffer.from(v)]),
          );
        }),
        { numRuns: 30 },
      );
    });
  });

  describe('as one that tells whether what was read still holds', () => {
    it('holds after a stamp until the next commit of any process', async () => {
      await put('0', '1');
      for (let i = 1; i < 40; i++) {
        const stamps = await vi.waitFor(
          () => {
            const given = [store, other].map((each) => each.stamp() as number);
            expect(given.every((stamp) => typeof stamp === 'number')).toBe(true);
            return given;
          },
          bound === undefined ? 1 : 5000,
        );
        // None of these changes anything.
        expect(await put('0', '1')).toBe(false);
        expect(await other.removeAll('none')).toBe(0);
        await store.getAll(['0']);
        const who = i % 2 === 0 ? store : other;
        const added = { path: `${i}`, expected: undefined, next: bytes('1') };
        const changed = { path: '0', expected: bytes(`${i}`), next: bytes(`${i + 1}`) };
        // Who knows of commits at once need not know of which paths.
        await who.commit(bound === undefined ? [added] : [added, changed]);
        expect([
          store.holds('0', stamps[0] as number),
          other.holds('0', stamps[1] as number),
        ]).toEqual([false, false]);
      }
    });

    it('holds while nothing is committed, whatever is read or refused', async () => {
      await put('a', '1');
      await put('b', '1');
      // A look at what other programs do, which comes twice a second, may be under way.
      await vi.waitFor(async () => {
        const stamps = [store, other].map((each) => each.stamp() as number);
        // Who meets the commit of another one before hearing of it reads again.
        await put(bound === undefined ? 'a' : 'b', '2');
        await other.get('a');
        await store.list('', { limit: 9 });
        await store.removeAll('none');
        expect(store.holds('a', stamps[0] as number)).toBe(true);
        expect(other.holds('a', stamps[1] as number)).toBe(true);
      }, 5000);
    });

    it('does not hold after values were removed, or changed together with lots', async () => {
      await put('a/1', '1');
      await put('b', '1');
      const changes = [
        ['a/1', () => other.removeAll('a/')],
        [
          'b',
          () => other.lots.clear('none', [{ path: 'b', expected: bytes('1'), next: bytes('2') }]),
        ],
      ] as const;
      for (const [path, change] of changes) {
        const stamp = store.stamp() as number;
        await change();
        expect(store.holds(bound === undefined ? 'b' : path, stamp)).toBe(false);
      }
    });

    it('tells listeners that others have changed something, and nothing otherwise', async () => {
      if (other === store) return;
      const listener = vi.fn();
      store.onChanged(listener);
      await other.commit([{ path: 'a', expected: undefined, next: bytes('1') }]);
      await vi.waitFor(() => expect(listener).toHaveBeenCalled(), 3000);
      await new Promise((done) => setTimeout(done, 600));
      listener.mockClear();
      await new Promise((done) => setTimeout(done, 1200));
      expect(listener).not.toHaveBeenCalled();
    });
  });

  describe('as one of lots', () => {
    const pool = 'region:pool/key/spec/';
    const record = { path: 'record', value: bytes('as it was') };
    const lot = (serial: number, pairs = 4): StoredLot => ({
      serial,
      pairs,
      value: bytes(`lot ${serial}`),
    });
    const addTo = (name: string, lots: StoredLot[], filler = 'me', at = store) =>
      at.lots.add({ pool: name, lots, unchanged: record, filler });
    const add = (...lots: StoredLot[]) => addTo(pool, lots);
    const serials = (lots: readonly StoredLot[]) => lots.map(({ serial }) => serial);
    const level = async (name = pool) => (await store.lots.levels([name]))[0];
    beforeEach(() => put(record.path, 'as it was'));

    it('knows nothing of a pool that was never added to', async () => {
      expect(await store.lots.lastSerial(pool)).toBe(0);
      expect(await store.lots.take(pool, 4)).toEqual({ lots: [], left: 0 });
      expect(await store.lots.levels([pool])).toEqual([0]);
      expect(await store.lots.list(pool, { after: 0, limit: 9 })).toEqual([]);
    });

    it('takes the oldest, until there are enough pairs, and they are gone', async () => {
      expect(await add(lot(1), lot(2, 3))).toBe('added');
      expect(await add(lot(3, 16))).toBe('added');
      expect(await level()).toBe(23);
      expect(await store.lots.lastSerial(pool)).toBe(3);
      const first = await other.lots.take(pool, 5);
      expect(serials(first.lots)).toEqual([1, 2]);
      expect(first.lots.map(({ pairs, value }) => [pairs, text(value)])).toEqual([
        [4, 'lot 1'],
        [3, 'lot 2'],
      ]);
      expect(first.left).toBe(16);
      const second = await store.lots.take(pool, 100);
      expect([serials(second.lots), second.left]).toEqual([[3], 0]);
      expect(await store.lots.take(pool, 1)).toEqual({ lots: [], left: 0 });
      expect(await level()).toBe(0);
      // The numbers go on.
      expect(await store.lots.lastSerial(pool)).toBe(3);
      expect(await add(lot(4))).toBe('added');
    });

    it('gives each lot to one of many that take at once', async () => {
      await add(...Array.from({ length: 60 }, (_, i) => lot(i + 1, 1)));
      const taken = await Promise.all(
        Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? store : other).lots.take(pool, 3)),
      );
      const got = taken.flatMap(({ lots }) => serials(lots));
      expect([...got].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
      expect(await level()).toBe(0);
    });

    it('says that serials are taken if another one gave them, and adds nothing', async () => {
      expect(await add(lot(1), lot(2))).toBe('added');
      expect(await addTo(pool, [lot(2), lot(3)], 'you', other)).toBe('taken');
      expect(await level()).toBe(8);
      expect(await store.lots.lastSerial(pool)).toBe(2);
      await store.lots.take(pool, 100);
      // Taken ones are never given again.
      expect(await add(lot(1))).toBe('taken');
      expect(await level()).toBe(0);
    });

    it('says that the pool is gone if its record was changed or removed, and adds nothing', async () => {
      const next = bytes('another');
      await store.commit([{ path: record.path, expected: record.value, next }]);
      expect(await add(lot(1))).toBe('gone');
      await store.commit([{ path: record.path, expected: next, next: undefined }]);
      expect(await add(lot(1))).toBe('gone');
      expect(await level()).toBe(0);
      expect(await store.lots.lastSerial(pool)).toBe(0);
    });

    it('lets a record be removed before an addition or after it, never in between', async () => {
      const adding = add(lot(1));
      const removal = { path: record.path, expected: record.value, next: undefined };
      const clearing = store.lots.clear(pool, [removal]);
      const [outcome, removed] = await Promise.all([adding, clearing]);
      expect([outcome, removed]).toEqual(outcome === 'added' ? ['added', 4] : ['gone', 0]);
      expect(await level()).toBe(0);
    });

    it('keeps its count if no lots are added', async () => {
      await add(lot(1), lot(2));
      expect(await add()).toBe('added');
      expect(await store.lots.lastSerial(pool)).toBe(2);
      expect(await add(lot(1))).toBe('taken');
    });

    it('counts the pairs of several pools', async () => {
      await addTo('a/', [lot(1, 5)]);
      await addTo('b/', [lot(1, 7), lot(2, 1)]);
      expect(await other.lots.levels(['b/', 'none/', 'a/', 'b/'])).toEqual([8, 0, 5, 8]);
      expect(await store.lots.levels([])).toEqual([]);
    });

    it('clears all pools of a prefix with a change, and says how many pairs they had', async () => {
      await addTo('p/1/', [lot(1, 5), lot(2, 2)]);
      await addTo('p/2/', [lot(1, 1)]);
      await addTo('q/1/', [lot(1, 9)]);
      const change = { path: record.path, expected: record.value, next: bytes('another') };
      expect(await other.lots.clear('p/', [change])).toBe(8);
      expect(text(await store.get(record.path))).toBe('another');
      expect(await store.lots.levels(['p/1/', 'p/2/', 'q/1/'])).toEqual([0, 0, 9]);
      expect((await store.lots.take('p/1/', 9)).lots).toEqual([]);
      expect(await store.lots.clear('p/', [])).toBe(0);
    });

    it('clears nothing and changes nothing if a value is not as expected', async () => {
      await add(lot(1));
      const changes = [
        { path: 'new', expected: undefined, next: bytes('1') },
        { path: record.path, expected: bytes('wrong'), next: undefined },
      ];
      expect(await store.lots.clear(pool, changes)).toBeUndefined();
      expect(await store.get('new')).toBeUndefined();
      expect(await level()).toBe(4);
    });

    it('lists lots after a serial, and leaves them', async () => {
      await add(lot(1), lot(2), lot(5));
      expect(serials(await store.lots.list(pool, { after: -1, limit: 2 }))).toEqual([1, 2]);
      expect(serials(await store.lots.list(pool, { after: 2, limit: 9 }))).toEqual([5]);
      expect(await store.lots.list(pool, { after: 5, limit: 9 })).toEqual([]);
      expect(await level()).toBe(12);
    });

    it('keeps copies of lots and gives copies, so that no caller changes them', async () => {
      const added = lot(1);
      const adding = add(added);
      added.value.fill(0);
      await adding;
      added.value.fill(1);
      const [listed] = await store.lots.list(pool, { after: 0, limit: 1 });
      expect(text(listed?.value)).toBe('lot 1');
      listed?.value.fill(0);
      const { lots } = await store.lots.take(pool, 1);
      expect(text(lots[0]?.value)).toBe('lot 1');
    });

    it('has no part in stamps', async () => {
      await vi.waitFor(async () => {
        const stamp = store.stamp() as number;
        const last = await store.lots.lastSerial(pool);
        await add(lot(last + 1));
        await store.lots.take(pool, 1);
        await store.lots.reserve({ pool, filler: 'me', target: 9, most: 1, seconds: 30 });
        await store.lots.clear(pool, []);
        expect(store.holds(record.path, stamp)).toBe(true);
      }, 5000);
    });

    describe('that are reserved before they are minted', () => {
      const reserve = (
        filler: string,
        most: number,
        { target = 100, seconds = 30, at = store } = {},
      ) => at.lots.reserve({ pool, filler, target, most, seconds });

      it('are shared among the fillers, and are no more than are missing', async () => {
        await add(lot(1, 10));
        expect(await reserve('a', 60)).toBe(60);
        expect(await reserve('b', 60, { at: other })).toBe(30);
        expect(await reserve('c', 60)).toBe(0);
        // A filler that asks again has given back its reservation.
        expect(await reserve('a', 20)).toBe(20);
        expect(await reserve('c', 100)).toBe(40);
        expect(await reserve('b', 0)).toBe(0);
        expect(await reserve('c', 100)).toBe(70);
      });

      it('go to one of many that ask at once', async () => {
        const asked = Array.from({ length: 20 }, (_, i) =>
          reserve(`filler ${i}`, 15, { at: i % 2 === 0 ? store : other }),
        );
        const got = await Promise.all(asked);
        expect(got.reduce((sum, pairs) => sum + pairs, 0)).toBe(100);
      });

      it('count as waiting, not as reserved, once they were added', async () => {
        expect(await reserve('a', 100)).toBe(100);
        await addTo(pool, [lot(1, 40)], 'a');
        expect(await reserve('b', 100)).toBe(0);
        expect(await reserve('a', 100)).toBe(60);
        await addTo(pool, [lot(2, 80)], 'a');
        expect(await reserve('b', 100)).toBe(0);
        // More than it had reserved is no debt of its.
        await store.lots.take(pool, 80);
        expect(await reserve('b', 100)).toBe(100);
      });

      it('are free again if their filler does not come back', async () => {
        expect(await reserve('killed', 100, { seconds: 0.4 })).toBe(100);
        expect(await reserve('a', 100, { seconds: 0.5 })).toBe(0);
        await new Promise((done) => setTimeout(done, 450));
        expect(await reserve('a', 100)).toBe(100);
      });

      it('are not held for years by one whose clock was ahead', async () => {
        expect(await reserve('ahead', 100, { seconds: 100_000_000 })).toBe(100);
        expect(await reserve('a', 100)).toBe(100);
      });

      it('are made only for missing pairs', async () => {
        await add(lot(1, 100));
        expect(await reserve('a', 10)).toBe(0);
        expect(await reserve('a', 10, { target: 50 })).toBe(0);
        expect(await reserve('a', 10, { target: 103 })).toBe(3);
      });

      it('of a pool that was cleared are free', async () => {
        expect(await reserve('a', 100)).toBe(100);
        await store.lots.clear(pool, []);
        expect(await reserve('b', 100)).toBe(100);
      });
    });
  });
});
