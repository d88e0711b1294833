import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createHandler } from '../../lib/http/handler.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { type Client, loadDriver } from '../../lib/store/postgres/driver.ts';
import { PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { toRequest } from '../http/support.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';
import { LossyProxy } from '../support/proxy.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const record = { path: 'record', value: bytes('as it was') };
const pool = 'region:pool/key/spec/';
const lots = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    serial: first + i,
    pairs: 1,
    value: bytes(`lot ${first + i}`),
  }));

const delays = monitorEventLoopDelay({ resolution: 10 });
delays.enable();
beforeEach(() => delays.reset());
/** Milliseconds since then, without the longest time for which the machine held up this process. */
const since = (from: number) => performance.now() - from - delays.max / 1e6;

const faultOf = (error: unknown) => (error as { cause?: { fault?: string } }).cause?.fault;

describe.skipIf(!hasPostgres)('a store on PostgreSQL', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.remove());

  async function proxied(more = '?connections=3') {
    const proxy = await LossyProxy.start(cluster.port);
    const database = await cluster.database();
    const url = cluster.url(database, { port: proxy.port, more });
    const store = await PostgresStore.open(url, { makeSchema: true });
    onTestFinished(async () => {
      proxy.isCut = false;
      await proxy.stop();
      await store.close();
    });
    return { proxy, store, database, url };
  }

  describe('that loses an answer', () => {
    it('finds out that the change was done, whatever change it was', async () => {
      const { proxy, store } = await proxied();
      const put = { path: record.path, expected: undefined, next: record.value };
      const lose = async <T>(text: string, call: () => Promise<T>) => {
        proxy.loseNext(text, 'answer');
        const result = await call();
        expect(proxy.hasLost).toBe(true);
        return result;
      };
      expect(await lose('commit_changes', () => store.commit([put]))).toBe(true);
      expect(await store.get(record.path)).toEqual(record.value);
      const addition = { pool, lots: lots(1, 9), unchanged: record, filler: 'me' };
      expect(await lose('add_lots', () => store.lots.add(addition))).toBe('added');
      expect(await store.lots.levels([pool])).toEqual([9]);
      expect(await store.lots.list(pool, { after: 0, limit: 99 })).toHaveLength(9);
      const change = { path: 'other', expected: undefined, next: bytes('1') };
      expect(await lose('clear_pools', () => store.lots.clear(pool, [change]))).toBe(9);
      expect(await store.get('other')).toEqual(bytes('1'));
      expect(await lose('remove_all', () => store.removeAll(''))).toBe(2);
    });

    it('says false where the change was refused, and the refusal was lost', async () => {
      const { proxy, store } = await proxied();
      const put = { path: 'a', expected: bytes('never there'), next: bytes('1') };
      proxy.loseNext('commit_changes', 'answer');
      expect(await store.commit([put])).toBe(false);
      expect(proxy.hasLost).toBe(true);
      expect(await store.get('a')).toBeUndefined();
    });

    it('makes a change that did not arrive once', async () => {
      const { proxy, store, database } = await proxied();
      const put = { path: record.path, expected: undefined, next: record.value };
      proxy.loseNext('commit_changes', 'request');
      expect(await store.commit([put])).toBe(true);
      expect(proxy.hasLost).toBe(true);
      const addition = { pool, lots: lots(1, 9), unchanged: record, filler: 'me' };
      proxy.loseNext('add_lots', 'request');
      expect(await store.lots.add(addition)).toBe('added');
      expect(await store.lots.levels([pool])).toEqual([9]);
      // The attempt that was given up can never succeed any more.
      const settled = await cluster.query(
        'select id from pairmint.attempt where result is null',
        database,
      );
      expect(settled).toHaveLength(2);
      await expect(
        cluster.query(
          `select pairmint.commit_changes('${settled[0]?.id}', '{late}', '{null}', '{x}')`,
          database,
        ),
      ).rejects.toThrow(/duplicate key/);
    });

    it('says that the outcome is unknown where it cannot be found out', async () => {
      const { proxy, store } = await proxied();
      proxy.loseNext('commit_changes', 'answer');
      const put = { path: 'a', expected: undefined, next: bytes('1') };
      const writing = store.commit([put]).catch((error) => error);
      await vi.waitFor(() => expect(proxy.hasLost).toBe(true));
      await proxy.stop();
      expect(faultOf(await writing)).toBe('outcome unknown');
    });

    it('never gives lots that it lost again', async () => {
      const { proxy, store } = await proxied();
      await store.commit([{ path: record.path, expected: undefined, next: record.value }]);
      await store.lots.add({ pool, lots: lots(1, 9), unchanged: record, filler: 'me' });
      proxy.loseNext('take_lots', 'answer');
      const { lots: taken } = await store.lots.take(pool, 3);
      expect(taken.map(({ serial }) => serial)).toEqual([4, 5, 6]);
    });

    it('reads once more', async () => {
      const { proxy, store } = await proxied();
      await store.commit([{ path: 'a', expected: undefined, next: bytes('1') }]);
      proxy.loseNext('where path = $1', 'answer');
      expect(await store.get('a')).toEqual(bytes('1'));
      expect(proxy.hasLost).toBe(true);
    });
  });

  describe('that is cut off', () => {
    it('answers within five seconds, holds nothing after one, and goes on with new connections', async () => {
      const { proxy, store } = await proxied();
      await store.commit([{ path: 'a', expected: undefined, next: bytes('1') }]);
      await vi.waitFor(() => expect(store.stamp()).toBeDefined());
      const stamp = store.stamp() as number;
      proxy.isCut = true;
      await new Promise((done) => setTimeout(done, 1050));
      expect(store.stamp()).toBeUndefined();
      expect(store.holds('a', stamp)).toBe(false);
      const from = performance.now();
      const timed = async (call: () => Promise<unknown>) => {
        const error = await call().catch((reason) => reason);
        return { error, took: since(from) };
      };
      const outcomes = await Promise.all([
        timed(() => store.get('a')),
        timed(() => store.list('', { limit: 9 })),
        timed(() => store.commit([{ path: 'b', expected: undefined, next: bytes('1') }])),
        timed(() => store.lots.take(pool, 1)),
        timed(() => store.removeAll('')),
        timed(() => store.probe()),
      ]);
      for (const { error, took } of outcomes) {
        expect(error).toMatchObject({ name: 'KMSInternalException' });
        expect(took).toBeLessThan(5000);
      }
      expect(faultOf(outcomes[2]?.error)).toBe('outcome unknown');
      expect(outcomes[5]?.took).toBeLessThan(2000);
      proxy.isCut = false;
      await vi.waitFor(async () => expect(await store.get('a')).toEqual(bytes('1')), 5000);
      await vi.waitFor(() => expect(store.stamp()).toBeDefined(), 5000);
    });

    it('refuses what others disabled meanwhile, and says so at /readyz', async () => {
      const proxy = await LossyProxy.start(cluster.port);
      const database = await cluster.database();
      const rootKey = { bytes: randomBytes(32) };
      const far = cluster.url(database, { port: proxy.port });
      const maker = await Pairmint.open({ store: cluster.url(database), rootKey, create: true });
      const kms = await Pairmint.open({ store: far, rootKey });
      onTestFinished(async () => {
        proxy.isCut = false;
        await Promise.all([kms.close(), maker.close()]);
        await proxy.stop();
      });
      const { KeyMetadata } = await maker.createKey({});
      const KeyId = KeyMetadata?.KeyId as string;
      await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' });
      const handle = createHandler(kms, { auth: false });
      const ready = () => handle(toRequest({ method: 'GET', path: '/readyz' }));
      expect(await ready()).toMatchObject({ status: 200 });
      proxy.isCut = true;
      await maker.disableKey({ KeyId });
      const from = performance.now();
      const refused = await kms
        .generateDataKey({ KeyId, KeySpec: 'AES_256' })
        .catch((error) => error);
      expect(refused.name).toBe('KMSInternalException');
      expect(since(from)).toBeLessThan(5000);
      expect(await ready()).toMatchObject({ status: 503 });
      proxy.isCut = false;
      await vi.waitFor(async () => {
        const error = await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }).catch((e) => e);
        expect(error.name).toBe('DisabledException');
      }, 8000);
    });
  });

  it('serves nobody by an earlier state when a change has returned', async () => {
    const database = await cluster.database();
    const rootKey = { bytes: randomBytes(32) };
    const store = cluster.url(database);
    const one = await Pairmint.open({ store, rootKey, create: true });
    const two = await Pairmint.open({ store, rootKey });
    onTestFinished(async () => {
      await Promise.all([one.close(), two.close()]);
    });
    const { KeyMetadata } = await one.createKey({});
    const KeyId = KeyMetadata?.KeyId as string;
    const use = () => two.generateDataKey({ KeyId, KeySpec: 'AES_256' }).catch((error) => error);
    for (let i = 0; i < 3; i++) {
      expect((await use()).KeyId).toContain(KeyId);
      await one.disableKey({ KeyId });
      expect((await use()).name).toBe('DisabledException');
      await one.enableKey({ KeyId });
    }
  });

  it('finds an alias that another process moves between the two reads of a request', async () => {
    const database = await cluster.database();
    const rootKey = { bytes: randomBytes(32) };
    const store = cluster.url(database);
    const one = await Pairmint.open({ store, rootKey, create: true });
    const newKey = async () => (await one.createKey({})).KeyMetadata?.KeyId as string;
    const [first, second] = [await newKey(), await newKey()];
    await one.createAlias({ AliasName: 'alias/a', TargetKeyId: first });
    const two = await Pairmint.open({ store, rootKey });
    onTestFinished(async () => {
      await Promise.all([one.close(), two.close()]);
    });
    const { prototype } = (await loadDriver()).Client as unknown as { prototype: Client };
    const { query } = prototype;
    let moved = 0;
    const spy = vi.spyOn(prototype, 'query').mockImplementation(async function (
      this: Client,
      statement,
    ) {
      const answer = await query.call(this, statement);
      const isIndex = String(statement.values?.[0]).endsWith(':alias/a');
      if (isIndex && moved === 0) {
        moved++;
        await one.updateAlias({ AliasName: 'alias/a', TargetKeyId: second });
      }
      return answer;
    });
    onTestFinished(() => spy.mockRestore());
    const { KeyId } = await two.generateDataKey({ KeyId: 'alias/a', KeySpec: 'AES_256' });
    expect(moved).toBe(1);
    expect(KeyId).toContain(second);
  });

  it('gives no waiting pair twice while its server is stopped three times', async () => {
    const database = await cluster.database();
    const open = () => PostgresStore.open(cluster.url(database), { makeSchema: true });
    const first = await open();
    const drawers = [first, await open(), await open()];
    onTestFinished(async () => {
      await Promise.all(drawers.map((store) => store.close()));
    });
    await first.commit([{ path: record.path, expected: undefined, next: record.value }]);
    for (let i = 0; i < 20; i++) {
      const addition = { pool, lots: lots(1 + 100 * i, 100), unchanged: record, filler: 'me' };
      expect(await first.lots.add(addition)).toBe('added');
    }
    const taken: number[] = [];
    let failures = 0;
    let longest = 0;
    let isOver = false;
    const draw = async (store: PostgresStore) => {
      while (!isOver) {
        const from = performance.now();
        const got = await store.lots.take(pool, 2).catch(() => undefined);
        longest = Math.max(longest, since(from));
        if (got === undefined) failures++;
        taken.push(...(got?.lots ?? []).map(({ serial }) => serial));
        await new Promise((done) => setTimeout(done, got === undefined ? 100 : 5));
      }
    };
    const drawing = drawers.map(draw);
    for (let stop = 0; stop < 3; stop++) {
      await new Promise((done) => setTimeout(done, 400));
      await cluster.stop('SIGQUIT');
      await cluster.run();
    }
    await vi.waitFor(() => expect(taken.length).toBeGreaterThan(50), 10_000);
    isOver = true;
    await Promise.all(drawing);
    expect(longest).toBeLessThan(5000);
    expect(new Set(taken).size).toBe(taken.length);
    const { lots: rest } = await first.lots.take(pool, 5000);
    const all = [...taken, ...rest.map(({ serial }) => serial)];
    expect(new Set(all).size).toBe(all.length);
    // What failed may be lost, some lots for each.
    expect(all.length).toBeGreaterThan(2000 - 4 * (failures + 12));
  }, 240_000);

  it('leaves a server that takes no writes any more', async () => {
    const { store, database } = await proxied();
    await store.commit([{ path: 'a', expected: undefined, next: bytes('1') }]);
    await cluster.query(`alter database ${database} set default_transaction_read_only = on`);
    await cluster.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`,
    );
    await vi.waitFor(async () => {
      expect(faultOf(await store.get('a').catch((error) => error))).toBe('read-only');
    }, 5000);
    expect(faultOf(await store.probe().catch((error) => error))).toBe('read-only');
    await cluster.query(`alter database ${database} reset default_transaction_read_only`);
    await vi.waitFor(async () => expect(await store.get('a')).toEqual(bytes('1')), 5000);
  });

  it('answers 200 requests over one connection that writes, and still hears of changes', async () => {
    const { store } = await proxied('?connections=3');
    const writes = Array.from({ length: 200 }, (_, i) =>
      store.commit([{ path: `p/${i}`, expected: undefined, next: bytes('1') }]),
    );
    const reads = Array.from({ length: 200 }, (_, i) => store.get(`p/${i}`));
    expect(await Promise.all(writes)).toEqual(Array(200).fill(true));
    await Promise.all(reads);
    expect(await store.count('p/', 999)).toBe(200);
    await vi.waitFor(() => expect(store.stamp()).toBeDefined(), 2000);
  });
});
