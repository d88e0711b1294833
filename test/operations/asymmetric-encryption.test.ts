// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto, { type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EncryptionAlgorithmSpec, KeySpec, KeyUsageType } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { generateWithNode, pkcs8Of } from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';
import { importedKey, publicHalf } from './asymmetric-keys.ts';
import {
  bytes,
  dryRun,
  failureText,
  flipped,
  incorrectKey,
  invalidCiphertext,
  type MadeKey,
  members,
  newBlob,
  newKey,
  openKms,
} from './support.ts';

const KeyUsage = 'ENCRYPT_DECRYPT';
const Plaintext = Buffer.from('attack at dawn');

const sha1 = ['RSAES_OAEP_SHA_1', 'sha1'] as const;
const sha256 = ['RSAES_OAEP_SHA_256', 'sha256'] as const;

/** With the longest plaintext [LS test_encrypt_validate_plaintext_size_per_key_type 2023]. */
const rows = [
  ['RSA_2048', ...sha1, 214],
  ['RSA_2048', ...sha256, 190],
  ['RSA_3072', ...sha1, 342],
  ['RSA_3072', ...sha256, 318],
  ['RSA_4096', ...sha1, 470],
  ['RSA_4096', ...sha256, 446],
] as const;

let kms: Pairmint;
let symmetric: MadeKey;
const keys = new Map<KeySpec, MadeKey>();
const arnOf = (spec: KeySpec) => (keys.get(spec) as MadeKey).Arn;

beforeAll(async () => {
  kms = await openKms();
  symmetric = await newKey(kms);
  for (const KeySpec of ['RSA_2048', 'RSA_3072', 'RSA_4096', 'SM2'] as const) {
    keys.set(KeySpec, await newKey(kms, { KeySpec, KeyUsage }));
  }
});

describe.each(rows)('%s with %s', (spec, EncryptionAlgorithm, oaepHash, longest) => {
  test('encrypts as much as fits, and decrypts it', async () => {
    const KeyId = arnOf(spec);
    for (const length of [1, longest]) {
      const plaintext = crypto.randomBytes(length);
      const sealed = await kms.encrypt({ KeyId, EncryptionAlgorithm, Plaintext: plaintext });
      expect(members(sealed)).toEqual(['CiphertextBlob', 'EncryptionAlgorithm', 'KeyId']);
      expect(sealed).toMatchObject({ KeyId, EncryptionAlgorithm });
      // [FL rsaOaepEncryptDecryptRoundTripThroughJsonHandler] Nothing but what RSA gives.
      const { CiphertextBlob } = sealed;
      expect(CiphertextBlob).toHaveLength(Number(spec.slice(4)) / 8);
      const opened = await kms.decrypt({ KeyId, EncryptionAlgorithm, CiphertextBlob });
      expect(members(opened)).toEqual(['EncryptionAlgorithm', 'KeyId', 'Plaintext']);
      expect(opened).toMatchObject({ KeyId, EncryptionAlgorithm });
      expect(bytes(opened.Plaintext)).toEqual(plaintext);
    }
  });

  // [LS test_encrypt_validate_plaintext_size_per_key_type 2023]
  test('refuses a byte more', async () => {
    const request = { KeyId: arnOf(spec), EncryptionAlgorithm };
    const text =
      `ValidationException: Algorithm ${EncryptionAlgorithm} and key spec ${spec} cannot encrypt ` +
      `data larger than ${longest} bytes.`;
    for (const length of [longest + 1, 4096]) {
      const more = { Plaintext: Buffer.alloc(length), DryRun: true };
      expect(await failureText(kms.encrypt({ ...request, ...more }))).toBe(text);
    }
  });

  // [FL decryptAcceptsRsaOaepCiphertextMadeWithGetPublicKey]
  test('decrypts what was encrypted offline with the public key', async () => {
    const KeyId = arnOf(spec);
    const key = await publicHalf(kms, KeyId);
    const CiphertextBlob = crypto.publicEncrypt({ key, oaepHash }, Plaintext);
    const opened = await kms.decrypt({ KeyId, EncryptionAlgorithm, CiphertextBlob });
    expect(bytes(opened.Plaintext)).toEqual(Plaintext);
  });

  // [FL] RSA garbage, RSA short
  test('refuses every wrong ciphertext with one error that has no message', async () => {
    const KeyId = arnOf(spec);
    const request = { KeyId, EncryptionAlgorithm };
    const good = bytes((await kms.encrypt({ ...request, Plaintext })).CiphertextBlob);
    const [other = EncryptionAlgorithm] = [sha1[0], sha256[0]].filter(
      (name) => name !== EncryptionAlgorithm,
    );
    const wrong: object[] = [
      ...[1, 100, good.length * 8 - 1].map((bit) => ({ CiphertextBlob: flipped(good, bit) })),
      { CiphertextBlob: good.subarray(1) },
      { CiphertextBlob: Buffer.concat([good, Buffer.alloc(1)]) },
      { CiphertextBlob: Buffer.from('garbage') },
      { CiphertextBlob: Buffer.alloc(good.length, 0xff) },
      { CiphertextBlob: good, EncryptionAlgorithm: other },
    ];
    for (const more of wrong) {
      const said = await failureText(kms.call('Decrypt', { ...request, ...more }));
      expect(said).toBe(invalidCiphertext);
    }
  });
});

describe.each(['RSA_2048', 'RSA_4096'] as const)('an imported key of %s', (KeySpec) => {
  let theirs: KeyObject;
  let key: MadeKey;

  beforeAll(async () => {
    theirs = generateWithNode(KeySpec);
    key = await importedKey(kms, { KeySpec, KeyUsage }, pkcs8Of(theirs));
  });

  test.each([sha1, sha256])('encrypts by %s what node:crypto decrypts', async (name, oaepHash) => {
    const request = { KeyId: key.KeyId, EncryptionAlgorithm: name, Plaintext };
    const { CiphertextBlob } = await kms.encrypt(request);
    const opened = crypto.privateDecrypt({ key: theirs, oaepHash }, bytes(CiphertextBlob));
    expect(opened).toEqual(Plaintext);
  });
});

describe('SM2PKE', () => {
  const EncryptionAlgorithm = 'SM2PKE';

  test('takes up to 1,024 bytes there and back', async () => {
    const request = { KeyId: arnOf('SM2'), EncryptionAlgorithm } as const;
    for (const length of [1, 32, 1024]) {
      const plaintext = crypto.randomBytes(length);
      const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext: plaintext });
      const opened = await kms.decrypt({ ...request, CiphertextBlob });
      expect(bytes(opened.Plaintext)).toEqual(plaintext);
      expect(members(opened)).toEqual(['EncryptionAlgorithm', 'KeyId', 'Plaintext']);
    }
    expect(await failureText(kms.encrypt({ ...request, Plaintext: Buffer.alloc(1025) }))).toBe(
      'ValidationException: Algorithm SM2PKE and key spec SM2 cannot encrypt data larger than ' +
        '1024 bytes.',
    );
  });

  test('decrypts what the formulas of the standard encrypt, and not a bit of it changed', async () => {
    const KeyId = arnOf('SM2');
    const spki = bytes((await kms.getPublicKey({ KeyId })).PublicKey);
    const ciphertext = sm2.encrypt(spki, Plaintext);
    const decrypt = (CiphertextBlob: Buffer) =>
      kms.decrypt({ KeyId, EncryptionAlgorithm, CiphertextBlob });
    expect(bytes((await decrypt(ciphertext)).Plaintext)).toEqual(Plaintext);
    for (const wrong of [
      flipped(ciphertext, ciphertext.length * 8 - 1),
      flipped(ciphertext, 80),
      ciphertext.subarray(0, -1),
      Buffer.from('garbage'),
    ]) {
      expect(await failureText(decrypt(wrong))).toBe(invalidCiphertext);
    }
  });
});

describe('an RSA key', () => {
  const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256';

  // [FL rsaEncryptWithDefaultAlgorithmReturnsInvalidKeyUsage]
  test('is not the default if Encrypt leaves the algorithm out', async () => {
    for (const more of [{}, { EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' } as const]) {
      const request = { KeyId: arnOf('RSA_2048'), Plaintext, ...more };
      expect(await failureText(kms.encrypt(request))).toBe(
        'InvalidKeyUsageException: ' +
          'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
      );
    }
  });

  // [FL rsaDecryptWithDefaultAlgorithmReturnsInvalidCiphertext]
  test('is not guessed from the ciphertext if Decrypt leaves the algorithm out', async () => {
    const KeyId = arnOf('RSA_2048');
    const { CiphertextBlob } = await kms.encrypt({ KeyId, EncryptionAlgorithm, Plaintext });
    expect(await failureText(kms.decrypt({ KeyId, CiphertextBlob }))).toBe(invalidCiphertext);
    expect(await failureText(kms.decrypt({ CiphertextBlob }))).toBe(invalidCiphertext);
    // (unverified text)
    expect(await failureText(kms.decrypt({ CiphertextBlob, EncryptionAlgorithm }))).toMatch(
      /^ValidationException: KeyId /,
    );
  });

  // [LS test_error_messaging_for_invalid_keys, FL decryptRejectsAKeyIdThatDidNotEncryptTheCiphertext]
  test('is the incorrect key for a symmetric ciphertext', async () => {
    const CiphertextBlob = await newBlob(kms, symmetric.KeyId);
    const KeyId = arnOf('RSA_2048');
    expect(await failureText(kms.decrypt({ KeyId, CiphertextBlob }))).toBe(incorrectKey);
    expect(await failureText(kms.decrypt({ KeyId, CiphertextBlob, EncryptionAlgorithm }))).toBe(
      invalidCiphertext,
    );
  });

  test('does not open what another RSA key encrypted', async () => {
    const request = { EncryptionAlgorithm, KeyId: arnOf('RSA_2048') } as const;
    const other = await newKey(kms, { KeySpec: 'RSA_2048', KeyUsage });
    const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext });
    const opening = kms.decrypt({ ...request, CiphertextBlob, KeyId: other.KeyId });
    expect(await failureText(opening)).toBe(invalidCiphertext);
  });

  // (unverified text)
  test('takes no encryption context, but an empty one', async () => {
    const KeyId = arnOf('RSA_2048');
    const EncryptionContext = { a: 'b' };
    const request = { KeyId, EncryptionAlgorithm } as const;
    const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext, EncryptionContext: {} });
    await kms.decrypt({ ...request, CiphertextBlob, EncryptionContext: {} });
    expect(await failureText(kms.encrypt({ ...request, Plaintext, EncryptionContext }))).toBe(
      'ValidationException: ' +
        'EncryptionContext is not supported when encrypting with asymmetric CMKs.',
    );
    expect(await failureText(kms.decrypt({ ...request, CiphertextBlob, EncryptionContext }))).toBe(
      'ValidationException: ' +
        'EncryptionContext is not supported when decrypting with asymmetric CMKs.',
    );
  });

  test('for signing is refused by usage, and one that is disabled by state', async () => {
    const CiphertextBlob = Buffer.alloc(256);
    const both = async (KeyId: string) => [
      await failureText(kms.encrypt({ KeyId, EncryptionAlgorithm, Plaintext })),
      await failureText(kms.decrypt({ KeyId, EncryptionAlgorithm, CiphertextBlob })),
    ];
    const signing = await newKey(kms, { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    await kms.disableKey({ KeyId: signing.KeyId });
    // [LS test_error_messaging_for_invalid_keys 2023, FL keyUsageIsCheckedBeforeTheKeyState]
    const usage = `InvalidKeyUsageException: ${signing.Arn} key usage is SIGN_VERIFY which is not valid for`;
    expect(await both(signing.KeyId)).toEqual([`${usage} Encrypt.`, `${usage} Decrypt.`]);
    const { KeyId, Arn } = await newKey(kms, { KeySpec: 'RSA_2048', KeyUsage });
    await kms.disableKey({ KeyId });
    // [FL cryptoOperationsRejectADisabledKey]
    const disabled = `DisabledException: ${Arn} is disabled.`;
    expect(await both(KeyId)).toEqual([disabled, disabled]);
  });

  test('has its ciphertext opened before a dry run succeeds', async () => {
    const request = { KeyId: arnOf('RSA_2048'), EncryptionAlgorithm } as const;
    const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext });
    expect(await failureText(kms.encrypt({ ...request, Plaintext, DryRun: true }))).toBe(dryRun);
    const opening = kms.decrypt({ ...request, CiphertextBlob, DryRun: true });
    expect(await failureText(opening)).toBe(dryRun);
    const garbage = { CiphertextBlob: Buffer.alloc(256), DryRun: true };
    expect(await failureText(kms.decrypt({ ...request, ...garbage }))).toBe(invalidCiphertext);
  });
});

describe('ReEncrypt', () => {
  const sides = [
    ['SYMMETRIC_DEFAULT', 'SYMMETRIC_DEFAULT'],
    ['RSA_2048', 'RSAES_OAEP_SHA_1'],
    ['RSA_3072', 'RSAES_OAEP_SHA_256'],
    ['SM2', 'SM2PKE'],
  ] as const;
  const directions = sides.flatMap((from) => sides.map((to) => [...from, ...to] as const));
  const keyOf = (spec: KeySpec) => (spec === 'SYMMETRIC_DEFAULT' ? symmetric.Arn : arnOf(spec));
  const contextOf = (spec: KeySpec, name: string) =>
    spec === 'SYMMETRIC_DEFAULT' ? { [name]: { a: name } } : {};

  // [FL reEncryptFromSymmetricToRsaEchoesBothAlgorithms]
  test.each(directions)('from %s by %s to %s by %s', async (from, fromBy, to, toBy) => {
    const [source, destination] = [keyOf(from), keyOf(to)];
    const { CiphertextBlob } = await kms.encrypt({
      KeyId: source,
      Plaintext,
      EncryptionAlgorithm: fromBy,
      EncryptionContext: contextOf(from, 'SourceEncryptionContext').SourceEncryptionContext,
    });
    const moved = await kms.reEncrypt({
      CiphertextBlob,
      SourceKeyId: source,
      SourceEncryptionAlgorithm: fromBy,
      DestinationKeyId: destination,
      DestinationEncryptionAlgorithm: toBy,
      ...contextOf(from, 'SourceEncryptionContext'),
      ...contextOf(to, 'DestinationEncryptionContext'),
    });
    const { CiphertextBlob: sealed, ...rest } = moved;
    expect(rest).toEqual({
      SourceKeyId: source,
      KeyId: destination,
      SourceEncryptionAlgorithm: fromBy,
      DestinationEncryptionAlgorithm: toBy,
      // Only symmetric keys have key material ids.
      ...(from === 'SYMMETRIC_DEFAULT' && { SourceKeyMaterialId: symmetric.materialId }),
      ...(to === 'SYMMETRIC_DEFAULT' && { DestinationKeyMaterialId: symmetric.materialId }),
    });
    const opened = await kms.decrypt({
      KeyId: destination,
      CiphertextBlob: sealed,
      EncryptionAlgorithm: toBy,
      EncryptionContext: contextOf(to, 'DestinationEncryptionContext').DestinationEncryptionContext,
    });
    expect(bytes(opened.Plaintext)).toEqual(Plaintext);
  });

  const toRsa = (CiphertextBlob: Uint8Array, more: object = {}) => ({
    CiphertextBlob,
    DestinationKeyId: arnOf('RSA_2048'),
    DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const,
    ...more,
  });

  // (unverified) That Encrypt refuses so is recorded.
  test('refuses a ciphertext that does not fit the destination', async () => {
    const { CiphertextBlob } = await kms.encrypt({
      KeyId: symmetric.KeyId,
      Plaintext: Buffer.alloc(191),
    });
    expect(await failureText(kms.reEncrypt(toRsa(bytes(CiphertextBlob))))).toBe(
      'ValidationException: Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt ' +
        'data larger than 190 bytes.',
    );
  });

  test('refuses an encryption context on a side that is asymmetric', async () => {
    const blob = await newBlob(kms, symmetric.KeyId);
    const DestinationEncryptionContext = { a: 'b' };
    expect(await failureText(kms.reEncrypt(toRsa(blob, { DestinationEncryptionContext })))).toMatch(
      /^ValidationException: EncryptionContext is not supported when encrypting/,
    );
    const { CiphertextBlob } = await kms.reEncrypt(toRsa(blob));
    const back = {
      CiphertextBlob,
      SourceKeyId: arnOf('RSA_2048'),
      SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
      DestinationKeyId: symmetric.KeyId,
    } as const;
    const SourceEncryptionContext = { a: 'b' };
    expect(await failureText(kms.reEncrypt({ ...back, SourceEncryptionContext }))).toMatch(
      /^ValidationException: EncryptionContext is not supported when decrypting/,
    );
    await kms.reEncrypt(back);
  });

  test('refuses a damaged source of either kind alike', async () => {
    const blob = await newBlob(kms, symmetric.KeyId);
    const last = blob.length * 8 - 1;
    expect(await failureText(kms.reEncrypt(toRsa(flipped(blob, last))))).toBe(invalidCiphertext);
    const source = {
      SourceKeyId: arnOf('RSA_3072'),
      SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
    };
    const garbage = toRsa(Buffer.alloc(384, 7), source);
    expect(await failureText(kms.reEncrypt(garbage))).toBe(invalidCiphertext);
  });

  test('names the algorithm that the destination does not have', async () => {
    const blob = await newBlob(kms, symmetric.KeyId);
    const DestinationEncryptionAlgorithm = undefined;
    expect(
      await failureText(kms.call('ReEncrypt', toRsa(blob, { DestinationEncryptionAlgorithm }))),
    ).toBe(
      'InvalidKeyUsageException: ' +
        'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
    );
  });
});

describe('data keys and data key pairs', () => {
  const kinds: readonly (readonly [KeySpec, KeyUsageType])[] = [
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ['SM2', 'ENCRYPT_DECRYPT'],
    ['RSA_2048', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
    ['SM2', 'SIGN_VERIFY'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ['ECC_NIST_P384', 'KEY_AGREEMENT'],
    ['SM2', 'KEY_AGREEMENT'],
  ];
  const requests = {
    GenerateDataKey: { KeySpec: 'AES_256' },
    GenerateDataKeyWithoutPlaintext: { NumberOfBytes: 8 },
    GenerateDataKeyPair: { KeyPairSpec: 'ECC_NIST_P256' },
    GenerateDataKeyPairWithoutPlaintext: { KeyPairSpec: 'RSA_2048' },
  } as const;
  const operations = Object.keys(requests) as (keyof typeof requests)[];

  test.each(kinds)('are not made under a key of %s for %s', async (KeySpec, usage) => {
    const { Arn } = await newKey(kms, { KeySpec, KeyUsage: usage });
    const failing = (operation: keyof typeof requests) =>
      failureText(kms.call(operation, { KeyId: Arn, DryRun: true, ...requests[operation] }));
    const wrongUsage = (operation: string) =>
      `InvalidKeyUsageException: ${Arn} key usage is ${usage} which is not valid for ${operation}.`;
    const asymmetric = usage === KeyUsage;
    for (const operation of operations) {
      // [FL generateDataKeyRejectsAnAsymmetricKey, generateDataKeyNamesItsOperationInTheKeyUsageError]
      expect(await failing(operation)).toBe(
        asymmetric
          ? 'InvalidKeyUsageException: You cannot generate a data key with an asymmetric CMK'
          : wrongUsage(operation),
      );
    }
    await kms.disableKey({ KeyId: Arn });
    for (const operation of operations) {
      // [FL keyUsageIsCheckedBeforeTheKeyState, generateDataKeyChecksTheKeyStateBeforeTheKeySpec]
      expect(await failing(operation)).toBe(
        asymmetric ? `DisabledException: ${Arn} is disabled.` : wrongUsage(operation),
      );
    }
  });

  test('that a symmetric key made can be moved under an asymmetric one', async () => {
    const request = { KeyId: symmetric.KeyId, KeySpec: 'AES_256' } as const;
    const { CiphertextBlob, Plaintext: dataKey } = await kms.generateDataKey(request);
    const EncryptionAlgorithm: EncryptionAlgorithmSpec = 'RSAES_OAEP_SHA_256';
    const KeyId = arnOf('RSA_2048');
    const moved = await kms.reEncrypt({
      CiphertextBlob,
      DestinationKeyId: KeyId,
      DestinationEncryptionAlgorithm: EncryptionAlgorithm,
    });
    const sealed = { KeyId, EncryptionAlgorithm, CiphertextBlob: moved.CiphertextBlob };
    expect(bytes((await kms.decrypt(sealed)).Plaintext)).toEqual(bytes(dataKey));
  });
});
