import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { AuditEvent } from '../../lib/service/audit.ts';
import type { BatchDescription } from '../../lib/service/batch-api.ts';
import type { WorkOptions } from '../../lib/service/batch-worker.ts';
import { type OpenOptions, Pairmint } from '../../lib/service/pairmint.ts';
import { type Database, loadEngine } from '../../lib/store/sqlite/engine.ts';
import { failureText, newKey } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';

const KeyPairSpec = 'ECC_NIST_P256';
const alice = 'arn:aws:iam::000000000000:user/alice';
const bob = 'arn:aws:iam::000000000000:user/bob';
const nothing = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Deny', Action: '*', Resource: '*' },
});

// A store is copied from one that was made once, which takes less time than to make it.
const emptyStore = 'empty_store';
const sharedRootKey = { bytes: Buffer.alloc(32, 1) };
let cluster: Cluster | undefined;
beforeAll(async () => {
  if (!hasPostgres) return;
  cluster = await Cluster.start();
  await cluster.query(`create database ${emptyStore}`);
  const store = cluster.url(emptyStore);
  await (await Pairmint.open({ store, rootKey: sharedRootKey, create: true })).close();
});
afterAll(() => cluster?.remove());

let folder: string;
/** The name of the database that the test has. */
let database: string | undefined;
beforeEach(() => {
  folder = temporaryFolder();
  database = undefined;
});

async function openOptions(store: string): Promise<OpenOptions> {
  if (store === 'sqlite:') {
    return { store: `sqlite:${folder}/store.db`, rootKey: { file: `${folder}/root.key` } };
  }
  if (store !== 'postgres:') return { store };
  const server = cluster as Cluster;
  if (database === undefined) {
    database = `db_${Math.random().toString(36).slice(2, 10)}`;
    await server.query(`create database ${database} template ${emptyStore}`);
    const copy = await Pairmint.open({ store: server.url(database), rootKey: sharedRootKey });
    await copy.store.fence();
    await copy.close();
  }
  return { store: server.url(database), rootKey: sharedRootKey };
}

async function open(store: string, options: OpenOptions = {}): Promise<Pairmint> {
  const where = await openOptions(store);
  const kms = await Pairmint.open({ ...where, refillPools: false, ...options });
  onTestFinished(() => kms.close());
  return kms;
}

/** Runs SQL on the store as another program may, with an @ before each name of a table. */
function foreign(store: string): (sql: string) => Promise<Record<string, unknown>[]> {
  if (store === 'postgres:') {
    const name = database;
    return (sql) => (cluster as Cluster).query(sql.replaceAll('@', 'pairmint.'), name);
  }
  const file: Database = new (loadEngine().DatabaseSync)(`${folder}/store.db`);
  onTestFinished(() => file.close());
  return async (sql) => file.prepare(sql.replaceAll('@', '')).all() as Record<string, unknown>[];
}

const shared = hasPostgres ? ['sqlite:', 'postgres:'] : ['sqlite:'];

const mint = (kms: Pairmint) => kms.batches.work({ untilIdle: true });

async function publicKeys(kms: Pairmint, batchId: string, skip?: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const pairs of kms.batches.results(batchId, skip === undefined ? {} : { skip })) {
    for (const { PublicKey = '' } of pairs) keys.push(Buffer.from(PublicKey).toString('base64'));
  }
  return keys;
}

/** Works on batches until the returned function is called. */
function working(kms: Pairmint, options: WorkOptions = {}): () => Promise<number> {
  const stop = new AbortController();
  const work = kms.batches.work({ ...options, signal: stop.signal });
  return async () => {
    stop.abort();
    return work;
  };
}

async function until(
  kms: Pairmint,
  batchId: string,
  is: (batch: BatchDescription) => boolean,
): Promise<BatchDescription> {
  return vi.waitFor(
    async () => {
      const batch = await kms.batches.status(batchId);
      expect(is(batch), JSON.stringify(batch)).toBe(true);
      return batch;
    },
    { timeout: 20_000, interval: 20 },
  );
}

describe.each(['memory:', ...shared])('a batch in a %s store', (store) => {
  it('has exactly the pairs that it was submitted for, bound to its context', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const EncryptionContext = { app: 'billing' };
    const submitted = await kms.batches.submit({
      KeyId,
      KeyPairSpec,
      EncryptionContext,
      count: 105,
      chunk: 10,
    });
    expect(submitted).toMatchObject({ state: 'waiting', done: 0, count: 105, chunk: 10 });
    expect(await mint(kms)).toBe(105);
    const { batchId } = submitted;
    const status = await kms.batches.status(batchId);
    expect(status).toMatchObject({
      state: 'done',
      done: 105,
      EncryptionContext,
      reason: undefined,
    });
    expect(status.workers).toMatchObject([{ done: 105, isActive: false }]);
    let pairs = 0;
    for await (const some of kms.batches.results(batchId)) {
      pairs += some.length;
      const { PrivateKeyCiphertextBlob: CiphertextBlob, ...first } = some[0] ?? {};
      expect(first).toMatchObject({ KeyId: submitted.KeyId, KeyPairSpec });
      expect(Object.keys(first)).not.toContain('PrivateKeyPlaintext');
      const opened = await kms.decrypt({ CiphertextBlob, EncryptionContext });
      expect(opened.Plaintext?.length).toBeGreaterThan(100);
      expect(await failureText(kms.decrypt({ CiphertextBlob }))).toMatch(/^InvalidCiphertext/);
    }
    expect(pairs).toBe(105);
  });

  it('is read in the same order each time, and from any pair on', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 47, chunk: 10 });
    await mint(kms);
    const all = await publicKeys(kms, batchId);
    expect(new Set(all).size).toBe(47);
    for (const skip of [0, 1, 10, 39, 46, 47, 99]) {
      expect(await publicKeys(kms, batchId, skip)).toEqual(all.slice(skip));
    }
  });

  it('stalls while its key is disabled, says why, and goes on', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 100, chunk: 10 });
    await kms.disableKey({ KeyId });
    const troubles: string[] = [];
    const stop = working(kms, { onTrouble: (sentence) => troubles.push(sentence) });
    const stalled = await until(kms, batchId, ({ state }) => state === 'stalled');
    expect(stalled).toMatchObject({
      done: 0,
      reason: expect.stringMatching(/^DisabledException: /),
    });
    expect(troubles).toEqual([expect.stringContaining(`${batchId} cannot be minted: Disabled`)]);
    await kms.enableKey({ KeyId });
    await until(kms, batchId, ({ state }) => state === 'done');
    expect(await stop()).toBe(100);
  });

  it('is minted as who submitted it, and stalls while that caller may not', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const Policy = (await kms.getKeyPolicy({ KeyId })).Policy as string;
    const batches = kms.as(alice).batches;
    const { batchId, submitter } = await batches.submit({ KeyId, KeyPairSpec, count: 5, chunk: 5 });
    expect(submitter).toBe(alice);
    const deny = {
      Effect: 'Deny',
      Principal: { AWS: alice },
      Action: 'kms:GenerateDataKeyPairWithoutPlaintext',
      Resource: '*',
    };
    const { Statement, ...rest } = JSON.parse(Policy);
    const denying = JSON.stringify({ ...rest, Statement: [...Statement, deny] });
    await kms.putKeyPolicy({ KeyId, Policy: denying });
    const stop = working(kms);
    const stalled = await until(kms, batchId, ({ state }) => state === 'stalled');
    expect(stalled.reason).toMatch(new RegExp(`^AccessDeniedException: User: ${alice} is not`));
    await kms.putKeyPolicy({ KeyId, Policy });
    await until(kms, batchId, ({ state }) => state === 'done');
    await stop();
  });

  it('is bound by the identity policy of its submitter, whoever works on it', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    await kms.tagResource({ KeyId, Tags: [{ TagKey: 'state', TagValue: 'open' }] });
    const whileOpen = JSON.stringify({
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Action: 'kms:*',
        Resource: '*',
        Condition: { StringEquals: { 'aws:ResourceTag/state': 'open' } },
      },
    });
    const limited = kms.as(alice, { identityPolicy: whileOpen });
    const { batchId } = await limited.batches.submit({ KeyId, KeyPairSpec, count: 5 });
    await kms.untagResource({ KeyId, TagKeys: ['state'] });
    const stop = working(kms);
    const { reason } = await until(kms, batchId, ({ state }) => state === 'stalled');
    expect(reason).toMatch(/^AccessDeniedException: /);
    await stop();
  });

  it('stalls when its alias means another key, and mints nothing under that', async () => {
    const kms = await open(store);
    const [{ KeyId: first }, { KeyId: second }] = [await newKey(kms), await newKey(kms)];
    const AliasName = 'alias/batch';
    await kms.createAlias({ AliasName, TargetKeyId: first });
    const { batchId } = await kms.batches.submit({ KeyId: AliasName, KeyPairSpec, count: 5 });
    await kms.updateAlias({ AliasName, TargetKeyId: second });
    const stop = working(kms);
    const { reason } = await until(kms, batchId, ({ state }) => state === 'stalled');
    expect(reason).toContain(`alias/batch is arn:aws:kms:us-east-1:000000000000:key/${second} now`);
    await kms.updateAlias({ AliasName, TargetKeyId: first });
    await until(kms, batchId, ({ state }) => state === 'done');
    await stop();
  });

  it('keeps what is minted when it is cancelled, and is never continued', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 60_000, chunk: 100 });
    const stop = working(kms);
    await until(kms, batchId, ({ done }) => done > 0);
    const cancelled = await kms.batches.cancel(batchId);
    expect(cancelled).toMatchObject({ state: 'cancelled', rate: 0, secondsLeft: undefined });
    expect(await kms.batches.cancel(batchId)).toMatchObject({ state: 'cancelled' });
    await stop();
    expect(await mint(kms)).toBe(0);
    const { done } = await kms.batches.status(batchId);
    expect(done).toBe(cancelled.done);
    expect(done).toBeLessThan(60_000);
    expect(await publicKeys(kms, batchId)).toHaveLength(done);
    await kms.batches.delete(batchId);
    expect(await kms.batches.list()).toEqual([]);
    expect(await failureText(kms.batches.status(batchId))).toBe(
      `NotFoundException: There is no batch ${batchId}.`,
    );
    expect((await kms.store.check()).faults).toEqual([]);
  });

  it('shows how fast it is and how long it will take', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 90_000, chunk: 50 });
    const stop = working(kms);
    const { rate, secondsLeft, done, workers } = await until(
      kms,
      batchId,
      (batch) => batch.state === 'running' && batch.rate > 0,
    );
    expect(secondsLeft).toBe(Math.ceil((90_000 - done) / rate));
    expect(workers).toMatchObject([{ isActive: true, done }]);
    await stop();
    // What was under way was given back: another worker need not wait for the end of a lease.
    const other = working(kms);
    await until(kms, batchId, (batch) => batch.done > done + 100);
    await other();
  });

  it('cannot be deleted while it is to be minted, nor cancelled when it is done', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 5 });
    expect(await failureText(kms.batches.delete(batchId))).toBe(
      `KMSInvalidStateException: ${batchId} is waiting. Cancel it before you delete it.`,
    );
    await mint(kms);
    expect(await failureText(kms.batches.cancel(batchId))).toBe(
      `KMSInvalidStateException: ${batchId} is done.`,
    );
    await kms.batches.delete(batchId);
    expect(await kms.batches.list()).toEqual([]);
  });

  it('is of its submitter and of those who may mint pairs under its key', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.as(alice).batches.submit({ KeyId, KeyPairSpec, count: 5 });
    await mint(kms);
    const stranger = kms.as(bob, { identityPolicy: nothing });
    expect(await failureText(publicKeys(stranger, batchId))).toMatch(/^AccessDeniedException: /);
    expect(await failureText(stranger.batches.cancel(batchId))).toMatch(/^AccessDeniedException: /);
    expect(await failureText(stranger.batches.delete(batchId))).toMatch(/^AccessDeniedException: /);
    expect(await publicKeys(kms.as(bob), batchId)).toHaveLength(5);
    const mine = kms.as(alice, { identityPolicy: nothing });
    expect(await publicKeys(mine, batchId)).toHaveLength(5);
    const elsewhere = kms.inRegion('eu-west-1');
    expect(await elsewhere.batches.list()).toEqual([]);
    expect(await failureText(elsewhere.batches.status(batchId))).toMatch(/^NotFoundException: /);
  });

  it('is in the audit: who submitted it, each pair once settled, each refusal', async () => {
    const events: AuditEvent[] = [];
    const kms = await open(store, { audit: (event) => void events.push(event) });
    const { KeyId } = await newKey(kms);
    const submit = {
      KeyId,
      KeyPairSpec,
      EncryptionContext: { a: 'b' },
      count: 7,
      chunk: 3,
    } as const;
    events.splice(0);
    const { batchId, KeyId: ARN } = await kms.as(alice).batches.submit(submit);
    expect(events).toMatchObject([
      {
        eventName: 'SubmitBatch',
        readOnly: false,
        userIdentity: { arn: alice },
        requestParameters: { keyId: KeyId, keyPairSpec: KeyPairSpec, count: 7, batchId },
        resources: [{ ARN }],
      },
    ]);
    await kms.disableKey({ KeyId });
    await mint(kms);
    await kms.enableKey({ KeyId });
    const refused = events.filter(({ errorCode }) => errorCode !== undefined);
    const name = 'GenerateDataKeyPairWithoutPlaintext';
    const userIdentity = { arn: alice };
    expect(refused.length).toBeGreaterThan(0);
    for (const event of refused) {
      expect(event).toMatchObject({ eventName: name, errorCode: 'DisabledException' });
      expect(event.userIdentity).toMatchObject(userIdentity);
    }
    events.splice(0);
    // After a refusal a batch rests, the longer the more refusals there were.
    const atLast = { timeout: 20_000, interval: 200 };
    await vi.waitFor(async () => {
      await mint(kms);
      expect(events.length).toBeGreaterThanOrEqual(7);
    }, atLast);
    expect(events).toHaveLength(7);
    for (const event of events) {
      expect(event).toMatchObject({ eventName: name, userIdentity, readOnly: true });
      expect(event.errorCode).toBeUndefined();
      expect(event.resources).toEqual([{ ARN, type: 'AWS::KMS::Key' }]);
    }
    expect(new Set(events.map(({ requestID }) => requestID)).size).toBe(7);
    events.splice(0);
    await kms.batches.delete(batchId);
    await failureText(kms.batches.delete(batchId));
    expect(events).toMatchObject([
      { eventName: 'DeleteBatch', requestParameters: { batchId }, resources: [{ ARN }] },
      { eventName: 'DeleteBatch', errorCode: 'NotFoundException' },
    ]);
  });

  it('is not made if the audit cannot record it', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    if (store === 'memory:') return;
    const failing = await open(store, { audit: () => Promise.reject(new Error('full')) });
    const text = await failureText(failing.batches.submit({ KeyId, KeyPairSpec, count: 5 }));
    expect(text).toMatch(/^KMSInternalException: The audit could not record the request/);
    expect(await kms.batches.list()).toEqual([]);
  });
});

describe.each(['memory:', 'sqlite:'])('a batch for a %s store', (store) => {
  it.each([
    [{ count: 0 }, 'ValidationException: count must be a whole number from 1 to 100000000'],
    [{ count: 1.5 }, 'ValidationException: count must be a whole number from 1 to 100000000'],
    [{ count: 1e9 }, 'ValidationException: count must be a whole number from 1 to 100000000'],
    [{ chunk: 10_001 }, 'ValidationException: chunk must be a whole number from 1 to 10000'],
    [{ count: 1_000_000, chunk: 2 }, 'ValidationException: chunk must be at least 5 for 1000000'],
    [{ KeyPairSpec: 'RSA_1' }, 'ValidationException: 1 validation error detected: '],
    [{ KeyPairSpec: 'ML_KEM_512' }, 'UnsupportedOperationException: '],
    [{ KeyId: 'alias/none' }, 'NotFoundException: Alias '],
    [{ KeyId: undefined }, 'ValidationException: 1 validation error detected: '],
    [{ EncryptionContext: 5 }, 'SerializationException: '],
    [{ GrantTokens: [] }, "ConfigurationError: submit of batches has no option 'GrantTokens'"],
  ])('is refused at once if it is submitted with %j', async (given, text) => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const submission = { KeyId, KeyPairSpec, count: 5, ...given } as never;
    const failure = await kms.batches.submit(submission).catch((error) => error);
    expect(`${failure.name}: ${failure.message}`).toContain(text);
    expect(await kms.batches.list()).toEqual([]);
  });

  it('is refused for a key that is disabled or that the caller may not use', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const submission = { KeyId, KeyPairSpec, count: 5 } as const;
    const stranger = kms.as(bob, { identityPolicy: nothing });
    expect(await failureText(stranger.batches.submit(submission))).toMatch(/^AccessDenied/);
    await kms.disableKey({ KeyId });
    expect(await failureText(kms.batches.submit(submission))).toMatch(/^DisabledException: /);
    expect(await kms.batches.list()).toEqual([]);
  });

  it.each(['', 'x', '../key', '00000000-0000-0000-0000-000000000000'])(
    'is not found by the id %j',
    async (id) => {
      const kms = await open(store);
      for (const call of ['status', 'cancel', 'delete'] as const) {
        const text = await failureText(kms.batches[call](id));
        expect(text).toBe(`NotFoundException: There is no batch ${id}.`);
      }
      expect(await failureText(publicKeys(kms, id))).toMatch(/^NotFoundException: /);
    },
  );
});

describe.each(shared)('a batch whose %s store was meddled with', (store) => {
  const minted = async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const ids: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 20, chunk: 5 });
      ids.push(batchId);
    }
    await mint(kms);
    return { kms, KeyId, batchId: ids[0] as string, otherId: ids[1] as string };
  };

  // SQL with ID for the id of the batch.
  const first = "(select id from @batch where name like '%ID')";
  const flipped =
    store === 'sqlite:'
      ? "cast(substr(value, 1, 400) || x'00' || substr(value, 402) as blob)"
      : 'set_byte(value, 400, 255 - get_byte(value, 400))';
  it.each([
    [
      'with a chunk in the place of another',
      `update @chunk_result set value = (select value from @chunk_result where n = 1 and batch = ${first}) where n = 2 and batch = ${first}`,
    ],
    [
      'with a chunk of another batch',
      `update @chunk_result set value = (select value from @chunk_result where n = 2 and batch <> ${first}) where n = 2 and batch = ${first}`,
    ],
    [
      'with a chunk said to be of another attempt',
      `update @chunk_result set attempt = 2 where n = 2 and batch = ${first}`,
    ],
    [
      'with a chunk said to have other pairs',
      `update @chunk_result set pairs = 4 where n = 2 and batch = ${first}`,
    ],
    [
      'with a byte changed',
      `update @chunk_result set value = ${flipped} where n = 2 and batch = ${first}`,
    ],
    [
      'with a chunk that was taken away',
      `delete from @chunk_result where n = 2 and batch = ${first}`,
    ],
  ])('%s, is exported up to there and no further', async (_what, sql) => {
    const { kms, batchId, otherId } = await minted();
    await foreign(store)(sql.replaceAll('ID', batchId));
    const keys: string[] = [];
    const reading = (async () => {
      for await (const pairs of kms.batches.results(batchId)) keys.push(...pairs.map(String));
    })();
    expect(await failureText(reading)).toMatch(/^KMSInternalException: The key store is damaged/);
    expect(keys).toHaveLength(10);
    expect(await publicKeys(kms, otherId)).toHaveLength(20);
    const { faults } = await kms.store.check();
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.every((fault) => fault.includes(batchId))).toBe(true);
  });

  it('is not minted from a record in the place of another, or that was changed', async () => {
    const { kms, KeyId } = await minted();
    const ids: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 5 });
      ids.push(batchId);
    }
    const sql = foreign(store);
    const [batchId, other] = ids as [string, string];
    const at = (id: string) => `path like '%:batch/${id}'`;
    await sql(
      `update @record set value = (select value from @record where ${at(other)}) where ${at(batchId)}`,
    );
    const troubles: string[] = [];
    await kms.batches.work({ untilIdle: true, onTrouble: (text) => troubles.push(text) });
    expect(troubles).toEqual([expect.stringContaining('The key store is damaged: the record ')]);
    expect(await failureText(kms.batches.status(batchId))).toMatch(/^KMSInternalException: /);
    expect((await kms.batches.status(other)).state).toBe('done');
    expect(await sql('select cast(sum(pairs) as text) as n from @chunk_result')).toEqual([
      { n: '45' },
    ]);
    // Nobody can tell whose it was.
    const text = await failureText(kms.as(alice).batches.delete(batchId));
    expect(text).toMatch(/^KMSInternalException: The key store is damaged/);
    await kms.batches.delete(batchId);
    expect(await kms.batches.list()).toHaveLength(3);
    expect((await kms.store.check()).faults).toEqual([]);
  });

  it('is not continued when it was cancelled, whatever its row says', async () => {
    const kms = await open(store);
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 5 });
    const sql = foreign(store);
    await kms.batches.cancel(batchId);
    const asItWas = store === 'sqlite:' ? 'state = 0' : 'state = 0, kept = null';
    await sql(`update @batch set ${asItWas}`);
    const lease = store === 'sqlite:' ? '0' : 'null';
    if (store === 'postgres:') await sql('insert into @batch_mark select id, 1, 0 from @batch');
    await sql(`insert into @chunk select id, 0, 5, 0, ${lease} from @batch`);
    expect(await mint(kms)).toBe(0);
    expect(await kms.batches.status(batchId)).toMatchObject({ state: 'cancelled', done: 0 });
  });

  it('leaves nothing behind if its deletion was ended by a kill, once a worker runs', async () => {
    const { kms, batchId } = await minted();
    const sql = foreign(store);
    // What the first transaction of a deletion does.
    await sql(`delete from @record where path like '%:batch/${batchId}'`);
    await sql(`update @batch set state = 2 where name like '%${batchId}'`);
    const left = () => sql('select n from @chunk_result');
    expect(await left()).toHaveLength(8);
    await mint(kms);
    expect(await left()).toHaveLength(4);
    expect((await kms.store.check()).faults).toEqual([]);
  });

  it('is named by a check if its record is gone', async () => {
    const { kms, batchId } = await minted();
    await foreign(store)(`delete from @record where path like '%:batch/${batchId}'`);
    expect((await kms.store.check()).faults).toEqual([
      `chunks wait for us-east-1:000000000000:batch/${batchId}, of which there is no record`,
    ]);
  });
});

describe('a batch in a store that was put back', () => {
  it('is lost if that was done from a backup, says so, and can be deleted', async () => {
    const { restoreBackup } = await import('../../lib/service/restore.ts');
    const kms = await open('sqlite:');
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 50, chunk: 5 });
    await mint(kms);
    await kms.store.backup(`${folder}/backup.db`);
    await restoreBackup(`${folder}/backup.db`, {
      store: `sqlite:${folder}/store.db`,
      rootKeyFile: `${folder}/root.key`,
    });
    expect(await kms.batches.status(batchId)).toMatchObject({ state: 'lost', done: 0 });
    expect(await mint(kms)).toBe(0);
    expect(await failureText(publicKeys(kms, batchId))).toBe(
      `KMSInvalidStateException: The pairs of ${batchId} are not in this store, which was restored.`,
    );
    expect((await kms.store.check()).faults).toEqual([]);
    await kms.batches.delete(batchId);
    expect(await kms.batches.list()).toEqual([]);
  });

  it('rests after other ways to put it back until the store is fenced', async () => {
    const { copyFileSync } = await import('node:fs');
    const kms = await open('sqlite:');
    const { KeyId } = await newKey(kms);
    const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 50, chunk: 5 });
    await kms.close();
    copyFileSync(`${folder}/store.db`, `${folder}/copy.db`);
    const copy = await open(`sqlite:${folder}/copy.db`, {
      rootKey: { file: `${folder}/root.key` },
    });
    const troubles: string[] = [];
    const stop = working(copy, { onTrouble: (text) => troubles.push(text) });
    await vi.waitFor(() => expect(troubles).toHaveLength(1));
    expect(troubles[0]).toContain("minted elsewhere: run 'pairmint store fence'");
    expect((await copy.batches.status(batchId)).done).toBe(0);
    await copy.store.fence();
    await until(copy, batchId, ({ state }) => state === 'done');
    await stop();
  });
});
