import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { type CommandPlace, Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Network } from '../support/network.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';
import { LossyProxy } from '../support/proxy.ts';

const KeyPairSpec = 'ECC_NIST_P256';
const count = 20_000;
const chunk = 100;

describe.skipIf(!hasPostgres)('a batch on PostgreSQL', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.remove());

  /** A store, and what starts workers for its batches. */
  async function shared() {
    const home = temporaryFolder();
    const database = await cluster.database();
    const rootKeyFile = `${home}/root.key`;
    const kms = await Pairmint.open({
      store: cluster.url(database),
      rootKey: { file: rootKeyFile },
      create: true,
      refillPools: false,
    });
    onTestFinished(() => kms.close());
    const { KeyMetadata } = await kms.createKey({});
    const KeyId = KeyMetadata?.KeyId as string;
    const submit = async () =>
      (await kms.batches.submit({ KeyId, KeyPairSpec, count, chunk })).batchId;
    const worker = (store = cluster.url(database), place: CommandPlace = {}) => {
      const env = { PAIRMINT_STORE: store, PAIRMINT_ROOT_KEY_FILE: rootKeyFile };
      return new Commands(temporaryFolder(), { ...place, env }).start('worker', '--batches');
    };
    const query = (text: string) => cluster.query(text, database);
    const done = async (batchId: string) => (await kms.batches.status(batchId)).done;
    const until = (batchId: string, pairs: number) =>
      vi.waitFor(async () => expect(await done(batchId)).toBeGreaterThanOrEqual(pairs), {
        timeout: 90_000,
        interval: 5,
      });
    return { kms, KeyId, submit, database, worker, query, done, until };
  }

  /** Every chunk, with a digest of its pairs. */
  const results = (query: (text: string) => Promise<Record<string, unknown>[]>) =>
    query(
      'select n, pairs, attempt, worker, md5(value) as pairs_digest from pairmint.chunk_result order by n',
    );

  async function expectEachOnce(kms: Pairmint, batchId: string): Promise<void> {
    const keys = new Set<string>();
    let read = 0;
    for await (const pairs of kms.batches.results(batchId)) {
      read += pairs.length;
      for (const { PublicKey = '' } of pairs) {
        keys.add(createHash('sha256').update(PublicKey).digest('base64'));
      }
    }
    expect([read, keys.size]).toEqual([count, count]);
    expect((await kms.store.check()).faults).toEqual([]);
  }

  /** Networks for three workers, or undefined and a sentence why there are none. */
  function makeNetworks(): Network[] | undefined {
    const made: Network[] = [];
    onTestFinished(() => {
      for (const network of made) network.remove();
    });
    for (let i = 0; i < 3; i++) {
      const network = Network.make();
      if (typeof network === 'string') {
        console.warn(`${network} No worker is cut off in this test, but by a proxy.`);
        return undefined;
      }
      made.push(network);
    }
    return made;
  }

  it('has each pair once, though of three workers one is killed, one frozen and one cut off', async () => {
    const { kms, submit, database, worker, query, done, until } = await shared();
    const networks = makeNetworks();
    const proxies = await Promise.all(
      [0, 1, 2].map((i) => LossyProxy.start(cluster.port, networks?.[i]?.address)),
    );
    onTestFinished(async () => {
      for (const proxy of proxies) await proxy.stop();
    });
    const workers = proxies.map(({ port }, i) => {
      const network = networks?.[i];
      const url = cluster.url(database, { port, more: '?sslmode=disable' });
      return network === undefined
        ? worker(url)
        : worker(url.replace('127.0.0.1', network.address), { within: network.within });
    });
    const [killed, frozen, apart] = workers as [(typeof workers)[0], ...typeof workers];
    const cut = (isCut: boolean) => {
      const network = networks?.[2];
      if (network !== undefined) network.cut(isCut);
      else if (proxies[2] !== undefined) proxies[2].isCut = isCut;
    };
    const has = (table: string, rows: number) =>
      vi.waitFor(
        async () => expect(await query(`select from pairmint.${table}`)).toHaveLength(rows),
        {
          timeout: 60_000,
          interval: 2,
        },
      );
    await has('machine', 4);
    // None of them begins before all have come.
    const held = query('begin; lock table pairmint.chunk; select pg_sleep(1.5); commit');
    await pause(200);
    const batchId = await submit();
    await held;
    await has('batch_worker', 3);
    // In the middle of chunks, which are still theirs.
    frozen?.child.kill('SIGSTOP');
    cut(true);
    killed.child.kill('SIGKILL');
    const stoppedAt = performance.now();
    // What the server was told before the cut is done by now.
    await pause(100);
    const theirs = await query(
      "select n, attempt from pairmint.chunk where lease > clock_timestamp() + interval '1 second'",
    );
    expect(theirs.length).toBeGreaterThan(0);
    const fourth = worker();
    const isReplaced = async () => {
      const [left] = await query(
        `select count(*)::int as n from pairmint.chunk c join (values ${theirs
          .map(({ n, attempt }) => `(${n}, ${attempt})`)
          .join()}) as t (n, attempt) using (n, attempt)`,
      );
      return left?.n === 0;
    };
    // Each of their chunks is another's now, or was settled.
    await vi.waitFor(async () => expect(await isReplaced()).toBe(true), {
      timeout: 60_000,
      interval: 20,
    });
    const took = performance.now() - stoppedAt;
    await until(batchId, count);
    expect((await kms.batches.status(batchId)).state).toBe('done');
    const before = await results(query);
    frozen?.child.kill('SIGCONT');
    cut(false);
    await pause(3000);
    expect(await results(query)).toEqual(before);
    expect(await done(batchId)).toBe(count);
    await expectEachOnce(kms, batchId);
    for (const { child, ended } of [frozen, apart, fourth].filter((one) => one !== undefined)) {
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    }
    expect(took).toBeLessThan(8000);
  });

  it('has each pair once, though its database is stopped three times', async () => {
    const { kms, submit, worker, done, until, query } = await shared();
    const workers = [worker(), worker()];
    const batchId = await submit();
    for (const pairs of [1500, 5000, 9000]) {
      await until(batchId, pairs);
      await cluster.stop('SIGQUIT');
      await cluster.run();
      expect(await done(batchId)).toBeLessThan(count);
    }
    await until(batchId, count);
    for (const { child, ended } of workers) {
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    }
    await expectEachOnce(kms, batchId);
    const [left] = await query('select count(*)::int as n from pairmint.chunk');
    expect(left?.n).toBe(0);
  });

  it('lets a worker that was frozen settle nothing that another has claimed or settled', async () => {
    const { kms, KeyId, worker, query } = await shared();
    // One chunk that takes seconds: the worker is frozen in the middle of it.
    await kms.batches.submit({ KeyId, KeyPairSpec: 'RSA_2048', count: 300, chunk: 300 });
    const { child, ended } = worker();
    const attempt = async () => (await query('select attempt, lease from pairmint.chunk'))[0];
    await vi.waitFor(async () => expect((await attempt())?.attempt).toBe(1), {
      timeout: 60_000,
      interval: 5,
    });
    child.kill('SIGSTOP');
    // As if the lease had run out.
    await query("update pairmint.chunk set lease = now() - interval '1 second'");
    const [claim] = (await query(
      "select name as batch, n, pairs, attempt from pairmint.claim_chunks('another', 1, 60, 0)",
    )) as { batch: string; n: number; pairs: number; attempt: number }[];
    expect(claim?.attempt).toBe(2);
    child.kill('SIGCONT');
    // Time to mint all of it, and to try.
    await pause(4000);
    expect(await attempt()).toMatchObject({ attempt: 2 });
    expect(await results(query)).toEqual([]);
    await query(
      `select pairmint.settle_chunk('another', '${claim?.batch}', 0, 2, '\\x00') as is_settled`,
    );
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    expect(await results(query)).toMatchObject([{ n: 0, attempt: 2, worker: 'another' }]);
  });
});
