import { expect, test } from 'vitest';
import { defaultKeyPolicy, parsePolicy } from '../../lib/policy/document.ts';
import { allowsFuturePut } from '../../lib/policy/lock-out.ts';
import {
  account,
  keyArn,
  otherAccount,
  policy,
  principal,
  rootName,
  statement,
  userName,
} from './documents.ts';

const allowAll = policy([statement()], 'identity');
const allowNothing = policy([statement({ Action: 's3:*' })], 'identity');
const byDefault = parsePolicy(defaultKeyPolicy(account), 'key');
const forUser = policy([statement({ Principal: { AWS: userName }, Action: 'kms:PutKeyPolicy' })]);
const stranger = `arn:aws:iam::${otherAccount}:user/eve`;

test.each([
  ['the default policy keeps the root in', byDefault, rootName, undefined, true],
  [
    'a delegating policy does not lock out a caller whose identity policy allows it',
    byDefault,
    userName,
    allowAll,
    true,
  ],
  [
    'and locks out a caller whose identity policy does not',
    byDefault,
    userName,
    allowNothing,
    false,
  ],
  ['a policy that names the caller keeps it in', forUser, userName, allowNothing, true],
  ['and locks out the root', forUser, rootName, undefined, false],
  ['another account is always locked out', policy([statement()]), stranger, allowAll, false],
  [
    'a deny locks out',
    policy([statement(), statement({ Effect: 'Deny', Action: 'kms:Put*' })]),
    rootName,
    undefined,
    false,
  ],
  [
    'other actions do not help',
    policy([statement({ Action: 'kms:Decrypt' })]),
    rootName,
    undefined,
    false,
  ],
])('%s', (_, keyPolicy, caller, identity, expected) => {
  const put = {
    keyArn,
    accountId: account,
    caller: principal(caller),
    identity,
    condition: () => undefined,
  };
  expect(allowsFuturePut(keyPolicy, put)).toBe(expected);
});
