import crypto, { type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { dayInMilliseconds } from '../../lib/keys/settlement.ts';
import { keySpecs } from '../../lib/model/key-specs.ts';
import type { KeySpec } from '../../lib/model/types.ts';
import { defaultKeyPolicy } from '../../lib/policy/document.ts';
import type { AuditEvent } from '../../lib/service/audit.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { accountId, bytes, failureText, keyArn } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { generateWithNode, pkcs8Of, spkiOf } from '../support/kms-keys.ts';
import { keyId, openSeeded, otherKeyId, refusalOf, seedFile, seedOf, storeIn } from './support.ts';

const secret = Buffer.alloc(32, 7);
const older = Buffer.alloc(32, 6);
const alice = `arn:aws:iam::${accountId}:user/alice`;
const Plaintext = Buffer.from('attack at dawn');

/** Everything in a store, as text. */
async function contents(folder: string): Promise<string[]> {
  const store = await SqliteStore.open(storeIn(folder).store.slice('sqlite:'.length));
  const entries = await store.list('', { limit: 100_000 });
  await store.close();
  return entries.map(({ path, value }) => `${path} ${Buffer.from(value).toString('hex')}`);
}

/** Opens the store in a folder with a seed, and closes it. */
async function seedInto(folder: string, seed: string | object, options = {}): Promise<string[]> {
  const notices: string[] = [];
  const onNotice = (message: string) => notices.push(message);
  const kms = await Pairmint.open({ ...storeIn(folder), seed, onNotice, ...options });
  await kms.close();
  return notices;
}

describe('a seeded key', () => {
  it('is as its seed describes it', async () => {
    const nextDate = new Date(Date.now() + 10 * dayInMilliseconds);
    const policy = {
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }],
    };
    await using kms = await openSeeded(
      seedOf({
        Description: 'for invoices',
        Enabled: false,
        KeyMaterial: secret.toString('base64'),
        Policy: policy,
        Tags: { Stage: 'test', Team: 'billing' },
        Aliases: ['alias/invoices', 'alias/billing'],
        RotationPeriodInDays: 90,
        NextRotationDate: nextDate.toISOString(),
      }),
    );
    const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/invoices' });
    expect(KeyMetadata).toMatchObject({
      KeyId: keyId,
      Arn: keyArn(keyId),
      Description: 'for invoices',
      Enabled: false,
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      Origin: 'AWS_KMS',
      MultiRegion: false,
    });
    const { Tags } = await kms.listResourceTags({ KeyId: keyId });
    expect(Tags).toEqual([
      { TagKey: 'Stage', TagValue: 'test' },
      { TagKey: 'Team', TagValue: 'billing' },
    ]);
    const { Aliases = [] } = await kms.listAliases({ KeyId: keyId });
    expect(Aliases.map(({ AliasName }) => AliasName)).toEqual(['alias/billing', 'alias/invoices']);
    expect(JSON.parse((await kms.getKeyPolicy({ KeyId: keyId })).Policy ?? '')).toEqual(policy);
    await kms.enableKey({ KeyId: keyId });
    expect(await kms.getKeyRotationStatus({ KeyId: keyId })).toMatchObject({
      RotationPeriodInDays: 90,
      NextRotationDate: nextDate,
    });
  });

  it('opens what another store with the same seed sealed', async () => {
    const seed = seedOf({ KeyMaterial: secret.toString('hex') });
    // Made by a store of another root key, which is gone.
    const blob =
      'REtQAQEBAAC8Q2SFUJJCuJKjCqi5NTbcm1ZsBNElYd2I2AjlX+YnUKNE8vJYxkc6Tgo3llJ0evLq' +
      'DUxeDr4Ghc1w+tF/AJll9CqH5geZULQZTjDQgKrZ4dDwFGapffAH6W76eAVclMMEemaHTXysJRFk' +
      'yiXJIs7REDf2oqYlb2YCIaUPlNFqubOk78SG+H+smtmhPVd+cz7jJBoqyhBvOhA4';
    await using kms = await openSeeded(seed);
    await using other = await openSeeded(seed);
    const EncryptionContext = { app: 'billing' };
    const { CiphertextBlob } = await other.encrypt({ KeyId: keyId, Plaintext, EncryptionContext });
    for (const ciphertext of [bytes(CiphertextBlob), Buffer.from(blob, 'base64')]) {
      const opened = await kms.decrypt({ CiphertextBlob: ciphertext, EncryptionContext });
      expect(bytes(opened.Plaintext)).toEqual(Plaintext);
    }
  });

  it('seals under its last material and opens blobs of those before it', async () => {
    await using before = await openSeeded(seedOf({ KeyMaterial: older.toString('hex') }));
    const { CiphertextBlob } = await before.encrypt({ KeyId: keyId, Plaintext });
    const KeyMaterial = [older.toString('hex'), secret.toString('base64')];
    await using kms = await openSeeded(seedOf({ KeyMaterial }));
    const opened = await kms.decrypt({ CiphertextBlob: bytes(CiphertextBlob) });
    expect(bytes(opened.Plaintext)).toEqual(Plaintext);
    const { KeyMetadata } = await kms.describeKey({ KeyId: keyId });
    expect(opened.KeyMaterialId).not.toBe(KeyMetadata?.CurrentKeyMaterialId);
    const { Rotations = [] } = await kms.listKeyRotations({
      KeyId: keyId,
      IncludeKeyMaterial: 'ALL_KEY_MATERIAL',
    });
    expect(Rotations.map((rotation) => rotation.KeyMaterialState)).toEqual([
      'NON_CURRENT',
      'CURRENT',
    ]);
  });

  it('has fresh material if the seed gives none', async () => {
    await using kms = await openSeeded(seedOf({}));
    await using other = await openSeeded(seedOf({}));
    const { CiphertextBlob } = await other.encrypt({ KeyId: keyId, Plaintext });
    const failure = await failureText(kms.decrypt({ CiphertextBlob: bytes(CiphertextBlob) }));
    expect(failure).toBe('InvalidCiphertextException: ');
  });

  it('of Origin EXTERNAL is imported, or waits for its import', async () => {
    await using kms = await openSeeded(
      seedOf(
        { Origin: 'EXTERNAL', KeyMaterial: secret.toString('hex') },
        { KeyId: otherKeyId, Origin: 'EXTERNAL' },
      ),
    );
    const imported = await kms.describeKey({ KeyId: keyId });
    expect(imported.KeyMetadata).toMatchObject({
      KeyState: 'Enabled',
      Origin: 'EXTERNAL',
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    });
    await kms.encrypt({ KeyId: keyId, Plaintext });
    const waiting = await kms.describeKey({ KeyId: otherKeyId });
    expect(waiting.KeyMetadata?.KeyState).toBe('PendingImport');
  });

  it('is a multi-Region primary key if its id begins with mrk-', async () => {
    const mrk = `mrk-${keyId.replaceAll('-', '')}`;
    await using kms = await openSeeded(seedOf({ KeyId: mrk }));
    const { KeyMetadata } = await kms.describeKey({ KeyId: mrk });
    expect(KeyMetadata).toMatchObject({
      MultiRegion: true,
      MultiRegionConfiguration: { MultiRegionKeyType: 'PRIMARY' },
    });
    await kms.replicateKey({ KeyId: mrk, ReplicaRegion: 'eu-west-1' });
  });

  it('is rotated at once, and once only, if its rotation is overdue', async () => {
    const KeyMaterial = secret.toString('hex');
    await using kms = await openSeeded(seedOf({ KeyMaterial, NextRotationDate: '2019-09-12' }));
    const { Rotations = [] } = await kms.listKeyRotations({ KeyId: keyId });
    expect(Rotations.map(({ RotationType }) => RotationType)).toEqual(['AUTOMATIC']);
    const { NextRotationDate } = await kms.getKeyRotationStatus({ KeyId: keyId });
    expect(NextRotationDate?.getTime()).toBeGreaterThan(Date.now() + 364 * dayInMilliseconds);
  });

  it('can be used by the grantees of its grants', async () => {
    const grant = {
      Name: 'readers',
      GranteePrincipal: alice,
      Operations: ['Decrypt', 'Encrypt'],
      Constraints: { EncryptionContextSubset: { app: 'billing' } },
    };
    await using kms = await openSeeded(seedOf({ Grants: [grant] }));
    const identityPolicy = JSON.stringify({
      Statement: [{ Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' }],
    });
    const asAlice = kms.as(alice, { identityPolicy });
    await asAlice.encrypt({
      KeyId: keyArn(keyId),
      Plaintext,
      EncryptionContext: { app: 'billing' },
    });
    const failure = await failureText(asAlice.encrypt({ KeyId: keyArn(keyId), Plaintext }));
    expect(failure).toMatch(/^AccessDeniedException: /);
    const { Grants } = await kms.listGrants({ KeyId: keyId });
    expect(Grants).toMatchObject([grant]);
  });

  it('can be the default key, which is otherwise made on first use', async () => {
    await using kms = await openSeeded(seedOf({ Aliases: ['alias/pairmint/default'] }));
    const { KeyId } = await kms.encrypt({ KeyId: 'alias/pairmint/default', Plaintext });
    expect(KeyId).toBe(keyArn(keyId));
  });
});

/** A key of each kind, made elsewhere, and how to tell that it is that very one. */
const kinds = Object.keys(keySpecs) as KeySpec[];
const privateKinds = kinds.filter((spec) => /^(?:RSA|ECC|SM2)/.test(spec));

describe('a seed of KeySpec', () => {
  it.each(privateKinds)('%s brings a private key in PEM', async (KeySpec) => {
    const key = generateWithNode(KeySpec);
    const [KeyUsage] = Object.keys(keySpecs[KeySpec].usages);
    const PrivateKeyPem = key.export({ format: 'pem', type: 'pkcs8' });
    await using kms = await openSeeded(seedOf({ KeySpec, KeyUsage, PrivateKeyPem }));
    const { PublicKey } = await kms.getPublicKey({ KeyId: keyId });
    expect(bytes(PublicKey)).toEqual(spkiOf(key));
    await using same = await openSeeded(
      seedOf({ KeySpec, KeyUsage, KeyMaterial: pkcs8Of(key).toString('base64') }),
    );
    expect((await same.getPublicKey({ KeyId: keyId })).PublicKey).toEqual(PublicKey);
  });

  it.each(privateKinds)('%s makes one if there is no material', async (KeySpec) => {
    const [KeyUsage] = Object.keys(keySpecs[KeySpec].usages);
    await using kms = await openSeeded(seedOf({ KeySpec, KeyUsage }));
    const { PublicKey } = await kms.getPublicKey({ KeyId: keyId });
    expect(bytes(PublicKey).length).toBeGreaterThan(40);
  });

  it.each([
    ['HMAC_224', 28],
    ['HMAC_256', 32],
    ['HMAC_384', 48],
    ['HMAC_512', 64],
  ] as const)('%s brings %i bytes', async (KeySpec, length) => {
    const material = crypto.randomBytes(length);
    for (const encoding of ['hex', 'base64'] as const) {
      await using kms = await openSeeded(
        seedOf({
          KeySpec,
          KeyUsage: 'GENERATE_VERIFY_MAC',
          KeyMaterial: material.toString(encoding),
        }),
      );
      const MacAlgorithm = KeySpec.replace('_', '_SHA_') as 'HMAC_SHA_256';
      const { Mac } = await kms.generateMac({ KeyId: keyId, Message: Plaintext, MacAlgorithm });
      const hmac = crypto.createHmac(KeySpec.replace('HMAC_', 'sha'), material);
      expect(bytes(Mac)).toEqual(hmac.update(Plaintext).digest());
    }
  });

  it.each(['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'])(
    '%s makes a key, or says why not',
    async (KeySpec) => {
      await using probe = await Pairmint.open({ store: 'memory:' });
      const seed = seedOf({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
      if (probe.capabilities().mlDsa) {
        await (await openSeeded(seed)).close();
      } else {
        expect(await refusalOf(seed)).toBe(
          `seed: keys[0]: KeySpec ${KeySpec} needs OpenSSL 3.5, which the Node.js of this process ` +
            'does not have.',
        );
      }
    },
  );

  it.each([
    ['SEC 1', (key: KeyObject) => key.export({ format: 'pem', type: 'sec1' }), 'ECC_NIST_P384'],
    ['PKCS #1', (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs1' }), 'RSA_2048'],
  ] as const)('is known from a PEM of %s', async (_, toPem, KeySpec) => {
    const key = generateWithNode(KeySpec);
    const PrivateKeyPem = toPem(key);
    await using kms = await openSeeded(seedOf({ KeyUsage: 'SIGN_VERIFY', PrivateKeyPem }));
    const { KeySpec: made, PublicKey } = await kms.getPublicKey({ KeyId: keyId });
    expect(made).toBe(KeySpec);
    expect(bytes(PublicKey)).toEqual(spkiOf(key));
  });
});

const fullSeed = {
  version: 1,
  keys: [
    {
      KeyId: keyId,
      KeyMaterial: [older.toString('hex'), secret.toString('hex')],
      Description: 'first',
      Enabled: true,
      Policy: { Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }] },
      Tags: [{ TagKey: 'Stage', TagValue: 'test' }],
      Aliases: ['alias/first'],
      RotationPeriodInDays: 365,
      Grants: [
        {
          Name: 'readers',
          GranteePrincipal: alice,
          Operations: ['Decrypt'],
          Constraints: { EncryptionContextEquals: { b: '2', a: '1' } },
        },
        { GranteePrincipal: alice, Operations: ['DescribeKey'] },
      ],
    },
    {
      KeyId: otherKeyId,
      KeyUsage: 'SIGN_VERIFY',
      PrivateKeyPem: generateWithNode('ECC_NIST_P256').export({ format: 'pem', type: 'pkcs8' }),
    },
    {
      KeyId: '7a1c1d38-5a2e-4e0b-8f5c-0b8f0c9d1e2f',
      KeySpec: 'HMAC_256',
      KeyUsage: 'GENERATE_VERIFY_MAC',
    },
  ],
  aliases: [{ AliasName: 'alias/second', TargetKeyId: otherKeyId }],
};

describe('seeding again', () => {
  it('changes not a byte and says nothing', async () => {
    const folder = temporaryFolder();
    const file = seedFile(JSON.stringify(fullSeed));
    const first = await seedInto(folder, file);
    expect(first.at(-1)).toBe('made what the seed has: 3 keys, 2 aliases, 2 grants');
    const before = await contents(folder);
    expect(before.length).toBeGreaterThan(10);
    expect(await seedInto(folder, file)).toEqual([]);
    expect(await seedInto(folder, fullSeed)).toEqual([]);
    expect(await contents(folder)).toEqual(before);
  });

  it('leaves alone the keys that the seed does not name', async () => {
    const folder = temporaryFolder();
    await seedInto(folder, seedOf({}));
    const used = await Pairmint.open(storeIn(folder));
    await used.updateKeyDescription({ KeyId: keyId, Description: 'changed' });
    await used.disableKey({ KeyId: keyId });
    await used.createAlias({ AliasName: 'alias/more', TargetKeyId: keyId });
    await used.close();
    expect(await seedInto(folder, seedOf({}))).toEqual([]);
  });

  it('adds the keys, aliases and grants that a seed has more', async () => {
    const folder = temporaryFolder();
    await seedInto(folder, fullSeed);
    const [first, ...others] = fullSeed.keys;
    const grant = { Name: 'writers', GranteePrincipal: alice, Operations: ['Encrypt'] };
    const notices = await seedInto(folder, {
      ...fullSeed,
      keys: [
        {
          ...first,
          Aliases: ['alias/first', 'alias/third'],
          Grants: [...(first?.Grants ?? []), grant],
        },
        ...others,
        { KeyId: '11111111-2222-3333-4444-555555555555' },
      ],
    });
    expect(notices).toEqual(['made what the seed has: 1 key, 1 alias, 1 grant']);
    await using kms = await Pairmint.open(storeIn(folder));
    expect((await kms.describeKey({ KeyId: 'alias/third' })).KeyMetadata?.KeyId).toBe(keyId);
    expect((await kms.listGrants({ KeyId: keyId })).Grants).toHaveLength(3);
  });

  it('goes on where it was interrupted', async () => {
    const folder = temporaryFolder();
    const stopped = (event: AuditEvent) => {
      if (event.eventName === 'CreateGrant') throw new Error('interrupted');
    };
    await expect(seedInto(folder, fullSeed, { audit: stopped })).rejects.toThrow(/audit/);
    expect((await seedInto(folder, fullSeed)).at(-1)).toBe('made what the seed has: 2 grants');
    expect(await seedInto(folder, fullSeed)).toEqual([]);
  });

  it('by several at once makes everything once', async () => {
    const folder = temporaryFolder();
    await seedInto(folder, seedOf({ KeyId: '11111111-2222-3333-4444-555555555555' }));
    const runs = await Promise.all([1, 2, 3, 4].map(() => seedInto(folder, fullSeed)));
    expect(runs.flat().filter((notice) => notice.includes('keys'))).toHaveLength(1);
    expect(await seedInto(folder, fullSeed)).toEqual([]);
  });
});

describe('a seed that contradicts the store', () => {
  const p256 = () => generateWithNode('ECC_NIST_P256').export({ format: 'pem', type: 'pkcs8' });
  const [first, second, third] = fullSeed.keys as [object, object, object];
  it.each([
    ['KeySpec', [third, 2], { KeySpec: 'HMAC_512' }, 'KeySpec HMAC_256, not HMAC_512'],
    [
      'KeyUsage',
      [second, 1],
      { KeyUsage: 'KEY_AGREEMENT' },
      'KeyUsage SIGN_VERIFY, not KEY_AGREEMENT',
    ],
    ['Origin', [third, 2], { Origin: 'EXTERNAL' }, 'Origin AWS_KMS, not EXTERNAL'],
    ['Description', [first, 0], { Description: 'other' }, 'Description first, not other'],
    ['Enabled', [first, 0], { Enabled: false }, 'Enabled true, not false'],
    [
      'RotationPeriodInDays',
      [first, 0],
      { RotationPeriodInDays: 90 },
      'RotationPeriodInDays 365, not 90',
    ],
    ['Policy', [first, 0], { Policy: defaultKeyPolicy(accountId) }, 'another policy'],
    ['Tags', [first, 0], { Tags: { Stage: 'production' } }, 'other tags'],
    ['KeyMaterial', [first, 0], { KeyMaterial: secret.toString('hex') }, 'other key material'],
    ['PrivateKeyPem', [second, 1], { PrivateKeyPem: p256() }, 'other key material'],
  ] as const)('in %s is refused and changes nothing', async (member, [key, index], other, text) => {
    const folder = temporaryFolder();
    await seedInto(folder, fullSeed);
    const before = await contents(folder);
    const keys: object[] = [...fullSeed.keys, { KeyId: '11111111-2222-3333-4444-555555555555' }];
    keys[index] = { ...key, ...other };
    const refused = await refusalOf({ ...fullSeed, keys }, storeIn(folder));
    expect(refused).toBe(`seed: keys[${index}].${member}: the store has this key with ${text}`);
    expect(await contents(folder)).toEqual(before);
  });

  it('in where an alias points is refused and changes nothing', async () => {
    const folder = temporaryFolder();
    await seedInto(folder, fullSeed);
    const before = await contents(folder);
    const aliases = [{ AliasName: 'alias/second', TargetKeyId: keyId }];
    expect(await refusalOf({ version: 1, aliases }, storeIn(folder))).toBe(
      `seed: aliases[0].AliasName: the store has this alias for key ${otherKeyId}, not ${keyId}`,
    );
    expect(await contents(folder)).toEqual(before);
  });

  it('in the terms of a grant is refused', async () => {
    const folder = temporaryFolder();
    await seedInto(folder, fullSeed);
    const Grants = [{ Name: 'readers', GranteePrincipal: alice, Operations: ['Encrypt'] }];
    expect(await refusalOf(seedOf({ Grants }), storeIn(folder))).toBe(
      'seed: keys[0].Grants[0]: the store has a grant of this key named readers on other terms',
    );
  });

  it('by a key that is pending deletion is refused', async () => {
    const folder = temporaryFolder();
    await seedInto(folder, seedOf({}));
    const kms = await Pairmint.open(storeIn(folder));
    await kms.scheduleKeyDeletion({ KeyId: keyId });
    await kms.close();
    expect(await refusalOf(seedOf({}), storeIn(folder))).toBe(
      'seed: keys[0]: the store has this key pending deletion',
    );
  });
});

describe('the audit of a seed', () => {
  it('has a line for every key, alias and grant, and no material', async () => {
    const events: AuditEvent[] = [];
    const kms = await openSeeded(fullSeed, { audit: (event) => void events.push(event) });
    await kms.close();
    expect(events.map(({ eventName }) => eventName)).toEqual([
      'CreateKey',
      'CreateAlias',
      'CreateKey',
      'CreateAlias',
      'CreateKey',
      'CreateGrant',
      'CreateGrant',
    ]);
    expect(events[0]).toMatchObject({
      readOnly: false,
      resources: [{ ARN: keyArn(keyId), type: 'AWS::KMS::Key' }],
      userIdentity: { type: 'Root' },
    });
    const text = JSON.stringify(events);
    expect(text).not.toContain(secret.toString('hex'));
    expect(text).not.toContain('PRIVATE KEY');
  });

  it('that cannot be written makes nothing', async () => {
    const folder = temporaryFolder();
    const audit = () => {
      throw new Error('disk full');
    };
    await expect(seedInto(folder, fullSeed, { audit })).rejects.toThrow(/audit/);
    await using kms = await Pairmint.open(storeIn(folder));
    expect((await kms.listKeys({})).Keys).toEqual([]);
  });
});
