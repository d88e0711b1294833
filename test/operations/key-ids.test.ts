import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/pairmint.ts';
import {
  type Cryptographic,
  callCryptographic,
  callKeyOnly,
  cryptographicCalls,
  type KeyOnly,
  keyOnlyCalls,
  names,
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
  newBlob,
  newKey,
  openKms,
  validation,
} from './support.ts';

const AliasName = 'alias/forms';
const withAlias = [...names(cryptographicCalls), 'DescribeKey'] as const;
const all = [...withAlias, ...names(keyOnlyCalls)] as const;

let kms: Pairmint;
let key: MadeKey;
let blob: Uint8Array;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
  blob = await newBlob(kms, key.KeyId);
  await kms.createAlias({ AliasName, TargetKeyId: key.KeyId });
});

function call(operation: (typeof all)[number], KeyId: string): Promise<object> {
  if (operation === 'DescribeKey') return kms.describeKey({ KeyId });
  if (operation in keyOnlyCalls) return callKeyOnly(kms, operation as KeyOnly, KeyId);
  return callCryptographic(kms, operation as Cryptographic, { KeyId, blob });
}

const failing = (operation: (typeof all)[number], KeyId: string) =>
  failureText(call(operation, KeyId));

describe.each(withAlias)('%s', (operation) => {
  test('takes all four forms, and answers with the key ARN', async () => {
    for (const KeyId of [key.KeyId, key.Arn, AliasName, aliasArn(AliasName)]) {
      const response = await call(operation, KeyId);
      const found =
        'KeyMetadata' in response ? response.KeyMetadata : { Arn: key.Arn, ...response };
      expect(found).toMatchObject({ Arn: key.Arn });
      if (operation !== 'DescribeKey') expect(response).toMatchObject({ KeyId: key.Arn });
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
    const text = 'InvalidArnException: Key Aliases are not supported for this operation.';
    for (const name of [AliasName, 'alias/nope', 'alias/aws/nope']) {
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
    const foreign = key.Arn.replace('us-east-1', 'us-west-2');
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

test.each(
  all.filter((name) => !['Decrypt', 'ReEncrypt', 'CreateAlias', 'ListAliases'].includes(name)),
)('%s needs a KeyId', async (operation) => {
  const { KeyId: _, ...request } =
    operation in cryptographicCalls
      ? (cryptographicCalls[operation as Cryptographic]({ KeyId: '', blob }) as { KeyId?: string })
      : {};
  expect(await failureText(kms.call(operation, request))).toBe(
    validation(complaint('null', 'keyId', 'not be null')),
  );
});

test('ARNs carry the region that the service was opened for', async () => {
  const west = await openKms({ region: 'eu-west-1' });
  const { Arn, KeyId } = await newKey(west);
  expect(Arn).toBe(`arn:aws:kms:eu-west-1:${accountId}:key/${KeyId}`);
  expect(await failureText(kms.describeKey({ KeyId: Arn }))).toBe(
    'NotFoundException: Invalid arn eu-west-1',
  );
});
