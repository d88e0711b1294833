import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { BatchStore, ChunkClaim } from '../../lib/store/batch-store.ts';
import { loadDriver } from '../../lib/store/postgres/driver.ts';
import { PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { Cluster, hasPostgres, secretPassword } from '../support/postgres.ts';
import { LossyProxy } from '../support/proxy.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const name = 'place:batch/1';

describe.skipIf(!hasPostgres)('batches on PostgreSQL', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.remove());

  async function opened() {
    const proxy = await LossyProxy.start(cluster.port);
    const database = await cluster.database();
    const url = cluster.url(database, { port: proxy.port, more: '?connections=3' });
    const store = await PostgresStore.open(url, { makeSchema: true });
    onTestFinished(async () => {
      await proxy.stop();
      await store.close();
    });
    return { proxy, store, batches: store.batches, database };
  }

  const record = { path: name, expected: undefined, next: bytes('1') };
  const submit = (batches: BatchStore, pairs = 30) =>
    batches.submit({ name, pairs, chunk: 10 }, [record]);
  const claim = (batches: BatchStore, most = 9) => batches.claim({ worker: 'a', most, seconds: 5 });

  describe.each(['answer', 'request'] as const)('whose %s is lost', (what) => {
    it('are made, settled, cancelled and deleted once', async () => {
      const { proxy, store, batches, database } = await opened();
      const lose = async <T>(text: string, call: () => Promise<T>) => {
        proxy.loseNext(text, what);
        const result = await call();
        expect(proxy.hasLost).toBe(true);
        return result;
      };
      expect(await lose('submit_batch', () => submit(batches))).toBe(true);
      expect(await store.get(name)).toEqual(bytes('1'));
      const [first, second, third] = (await claim(batches)) as [ChunkClaim, ChunkClaim, ChunkClaim];
      expect(await lose('renew_chunks', () => batches.renew('a', [first], 5))).toEqual([true]);
      const settle = () => batches.settle('a', first, bytes('pairs'));
      expect(await lose('settle_chunk', settle)).toBe(true);
      expect(await batches.levels([name])).toMatchObject([
        { done: 10, workers: [{ worker: 'a', pairs: 10 }] },
      ]);
      await lose('release_chunks', () => batches.release([second], 'no'));
      const rest = await cluster.query('select rest, refusal from pairmint.batch', database);
      expect(rest).toEqual([{ rest: 1000, refusal: 'no' }]);
      expect(await batches.settle('a', third, bytes('pairs'))).toBe(true);
      const change = { path: name, expected: bytes('1'), next: bytes('2') };
      expect(await lose('end_batch', () => batches.cancel(name, [change]))).toBe(true);
      expect(await batches.levels([name])).toMatchObject([{ done: 20, isCancelled: true }]);
      const removal = { path: name, expected: bytes('2'), next: undefined };
      expect(await lose('end_batch', () => batches.delete(name, [removal]))).toBe(true);
      while (await lose('purge_batches', () => batches.purge())) {}
      expect(await cluster.query('select from pairmint.chunk_result', database)).toEqual([]);
      expect(await store.get(name)).toBeUndefined();
    });

    it('are not made where a record is not as expected', async () => {
      const { proxy, store, batches } = await opened();
      const change = { path: 'other', expected: bytes('never there'), next: bytes('1') };
      proxy.loseNext('submit_batch', what);
      expect(await batches.submit({ name, pairs: 1, chunk: 1 }, [record, change])).toBe(false);
      expect(proxy.hasLost).toBe(true);
      expect(await batches.names()).toEqual([]);
      expect(await store.get(name)).toBeUndefined();
    });
  });

  it('are claimed again when the lease of a claim whose answer was lost has run out', async () => {
    const { proxy, batches, database } = await opened();
    await submit(batches);
    proxy.loseNext('claim_chunks', 'answer');
    const claims = await claim(batches, 1);
    expect(claims).toEqual([{ batch: name, n: 1, pairs: 10, attempt: 1 }]);
    const ended = "update pairmint.chunk set lease = now() - interval '1 second'";
    await cluster.query(`${ended} where attempt = 1`, database);
    expect((await claim(batches)).map(({ n, attempt }) => [n, attempt])).toEqual([
      [0, 2],
      [1, 2],
      [2, 1],
    ]);
  });

  it('are looked at by no claim where all chunks are settled, whatever snapshot is held', async () => {
    const { batches, database } = await opened();
    const chunks = 4000;
    await batches.submit({ name, pairs: chunks, chunk: 1 }, []);
    /** How many pages a claim of one chunk looks at, that of the median of some. */
    const pages = async () => {
      const found: number[] = [];
      for (let i = 0; i < 9; i++) {
        const [row = {}] = await cluster.query(
          "explain (analyze, buffers, format json) select pairmint.claim_chunks('a', 1, 60, 0)",
          database,
        );
        const [{ Plan }] = row['QUERY PLAN'] as [{ Plan: Record<string, number> }];
        found.push((Plan['Shared Hit Blocks'] ?? 0) + (Plan['Shared Read Blocks'] ?? 0));
      }
      return found.sort((a, b) => a - b)[4] as number;
    };
    await pages();
    const before = await pages();
    const { Client } = await loadDriver();
    const holder = new Client({
      host: '127.0.0.1',
      port: cluster.port,
      user: 'owner',
      database,
      password: async () => secretPassword,
      ssl: false,
      application_name: 'a dump',
      connectionTimeoutMillis: 5000,
      keepAlive: true,
    });
    holder.on('error', () => {});
    await holder.connect();
    await holder.query({
      text: 'begin isolation level repeatable read; select from pairmint.batch',
    });
    for (let i = 0; i < 15; i++) {
      await cluster.query(
        "do $$ declare c record; begin for c in select * from pairmint.claim_chunks('a', 200, 60, 0) " +
          "loop perform pairmint.settle_chunk('a', c.name, c.n, c.attempt, 'x'); end loop; end $$",
        database,
      );
    }
    const after = await pages();
    await holder.end();
    expect(await batches.levels([name])).toMatchObject([{ done: 3000 }]);
    // 3,000 dead rows, each in two versions, would be as many pages more.
    expect(after).toBeLessThan(before + 1200);
  });
});
