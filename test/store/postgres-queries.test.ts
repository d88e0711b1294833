import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type OpenOptions, Pairmint } from '../../lib/service/pairmint.ts';
import type { Client } from '../../lib/store/postgres/driver.ts';
import { loadDriver } from '../../lib/store/postgres/driver.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';

// What a process asks by itself, four times a second, and when it registers.
const byItself = /left join lateral|\.machine|\.tidy\(\)/;
const listsKeys = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' },
});
const user = 'arn:aws:iam::000000000000:user/u';

describe.skipIf(!hasPostgres)('queries to PostgreSQL', () => {
  let cluster: Cluster;
  let sent: string[];
  beforeAll(async () => {
    cluster = await Cluster.start();
    const prototype = ((await loadDriver()).Client as unknown as { prototype: Client }).prototype;
    const { query } = prototype;
    vi.spyOn(prototype, 'query').mockImplementation(function (this: Client, statement) {
      if (!byItself.test(statement.text)) sent.push(statement.text);
      return query.call(this, statement);
    });
  });
  beforeEach(() => {
    sent = [];
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await cluster?.remove();
  });

  async function open(options: OpenOptions = {}): Promise<Pairmint> {
    const store = cluster.url(await cluster.database());
    const rootKey = { bytes: randomBytes(32) };
    const kms = await Pairmint.open({
      ...{ store, rootKey, create: true, refillPools: false },
      ...options,
    });
    onTestFinished(() => kms.close());
    return kms;
  }
  const newKey = async (kms: Pairmint) => (await kms.createKey({})).KeyMetadata?.KeyId as string;
  async function queriesOf(work: () => Promise<unknown>): Promise<number> {
    sent = [];
    await work();
    return sent.length;
  }
  /** Until what the process made itself has been heard of. */
  const settled = () => new Promise((done) => setTimeout(done, 1500));

  it('are two at most for a page of 40 keys, or of 40 aliases', async () => {
    const kms = await open();
    for (let i = 0; i < 40; i++) {
      await kms.createAlias({ AliasName: `alias/a${i}`, TargetKeyId: await newKey(kms) });
    }
    await settled();
    const keys = await queriesOf(async () => {
      expect((await kms.listKeys({ Limit: 40 })).Keys).toHaveLength(40);
    });
    expect(keys).toBeLessThanOrEqual(2);
    const aliases = await queriesOf(async () => {
      expect((await kms.listAliases({ Limit: 40 })).Aliases).toHaveLength(40);
    });
    expect(aliases).toBeLessThanOrEqual(2);
  }, 60_000);

  it('are none for a caller who is allowed by a grant that it has used before', async () => {
    const kms = await open();
    const KeyId = await newKey(kms);
    const use = (Operations: ('Encrypt' | 'Decrypt')[]) =>
      kms.createGrant({ KeyId, GranteePrincipal: user, Operations });
    await use(['Encrypt']);
    await settled();
    const grantee = kms.as(user, { identityPolicy: listsKeys });
    const encrypt = () => grantee.encrypt({ KeyId, Plaintext: Buffer.from('1') });
    const { CiphertextBlob } = await encrypt();
    const warm = await queriesOf(async () => {
      for (let i = 0; i < 20; i++) await encrypt();
    });
    expect(warm).toBe(0);
    // What is made is allowed at once, what is revoked is not, whatever was remembered.
    const decrypt = () => grantee.decrypt({ KeyId, CiphertextBlob });
    await expect(decrypt()).rejects.toThrow('is not authorized');
    const { GrantId = '' } = await use(['Decrypt']);
    await decrypt();
    await settled();
    expect(await queriesOf(() => Promise.all([decrypt(), encrypt()]))).toBeLessThanOrEqual(6);
    expect(await queriesOf(() => Promise.all([decrypt(), encrypt()]))).toBe(0);
    await kms.revokeGrant({ KeyId, GrantId });
    await expect(decrypt()).rejects.toThrow('is not authorized');
    await encrypt();
  }, 60_000);

  it('are at most 0.02 for each pair that is answered from a pool', async () => {
    const kms = await open({ onDryPool: 'fail' });
    const KeyId = await newKey(kms);
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_EDWARDS25519' } as const;
    await kms.pools.create({ ...request, target: 1600 });
    await kms.pools.fill();
    await settled();
    await kms.generateDataKeyPairWithoutPlaintext(request);
    const queries = await queriesOf(async () => {
      for (let i = 0; i < 1000; i++) await kms.generateDataKeyPairWithoutPlaintext(request);
    });
    expect(queries).toBeLessThanOrEqual(20);
  }, 60_000);
});
