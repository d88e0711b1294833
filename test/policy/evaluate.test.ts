// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultIdentityPolicy, defaultKeyPolicy, parsePolicy } from '../../lib/policy/document.ts';
import { type Decision, decide, type Policies } from '../../lib/policy/evaluate.ts';
import {
  account,
  document,
  keyArn,
  otherAccount,
  policy,
  principal,
  request,
  rootName,
  statement,
  userName,
} from './documents.ts';

const session = `arn:aws:sts::${account}:assumed-role/R/i-0448`;
const stranger = `arn:aws:iam::${otherAccount}:user/eve`;

const key = (...statements: object[]) => ({
  policy: policy(statements.map((one) => statement({ ...one }))),
  accountId: account,
});
const allowAll = policy([statement()], 'identity');
const denyAll = policy([statement({ Effect: 'Deny' })], 'identity');
const allowNothing = policy([statement({ Action: 's3:*' })], 'identity');

function decision(
  caller: string,
  {
    grant = false,
    action = 'kms:Decrypt',
    ...policies
  }: Partial<Policies> & { grant?: boolean; action?: string },
): Decision {
  return decide(request({ action, caller: principal(caller) }), {
    identity: undefined,
    grantAllows: () => grant,
    ...policies,
  });
}

describe('within an account', () => {
  test('the default key policy lets the root do all', () => {
    const defaults = { policy: parsePolicy(defaultKeyPolicy(account), 'key'), accountId: account };
    expect(decision(rootName, { key: defaults })).toBe('allowed');
  });

  test('naming the root leaves it to the identity policy [DG key-policy-default]', () => {
    const delegating = key({ Principal: { AWS: rootName } });
    expect(decision(userName, { key: delegating, identity: allowAll })).toBe('allowed');
    expect(decision(userName, { key: delegating, identity: allowNothing })).toBe(
      'no-identity-policy-allows',
    );
    expect(decision(session, { key: delegating, identity: allowAll })).toBe('allowed');
  });

  test.each([{ AWS: userName }, '*', { AWS: '*' }])(
    'naming the caller with %j suffices without an identity policy',
    (names) => {
      expect(decision(userName, { key: key({ Principal: names }), identity: allowNothing })).toBe(
        'allowed',
      );
    },
  );

  test('a caller that is named and whose account is, too, is named', () => {
    const both = key({ Principal: { AWS: [rootName, userName] } });
    const apart = key({ Principal: { AWS: userName } }, { Principal: { AWS: rootName } });
    expect(decision(userName, { key: both, identity: allowNothing })).toBe('allowed');
    expect(decision(userName, { key: apart, identity: allowNothing })).toBe('allowed');
  });

  test('a session is its role, too', () => {
    const role = key({ Principal: { AWS: `arn:aws:iam::${account}:role/R` } });
    expect(decision(session, { key: role, identity: allowNothing })).toBe('allowed');
    expect(decision(userName, { key: role, identity: allowAll })).toBe('no-key-policy-allows');
  });

  test('the account has no rights of its own [DG policy-evaluation]', () => {
    const other = key({ Principal: { AWS: userName } });
    expect(decision(rootName, { key: other })).toBe('no-key-policy-allows');
  });

  test('a grant allows without any policy, but not against a deny', () => {
    const nobody = key({ Action: 's3:*' });
    expect(decision(userName, { key: nobody, identity: allowNothing, grant: true })).toBe(
      'allowed',
    );
    expect(decision(userName, { key: nobody, identity: denyAll, grant: true })).toBe(
      'explicit-deny-in-identity-policy',
    );
    expect(
      decision(userName, { key: key({ Effect: 'Deny' }), identity: allowAll, grant: true }),
    ).toBe('explicit-deny-in-key-policy');
  });

  test('a grant is asked last, and told what the identity policy says', () => {
    const asked: boolean[] = [];
    const grantAllows = (byIdentity: boolean) => asked.push(byIdentity) === 0;
    const nobody = key({ Action: 's3:*' });
    decision(userName, { key: key({}), identity: allowAll, grantAllows });
    decision(userName, { key: nobody, identity: allowAll, grantAllows });
    decision(userName, { key: nobody, identity: allowNothing, grantAllows });
    expect(asked).toEqual([true, false]);
  });

  test('a deny of the root is a deny of the account', () => {
    const denied = key({}, { Effect: 'Deny', Principal: { AWS: account } });
    expect(decision(userName, { key: denied, identity: allowAll })).toBe(
      'explicit-deny-in-key-policy',
    );
  });

  test('conditions decide whether a statement counts', () => {
    const Condition = { StringEquals: { 'kms:DataKeyPairSpec': 'RSA_2048' } };
    const asked = request({
      condition: (name) => (name === 'kms:datakeypairspec' ? ['SM2'] : undefined),
    });
    const policies = { key: key({ Condition }), identity: allowAll, grantAllows: () => false };
    expect(decide(asked, policies)).toBe('no-key-policy-allows');
    expect(decide({ ...asked, condition: () => ['RSA_2048'] }, policies)).toBe('allowed');
  });

  test('a caller without an identity policy who is not the root is allowed nothing by it', () => {
    expect(decision(userName, { key: key({ Principal: { AWS: account } }) })).toBe(
      'no-identity-policy-allows',
    );
    expect(decision(userName, { action: 'kms:CreateKey' })).toBe('no-identity-policy-allows');
  });
});

describe('operations without a key', () => {
  test.each([
    [rootName, undefined, 'allowed'],
    [userName, defaultIdentityPolicy(account), 'allowed'],
    [userName, allowNothing, 'no-identity-policy-allows'],
    [userName, denyAll, 'explicit-deny-in-identity-policy'],
  ])('are decided by the identity policy alone: %s', (caller, identity, expected) => {
    const asked = request({ action: 'kms:CreateKey', resource: '*', caller: principal(caller) });
    expect(decide(asked, { identity, grantAllows: () => true })).toBe(expected);
  });
});

describe('across accounts', () => {
  const named = key({ Principal: { AWS: stranger } });
  const delegated = key({ Principal: { AWS: otherAccount } });
  const nobody = key({ Principal: { AWS: rootName } });

  test.each([
    ['both sides allow', named, allowAll, false, 'allowed'],
    ['the key policy names the account', delegated, allowAll, false, 'allowed'],
    ['a grant stands for the key policy', nobody, allowAll, true, 'allowed'],
    ['the identity policy is missing', named, allowNothing, false, 'no-identity-policy-allows'],
    [
      'a grant has no identity policy with it',
      nobody,
      allowNothing,
      true,
      'no-identity-policy-allows',
    ],
    ['the key policy is missing', nobody, allowAll, false, 'no-key-policy-allows'],
  ] as const)('%s', (_, keyPolicy, identity, grant, expected) => {
    expect(decision(stranger, { key: keyPolicy, identity, grant })).toBe(expected);
  });

  test('the root of the other account needs to be allowed by the key policy alone', () => {
    expect(decision(`arn:aws:iam::${otherAccount}:root`, { key: delegated })).toBe('allowed');
    expect(decision(`arn:aws:iam::${otherAccount}:root`, { key: nobody })).toBe(
      'no-key-policy-allows',
    );
  });

  test.each([
    'kms:PutKeyPolicy',
    'kms:GetKeyPolicy',
    'kms:DisableKey',
    'kms:TagResource',
    'kms:EnableKeyRotation',
  ])('%s is never allowed [DG26]', (action) => {
    expect(decision(stranger, { key: named, identity: allowAll, grant: true, action })).toBe(
      'no-key-policy-allows',
    );
  });

  test('an AWS service is allowed by naming it', () => {
    const service = key({ Principal: { Service: 'ec2.amazonaws.com' } });
    expect(decision('ec2.amazonaws.com', { key: service })).toBe('allowed');
    expect(decision('s3.amazonaws.com', { key: service })).toBe('no-key-policy-allows');
  });
});

describe('kms:RetireGrant [DG grant-manage]', () => {
  const action = 'kms:RetireGrant';

  test('neither key policy nor identity policy allows it', () => {
    expect(decision(userName, { key: key({}), identity: allowAll, action })).toBe(
      'no-key-policy-allows',
    );
  });

  test('the grant does, in any account, unless an identity policy denies it', () => {
    const denying = key({ Effect: 'Deny' });
    expect(decision(userName, { key: denying, identity: allowNothing, action, grant: true })).toBe(
      'allowed',
    );
    expect(decision(stranger, { key: denying, identity: allowNothing, action, grant: true })).toBe(
      'allowed',
    );
    expect(decision(userName, { key: denying, identity: denyAll, action, grant: true })).toBe(
      'explicit-deny-in-identity-policy',
    );
  });
});

test('random policies are decided as a plain reading of the rules decides them', () => {
  const names = ['*', rootName, userName, stranger, otherAccount, `arn:aws:iam::${account}:role/R`];
  const callers = [rootName, userName, session, stranger];
  const one = fc.record({
    Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
    Principal: fc.constantFrom(...names).map((name) => ({ AWS: name })),
    Action: fc.constantFrom('kms:*', 'kms:Decrypt', 'kms:De*', 'kms:Encrypt', 's3:*'),
    Resource: fc.constantFrom('*', keyArn, 'arn:aws:s3:::x'),
  });
  const statements = fc.array(one, { minLength: 1, maxLength: 4 });
  type Plain = { Effect: string; Principal: { AWS: string }; Action: string; Resource: string };

  const about = ({ Action, Resource }: Plain) =>
    ['kms:*', 'kms:Decrypt', 'kms:De*'].includes(Action) && ['*', keyArn].includes(Resource);
  const isCaller = (name: string, caller: string) =>
    name === '*' || name === caller || (caller === session && name.endsWith('role/R'));
  const isAccount = (name: string, caller: string) =>
    (name === rootName && caller.includes(account)) ||
    (name === otherAccount && caller.includes(otherAccount));

  function expected(inKey: Plain[], inIdentity: Plain[], caller: string, grant: boolean): Decision {
    const touching = inKey.filter(
      (entry) =>
        about(entry) &&
        (isCaller(entry.Principal.AWS, caller) || isAccount(entry.Principal.AWS, caller)),
    );
    const identity = caller === rootName ? [] : inIdentity.filter(about);
    if (touching.some(({ Effect }) => Effect === 'Deny')) return 'explicit-deny-in-key-policy';
    // Of a key that is not shared with the caller's account, nothing else is told.
    const shared = touching.length > 0 || grant;
    if (caller === stranger && !shared) return 'no-key-policy-allows';
    if (identity.some(({ Effect }) => Effect === 'Deny')) return 'explicit-deny-in-identity-policy';
    const byIdentity = caller === rootName || identity.length > 0;
    const named = touching.some(({ Principal }) => isCaller(Principal.AWS, caller));
    if (caller === stranger) return byIdentity ? 'allowed' : 'no-identity-policy-allows';
    if (named || grant || (touching.length > 0 && byIdentity)) return 'allowed';
    return touching.length > 0 ? 'no-identity-policy-allows' : 'no-key-policy-allows';
  }

  fc.assert(
    fc.property(
      statements,
      statements,
      fc.constantFrom(...callers),
      fc.boolean(),
      (inKey, inIdentity, caller, grant) => {
        const identity = parsePolicy(document(inIdentity, 'identity'), 'identity');
        const found = decision(caller, {
          key: key(...inKey),
          identity: caller === rootName ? undefined : identity,
          grant,
        });
        expect(found).toBe(expected(inKey, inIdentity, caller, grant));
      },
    ),
    { numRuns: 1500 },
  );
});

test('a decision does not slow down with the number of policies', () => {
  const root = principal(rootName);
  const keys = Array.from({ length: 2000 }, () => ({
    policy: parsePolicy(defaultKeyPolicy(account), 'key'),
    accountId: account,
  }));
  const started = performance.now();
  for (let round = 0; round < 50; round++) {
    for (const one of keys) {
      const policies = { key: one, identity: undefined, grantAllows: () => false };
      if (decide(request({ caller: root }), policies) !== 'allowed') throw new Error('denied');
    }
  }
  // 100,000 decisions; a generous bound for a busy machine.
  expect(performance.now() - started).toBeLessThan(2000);
});
