// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are spelled like that
// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KmsError } from '../../lib/model/errors.ts';
import {
  defaultIdentityPolicy,
  defaultKeyPolicy,
  type PolicyKind,
  parsePolicy,
} from '../../lib/policy/document.ts';
import { decide } from '../../lib/policy/evaluate.ts';
import { failureText } from '../model/failures.ts';
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

const malformed = 'MalformedPolicyDocumentException';
const invalidPrincipals = `${malformed}: Policy contains a statement with one or more invalid principals.`;

function refusal(text: string, kind: PolicyKind = 'key'): string {
  return failureText(() => parsePolicy(text, kind));
}

function refusalOf(changes: object, kind: PolicyKind = 'key'): string {
  return refusal(document([statement({ ...changes })], kind), kind);
}

describe('default policies', () => {
  test('the key policy is the recorded one [LS test_replicate_key 2025-11-10]', () => {
    expect(JSON.parse(defaultKeyPolicy(account))).toEqual({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Allow',
          Principal: { AWS: rootName },
          Action: 'kms:*',
          Resource: '*',
        },
      ],
    });
  });

  test('the key policy has newlines and spaces around colons [LS-v test_get_put_list_key_policies]', () => {
    expect(defaultKeyPolicy(account)).toMatch(/^\{\n {2}"Version" : "2012-10-17",\n/);
    expect(() => parsePolicy(defaultKeyPolicy(account), 'key')).not.toThrow();
  });

  test.each([
    ['kms:Decrypt', keyArn, true],
    ['kms:CreateAlias', `arn:aws:kms:eu-west-1:${account}:alias/x`, true],
    ['kms:CreateKey', '*', true],
    ['kms:ListAliases', '*', true],
    ['kms:Decrypt', keyArn.replace(account, otherAccount), false],
    ['kms:Decrypt', '*', false],
    ['iam:CreateUser', keyArn, false],
  ])('the identity policy lets %s on %s: %s', (action, resource, expected) => {
    const identity = defaultIdentityPolicy(account);
    const decision = decide(request({ action, resource }), { identity, grantAllows: () => false });
    expect(decision).toBe(expected ? 'allowed' : 'no-identity-policy-allows');
  });
});

describe('what is accepted', () => {
  test.each([
    ['no version', JSON.stringify({ Statement: statement() })],
    ['the version of 2008', JSON.stringify({ Version: '2008-10-17', Statement: [statement()] })],
    ['an action of another service', document([statement({ Action: ['s3:GetObject', 'kms:*'] })])],
    ['an Sid with spaces', document([statement({ Sid: 'Allow use of the key' })])],
    ['the same Sid twice', document([statement({ Sid: 'a' }), statement({ Sid: 'a' })])],
    ['an account id', document([statement({ Principal: { AWS: [account, '*'] } })])],
    ['a service', document([statement({ Principal: { Service: 'ec2.amazonaws.com' } })])],
    ['booleans and numbers', document([statement({ Condition: { Bool: { 'a:b': true } } })])],
    [
      'condition keys in any case',
      document([statement({ Condition: { Null: { 'KMS:KEYspec': 'true' } } })]),
    ],
    ['keys of other services', document([statement({ Condition: { Null: { 's3:x': 'true' } } })])],
    ['an operator without keys', document([statement({ Condition: { StringEquals: {} } })])],
    [
      'NotPrincipal with Deny',
      document([
        statement({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: userName } }),
      ]),
    ],
    ['exactly 32,768 bytes', document([statement()]).padEnd(32_768)],
  ])('%s', (_, text) => {
    expect(() => parsePolicy(text, 'key')).not.toThrow();
  });
});

describe('what is refused', () => {
  test('more than 32,768 bytes', () => {
    const text = document([statement({ Sid: 'ä' })]);
    expect(refusal(text.padEnd(32_768))).toBe(
      'LimitExceededException: A policy document has at most 32768 bytes.',
    );
  });

  test.each([
    ['', 'The policy is not valid JSON.'],
    ['{"Version":', 'The policy is not valid JSON.'],
    ["{'Statement':[]}", 'The policy is not valid JSON.'],
    [`{"Statement":${'['.repeat(30_000)}`, 'The policy is nested too deep.'],
    ['null', 'The policy must be a JSON object.'],
    ['[]', 'The policy must be a JSON object.'],
    ['"x"', 'The policy must be a JSON object.'],
    ['{}', 'The policy must contain a statement.'],
    ['{"Statement":[]}', 'The policy must contain a statement.'],
    ['{"Statement":"x"}', 'The policy must contain a statement.'],
    ['{"Statement":[1]}', 'A statement must be an object. (Statement 1)'],
    ['{"Statement":[],"Statement":[]}', 'The policy has a duplicate member: "Statement".'],
    ['{"Statement":[],"St\\u0061tement":[]}', 'The policy has a duplicate member: "Statement".'],
    ['{"Statement":[{"a":{"b":1,"b":2}}]}', 'The policy has a duplicate member: "b".'],
    ['{"Statement":[],"Foo":1}', 'The policy has an unknown element: "Foo".'],
    ['{"statement":[]}', 'The policy has an unknown element: "statement".'],
    ['{"Id":1,"Statement":[]}', 'Id must be a string.'],
    [
      '{"Version":"2012-10-18","Statement":[]}',
      'The policy must contain a valid version string: 2008-10-17 or 2012-10-17, not "2012-10-18".',
    ],
  ])('the document %s', (text, message) => {
    expect(refusal(text)).toBe(`${malformed}: ${message}`);
  });

  test.each([
    [{ Foo: 1 }, 'Unknown element: "Foo".'],
    [{ constructor: 1 }, 'Unknown element: "constructor".'],
    [{ Sid: 1 }, 'Sid must be a string.'],
    [{ Effect: undefined }, 'Effect must be Allow or Deny.'],
    [{ Effect: 'allow' }, 'Effect must be Allow or Deny.'],
    [{ Action: undefined }, 'The statement must contain actions.'],
    [{ Action: [] }, 'The statement must contain actions.'],
    [{ Action: 7 }, 'Action must be a string or a list of strings.'],
    [{ Action: [null] }, 'Action must be a string or a list of strings.'],
    [{ Action: 'Decrypt' }, 'Actions must be prefaced by a vendor, as in kms:Decrypt: "Decrypt".'],
    [{ Action: 'kms:' }, 'Actions must be prefaced by a vendor, as in kms:Decrypt: "kms:".'],
    [{ NotAction: 'kms:*' }, 'A statement cannot have both Action and NotAction.'],
    [{ Resource: undefined }, 'The statement must contain resources.'],
    [{ Resource: 'key/*' }, 'Resource key/* must be in ARN format or "*".'],
    [{ Resource: 'arn:aws:kms:*' }, 'Resource arn:aws:kms:* must be in ARN format or "*".'],
    [{ NotResource: '*' }, 'A statement cannot have both Resource and NotResource.'],
    [{ NotPrincipal: '*' }, 'A statement cannot have both Principal and NotPrincipal.'],
    [
      { Principal: undefined, NotPrincipal: '*' },
      'NotPrincipal must be used with "Effect": "Deny".',
    ],
    [{ Condition: [] }, 'Condition must be an object.'],
    [{ Condition: { Bool: 1 } }, 'The condition "Bool" must be an object.'],
    [{ Condition: { Foo: { 'a:b': 'c' } } }, 'Invalid condition operator: "Foo".'],
    [
      { Condition: { StringEquals: { KeySpec: 'x' } } },
      'Conditions must be prefaced by a vendor, as in kms:KeySpec: "KeySpec".',
    ],
    [
      { Condition: { StringEquals: { 'kms:KeySpec': null } } },
      'The condition key "kms:KeySpec" takes strings, numbers and booleans.',
    ],
    [
      { Condition: { StringEquals: { 'kms:KeySpec': [['x']] } } },
      'The condition key "kms:KeySpec" takes strings, numbers and booleans.',
    ],
    [
      { Condition: { 'ForAllValues:StringLike': { 'kms:EncryptionContext:A': '*' } } },
      'OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued ' +
        'condition key matches requests without the specified encryption context or with an ' +
        'unspecified encryption context. To fix, remove ForAllValues.',
    ],
    [
      { Condition: { 'ForAllValues:StringLike': { 'aws:RequestTag/A': '*' } } },
      'OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued ' +
        'condition key matches requests without the specified tag or with an unspecified tag. ' +
        'To fix, remove ForAllValues.',
    ],
  ])('the statement with %j', (changes, message) => {
    expect(refusalOf(changes)).toBe(`${malformed}: ${message} (Statement 1)`);
  });

  test.each([
    ['x'],
    [{}],
    [{ AWS: [] }],
    [{ AWS: 1 }],
    [{ AWS: ['bob'] }],
    [{ AWS: `arn:aws:iam::${account}:user/*` }],
    [{ AWS: `arn:aws:iam::${account}:group/g` }],
    [{ AWS: 'AIDAEXAMPLE' }],
    [{ AWS: 'ec2.amazonaws.com' }],
    [{ Service: rootName }],
    [{ Service: '*' }],
    [{ Federated: 'cognito-identity.amazonaws.com' }],
    [{ CanonicalUser: 'x' }],
    [null],
    [['*']],
  ])('the principal %j, in the words of AWS [ISS]', (value) => {
    expect(refusalOf({ Principal: value })).toBe(invalidPrincipals);
  });

  test('a key policy without principals', () => {
    expect(refusalOf({ Principal: undefined })).toBe(
      `${malformed}: Policy contains a statement with no principal.`,
    );
  });

  test('an identity policy with principals, and Sids that IAM refuses', () => {
    const withPrincipal = JSON.stringify({ Statement: [statement()] });
    expect(refusal(withPrincipal, 'identity')).toBe(
      `${malformed}: An identity policy cannot have the element Principal. (Statement 1)`,
    );
    expect(refusalOf({ Sid: 'a b' }, 'identity')).toBe(
      `${malformed}: Statement IDs (SID) must be alpha-numeric. (Statement 1)`,
    );
    const twice = document([statement({ Sid: 'a' }), statement({ Sid: 'a' })], 'identity');
    expect(refusal(twice, 'identity')).toBe(
      `${malformed}: Statement IDs (SID) in a single policy must be unique. (Statement 2)`,
    );
  });
});

describe('the requests that a statement covers', () => {
  test.each([
    [{ Action: 'kms:Decrypt' }, 'kms:Decrypt', true],
    [{ Action: 'KMS:decrypt' }, 'kms:Decrypt', true],
    [{ Action: 'kms:D?crypt' }, 'kms:Decrypt', true],
    [{ Action: 'kms:ReEncrypt*' }, 'kms:ReEncryptFrom', true],
    [{ Action: 'kms:ReEncrypt' }, 'kms:ReEncryptFrom', false],
    [{ Action: '*' }, 'kms:Decrypt', true],
    [{ Action: 's3:*' }, 'kms:Decrypt', false],
    [{ Action: undefined, NotAction: 'kms:Decrypt' }, 'kms:Decrypt', false],
    [{ Action: undefined, NotAction: ['kms:Decrypt', 'kms:Sign'] }, 'kms:Encrypt', true],
    [{ Resource: keyArn }, 'kms:Decrypt', true],
    [{ Resource: `arn:aws:kms:*:${otherAccount}:key/*` }, 'kms:Decrypt', false],
    [{ Resource: undefined, NotResource: keyArn }, 'kms:Decrypt', false],
    [{ Resource: undefined, NotResource: 'arn:aws:s3:::x' }, 'kms:Decrypt', true],
  ])('%j covers %s: %s', (changes, action, expected) => {
    const [allow] = policy([statement(changes)]).allows;
    expect(allow?.covers(action, keyArn, () => undefined)).toBe(expected);
  });

  test('NotPrincipal excepts the named principals, and of a named account its root alone', () => {
    const names = { AWS: [userName, account] };
    const [deny] = policy([
      statement({ Effect: 'Deny', Principal: undefined, NotPrincipal: names }),
    ]).denies;
    const reach = (arn: string) => deny?.reach(principal(arn));
    expect(reach(userName)).toBeUndefined();
    expect(reach(rootName)).toBeUndefined();
    expect(reach(`arn:aws:iam::${account}:user/eve`)).toBe('named');
  });
});

describe('mutated documents', () => {
  const sample = document([
    statement({
      Sid: 'x',
      Principal: { AWS: [rootName, '*'], Service: 'ec2.amazonaws.com' },
      Condition: {
        'ForAnyValue:StringLikeIfExists': {
          'kms:EncryptionContextKeys': ['a*', '${aws:username}'],
        },
        DateLessThan: { 'aws:CurrentTime': '2026-11-22' },
        ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/*' },
      },
    }),
    statement({ Effect: 'Deny', Action: undefined, NotAction: 'kms:?ecrypt' }),
  ]);

  function parsesOrThrowsKmsError(text: string, kind: PolicyKind): void {
    try {
      for (const one of Object.values(parsePolicy(text, kind)).flat()) {
        one.reach(principal(userName));
        one.covers('kms:Decrypt', keyArn, () => ['a']);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(KmsError);
    }
  }

  test('as texts, they are read or refused with a KmsError', () => {
    const edit = fc.record({
      at: fc.nat(sample.length),
      drop: fc.nat(9),
      put: fc.oneof(fc.string(), fc.constantFrom('{', '}', '[', ']', '"', ',', '*', '${', '\\')),
    });
    fc.assert(
      fc.property(
        fc.array(edit, { maxLength: 4 }),
        fc.constantFrom('key', 'identity'),
        (edits, kind) => {
          let text = sample;
          for (const { at, drop, put } of edits)
            text = text.slice(0, at) + put + text.slice(at + drop);
          parsesOrThrowsKmsError(text, kind);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('as values, they are read or refused with a KmsError', () => {
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('*', 'kms:*', rootName, '__proto__', '${', 'arn:::::', 'Allow'),
    );
    const path = fc.array(fc.nat(8), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(path, odd, fc.constantFrom('key', 'identity'), (steps, value, kind) => {
        parsesOrThrowsKmsError(JSON.stringify(replaced(JSON.parse(sample), steps, value)), kind);
      }),
      { numRuns: 2000 },
    );
  });

  function replaced(
    from: unknown,
    [step = 0, ...rest]: readonly number[],
    value: unknown,
  ): unknown {
    if (typeof from !== 'object' || from === null) return value;
    const keys = Object.keys(from);
    const key = keys[step % Math.max(keys.length, 1)] ?? 'new';
    const inner = (from as Record<string, unknown>)[key];
    const next = rest.length === 0 ? value : replaced(inner, rest, value);
    return Array.isArray(from)
      ? from.map((one, index) => (String(index) === key ? next : one))
      : { ...from, [key]: next };
  }
});

/** Why a policy is refused, if it is. */
function outcomeOf(text: string, options?: { stored: boolean }): string {
  try {
    parsePolicy(text, 'key', options);
    return 'ok';
  } catch (error) {
    return error instanceof KmsError ? `${error.name}: ${error.message}` : `${error}`;
  }
}

describe('a condition key that is not known here', () => {
  const refused = (condition: object, more: object = {}) =>
    outcomeOf(document([statement(), statement({ Condition: condition, ...more })]));

  test.each([
    ['aws:PrincipalOrgID', 'pairmint knows no organizations'],
    ['AWS:principalTAG/team', 'pairmint knows no tags of principals'],
    ['aws:SourceVpce', 'pairmint does not know what network a request came through'],
    ['kms:TrailingDaysWithoutKeyUsage', 'pairmint does not note when keys are used'],
    ['kms:KeySpecs', 'pairmint does not know what it is'],
    ['aws:SourceIP2', 'pairmint does not know what it is'],
    ['kms:EncryptionContext:', 'pairmint does not know what it is'],
    ['aws:ResourceTag/', 'pairmint does not know what it is'],
    ['kms:EncryptionContext', 'pairmint does not know what it is'],
    ['saml:sub', 'pairmint does not know who authenticated a session'],
    ['SAML:aud', 'pairmint does not know who authenticated a session'],
    ['accounts.google.com:aud', 'pairmint does not know who authenticated a session'],
    ['cognito-identity.amazonaws.com:amr', 'pairmint does not know who authenticated a session'],
  ])('is refused: %s', (key, reason) => {
    expect(refused({ StringEquals: { 'kms:KeySpec': 'x' }, StringLike: { [key]: 'x' } })).toBe(
      `MalformedPolicyDocumentException: The condition key ${JSON.stringify(key)} cannot be used: ` +
        `${reason}. (Statement 2)`,
    );
  });

  test('is refused as a variable, but not in the version without variables', () => {
    const Condition = { StringEquals: { 'aws:username': ['a', "${aws:PrincipalTag/name, 'b'}"] } };
    expect(refused(Condition)).toMatch(/"aws:principaltag\/name" cannot be used/);
    const Resource = 'arn:aws:kms:*:*:key/${aws:SourceIdentity}';
    expect(refused({}, { Resource })).toMatch(/"aws:sourceidentity" cannot be used/);
    const ofIdentity = { StringEquals: { 'kms:EncryptionContext:who': '${saml:sub}' } };
    expect(refused(ofIdentity)).toMatch(/"saml:sub" cannot be used/);
    const old = JSON.stringify({ Version: '2008-10-17', Statement: [statement({ Condition })] });
    expect(() => parsePolicy(old, 'key')).not.toThrow();
  });

  test('is refused at any place of a statement, and in any spelling', () => {
    const key = 'aws:SourceVpce';
    for (const operator of ['StringEquals', 'StringNotLikeIfExists', 'ForAnyValue:StringLike']) {
      expect(refused({ [operator]: { [key.toUpperCase()]: ['x'] } })).toMatch(/cannot be used/);
    }
    expect(refused({ Null: { [key]: 'false' } })).toMatch(/cannot be used/);
    expect(refused({}, { Effect: 'Deny' })).toBe('ok');
    const deny = {
      Effect: 'Deny',
      Resource: undefined,
      NotResource: `arn:aws:kms:*:*:key/\${${key}}`,
    };
    expect(refused({}, deny)).toMatch(/"aws:sourcevpce" cannot be used/);
  });

  test('is not refused if it is of another service, whose requests alone have it', () => {
    expect(refused({ StringEquals: { 's3:prefix': 'x', 'kms-x:y': 'z' } })).toBe('ok');
  });

  test('is absent in a policy that was kept before', () => {
    const text = document([statement({ Condition: { Null: { 'aws:PrincipalOrgID': 'true' } } })]);
    expect(() => parsePolicy(text, 'key')).toThrow();
    expect(() => parsePolicy(text, 'key', { stored: true })).not.toThrow();
  });
});

describe('a condition that says something else than it seems to', () => {
  const parsed = (condition: object, options?: { stored: boolean }) =>
    outcomeOf(document([statement({ Condition: condition })]), options);

  test.each<[object, string]>([
    [{ StringNotEquals: { 'kms:KeySpec': [] } }, 'The condition key "kms:KeySpec" has no value.'],
    [{ StringEquals: { 'kms:KeySpec': [] } }, 'The condition key "kms:KeySpec" has no value.'],
    [{ Null: { 'kms:RequestAlias': [] } }, 'The condition key "kms:RequestAlias" has no value.'],
    [
      { ArnLike: { 'AWS:principalarn': ['arn:aws:iam::*:role/a', 'arn:aws:iam::*:role/team/*'] } },
      'The value "arn:aws:iam::*:role/team/*" of aws:PrincipalArn cannot be used: pairmint does ' +
        'not know the path of a role from its sessions. Name the role without its path, as in ' +
        "'role/NAME'.",
    ],
  ])('is refused: %j', (condition, reason) => {
    expect(parsed(condition)).toBe(`MalformedPolicyDocumentException: ${reason} (Statement 1)`);
    expect(parsed(condition, { stored: true })).toBe('ok');
  });

  test.each([
    {},
    { ArnLike: { 'aws:PrincipalArn': ['arn:aws:iam::*:role/*', 'arn:aws:iam::*:user/team/*'] } },
  ])('is not %j', (condition) => expect(parsed(condition)).toBe('ok'));
});
