// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadNative, type Native } from '../../lib/native/addon.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  type Cryptographic,
  callCryptographic,
  cryptographicCalls,
  names,
  newSubject,
  type Subject,
} from './calls.ts';
import {
  absentKeyId,
  dryRun,
  failureOf,
  failureText,
  flipped,
  invalidCiphertext,
  keyArn,
  type MadeKey,
  newBlob,
  newKey,
  openKms,
} from './support.ts';

let kms: Pairmint;
let key: MadeKey;
let disabled: MadeKey;
let blob: Uint8Array;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
  disabled = await newKey(kms);
  blob = await newBlob(kms, key.KeyId);
  await kms.disableKey({ KeyId: disabled.KeyId });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const DryRun = true;

describe.each(names(cryptographicCalls))('%s', (operation: Cryptographic) => {
  let subject: MadeKey & Subject;
  let off: MadeKey & Subject;

  beforeAll(async () => {
    subject = await newSubject(kms, operation);
    off = await newSubject(kms, operation);
    await kms.disableKey({ KeyId: off.KeyId });
  });

  // [LS GK::test_generate_data_key_pair_dry_run 2025-04]
  test('fails with DryRunOperationException if it would have succeeded', async () => {
    const failure = await failureOf(callCryptographic(kms, operation, subject, { DryRun }));
    expect(`${failure.name}: ${failure.message}`).toBe(dryRun);
    expect(failure).toMatchObject({ $fault: 'client', httpStatusCode: 400 });
  });

  test('DryRun false or null is as if absent', async () => {
    for (const no of [false, null]) {
      await callCryptographic(kms, operation, subject, { DryRun: no });
    }
    expect(await failureText(callCryptographic(kms, operation, subject, { DryRun }))).toBe(dryRun);
  });

  test('every other error wins', async () => {
    const failing = (on: Subject, more = {}) =>
      failureText(callCryptographic(kms, operation, on, { DryRun, ...more }));
    expect(await failing({ ...subject, KeyId: absentKeyId })).toBe(
      `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
    );
    expect(await failing(off)).toBe(`DisabledException: ${off.Arn} is disabled.`);
    expect(await failing(subject, { GrantTokens: [''] })).toMatch(/^ValidationException: /);
  });

  test('nothing is made', async () => {
    const native = loadNative();
    const makers = (
      [
        'encrypt',
        'generateDataKey',
        'generateDataKeyPair',
        'sign',
        'generateMac',
      ] satisfies (keyof Native)[]
    ).map((name) => vi.spyOn(native, name));
    await failureText(callCryptographic(kms, operation, subject, { DryRun }));
    for (const maker of makers) expect(maker).not.toHaveBeenCalled();
  });
});

describe('a dry run of Decrypt', () => {
  test('tells whether the ciphertext would open', async () => {
    const wrong = { EncryptionContext: { a: 'b' }, DryRun };
    expect(await failureText(kms.decrypt({ CiphertextBlob: blob, ...wrong }))).toBe(
      invalidCiphertext,
    );
    const CiphertextBlob = flipped(blob, 8 * blob.length - 1);
    expect(await failureText(kms.decrypt({ CiphertextBlob, DryRun }))).toBe(invalidCiphertext);
  });

  test('may leave the ciphertext out if the request says so and names the key', async () => {
    const modified = { DryRun, DryRunModifiers: ['IGNORE_CIPHERTEXT' as const] };
    expect(await failureText(kms.decrypt({ ...modified, KeyId: key.KeyId }))).toBe(dryRun);
    expect(await failureText(kms.decrypt({ ...modified, KeyId: disabled.KeyId }))).toBe(
      `DisabledException: ${disabled.Arn} is disabled.`,
    );
    expect(await failureText(kms.decrypt(modified))).toMatch(/^ValidationException: /);
    const unmodified = { DryRun, KeyId: key.KeyId };
    expect(await failureText(kms.decrypt(unmodified))).toMatch(/at 'ciphertextBlob' failed/);
    const wet = { DryRunModifiers: modified.DryRunModifiers, KeyId: key.KeyId };
    expect(await failureText(kms.decrypt(wet))).toMatch(/at 'ciphertextBlob' failed/);
  });
});

test('a dry run of Verify fails as the real one if the signature is wrong', async () => {
  const { KeyId } = await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const request = {
    KeyId,
    Message: Buffer.from('signed'),
    SigningAlgorithm: 'ECDSA_SHA_256',
  } as const;
  const { Signature } = await kms.sign(request);
  expect(await failureText(kms.verify({ ...request, Signature, DryRun }))).toBe(dryRun);
  const other = { ...request, Message: Buffer.from('another'), Signature, DryRun };
  expect(await failureText(kms.verify(other))).toBe('KMSInvalidSignatureException: ');
});

test('a dry run of VerifyMac fails as the real one if the MAC is wrong', async () => {
  const { KeyId } = await newKey(kms, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  const request = { KeyId, Message: Buffer.from('told'), MacAlgorithm: 'HMAC_SHA_256' } as const;
  const { Mac } = await kms.generateMac(request);
  expect(await failureText(kms.verifyMac({ ...request, Mac, DryRun }))).toBe(dryRun);
  const other = { ...request, Message: Buffer.from('another'), Mac, DryRun };
  expect(await failureText(kms.verifyMac(other))).toBe('KMSInvalidMacException: ');
});

test('a dry run of ReEncrypt may leave the ciphertext out too', async () => {
  const request = {
    DryRun,
    DryRunModifiers: ['IGNORE_CIPHERTEXT' as const],
    DestinationKeyId: key.KeyId,
  };
  expect(await failureText(kms.reEncrypt({ ...request, SourceKeyId: key.KeyId }))).toBe(dryRun);
  expect(await failureText(kms.reEncrypt({ ...request, SourceKeyId: disabled.KeyId }))).toBe(
    `DisabledException: ${disabled.Arn} is disabled.`,
  );
  expect(await failureText(kms.reEncrypt(request))).toMatch(/^ValidationException: /);
});

test('operations without DryRun do not know the member', async () => {
  await kms.call('GenerateRandom', { NumberOfBytes: 1, DryRun });
  await kms.call('DescribeKey', { KeyId: key.KeyId, DryRun });
  expect(await kms.call('EnableKey', { KeyId: key.KeyId, DryRun })).toEqual({});
});
