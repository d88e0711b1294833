// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { atLeastAsStrict, type GrantConstraints, grantCovers } from '../../lib/policy/grant.ts';
import { account, otherAccount, principal, rootName, userName } from './documents.ts';

const session = `arn:aws:sts::${account}:assumed-role/R/S`;
const role = `arn:aws:iam::${account}:role/service-role/R`;

function covers(
  constraints: GrantConstraints | undefined,
  encryptionContext: Record<string, string> | undefined,
  operation = 'Decrypt',
): boolean {
  const operations = ['Decrypt', 'DescribeKey', 'RetireGrant'];
  const terms = { granteePrincipal: userName, operations, constraints };
  return grantCovers(terms, { caller: principal(userName), operation, encryptionContext });
}

describe('who and what a grant covers', () => {
  test.each([
    [userName, userName, undefined, true],
    [userName, session, undefined, false],
    [session, session, undefined, true],
    [role, session, undefined, true],
    [`arn:aws:sts::${account}:assumed-role/R/T`, session, undefined, false],
    [rootName, rootName, undefined, true],
    [rootName, userName, undefined, false],
    [rootName, userName, true, true],
    [rootName, userName, false, false],
    [otherAccount, userName, true, false],
    ['no principal', userName, true, false],
    ['*', userName, true, false],
  ])(
    'a grant to %s for %s (identity policy: %s): %s',
    (granteePrincipal, caller, identityAllows, expected) => {
      const terms = { granteePrincipal, operations: ['Decrypt'] };
      const asked = { operation: 'Decrypt', encryptionContext: undefined, identityAllows };
      expect(grantCovers(terms, { ...asked, caller: principal(caller) })).toBe(expected);
    },
  );

  test('operations that are not listed are not covered', () => {
    expect(covers(undefined, undefined, 'Encrypt')).toBe(false);
    expect(covers(undefined, undefined, 'CreateGrant')).toBe(false);
  });
});

describe('constraints [BC GrantConstraints]', () => {
  test.each([
    [{ EncryptionContextEquals: { a: '1' } }, { a: '1' }, true],
    [{ EncryptionContextEquals: { a: '1' } }, { a: '1', b: '2' }, false],
    [{ EncryptionContextEquals: { a: '1' } }, { a: '2' }, false],
    [{ EncryptionContextEquals: { a: '1' } }, undefined, false],
    [{ EncryptionContextEquals: { a: 'x' } }, { a: 'X' }, false],
    [{ EncryptionContextEquals: {} }, undefined, true],
    [{ EncryptionContextEquals: {} }, { a: '1' }, false],
    [{ EncryptionContextEquals: { a: '1', b: '1' } }, { a: '1', A: '1' }, false],
    [{ EncryptionContextEquals: { a: '1' } }, { a: '1', A: '1' }, false],
    [{ EncryptionContextSubset: { a: '1' } }, { a: '1', b: '2' }, true],
    [{ EncryptionContextSubset: { a: '1', b: '2' } }, { a: '1' }, false],
    [{ EncryptionContextSubset: { a: '1' } }, undefined, false],
    [{ EncryptionContextSubset: {} }, undefined, true],
    [{ SourceArn: 'arn:aws:s3:::x' }, { a: '1' }, false],
    [{}, { a: '1' }, true],
  ])('%j with the context %j: %s', (constraints, context, expected) => {
    expect(covers(constraints, context)).toBe(expected);
  });

  test('one that is not understood is fulfilled by no request, but for retiring the grant', () => {
    const later = { ExpiresAt: '2027-01-01' } as GrantConstraints;
    for (const terms of [later, { ...later, EncryptionContextSubset: { a: '1' } }]) {
      expect(covers(terms, { a: '1' })).toBe(false);
      expect(covers(terms, { a: '1' }, 'DescribeKey')).toBe(false);
      expect(covers(terms, undefined, 'RetireGrant')).toBe(true);
    }
  });

  test('DescribeKey and RetireGrant know no constraints [DG create-grant-overview]', () => {
    const constraints = { EncryptionContextEquals: { a: '1' } };
    expect(covers(constraints, undefined, 'DescribeKey')).toBe(true);
    expect(covers(constraints, undefined, 'RetireGrant')).toBe(true);
  });
});

describe('a grant made through a grant [DG create-grant-overview]', () => {
  const equals = { EncryptionContextEquals: { a: '1' } };
  const more = { EncryptionContextEquals: { a: '1', b: '2' } };
  const subset = { EncryptionContextSubset: { a: '1' } };
  const moreSubset = { EncryptionContextSubset: { a: '1', b: '2' } };
  const none = undefined;

  test.each([
    [none, none, true],
    [equals, none, true],
    [none, equals, false],
    [none, subset, false],
    [equals, equals, true],
    [more, equals, false],
    [subset, equals, false],
    [subset, subset, true],
    [moreSubset, subset, true],
    [subset, moreSubset, false],
    [equals, subset, true],
    [more, subset, true],
    [equals, moreSubset, false],
    [{ SourceArn: 'arn:aws:s3:::x' }, { SourceArn: 'arn:aws:s3:::x' }, true],
    [none, { SourceArn: 'arn:aws:s3:::x' }, false],
  ])('%j under %j: %s', (child, parent, expected) => {
    const operations = ['Decrypt'];
    expect(
      atLeastAsStrict({ operations, constraints: child }, { operations, constraints: parent }),
    ).toBe(expected);
  });

  test('has none but the operations of its parent', () => {
    const parent = { granteePrincipal: userName, operations: ['CreateGrant', 'Decrypt'] };
    const asked = {
      caller: principal(userName),
      operation: 'CreateGrant',
      encryptionContext: undefined,
    };
    const through = (...operations: string[]) =>
      grantCovers(parent, { ...asked, child: { operations } });
    expect(through('Decrypt')).toBe(true);
    expect(through('CreateGrant', 'Decrypt')).toBe(true);
    expect(through('Decrypt', 'Encrypt')).toBe(false);
    expect(grantCovers(parent, asked)).toBe(false);
  });

  test('never covers a request that its parent does not', () => {
    const name = fc.constantFrom('a', 'b');
    const pairs = fc.dictionary(name, fc.constantFrom('1', '2'), { maxKeys: 2 });
    const constraints = fc.oneof(
      fc.constant(undefined),
      fc.record({ EncryptionContextEquals: pairs }),
      fc.record({ EncryptionContextSubset: pairs }),
    );
    const terms = (made: GrantConstraints | undefined) => ({
      granteePrincipal: userName,
      operations: ['Decrypt'],
      constraints: made,
    });
    fc.assert(
      fc.property(constraints, constraints, pairs, (child, parent, encryptionContext) => {
        fc.pre(atLeastAsStrict(terms(child), terms(parent)));
        const asked = { caller: principal(userName), operation: 'Decrypt', encryptionContext };
        expect(!grantCovers(terms(child), asked) || grantCovers(terms(parent), asked)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
