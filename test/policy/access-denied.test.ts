// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { describe, expect, test } from 'vitest';
import { accessDenied } from '../../lib/policy/access-denied.ts';
import { account, keyArn, principal, request } from './documents.ts';

const session = `arn:aws:sts::${account}:assumed-role/Role/i-0448`;
const asked = request({ caller: principal(session), action: 'kms:CreateGrant' });
const start = `User: ${session} is not authorized to perform: kms:CreateGrant on`;
const unknown =
  'because the resource does not exist in this Region, no resource-based policies allow access, ' +
  'or a resource-based policy explicitly denies access';

describe('the texts of AWS', () => {
  test.each([
    [
      'no key policy [ISS 2021-10]',
      'no-key-policy-allows',
      { foreign: false },
      `resource: ${keyArn} because no resource-based policy allows the kms:CreateGrant action`,
    ],
    [
      'no identity policy [ISS 2024-08]',
      'no-identity-policy-allows',
      { foreign: false },
      `resource: ${keyArn} because no identity-based policy allows the kms:CreateGrant action`,
    ],
    [
      'a deny of the key policy (unverified)',
      'explicit-deny-in-key-policy',
      { foreign: false },
      `resource: ${keyArn} with an explicit deny in a resource-based policy`,
    ],
    [
      'a deny of the identity policy (unverified)',
      'explicit-deny-in-identity-policy',
      { foreign: false },
      `resource: ${keyArn} with an explicit deny in an identity-based policy`,
    ],
    [
      'a key of another account [ISS]',
      'no-key-policy-allows',
      { foreign: true },
      `this resource ${unknown}`,
    ],
    [
      'a deny of another account says no more',
      'explicit-deny-in-key-policy',
      { foreign: true },
      `this resource ${unknown}`,
    ],
    [
      'another account, no identity policy',
      'no-identity-policy-allows',
      { foreign: true },
      `resource: ${keyArn} because no identity-based policy allows the kms:CreateGrant action`,
    ],
    [
      'a ciphertext alone, no key policy [ISS]',
      'no-key-policy-allows',
      { foreign: false, ciphertext: true },
      `the resource associated with this ciphertext ${unknown}`,
    ],
    [
      'a ciphertext alone, no identity policy [ISS]',
      'no-identity-policy-allows',
      { foreign: false, ciphertext: true },
      'the resource associated with this ciphertext because no identity-based policy allows the kms:CreateGrant action',
    ],
  ] as const)('%s', (_, decision, options, rest) => {
    const error = accessDenied(asked, decision, options);
    expect(error).toMatchObject({ name: 'AccessDeniedException', httpStatusCode: 400 });
    expect(error.message).toBe(`${start} ${rest}`);
  });

  test('the tags of a key that is being made have no resource [ISS 2023]', () => {
    const tagging = { ...asked, action: 'kms:TagResource' };
    const decision = 'no-identity-policy-allows';
    const error = accessDenied(tagging, decision, { foreign: false, unnamed: true });
    expect(error.message).toBe(
      `User: ${session} is not authorized to perform: kms:TagResource ` +
        'because no identity-based policy allows the kms:TagResource action',
    );
  });

  test('an operation without resource names the asterisk', () => {
    const error = accessDenied({ ...asked, resource: '*' }, 'no-identity-policy-allows', {
      foreign: false,
    });
    expect(error.message).toContain('on resource: * because');
  });
});
