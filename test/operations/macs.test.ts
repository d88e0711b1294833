// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KeySpec, MacAlgorithmSpec } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { importedKey } from './asymmetric-keys.ts';
import {
  absentKeyId,
  bytes,
  complaint,
  dryRun,
  failureText,
  flipped,
  members,
  newKey,
  openKms,
  validation,
} from './support.ts';

const KeyUsage = 'GENERATE_VERIFY_MAC';
const Message = Buffer.from('what is to be authenticated');

const rows = [
  ['HMAC_224', 'HMAC_SHA_224', 'sha224', 28],
  ['HMAC_256', 'HMAC_SHA_256', 'sha256', 32],
  ['HMAC_384', 'HMAC_SHA_384', 'sha384', 48],
  ['HMAC_512', 'HMAC_SHA_512', 'sha512', 64],
] as const satisfies readonly (readonly [KeySpec, MacAlgorithmSpec, string, number])[];

/** [LS] Without a message. */
const invalidMac = 'KMSInvalidMacException: ';

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

describe.each(rows)('%s with %s', (KeySpec, MacAlgorithm, hash, length) => {
  test('a MAC is that of the algorithm’s full length, and verifies', async () => {
    const { Arn } = await newKey(kms, { KeySpec, KeyUsage });
    const answer = await kms.generateMac({ KeyId: Arn, MacAlgorithm, Message });
    expect(members(answer)).toEqual(['KeyId', 'Mac', 'MacAlgorithm']);
    expect(answer).toMatchObject({ KeyId: Arn, MacAlgorithm });
    expect(answer.Mac).toHaveLength(length);
    const { Mac } = answer;
    expect(await kms.verifyMac({ KeyId: Arn, MacAlgorithm, Message, Mac })).toEqual({
      KeyId: Arn,
      MacValid: true,
      MacAlgorithm,
    });
  });

  test('node:crypto makes the same MAC of the same secret', async () => {
    const secret = crypto.randomBytes(length);
    const { KeyId } = await importedKey(kms, { KeySpec, KeyUsage }, secret);
    const theirs = crypto.createHmac(hash, secret).update(Message).digest();
    expect(bytes((await kms.generateMac({ KeyId, MacAlgorithm, Message })).Mac)).toEqual(theirs);
    await kms.verifyMac({ KeyId, MacAlgorithm, Message, Mac: theirs });
  });

  test('a wrong MAC is refused without a message, however it is wrong', async () => {
    const { KeyId } = await newKey(kms, { KeySpec, KeyUsage });
    const good = bytes((await kms.generateMac({ KeyId, MacAlgorithm, Message })).Mac);
    const wrong = [
      ...[0, 7, length * 8 - 1].map((bit) => flipped(good, bit)),
      good.subarray(1),
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.alloc(length),
      Buffer.alloc(1),
    ];
    for (const Mac of wrong) {
      expect(await failureText(kms.verifyMac({ KeyId, MacAlgorithm, Message, Mac }))).toBe(
        invalidMac,
      );
    }
    const request = { KeyId, MacAlgorithm, Message: flipped(Message, 3), Mac: good };
    expect(await failureText(kms.verifyMac(request))).toBe(invalidMac);
  });

  test('the algorithms of other specs are refused', async () => {
    const { KeyId } = await newKey(kms, { KeySpec, KeyUsage });
    for (const [, other] of rows) {
      if (other === MacAlgorithm) continue;
      expect(await failureText(kms.generateMac({ KeyId, MacAlgorithm: other, Message }))).toBe(
        `InvalidKeyUsageException: Algorithm ${other} is incompatible with key spec ${KeySpec}.`,
      );
    }
  });
});

test('no two keys make the same MAC', async () => {
  const macs = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const { KeyId } = await newKey(kms, { KeySpec: 'HMAC_256', KeyUsage });
    const { Mac } = await kms.generateMac({ KeyId, MacAlgorithm: 'HMAC_SHA_256', Message });
    macs.add(bytes(Mac).toString('hex'));
  }
  expect(macs.size).toBe(5);
});

describe.each(['GenerateMac', 'VerifyMac'] as const)('%s', (operation) => {
  const base = { MacAlgorithm: 'HMAC_SHA_512', Message, Mac: Buffer.alloc(64) };
  const failing = (request: object) => failureText(kms.call(operation, { ...base, ...request }));

  test('looks at usage, then state, then algorithm, then the dry run', async () => {
    const symmetric = await newKey(kms);
    await kms.disableKey({ KeyId: symmetric.KeyId });
    // [FL keyUsageIsCheckedBeforeTheKeyState]
    expect(await failing({ KeyId: symmetric.KeyId })).toBe(
      `InvalidKeyUsageException: ${symmetric.Arn} key usage is ENCRYPT_DECRYPT which is not valid ` +
        `for ${operation}.`,
    );
    const { KeyId, Arn } = await newKey(kms, { KeySpec: 'HMAC_256', KeyUsage });
    expect(await failing({ KeyId, DryRun: true })).toBe(
      'InvalidKeyUsageException: Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.',
    );
    const { Mac } = await kms.generateMac({ KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' });
    const sound = { KeyId, MacAlgorithm: 'HMAC_SHA_256', Mac, DryRun: true };
    expect(await failing(sound)).toBe(dryRun);
    await kms.disableKey({ KeyId });
    // [FL cryptoOperationsRejectADisabledKey]
    expect(await failing({ KeyId })).toBe(`DisabledException: ${Arn} is disabled.`);
    await kms.scheduleKeyDeletion({ KeyId });
    // [FL cryptoOperationsRejectAKeyPendingDeletion]
    expect(await failing({ KeyId })).toBe(`KMSInvalidStateException: ${Arn} is pending deletion.`);
  });

  // [FL operationsRejectAKeyPendingImport]
  test('says so if the key waits for its secret', async () => {
    const { Arn } = await newKey(kms, { KeySpec: 'HMAC_512', KeyUsage, Origin: 'EXTERNAL' });
    expect(await failing({ KeyId: Arn })).toBe(
      `KMSInvalidStateException: ${Arn} is pending import.`,
    );
  });

  test('knows its members before it looks for the key', async () => {
    const KeyId = absentKeyId;
    expect(await failing({ KeyId })).toMatch(/^NotFoundException: /);
    // [LS, FL] The order of the algorithms is AWS's.
    expect(await failing({ KeyId, MacAlgorithm: 'X' })).toBe(
      validation(
        complaint(
          "'X'",
          'macAlgorithm',
          'satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]',
        ),
      ),
    );
    // [FL blobMembersAreValidatedBeforeTheKeyIsLookedUp]
    expect(await failing({ KeyId, Message: Buffer.alloc(0) })).toBe(
      validation(complaint('', 'message', 'have length greater than or equal to 1')),
    );
  });
});

// [FL blobMembersAreValidatedBeforeTheKeyIsLookedUp]
test('VerifyMac requires a MAC, and answers without one', async () => {
  const request = { KeyId: absentKeyId, MacAlgorithm: 'HMAC_SHA_256', Message };
  expect(await failureText(kms.call('VerifyMac', request))).toBe(
    validation(complaint('null', 'mac', 'not be null')),
  );
  expect(await failureText(kms.call('VerifyMac', { ...request, Mac: Buffer.alloc(0) }))).toBe(
    validation(complaint('', 'mac', 'have length greater than or equal to 1')),
  );
});
