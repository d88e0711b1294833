// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KeyMetadata } from '../../lib/model/types.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';
import { importMaterial, importWith, parametersFor } from './importing.ts';
import {
  absentKeyId,
  accountId,
  bytes,
  failureText,
  keyArn,
  newBlob,
  newKey,
  outcomeOf,
} from './support.ts';

const day = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');
const [home, away, far] = ['us-east-1', 'eu-west-1', 'ap-south-1'] as const;
type Region = typeof home | typeof away | typeof far;

let folder: string;
let services: Record<Region, Pairmint>;
/** Those of the regions: one store, three services. */
let us: Pairmint;
let eu: Pairmint;
let ap: Pairmint;
/** A request that changes anything waits for this before it is committed. */
let beforeCommit: () => Promise<void>;
/** Of the multi-Region key whose primary is at home. */
let KeyId: string;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  folder = temporaryFolder();
  const rootKey = { bytes: crypto.randomBytes(32) };
  const store = `sqlite:${folder}/store.db`;
  beforeCommit = async () => {};
  const audit = () => beforeCommit();
  const open = (region: string) => Pairmint.open({ store, rootKey, region, accountId, audit });
  services = { [home]: await open(home), [away]: await open(away), [far]: await open(far) };
  ({ [home]: us, [away]: eu, [far]: ap } = services);
  ({ KeyId } = await newKey(us, { MultiRegion: true, Description: 'at home' }));
});

afterEach(async () => {
  vi.useRealTimers();
  for (const kms of Object.values(services)) await kms.close();
});

const date = (days: number) => new Date(start + days * day);
const daysLater = (days: number) => vi.setSystemTime(start + days * day);

const arnIn = (region: string) => `arn:aws:kms:${region}:${accountId}:key/${KeyId}`;
const keyIn = (region: string) => ({ Arn: arnIn(region), Region: region });

const replicate = (ReplicaRegion: string = away) => us.replicateKey({ KeyId, ReplicaRegion });
const metadataIn = async (kms: Pairmint): Promise<Partial<KeyMetadata>> =>
  (await kms.describeKey({ KeyId })).KeyMetadata ?? {};
const materialIn = async (kms: Pairmint) => (await metadataIn(kms)).CurrentKeyMaterialId;
const stateIn = async (kms: Pairmint) => (await metadataIn(kms)).KeyState;

const gone = (region: string) => `NotFoundException: Key '${arnIn(region)}' does not exist`;

/** Holds requests back before they commit until so many of them are there. */
function holdBack(count: number): void {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let arrived = 0;
  beforeCommit = () => {
    if (++arrived === count) open();
    return gate;
  };
}

/** The paths of the key's materials in the store. */
async function storedMaterial(): Promise<string[]> {
  const store = await SqliteStore.open(`${folder}/store.db`);
  const entries = await store.list(`material/${KeyId}/`, { limit: 100 });
  return entries.map(({ path }) => path);
}

describe('CreateKey with MultiRegion', () => {
  // [LS test_create_multi_region_key]
  test('makes the primary of a key that has no replicas', async () => {
    expect(KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    expect(await metadataIn(us)).toMatchObject({
      MultiRegion: true,
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: keyIn(home),
        ReplicaKeys: [],
      },
    });
    expect(await failureText(eu.describeKey({ KeyId }))).toBe(gone(away));
  });
});

describe('ReplicateKey', () => {
  // [LS test_replicate_key 2025-11-10]
  test('answers that the replica is being created, with its policy and tags', async () => {
    const Tags = [{ TagKey: 'a', TagValue: 'b' }];
    const answer = await us.replicateKey({
      KeyId,
      ReplicaRegion: away,
      Description: 'away',
      Tags,
    });
    expect(Object.keys(answer).sort()).toEqual([
      'ReplicaKeyMetadata',
      'ReplicaPolicy',
      'ReplicaTags',
    ]);
    expect(answer.ReplicaKeyMetadata).toMatchObject({
      KeyId,
      Arn: arnIn(away),
      KeyState: 'Creating',
      Enabled: false,
      Description: 'away',
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'REPLICA',
        PrimaryKey: keyIn(home),
        ReplicaKeys: [keyIn(away)],
      },
    });
    expect(answer.ReplicaKeyMetadata).not.toHaveProperty('CurrentKeyMaterialId');
    expect(JSON.parse(answer.ReplicaPolicy as string)).toEqual({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${accountId}:root` },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    });
    expect(answer.ReplicaTags).toEqual(Tags);
  });

  // [LS test_replicate_replica_key_should_fail 2025-09-08]
  test('refuses a key that is not a primary key, and names it', async () => {
    await replicate();
    const text = (arn: string) =>
      `UnsupportedOperationException: ${arn} is not a multi-region primary key.`;
    for (const ReplicaRegion of [away, far]) {
      expect(await failureText(eu.replicateKey({ KeyId, ReplicaRegion }))).toBe(text(arnIn(away)));
    }
    const single = await newKey(us);
    const asking = us.replicateKey({ KeyId: single.KeyId, ReplicaRegion: away });
    expect(await failureText(asking)).toBe(text(single.Arn));
  });

  // [LS test_replicate_key 2025-11-10]
  test.each([{}, { Tags: [] }])('answers without ReplicaTags if it got %j', async (more) => {
    const answer = await us.replicateKey({ KeyId, ReplicaRegion: away, ...more });
    expect(Object.keys(answer).sort()).toEqual(['ReplicaKeyMetadata', 'ReplicaPolicy']);
  });

  test('makes a key that is ready, and that both regions list', async () => {
    const { ReplicaKeyMetadata } = await replicate();
    expect(await metadataIn(eu)).toEqual({
      ...ReplicaKeyMetadata,
      KeyState: 'Enabled',
      Enabled: true,
      CurrentKeyMaterialId: await materialIn(us),
    });
    expect((await eu.listKeys({})).Keys).toEqual([{ KeyId, KeyArn: arnIn(away) }]);
    await replicate(far);
    for (const kms of [us, eu, ap]) {
      expect((await metadataIn(kms)).MultiRegionConfiguration).toMatchObject({
        PrimaryKey: keyIn(home),
        ReplicaKeys: [keyIn(away), keyIn(far)],
      });
    }
  });

  test('gives the replica a description, tags, aliases, policy and state of its own', async () => {
    const id = { KeyId };
    const Policy = (await us.getKeyPolicy(id)).Policy?.replace('key-default-1', 'own') as string;
    await us.tagResource({ ...id, Tags: [{ TagKey: 'at', TagValue: 'home' }] });
    await us.createAlias({ AliasName: 'alias/x', TargetKeyId: KeyId });
    await us.putKeyPolicy({ ...id, Policy });
    await replicate();
    expect((await metadataIn(eu)).Description).toBe('');
    expect((await eu.listResourceTags(id)).Tags).toEqual([]);
    expect((await eu.listAliases({})).Aliases).toEqual([]);
    expect((await eu.getKeyPolicy(id)).Policy).not.toContain('own');
    await eu.disableKey(id);
    expect([await stateIn(us), await stateIn(eu)]).toEqual(['Enabled', 'Disabled']);
    await eu.updateKeyDescription({ ...id, Description: 'away' });
    expect((await metadataIn(us)).Description).toBe('at home');
  });

  test('takes a policy, unless it would lock everyone out', async () => {
    const policy = (Principal: object) =>
      JSON.stringify({
        Statement: [{ Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }],
      });
    const request = { KeyId, ReplicaRegion: away };
    const stranger = policy({ AWS: `arn:aws:iam::${accountId}:user/nobody` });
    for (const Policy of [stranger, 'no policy']) {
      expect(await failureText(us.replicateKey({ ...request, Policy }))).toMatch(
        /^MalformedPolicyDocumentException: /,
      );
    }
    const Policy = policy({ AWS: '*' });
    expect((await us.replicateKey({ ...request, Policy })).ReplicaPolicy).toBe(Policy);
    expect((await eu.getKeyPolicy({ KeyId })).Policy).toBe(Policy);
  });

  // [LS] TagException, as CreateKey
  test('checks the tags', async () => {
    const twice = [1, 2].map((n) => ({ TagKey: 'same', TagValue: `${n}` }));
    const making = us.replicateKey({ KeyId, ReplicaRegion: away, Tags: twice });
    expect(await failureText(making)).toBe('TagException: Duplicate tag keys');
    expect(await failureText(eu.describeKey({ KeyId }))).toBe(gone(away));
  });

  // [BC] ReplicateKey, required permissions
  test('needs CreateKey, and TagResource for tags, in the region of the replica', async () => {
    const user = (...actions: string[]) =>
      us.as(`arn:aws:iam::${accountId}:user/alice`, {
        identityPolicy: JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Action: 'kms:ReplicateKey', Resource: '*' },
            {
              Effect: 'Allow',
              Action: actions.map((action) => `kms:${action}`),
              Resource: '*',
            },
          ],
        }),
      });
    const request = { KeyId, ReplicaRegion: away };
    const tagged = { ...request, Tags: [{ TagKey: 'a', TagValue: 'b' }] };
    expect(await failureText(user('ListKeys').replicateKey(request))).toMatch(
      /^AccessDeniedException: .*kms:CreateKey/,
    );
    expect(await failureText(user('CreateKey').replicateKey(tagged))).toMatch(
      /^AccessDeniedException: .*kms:TagResource/,
    );
    const Policy = JSON.stringify({
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }],
    });
    const bare = user('CreateKey').replicateKey({ ...request, Policy });
    expect(await outcomeOf(bare)).toBe('ok');
  });

  test.each([
    ['kms:MultiRegion', 'true', 'false'],
    ['kms:MultiRegionKeyType', 'REPLICA', 'PRIMARY'],
    ['kms:KeyUsage', 'SIGN_VERIFY', 'ENCRYPT_DECRYPT'],
    ['kms:KeySpec', 'ECC_NIST_P256', 'SYMMETRIC_DEFAULT'],
    ['aws:RequestedRegion', away, home],
  ])('needs CreateKey for the key that it makes: %s is %s, not %s', async (name, actual, other) => {
    const request = {
      MultiRegion: true,
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
    } as const;
    const signing = await newKey(us, request);
    const replicating = (value: string) => {
      const create = { Action: 'kms:CreateKey', Condition: { StringEquals: { [name]: value } } };
      const statements = [{ Action: 'kms:ReplicateKey' }, create];
      const identityPolicy = JSON.stringify({
        Version: '2012-10-17',
        Statement: statements.map((rest) => ({ Effect: 'Allow', Resource: '*', ...rest })),
      });
      const alice = us.as(`arn:aws:iam::${accountId}:user/alice`, { identityPolicy });
      return outcomeOf(alice.replicateKey({ KeyId: signing.KeyId, ReplicaRegion: away }));
    };
    expect(await replicating(other)).toMatch(/^AccessDeniedException: .*kms:CreateKey/);
    expect(await replicating(actual)).toBe('ok');
  });

  describe('refuses', () => {
    // The texts are unverified, the classes are those of [BC].
    test('a region that has the key', async () => {
      await replicate();
      for (const ReplicaRegion of [home, away]) {
        expect(await failureText(us.replicateKey({ KeyId, ReplicaRegion }))).toMatch(
          /^AlreadyExistsException: /,
        );
      }
    });

    test('a replica, and a key of one region', async () => {
      await replicate();
      const single = await newKey(us);
      const failures = await Promise.all([
        failureText(eu.replicateKey({ KeyId, ReplicaRegion: far })),
        failureText(us.replicateKey({ KeyId: single.KeyId, ReplicaRegion: away })),
      ]);
      for (const text of failures) expect(text).toMatch(/^UnsupportedOperationException: /);
    });

    // [DG] key-state.md with [FL]'s texts
    test('a key that is not enabled, and one that is not there', async () => {
      await us.disableKey({ KeyId });
      expect(await failureText(replicate())).toBe(`DisabledException: ${arnIn(home)} is disabled.`);
      await us.scheduleKeyDeletion({ KeyId });
      expect(await failureText(replicate())).toBe(
        `KMSInvalidStateException: ${arnIn(home)} is pending deletion.`,
      );
      const absent = us.replicateKey({ KeyId: absentKeyId, ReplicaRegion: away });
      expect(await failureText(absent)).toBe(
        `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
      );
      const external = await newKey(us, { MultiRegion: true, Origin: 'EXTERNAL' });
      const asking = us.replicateKey({ KeyId: external.KeyId, ReplicaRegion: away });
      expect(await failureText(asking)).toBe(
        `KMSInvalidStateException: ${external.Arn} is pending import.`,
      );
    });
  });

  test('succeeds while the primary key changes', async () => {
    const changes = Array.from({ length: 10 }, (_, n) =>
      us.tagResource({ KeyId, Tags: [{ TagKey: `${n}`, TagValue: '' }] }),
    );
    const outcomes = await Promise.all(
      [replicate(away), replicate(far), ...changes].map(outcomeOf),
    );
    expect(new Set(outcomes)).toEqual(new Set(['ok']));
    expect((await metadataIn(eu)).MultiRegionConfiguration?.ReplicaKeys).toHaveLength(2);
  });
});

describe('a multi-Region key', () => {
  beforeEach(async () => {
    await replicate();
  });

  test('opens in each region blobs that it sealed in another', async () => {
    for (const [sealing, opening, region] of [
      [us, eu, away],
      [eu, us, home],
    ] as const) {
      const pair = await sealing.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
      const CiphertextBlob = bytes(pair.PrivateKeyCiphertextBlob);
      for (const named of [{}, { KeyId }]) {
        expect(await opening.decrypt({ CiphertextBlob, ...named })).toEqual({
          KeyId: arnIn(region),
          Plaintext: pair.PrivateKeyPlaintext,
          EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
          KeyMaterialId: pair.KeyMaterialId,
        });
      }
    }
  });

  test('is not found by its ARN in another region', async () => {
    expect(await failureText(eu.describeKey({ KeyId: arnIn(home) }))).toBe(
      `NotFoundException: Invalid arn ${home}`,
    );
  });

  test('that is disabled in one region opens in the other', async () => {
    const CiphertextBlob = await newBlob(us, KeyId);
    await us.disableKey({ KeyId });
    expect(await failureText(us.decrypt({ CiphertextBlob }))).toMatch(/^DisabledException: /);
    expect((await eu.decrypt({ CiphertextBlob })).Plaintext).toHaveLength(14);
  });

  test.each([
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ] as const)('of %s is the same key in each region', async (KeySpec, KeyUsage) => {
    const other = await newKey(us, { MultiRegion: true, KeySpec, KeyUsage });
    await us.replicateKey({ KeyId: other.KeyId, ReplicaRegion: away });
    const request = { KeyId: other.KeyId, Message: Buffer.from('message') };
    if (KeyUsage === 'SIGN_VERIFY') {
      const SigningAlgorithm = 'ECDSA_SHA_256';
      const { Signature } = await us.sign({ ...request, SigningAlgorithm });
      const verified = await eu.verify({
        ...request,
        SigningAlgorithm,
        Signature: bytes(Signature),
      });
      expect(verified.SignatureValid).toBe(true);
      const [here, there] = [us, eu].map((kms) => kms.getPublicKey({ KeyId: other.KeyId }));
      expect((await here)?.PublicKey).toEqual((await there)?.PublicKey);
    } else {
      const MacAlgorithm = 'HMAC_SHA_256';
      const [here, there] = [us, eu].map((kms) => kms.generateMac({ ...request, MacAlgorithm }));
      expect((await here)?.Mac).toEqual((await there)?.Mac);
    }
  });

  describe('is rotated', () => {
    test('on demand in all regions at once', async () => {
      const old = await newBlob(us, KeyId);
      await us.rotateKeyOnDemand({ KeyId });
      const material = await materialIn(us);
      expect(await materialIn(eu)).toBe(material);
      const young = await newBlob(us, KeyId);
      expect((await eu.decrypt({ CiphertextBlob: young })).KeyMaterialId).toBe(material);
      expect((await eu.decrypt({ CiphertextBlob: old })).KeyMaterialId).not.toBe(material);
      const [here, there] = [us, eu].map((kms) => kms.listKeyRotations({ KeyId }));
      const withoutArn = ({ Rotations = [] }: Awaited<ReturnType<typeof us.listKeyRotations>>) =>
        Rotations.map(({ KeyId: _, ...entry }) => entry);
      expect(withoutArn(await (there as NonNullable<typeof there>))).toEqual(
        withoutArn(await (here as NonNullable<typeof here>)),
      );
    });

    test('automatically, whichever region is looked at first', async () => {
      await us.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
      expect(await eu.getKeyRotationStatus({ KeyId })).toEqual({
        KeyId: arnIn(away),
        KeyRotationEnabled: true,
        RotationPeriodInDays: 90,
        NextRotationDate: date(90),
      });
      const first = await materialIn(us);
      daysLater(90);
      const second = await materialIn(eu);
      expect(second).not.toBe(first);
      expect(await materialIn(us)).toBe(second);
      daysLater(180);
      const third = await materialIn(us);
      expect(third).not.toBe(second);
      expect(await materialIn(eu)).toBe(third);
      await us.disableKeyRotation({ KeyId });
      expect((await eu.getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(false);
    });

    test('not while its primary key is disabled, though a replica is used', async () => {
      await us.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
      const first = await materialIn(us);
      await us.disableKey({ KeyId });
      daysLater(100);
      expect(await materialIn(eu)).toBe(first);
      expect((await eu.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(90));
      await us.enableKey({ KeyId });
      const second = await materialIn(eu);
      expect(second).not.toBe(first);
      expect(await materialIn(us)).toBe(second);
    });

    // [BC]: "set the property on the primary key"; the text is unverified
    test.each(['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand'])(
      'by its primary key: a replica refuses %s',
      async (operation) => {
        expect(await failureText(eu.call(operation, { KeyId }))).toMatch(
          /^UnsupportedOperationException: /,
        );
      },
    );
  });
});

describe('UpdatePrimaryRegion', () => {
  const move = (PrimaryRegion: string = away, kms = us) =>
    kms.updatePrimaryRegion({ KeyId, PrimaryRegion });

  beforeEach(async () => {
    await replicate();
  });

  test('makes the replica the primary key, and the primary key a replica', async () => {
    await replicate(far);
    expect(await move()).toEqual({});
    for (const [kms, type] of [
      [us, 'REPLICA'],
      [eu, 'PRIMARY'],
      [ap, 'REPLICA'],
    ] as const) {
      const { MultiRegionConfiguration } = await metadataIn(kms);
      expect(MultiRegionConfiguration).toMatchObject({
        MultiRegionKeyType: type,
        PrimaryKey: keyIn(away),
      });
      expect(new Set(MultiRegionConfiguration?.ReplicaKeys)).toEqual(
        new Set([keyIn(home), keyIn(far)]),
      );
    }
    expect(await outcomeOf(eu.rotateKeyOnDemand({ KeyId }))).toBe('ok');
    expect(await failureText(us.rotateKeyOnDemand({ KeyId }))).toMatch(
      /^UnsupportedOperationException: /,
    );
    expect(await materialIn(us)).toBe(await materialIn(eu));
    await move(home, eu);
    expect((await metadataIn(us)).MultiRegionConfiguration?.MultiRegionKeyType).toBe('PRIMARY');
  });

  test('to its own region changes nothing', async () => {
    const before = await metadataIn(us);
    expect(await move(home)).toEqual({});
    expect(await metadataIn(us)).toEqual(before);
  });

  test('takes the schedule of rotation along', async () => {
    await us.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
    await move();
    daysLater(90);
    await us.disableKey({ KeyId });
    expect(await materialIn(us)).toBe(await materialIn(eu));
    expect((await eu.listKeyRotations({ KeyId })).Rotations).toHaveLength(1);
  });

  test('refuses a region without a replica, a replica, and a key of one region', async () => {
    // [BC] UpdatePrimaryRegion: NotFoundException; the texts of the others are unverified
    expect(await failureText(move(far))).toBe(gone(far));
    expect(await failureText(move(home, eu))).toMatch(/^UnsupportedOperationException: /);
    const { KeyId: single } = await newKey(us);
    const moving = us.updatePrimaryRegion({ KeyId: single, PrimaryRegion: away });
    expect(await failureText(moving)).toMatch(/^UnsupportedOperationException: /);
  });

  // [DG] key-state.md
  test('refuses a primary key that is disabled', async () => {
    await us.disableKey({ KeyId });
    expect(await failureText(move())).toBe(`DisabledException: ${arnIn(home)} is disabled.`);
  });

  test('refuses a replica that is disabled or pending deletion', async () => {
    await eu.disableKey({ KeyId });
    expect(await failureText(move())).toBe(`DisabledException: ${arnIn(away)} is disabled.`);
    await eu.scheduleKeyDeletion({ KeyId });
    expect(await failureText(move())).toBe(
      `KMSInvalidStateException: ${arnIn(away)} is pending deletion.`,
    );
  });

  test('refuses a replica that is pending deletion when the change is made', async () => {
    let goOn = () => {};
    const aboutToCommit = new Promise<void>((arrived) => {
      beforeCommit = async () => {
        beforeCommit = async () => {};
        arrived();
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      };
    });
    const moving = outcomeOf(move());
    await aboutToCommit;
    const scheduled = await eu.scheduleKeyDeletion({ KeyId });
    expect(scheduled.KeyState).toBe('PendingDeletion');
    goOn();
    expect(await moving).toBe(`KMSInvalidStateException: ${arnIn(away)} is pending deletion.`);
  });

  // [BC]: permission on both keys
  test('needs the permission of both keys', async () => {
    const alice = `arn:aws:iam::${accountId}:user/alice`;
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' },
        { Effect: 'Deny', Principal: { AWS: alice }, Action: 'kms:Update*', Resource: '*' },
      ],
    });
    await eu.putKeyPolicy({ KeyId, Policy });
    expect(await failureText(move(away, us.as(alice)))).toMatch(/^AccessDeniedException: /);
    expect(await outcomeOf(move())).toBe('ok');
  });
});

describe('deletion', () => {
  const schedule = (kms: Pairmint, PendingWindowInDays = 7) =>
    kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays });

  beforeEach(async () => {
    await replicate();
  });

  // [DG] and [BC] KeyMetadata: PendingReplicaDeletion and PendingDeletionWindowInDays
  test('of a primary key waits for its replicas', async () => {
    expect(await schedule(us, 10)).toEqual({
      KeyId: arnIn(home),
      KeyState: 'PendingReplicaDeletion',
      PendingWindowInDays: 10,
    });
    const metadata = await metadataIn(us);
    expect(metadata).toMatchObject({
      KeyState: 'PendingReplicaDeletion',
      Enabled: false,
      PendingDeletionWindowInDays: 10,
    });
    expect(metadata).not.toHaveProperty('DeletionDate');
    daysLater(1000);
    expect(await stateIn(us)).toBe('PendingReplicaDeletion');
    expect(await stateIn(eu)).toBe('Enabled');
    // The text without [DG]'s parenthesis, as [FL] has it for keys pending deletion.
    expect(await failureText(newBlob(us, KeyId))).toBe(
      `KMSInvalidStateException: ${arnIn(home)} is pending replica deletion.`,
    );
    expect(await newBlob(eu, KeyId)).toBeDefined();
  });

  test('of a primary key counts its days from when its last replica is destroyed', async () => {
    await replicate(far);
    await schedule(us, 10);
    await schedule(eu, 7);
    await schedule(ap, 20);
    daysLater(7);
    expect(await failureText(eu.describeKey({ KeyId }))).toBe(gone(away));
    daysLater(8);
    await eu.listKeys({});
    expect(await metadataIn(us)).toMatchObject({
      KeyState: 'PendingReplicaDeletion',
      MultiRegionConfiguration: { ReplicaKeys: [keyIn(far)] },
    });
    // Nobody asks for the replica itself.
    daysLater(20);
    expect(await stateIn(us)).toBe('PendingReplicaDeletion');
    daysLater(21);
    const metadata = await metadataIn(us);
    expect(metadata).toMatchObject({
      KeyState: 'PendingDeletion',
      DeletionDate: date(31),
      MultiRegionConfiguration: { ReplicaKeys: [] },
    });
    // [BC]: "present only when the KeyState of the KMS key is PendingReplicaDeletion"
    expect(metadata).not.toHaveProperty('PendingDeletionWindowInDays');
    expect(await storedMaterial()).toHaveLength(1);
    daysLater(31);
    expect(await failureText(us.describeKey({ KeyId }))).toBe(gone(home));
    daysLater(32);
    await us.listKeys({});
    expect(await storedMaterial()).toEqual([]);
  });

  test('of a primary key can be cancelled while it waits, and after', async () => {
    await schedule(us);
    expect(await us.cancelKeyDeletion({ KeyId })).toEqual({ KeyId: arnIn(home) });
    expect(await stateIn(us)).toBe('Disabled');
    await schedule(us);
    await schedule(eu);
    daysLater(7);
    await stateIn(us);
    daysLater(8);
    expect(await stateIn(us)).toBe('PendingDeletion');
    await us.cancelKeyDeletion({ KeyId });
    const metadata = await metadataIn(us);
    expect(metadata).toMatchObject({ KeyState: 'Disabled' });
    expect(metadata).not.toHaveProperty('PendingDeletionWindowInDays');
    expect(metadata).not.toHaveProperty('DeletionDate');
  });

  test('of a replica leaves the shared material to the others', async () => {
    const CiphertextBlob = await newBlob(eu, KeyId);
    await eu.createAlias({ AliasName: 'alias/away', TargetKeyId: KeyId });
    await schedule(eu);
    daysLater(7);
    await outcomeOf(eu.describeKey({ KeyId }));
    daysLater(8);
    expect(await failureText(eu.describeKey({ KeyId: 'alias/away' }))).toMatch(
      /^NotFoundException: /,
    );
    expect(await failureText(eu.describeKey({ KeyId }))).toBe(gone(away));
    expect((await metadataIn(us)).MultiRegionConfiguration?.ReplicaKeys).toEqual([]);
    expect((await us.decrypt({ CiphertextBlob })).Plaintext).toHaveLength(14);
    await us.rotateKeyOnDemand({ KeyId });
  });

  test('of a replica makes room for another from its date on', async () => {
    await eu.tagResource({ KeyId, Tags: [{ TagKey: 'old', TagValue: '' }] });
    await schedule(eu);
    daysLater(6);
    expect(await failureText(replicate())).toMatch(/^AlreadyExistsException: /);
    daysLater(7);
    const CiphertextBlob = await newBlob(us, KeyId);
    await replicate();
    expect(await metadataIn(eu)).toMatchObject({ KeyState: 'Enabled', CreationDate: date(7) });
    expect((await eu.listResourceTags({ KeyId })).Tags).toEqual([]);
    expect((await eu.decrypt({ CiphertextBlob })).Plaintext).toHaveLength(14);
    daysLater(400);
    expect(await stateIn(eu)).toBe('Enabled');
  });

  test('of a former primary key has a date', async () => {
    await us.updatePrimaryRegion({ KeyId, PrimaryRegion: away });
    expect(await schedule(us)).toMatchObject({
      KeyState: 'PendingDeletion',
      DeletionDate: date(7),
    });
    expect(await schedule(eu)).toMatchObject({ KeyState: 'PendingReplicaDeletion' });
  });
});

// [BC] ImportKeyMaterial and DeleteImportedKeyMaterial
describe('imported material', () => {
  const first = crypto.randomBytes(32);
  const second = crypto.randomBytes(32);
  let firstId: string;

  const importInto = async (kms: Pairmint, material: Uint8Array, more = {}) =>
    (await importMaterial(kms, KeyId, material, more)).KeyMaterialId as string;
  const importNew = (kms: Pairmint, material: Uint8Array) =>
    importInto(kms, material, { ImportType: 'NEW_KEY_MATERIAL' });

  /** What a region knows of the key's materials: `state importState`. */
  async function materialsIn(kms: Pairmint): Promise<string[]> {
    const IncludeKeyMaterial = 'ALL_KEY_MATERIAL';
    const { Rotations = [] } = await kms.listKeyRotations({ KeyId, IncludeKeyMaterial });
    return Rotations.map((entry) => `${entry.KeyMaterialState} ${entry.ImportState}`);
  }

  const waiting = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION';

  beforeEach(async () => {
    ({ KeyId } = await newKey(us, { MultiRegion: true, Origin: 'EXTERNAL' }));
    firstId = await importInto(us, first);
    await replicate();
  });

  test('is imported into each region, and is the same key then', async () => {
    expect(await stateIn(eu)).toBe('PendingImport');
    expect(await materialsIn(eu)).toEqual(['CURRENT PENDING_IMPORT']);
    const CiphertextBlob = await newBlob(us, KeyId);
    expect(await failureText(eu.decrypt({ CiphertextBlob }))).toBe(
      `KMSInvalidStateException: ${arnIn(away)} is pending import.`,
    );
    const other = importInto(eu, second);
    expect(await failureText(other)).toMatch(/^IncorrectKeyMaterialException: /);
    expect(await importInto(eu, first)).toBe(firstId);
    expect((await eu.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(firstId);
  });

  test('expires and is deleted in each region by itself', async () => {
    await importInto(eu, first, { ValidTo: date(10), KeyMaterialDescription: 'away' });
    expect(await metadataIn(eu)).toMatchObject({ ValidTo: date(10) });
    expect(await metadataIn(us)).not.toHaveProperty('ValidTo');
    const { Rotations = [] } = await us.listKeyRotations({
      KeyId,
      IncludeKeyMaterial: 'ALL_KEY_MATERIAL',
    });
    expect(Rotations[0]).not.toHaveProperty('KeyMaterialDescription');
    daysLater(10);
    expect([await stateIn(us), await stateIn(eu)]).toEqual(['Enabled', 'PendingImport']);
    daysLater(11);
    await stateIn(eu);
    expect(await storedMaterial()).toEqual([`material/${KeyId}/${firstId}@${home}`]);
    await importInto(eu, first);
    await us.deleteImportedKeyMaterial({ KeyId });
    expect([await stateIn(us), await stateIn(eu)]).toEqual(['PendingImport', 'Enabled']);
  });

  describe('that is new', () => {
    let secondId: string;

    beforeEach(async () => {
      await importInto(eu, first);
      secondId = await importNew(us, second);
    });

    test('comes into the primary key first', async () => {
      await us.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: secondId });
      expect(await failureText(importNew(eu, second))).toMatch(/^UnsupportedOperationException: /);
      expect(await materialsIn(eu)).toEqual(['CURRENT IMPORTED']);
    });

    test('waits until every region has it, then for the rotation', async () => {
      await replicate(far);
      await importInto(ap, first);
      const noMaterial = `KMSInvalidStateException: No available key material pending rotation for the key: ${arnIn(home)}.`;
      expect(await materialsIn(us)).toEqual(['CURRENT IMPORTED', `${waiting} IMPORTED`]);
      for (const kms of [eu, ap]) {
        expect(await materialsIn(kms)).toEqual(['CURRENT IMPORTED', `${waiting} PENDING_IMPORT`]);
        expect(await stateIn(kms)).toBe('Enabled');
        expect(await failureText(us.rotateKeyOnDemand({ KeyId }))).toBe(noMaterial);
        expect(await importInto(kms, second, { ImportType: 'EXISTING_KEY_MATERIAL' })).toBe(
          secondId,
        );
      }
      for (const kms of [us, eu, ap]) {
        expect(await materialsIn(kms)).toEqual(['CURRENT IMPORTED', 'PENDING_ROTATION IMPORTED']);
      }
      await us.rotateKeyOnDemand({ KeyId });
      const CiphertextBlob = await newBlob(us, KeyId);
      for (const kms of [us, eu, ap]) {
        expect(await materialsIn(kms)).toEqual(['NON_CURRENT IMPORTED', 'CURRENT IMPORTED']);
        expect((await kms.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(secondId);
      }
    });

    test('that all replicas import at once is ready', async () => {
      await replicate(far);
      await importInto(ap, first);
      const [there, farther] = [await parametersFor(eu, KeyId), await parametersFor(ap, KeyId)];
      // Each has seen by then that the other has not imported it.
      holdBack(2);
      await Promise.all([
        importWith(eu, KeyId, there, second),
        importWith(ap, KeyId, farther, second),
      ]);
      expect((await materialsIn(us))[1]).toBe('PENDING_ROTATION IMPORTED');
    });

    test('is ready when the replica that lacks it is destroyed', async () => {
      await eu.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
      daysLater(7);
      await outcomeOf(eu.describeKey({ KeyId }));
      expect((await materialsIn(us))[1]).toBe(`${waiting} IMPORTED`);
      daysLater(8);
      await outcomeOf(eu.describeKey({ KeyId }));
      expect((await materialsIn(us))[1]).toBe('PENDING_ROTATION IMPORTED');
      expect(await outcomeOf(us.rotateKeyOnDemand({ KeyId }))).toBe('ok');
    });

    test('waits again for a replica that is made meanwhile', async () => {
      await importInto(eu, second);
      await replicate(far);
      for (const kms of [us, eu]) {
        expect((await materialsIn(kms))[1]).toBe(`${waiting} IMPORTED`);
      }
      expect(await materialsIn(ap)).toEqual([
        'CURRENT PENDING_IMPORT',
        `${waiting} PENDING_IMPORT`,
      ]);
      await importInto(ap, second);
      await us.rotateKeyOnDemand({ KeyId });
      expect([await stateIn(us), await stateIn(eu), await stateIn(ap)]).toEqual([
        'Enabled',
        'Enabled',
        'PendingImport',
      ]);
    });

    // "you'll also be deleting the key materials for the replica Region keys"
    test('is deleted everywhere when it is deleted from the primary key', async () => {
      await importInto(eu, second);
      expect(await storedMaterial()).toHaveLength(4);
      await us.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: secondId });
      for (const kms of [us, eu]) {
        expect(await materialsIn(kms)).toEqual(['CURRENT IMPORTED']);
        expect(await stateIn(kms)).toBe('Enabled');
      }
      expect((await storedMaterial()).filter((path) => path.includes(secondId))).toEqual([]);
    });

    // "the primary Region key and other replica Region keys remain unchanged"
    test('is deleted from a replica alone when it is deleted there', async () => {
      await importInto(eu, second);
      await eu.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: secondId });
      expect(await materialsIn(us)).toEqual(['CURRENT IMPORTED', 'PENDING_ROTATION IMPORTED']);
      expect((await materialsIn(eu))[1]).toMatch(/ PENDING_IMPORT$/);
      expect(await stateIn(eu)).toBe('Enabled');
      await us.rotateKeyOnDemand({ KeyId });
      expect([await stateIn(us), await stateIn(eu)]).toEqual(['Enabled', 'PendingImport']);
      await importInto(eu, second);
      expect(await stateIn(eu)).toBe('Enabled');
    });
  });
});
