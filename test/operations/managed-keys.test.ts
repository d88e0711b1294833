// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { predefinedAliases } from '../../lib/operations/managed-keys.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { temporaryFolder } from '../support/folders.ts';
import { nothingAllowed, somebody } from './every-request.ts';
import { accountId, aliasArn, failureText, newKey, openKms, outcomeOf, region } from './support.ts';

const day = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');

let kms: Pairmint;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  kms = await openKms();
});

afterEach(async () => {
  vi.useRealTimers();
  await kms.close();
});

const describeOf = async (KeyId: string, as = kms) => (await as.describeKey({ KeyId })).KeyMetadata;

// [BC] DescribeKey: "If you call the DescribeKey operation on a predefined AWS alias, that is, an AWS
// alias with no key ID, KMS creates an AWS managed key."
test.each(predefinedAliases)('DescribeKey of %s makes an AWS managed key', async (alias) => {
  const metadata = await describeOf(alias);
  expect(metadata).toMatchObject({
    KeyManager: 'AWS',
    KeySpec: 'SYMMETRIC_DEFAULT',
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeyState: 'Enabled',
    Origin: 'AWS_KMS',
    MultiRegion: false,
    Description: expect.stringMatching(
      /^Default key that protects my .+ when no other key is defined$/,
    ),
  });
  expect(await describeOf(alias)).toEqual(metadata);
  expect(await describeOf(aliasArn(alias))).toEqual(metadata);
  expect(await describeOf(metadata?.KeyId as string)).toEqual(metadata);
});

describe('an AWS managed key', () => {
  const alias = 'alias/aws/ebs';
  let KeyId: string;

  beforeEach(async () => {
    KeyId = (await describeOf(alias))?.KeyId as string;
  });

  test('has the policy that AWS gives it', async () => {
    const { Policy } = await kms.getKeyPolicy({ KeyId });
    // KMS Developer Guide, the policy of aws/ebs.
    expect(JSON.parse(Policy as string)).toMatchObject({
      Statement: [
        {
          Sid: 'Allow access through EBS for all principals in the account that are authorized to use EBS',
          Effect: 'Allow',
          Principal: { AWS: '*' },
          Action: [
            'kms:Encrypt',
            'kms:Decrypt',
            'kms:ReEncrypt*',
            'kms:GenerateDataKey*',
            'kms:CreateGrant',
            'kms:DescribeKey',
          ],
          Condition: {
            StringEquals: {
              'kms:CallerAccount': accountId,
              'kms:ViaService': `ec2.${region}.amazonaws.com`,
            },
          },
        },
        {
          Sid: 'Allow direct access to key metadata to the account',
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${accountId}:root` },
          Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
        },
      ],
    });
  });

  const managing: Readonly<Record<string, () => object>> = {
    CancelKeyDeletion: () => ({ KeyId }),
    CreateAlias: () => ({ AliasName: 'alias/mine', TargetKeyId: KeyId }),
    CreateGrant: () => ({ KeyId, GranteePrincipal: somebody, Operations: ['Decrypt'] }),
    DisableKey: () => ({ KeyId }),
    DisableKeyRotation: () => ({ KeyId }),
    EnableKey: () => ({ KeyId }),
    EnableKeyRotation: () => ({ KeyId }),
    PutKeyPolicy: () => ({ KeyId, Policy: '{}', BypassPolicyLockoutSafetyCheck: true }),
    RotateKeyOnDemand: () => ({ KeyId }),
    ScheduleKeyDeletion: () => ({ KeyId }),
    TagResource: () => ({ KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
    UntagResource: () => ({ KeyId, TagKeys: ['a'] }),
    UpdateKeyDescription: () => ({ KeyId, Description: 'mine' }),
  };

  test.each(Object.keys(managing))('cannot be managed: not even root may %s', async (name) => {
    const before = await describeOf(KeyId);
    expect(await failureText(kms.call(name, (managing[name] as () => object)()))).toMatch(
      new RegExp(
        `^AccessDeniedException: .* because no resource-based policy allows the kms:${name} `,
      ),
    );
    expect(await describeOf(KeyId)).toEqual(before);
  });

  const using: Readonly<Record<string, (named: string) => object>> = {
    Encrypt: (named) => ({ KeyId: named, Plaintext: Buffer.from('x') }),
    GenerateDataKey: (named) => ({ KeyId: named, KeySpec: 'AES_256' }),
    GenerateDataKeyPair: (named) => ({ KeyId: named, KeyPairSpec: 'ECC_NIST_P256' }),
  };

  test.each(Object.keys(using))(
    'is for its service alone: %s by a caller is refused',
    async (name) => {
      for (const named of [KeyId, alias, aliasArn(alias)]) {
        const request = (using[name] as (named: string) => object)(named);
        expect(await failureText(kms.call(name, request))).toMatch(
          /^AccessDeniedException: .* because no resource-based policy allows /,
        );
      }
    },
  );

  test('shows its rotation, its policies and its tags, and is listed with its alias', async () => {
    expect(await kms.getKeyRotationStatus({ KeyId })).toMatchObject({
      KeyRotationEnabled: true,
      RotationPeriodInDays: 365,
      NextRotationDate: new Date(start + 365 * day),
    });
    expect((await kms.listKeyPolicies({ KeyId })).PolicyNames).toEqual(['default']);
    expect((await kms.listResourceTags({ KeyId })).Tags).toEqual([]);
    expect((await kms.listKeys({})).Keys?.map((key) => key.KeyId)).toEqual([KeyId]);
    const { Aliases } = await kms.listAliases({});
    expect(Aliases).toMatchObject([{ AliasName: alias, TargetKeyId: KeyId }]);
  });

  test('keeps its alias', async () => {
    const { KeyId: mine } = await newKey(kms);
    const moving = kms.updateAlias({ AliasName: alias, TargetKeyId: mine });
    expect(await failureText(moving)).toBe('NotAuthorizedException: ');
    expect(await failureText(kms.deleteAlias({ AliasName: alias }))).toBe(
      'NotAuthorizedException: ',
    );
  });

  test('is rotated every year', async () => {
    const before = (await describeOf(KeyId))?.CurrentKeyMaterialId;
    vi.setSystemTime(start + 366 * day);
    expect((await describeOf(KeyId))?.CurrentKeyMaterialId).not.toBe(before);
  });
});

test('the page on parity names the same aliases', () => {
  const page = readFileSync(new URL('../../docs/aws-parity.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('### AWS managed keys');
  const [, list = ''] = /The aliases are those of ([^.]+)\./.exec(section) ?? [];
  const named = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => `alias/aws/${name}`);
  expect(named).toEqual(predefinedAliases);
});

test('the keys of two aliases, two regions and two accounts are different ones', async () => {
  const other = kms.as('arn:aws:iam::111122223333:root');
  const ids = [
    (await describeOf('alias/aws/s3'))?.KeyId,
    (await describeOf('alias/aws/ssm'))?.KeyId,
    (await describeOf('alias/aws/s3', other))?.KeyId,
  ];
  expect(new Set(ids).size).toBe(3);
});

test('nothing but DescribeKey makes one', async () => {
  const text = `NotFoundException: Alias ${aliasArn('alias/aws/s3')} is not found.`;
  const Plaintext = Buffer.from('x');
  expect(await failureText(kms.encrypt({ KeyId: 'alias/aws/s3', Plaintext }))).toBe(text);
  expect(await failureText(kms.getPublicKey({ KeyId: 'alias/aws/s3' }))).toBe(text);
  expect((await kms.listKeys({})).Keys).toEqual([]);
});

test.each(['alias/aws/', 'alias/aws/nope', 'alias/aws/toString', 'alias/aws/s3/x'])(
  '%s is no predefined alias',
  async (alias) => {
    expect(await failureText(kms.describeKey({ KeyId: alias }))).toBe(
      `NotFoundException: Alias ${aliasArn(alias)} is not found.`,
    );
  },
);

test('a caller that may not see one cannot have it made', async () => {
  const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
  expect(await outcomeOf(nobody.describeKey({ KeyId: 'alias/aws/s3' }))).toMatch(
    /^AccessDeniedException: /,
  );
  expect((await kms.listKeys({})).Keys).toEqual([]);
  expect(await outcomeOf(kms.as(somebody).describeKey({ KeyId: 'alias/aws/s3' }))).toBe('ok');
});

test('it is still AWS’s when the store is opened again', async () => {
  const options = { store: `sqlite:${temporaryFolder()}/store.db` };
  const rootKey = { bytes: crypto.randomBytes(32) };
  const first = await openKms({ ...options, rootKey } as never);
  const metadata = await describeOf('alias/aws/s3', first);
  await first.close();
  const second = await openKms({ ...options, rootKey } as never);
  expect(await describeOf('alias/aws/s3', second)).toEqual(metadata);
  await second.close();
});
