// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { OfferedOperation } from '../../lib/operations/index.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import {
  allAllowed,
  everyOperation,
  everyRequest,
  neverServed,
  nothingAllowed,
  outcomePattern,
  policyText,
  somebody,
} from './every-request.ts';
import {
  absentKeyId,
  accountId,
  aliasArn,
  allPages,
  bytes,
  failureText,
  keyArn,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
  region,
  caller as root,
} from './support.ts';

const otherAccount = '444455556666';
const stranger = `arn:aws:iam::${otherAccount}:user/stranger`;
const strangersRoot = `arn:aws:iam::${otherAccount}:root`;

// [ISS], AWS's texts since 2023 and 2024.
const unknown =
  'because the resource does not exist in this Region, no resource-based policies allow access, ' +
  'or a resource-based policy explicitly denies access';

function denied(arn: string, action: string, rest: string): string {
  return `AccessDeniedException: User: ${arn} is not authorized to perform: kms:${action} on ${rest}`;
}

const everyone = { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' };
const ourRoot = { ...everyone, Principal: { AWS: root } };
const theirAccount = { ...everyone, Principal: { AWS: otherAccount } };

let kms: Pairmint;
beforeAll(async () => {
  kms = await openKms();
});

const keyMembers = ['KeyId', 'TargetKeyId', 'SourceKeyId', 'DestinationKeyId'];

function keysOf(request: object): [member: string, keyId: string][] {
  return Object.entries(request).filter(([member]) => keyMembers.includes(member));
}

/** The request as another account has to make it. */
function byArn(request: object): object {
  const arns = keysOf(request).map(([member, keyId]) => [member, keyArn(keyId)]);
  return { ...request, ...Object.fromEntries(arns) };
}

describe.each(everyOperation)('%s', (operation) => {
  const prepare = everyRequest[operation] as (kms: Pairmint) => Promise<object>;
  const action = operation === 'ReEncrypt' ? 'ReEncryptFrom' : operation;

  test('is refused if no policy and no grant allows it, and served for the root', async () => {
    const request = await prepare(kms);
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    const refusal = await failureText(nobody.call(operation, request));
    expect(refusal).toContain(denied(somebody, action, ''));
    expect(refusal).toMatch(
      / because no (identity|resource)-based policy allows the kms:\w+ action$/,
    );
    expect(await outcomeOf(kms.call(operation, request))).toMatch(
      outcomePattern(operation, /^ok$/),
    );
  });

  test('is refused to a caller that may do everything else', async () => {
    const identityPolicy = policyText(
      { Effect: 'Allow', Action: 'kms:*', Resource: '*' },
      { Effect: 'Deny', Action: `kms:${action}`, Resource: '*' },
    );
    const refusal = failureText(
      kms.as(somebody, { identityPolicy }).call(operation, await prepare(kms)),
    );
    expect(await refusal).toMatch(/^AccessDeniedException: .* explicit deny in an identity-based/);
  });
});

describe('another account, whose policies allow everything,', () => {
  const strangers = () => kms.as(stranger, { identityPolicy: allAllowed });
  // [DG26] permission reference, and the operations on no key.
  const acrossAccounts =
    /^(Decrypt|Encrypt|ReEncrypt|GenerateDataKey.*|DescribeKey|GetPublicKey|Sign|Verify|GenerateMac|VerifyMac|DeriveSharedSecret|CreateGrant|ListGrants|RevokeGrant|GetKeyRotationStatus|ListKeyRotations)$/;
  const ofKeys = everyOperation.filter(
    (name) => !/CustomKeyStore|^(CreateKey|GenerateRandom|List(Keys|Aliases|Retir.*))$/.test(name),
  );
  const ofItsOwnAliases = /^(Delete|Update)Alias$/;

  test.each(ofKeys)('cannot use our keys by default: %s', async (operation) => {
    const request = byArn(await everyRequest[operation](kms));
    expect(await failureText(strangers().call(operation, request))).toMatch(
      ofItsOwnAliases.test(operation)
        ? /^NotFoundException: Alias arn:aws:kms:us-east-1:444455556666:/
        : new RegExp(`^AccessDeniedException: .* on this resource ${unknown}$`),
    );
  });

  const byKeyPolicy = ofKeys.filter(
    (name) => !ofItsOwnAliases.test(name) && !neverServed.has(name) && name !== 'RetireGrant',
  );
  test.each(byKeyPolicy)(
    'can where our key policy allows it, and AWS does: %s [DG26]',
    async (operation) => {
      const request = await everyRequest[operation](kms);
      for (const [, KeyId] of keysOf(request)) {
        await kms.putKeyPolicy({ KeyId, Policy: policyText(everyone) });
      }
      expect(await outcomeOf(strangers().call(operation, byArn(request)))).toMatch(
        acrossAccounts.test(operation)
          ? /^ok$/
          : new RegExp(`^AccessDeniedException: .* on this resource ${unknown}$`),
      );
    },
  );

  test('has keys, aliases and a default key of its own, and cannot see ours', async () => {
    const theirs = kms.as(strangersRoot);
    const before = await kms.listKeys({ Limit: 1000 });
    const { KeyId, Arn } = await newKey(theirs);
    expect(Arn).toBe(`arn:aws:kms:${region}:${otherAccount}:key/${KeyId}`);
    expect((await theirs.getKeyPolicy({ KeyId })).Policy).toContain(strangersRoot);
    expect((await theirs.describeKey({ KeyId })).KeyMetadata?.AWSAccountId).toBe(otherAccount);
    const AliasName = 'alias/shared-name';
    await theirs.createAlias({ AliasName, TargetKeyId: KeyId });
    await kms.createAlias({ AliasName, TargetKeyId: (await newKey(kms)).KeyId });
    expect((await theirs.describeKey({ KeyId: AliasName })).KeyMetadata?.Arn).toBe(Arn);
    const byDefault = await theirs.describeKey({ KeyId: 'alias/pairmint/default' });
    expect(byDefault.KeyMetadata?.AWSAccountId).toBe(otherAccount);

    const listed = await allPages(async (Marker) => {
      const { Keys = [], NextMarker } = await theirs.listKeys({ Marker, Limit: 1 });
      return { items: Keys, NextMarker };
    });
    expect(listed.flat().map((key) => key.KeyArn)).toEqual(
      [Arn, byDefault.KeyMetadata?.Arn].sort(),
    );
    const aliases = (await theirs.listAliases({})).Aliases?.map((alias) => alias.AliasName);
    expect(aliases).toEqual(['alias/pairmint/default', AliasName]);
    const after = await kms.listKeys({ Limit: 1000 });
    expect(after.Keys).toHaveLength((before.Keys?.length ?? 0) + 1);
    expect(await failureText(kms.describeKey({ KeyId: Arn }))).toContain(
      `this resource ${unknown}`,
    );
  });

  test('does not find our keys by their ids alone, nor our aliases by their names', async () => {
    const { KeyId } = await newKey(kms, { Policy: policyText(everyone) });
    await kms.createAlias({ AliasName: 'alias/ours', TargetKeyId: KeyId });
    expect(await failureText(strangers().describeKey({ KeyId }))).toBe(
      `NotFoundException: Key 'arn:aws:kms:${region}:${otherAccount}:key/${KeyId}' does not exist`,
    );
    expect(await failureText(strangers().describeKey({ KeyId: 'alias/ours' }))).toBe(
      `NotFoundException: Alias arn:aws:kms:${region}:${otherAccount}:alias/ours is not found.`,
    );
  });

  test('gets the same answer for a key that it may not use and for an absent one', async () => {
    const { Arn, KeyId } = await newKey(kms);
    await kms.createAlias({ AliasName: 'alias/hidden', TargetKeyId: KeyId });
    const deniesAll = policyText({ Effect: 'Deny', Action: 'kms:*', Resource: '*' });
    for (const identityPolicy of [allAllowed, nothingAllowed, deniesAll]) {
      const theirs = kms.as(stranger, { identityPolicy });
      for (const ours of [Arn, aliasArn('alias/hidden')]) {
        const absent = ours === Arn ? keyArn(absentKeyId) : aliasArn('alias/absent');
        const refusal = await failureText(theirs.describeKey({ KeyId: ours }));
        expect(refusal).toBe(denied(stranger, 'DescribeKey', `this resource ${unknown}`));
        expect(await failureText(theirs.describeKey({ KeyId: absent }))).toBe(refusal);
      }
      const GrantId = 'a'.repeat(64);
      const refusal = await failureText(theirs.retireGrant({ KeyId: Arn, GrantId }));
      expect(refusal).toBe(denied(stranger, 'RetireGrant', `this resource ${unknown}`));
      const absent = { KeyId: keyArn(absentKeyId), GrantId };
      expect(await failureText(theirs.retireGrant(absent))).toBe(refusal);
    }
  });
});

describe('a key of another account [DG key-policy-modifying-external-accounts]', () => {
  const Plaintext = Buffer.from('x');
  const ownAccountOnly = undefined;

  test.each([
    ['both sides', [ourRoot, theirAccount], allAllowed, 'ok'],
    [
      'the key policy alone',
      [ourRoot, theirAccount],
      ownAccountOnly,
      'because no identity-based policy allows the kms:Encrypt action',
    ],
    ['the identity policy alone', [ourRoot], allAllowed, `this resource ${unknown}`],
    ['neither', [ourRoot], ownAccountOnly, `this resource ${unknown}`],
    [
      'both, but the key policy denies it',
      [ourRoot, theirAccount, { ...theirAccount, Effect: 'Deny' }],
      allAllowed,
      `this resource ${unknown}`,
    ],
    [
      'a key policy that names the user, and no identity policy',
      [ourRoot, { ...everyone, Principal: { AWS: stranger } }],
      nothingAllowed,
      'because no identity-based policy allows the kms:Encrypt action',
    ],
  ])('where %s allows: by key ARN and by alias ARN', async (_who, statements, policy, expected) => {
    const { KeyId, Arn } = await newKey(kms, { Policy: policyText(...statements) });
    const AliasName = `alias/${KeyId}`;
    await kms.createAlias({ AliasName, TargetKeyId: KeyId });
    const theirs = kms.as(stranger, { identityPolicy: policy });
    for (const name of [Arn, aliasArn(AliasName)]) {
      const outcome = await outcomeOf(theirs.encrypt({ KeyId: name, Plaintext }));
      if (expected === 'ok') expect(outcome).toBe('ok');
      else expect(outcome).toMatch(new RegExp(`^AccessDeniedException: .*${expected}$`));
    }
  });

  test('opens what it sealed for the other account, by ARN and by the ciphertext alone', async () => {
    const { Arn } = await newKey(kms, { Policy: policyText(ourRoot, theirAccount) });
    const theirs = kms.as(strangersRoot);
    const CiphertextBlob = await newBlob(theirs, Arn, { a: 'b' });
    for (const named of [{ KeyId: Arn }, {}]) {
      const opened = await theirs.decrypt({
        ...named,
        CiphertextBlob,
        EncryptionContext: { a: 'b' },
      });
      expect(opened.KeyId).toBe(Arn);
      expect(bytes(opened.Plaintext).toString()).toBe('attack at dawn');
    }
  });
});

describe('a ciphertext that alone names its key [ISS 2024]', () => {
  test('is refused in words that do not name the key', async () => {
    const { KeyId } = await newKey(kms);
    const { KeyId: closed } = await newKey(kms, {
      Policy: policyText({ ...ourRoot, Action: ['kms:PutKeyPolicy', 'kms:Encrypt'] }),
    });
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    const on = 'the resource associated with this ciphertext';
    expect(await failureText(nobody.decrypt({ CiphertextBlob: await newBlob(kms, KeyId) }))).toBe(
      denied(
        somebody,
        'Decrypt',
        `${on} because no identity-based policy allows the kms:Decrypt action`,
      ),
    );
    const CiphertextBlob = await newBlob(kms, closed);
    expect(await failureText(kms.decrypt({ CiphertextBlob }))).toBe(
      denied(root, 'Decrypt', `${on} ${unknown}`),
    );
    expect(await failureText(kms.as(strangersRoot).decrypt({ CiphertextBlob }))).toBe(
      denied(strangersRoot, 'Decrypt', `${on} ${unknown}`),
    );
  });

  test('is refused by the ARN of the key if the request names the key, too', async () => {
    const { KeyId, Arn } = await newKey(kms);
    const CiphertextBlob = await newBlob(kms, KeyId);
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    expect(await failureText(nobody.decrypt({ KeyId, CiphertextBlob }))).toBe(
      denied(
        somebody,
        'Decrypt',
        `resource: ${Arn} because no identity-based policy allows the kms:Decrypt action`,
      ),
    );
  });
});

describe('who a caller is', () => {
  const named = [
    ['the root', root, root],
    [
      'a user with a path',
      `arn:aws:iam::${accountId}:user/team/alice`,
      `arn:aws:iam::${accountId}:user/team/alice`,
    ],
    ['a role', `arn:aws:iam::${accountId}:role/app`, `arn:aws:iam::${accountId}:role/app`],
    [
      'a session of a role',
      `arn:aws:sts::${accountId}:assumed-role/app/i-0448`,
      `arn:aws:iam::${accountId}:role/app`,
    ],
    [
      'a session of a role with a path',
      `arn:aws:sts::${accountId}:assumed-role/app/i-0448`,
      `arn:aws:iam::${accountId}:role/service-role/app`,
    ],
    [
      'a session by its own name',
      `arn:aws:sts::${accountId}:assumed-role/app/i-0448`,
      `arn:aws:sts::${accountId}:assumed-role/app/i-0448`,
    ],
    [
      'a federated user',
      `arn:aws:sts::${accountId}:federated-user/bob`,
      `arn:aws:sts::${accountId}:federated-user/bob`,
    ],
  ] as const;

  test.each(named)('%s is let in by the key policy that names it', async (_who, arn, principal) => {
    const manage = { ...ourRoot, Action: 'kms:PutKeyPolicy' };
    const Policy = policyText(manage, { ...everyone, Principal: { AWS: principal } });
    const { KeyId } = await newKey(kms, { Policy });
    // A root cannot be given an identity policy.
    const named = arn === root ? kms.as(arn) : kms.as(arn, { identityPolicy: nothingAllowed });
    expect(await outcomeOf(named.describeKey({ KeyId }))).toBe('ok');
    const another = kms.as(somebody, { identityPolicy: nothingAllowed });
    expect(await failureText(another.describeKey({ KeyId }))).toMatch(/^AccessDeniedException: /);
  });

  test.each([
    '',
    'root',
    accountId,
    '*',
    'ec2.amazonaws.com',
    'arn:aws:iam::12345:root',
    `arn:aws:iam::${accountId}:group/all`,
    `arn:aws:iam::${accountId}:user/`,
    `arn:aws:sts::${accountId}:assumed-role/app`,
    `${root}\n`,
  ])('%j is not a caller', (arn) => {
    expect(() => kms.as(arn)).toThrow(`'${arn}' is not the ARN of a caller`);
  });

  test.each([
    '',
    'no JSON',
    '[]',
    '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}',
  ])('an identity policy cannot be %j', (identityPolicy) => {
    expect(() => kms.as(somebody, { identityPolicy })).toThrow(
      `the identity policy of ${somebody} cannot be used: `,
    );
  });

  test('without an identity policy of its own it may do everything in its account', async () => {
    const user = kms.as(somebody);
    const { KeyId } = await newKey(user, { Tags: [{ TagKey: 'a', TagValue: 'b' }] });
    await user.createAlias({ AliasName: 'alias/somebodys', TargetKeyId: KeyId });
    await user.scheduleKeyDeletion({ KeyId });
  });

  test('the root cannot be given one, which would not restrict it', async () => {
    for (const identityPolicy of [nothingAllowed, allAllowed, '{']) {
      const refusal = `${root} is a root, which identity policies do not bind`;
      expect(() => kms.as(root, { identityPolicy })).toThrow(refusal);
      const options = { store: 'memory:', caller: root, identityPolicy };
      await expect(Pairmint.open(options)).rejects.toThrow(refusal);
    }
    const { KeyId } = await newKey(kms.as(root));
    await kms.describeKey({ KeyId });
  });

  test('a service is not opened with a caller that has no principal', async () => {
    const opening = Pairmint.open({ store: 'memory:', identityPolicy: nothingAllowed });
    await expect(opening).rejects.toThrow('identityPolicy is given without a caller');
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 9e15, '2026-01-01', null, new Date(0)])(
    'the time of its credentials cannot be %s',
    (tokenIssueTime) => {
      const options = { tokenIssueTime: tokenIssueTime as number };
      for (const caller of [somebody, root]) {
        expect(() => kms.as(caller, options)).toThrow(/^tokenIssueTime must be a time in millisec/);
      }
    },
  );

  test('one view of a service neither ends the others nor changes who they are', async () => {
    const { KeyId } = await newKey(kms);
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    await nobody.close();
    await nobody.as(root).describeKey({ KeyId });
    await kms.describeKey({ KeyId });
    expect(await failureText(nobody.describeKey({ KeyId }))).toMatch(/^AccessDeniedException: /);
  });
});

test('ListAliases tells another account nothing of a key, nor whether there is one', async () => {
  const { Arn } = await newKey(kms);
  await kms.createAlias({ AliasName: 'alias/untold', TargetKeyId: Arn });
  for (const KeyId of [Arn, keyArn(absentKeyId)]) {
    for (const caller of [stranger, strangersRoot]) {
      expect(await failureText(kms.as(caller).listAliases({ KeyId }))).toBe(
        denied(caller, 'ListAliases', `this resource ${unknown}`),
      );
    }
  }
});

test('the default key is not made for a caller that may not use it', async () => {
  const empty = await openKms();
  const nobody = empty.as(somebody, { identityPolicy: nothingAllowed });
  const KeyId = 'alias/pairmint/default';
  expect(await failureText(nobody.encrypt({ KeyId, Plaintext: Buffer.from('x') }))).toMatch(
    /^AccessDeniedException: /,
  );
  expect((await empty.listKeys({})).Keys).toEqual([]);
});

const notOfEverybody: readonly OfferedOperation[] = ['CreateKey', 'GenerateRandom', 'ListKeys'];

test.each(notOfEverybody)(
  '%s is decided by the identity policy alone, for *',
  async (operation) => {
    const request = await everyRequest[operation](kms);
    const nobody = kms.as(somebody, { identityPolicy: nothingAllowed });
    expect(await failureText(nobody.call(operation, request))).toBe(
      denied(
        somebody,
        operation,
        `resource: * because no identity-based policy allows the kms:${operation} action`,
      ),
    );
  },
);
