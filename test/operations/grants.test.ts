// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { GrantListEntry, GrantOperation, Requests } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import {
  allAllowed,
  everyRequest,
  newGrant,
  nothingAllowed,
  policyText,
  somebody,
} from './every-request.ts';
import {
  absentKeyId,
  accountId,
  aliasArn,
  allPages,
  dryRun,
  failureText,
  flipped,
  keyArn,
  members,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
  caller as root,
} from './support.ts';

const otherAccount = '444455556666';
const stranger = `arn:aws:iam::${otherAccount}:user/stranger`;
const retirer = `arn:aws:iam::${accountId}:user/retirer`;
const Plaintext = Buffer.from('x');
const invalidToken = /^InvalidGrantTokenException: /;
const denied = /^AccessDeniedException: /;

let kms: Pairmint;
let KeyId: string;
let Arn: string;
beforeAll(async () => {
  kms = await openKms();
  ({ KeyId, Arn } = await newKey(kms));
});

/** Makes requests as a principal to which no policy allows anything. */
function only(arn = somebody): Pairmint {
  // A root cannot be given an identity policy.
  if (arn.endsWith(':root')) return kms.as(arn);
  return kms.as(arn, { identityPolicy: nothingAllowed });
}

type CreateGrant = Requests['CreateGrant'];

const terms: CreateGrant = {
  KeyId: '',
  GranteePrincipal: somebody,
  Operations: ['Decrypt', 'Encrypt'],
};

async function grantsOf(key: string): Promise<GrantListEntry[]> {
  return (await kms.listGrants({ KeyId: key, Limit: 100 })).Grants ?? [];
}

describe('CreateGrant', () => {
  test('answers with an id and a token [BC], and the grant is listed with all its members', async () => {
    const key = await newKey(kms);
    const before = Date.now();
    const created = await kms.createGrant({
      ...terms,
      KeyId: key.KeyId,
      RetiringPrincipal: retirer,
      Name: 'a/b:c_d-1',
      Constraints: { EncryptionContextSubset: { a: '1' } },
    });
    expect(members(created)).toEqual(['GrantId', 'GrantToken']);
    expect(created.GrantId).toMatch(/^[0-9a-f]{64}$/);
    // A token of AWS's is unpadded base64url, and a request takes 8,192 characters of it [BC].
    expect(created.GrantToken).toMatch(/^[A-Za-z0-9_-]{1,8192}$/);
    const [listed, ...others] = await grantsOf(key.KeyId);
    expect(others).toEqual([]);
    expect(listed).toEqual({
      KeyId: key.Arn,
      GrantId: created.GrantId,
      Name: 'a/b:c_d-1',
      CreationDate: expect.any(Date),
      GranteePrincipal: somebody,
      RetiringPrincipal: retirer,
      IssuingAccount: root,
      Operations: ['Decrypt', 'Encrypt'],
      Constraints: { EncryptionContextSubset: { a: '1' } },
    });
    expect(Number(listed?.CreationDate)).toBeGreaterThanOrEqual(before);
  });

  test('lists members that were not given with an empty name, or leaves them out', async () => {
    const key = await newKey(kms);
    await kms.createGrant({ ...terms, KeyId: key.Arn, Operations: ['Encrypt', 'Encrypt'] });
    const [listed] = await grantsOf(key.KeyId);
    expect(members(listed ?? {})).toEqual([
      'CreationDate',
      'GrantId',
      'GranteePrincipal',
      'IssuingAccount',
      'KeyId',
      'Name',
      'Operations',
    ]);
    expect(listed).toMatchObject({ Name: '', Operations: ['Encrypt'] });
  });

  test.each<[string, Partial<CreateGrant>, RegExp]>([
    ['an alias', { KeyId: 'alias/any' }, /^InvalidArnException: /],
    ['an alias ARN', { KeyId: aliasArn('alias/any') }, /^InvalidArnException: /],
    [
      'an unknown key [LS-v test_create_grant_with_invalid_key]',
      { KeyId: absentKeyId },
      /^NotFoundException: Key 'arn:.*' does not exist$/,
    ],
    ['no operation', { Operations: [] }, /^ValidationException: /],
    [
      'CreateGrant alone [ISS]',
      { Operations: ['CreateGrant'] },
      /^ValidationException: Grants must not contain only the CreateGrant operation\.$/,
    ],
    [
      'CreateGrant alone, twice',
      { Operations: ['CreateGrant', 'CreateGrant'] },
      /^ValidationException: Grants must not contain only the CreateGrant operation\.$/,
    ],
    [
      'an operation that cannot be granted',
      { Operations: ['PutKeyPolicy' as GrantOperation] },
      /^ValidationException: .* at 'operations' failed to satisfy constraint/,
    ],
    [
      'both constraints [ISS]',
      { Constraints: { EncryptionContextEquals: { a: '1' }, EncryptionContextSubset: { a: '1' } } },
      /^ValidationException: More than one constraint supplied$/,
    ],
    [
      'nine pairs [BC]',
      { Constraints: { EncryptionContextEquals: pairs(9) } },
      /^ValidationException: /,
    ],
    [
      'nine pairs of a subset [BC]',
      { Constraints: { EncryptionContextSubset: pairs(9) } },
      /^ValidationException: /,
    ],
    [
      'a value of 385 characters [BC]',
      { Constraints: { EncryptionContextSubset: { a: 'x'.repeat(385) } } },
      /^ValidationException: /,
    ],
    ['a name with a space', { Name: 'a b' }, /^ValidationException: .* at 'name' /],
    ['a name of 257 characters', { Name: 'a'.repeat(257) }, /^ValidationException: .* at 'name' /],
    ['a grantee that is no ARN', { GranteePrincipal: 'bob' }, /^InvalidArnException: /],
    ['a grantee that is an account id', { GranteePrincipal: accountId }, /^InvalidArnException: /],
    [
      'a group',
      { GranteePrincipal: `arn:aws:iam::${accountId}:group/all` },
      /^InvalidArnException: /,
    ],
    ['a service without a name', { GranteePrincipal: '.amazonaws.com' }, /^InvalidArnException: /],
    ['everybody', { GranteePrincipal: '*' }, /^ValidationException: .* at 'granteePrincipal' /],
    ['a retiring principal that is no ARN', { RetiringPrincipal: 'bob' }, /^InvalidArnException: /],
  ])('refuses %s', async (_what, changes, expected) => {
    const before = await grantsOf(KeyId);
    expect(await failureText(kms.createGrant({ ...terms, KeyId, ...changes }))).toMatch(expected);
    const dry = { ...terms, KeyId, ...changes, DryRun: true };
    expect(await failureText(kms.createGrant(dry))).toMatch(expected);
    expect(await grantsOf(KeyId)).toEqual(before);
  });

  test.each<[string, Partial<CreateGrant>]>([
    ['eight pairs', { Constraints: { EncryptionContextEquals: pairs(8) } }],
    [
      'a value of 384 characters',
      { Constraints: { EncryptionContextSubset: { a: 'x'.repeat(384) } } },
    ],
    ['an empty constraint', { Constraints: {} }],
    ['an empty pair of braces', { Constraints: { EncryptionContextEquals: {} } }],
    ['a key ARN', {}],
    ['a grantee of another account', { GranteePrincipal: stranger }],
    ['a role as grantee', { GranteePrincipal: `arn:aws:iam::${accountId}:role/service-role/app` }],
    ['a session as grantee', { GranteePrincipal: `arn:aws:sts::${accountId}:assumed-role/app/s` }],
    ['a root as grantee', { GranteePrincipal: root, RetiringPrincipal: root }],
  ])('takes %s', async (_what, changes) => {
    await kms.createGrant({ ...terms, KeyId: Arn, ...changes });
  });

  test('makes nothing in a dry run', async () => {
    const before = await grantsOf(KeyId);
    const request = { ...terms, KeyId, DryRun: true };
    expect(await failureText(kms.createGrant(request))).toBe(dryRun);
    expect(await failureText(kms.createGrant({ ...request, Name: 'dry' }))).toBe(dryRun);
    expect(await grantsOf(KeyId)).toEqual(before);
  });

  test('refuses keys that are disabled or pending deletion or import [FL]', async () => {
    const disabled = await newKey(kms);
    await kms.disableKey({ KeyId: disabled.KeyId });
    expect(await failureText(kms.createGrant({ ...terms, KeyId: disabled.KeyId }))).toBe(
      `DisabledException: ${disabled.Arn} is disabled.`,
    );
    const doomed = await newKey(kms);
    await kms.scheduleKeyDeletion({ KeyId: doomed.KeyId });
    expect(await failureText(kms.createGrant({ ...terms, KeyId: doomed.KeyId }))).toBe(
      `KMSInvalidStateException: ${doomed.Arn} is pending deletion.`,
    );
    const empty = await newKey(kms, { Origin: 'EXTERNAL' });
    expect(await failureText(kms.createGrant({ ...terms, KeyId: empty.KeyId }))).toBe(
      `KMSInvalidStateException: ${empty.Arn} is pending import.`,
    );
  });
});

function pairs(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
}

// [DG] grants.md
describe('the operations that can be granted on', () => {
  const everywhere = ['CreateGrant', 'RetireGrant', 'DescribeKey'] as const;
  const kinds: readonly (readonly [string, Requests['CreateKey'], readonly GrantOperation[]])[] = [
    [
      'a symmetric key',
      {},
      [
        'Decrypt',
        'Encrypt',
        'GenerateDataKey',
        'GenerateDataKeyWithoutPlaintext',
        'GenerateDataKeyPair',
        'GenerateDataKeyPairWithoutPlaintext',
        'ReEncryptFrom',
        'ReEncryptTo',
      ],
    ],
    [
      'an SM2 key that encrypts',
      { KeySpec: 'SM2', KeyUsage: 'ENCRYPT_DECRYPT' },
      ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GetPublicKey'],
    ],
    [
      'a key that signs',
      { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
      ['Sign', 'Verify', 'GetPublicKey'],
    ],
    [
      'an HMAC key',
      { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      ['GenerateMac', 'VerifyMac'],
    ],
    [
      'a key for key agreement',
      { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
      ['DeriveSharedSecret', 'GetPublicKey'],
    ],
  ];
  const all = [...new Set([...everywhere, ...kinds.flatMap(([, , operations]) => operations)])];

  test.each(kinds)('%s', async (_kind, request, granted) => {
    const key = await newKey(kms, request);
    const taken: GrantOperation[] = [];
    for (const operation of all) {
      const asked = kms.createGrant({
        ...terms,
        KeyId: key.KeyId,
        Operations: ['RetireGrant', operation],
      });
      const outcome = await outcomeOf(asked);
      if (outcome === 'ok') taken.push(operation);
      else expect(outcome).toMatch(/^ValidationException: /);
    }
    expect(taken.sort()).toEqual([...everywhere, ...granted].sort());
  });

  test('no asymmetric key has constraints [DG]', async () => {
    const key = await newKey(kms, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const request: CreateGrant = { ...terms, KeyId: key.KeyId, Operations: ['GenerateMac'] };
    const Constraints = { EncryptionContextEquals: { a: '1' } };
    expect(await failureText(kms.createGrant({ ...request, Constraints }))).toMatch(
      /^ValidationException: /,
    );
  });
});

// [BC] CreateGrant.Name
describe('a name', () => {
  const named: CreateGrant = {
    ...terms,
    Name: 'once',
    RetiringPrincipal: retirer,
    Constraints: { EncryptionContextEquals: { a: '1', b: '2' } },
  };

  test('makes a request that is repeated give the same grant, with a token of its own', async () => {
    const key = await newKey(kms);
    const first = await kms.createGrant({ ...named, KeyId: key.KeyId });
    const again = await kms.createGrant({
      ...named,
      KeyId: key.Arn,
      Operations: ['Encrypt', 'Decrypt'],
      Constraints: { EncryptionContextEquals: { b: '2', a: '1' } },
    });
    expect(again.GrantId).toBe(first.GrantId);
    expect(again.GrantToken).not.toBe(first.GrantToken);
    expect(await grantsOf(key.KeyId)).toHaveLength(1);
    for (const GrantToken of [first.GrantToken, again.GrantToken]) {
      await kms.describeKey({ KeyId: key.KeyId, GrantTokens: [GrantToken as string] });
    }
  });

  test('gives twenty that ask at once one grant', async () => {
    const key = await newKey(kms);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => kms.createGrant({ ...named, KeyId: key.KeyId })),
    );
    expect(new Set(answers.map(({ GrantId }) => GrantId)).size).toBe(1);
    expect(new Set(answers.map(({ GrantToken }) => GrantToken)).size).toBe(20);
    expect(await grantsOf(key.KeyId)).toHaveLength(1);
  });

  test.each<[string, Partial<CreateGrant>]>([
    ['grantee', { GranteePrincipal: retirer }],
    ['retiring principal', { RetiringPrincipal: somebody }],
    ['operations', { Operations: ['Decrypt'] }],
    ['constraint', { Constraints: { EncryptionContextSubset: { a: '1', b: '2' } } }],
    ['pairs', { Constraints: { EncryptionContextEquals: { a: '1' } } }],
    [
      'pairs that only look the same',
      { Constraints: { EncryptionContextEquals: { a: '1,b', '': '2' } } },
    ],
    ['name', { Name: 'Once' }],
  ])(
    'is for the same terms only: another %s is another grant (inferred)',
    async (_what, changes) => {
      const key = await newKey(kms);
      const first = await kms.createGrant({ ...named, KeyId: key.KeyId });
      const other = await kms.createGrant({ ...named, ...changes, KeyId: key.KeyId });
      expect(other.GrantId).not.toBe(first.GrantId);
      expect(await grantsOf(key.KeyId)).toHaveLength(2);
    },
  );

  test('is of one key [LS-v test_create_grant_with_same_name_two_keys], and of one account', async () => {
    const Policy = policyText({ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' });
    const [one, other] = [await newKey(kms, { Policy }), await newKey(kms)];
    const theirs = kms.as(stranger, { identityPolicy: allAllowed });
    const answers = [
      await kms.createGrant({ ...named, KeyId: one.KeyId }),
      await kms.createGrant({ ...named, KeyId: other.KeyId }),
      await theirs.createGrant({ ...named, KeyId: one.Arn }),
    ];
    expect(new Set(answers.map(({ GrantId }) => GrantId)).size).toBe(3);
    const issuers = (await grantsOf(one.KeyId)).map(({ IssuingAccount }) => IssuingAccount);
    expect(issuers.sort()).toEqual([root, `arn:aws:iam::${otherAccount}:root`]);
  });

  test('can be used again when its grant is gone', async () => {
    const key = await newKey(kms);
    const { GrantId = '' } = await kms.createGrant({ ...named, KeyId: key.KeyId });
    await kms.revokeGrant({ KeyId: key.KeyId, GrantId });
    const again = await kms.createGrant({ ...named, KeyId: key.KeyId });
    expect(again.GrantId).not.toBe(GrantId);
    expect((await kms.createGrant({ ...named, KeyId: key.KeyId })).GrantId).toBe(again.GrantId);
    expect(await grantsOf(key.KeyId)).toHaveLength(1);
  });

  test('without a name, every request makes a grant', async () => {
    const key = await newKey(kms);
    for (let i = 0; i < 3; i++) await kms.createGrant({ ...terms, KeyId: key.KeyId });
    expect(await grantsOf(key.KeyId)).toHaveLength(3);
  });
});

describe('a grant', () => {
  const wants = (operation: GrantOperation): Promise<object> =>
    everyRequest[operation as 'Encrypt'](kms);

  // ReEncrypt's two halves are shown below; CreateGrant and RetireGrant have sections of their own.
  test.each<GrantOperation>([
    'Decrypt',
    'Encrypt',
    'GenerateDataKey',
    'GenerateDataKeyWithoutPlaintext',
    'Sign',
    'Verify',
    'GetPublicKey',
    'DescribeKey',
    'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext',
    'GenerateMac',
    'VerifyMac',
    'DeriveSharedSecret',
  ])('of %s lets its grantee do that and nothing else', async (operation) => {
    const request = (await wants(operation)) as { KeyId: string };
    await kms.createGrant({ ...terms, KeyId: request.KeyId, Operations: [operation] });
    expect(await outcomeOf(only().call(operation, request))).toBe('ok');
    expect(await failureText(only(retirer).call(operation, request))).toMatch(denied);
    const other = operation === 'DescribeKey' ? 'ListGrants' : 'DescribeKey';
    expect(await failureText(only().call(other, { KeyId: request.KeyId }))).toMatch(denied);
    expect(await failureText(only().call('DisableKey', { KeyId: request.KeyId }))).toMatch(denied);
  });

  test('of ReEncryptFrom and one of ReEncryptTo let their grantee re-encrypt', async () => {
    const {
      SourceKeyId = '',
      DestinationKeyId,
      CiphertextBlob,
    } = await everyRequest.ReEncrypt(kms);
    const request = { CiphertextBlob, DestinationKeyId };
    await kms.createGrant({ ...terms, KeyId: SourceKeyId, Operations: ['ReEncryptFrom'] });
    expect(await failureText(only().reEncrypt(request))).toMatch(/kms:ReEncryptTo /);
    await kms.createGrant({ ...terms, KeyId: DestinationKeyId, Operations: ['ReEncryptTo'] });
    expect(await outcomeOf(only().reEncrypt(request))).toBe('ok');
  });

  test.each<[string, CreateGrant['Constraints'], Record<string, string> | undefined, boolean]>([
    ['Equals', { EncryptionContextEquals: { App: 'a' } }, { App: 'a' }, true],
    ['Equals', { EncryptionContextEquals: { App: 'a' } }, { App: 'a', more: 'b' }, false],
    ['Equals', { EncryptionContextEquals: { App: 'a' } }, { App: 'A' }, false],
    ['Equals', { EncryptionContextEquals: { App: 'a' } }, undefined, false],
    ['Subset', { EncryptionContextSubset: { App: 'a' } }, { App: 'a', more: 'b' }, true],
    ['Subset', { EncryptionContextSubset: { App: 'a', more: 'b' } }, { App: 'a' }, false],
    ['no', undefined, { any: 'thing' }, true],
  ])(
    'with %s constraint %j for the context %j: %s',
    async (_kind, Constraints, context, allowed) => {
      const key = await newKey(kms);
      const EncryptionContext = { EncryptionContext: context };
      const CiphertextBlob = await newBlob(kms, key.KeyId, context);
      const granted = { ...terms, KeyId: key.KeyId, Constraints };
      await kms.createGrant({ ...granted, Operations: ['Decrypt', 'Encrypt', 'DescribeKey'] });
      const expected = allowed ? /^ok$/ : denied;
      const asked = { KeyId: key.KeyId, ...EncryptionContext };
      expect(await outcomeOf(only().encrypt({ ...asked, Plaintext }))).toMatch(expected);
      expect(await outcomeOf(only().decrypt({ ...asked, CiphertextBlob }))).toMatch(expected);
      const byBlob = { CiphertextBlob, ...EncryptionContext };
      expect(await outcomeOf(only().decrypt(byBlob))).toMatch(expected);
      // Constraints are not for DescribeKey [DG create-grant-overview].
      expect(await outcomeOf(only().describeKey({ KeyId: key.KeyId }))).toBe('ok');
    },
  );

  test('of ReEncryptFrom is constrained by the source context, of ReEncryptTo by the other', async () => {
    const { SourceKeyId = '', DestinationKeyId } = await everyRequest.ReEncrypt(kms);
    const constrained = (value: string) => ({ EncryptionContextEquals: { side: value } });
    await kms.createGrant({
      ...terms,
      KeyId: SourceKeyId,
      Operations: ['ReEncryptFrom'],
      Constraints: constrained('from'),
    });
    await kms.createGrant({
      ...terms,
      KeyId: DestinationKeyId,
      Operations: ['ReEncryptTo'],
      Constraints: constrained('to'),
    });
    const CiphertextBlob = await newBlob(kms, SourceKeyId, { side: 'from' });
    const ask = (from: string, to: string) =>
      outcomeOf(
        only().reEncrypt({
          CiphertextBlob,
          DestinationKeyId,
          SourceEncryptionContext: { side: from },
          DestinationEncryptionContext: { side: to },
        }),
      );
    expect(await ask('from', 'to')).toBe('ok');
    expect(await ask('from', 'from')).toMatch(denied);
    expect(await ask('to', 'to')).toMatch(denied);
  });

  test('does not help against a deny, in either policy', async () => {
    const all = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
    const no = { ...all, Effect: 'Deny', Principal: { AWS: somebody }, Action: 'kms:Encrypt' };
    const key = await newKey(kms, { Policy: policyText(all, no) });
    await kms.createGrant({ ...terms, KeyId: key.KeyId });
    expect(await failureText(only().encrypt({ KeyId: key.KeyId, Plaintext }))).toMatch(
      / with an explicit deny in a resource-based policy$/,
    );
    await kms.putKeyPolicy({ KeyId: key.KeyId, Policy: policyText(all) });
    expect(await outcomeOf(only().encrypt({ KeyId: key.KeyId, Plaintext }))).toBe('ok');
    const identityPolicy = policyText({ Effect: 'Deny', Action: 'kms:Enc*', Resource: '*' });
    const restrained = kms.as(somebody, { identityPolicy });
    expect(await failureText(restrained.encrypt({ KeyId: key.KeyId, Plaintext }))).toMatch(
      / with an explicit deny in an identity-based policy$/,
    );
  });

  test('needs the identity policy too if its grantee is in another account [DG26]', async () => {
    const key = await newKey(kms);
    await kms.createGrant({ ...terms, KeyId: key.KeyId, GranteePrincipal: stranger });
    const ask = (identityPolicy: string) =>
      outcomeOf(kms.as(stranger, { identityPolicy }).encrypt({ KeyId: key.Arn, Plaintext }));
    expect(await ask(allAllowed)).toBe('ok');
    expect(await ask(nothingAllowed)).toMatch(/ because no identity-based policy allows /);
  });

  test.each([
    ['a role', 'role/app', 'assumed-role/app/one', 'assumed-role/other/one'],
    [
      'a role with a path',
      'role/service-role/app',
      'assumed-role/app/one',
      'assumed-role/service-role/one',
    ],
    ['a session', 'assumed-role/app/one', 'assumed-role/app/one', 'assumed-role/app/two'],
  ])('of %s is for its sessions', async (_what, grantee, one, other) => {
    const arn = (name: string) =>
      `arn:aws:${name.startsWith('role') ? 'iam' : 'sts'}::${accountId}:${name}`;
    const key = await newKey(kms);
    await kms.createGrant({ ...terms, KeyId: key.KeyId, GranteePrincipal: arn(grantee) });
    const request = { KeyId: key.KeyId, Plaintext };
    expect(await outcomeOf(only(arn(one)).encrypt(request))).toBe('ok');
    expect(await failureText(only(arn(other)).encrypt(request))).toMatch(denied);
  });

  test('of the root is for those of its account whose identity policy allows it too', async () => {
    const bare = { Effect: 'Allow', Principal: { AWS: retirer }, Action: 'kms:*', Resource: '*' };
    const owner = kms.as(retirer);
    const key = await newKey(owner, { Policy: policyText(bare) });
    await owner.createGrant({ ...terms, KeyId: key.KeyId, GranteePrincipal: root });
    const request = { KeyId: key.KeyId, Plaintext };
    expect(await outcomeOf(kms.encrypt(request))).toBe('ok');
    expect(await outcomeOf(kms.as(somebody).encrypt(request))).toBe('ok');
    expect(await failureText(only().encrypt(request))).toMatch(denied);
  });

  test('is found among more than a page of others', async () => {
    const key = await newKey(kms);
    for (let i = 0; i < 120; i++) {
      const Constraints = { EncryptionContextEquals: { i: String(i) } };
      await kms.createGrant({ ...terms, KeyId: key.KeyId, Constraints });
    }
    for (const [i, expected] of [
      ['0', /^ok$/],
      ['119', /^ok$/],
      ['120', denied],
    ] as const) {
      const request = { KeyId: key.KeyId, Plaintext, EncryptionContext: { i } };
      expect(await outcomeOf(only().encrypt(request))).toMatch(expected);
    }
  });

  test('does not make a disabled key usable', async () => {
    const key = await newKey(kms);
    await kms.createGrant({ ...terms, KeyId: key.KeyId });
    await kms.disableKey({ KeyId: key.KeyId });
    expect(await failureText(only().encrypt({ KeyId: key.KeyId, Plaintext }))).toBe(
      `DisabledException: ${key.Arn} is disabled.`,
    );
  });
});

// [DG] create-grant-overview.md
describe('a grant that is made through a grant', () => {
  const parent = { EncryptionContextSubset: { a: '1' } };

  test.each<[string, Partial<CreateGrant>, boolean]>([
    ['with the same terms', { Constraints: parent }, true],
    ['with one operation less', { Operations: ['Encrypt'], Constraints: parent }, true],
    [
      'that can be handed on again',
      { Operations: ['CreateGrant', 'Encrypt'], Constraints: parent },
      true,
    ],
    ['with a pair more', { Constraints: { EncryptionContextSubset: { a: '1', b: '2' } } }, true],
    [
      'with Equals for Subset',
      { Constraints: { EncryptionContextEquals: { a: '1', b: '2' } } },
      true,
    ],
    ['without a constraint', {}, false],
    ['with an empty constraint', { Constraints: { EncryptionContextSubset: {} } }, false],
    ['with another value', { Constraints: { EncryptionContextSubset: { a: '2' } } }, false],
    [
      'with Equals that lacks a pair',
      { Constraints: { EncryptionContextEquals: { b: '2' } } },
      false,
    ],
    [
      'with an operation more',
      { Operations: ['Encrypt', 'DescribeKey'], Constraints: parent },
      false,
    ],
  ])('%s', async (_what, changes, allowed) => {
    const key = await newKey(kms);
    await kms.createGrant({
      ...terms,
      KeyId: key.KeyId,
      Operations: ['CreateGrant', 'Decrypt', 'Encrypt'],
      Constraints: parent,
    });
    const asked = only().createGrant({
      ...terms,
      KeyId: key.KeyId,
      GranteePrincipal: retirer,
      ...changes,
    });
    expect(await outcomeOf(asked)).toMatch(allowed ? /^ok$/ : denied);
    expect(await grantsOf(key.KeyId)).toHaveLength(allowed ? 2 : 1);
  });

  test('goes on without its parent, and is judged by its own terms', async () => {
    const key = await newKey(kms);
    const Operations: GrantOperation[] = ['CreateGrant', 'Encrypt'];
    const { GrantId } = await newGrant(kms, key.KeyId, { Operations });
    const child = { ...terms, KeyId: key.KeyId, GranteePrincipal: retirer, Operations };
    await only().createGrant(child);
    await kms.revokeGrant({ KeyId: key.KeyId, GrantId });
    expect(await failureText(only().createGrant(child))).toMatch(denied);
    expect(await outcomeOf(only(retirer).encrypt({ KeyId: key.KeyId, Plaintext }))).toBe('ok');
    const grandchild = { ...child, GranteePrincipal: stranger };
    expect(await outcomeOf(only(retirer).createGrant(grandchild))).toBe('ok');
  });

  test('Equals stays Equals', async () => {
    const key = await newKey(kms);
    const EncryptionContextEquals = { a: '1' };
    await kms.createGrant({
      ...terms,
      KeyId: key.KeyId,
      Operations: ['CreateGrant', 'Encrypt'],
      Constraints: { EncryptionContextEquals },
    });
    const ask = (Constraints: CreateGrant['Constraints']) =>
      outcomeOf(
        only().createGrant({ ...terms, KeyId: key.KeyId, Operations: ['Encrypt'], Constraints }),
      );
    expect(await ask({ EncryptionContextSubset: { a: '1' } })).toMatch(denied);
    expect(await ask({ EncryptionContextEquals: { a: '1', b: '2' } })).toMatch(denied);
    expect(await ask({ EncryptionContextEquals })).toBe('ok');
  });
});

describe('ListGrants', () => {
  let key: { KeyId: string; Arn: string };
  let grantIds: string[];
  beforeAll(async () => {
    key = await newKey(kms);
    grantIds = [];
    for (let i = 0; i < 120; i++) {
      const GranteePrincipal = i % 40 === 0 ? retirer : `arn:aws:iam::${accountId}:user/u${i}`;
      grantIds.push((await newGrant(kms, key.KeyId, { GranteePrincipal })).GrantId);
    }
  });

  test.each([
    [undefined, [50, 50, 20]],
    [1, Array(120).fill(1)],
    [50, [50, 50, 20]],
    [60, [60, 60]],
    [100, [100, 20]],
    // The most that AWS gives; what it does with larger limits is unverified.
    [1000, [100, 20]],
  ])('with a limit of %s gives pages of %j', async (Limit, sizes) => {
    const pages = await allPages(async (Marker) => {
      const {
        Grants = [],
        NextMarker,
        Truncated,
      } = await kms.listGrants({
        KeyId: key.KeyId,
        Limit,
        Marker,
      });
      expect(Truncated).toBe(NextMarker !== undefined);
      return { items: Grants, NextMarker };
    });
    expect(pages.map(({ length }) => length)).toEqual(sizes);
    expect(
      pages
        .flat()
        .map(({ GrantId }) => GrantId)
        .sort(),
    ).toEqual([...grantIds].sort());
  });

  test('filters by grantee and by id', async () => {
    const KeyId = key.Arn;
    const ofRetirer = await allPages(async (Marker) => {
      const request = { KeyId, GranteePrincipal: retirer, Limit: 2, Marker };
      const { Grants = [], NextMarker } = await kms.listGrants(request);
      return { items: Grants, NextMarker };
    });
    expect(ofRetirer.map(({ length }) => length)).toEqual([2, 1]);
    const expected = grantIds.filter((_, i) => i % 40 === 0).sort();
    expect(
      ofRetirer
        .flat()
        .map(({ GrantId }) => GrantId)
        .sort(),
    ).toEqual(expected);
    const GrantId = grantIds[7] as string;
    const one = await kms.listGrants({ KeyId, GrantId });
    expect(one.Grants?.map((grant) => grant.GrantId)).toEqual([GrantId]);
    expect(one.Truncated).toBe(false);
    const listed = (request: Partial<Requests['ListGrants']>) =>
      kms.listGrants({ KeyId, ...request }).then(({ Grants }) => Grants);
    // (unverified): an unknown id is an empty list.
    expect(await listed({ GrantId: 'f'.repeat(64) })).toEqual([]);
    expect(await listed({ GrantId, GranteePrincipal: `${somebody}else` })).toEqual([]);
    expect(await listed({ GranteePrincipal: stranger })).toEqual([]);
  });

  test('refuses malformed ids and markers, and aliases', async () => {
    const KeyId = key.KeyId;
    expect(await failureText(kms.listGrants({ KeyId, GrantId: 'x' }))).toMatch(
      /^InvalidGrantIdException: /,
    );
    expect(await failureText(kms.listGrants({ KeyId, Marker: 'x' }))).toMatch(
      /^InvalidMarkerException: /,
    );
    expect(await failureText(kms.listGrants({ KeyId: 'alias/any' }))).toMatch(
      /^InvalidArnException: /,
    );
  });

  test('shows the grants of one key only, whatever its state', async () => {
    const other = await newKey(kms);
    expect(await grantsOf(other.KeyId)).toEqual([]);
    await newGrant(kms, other.KeyId);
    await kms.scheduleKeyDeletion({ KeyId: other.KeyId });
    expect(await grantsOf(other.KeyId)).toHaveLength(1);
  });
});

describe('ListRetirableGrants', () => {
  const RetiringPrincipal = `arn:aws:iam::${accountId}:user/cleaner`;

  test('lists the grants over all keys of the account that the principal may retire', async () => {
    const keys = [await newKey(kms), await newKey(kms)];
    const grantIds: string[] = [];
    for (let i = 0; i < 60; i++) {
      const { GrantId } = await newGrant(kms, keys[i % 2]?.KeyId as string, { RetiringPrincipal });
      grantIds.push(GrantId);
    }
    await newGrant(kms, KeyId, { RetiringPrincipal: `${RetiringPrincipal}s` });
    await newGrant(kms, KeyId, {
      GranteePrincipal: RetiringPrincipal,
      Operations: ['RetireGrant'],
    });
    const theirs = kms.as(`arn:aws:iam::${otherAccount}:root`);
    await newGrant(theirs, (await newKey(theirs)).KeyId, { RetiringPrincipal });

    const list = (Limit?: number) =>
      allPages(async (Marker) => {
        const { Grants = [], NextMarker } = await kms.listRetirableGrants({
          RetiringPrincipal,
          Limit,
          Marker,
        });
        return { items: Grants, NextMarker };
      });
    const pages = await list();
    expect(pages.map(({ length }) => length)).toEqual([50, 10]);
    expect(
      pages
        .flat()
        .map(({ GrantId }) => GrantId)
        .sort(),
    ).toEqual([...grantIds].sort());
    expect(new Set(pages.flat().map((grant) => grant.KeyId))).toEqual(
      new Set(keys.map(({ Arn: arn }) => arn)),
    );
    expect(pages[0]?.[0]).toMatchObject({ RetiringPrincipal, IssuingAccount: root, Name: '' });
    await kms.revokeGrant({ KeyId: keys[0]?.KeyId as string, GrantId: grantIds[0] as string });
    expect((await list(7)).flat()).toHaveLength(59);
  });

  test('requires a principal [LS test_list_retirable_grants]', async () => {
    for (const principal of ['bob', accountId]) {
      const asked = kms.listRetirableGrants({ RetiringPrincipal: principal });
      expect(await failureText(asked)).toMatch(/^InvalidArnException: /);
    }
    expect((await kms.listRetirableGrants({ RetiringPrincipal: stranger })).Grants).toEqual([]);
  });
});

describe('RevokeGrant', () => {
  test('takes the permission away at once [LS-v test_revoke_grant]', async () => {
    const key = await newKey(kms);
    const { GrantId } = await newGrant(kms, key.KeyId);
    await only().describeKey({ KeyId: key.KeyId });
    expect(await failureText(kms.revokeGrant({ KeyId: key.KeyId, GrantId, DryRun: true }))).toBe(
      dryRun,
    );
    await only().describeKey({ KeyId: key.KeyId });
    expect(await kms.revokeGrant({ KeyId: key.Arn, GrantId })).toEqual({});
    expect(await failureText(only().describeKey({ KeyId: key.KeyId }))).toMatch(denied);
    expect(await failureText(kms.revokeGrant({ KeyId: key.KeyId, GrantId }))).toBe(
      `NotFoundException: Grant ID ${GrantId} not found`,
    );
  });

  test('requires the key that the grant is on, and a well-formed id', async () => {
    const [key, other] = [await newKey(kms), await newKey(kms)];
    const { GrantId } = await newGrant(kms, key.KeyId);
    const revoke = (id: string, KeyId = key.KeyId) =>
      failureText(kms.revokeGrant({ KeyId, GrantId: id }));
    expect(await revoke(GrantId, other.KeyId)).toMatch(/^NotFoundException: Grant ID /);
    expect(await revoke(GrantId.toUpperCase().replace(/^\d*/, 'A'))).toMatch(
      /^InvalidGrantIdException: /,
    );
    expect(await revoke(GrantId, 'alias/any')).toMatch(/^InvalidArnException: /);
    expect(await revoke('../key')).toMatch(/^(ValidationException|InvalidGrantIdException): /);
    expect(await grantsOf(key.KeyId)).toHaveLength(1);
  });

  test.each([
    ['its grantee', somebody],
    ['its retiring principal', retirer],
  ])('is not for %s, who has no kms:RevokeGrant', async (_who, arn) => {
    const key = await newKey(kms);
    const Operations: GrantOperation[] = ['RetireGrant', 'DescribeKey'];
    const { GrantId } = await newGrant(kms, key.KeyId, { Operations, RetiringPrincipal: retirer });
    expect(await failureText(only(arn).revokeGrant({ KeyId: key.KeyId, GrantId }))).toMatch(denied);
    expect(await grantsOf(key.KeyId)).toHaveLength(1);
  });

  test('works for twenty at once, each for itself', async () => {
    const key = await newKey(kms);
    const grants = await Promise.all(Array.from({ length: 20 }, () => newGrant(kms, key.KeyId)));
    await Promise.all(grants.map(({ GrantId }) => kms.revokeGrant({ KeyId: key.KeyId, GrantId })));
    expect(await grantsOf(key.KeyId)).toEqual([]);
  });
});

// [DG] grant-manage.md
describe('RetireGrant', () => {
  const cleaner = `arn:aws:iam::${accountId}:role/service-role/cleaner`;
  const cleaning = `arn:aws:sts::${accountId}:assumed-role/cleaner/now`;

  const cases: readonly [string, Partial<CreateGrant>, string, boolean][] = [
    ['its retiring principal', { RetiringPrincipal: retirer }, retirer, true],
    ['a session of its retiring principal', { RetiringPrincipal: cleaner }, cleaning, true],
    ['a retiring principal of another account', { RetiringPrincipal: stranger }, stranger, true],
    ['its grantee, if it lists RetireGrant', { Operations: ['RetireGrant'] }, somebody, true],
    ['its grantee, if also retiring principal', { RetiringPrincipal: somebody }, somebody, true],
    ['the root of the account that made it', {}, root, true],
    ['its grantee otherwise', { Operations: ['Decrypt'] }, somebody, false],
    ['anybody if it names no retiring principal', {}, retirer, false],
    ['anybody else', { RetiringPrincipal: somebody }, retirer, false],
    ['a session, if it names no retiring principal', {}, cleaning, false],
    ['another root', { Operations: ['RetireGrant'] }, `arn:aws:iam::${otherAccount}:root`, false],
  ];

  describe.each(cases)('is for %s', (_who, changes, arn, allowed) => {
    test.each(['by token', 'by id and key ARN'])(`%s: ${allowed}`, async (how) => {
      const key = await newKey(kms);
      const { GrantId, GrantToken } = await newGrant(kms, key.KeyId, changes);
      // [LS-v test_retire_grant_with_grant_token, …_with_grant_id_and_key_id]
      const request = how === 'by token' ? { GrantToken } : { KeyId: key.Arn, GrantId };
      const as = only(arn);
      expect(await failureText(as.retireGrant({ ...request, DryRun: true }))).toMatch(
        allowed ? dryRun : denied,
      );
      expect(await grantsOf(key.KeyId)).toHaveLength(1);
      expect(await outcomeOf(as.retireGrant(request))).toMatch(allowed ? /^ok$/ : denied);
      expect(await grantsOf(key.KeyId)).toHaveLength(allowed ? 0 : 1);
    });
  });

  test('cannot be allowed nor denied by a key policy, but denied by an identity policy', async () => {
    const everyone = { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' };
    const noRetiring = { ...everyone, Effect: 'Deny', Action: 'kms:RetireGrant' };
    const key = await newKey(kms, { Policy: policyText(everyone, noRetiring) });
    const { GrantToken } = await newGrant(kms, key.KeyId, { RetiringPrincipal: retirer });
    expect(await failureText(only().retireGrant({ GrantToken }))).toMatch(denied);
    const identityPolicy = policyText({ Effect: 'Deny', Action: '*', Resource: '*' });
    const mayNot = kms.as(retirer, { identityPolicy });
    expect(await failureText(mayNot.retireGrant({ GrantToken }))).toMatch(
      / with an explicit deny in an identity-based policy$/,
    );
    // Its Deny in the key policy is ineffective, as all of it there.
    expect(await outcomeOf(only(retirer).retireGrant({ GrantToken }))).toBe('ok');
  });

  // [DG] grant-delete
  test('is left to principals of the accounts that may by kms:RetireGrant', async () => {
    const key = await newKey(kms);
    const retiring = (Resource = key.Arn) => ({
      identityPolicy: policyText({ Effect: 'Allow', Action: 'kms:RetireGrant', Resource }),
    });
    const ofStrangers = { RetiringPrincipal: `arn:aws:iam::${otherAccount}:root` };
    const ask = async (
      arn: string,
      options: { identityPolicy: string },
      changes: Partial<CreateGrant> = {},
    ) => {
      const { GrantToken } = await newGrant(kms, key.KeyId, changes);
      return outcomeOf(kms.as(arn, options).retireGrant({ GrantToken }));
    };
    expect(await ask(retirer, retiring())).toBe('ok');
    expect(await ask(cleaning, retiring())).toBe('ok');
    expect(await ask(retirer, retiring(Arn))).toMatch(denied);
    expect(await ask(retirer, { identityPolicy: nothingAllowed })).toMatch(denied);
    expect(await ask(stranger, retiring(), ofStrangers)).toBe('ok');
    expect(await ask(stranger, { identityPolicy: nothingAllowed }, ofStrangers)).toMatch(denied);
    expect(await ask(stranger, retiring())).toMatch(denied);
    const grantee = { GranteePrincipal: ofStrangers.RetiringPrincipal };
    const listed = { ...grantee, Operations: ['RetireGrant' as const] };
    expect(await ask(stranger, retiring(), grantee)).toMatch(denied);
    expect(await ask(stranger, retiring(), listed)).toBe('ok');
  });

  test('is for the roots of the accounts that made it and that have its key', async () => {
    const Policy = policyText({ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' });
    const key = await newKey(kms, { Policy });
    const theirs = kms.as(`arn:aws:iam::${otherAccount}:root`);
    const request = { ...terms, KeyId: key.Arn };
    const { GrantToken } = await theirs.createGrant(request);
    expect(await theirs.retireGrant({ GrantToken })).toEqual({});
    const again = await theirs.createGrant(request);
    expect(await kms.retireGrant({ GrantToken: again.GrantToken })).toEqual({});
    const { GrantId = '' } = await theirs.createGrant(request);
    expect(await kms.revokeGrant({ KeyId: key.KeyId, GrantId })).toEqual({});
  });

  test('requires a token, or an id and a key', async () => {
    const GrantId = 'a'.repeat(64);
    for (const request of [{}, { KeyId: Arn }, { GrantId }]) {
      expect(await failureText(kms.retireGrant(request))).toMatch(/^ValidationException: /);
    }
    expect(await failureText(kms.retireGrant({ KeyId: Arn, GrantId }))).toBe(
      `NotFoundException: Grant ID ${GrantId} not found`,
    );
    expect(await failureText(kms.retireGrant({ KeyId: Arn, GrantId: 'x' }))).toMatch(
      /^InvalidGrantIdException: /,
    );
    expect(await failureText(kms.retireGrant({ KeyId: 'alias/any', GrantId }))).toMatch(
      /^InvalidArnException: /,
    );
    expect(await failureText(kms.retireGrant({ KeyId: keyArn(absentKeyId), GrantId }))).toMatch(
      /^NotFoundException: Key /,
    );
  });

  test('works whatever the state of the key', async () => {
    const key = await newKey(kms);
    const { GrantToken } = await newGrant(kms, key.KeyId);
    await kms.scheduleKeyDeletion({ KeyId: key.KeyId });
    expect(await kms.retireGrant({ GrantToken })).toEqual({});
  });
});

describe('a grant token', () => {
  // Every operation that takes GrantTokens [BC].
  const takers = [
    'CreateGrant',
    'Decrypt',
    'DeriveSharedSecret',
    'DescribeKey',
    'Encrypt',
    'GenerateDataKey',
    'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext',
    'GenerateDataKeyWithoutPlaintext',
    'GenerateMac',
    'GetPublicKey',
    'ReEncrypt',
    'Sign',
    'Verify',
    'VerifyMac',
  ] as const;

  test.each(takers)(
    'of an existing grant is accepted, of no grant refused if policies do not allow the request: %s',
    async (operation) => {
      const request = await everyRequest[operation](kms);
      const { GrantToken, GrantId } = await newGrant(kms, KeyId);
      const gone = (await newGrant(kms, KeyId)).GrantToken;
      await kms.retireGrant({ GrantToken: gone });
      const ask = (...GrantTokens: string[]) =>
        outcomeOf(only().call(operation, { ...request, GrantTokens }));
      for (const token of [
        'garbage',
        gone,
        flipped(Buffer.from(GrantToken, 'base64url'), 77).toString('base64url'),
        GrantToken.slice(0, -1),
        `${GrantToken}=`,
        `${GrantToken}A`,
        ` ${GrantToken}`,
        GrantId,
      ]) {
        expect(await ask(token), token).toMatch(invalidToken);
        expect(await ask(GrantToken, token), token).toMatch(invalidToken);
      }
      expect(await ask(...Array(11).fill(GrantToken))).toMatch(/^ValidationException: /);
      expect(await ask(GrantToken, GrantToken)).toMatch(denied);
      const GrantTokens = ['garbage', gone];
      expect(await outcomeOf(kms.call(operation, { ...request, GrantTokens }))).toBe('ok');
    },
  );

  test('is refused whichever bit of it is another', async () => {
    const { GrantToken } = await newGrant(kms, KeyId);
    const token = Buffer.from(GrantToken, 'base64url');
    for (let bit = 0; bit < 8 * token.length; bit++) {
      const GrantTokens = [flipped(token, bit).toString('base64url')];
      expect(
        await failureText(only(retirer).describeKey({ KeyId, GrantTokens })),
        `bit ${bit}`,
      ).toMatch(invalidToken);
    }
  });

  test('has one spelling only', async () => {
    // Some of many have characters that base64 spells otherwise.
    for (let i = 0; i < 8; i++) {
      const { GrantToken } = await newGrant(kms, KeyId);
      const base64 = Buffer.from(GrantToken, 'base64url').toString('base64');
      const spellings = new Set([
        base64,
        base64.replaceAll('=', ''),
        `${GrantToken}\n`,
        `${GrantToken.slice(0, 8)} ${GrantToken.slice(8)}`,
      ]);
      for (const spelling of spellings) {
        if (spelling === GrantToken) continue;
        const GrantTokens = [spelling];
        expect(
          await failureText(only(retirer).describeKey({ KeyId, GrantTokens })),
          spelling,
        ).toMatch(invalidToken);
        expect(await failureText(kms.retireGrant({ GrantToken: spelling }))).toMatch(invalidToken);
      }
    }
  });

  test('gives no permission beyond the grant (inferred)', async () => {
    const key = await newKey(kms);
    const { GrantToken } = await newGrant(kms, key.KeyId);
    const asked = { KeyId: key.KeyId, GrantTokens: [GrantToken] };
    expect(await failureText(only(retirer).describeKey(asked))).toMatch(denied);
    expect(await failureText(only().encrypt({ ...asked, Plaintext }))).toMatch(denied);
    await only().describeKey(asked);
    await only().describeKey({ KeyId: key.KeyId });
  });

  test('of another key is taken, and helps nothing', async () => {
    const [one, other] = [await newKey(kms), await newKey(kms)];
    const { GrantToken } = await newGrant(kms, other.KeyId);
    const asked = { KeyId: one.KeyId, GrantTokens: [GrantToken] };
    await kms.describeKey(asked);
    expect(await failureText(only().describeKey(asked))).toMatch(denied);
  });

  test('of another store is invalid', async () => {
    const elsewhere = await openKms();
    const { GrantToken } = await newGrant(elsewhere, (await newKey(elsewhere)).KeyId);
    const GrantTokens = [GrantToken];
    expect(await failureText(only(retirer).describeKey({ KeyId, GrantTokens }))).toMatch(
      invalidToken,
    );
    expect(await failureText(kms.retireGrant({ GrantToken }))).toMatch(invalidToken);
  });
});

describe('a constraint', () => {
  const KeyIdOf = async () => (await newKey(kms)).KeyId;
  const SourceArn = `arn:aws:s3:us-east-1:${accountId}:bucket`;

  // Terraform sends the map that it leaves out as {}, and AWS takes it (acceptance runs of 2023).
  test.each(['EncryptionContextEquals', 'EncryptionContextSubset'] as const)(
    'that is empty is not given: beside %s, and alone',
    async (name) => {
      const key = await KeyIdOf();
      const empty = { EncryptionContextEquals: {}, EncryptionContextSubset: {} };
      const Constraints = { ...empty, [name]: { a: '1' } };
      const decrypting = { ...terms, KeyId: key, Operations: ['Encrypt' as const] };
      await kms.createGrant({ ...decrypting, Constraints });
      expect((await grantsOf(key))[0]?.Constraints).toEqual({ [name]: { a: '1' } });
      const ask = (EncryptionContext?: Record<string, string>) =>
        outcomeOf(only().encrypt({ KeyId: key, Plaintext, EncryptionContext }));
      expect(await ask()).toMatch(denied);
      expect(await ask({ a: '1' })).toBe('ok');
      await kms.createGrant({ ...decrypting, Constraints: empty });
      expect(await ask()).toBe('ok');
      const mac = await newKey(kms, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
      const macs = { ...terms, KeyId: mac.KeyId, Operations: ['GenerateMac' as const] };
      await kms.createGrant({ ...macs, Constraints: empty });
    },
  );

  test('that is empty makes the same grant as an absent one', async () => {
    const request = { ...terms, KeyId: await KeyIdOf(), Name: 'same' };
    const { GrantId } = await kms.createGrant(request);
    const Constraints = { EncryptionContextEquals: {} };
    expect((await kms.createGrant({ ...request, Constraints })).GrantId).toBe(GrantId);
  });

  test.each<[string, object]>([
    ['alone', { SourceVpc: 'vpc-1' }],
    ['beside another', { EncryptionContextEquals: { a: '1' }, sourceArn: SourceArn }],
    ['that it inherits', Object.create({ SourceVpc: 'vpc-1' })],
  ])('that is not understood makes no grant: %s', async (_how, Constraints) => {
    const key = await KeyIdOf();
    const request = { ...terms, KeyId: key, Constraints };
    expect(await failureText(kms.createGrant(request as CreateGrant))).toMatch(
      /^ValidationException: Constraints\.(SourceVpc|sourceArn) is not supported\.$/,
    );
    expect(await grantsOf(key)).toEqual([]);
  });

  test('that is unknown counts as not given if it is null', async () => {
    const Constraints = { SourceVpc: null, EncryptionContextEquals: null } as object;
    await kms.createGrant({ ...terms, KeyId: await KeyIdOf(), Constraints });
  });

  test('SourceArn keeps everybody out, for every kind of key, but does not keep a grant from being retired', async () => {
    const key = await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const { GrantToken } = await kms.createGrant({
      ...terms,
      KeyId: key.KeyId,
      Operations: ['GetPublicKey', 'DescribeKey', 'RetireGrant'],
      Constraints: { SourceArn },
    });
    expect((await grantsOf(key.KeyId))[0]?.Constraints).toEqual({ SourceArn });
    expect(await outcomeOf(only().getPublicKey({ KeyId: key.KeyId }))).toMatch(denied);
    expect(await outcomeOf(only().describeKey({ KeyId: key.KeyId }))).toMatch(denied);
    expect(await outcomeOf(only().retireGrant({ GrantToken }))).toBe('ok');
  });

  test('SourceArn stands beside an encryption context, and makes other terms of a name', async () => {
    const request = { ...terms, KeyId: await KeyIdOf(), Name: 'n' };
    const Constraints = { EncryptionContextEquals: { a: '1' }, SourceArn };
    const one = await kms.createGrant({ ...request, Constraints });
    const other = await kms.createGrant({
      ...request,
      Constraints: { ...Constraints, SourceArn: `${SourceArn}s` },
    });
    expect(other.GrantId).not.toBe(one.GrantId);
    expect((await kms.createGrant({ ...request, Constraints })).GrantId).toBe(one.GrantId);
  });
});

describe('an AWS service', () => {
  const SourceArn = `arn:aws:sns:us-east-1:${accountId}:topic`;
  const service = 'sns.amazonaws.com';

  // Acceptance runs of Terraform against AWS, 2022 and 2023.
  test.each([service, 'dynamodb.us-west-1.amazonaws.com'])(
    'can be grantee and retiring principal: %s',
    async (name) => {
      const key = await newKey(kms);
      const principals = { GranteePrincipal: name, RetiringPrincipal: name };
      const { GrantId } = await kms.createGrant({ ...terms, KeyId: key.KeyId, ...principals });
      expect(await grantsOf(key.KeyId)).toMatchObject([{ GrantId, ...principals }]);
      const asked = await kms.listGrants({ KeyId: key.KeyId, GranteePrincipal: name });
      expect(asked.Grants).toHaveLength(1);
      const { Grants } = await kms.listRetirableGrants({ RetiringPrincipal: name });
      expect(Grants?.map((grant) => grant.GrantId)).toContain(GrantId);
    },
  );

  test('is no caller', () => {
    expect(() => kms.as(service)).toThrow(/is not the ARN of a caller/);
  });

  const base = { Operations: ['Decrypt' as const], Constraints: { SourceArn } };
  const grantee = { GranteeServicePrincipal: service };
  const retiring = { RetiringServicePrincipal: service };

  test('is given a grant as GranteeServicePrincipal, with a SourceArn and somebody to retire it', async () => {
    const key = await newKey(kms);
    const request = { ...base, KeyId: key.KeyId, Name: 'n', ...grantee, ...retiring };
    const { GrantId } = await kms.createGrant(request);
    const [listed] = await grantsOf(key.KeyId);
    expect(listed).toMatchObject({ GrantId, ...grantee, ...retiring });
    expect(listed).not.toHaveProperty('GranteePrincipal');
    expect(listed).not.toHaveProperty('RetiringPrincipal');
    expect((await kms.createGrant(request)).GrantId).toBe(GrantId);
    const other = { ...request, RetiringServicePrincipal: 'ec2.amazonaws.com' };
    expect((await kms.createGrant(other)).GrantId).not.toBe(GrantId);
  });

  test.each<[string, Partial<CreateGrant>, RegExp]>([
    ['no grantee', {}, /at 'granteePrincipal' failed .* not be null$/],
    ['two grantees', { ...grantee, ...retiring, GranteePrincipal: somebody }, /both Grantee/],
    ['two who retire', { ...grantee, ...retiring, RetiringPrincipal: retirer }, /both Retiring/],
    ['no SourceArn', { ...grantee, ...retiring, Constraints: {} }, /a SourceArn constraint\.$/],
    ['no retiring principal', grantee, /must have a RetiringPrincipal or a Retiring/],
    ['no service', { ...retiring, GranteeServicePrincipal: 'a.b.c' }, /^InvalidArnException: /],
    ['no service name', { ...retiring, GranteeServicePrincipal: 'sns' }, /at 'granteeService/],
  ])('is given none with %s', async (_what, changes, expected) => {
    const key = await newKey(kms);
    const request = { ...base, KeyId: key.KeyId, ...changes };
    expect(await failureText(kms.createGrant(request))).toMatch(expected);
    expect(await grantsOf(key.KeyId)).toEqual([]);
  });

  // [BC]: only usable by callers in a service principal.
  test('cannot be used to list grants', async () => {
    const filter = { GranteeServicePrincipal: service };
    expect(await failureText(kms.listGrants({ KeyId, ...filter }))).toMatch(
      /^ValidationException: GranteeServicePrincipal can be used by AWS services only\.$/,
    );
    const asked = kms.listRetirableGrants({ RetiringServicePrincipal: service });
    expect(await failureText(asked)).toMatch(/^ValidationException: RetiringServicePrincipal /);
    expect(await failureText(kms.listRetirableGrants({}))).toMatch(/'retiringPrincipal' failed/);
  });
});

test.each(['revokeGrant', 'retireGrant'] as const)(
  '%s gives up when changes of others come first for five seconds',
  async (method) => {
    const { GrantId } = await kms.createGrant({ ...terms, KeyId: Arn });
    const commit = vi.spyOn(MemoryStore.prototype, 'commit').mockResolvedValue(false);
    let time = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 100));
    onTestFinished(() => {
      commit.mockRestore();
      clock.mockRestore();
    });
    await expect(kms[method]({ KeyId: Arn, GrantId: GrantId as string })).rejects.toMatchObject({
      name: 'KMSInternalException',
      message: 'The key store could not complete the request.',
      cause: { name: 'StoreError', fault: 'busy' },
    });
  },
);
