import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePrincipal, principalName, reachOf } from '../../lib/policy/principal.ts';
import { principal } from './documents.ts';

const iam = 'arn:aws:iam::111122223333';
const sts = 'arn:aws:sts::111122223333';

test.each([
  [`${iam}:root`, 'root', '111122223333', '', undefined],
  [`${iam}:user/bob`, 'user', '111122223333', 'bob', undefined],
  [`${iam}:user/a/b/bob`, 'user', '111122223333', 'bob', undefined],
  [`${iam}:role/R`, 'role', '111122223333', 'R', undefined],
  [`${iam}:role/service-role/R`, 'role', '111122223333', 'R', undefined],
  [`${sts}:assumed-role/R/i-0448`, 'assumed-role', '111122223333', 'R', 'i-0448'],
  [`${sts}:federated-user/f@x`, 'federated-user', '111122223333', 'f@x', undefined],
  ['ec2.amazonaws.com', 'service', '', 'ec2', undefined],
  ['logs.us-east-1.amazonaws.com', 'service', '', 'logs.us-east-1', undefined],
])('%s is a principal of kind %s', (arn, kind, accountId, name, session) => {
  const isRoot = kind === 'root';
  expect(parsePrincipal(arn)).toMatchObject({ arn, kind, accountId, name, session, isRoot });
});

test.each([
  '',
  '*',
  'bob',
  '111122223333',
  `${iam}:user/`,
  `${iam}:user/*`,
  `${iam}:user/a//b`,
  `${iam}:group/admins`,
  `${iam}:root/x`,
  `${iam}:role/R\n`,
  `${sts}:assumed-role/R`,
  `${sts}:assumed-role/R/S/T`,
  'arn:aws:iam::1111:root',
  'arn:aws:iam:us-east-1:111122223333:root',
  'arn:aws:s3:::bucket',
  'amazonaws.com',
  'evil.amazonaws.com.example',
  `${iam}:user/${'x'.repeat(2048)}`,
])('%j is no principal', (text) => {
  expect(parsePrincipal(text)).toBeUndefined();
});

describe('the principals that a name covers', () => {
  test.each([
    ['a user by its ARN', `${iam}:user/a/bob`, `${iam}:user/a/bob`, 'named'],
    ['no user of another path', `${iam}:user/bob`, `${iam}:user/a/bob`, undefined],
    ['no user whose name differs in case', `${iam}:user/Bob`, `${iam}:user/bob`, undefined],
    ['a role by its ARN', `${iam}:role/R`, `${iam}:role/R`, 'named'],
    ['a session by its ARN', `${sts}:assumed-role/R/S`, `${sts}:assumed-role/R/S`, 'named'],
    ['no other session', `${sts}:assumed-role/R/S`, `${sts}:assumed-role/R/T`, undefined],
    ['a session by its role', `${iam}:role/R`, `${sts}:assumed-role/R/S`, 'named'],
    ['a session by its role with a path', `${iam}:role/p/R`, `${sts}:assumed-role/R/S`, 'named'],
    ['no session of another role', `${iam}:role/Q`, `${sts}:assumed-role/R/S`, undefined],
    ['no role by a session', `${sts}:assumed-role/R/S`, `${iam}:role/R`, undefined],
    ['an account by its root', `${iam}:root`, `${iam}:user/bob`, 'delegated'],
    ['an account by its id', '111122223333', `${sts}:federated-user/f`, 'delegated'],
    ['the root itself', '111122223333', `${iam}:root`, 'named'],
    ['no other account', '444455556666', `${iam}:root`, undefined],
    ['no user by its role-like name', `${iam}:role/bob`, `${iam}:user/bob`, undefined],
    ['a service by its name', 'ec2.amazonaws.com', 'ec2.amazonaws.com', 'named'],
    ['no service by an account', '111122223333', 'ec2.amazonaws.com', undefined],
  ])('%s', (_, name, caller, reach) => {
    expect(reachOf(principalName(name) ?? '', principal(caller))).toBe(reach);
  });
});

test('any text is read in linear time or refused', () => {
  const part = fc.constantFrom('arn:aws:iam::', '111122223333', ':user/', 'a/', '/', 'x', '=', '.');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 200 }), (parts) => {
      const text = parts.join('');
      expect(parsePrincipal(text)?.arn ?? text).toBe(text);
    }),
  );
});
