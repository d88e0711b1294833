import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { MetricsListener } from '../../lib/http/metrics-listener.ts';
import { WorkMetrics } from '../../lib/http/service-metrics.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { newKey, openKms } from '../operations/support.ts';
import { Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';
import { LossyProxy } from '../support/proxy.ts';
import { sampleOf } from './exposition.ts';

const KeyPairSpec = 'ECC_NIST_P256';
const patient = { timeout: 20_000, interval: 50 };

/** A service and what its metrics say. */
async function measured(kms?: Pairmint) {
  const service = kms ?? (await openKms());
  const metrics = new WorkMetrics(service);
  onTestFinished(async () => {
    metrics.close();
    await service.close();
  });
  const read = async (name: string, labels = {}) => sampleOf(await metrics.text(), name, labels);
  const chunks = async (state: string) => read('pairmint_batch_chunks', { state });
  return { kms: service, metrics, read, chunks };
}

describe('the metrics of batches', () => {
  it('tell how many chunks wait, and what this process minted', async () => {
    const { kms, read, chunks } = await measured();
    const { KeyId } = await newKey(kms);
    await kms.batches.submit({ KeyId, KeyPairSpec, count: 95, chunk: 10 });
    expect(await chunks('waiting')).toBe(10);
    await kms.batches.work({ untilIdle: true });
    await vi.waitFor(async () => expect(await chunks('done')).toBe(10), patient);
    expect(await chunks('waiting')).toBe(0);
    expect(await read('pairmint_batch_minted_pairs_total', { spec: KeyPairSpec })).toBe(95);
    expect(await read('pairmint_batch_settled_chunks_total')).toBe(10);
    expect(await read('pairmint_batch_held_chunks')).toBe(0);
    expect(await read('pairmint_batch_lost_chunks_total')).toBe(0);
  });

  it('tell of batches that cannot be minted, and do not count their chunks as waiting', async () => {
    const { kms, read, chunks } = await measured();
    const { KeyId } = await newKey(kms);
    await kms.batches.submit({ KeyId, KeyPairSpec, count: 30, chunk: 10 });
    await kms.disableKey({ KeyId });
    await kms.batches.work({ untilIdle: true });
    await vi.waitFor(async () => expect(await chunks('stalled')).toBe(3), patient);
    expect(await chunks('waiting')).toBe(0);
    expect(await read('pairmint_batch_refused_chunks_total')).toBeGreaterThan(0);
    expect(await read('pairmint_batch_held_chunks')).toBe(0);
  });

  it('count chunks that were lost', async () => {
    const { kms, read } = await measured();
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({
      KeyId,
      KeyPairSpec: 'RSA_4096',
      count: 4000,
      chunk: 1000,
    });
    const stop = new AbortController();
    const work = kms.batches.work({ signal: stop.signal });
    await vi.waitFor(async () => {
      expect(await read('pairmint_batch_held_chunks')).toBeGreaterThan(0);
    }, patient);
    // Its claims are void, which it hears when it renews them.
    await kms.batches.cancel(batchId);
    await vi.waitFor(async () => {
      expect(await read('pairmint_batch_lost_chunks_total')).toBeGreaterThan(0);
    }, patient);
    expect(await read('pairmint_batch_held_chunks')).toBe(0);
    stop.abort();
    expect(await work).toBe(0);
  });
});

describe('the metrics of a store', () => {
  it('count changes, conflicts and statements', async () => {
    const folder = temporaryFolder();
    const { kms, read } = await measured(
      await Pairmint.open({
        store: `sqlite:${folder}/store.db`,
        rootKey: { file: `${folder}/root.key` },
      }),
    );
    const commits = (result: string) => read('pairmint_store_commits_total', { result });
    const queries = (kind: string) => read('pairmint_store_queries_total', { kind });
    const before = { done: (await commits('done')) ?? 0, write: (await queries('write')) ?? 0 };
    const { KeyId } = await newKey(kms);
    expect(((await commits('done')) ?? 0) - before.done).toBe(1);
    expect(((await queries('write')) ?? 0) - before.write).toBe(1);
    const aliased = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        kms.createAlias({ AliasName: 'alias/one', TargetKeyId: KeyId }),
      ),
    );
    expect(aliased.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await commits('conflict')).toBeGreaterThan(0);
    expect(await queries('read')).toBeGreaterThan(0);
  });

  it('count failures by what failed', async () => {
    const folder = temporaryFolder();
    const { kms, read } = await measured(
      await Pairmint.open({
        store: `sqlite:${folder}/store.db`,
        rootKey: { file: `${folder}/root.key` },
      }),
    );
    const failures = () => read('pairmint_store_failures_total', { fault: 'replaced' });
    expect(await failures()).toBeUndefined();
    renameSync(`${folder}/store.db`, `${folder}/elsewhere.db`);
    await expect(kms.createKey({})).rejects.toThrow(/could not complete/);
    expect(await failures()).toBeGreaterThan(0);
  });
});

describe.skipIf(!hasPostgres)('the metrics of a store on PostgreSQL', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.remove());

  async function open() {
    const proxy = await LossyProxy.start(cluster.port);
    const database = await cluster.database();
    const store = cluster.url(database, { port: proxy.port, more: '?connections=3' });
    const rootKey = { bytes: randomBytes(32) };
    const service = await measured(await Pairmint.open({ store, rootKey, create: true }));
    // Before the service is closed, which says goodbye to the database.
    onTestFinished(() => {
      proxy.isCut = false;
    });
    onTestFinished(() => proxy.stop());
    return { ...service, proxy, database };
  }

  it('tell how old the last answer is, and of connections', async () => {
    const { kms, read } = await open();
    await newKey(kms);
    expect(await read('pairmint_store_commits_total', { result: 'done' })).toBeGreaterThan(0);
    expect(await read('pairmint_store_queries_total', { kind: 'write' })).toBeGreaterThan(0);
    expect(await read('pairmint_store_queries_total', { kind: 'follow' })).toBeGreaterThan(1);
    const staleness = await read('pairmint_store_staleness_seconds');
    expect(staleness).toBeGreaterThan(0);
    expect(staleness).toBeLessThan(1);
    expect(await read('pairmint_store_cut_off')).toBe(0);
    const connections = async (state: string) =>
      (await read('pairmint_store_connections', { state })) ?? Number.NaN;
    const open3 = (await connections('in_use')) + (await connections('idle'));
    expect(open3).toBeGreaterThanOrEqual(2);
    expect(open3).toBeLessThanOrEqual(3);
  });

  it('say that the process is cut off, and of which failures it has met', async () => {
    const { kms, read, proxy } = await open();
    proxy.isCut = true;
    await expect(kms.listKeys({})).rejects.toThrow(/could not complete/);
    const asked = performance.now();
    expect(await read('pairmint_store_cut_off')).toBe(1);
    // A scraper does not wait for a database that does not answer.
    expect(performance.now() - asked).toBeLessThan(2000);
    expect(await read('pairmint_store_staleness_seconds')).toBeGreaterThan(1);
    expect(await read('pairmint_store_failures_total', { fault: 'failed' })).toBeGreaterThan(0);
    proxy.isCut = false;
    await vi.waitFor(async () => expect(await read('pairmint_store_cut_off')).toBe(0), patient);
  }, 60_000);

  it('count the sessions that wait for a lock', async () => {
    const { kms, read, database } = await open();
    expect(await read('pairmint_store_lock_waits')).toBe(0);
    const locking = cluster.query(
      'begin; lock pairmint.meta in access exclusive mode; select pg_sleep(2); commit',
      database,
    );
    await vi.waitFor(async () => {
      const rows = await cluster.query(
        "select from pg_locks where mode = 'AccessExclusiveLock' and relation is not null",
        database,
      );
      expect(rows.length).toBeGreaterThan(0);
    }, patient);
    const waiting = newKey(kms);
    await vi.waitFor(async () => {
      expect(await read('pairmint_store_lock_waits')).toBeGreaterThan(0);
    }, patient);
    await Promise.all([locking, waiting]);
    await vi.waitFor(async () => expect(await read('pairmint_store_lock_waits')).toBe(0), patient);
  }, 60_000);
});

describe('pairmint worker', () => {
  it('serves metrics where it is told to, and until it ends', async () => {
    const commands = new Commands(`${temporaryFolder()}/home`);
    const naming = ['--key-id', 'alias/pairmint/default', '--key-pair-spec', KeyPairSpec];
    await commands.json('batch', 'submit', ...naming, '--count', '100');
    const { child, ended } = commands.start('worker', '--metrics-port', '0');
    let said = '';
    child.stderr.on('data', (bytes) => {
      said += bytes;
    });
    const url = await vi.waitFor(() => {
      const [found] = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(said) ?? [];
      if (found === undefined) throw new Error(said);
      return found;
    }, patient);
    await vi.waitFor(async () => {
      const text = await (await fetch(url)).text();
      const labels = { spec: KeyPairSpec };
      expect(sampleOf(text, 'pairmint_batch_minted_pairs_total', labels)).toBe(100);
      expect(sampleOf(text, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    }, patient);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
    await expect(fetch(url)).rejects.toThrow();
  });

  it('refuses options of metrics without a port, and an address that is taken', async () => {
    const commands = new Commands(`${temporaryFolder()}/home`);
    const refused = await commands.run('worker', '--metrics-host', '0.0.0.0');
    expect(refused.stderr).toContain('--metrics-host needs --metrics-port');
    const { url, close } = await taken();
    const { code, stderr } = await commands.run('worker', '--metrics-port', new URL(url).port);
    await close();
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/cannot listen on 127\.0\.0\.1, port \d+, for metrics/);
  });
});

async function taken() {
  const listener = new MetricsListener(async () => '');
  return {
    url: await listener.listen({ host: '127.0.0.1', port: 0 }),
    close: () => listener.close(),
  };
}
