import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  bytes,
  caller,
  complaint,
  failureOf,
  failureText,
  flipped,
  incorrectKey,
  invalidCiphertext,
  type MadeKey,
  members,
  newBlob,
  newKey,
  openKms,
  validation,
} from './support.ts';

const algorithms = '[RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT]';

let kms: Pairmint;
let key: MadeKey;
let other: MadeKey;
let blob: Uint8Array;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
  other = await newKey(kms);
  blob = await newBlob(kms, key.KeyId);
});

describe('Encrypt', () => {
  test.each([1, 15, 16, 17, 4096])('%i bytes come back from Decrypt', async (length) => {
    const Plaintext = Buffer.alloc(length, 'pairmint');
    const sealed = await kms.encrypt({ KeyId: key.KeyId, Plaintext });
    expect(members(sealed)).toEqual(['CiphertextBlob', 'EncryptionAlgorithm', 'KeyId']);
    expect(sealed).toMatchObject({ KeyId: key.Arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    const opened = await kms.decrypt({ CiphertextBlob: sealed.CiphertextBlob });
    expect(bytes(opened.Plaintext)).toEqual(Plaintext);
  });

  test('the same plaintext never gives the same ciphertext', async () => {
    const blobs = await Promise.all(Array.from({ length: 50 }, () => newBlob(kms, key.KeyId)));
    expect(new Set(blobs.map((each) => bytes(each).toString('hex'))).size).toBe(50);
  });

  test.each([
    ['missing', {}, 'not be null'],
    ['null', { Plaintext: null }, 'not be null'],
    ['empty', { Plaintext: new Uint8Array() }, 'have length greater than or equal to 1'],
    ['too long', { Plaintext: new Uint8Array(4097) }, 'have length less than or equal to 4096'],
  ])('a plaintext that is %s is refused without being shown', async (_, request, constraint) => {
    expect(await failureText(kms.call('Encrypt', { KeyId: key.KeyId, ...request }))).toBe(
      validation(complaint('', 'plaintext', constraint)),
    );
  });

  test.each(['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] as const)(
    '%s does not go with a symmetric key',
    async (EncryptionAlgorithm) => {
      const request = { KeyId: key.KeyId, Plaintext: new Uint8Array(1), EncryptionAlgorithm };
      const text = `Algorithm ${EncryptionAlgorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`;
      expect(await failureText(kms.encrypt(request))).toBe(`InvalidKeyUsageException: ${text}`);
    },
  );

  test('an unknown algorithm gets the list in the order AWS has it', async () => {
    const request = {
      KeyId: key.KeyId,
      Plaintext: new Uint8Array(1),
      EncryptionAlgorithm: 'ROT13',
    };
    expect(await failureText(kms.call('Encrypt', request))).toBe(
      validation(
        complaint("'ROT13'", 'encryptionAlgorithm', `satisfy enum value set: ${algorithms}`),
      ),
    );
  });
});

describe('Decrypt', () => {
  test.each([
    ['no KeyId', () => ({})],
    ['its key named', () => ({ KeyId: key.Arn })],
    ['its algorithm named', () => ({ EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' as const })],
    ['DryRun false', () => ({ DryRun: false })],
  ])('with %s it answers with the plaintext and what opened it', async (_, more) => {
    const response = await kms.decrypt({ CiphertextBlob: blob, ...more() });
    expect(members(response)).toEqual([
      'EncryptionAlgorithm',
      'KeyId',
      'KeyMaterialId',
      'Plaintext',
    ]);
    expect(response).toMatchObject({
      KeyId: key.Arn,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyMaterialId: key.materialId,
    });
    expect(bytes(response.Plaintext).toString()).toBe('attack at dawn');
  });

  test.each([
    ['missing', {}, complaint('null', 'ciphertextBlob', 'not be null')],
    [
      'empty',
      { CiphertextBlob: new Uint8Array() },
      complaint('', 'ciphertextBlob', 'have length greater than or equal to 1'),
    ],
    [
      'too long',
      { CiphertextBlob: new Uint8Array(6145) },
      complaint('', 'ciphertextBlob', 'have length less than or equal to 6144'),
    ],
  ])('a ciphertext that is %s is refused', async (_, request, text) => {
    expect(await failureText(kms.decrypt(request))).toBe(validation(text));
  });

  test.each(['x', 'not a blob', 'A'.repeat(148), 'DKP', 'A'.repeat(6144)])(
    'what is no ciphertext is refused without a message: %#',
    async (text) => {
      const CiphertextBlob = Buffer.from(text);
      const failure = await failureOf(kms.decrypt({ CiphertextBlob }));
      expect(failure).toMatchObject({
        name: 'InvalidCiphertextException',
        message: '',
        $fault: 'client',
        httpStatusCode: 400,
      });
      expect(await failureText(kms.decrypt({ CiphertextBlob, KeyId: key.KeyId }))).toBe(
        invalidCiphertext,
      );
    },
  );

  test('a ciphertext with bytes after its end is refused', async () => {
    const CiphertextBlob = Buffer.concat([blob, Buffer.from([0])]);
    expect(await failureText(kms.decrypt({ CiphertextBlob }))).toBe(invalidCiphertext);
  });

  test('naming another key is IncorrectKeyException, whatever state that key is in', async () => {
    const disabled = await newKey(kms);
    await kms.disableKey({ KeyId: disabled.KeyId });
    const doomed = await newKey(kms);
    await kms.scheduleKeyDeletion({ KeyId: doomed.KeyId });
    for (const { KeyId } of [other, disabled, doomed]) {
      expect(await failureText(kms.decrypt({ CiphertextBlob: blob, KeyId }))).toBe(incorrectKey);
    }
  });

  test('naming another key wins over damage that only the key could show', async () => {
    const CiphertextBlob = flipped(blob, 8 * blob.length - 1);
    expect(await failureText(kms.decrypt({ CiphertextBlob, KeyId: other.KeyId }))).toBe(
      incorrectKey,
    );
    expect(await failureText(kms.decrypt({ CiphertextBlob, KeyId: key.KeyId }))).toBe(
      invalidCiphertext,
    );
  });

  test("a ciphertext of another store's key is refused as if that key were not ours to use", async () => {
    const elsewhere = await openKms();
    const CiphertextBlob = await newBlob(elsewhere, (await newKey(elsewhere)).KeyId);
    const text = await failureText(kms.decrypt({ CiphertextBlob }));
    expect(text).toContain(
      `AccessDeniedException: User: ${caller} is not authorized to perform: kms:Decrypt on the ` +
        'resource associated with this ciphertext because the resource does not exist in this Region',
    );
    expect(await failureText(kms.decrypt({ CiphertextBlob, KeyId: key.KeyId }))).toBe(incorrectKey);
  });

  test('a ciphertext of a multi-Region key finds its key', async () => {
    const multiRegion = await newKey(kms, { MultiRegion: true });
    const CiphertextBlob = await newBlob(kms, multiRegion.KeyId);
    expect((await kms.decrypt({ CiphertextBlob })).KeyId).toBe(multiRegion.Arn);
    expect((await kms.decrypt({ CiphertextBlob, KeyId: multiRegion.Arn })).KeyId).toBe(
      multiRegion.Arn,
    );
    expect(await failureText(kms.decrypt({ CiphertextBlob, KeyId: key.KeyId }))).toBe(incorrectKey);
  });

  test('an attestation document is refused, not ignored', async () => {
    const Recipient = { AttestationDocument: new Uint8Array(1) };
    expect(await failureText(kms.decrypt({ CiphertextBlob: blob, Recipient }))).toMatch(
      /^UnsupportedOperationException: Recipient is not supported/,
    );
  });

  describe('with an algorithm of asymmetric keys', () => {
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256';
    const text =
      'InvalidKeyUsageException: ' +
      `Algorithm ${EncryptionAlgorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`;

    test('KeyId is needed, since such a ciphertext does not name its key', async () => {
      const request = { CiphertextBlob: blob, EncryptionAlgorithm } as const;
      expect(await failureText(kms.decrypt(request))).toMatch(/^ValidationException: KeyId /);
    });

    test('the algorithm is refused before the ciphertext is looked at', async () => {
      for (const CiphertextBlob of [blob, Buffer.from('raw'), await newBlob(kms, other.KeyId)]) {
        const request = { CiphertextBlob, KeyId: key.KeyId, EncryptionAlgorithm } as const;
        expect(await failureText(kms.decrypt(request))).toBe(text);
      }
    });
  });
});
