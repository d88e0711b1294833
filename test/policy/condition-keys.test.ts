// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { conditionsOf, whyUnknown } from '../../lib/policy/condition-keys.ts';
import { decide } from '../../lib/policy/evaluate.ts';
import { globalKeys } from '../../lib/policy/global-keys.ts';
import type { RequestFacts } from '../../lib/policy/request-facts.ts';
import { policy, principal, request, rootName, statement, userName } from './documents.ts';

const key = {
  accountId: '444455556666',
  spec: 'SYMMETRIC_DEFAULT',
  usage: 'ENCRYPT_DECRYPT',
  origin: 'AWS_KMS',
  multiRegion: true,
  multiRegionKeyType: 'REPLICA',
  aliases: ['alias/a', 'alias/b'],
  tags: [
    { TagKey: 'Team', TagValue: 'x' },
    { TagKey: '__proto__', TagValue: 'y' },
  ],
};

function values(
  name: string,
  operation: string,
  members: Record<string, unknown> = {},
  facts: Partial<RequestFacts> = {},
) {
  const caller = principal(userName);
  const now = Date.UTC(2026, 10, 22, 3, 4, 5, 678);
  const served = { operation, request: members, key, caller, region: 'us-east-1', now };
  return conditionsOf({ ...served, ...facts })(name.toLowerCase());
}

const pairs = { EncryptionContext: { AppName: 'x', Dept: 'y' } };
const grant = {
  GranteePrincipal: rootName,
  RetiringPrincipal: userName,
  Operations: ['Decrypt', 'Encrypt'],
  Constraints: { EncryptionContextSubset: { AppName: 'x' } },
};

/** Key, an operation it applies to, the request, its values, an operation it does not apply to. */
test.each<[string, string, Record<string, unknown>, string[] | undefined, string]>([
  [
    'kms:BypassPolicyLockoutSafetyCheck',
    'PutKeyPolicy',
    { BypassPolicyLockoutSafetyCheck: true },
    ['true'],
    'Decrypt',
  ],
  ['kms:BypassPolicyLockoutSafetyCheck', 'CreateKey', {}, undefined, 'Decrypt'],
  [
    'kms:DataKeyPairSpec',
    'GenerateDataKeyPairWithoutPlaintext',
    { KeyPairSpec: 'SM2' },
    ['SM2'],
    'GenerateDataKey',
  ],
  ['kms:EncryptionAlgorithm', 'GenerateDataKeyPair', {}, ['SYMMETRIC_DEFAULT'], 'Sign'],
  ['kms:EncryptionAlgorithm', 'Encrypt', { EncryptionAlgorithm: 'SM2PKE' }, ['SM2PKE'], 'Sign'],
  [
    'kms:EncryptionAlgorithm',
    'ReEncryptFrom',
    { SourceEncryptionAlgorithm: 'SM2PKE' },
    ['SM2PKE'],
    'Sign',
  ],
  [
    'kms:EncryptionAlgorithm',
    'ReEncryptTo',
    { SourceEncryptionAlgorithm: 'SM2PKE' },
    ['SYMMETRIC_DEFAULT'],
    'Sign',
  ],
  ['kms:EncryptionContext:appname', 'Decrypt', pairs, ['x'], 'DescribeKey'],
  ['kms:EncryptionContext:APPNAME', 'GenerateDataKeyPair', pairs, ['x'], 'Sign'],
  ['kms:EncryptionContext:other', 'Decrypt', pairs, undefined, 'Sign'],
  [
    'kms:EncryptionContext:a',
    'ReEncryptFrom',
    { SourceEncryptionContext: { a: '1' } },
    ['1'],
    'Encrypt',
  ],
  [
    'kms:EncryptionContext:a',
    'ReEncryptTo',
    { DestinationEncryptionContext: { a: '2' } },
    ['2'],
    'Encrypt',
  ],
  ['kms:EncryptionContext:AppName', 'CreateGrant', grant, ['x'], 'RevokeGrant'],
  ['kms:EncryptionContextKeys', 'Encrypt', pairs, ['AppName', 'Dept'], 'Sign'],
  ['kms:EncryptionContextKeys', 'Encrypt', { EncryptionContext: {} }, undefined, 'Sign'],
  ['kms:EncryptionContextKeys', 'CreateGrant', grant, ['AppName'], 'ListGrants'],
  ['kms:ExpirationModel', 'ImportKeyMaterial', { ExpirationModel: 'X' }, ['X'], 'CreateKey'],
  ['kms:GrantConstraintType', 'CreateGrant', grant, ['EncryptionContextSubset'], 'ListGrants'],
  [
    'kms:GrantConstraintType',
    'CreateGrant',
    { Constraints: { EncryptionContextEquals: {}, SourceArn: 'arn' } },
    ['SourceArn'],
    'ListGrants',
  ],
  [
    'kms:GrantConstraintSourceArn',
    'CreateGrant',
    { Constraints: { SourceArn: 'arn' } },
    ['arn'],
    'ListGrants',
  ],
  ['kms:GranteeServicePrincipal', 'CreateGrant', { GranteeServicePrincipal: 'a' }, ['a'], 'Sign'],
  ['kms:RetiringServicePrincipal', 'CreateGrant', { RetiringServicePrincipal: 'a' }, ['a'], 'Sign'],
  ['kms:GrantIsForAWSResource', 'RevokeGrant', {}, ['false'], 'RetireGrant'],
  ['kms:GrantOperations', 'CreateGrant', grant, ['Decrypt', 'Encrypt'], 'ListGrants'],
  ['kms:GranteePrincipal', 'CreateGrant', grant, [rootName], 'ListGrants'],
  ['kms:RetiringPrincipal', 'CreateGrant', grant, [userName], 'ListRetirableGrants'],
  [
    'kms:KeyAgreementAlgorithm',
    'DeriveSharedSecret',
    { KeyAgreementAlgorithm: 'ECDH' },
    ['ECDH'],
    'Sign',
  ],
  ['kms:MacAlgorithm', 'VerifyMac', { MacAlgorithm: 'HMAC_SHA_256' }, ['HMAC_SHA_256'], 'Verify'],
  ['kms:MessageType', 'Sign', {}, ['RAW'], 'GenerateMac'],
  [
    'kms:PrimaryRegion',
    'UpdatePrimaryRegion',
    { PrimaryRegion: 'eu-west-1' },
    ['eu-west-1'],
    'DescribeKey',
  ],
  [
    'kms:ReplicaRegion',
    'ReplicateKey',
    { ReplicaRegion: 'eu-west-1' },
    ['eu-west-1'],
    'DescribeKey',
  ],
  [
    'kms:RotationPeriodInDays',
    'EnableKeyRotation',
    { RotationPeriodInDays: 90 },
    ['90'],
    'RotateKeyOnDemand',
  ],
  [
    'kms:ScheduleKeyDeletionPendingWindowInDays',
    'ScheduleKeyDeletion',
    {},
    ['30'],
    'CancelKeyDeletion',
  ],
  ['kms:SigningAlgorithm', 'Verify', { SigningAlgorithm: 'SM2DSA' }, ['SM2DSA'], 'GenerateMac'],
  [
    'kms:ValidTo',
    'ImportKeyMaterial',
    { ValidTo: new Date(0) },
    ['1970-01-01T00:00:00Z'],
    'CreateKey',
  ],
  [
    'kms:WrappingAlgorithm',
    'GetParametersForImport',
    { WrappingAlgorithm: 'X' },
    ['X'],
    'ImportKeyMaterial',
  ],
  [
    'kms:WrappingKeySpec',
    'GetParametersForImport',
    { WrappingKeySpec: 'X' },
    ['X'],
    'ImportKeyMaterial',
  ],
])('%s of %s with %j is %j, and absent from %s', (name, operation, members, expected, other) => {
  expect(values(name, operation, members)).toEqual(expected);
  expect(values(name, other, members, { key: undefined })).toBeUndefined();
});

describe('properties of keys', () => {
  test.each([
    ['kms:CallerAccount', ['111122223333']],
    ['kms:KeySpec', ['SYMMETRIC_DEFAULT']],
    ['kms:CustomerMasterKeySpec', ['SYMMETRIC_DEFAULT']],
    ['kms:KeyUsage', ['ENCRYPT_DECRYPT']],
    ['kms:CustomerMasterKeyUsage', ['ENCRYPT_DECRYPT']],
    ['kms:KeyOrigin', ['AWS_KMS']],
    ['kms:MultiRegion', ['true']],
    ['kms:MultiRegionKeyType', ['REPLICA']],
    ['kms:ResourceAliases', ['alias/a', 'alias/b']],
    ['aws:ResourceTag/team', ['x']],
    ['aws:ResourceTag/__proto__', ['y']],
    ['aws:ResourceTag/other', undefined],
  ])('%s is there for operations on a key only', (name, expected) => {
    expect(values(name, 'DescribeKey')).toEqual(expected);
    expect(values(name, 'ListKeys', {}, { key: undefined })).toBeUndefined();
  });

  test('CreateKey has those of the key it is to make, defaults too [DG conditions-kms]', () => {
    const valuesOfCreateKey = (name: string, members = {}) =>
      values(name, 'CreateKey', members, { key: undefined });
    expect(valuesOfCreateKey('kms:KeySpec')).toEqual(['SYMMETRIC_DEFAULT']);
    expect(valuesOfCreateKey('kms:KeySpec', { CustomerMasterKeySpec: 'RSA_2048' })).toEqual([
      'RSA_2048',
    ]);
    expect(valuesOfCreateKey('kms:KeyUsage', { KeyUsage: 'SIGN_VERIFY' })).toEqual(['SIGN_VERIFY']);
    expect(valuesOfCreateKey('kms:KeyOrigin')).toEqual(['AWS_KMS']);
    expect(valuesOfCreateKey('kms:MultiRegion')).toEqual(['false']);
    expect(valuesOfCreateKey('kms:MultiRegionKeyType')).toBeUndefined();
    expect(valuesOfCreateKey('kms:MultiRegionKeyType', { MultiRegion: true })).toEqual(['PRIMARY']);
  });

  test('CreateKey has those of the replica that it makes for ReplicateKey', () => {
    const replica = { ...key, spec: 'RSA_2048' };
    expect(values('kms:KeySpec', 'CreateKey', {}, { key: replica })).toEqual(['RSA_2048']);
    expect(values('kms:MultiRegion', 'CreateKey')).toEqual(['true']);
    expect(values('kms:MultiRegionKeyType', 'CreateKey')).toEqual(['REPLICA']);
  });

  test('the alias of the request is there for uses of the key that named it', () => {
    const requestAlias = 'alias/a';
    expect(values('kms:RequestAlias', 'GetPublicKey', {}, { requestAlias })).toEqual(['alias/a']);
    expect(values('kms:RequestAlias', 'ReEncryptTo')).toBeUndefined();
    expect(values('kms:RequestAlias', 'DisableKey', {}, { requestAlias })).toBeUndefined();
  });

  test('conditions can test whether re-encryption stays with its key', () => {
    const facts = { reEncryptOnSameKey: true };
    expect(values('kms:ReEncryptOnSameKey', 'ReEncryptFrom', {}, facts)).toEqual(['true']);
    expect(values('kms:ReEncryptOnSameKey', 'Decrypt', {}, facts)).toBeUndefined();
  });
});

describe('global keys', () => {
  const session = principal('arn:aws:sts::111122223333:assumed-role/R/S');
  const role = principal('arn:aws:iam::111122223333:role/p/R');
  const federated = principal('arn:aws:sts::111122223333:federated-user/f');

  test.each([
    ['aws:CurrentTime', {}, ['2026-11-22T03:04:05Z']],
    ['aws:EpochTime', {}, ['1795316645']],
    ['aws:PrincipalArn', {}, [userName]],
    ['aws:PrincipalArn', { caller: session }, ['arn:aws:iam::111122223333:role/R']],
    ['aws:PrincipalArn', { caller: role }, ['arn:aws:iam::111122223333:role/R']],
    ['aws:PrincipalAccount', {}, ['111122223333']],
    ['aws:PrincipalAccount', { caller: principal('ec2.amazonaws.com') }, undefined],
    ['aws:PrincipalType', {}, ['User']],
    ['aws:PrincipalType', { caller: principal(rootName) }, ['Account']],
    ['aws:PrincipalType', { caller: session }, ['AssumedRole']],
    ['aws:PrincipalType', { caller: federated }, ['FederatedUser']],
    ['aws:username', {}, ['bob']],
    ['aws:username', { caller: session }, undefined],
    ['aws:userid', { caller: principal(rootName) }, ['111122223333']],
    ['aws:userid', { caller: federated }, ['111122223333:f']],
    ['aws:userid', {}, [expect.stringMatching(/^AIDA[A-Z2-7]{17}$/)]],
    ['aws:userid', { caller: session }, [expect.stringMatching(/^AROA[A-Z2-7]{17}:S$/)]],
    ['aws:userid', { caller: role }, [expect.stringMatching(/^AROA[A-Z2-7]{17}$/)]],
    ['aws:PrincipalIsAWSService', {}, ['false']],
    ['aws:PrincipalIsAWSService', { caller: principal('ec2.amazonaws.com') }, ['true']],
    ['aws:ResourceAccount', {}, ['444455556666']],
    ['aws:ResourceAccount', { key: undefined }, ['111122223333']],
    ['aws:ViaAWSMCPService', {}, ['false']],
    ['aws:TokenIssueTime', {}, undefined],
    ['aws:TokenIssueTime', { tokenIssueTime: 1000 }, ['1970-01-01T00:00:01Z']],
    ['aws:MultiFactorAuthPresent', {}, undefined],
    ['aws:MultiFactorAuthPresent', { tokenIssueTime: 1000 }, ['false']],
    ['aws:SourceIp', { origin: { sourceIp: '::ffff:10.0.0.1' } }, ['10.0.0.1']],
    ['aws:SourceIp', { origin: { sourceIp: 'fe80::1%eth0' } }, ['fe80::1']],
    ['aws:UserAgent', {}, undefined],
    ['aws:UserAgent', { origin: {} }, ['']],
    ['aws:UserAgent', { origin: { userAgent: 'x/1' } }, ['x/1']],
    ['aws:referer', { origin: { referer: 'r' } }, ['r']],
    ['aws:RequestedRegion', {}, ['us-east-1']],
    ['aws:RequestedRegion', { key: undefined, region: 'eu-west-1' }, ['eu-west-1']],
    ['aws:SecureTransport', {}, undefined],
    ['aws:SecureTransport', { origin: { secureTransport: false } }, ['false']],
    ['aws:ViaAWSService', {}, ['false']],
    ['kms:ViaService', {}, undefined],
    ['aws:SourceIp', {}, undefined],
  ])('%s of %j is %j', (name, facts, expected) => {
    expect(values(name, 'Decrypt', {}, facts)).toEqual(expected);
  });

  test('tags of the request', () => {
    const Tags = [{ TagKey: 'Team', TagValue: 'x' }];
    expect(values('aws:RequestTag/team', 'TagResource', { Tags })).toEqual(['x']);
    expect(values('aws:TagKeys', 'CreateKey', { Tags })).toEqual(['Team']);
    expect(values('aws:TagKeys', 'UntagResource', { TagKeys: ['a', 'b'] })).toEqual(['a', 'b']);
    expect(values('aws:TagKeys', 'CreateKey')).toBeUndefined();
  });
});

test('a second spelling of a context key opens nothing and closes nothing', () => {
  const condition = conditionsOf({
    operation: 'Encrypt',
    request: { EncryptionContext: { Stage: 'Restricted', stage: 'Test' } },
    caller: principal(userName),
    region: 'us-east-1',
    now: 0,
  });
  const decisionWith = (changes: object) =>
    decide(request({ condition }), {
      key: { policy: policy([statement(), statement({ ...changes })]), accountId: '111122223333' },
      identity: undefined,
      grantAllows: () => false,
    });
  const restricted = { 'kms:EncryptionContext:Stage': 'Restricted' };
  const denied = { Effect: 'Deny', Condition: { StringEquals: restricted } };
  expect(decisionWith(denied)).toBe('explicit-deny-in-key-policy');
  const unless = { Effect: 'Deny', Condition: { StringNotEquals: restricted } };
  expect(decisionWith(unless)).toBe('explicit-deny-in-key-policy');
});

describe('every global key of the IAM User Guide', () => {
  const origin = { sourceIp: '192.0.2.1', secureTransport: true, userAgent: 'x', referer: 'y' };
  const callers = [
    rootName,
    userName,
    'arn:aws:iam::111122223333:role/R',
    'arn:aws:sts::111122223333:assumed-role/R/S',
    'arn:aws:sts::111122223333:federated-user/f',
  ];
  const Tags = [{ TagKey: 'Team', TagValue: 'x' }];
  const read = (name: string, facts: Partial<RequestFacts>) =>
    values(name.endsWith('/') ? `${name}Team` : name, 'TagResource', { Tags }, facts);

  test.each(Object.entries(globalKeys))('%s is what the table says', (name, standing) => {
    const used = name.endsWith('/') ? `${name}Team` : name;
    const facts = callers.map((arn) => ({
      caller: principal(arn),
      origin,
      tokenIssueTime: 1,
    }));
    const found = facts.map((one) => read(name, one) !== undefined);
    expect(whyUnknown(used)).toBe('unknown' in standing ? standing.unknown : undefined);
    expect(found.includes(true)).toBe('given' in standing);
    if (!('given' in standing)) return;
    const without = facts.map(({ caller }) => ({ caller, key: undefined }));
    if (standing.given === 'every request') {
      expect(without.every((one) => read(name, one) !== undefined)).toBe(true);
    }
    if (/HTTP|credentials/.test(standing.given)) {
      expect(found.every(Boolean)).toBe(true);
      expect(without.some((one) => read(name, one) !== undefined)).toBe(false);
    }
  });

  test('is in the table of the page, as given, absent or refused', () => {
    const page = readFileSync(new URL('../../docs/policies.md', import.meta.url), 'utf8');
    const [, table = ''] = page.split('### Global condition keys');
    const rows = [...table.matchAll(/^\| `([\w:/]+)…?` \| (.+) \|$/gm)].map(([, name, text]) => [
      name,
      text,
    ]);
    const expected = Object.entries(globalKeys).map(([name, standing]) => {
      if ('given' in standing) return [name, standing.given];
      if ('absent' in standing) return [name, `absent: ${standing.absent}`];
      return [name, `refused: ${standing.unknown}`];
    });
    expect(rows).toEqual(expected);
  });
});
