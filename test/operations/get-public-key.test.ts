// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { KeySpec, KeyUsageType } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { publicHalf } from './asymmetric-keys.ts';
import { bytes, failureText, members, newKey, openKms } from './support.ts';

/** What node:crypto finds in the public key. */
const rows: readonly (readonly [KeySpec, KeyUsageType, string, object])[] = [
  ['RSA_2048', 'ENCRYPT_DECRYPT', 'rsa', { modulusLength: 2048, publicExponent: 65537n }],
  ['RSA_3072', 'SIGN_VERIFY', 'rsa', { modulusLength: 3072, publicExponent: 65537n }],
  ['RSA_4096', 'SIGN_VERIFY', 'rsa', { modulusLength: 4096, publicExponent: 65537n }],
  ['ECC_NIST_P256', 'SIGN_VERIFY', 'ec', { namedCurve: 'prime256v1' }],
  ['ECC_NIST_P384', 'KEY_AGREEMENT', 'ec', { namedCurve: 'secp384r1' }],
  ['ECC_NIST_P521', 'KEY_AGREEMENT', 'ec', { namedCurve: 'secp521r1' }],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY', 'ec', { namedCurve: 'secp256k1' }],
  ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', 'ed25519', {}],
];

const algorithmMember: Partial<Record<KeyUsageType, string>> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
};

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

const failing = (KeyId: string) => failureText(kms.getPublicKey({ KeyId }));

/** A key in a state in which it cannot be used. */
async function keyIn(state: string, KeySpec: KeySpec, KeyUsage: KeyUsageType) {
  const Origin = state === 'PendingImport' ? 'EXTERNAL' : 'AWS_KMS';
  const key = await newKey(kms, { KeySpec, KeyUsage, Origin });
  if (state === 'Disabled') await kms.disableKey({ KeyId: key.KeyId });
  if (state === 'PendingDeletion') await kms.scheduleKeyDeletion({ KeyId: key.KeyId });
  return key;
}

describe('GetPublicKey', () => {
  test.each(rows)('shows the public key of %s for %s', async (KeySpec, KeyUsage, type, details) => {
    const { KeyId, Arn } = await newKey(kms, { KeySpec, KeyUsage });
    const shown = await kms.getPublicKey({ KeyId });
    const algorithms = algorithmMember[KeyUsage] as keyof typeof shown;
    expect(members(shown)).toEqual(
      [
        ...members({ KeyId, KeySpec, KeyUsage }),
        'PublicKey',
        'CustomerMasterKeySpec',
        algorithms,
      ].sort(),
    );
    const { KeyMetadata } = await kms.describeKey({ KeyId });
    expect(shown).toMatchObject({
      KeyId: Arn,
      KeySpec,
      CustomerMasterKeySpec: KeySpec,
      KeyUsage,
      [algorithms]: KeyMetadata?.[algorithms as keyof typeof KeyMetadata],
    });
    const key = await publicHalf(kms, KeyId);
    expect(key.asymmetricKeyType).toBe(type);
    expect(key.asymmetricKeyDetails).toEqual(details);
    expect(key.export({ format: 'der', type: 'spki' })).toEqual(bytes(shown.PublicKey));
  });

  test('shows a point of SM2 in the clear and uncompressed', async () => {
    const { KeyId } = await newKey(kms, { KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' });
    const spki = bytes((await kms.getPublicKey({ KeyId })).PublicKey);
    // GM/T 0015: the object identifier of the curve, 1.2.156.10197.1.301.
    expect(spki.includes(Buffer.from('06082a811ccf5501822d', 'hex'))).toBe(true);
    expect(spki.at(-65)).toBe(4);
  });

  test('gives each caller the same key in bytes of its own', async () => {
    const { KeyId } = await newKey(kms, { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const first = (await kms.getPublicKey({ KeyId })).PublicKey as Uint8Array;
    const kept = Uint8Array.from(first);
    expect(first.buffer.byteLength).toBe(first.byteLength);
    first.fill(0);
    expect((await kms.getPublicKey({ KeyId })).PublicKey).toEqual(kept);
  });

  // [FL getPublicKeyWorksOnADisabledKey] The developer guide's table of key states says it does not.
  test('works on a disabled key', async () => {
    const { Arn } = await keyIn('Disabled', 'ECC_NIST_P256', 'SIGN_VERIFY');
    expect((await kms.getPublicKey({ KeyId: Arn })).KeyId).toBe(Arn);
  });

  // [FL getPublicKeyRejectsAKeyPendingDeletionOrImport] Before it is noticed that there is none.
  test.each([
    ['RSA_2048', 'SIGN_VERIFY'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ] as const)('looks at the state of a key of %s first', async (KeySpec, KeyUsage) => {
    const doomed = await keyIn('PendingDeletion', KeySpec, KeyUsage);
    expect(await failing(doomed.KeyId)).toBe(
      `KMSInvalidStateException: ${doomed.Arn} is pending deletion.`,
    );
    const empty = await keyIn('PendingImport', KeySpec, KeyUsage);
    expect(await failing(empty.KeyId)).toBe(
      `KMSInvalidStateException: ${empty.Arn} is pending import.`,
    );
  });

  // [FL] Without a message.
  test.each([
    ['HMAC_512', 'GENERATE_VERIFY_MAC'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ] as const)('finds none of a key of %s', async (KeySpec, KeyUsage) => {
    for (const state of ['Enabled', 'Disabled']) {
      const { KeyId } = await keyIn(state, KeySpec, KeyUsage);
      expect(await failing(KeyId)).toBe('UnsupportedOperationException: ');
    }
  });
});
