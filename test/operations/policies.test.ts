// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Requests } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { allAllowed, nothingAllowed, policyText, somebody } from './every-request.ts';
import {
  accountId,
  aliasArn,
  failureOf,
  failureText,
  keyArn,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
  caller as root,
} from './support.ts';

let kms: Pairmint;
beforeAll(async () => {
  kms = await openKms();
});

type Json = Readonly<Record<string, unknown>>;

const rootsAll = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
const rootsPut = { ...rootsAll, Action: ['kms:PutKeyPolicy', 'kms:GetKeyPolicy'] };

/** A statement of a key policy that allows somebody everything, with changes. */
function his(changes: Json = {}): Json {
  return { ...rootsAll, Principal: { AWS: somebody }, ...changes };
}

async function keyWith(...statements: Json[]) {
  return newKey(kms, { Policy: policyText(...statements) });
}

function deniedTo(arn: string, action: string, rest: string): string {
  return `AccessDeniedException: User: ${arn} is not authorized to perform: kms:${action} on ${rest}`;
}

const lockedOut =
  'MalformedPolicyDocumentException: ' +
  'The new key policy will not allow you to update the key policy in the future.';

describe('GetKeyPolicy', () => {
  test('shows the default policy, in lines [LS test_replicate_key, LS-v]', async () => {
    const { KeyId } = await newKey(kms);
    const { Policy = '', PolicyName } = await kms.getKeyPolicy({ KeyId, PolicyName: 'default' });
    expect(PolicyName).toBe('default');
    expect(Policy.split('\n').length).toBeGreaterThan(5);
    expect(Policy).toContain('"Version" : "2012-10-17"');
    expect(JSON.parse(Policy)).toEqual({
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
  });

  test('shows to the byte what was put, and needs no name (CLI 2.15.31)', async () => {
    const { KeyId } = await newKey(kms);
    const Policy = `\n  ${policyText(rootsAll, his({ Sid: 'ümläute' }))} \t\n`;
    await kms.putKeyPolicy({ KeyId, Policy });
    expect(await kms.getKeyPolicy({ KeyId })).toEqual({ Policy, PolicyName: 'default' });
    expect(await kms.listKeyPolicies({ KeyId })).toEqual({
      PolicyNames: ['default'],
      Truncated: false,
    });
  });

  test('knows one name only, and no alias', async () => {
    const { KeyId } = await newKey(kms);
    const Policy = policyText(rootsAll);
    const absent = 'NotFoundException: No such policy exists';
    expect(await failureText(kms.getKeyPolicy({ KeyId, PolicyName: 'other' }))).toBe(absent);
    expect(await failureText(kms.putKeyPolicy({ KeyId, PolicyName: 'other', Policy }))).toBe(
      absent,
    );
    const alias = { KeyId: 'alias/any' };
    const asked = [kms.getKeyPolicy(alias), kms.putKeyPolicy({ ...alias, Policy })];
    for (const text of await Promise.all(asked.map(failureText))) {
      expect(text).toMatch(/^InvalidArnException: /);
    }
  });
});

describe('PutKeyPolicy', () => {
  test('replaces the whole policy, and others see it at once', async () => {
    const { KeyId } = await keyWith(rootsAll, his());
    const user = kms.as(somebody, { identityPolicy: nothingAllowed });
    await user.describeKey({ KeyId });
    await user.putKeyPolicy({ KeyId, Policy: policyText(his({ Action: 'kms:PutKeyPolicy' })) });
    expect(await failureText(user.describeKey({ KeyId }))).toMatch(/^AccessDeniedException: /);
    expect(await failureText(kms.describeKey({ KeyId }))).toMatch(/^AccessDeniedException: /);
    await user.putKeyPolicy({ KeyId, Policy: policyText(his()) });
    await user.describeKey({ KeyId });
  });

  test.each(['disabled', 'pending deletion'])('works on a key that is %s', async (state) => {
    const { KeyId } = await newKey(kms);
    await (state === 'disabled' ? kms.disableKey({ KeyId }) : kms.scheduleKeyDeletion({ KeyId }));
    await kms.putKeyPolicy({ KeyId, Policy: policyText(rootsAll, his()) });
  });

  test.each([
    ['', /^ValidationException: /],
    ['x', /^MalformedPolicyDocumentException: /],
    ['[]', /^MalformedPolicyDocumentException: /],
    [policyText({ ...rootsAll, Effect: 'Maybe' }), /^MalformedPolicyDocumentException: /],
    [policyText({ ...rootsAll, Principal: undefined }), /^MalformedPolicyDocumentException: /],
    [
      policyText({ ...rootsAll, Principal: { AWS: 'somebody' } }),
      // [ISS]
      /^MalformedPolicyDocumentException: Policy contains a statement with one or more invalid principals\.$/,
    ],
    [policyText(...Array.from({ length: 400 }, () => rootsAll)), /Exception: /],
  ])('refuses %.60j and keeps the old one', async (Policy, expected) => {
    const { KeyId } = await newKey(kms);
    const before = await kms.getKeyPolicy({ KeyId });
    expect(await failureText(kms.putKeyPolicy({ KeyId, Policy }))).toMatch(expected);
    expect(await failureText(kms.createKey({ Policy }))).toMatch(expected);
    const bypass = { KeyId, Policy, BypassPolicyLockoutSafetyCheck: true };
    expect(await failureText(kms.putKeyPolicy(bypass))).toMatch(expected);
    expect(await kms.getKeyPolicy({ KeyId })).toEqual(before);
  });
});

describe('the lock-out check [ISS]', () => {
  const locking: readonly (readonly [string, Json[]])[] = [
    ['that names somebody else', [his()]],
    ['that gives the caller all but PutKeyPolicy', [{ ...rootsAll, Action: 'kms:Describe*' }]],
    ['that denies it', [rootsAll, { ...rootsAll, Effect: 'Deny', Action: 'kms:Put*' }]],
    [
      'that allows it under a condition the caller does not meet',
      [{ ...rootsAll, Condition: { StringEquals: { 'aws:username': 'alice' } } }],
    ],
    [
      'that allows it through a service',
      [{ ...rootsAll, Condition: { StringEquals: { 'kms:ViaService': 'ec2.amazonaws.com' } } }],
    ],
    [
      'for another key',
      [{ ...rootsAll, Resource: keyArn('00000000-0000-0000-0000-000000000000') }],
    ],
  ];

  test.each(locking)('refuses a policy %s, unless it is bypassed', async (_what, statements) => {
    const Policy = policyText(...statements);
    const { KeyId } = await newKey(kms);
    expect(await failureText(kms.putKeyPolicy({ KeyId, Policy }))).toBe(lockedOut);
    expect(await failureText(kms.createKey({ Policy }))).toBe(lockedOut);
    const BypassPolicyLockoutSafetyCheck = true;
    await kms.putKeyPolicy({ KeyId, Policy, BypassPolicyLockoutSafetyCheck });
    const { KeyMetadata } = await kms.createKey({ Policy, BypassPolicyLockoutSafetyCheck });
    for (const locked of [KeyId, KeyMetadata?.KeyId as string]) {
      const another = kms.putKeyPolicy({ KeyId: locked, Policy: policyText(rootsAll) });
      expect(await failureText(another)).toMatch(/^AccessDeniedException: /);
    }
  });

  test('asks for the caller, not for anybody', async () => {
    const user = kms.as(somebody);
    expect(await outcomeOf(user.createKey({ Policy: policyText(his()) }))).toBe('ok');
    expect(await outcomeOf(user.createKey({ Policy: policyText(rootsAll) }))).toBe('ok');
    const mayCreate = policyText({ Effect: 'Allow', Action: 'kms:CreateKey', Resource: '*' });
    const creator = kms.as(somebody, { identityPolicy: mayCreate });
    expect(await failureText(creator.createKey({ Policy: policyText(rootsAll) }))).toBe(lockedOut);
    expect(await outcomeOf(creator.createKey({ Policy: policyText(his()) }))).toBe('ok');
  });

  test('can be taken from callers by a policy, with kms:BypassPolicyLockoutSafetyCheck', async () => {
    const Condition = { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': 'true' } };
    const user = kms.as(somebody, {
      identityPolicy: policyText(
        { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
        { Effect: 'Deny', Action: 'kms:*', Resource: '*', Condition },
      ),
    });
    const request = { Policy: policyText(his()), BypassPolicyLockoutSafetyCheck: true };
    expect(await failureText(user.createKey(request))).toMatch(/^AccessDeniedException: .* deny/);
    const { KeyId } = await newKey(kms);
    expect(await failureText(user.putKeyPolicy({ KeyId, ...request }))).toMatch(
      /^AccessDeniedException: .* deny/,
    );
    expect(await outcomeOf(user.createKey({ Policy: request.Policy }))).toBe('ok');
  });
});

describe('CreateKey', () => {
  test('with a policy makes a key under it', async () => {
    const Policy = policyText(rootsPut, his());
    const { KeyId } = await newKey(kms, { Policy });
    expect((await kms.getKeyPolicy({ KeyId })).Policy).toBe(Policy);
    expect(await failureText(kms.describeKey({ KeyId }))).toMatch(/^AccessDeniedException: /);
    await kms.as(somebody).describeKey({ KeyId });
  });

  test('with tags needs kms:TagResource too [DG26]', async () => {
    const identityPolicy = policyText({ Effect: 'Allow', Action: 'kms:CreateKey', Resource: '*' });
    const creator = kms.as(somebody, { identityPolicy });
    const Tags = [{ TagKey: 'a', TagValue: 'b' }];
    const { KeyId } = await newKey(kms, { MultiRegion: true, Policy: policyText(rootsAll, his()) });
    for (const asked of [
      creator.createKey({ Tags }),
      creator.replicateKey({ KeyId, ReplicaRegion: 'eu-west-1', Tags }),
    ]) {
      // [ISS] DataBiosphere/azul #5628, 2023: without a resource.
      expect(await failureText(asked)).toBe(
        `AccessDeniedException: User: ${somebody} is not authorized to perform: kms:TagResource ` +
          'because no identity-based policy allows the kms:TagResource action',
      );
    }
    expect(await outcomeOf(creator.createKey({}))).toBe('ok');
  });

  test('can be allowed for some specs, tags and origins only', async () => {
    const Condition = {
      StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT', 'aws:RequestTag/team': 'blue' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] },
      Bool: { 'kms:MultiRegion': 'false' },
    };
    const identityPolicy = policyText(
      { Effect: 'Allow', Action: 'kms:CreateKey', Resource: '*', Condition },
      { Effect: 'Allow', Action: 'kms:TagResource', Resource: `arn:aws:kms:*:${accountId}:key/*` },
    );
    const creator = kms.as(somebody, { identityPolicy });
    const blue = { TagKey: 'team', TagValue: 'blue' };
    const refused: Requests['CreateKey'][] = [
      {},
      { Tags: [{ ...blue, TagValue: 'red' }] },
      { Tags: [blue, { TagKey: 'more', TagValue: '' }] },
      { Tags: [blue], MultiRegion: true },
      { Tags: [blue], KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
    ];
    for (const request of refused) {
      expect(await failureText(creator.createKey(request)), JSON.stringify(request)).toMatch(
        /^AccessDeniedException: /,
      );
    }
    expect(await outcomeOf(creator.createKey({ Tags: [blue] }))).toBe('ok');
  });
});

// [ISS] with the year in which AWS gave the answer.
describe('AWS says why it refuses', () => {
  const noKeyPolicy = 'because no resource-based policy allows the kms:Encrypt action';
  const noIdentityPolicy = 'because no identity-based policy allows the kms:Encrypt action';
  const deny = (action: string) => ({ Effect: 'Deny', Action: action, Resource: '*' });

  test.each([
    ['no key policy allows it [ISS 2021]', [rootsPut], allAllowed, noKeyPolicy],
    [
      'the key policy allows it to somebody else',
      [rootsPut, his({ Principal: { AWS: `${somebody}s` } })],
      allAllowed,
      noKeyPolicy,
    ],
    ['the identity policy is missing [ISS 2023]', [rootsAll], nothingAllowed, noIdentityPolicy],
    [
      'the key policy denies it (unverified)',
      [rootsAll, his(), his({ Effect: 'Deny', Action: 'kms:Encrypt' })],
      allAllowed,
      'with an explicit deny in a resource-based policy',
    ],
    [
      'the identity policy denies it (unverified)',
      [rootsAll, his()],
      policyText({ Effect: 'Allow', Action: 'kms:*', Resource: '*' }, deny('kms:Enc*')),
      'with an explicit deny in an identity-based policy',
    ],
    [
      'both deny it: the key policy is read first',
      [rootsAll, his({ Effect: 'Deny', Action: 'kms:Encrypt' })],
      policyText(deny('kms:Encrypt')),
      'with an explicit deny in a resource-based policy',
    ],
  ])('%s', async (_why, statements, identityPolicy, expected) => {
    const { KeyId, Arn } = await keyWith(...statements);
    const request = { KeyId, Plaintext: Buffer.from('x') };
    const failure = await failureOf(kms.as(somebody, { identityPolicy }).encrypt(request));
    expect(`${failure.name}: ${failure.message}`).toBe(
      deniedTo(somebody, 'Encrypt', `resource: ${Arn} ${expected}`),
    );
    expect(failure).toMatchObject({ $fault: 'client', httpStatusCode: 400 });
  });

  test('in the words of the session that asked, and of its operation', async () => {
    const { KeyId, Arn } = await newKey(kms);
    const session = `arn:aws:sts::${accountId}:assumed-role/Role/i-0448`;
    const asked = kms
      .as(session, { identityPolicy: nothingAllowed })
      .createGrant({ KeyId, GranteePrincipal: session, Operations: ['Decrypt'], DryRun: true });
    // dev.classmethod 2024-08, a dry run.
    expect(await failureText(asked)).toBe(
      deniedTo(
        session,
        'CreateGrant',
        `resource: ${Arn} because no identity-based policy allows the kms:CreateGrant action`,
      ),
    );
  });

  test('of an alias, which has no policy but the identity one', async () => {
    const { KeyId, Arn } = await newKey(kms);
    const AliasName = `alias/${KeyId}`;
    const on = (Resource: string) => ({ Effect: 'Allow', Action: 'kms:*Alias', Resource });
    const asWith = (...statements: Json[]) =>
      kms.as(somebody, { identityPolicy: policyText(...statements) });
    const request = { AliasName, TargetKeyId: KeyId };
    expect(await failureText(asWith(on(Arn)).createAlias(request))).toBe(
      deniedTo(
        somebody,
        'CreateAlias',
        `resource: ${aliasArn(AliasName)} because no identity-based policy allows the kms:CreateAlias action`,
      ),
    );
    expect(await failureText(asWith(on(aliasArn(AliasName))).createAlias(request))).toBe(
      deniedTo(
        somebody,
        'CreateAlias',
        `resource: ${Arn} because no identity-based policy allows the kms:CreateAlias action`,
      ),
    );
    const both = asWith(on(Arn), on(aliasArn('alias/*')));
    await both.createAlias(request);
    const another = await newKey(kms);
    expect(await failureText(both.updateAlias({ AliasName, TargetKeyId: another.KeyId }))).toBe(
      deniedTo(
        somebody,
        'UpdateAlias',
        `resource: ${another.Arn} because no identity-based policy allows the kms:UpdateAlias action`,
      ),
    );
    await both.deleteAlias({ AliasName });
  });

  test('before anything else is told: state, usage, ciphertext', async () => {
    const { KeyId } = await keyWith(rootsPut, { ...rootsAll, Action: 'kms:DisableKey' });
    await kms.disableKey({ KeyId });
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    const CiphertextBlob = await newBlob(kms, (await newKey(kms)).KeyId);
    const asked = [
      nobody.encrypt({ KeyId, Plaintext: Buffer.from('x') }),
      nobody.generateMac({ KeyId, Message: Buffer.from('x'), MacAlgorithm: 'HMAC_SHA_256' }),
      nobody.decrypt({ KeyId, CiphertextBlob }),
      nobody.getPublicKey({ KeyId }),
      nobody.putKeyPolicy({ KeyId, Policy: 'garbage' }),
      nobody.createGrant({ KeyId, GranteePrincipal: 'nobody', Operations: ['CreateGrant'] }),
    ];
    // Together: one that fails while another is awaited would be an unhandled rejection.
    for (const text of await Promise.all(asked.map(failureText))) {
      expect(text).toMatch(/^AccessDeniedException: /);
    }
  });
});

type Ask = (kms: Pairmint, KeyId: string) => Promise<unknown>;

const encrypt =
  (EncryptionContext?: Record<string, string>): Ask =>
  (as, KeyId) =>
    as.encrypt({
      KeyId,
      Plaintext: Buffer.from('x'),
      ...(EncryptionContext && { EncryptionContext }),
    });
const pair =
  (KeyPairSpec: 'ECC_NIST_P256' | 'ECC_NIST_P384'): Ask =>
  (as, KeyId) =>
    as.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec });

// [DG] conditions-kms.md
describe.each([
  ['allowed by a key policy', (Condition: Json) => [his({ Condition })]],
  [
    'denied by a key policy otherwise',
    (Condition: Json) => [his(), his({ Effect: 'Deny', Condition: negated(Condition) })],
  ],
])('what is %s', (_how, statementsFor) => {
  test.each<[string, Json, Ask, boolean]>([
    [
      'a pair of the context',
      { StringEquals: { 'kms:EncryptionContext:App': 'a' } },
      encrypt({ App: 'a' }),
      true,
    ],
    [
      'its key in another case',
      { StringEquals: { 'kms:EncryptionContext:App': 'a' } },
      encrypt({ APP: 'a' }),
      true,
    ],
    [
      'its value in another case',
      { StringEquals: { 'kms:EncryptionContext:App': 'a' } },
      encrypt({ App: 'A' }),
      false,
    ],
    [
      'another value',
      { StringEquals: { 'kms:EncryptionContext:App': 'a' } },
      encrypt({ App: 'b' }),
      false,
    ],
    ['no context', { StringEquals: { 'kms:EncryptionContext:App': 'a' } }, encrypt(), false],
    [
      'a pair among others',
      { StringLike: { 'kms:EncryptionContext:App': 'a*' } },
      encrypt({ b: 'c', App: 'alpha' }),
      true,
    ],
    [
      'DataKeyPairSpec',
      { StringEquals: { 'kms:DataKeyPairSpec': 'ECC_NIST_P256' } },
      pair('ECC_NIST_P256'),
      true,
    ],
    [
      'another DataKeyPairSpec',
      { StringEquals: { 'kms:DataKeyPairSpec': 'ECC_NIST_P256' } },
      pair('ECC_NIST_P384'),
      false,
    ],
    [
      'DataKeyPairSpec of what makes none',
      { StringEquals: { 'kms:DataKeyPairSpec': 'ECC_NIST_P256' } },
      encrypt(),
      false,
    ],
    [
      'a list of DataKeyPairSpecs',
      { StringLike: { 'kms:DataKeyPairSpec': ['RSA_*', 'ECC_*'] } },
      pair('ECC_NIST_P384'),
      true,
    ],
    [
      'the alias of the request',
      { StringEquals: { 'kms:RequestAlias': 'alias/of-policies' } },
      byAlias('alias/of-policies'),
      true,
    ],
    [
      'the alias by its ARN',
      { StringEquals: { 'kms:RequestAlias': 'alias/of-policies' } },
      byAlias(aliasArn('alias/of-policies')),
      true,
    ],
    [
      'another alias of the key',
      { StringEquals: { 'kms:RequestAlias': 'alias/of-policies' } },
      byAlias('alias/of-others'),
      false,
    ],
    [
      'no alias but the key id',
      { StringEquals: { 'kms:RequestAlias': 'alias/of-policies' } },
      encrypt(),
      false,
    ],
    ['CallerAccount', { StringEquals: { 'kms:CallerAccount': accountId } }, encrypt(), true],
    [
      'another CallerAccount',
      { StringEquals: { 'kms:CallerAccount': '444455556666' } },
      encrypt(),
      false,
    ],
    ['a tag of the key', { StringEquals: { 'aws:ResourceTag/Team': 'blue' } }, encrypt(), true],
    [
      'another value of the tag',
      { StringEquals: { 'aws:ResourceTag/Team': 'red' } },
      encrypt(),
      false,
    ],
    [
      'a tag that the key has not',
      { StringEquals: { 'aws:ResourceTag/Stage': 'blue' } },
      encrypt(),
      false,
    ],
    [
      'ViaService, through which nothing is called',
      { StringEquals: { 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' } },
      encrypt(),
      false,
    ],
    [
      'the algorithm',
      { StringEquals: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' } },
      encrypt(),
      true,
    ],
    ['the key spec', { StringEquals: { 'kms:KeySpec': 'RSA_2048' } }, encrypt(), false],
    [
      'the caller',
      { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/some*' } },
      encrypt(),
      true,
    ],
    [
      'a time that is over',
      { DateLessThan: { 'aws:CurrentTime': '2020-01-01T00:00:00Z' } },
      encrypt(),
      false,
    ],
  ])('%s', async (_what, Condition, ask, allowed) => {
    const { KeyId } = await newKey(kms, {
      Policy: policyText(rootsAll, ...statementsFor(Condition)),
      Tags: [{ TagKey: 'Team', TagValue: 'blue' }],
    });
    const aliases = ['alias/of-policies', 'alias/of-others'];
    for (const AliasName of aliases) await kms.createAlias({ AliasName, TargetKeyId: KeyId });
    const outcome = await outcomeOf(
      ask(kms.as(somebody, { identityPolicy: nothingAllowed }), KeyId),
    );
    for (const AliasName of aliases) await kms.deleteAlias({ AliasName });
    expect(outcome).toMatch(allowed ? /^ok$/ : /^AccessDeniedException: /);
  });
});

function byAlias(KeyId: string): Ask {
  return (as) => as.encrypt({ KeyId, Plaintext: Buffer.from('x') });
}

/** The condition that a Deny has so that what remains is what an Allow with this one lets through. */
function negated(condition: Json): Json {
  const opposites: Record<string, string> = {
    StringEquals: 'StringNotEquals',
    StringLike: 'StringNotLike',
    ArnLike: 'ArnNotLike',
    DateLessThan: 'DateGreaterThanEquals',
  };
  const entries = Object.entries(condition).map(([name, keys]) => [opposites[name], keys]);
  return Object.fromEntries(entries);
}

describe('the keys of an encryption context', () => {
  const only = { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['App', 'Stage'] } };
  const must = { 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'App' } };

  test.each([
    [only, { App: '1' }, true],
    [only, { App: '1', Stage: '2' }, true],
    [only, { App: '1', More: '2' }, false],
    [only, { app: '1' }, false],
    [must, { App: '1', More: '2' }, true],
    [must, { app: '1' }, false],
    [must, {}, false],
    [{ Null: { 'kms:EncryptionContextKeys': 'false' } }, {}, false],
    [{ Null: { 'kms:EncryptionContextKeys': 'false' } }, { any: '' }, true],
  ])('%j for %j: %s', async (Condition, context, allowed) => {
    const { KeyId } = await keyWith(rootsAll, his({ Condition }));
    const user = kms.as(somebody, { identityPolicy: nothingAllowed });
    expect(await outcomeOf(encrypt(context)(user, KeyId))).toMatch(
      allowed ? /^ok$/ : /^AccessDeniedException: /,
    );
  });
});

describe('ReEncrypt needs kms:ReEncryptFrom and kms:ReEncryptTo [DG26]', () => {
  const from = (statement: Json = {}) => his({ Action: 'kms:ReEncryptFrom', ...statement });
  const to = (statement: Json = {}) => his({ Action: 'kms:ReEncryptTo', ...statement });

  async function reEncrypt(source: Json[], destination: Json[], contexts: Json = {}) {
    const [a, b] = [await keyWith(rootsAll, ...source), await keyWith(rootsAll, ...destination)];
    const CiphertextBlob = await newBlob(kms, a.KeyId, contexts.SourceEncryptionContext as never);
    const request = { CiphertextBlob, DestinationKeyId: b.KeyId, ...contexts };
    const user = kms.as(somebody, { identityPolicy: nothingAllowed });
    const outcomes = await Promise.all([
      outcomeOf(user.reEncrypt({ ...request, SourceKeyId: a.Arn })),
      outcomeOf(user.reEncrypt(request)),
    ]);
    return outcomes.map((text) => text.replaceAll(a.Arn, 'A').replaceAll(b.Arn, 'B'));
  }

  test('on the source and on the destination', async () => {
    const blind = 'the resource associated with this ciphertext';
    const none = (action: string) =>
      `because no identity-based policy allows the kms:${action} action`;
    expect(await reEncrypt([from()], [to()])).toEqual(['ok', 'ok']);
    expect(await reEncrypt([to()], [to()])).toEqual([
      deniedTo(somebody, 'ReEncryptFrom', `resource: A ${none('ReEncryptFrom')}`),
      deniedTo(somebody, 'ReEncryptFrom', `${blind} ${none('ReEncryptFrom')}`),
    ]);
    expect(await reEncrypt([from()], [from()])).toEqual(
      Array(2).fill(deniedTo(somebody, 'ReEncryptTo', `resource: B ${none('ReEncryptTo')}`)),
    );
  });

  test('each with the context of its own side', async () => {
    const Condition = (value: string) => ({
      StringEquals: { 'kms:EncryptionContext:side': value },
    });
    const statements: [Json[], Json[]] = [
      [from({ Condition: Condition('source') })],
      [to({ Condition: Condition('destination') })],
    ];
    const contexts = (source: string, destination: string) => ({
      SourceEncryptionContext: { side: source },
      DestinationEncryptionContext: { side: destination },
    });
    expect(await reEncrypt(...statements, contexts('source', 'destination'))).toEqual(['ok', 'ok']);
    for (const wrong of [contexts('destination', 'destination'), contexts('source', 'source')]) {
      for (const outcome of await reEncrypt(...statements, wrong)) {
        expect(outcome).toMatch(/^AccessDeniedException: /);
      }
    }
  });

  test('and kms:ReEncryptOnSameKey tells whether the two are one', async () => {
    const Condition = { Bool: { 'kms:ReEncryptOnSameKey': 'true' } };
    const actions = { Action: 'kms:ReEncrypt*', Condition };
    const one = await keyWith(rootsAll, his(actions));
    const other = await keyWith(rootsAll, his(actions));
    await kms.createAlias({ AliasName: 'alias/same-key', TargetKeyId: one.KeyId });
    const user = kms.as(somebody, { identityPolicy: nothingAllowed });
    const CiphertextBlob = await newBlob(kms, one.KeyId);
    for (const DestinationKeyId of [one.KeyId, one.Arn, 'alias/same-key']) {
      for (const source of [{}, { SourceKeyId: 'alias/same-key' }]) {
        const request = { CiphertextBlob, DestinationKeyId, ...source };
        expect(await outcomeOf(user.reEncrypt(request))).toBe('ok');
      }
    }
    const request = { CiphertextBlob, DestinationKeyId: other.KeyId };
    expect(await failureText(user.reEncrypt(request))).toMatch(/^AccessDeniedException: /);
  });
});

describe('key policy and identity policy together', () => {
  const Plaintext = Buffer.from('x');

  test.each([
    ['named by the key policy, allowed by nothing else', [his()], nothingAllowed, true],
    ['named by the account alone', [rootsAll], nothingAllowed, false],
    ['named by the account, allowed by the identity policy', [rootsAll], allAllowed, true],
    ['named by nothing, allowed by the identity policy', [rootsPut], allAllowed, false],
    ['everybody', [his({ Principal: '*' })], nothingAllowed, true],
    ['the account by its id', [{ ...rootsAll, Principal: { AWS: accountId } }], allAllowed, true],
    ['by NotAction', [his({ Action: undefined, NotAction: 'kms:Decrypt' })], nothingAllowed, true],
    ['not by NotAction', [his({ Action: undefined, NotAction: 'kms:E*' })], nothingAllowed, false],
    [
      'denied by NotPrincipal',
      [his(), his({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: root } })],
      allAllowed,
      false,
    ],
    ['by an action in another case', [his({ Action: 'KMS:encrypt' })], nothingAllowed, true],
  ])('%s', async (_who, statements, identityPolicy, allowed) => {
    const { KeyId } = await keyWith(rootsPut, ...statements);
    const user = kms.as(somebody, { identityPolicy });
    expect(await outcomeOf(user.encrypt({ KeyId, Plaintext }))).toMatch(
      allowed ? /^ok$/ : /^AccessDeniedException: /,
    );
  });

  test('an identity policy may name keys by ARN and wildcard', async () => {
    const [one, other] = [await newKey(kms), await newKey(kms)];
    for (const Resource of [
      one.Arn,
      one.Arn.slice(0, -1).concat('?'),
      one.Arn.slice(0, -6).concat('*'),
    ]) {
      const identityPolicy = policyText({ Effect: 'Allow', Action: 'kms:Encrypt', Resource });
      const user = kms.as(somebody, { identityPolicy });
      expect(await outcomeOf(user.encrypt({ KeyId: one.KeyId, Plaintext }))).toBe('ok');
      expect(await failureText(user.encrypt({ KeyId: other.KeyId, Plaintext }))).toMatch(
        /^AccessDeniedException: /,
      );
    }
  });
});

describe('what was allowed once', () => {
  const Plaintext = Buffer.from('x');
  const inContext = (App: string) => ({ Plaintext, EncryptionContext: { App } });

  test('is asked again if a condition decided it', async () => {
    const Condition = { StringEquals: { 'kms:EncryptionContext:App': 'a' } };
    const { KeyId } = await keyWith(rootsAll, his({ Condition }));
    const he = kms.as(somebody, { identityPolicy: nothingAllowed });
    for (const App of ['a', 'a', 'b', 'a', 'b']) {
      const asked = he.encrypt({ KeyId, ...inContext(App) }).then(
        () => 'allowed',
        () => 'denied',
      );
      expect(await asked).toBe(App === 'a' ? 'allowed' : 'denied');
    }
  });

  test('is asked again if a denial has a condition', async () => {
    const Condition = { StringEquals: { 'kms:EncryptionContext:App': 'b' } };
    const { KeyId } = await keyWith(rootsAll, his(), his({ Effect: 'Deny', Condition }));
    const he = kms.as(somebody, { identityPolicy: nothingAllowed });
    await he.encrypt({ KeyId, ...inContext('a') });
    await he.encrypt({ KeyId, ...inContext('a') });
    expect(await failureText(he.encrypt({ KeyId, ...inContext('b') }))).toMatch(/explicit deny/);
  });

  test('is allowed to no other caller, and allows nothing else', async () => {
    const { KeyId } = await keyWith(rootsAll, his({ Action: 'kms:Encrypt' }));
    const identityPolicy = nothingAllowed;
    const he = kms.as(somebody, { identityPolicy });
    await he.encrypt({ KeyId, Plaintext });
    await he.encrypt({ KeyId, Plaintext });
    const other = kms.as(`${somebody}-else`, { identityPolicy });
    expect(await failureText(other.encrypt({ KeyId, Plaintext }))).toMatch(/^AccessDenied/);
    expect(await failureText(he.describeKey({ KeyId }))).toMatch(/^AccessDenied/);
    const { KeyId: otherKey } = await keyWith(rootsAll);
    expect(await failureText(he.encrypt({ KeyId: otherKey, Plaintext }))).toMatch(/^AccessDenied/);
  });

  test('is refused as soon as the policy is another', async () => {
    const { KeyId } = await keyWith(rootsAll, his());
    const he = kms.as(somebody, { identityPolicy: nothingAllowed });
    await he.encrypt({ KeyId, Plaintext });
    await he.encrypt({ KeyId, Plaintext });
    await kms.putKeyPolicy({ KeyId, Policy: policyText(rootsAll) });
    expect(await failureText(he.encrypt({ KeyId, Plaintext }))).toMatch(/^AccessDenied/);
  });
});
