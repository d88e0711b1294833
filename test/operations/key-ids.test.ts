// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  type Cryptographic,
  callCryptographic,
  callKeyOnly,
  cryptographicCalls,
  type KeyOnly,
  keyOnlyCalls,
  names,
  newSubject,
  type Subject,
} from './calls.ts';
import {
  absentKeyId,
  accountId,
  aliasArn,
  caller,
  complaint,
  failureText,
  keyArn,
  type MadeKey,
  newKey,
  openKms,
  region,
  validation,
} from './support.ts';

// [FL keyOnlyOperationsRejectAnAliasBeforeLookingItUp], [BC]: which operations take aliases.
const readers = ['DescribeKey', 'GetPublicKey'] as const;
const withAlias = [...names(cryptographicCalls), ...readers] as const;
const all = [...withAlias, ...names(keyOnlyCalls)] as const;

let kms: Pairmint;
let key: MadeKey;
const subjects = new Map<string, MadeKey & Subject>();

const aliasOf = (operation: (typeof withAlias)[number]) => `alias/forms/${operation}`;

function subjectOf(operation: string): MadeKey & Subject {
  return subjects.get(operation) ?? { ...key, made: new Uint8Array(1) };
}

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
  for (const operation of withAlias) {
    const isReader = operation === 'DescribeKey' || operation === 'GetPublicKey';
    const subject = await newSubject(kms, isReader ? 'Sign' : operation);
    await kms.createAlias({ AliasName: aliasOf(operation), TargetKeyId: subject.KeyId });
    subjects.set(operation, subject);
  }
});

function call(operation: (typeof all)[number], KeyId: string): Promise<object> {
  if (operation in keyOnlyCalls) return callKeyOnly(kms, operation as KeyOnly, KeyId);
  if (!(operation in cryptographicCalls)) return kms.call(operation, { KeyId });
  const { made } = subjectOf(operation);
  return callCryptographic(kms, operation as Cryptographic, { KeyId, made });
}

const failing = (operation: (typeof all)[number], KeyId: string) =>
  failureText(call(operation, KeyId));

describe.each(withAlias)('%s', (operation) => {
  test('takes all four forms, and answers with the key ARN', async () => {
    const { KeyId: id, Arn } = subjectOf(operation);
    const name = aliasOf(operation);
    for (const KeyId of [id, Arn, name, aliasArn(name)]) {
      const response = await call(operation, KeyId);
      const answered = 'KeyMetadata' in response ? { KeyMetadata: { Arn } } : { KeyId: Arn };
      expect(response).toMatchObject(answered);
    }
  });

  test.each(['alias/nope', 'alias/aws/nope', 'alias/'])('%s is not found', async (name) => {
    const text = `NotFoundException: Alias ${aliasArn(name)} is not found.`;
    expect(await failing(operation, name)).toBe(text);
    expect(await failing(operation, aliasArn(name))).toBe(text);
  });
});

describe.each(names(keyOnlyCalls))('%s', (operation) => {
  test('refuses aliases before it looks them up', async () => {
    const text =
      operation === 'CreateAlias'
        ? 'ValidationException: Aliases must refer to keys. Not aliases'
        : 'InvalidArnException: Key Aliases are not supported for this operation.';
    for (const name of [aliasOf('Encrypt'), 'alias/nope', 'alias/aws/nope']) {
      expect(await failing(operation, name)).toBe(text);
      expect(await failing(operation, aliasArn(name))).toBe(text);
    }
  });
});

const mrk = `mrk-${'0123456789abcdef'.repeat(2)}`;

describe.each(all)('%s', (operation) => {
  test.each(['foo', absentKeyId.replaceAll('-', ''), 'mrk-1234', ` ${absentKeyId}`, 'key/x'])(
    '%j is no key id',
    async (id) => {
      expect(await failing(operation, id)).toBe(`NotFoundException: Invalid keyId '${id}'`);
      expect(await failing(operation, keyArn(id))).toBe(`NotFoundException: Invalid keyId ${id}`);
    },
  );

  test.each([absentKeyId, mrk, absentKeyId.replace('1', 'A')])('%s names no key', async (id) => {
    const text = `NotFoundException: Key '${keyArn(id)}' does not exist`;
    expect(await failing(operation, id)).toBe(text);
    expect(await failing(operation, keyArn(id))).toBe(text);
  });

  test('ids are compared with their case', async () => {
    const id = key.KeyId.toUpperCase();
    const text = `NotFoundException: Key '${keyArn(id)}' does not exist`;
    expect(await failing(operation, id)).toBe(text);
  });

  test('an ARN of another region is refused by that region’s name', async () => {
    const foreign = key.Arn.replace(region, 'us-west-2');
    expect(await failing(operation, foreign)).toBe('NotFoundException: Invalid arn us-west-2');
  });

  test('a key of another account is not ours to use, whether it exists or not', async () => {
    const foreign = key.Arn.replace(accountId, '111122223333');
    const text = await failing(operation, foreign);
    expect(text).toMatch(/^AccessDeniedException: User: /);
    expect(text).toContain(`User: ${caller} is not authorized to perform: kms:${operation}`);
  });

  test.each([
    'arn:aws:s3:::bucket',
    'arn:aws:kms:us-east-1',
    'arn:',
    'arn:aws:kms:us-east-1:1:key/x',
  ])('%s is no ARN of a key', async (arn) => {
    expect(await failing(operation, arn)).toMatch(/^NotFoundException: Invalid arn /);
  });
});

const members: Partial<Record<(typeof all)[number], string>> = {
  CreateAlias: 'targetKeyId',
  ReEncrypt: 'destinationKeyId',
};
const pattern = 'satisfy regular expression pattern: ^\\p{ASCII}+$';

describe.each(all)('%s checks the text of a KeyId before anything else', (operation) => {
  const member = members[operation] ?? 'keyId';
  const complaintOf = (value: string, constraint: string) =>
    complaint(`'${value}'`, member, constraint);

  test.each([
    ['', ['have length greater than or equal to 1', pattern]],
    ['schlüssel', [pattern]],
    ['k'.repeat(2049), ['have length less than or equal to 2048']],
  ])('%#', async (id, constraints) => {
    const text = await failing(operation, id);
    for (const constraint of constraints) expect(text).toContain(complaintOf(id, constraint));
    if (operation === 'ReEncrypt') return;
    expect(text).toBe(validation(...constraints.map((each) => complaintOf(id, each))));
  });
});

const requests = { ...cryptographicCalls, ...keyOnlyCalls };
const needsNone: readonly string[] = ['Decrypt', 'ReEncrypt', 'CreateAlias', 'ListAliases'];

test.each(all.filter((name) => !needsNone.includes(name)))(
  '%s needs a KeyId',
  async (operation) => {
    const complete =
      operation in requests ? requests[operation as KeyOnly](subjectOf(operation)) : {};
    expect(await failureText(kms.call(operation, { ...complete, KeyId: undefined }))).toBe(
      validation(complaint('null', 'keyId', 'not be null')),
    );
  },
);

test('ARNs carry the region that the service was opened for', async () => {
  const west = await openKms({ region: 'eu-west-1' });
  const { Arn, KeyId } = await newKey(west);
  expect(Arn).toBe(`arn:aws:kms:eu-west-1:${accountId}:key/${KeyId}`);
  expect(await failureText(kms.describeKey({ KeyId: Arn }))).toBe(
    'NotFoundException: Invalid arn eu-west-1',
  );
});
