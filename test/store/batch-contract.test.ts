import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import type { BatchStore, ChunkClaim } from '../../lib/store/batch-store.ts';
import type { KeyStore } from '../../lib/store/key-store.ts';
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
  await pooler?.stop();
  await cluster?.remove();
});

const onPostgres = (port: () => number) => (folder: string) => {
  // A schema for each folder: both stores of a test are on the same place.
  const schema = `s_${path.basename(folder).replace(/\W/g, '_').toLowerCase()}`;
  const url = cluster.url('postgres', { port: port(), more: `?schema=${schema}` });
  return PostgresStore.open(url, { makeSchema: true });
};

const stores: Record<string, (folder: string) => Promise<KeyStore>> = {
  memory: async () => new MemoryStore(),
  sqlite: (folder) => SqliteStore.open(`${folder}/store.db`, viewFile),
  ...(hasPostgres && {
    postgres: onPostgres(() => cluster.port),
    'postgres, through a pooler,': onPostgres(() => pooler.port),
  }),
};

describe.each(Object.entries(stores))('batches in a %s store', (_name, openStore) => {
  let folder: string;
  let store: KeyStore;
  let batches: BatchStore;
  // The same place as another process sees it, where there can be one.
  let other: BatchStore;
  let otherStore: KeyStore;
  let name: string;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
    store = await openStore(folder);
    otherStore = store instanceof MemoryStore ? store : await openStore(folder);
    batches = store.batches as BatchStore;
    other = otherStore.batches as BatchStore;
  });
  beforeEach(async () => {
    for (const left of await batches.names()) await batches.delete(left, []);
    while (await batches.purge()) {}
    name = `place:batch/${randomUUID()}`;
  });
  afterAll(async () => {
    await otherStore.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const record = (value = '1', path = name) => ({ path, expected: undefined, next: bytes(value) });
  const submit = (pairs = 25, chunk = 10, batch = name) =>
    batches.submit({ name: batch, pairs, chunk }, [record('1', batch)]);
  const claim = (worker: string, most = 1, seconds = 5) =>
    (worker === 'b' ? other : batches).claim({ worker, most, seconds });
  const one = async (worker = 'a', seconds = 5): Promise<ChunkClaim> => {
    const [claimed] = await claim(worker, 1, seconds);
    if (claimed === undefined) throw new Error('there is nothing to claim');
    return claimed;
  };
  const settle = (claimed: ChunkClaim, value = 'pairs', worker = 'a') =>
    batches.settle(worker, claimed, bytes(value));
  const level = async () => (await other.levels([name]))[0];

  it('makes a batch with its record or neither', async () => {
    expect(await submit()).toBe(true);
    expect(text(await store.get(name))).toBe('1');
    const second = `${name}-2`;
    const changes = [record('2', second), record('2')];
    expect(await batches.submit({ name: second, pairs: 1, chunk: 1 }, changes)).toBe(false);
    expect(await store.get(second)).toBeUndefined();
    expect(await other.names()).toEqual([name]);
  });

  it('never makes a batch twice', async () => {
    await submit();
    expect(await batches.submit({ name, pairs: 1, chunk: 1 }, [])).toBe(false);
    expect((await claim('a', 99)).map(({ pairs }) => pairs)).toEqual([10, 10, 5]);
  });

  it('gives each chunk to one worker, in order, and says when none waits', async () => {
    await submit();
    expect(await other.isWaiting()).toBe(true);
    expect(await claim('a', 2)).toEqual([
      { batch: name, n: 0, pairs: 10, attempt: 1 },
      { batch: name, n: 1, pairs: 10, attempt: 1 },
    ]);
    expect(await claim('b', 2)).toEqual([{ batch: name, n: 2, pairs: 5, attempt: 1 }]);
    expect(await claim('a')).toEqual([]);
    expect(await other.isWaiting()).toBe(false);
  });

  it('stores what is settled, and counts it', async () => {
    await submit();
    const [first, second, third] = await claim('a', 3);
    expect(await settle(third as ChunkClaim, 'third')).toBe(true);
    expect(await settle(first as ChunkClaim, 'first')).toBe(true);
    expect(await level()).toMatchObject({ done: 15, isCancelled: false, refusal: undefined });
    expect(await other.settled(name, { after: -1, limit: 9 })).toEqual([
      { n: 0, pairs: 10, attempt: 1 },
      { n: 2, pairs: 5, attempt: 1 },
    ]);
    expect(await other.settled(name, { after: 0, limit: 9 })).toHaveLength(1);
    expect(await other.settled(name, { after: -1, limit: 1 })).toHaveLength(1);
    expect(text((await other.result(name, 2))?.value)).toBe('third');
    expect(await other.result(name, 1)).toBeUndefined();
    expect(await settle(second as ChunkClaim)).toBe(true);
    expect(await other.isWaiting()).toBe(false);
  });

  it('counts chunks by how they are, of batches that are not cancelled or deleted', async () => {
    const counts = () => other.chunks();
    expect(await counts()).toEqual({ waiting: 0, leased: 0, stalled: 0, done: 0 });
    await submit(95);
    await submit(20, 10, `${name}-2`);
    const [first, second] = await claim('a', 2, 0.5);
    expect(await counts()).toEqual({ waiting: 10, leased: 2, stalled: 0, done: 0 });
    await settle(first as ChunkClaim);
    expect(await counts()).toEqual({ waiting: 10, leased: 1, stalled: 0, done: 1 });
    await batches.release([second as ChunkClaim], 'denied');
    expect(await counts()).toEqual({ waiting: 2, leased: 0, stalled: 9, done: 1 });
    await batches.cancel(name, []);
    expect(await counts()).toEqual({ waiting: 2, leased: 0, stalled: 0, done: 0 });
    await claim('a', 2, 0.1);
    expect(await counts()).toMatchObject({ waiting: 0, leased: 2 });
    await pause(150);
    expect(await counts()).toMatchObject({ waiting: 2, leased: 0 });
    await batches.delete(`${name}-2`, []);
    expect(await counts()).toEqual({ waiting: 0, leased: 0, stalled: 0, done: 0 });
  });

  it('lets others have a chunk whose lease has run out, and the late worker settle nothing', async () => {
    await submit(10);
    const late = await one('a', 1);
    expect(await claim('b')).toEqual([]);
    await pause(1050);
    const next = await one('b');
    expect(next).toEqual({ ...late, attempt: 2 });
    expect(await batches.renew('a', [late, next], 5)).toEqual([false, true]);
    expect(await settle(late, 'late')).toBe(false);
    expect(await settle(next, 'next', 'b')).toBe(true);
    expect(await settle(late, 'late')).toBe(false);
    expect(text((await other.result(name, 0))?.value)).toBe('next');
    expect((await level())?.done).toBe(10);
  });

  it('lets a late worker settle what nobody else has claimed', async () => {
    await submit(10);
    const late = await one('a', 0.02);
    await pause(50);
    expect(await settle(late)).toBe(true);
    expect(await claim('b')).toEqual([]);
  });

  it('says again that a claim has settled its chunk, and stores nothing twice', async () => {
    await submit(10);
    const claimed = await one();
    expect(await settle(claimed, 'first')).toBe(true);
    expect(await settle(claimed, 'second')).toBe(true);
    expect(text((await other.result(name, 0))?.value)).toBe('first');
    expect((await level())?.done).toBe(10);
  });

  it('has one of two settle that settle at the same time', async () => {
    await submit(10);
    const late = await one('a', 0.02);
    await pause(50);
    const next = await one('b');
    const settled = await Promise.all([
      batches.settle('a', late, bytes('late')),
      other.settle('b', next, bytes('next')),
    ]);
    expect(settled).toEqual([false, true]);
  });

  it('makes a lease last that is renewed', async () => {
    await submit(10);
    const claimed = await one('a', 2);
    for (let i = 0; i < 3; i++) {
      await pause(800);
      expect(await batches.renew('a', [claimed], 2)).toEqual([true]);
      expect(await claim('b')).toEqual([]);
    }
  });

  it('gives a chunk that was given back to the next at once', async () => {
    await submit(10);
    const claimed = await one();
    await batches.release([claimed]);
    expect(await one('b')).toMatchObject({ n: 0, attempt: 2 });
    expect(await settle(claimed)).toBe(false);
  });

  it('lets a refused batch rest, then gives one chunk, until one is settled', async () => {
    await submit(100);
    await batches.release([await one()], 'the key is disabled');
    expect(await level()).toMatchObject({ refusal: 'the key is disabled', done: 0 });
    expect(await other.isWaiting()).toBe(false);
    expect(await claim('b', 9)).toEqual([]);
    await pause(1050);
    const tried = await claim('b', 9);
    expect(tried).toHaveLength(1);
    expect(await claim('a', 9)).toEqual([]);
    await other.release(tried, 'the key is gone');
    expect((await level())?.refusal).toBe('the key is gone');
    // The second rest is longer.
    await pause(1050);
    expect(await claim('a', 9)).toEqual([]);
    await pause(1050);
    expect(await settle(await one())).toBe(true);
    expect((await level())?.refusal).toBeUndefined();
    expect(await claim('b', 5)).toHaveLength(5);
  });

  it('rests once if several workers are refused together', async () => {
    await submit(100);
    const claims = await claim('a', 4);
    for (const claimed of claims) await batches.release([claimed], 'no');
    await pause(1050);
    expect(await claim('a', 9)).toHaveLength(1);
  });

  it('gives batches their turns, and those that rest none', async () => {
    const second = `${name}-2`;
    await submit(100);
    await submit(100, 10, second);
    const turns: string[] = [];
    for (let i = 0; i < 4; i++) turns.push((await one()).batch);
    expect(turns).toEqual([name, second, name, second]);
    const refused = await one();
    await batches.release([refused], 'no');
    expect((await one()).batch).toBe(second);
    expect((await one()).batch).toBe(second);
  });

  it('withdraws what is not settled of a cancelled batch', async () => {
    await submit();
    const [first, second] = await claim('a', 2);
    await settle(first as ChunkClaim);
    const changes = [{ path: name, expected: bytes('1'), next: bytes('2') }];
    expect(await other.cancel(name, [record('3')])).toBe(false);
    expect((await level())?.isCancelled).toBe(false);
    expect(await other.cancel(name, changes)).toBe(true);
    expect(await level()).toMatchObject({ isCancelled: true, done: 10 });
    expect(await settle(second as ChunkClaim)).toBe(false);
    expect(await batches.renew('a', [second as ChunkClaim], 5)).toEqual([false]);
    expect(await claim('b')).toEqual([]);
    expect(await other.result(name, 0)).toBeDefined();
  });

  it('deletes a batch with all that is of it', async () => {
    await submit(5000, 10);
    const claims = await claim('a', 200);
    for (const claimed of claims.slice(1)) await settle(claimed);
    expect(await other.delete(name, [record()])).toBe(false);
    const changes = [{ path: name, expected: bytes('1'), next: undefined }];
    expect(await other.delete(name, changes)).toBe(true);
    expect(await store.get(name)).toBeUndefined();
    expect(await level()).toBeUndefined();
    expect(await other.names()).toEqual([]);
    expect(await claim('b')).toEqual([]);
    expect(await settle(claims[0] as ChunkClaim)).toBe(false);
    expect(await settle(claims[1] as ChunkClaim)).toBe(false);
    while (await batches.purge()) {}
    expect(await other.settled(name, { after: -1, limit: 9 })).toEqual([]);
  });

  it('voids every claim by a fence', async () => {
    await submit();
    const claims = await claim('a', 2);
    await settle(claims[0] as ChunkClaim);
    await other.fence();
    expect(await settle(claims[1] as ChunkClaim)).toBe(false);
    expect(await claim('b', 9)).toHaveLength(2);
    expect((await level())?.done).toBe(10);
  });

  it('says who works on a batch, how fast, and who no longer does', async () => {
    await submit(100);
    const mine = await claim('a', 2);
    const others = await claim('b', 1);
    await pause(100);
    for (const claimed of mine) await settle(claimed);
    const workers = (await level())?.workers ?? [];
    expect(workers.map(({ worker, pairs, isActive }) => [worker, pairs, isActive])).toEqual([
      ['a', 20, true],
      ['b', 0, true],
    ]);
    expect(workers[0]?.rate).toBeGreaterThan(20);
    expect(workers[0]?.rate).toBeLessThan(250);
    expect(workers[1]?.rate).toBe(0);
    expect(await other.renew('b', others, 5)).toEqual([true]);
  });

  it('never gives a chunk to two of many who claim at once', async () => {
    await submit(400, 10);
    const claims = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? batches : other)).map((who, i) =>
        who.claim({ worker: `${i}`, most: 3, seconds: 5 }),
      ),
    );
    const numbers = claims.flat().map(({ n }) => n);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });
});
