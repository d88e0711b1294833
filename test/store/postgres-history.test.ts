import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createHandler } from '../../lib/http/handler.ts';
import { copyStore } from '../../lib/service/copy.ts';
import { type OpenOptions, Pairmint } from '../../lib/service/pairmint.ts';
import { capture } from '../cli/run.ts';
import { toRequest } from '../http/support.ts';
import { failureText } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';

const spec = 'ECC_NIST_EDWARDS25519';
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

async function clusterOf(): Promise<Cluster> {
  const cluster = await Cluster.start();
  onTestFinished(() => cluster.remove());
  return cluster;
}
async function open(store: string, options: OpenOptions = {}, host = 'a'): Promise<Pairmint> {
  const rootKey = host === 'a' ? { file: `${folder}/root.key` } : { bytes: rootKeyBytes() };
  const kms = await Pairmint.open({ store, rootKey, refillPools: false, ...options });
  onTestFinished(() => kms.close());
  return kms;
}
// Another machine has the same root key, and no note of what was seen here.
const rootKeyBytes = () => readFileSync(`${folder}/root.key`).subarray(-32);

async function withPool(kms: Pairmint, pairs = 100): Promise<string> {
  const { KeyMetadata } = await kms.createKey({});
  const KeyId = KeyMetadata?.KeyId as string;
  await kms.pools.create({ KeyId, KeyPairSpec: spec, target: pairs });
  await kms.pools.fill();
  return KeyId;
}
async function take(kms: Pairmint, KeyId: string): Promise<string> {
  const pair = await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: spec });
  return Buffer.from(pair.PublicKey ?? []).toString('hex');
}
const refused = 'LimitExceededException';

/** Draws until all that waited was answered; says whether any pair was answered before. */
async function drawAll(kms: Pairmint, KeyId: string, taken: string[]): Promise<void> {
  for (;;) {
    const key = await take(kms, KeyId).catch(() => undefined);
    if (key === undefined) return;
    taken.push(key);
  }
}

describe.skipIf(!hasPostgres)('a store on PostgreSQL whose database lost commits', () => {
  it('was put back to an earlier state: running processes notice, keys go on, a fence ends it', async () => {
    const cluster = await clusterOf();
    const store = cluster.url();
    const kms = await open(store, { create: true, onDryPool: 'fail' });
    const other = await open(store, { onDryPool: 'fail' });
    const KeyId = await withPool(kms);
    const taken = [await take(kms, KeyId), await take(other, KeyId)];
    await cluster.stop('SIGINT');
    const kept = cluster.keep();
    await cluster.run();
    // The other one takes nearly all, so that this one cannot know by itself what was answered.
    await drawAll(other, KeyId, taken);
    await drawAll(kms, KeyId, taken);
    expect(new Set(taken).size).toBe(taken.length);
    await cluster.stop('SIGINT');
    kept.putBack();
    await cluster.run();
    const handle = createHandler(kms, { auth: false });
    const ready = async () => {
      const answer = await handle(toRequest({ method: 'GET', path: '/readyz' }));
      return { status: answer.status, body: Buffer.from(answer.body).toString() };
    };
    for (const process of [kms, other]) {
      await vi.waitFor(() => expect(process.store.needsFence).toBe(true), 10_000);
      expect(await failureText(take(process, KeyId))).toContain(refused);
      expect(process.store.doubt).toBe('it was put back to an earlier state');
      await process.generateDataKey({ KeyId, KeySpec: 'AES_256' });
    }
    expect(await ready()).toEqual({ status: 200, body: 'ok, without pools\n' });
    const rootKeyFile = ['--root-key-file', `${folder}/root.key`];
    const doctor = await capture(['doctor', '--store', store, ...rootKeyFile], Pairmint.open);
    expect(doctor.stdout.replace(/\s+/g, ' ')).toContain(
      'the store was copied or put back (it was put back to an earlier state), so its pools are not used',
    );
    // Another process of this machine, which has not seen it itself.
    const later = await open(store, { onDryPool: 'fail' });
    expect(later.store.needsFence).toBe(true);
    let isFenced = false;
    const asking = [kms, other].map(async (process) => {
      while (!isFenced) {
        const key = await take(process, KeyId).catch(() => undefined);
        if (key !== undefined) taken.push(key);
        await new Promise((done) => setTimeout(done, 2));
      }
    });
    await later.store.fence();
    isFenced = true;
    await Promise.all(asking);
    expect(new Set(taken).size).toBe(taken.length);
    for (const process of [kms, other, later]) {
      await vi.waitFor(() => expect(process.store.needsFence).toBe(false), 10_000);
    }
    expect(await ready()).toEqual({ status: 200, body: 'ok\n' });
    await kms.pools.fill();
    for (const process of [kms, other, later]) {
      // One that has just found the pool empty does not look again at once.
      await vi.waitFor(async () => taken.push(await take(process, KeyId)), 10_000);
    }
    expect(new Set(taken).size).toBe(taken.length);
    expect((await later.store.check()).faults).toEqual([]);
    await (await open(store)).store.check();
  }, 120_000);

  it('is a promoted standby, which did not get all: also a new process on another machine sees it', async () => {
    const cluster = await clusterOf();
    const kms1 = await open(cluster.url(), { create: true });
    const KeyId = await withPool(kms1);
    const standby = await cluster.standby();
    onTestFinished(() => standby.remove());
    const both = cluster.url().replace('/postgres', `,127.0.0.1:${standby.port}/postgres`);
    const kms = await open(both, { onDryPool: 'fail' });
    // From here on nothing gets there.
    await standby.query('select pg_wal_replay_pause()');
    await standby.stop('SIGINT');
    const taken: string[] = [];
    await drawAll(kms, KeyId, taken);
    expect(taken).toHaveLength(100);
    await cluster.stop();
    await standby.run();
    await standby.promote();
    await vi.waitFor(() => expect(kms.store.needsFence).toBe(true), 15_000);
    expect(await failureText(take(kms, KeyId))).toContain(refused);
    expect(kms.store.doubt).toContain('its server was restored or promoted (timeline 1, now 2)');
    await vi.waitFor(() => kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }), 10_000);
    const elsewhere = await open(standby.url(), { onDryPool: 'fail' }, 'b');
    expect(elsewhere.store.doubt).toBe(
      'it is in another database, or its server was restored or promoted',
    );
    expect(await failureText(take(elsewhere, KeyId))).toContain(refused);
    await elsewhere.store.fence();
    await vi.waitFor(() => expect(kms.store.needsFence).toBe(false), 10_000);
    await elsewhere.pools.fill();
    taken.push(await take(kms, KeyId), await take(elsewhere, KeyId));
    expect(new Set(taken).size).toBe(102);
  }, 120_000);

  it('is a promoted standby that had to confirm every commit: pools go on', async () => {
    const cluster = await clusterOf();
    await (await open(cluster.url(), { create: true })).close();
    const standby = await cluster.standby({ cluster_name: 'second' });
    onTestFinished(() => standby.remove());
    await cluster.query("alter system set synchronous_standby_names = '*'");
    await cluster.query('select pg_reload_conf()');
    await vi.waitFor(async () => {
      const text = "select 1 from pg_stat_replication where sync_state = 'sync'";
      expect(await cluster.query(text)).toHaveLength(1);
    }, 30_000);
    const both = cluster.url().replace('/postgres', `,127.0.0.1:${standby.port}/postgres`);
    const kms = await open(both, { onDryPool: 'fail' });
    const KeyId = await withPool(kms);
    const taken = [await take(kms, KeyId)];
    await cluster.stop();
    await standby.promote();
    await vi.waitFor(async () => taken.push(await take(kms, KeyId)), 15_000);
    expect(kms.store.doubt).toBeUndefined();
    await drawAll(kms, KeyId, taken);
    expect(new Set(taken).size).toBe(taken.length);
    // The note in the store follows, so that a new process has no doubt.
    await vi.waitFor(
      async () => {
        const later = await open(standby.url(), {}, 'b');
        const { needsFence } = later.store;
        await later.close();
        expect(needsFence).toBe(false);
      },
      { timeout: 15_000, interval: 500 },
    );
    await kms.close();
    // The old server comes back as it was, and a process of this machine finds it first.
    await cluster.run({ synchronous_standby_names: '' });
    expect((await open(cluster.url())).store.needsFence).toBe(true);
  }, 120_000);

  it('is a restored dump, in the same server or another', async () => {
    const cluster = await clusterOf();
    const database = await cluster.database();
    const kms = await open(cluster.url(database), { create: true });
    await withPool(kms);
    await kms.close();
    const restored = await cluster.database();
    cluster.dump(database, restored);
    const copy = await open(cluster.url(restored));
    expect(copy.store.doubt).toContain('it is in another database');
    const rootKeyFile = `${folder}/root.key`;
    const to = `sqlite:${folder}/copy.db`;
    await expect(copyStore({ from: cluster.url(restored), to, rootKeyFile })).rejects.toThrow(
      'was itself copied or put back',
    );
    await copy.store.fence();
    expect(copy.store.needsFence).toBe(false);
    await copy.close();
    expect((await open(cluster.url(restored))).store.needsFence).toBe(false);
    const spoil = "update pairmint.record set value = 'x' where path = 'history'";
    await cluster.query(spoil, restored);
    const spoilt = await open(cluster.url(restored));
    expect(spoilt.store.doubt).toContain('is not as pairmint wrote it');
    await spoilt.store.fence();
    expect((await spoilt.store.check()).faults).toEqual([]);
    // The note here is of the database that was fenced.
    expect((await open(cluster.url(database))).store.needsFence).toBe(true);
  }, 60_000);

  it('is opened by many at once: none takes what another has just noted for a later state', async () => {
    const cluster = await clusterOf();
    await open(cluster.url(), { create: true });
    for (let round = 0; round < 5; round++) {
      const opened = await Promise.all(Array.from({ length: 6 }, () => open(cluster.url())));
      expect(opened.map(({ store }) => store.doubt)).toEqual(opened.map(() => undefined));
      // What they note when they close is later, too.
      await Promise.all([...opened.map((kms) => kms.close()), open(cluster.url())]);
    }
  }, 60_000);

  it('was restarted after a power failure: nothing is lost, and pools go on', async () => {
    const cluster = await clusterOf();
    const kms = await open(cluster.url(), { create: true, onDryPool: 'fail' });
    const KeyId = await withPool(kms);
    const taken = [await take(kms, KeyId)];
    await cluster.stop('SIGQUIT');
    await cluster.run();
    await vi.waitFor(async () => taken.push(await take(kms, KeyId)), 15_000);
    await drawAll(kms, KeyId, taken);
    expect(kms.store.doubt).toBeUndefined();
    expect(new Set(taken).size).toBe(taken.length);
  }, 60_000);
});
