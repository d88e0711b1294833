import { beforeAll, describe, expect, test } from 'vitest';
import type { Requests } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  absentKeyId,
  bytes,
  caller,
  complaint,
  failureText,
  flipped,
  incorrectKey,
  invalidCiphertext,
  keyArn,
  type MadeKey,
  members,
  newBlob,
  newKey,
  openKms,
  validation,
} from './support.ts';

type Request = Partial<Requests['ReEncrypt']>;

const SourceEncryptionContext = { from: 'a' };
const DestinationEncryptionContext = { to: 'b' };

let kms: Pairmint;
let source: MadeKey;
let destination: MadeKey;
let blob: Uint8Array;
let request: Requests['ReEncrypt'];

beforeAll(async () => {
  kms = await openKms();
  source = await newKey(kms);
  destination = await newKey(kms);
  blob = await newBlob(kms, source.KeyId, SourceEncryptionContext);
  request = {
    CiphertextBlob: blob,
    SourceEncryptionContext,
    DestinationKeyId: destination.KeyId,
    DestinationEncryptionContext,
  };
});

const failing = (more: Request) => failureText(kms.reEncrypt({ ...request, ...more }));

test('the answer names both keys, algorithms and key materials', async () => {
  const response = await kms.reEncrypt(request);
  expect(members(response)).toEqual([
    'CiphertextBlob',
    'DestinationEncryptionAlgorithm',
    'DestinationKeyMaterialId',
    'KeyId',
    'SourceEncryptionAlgorithm',
    'SourceKeyId',
    'SourceKeyMaterialId',
  ]);
  expect(response).toMatchObject({
    KeyId: destination.Arn,
    DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    DestinationKeyMaterialId: destination.materialId,
    SourceKeyId: source.Arn,
    SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    SourceKeyMaterialId: source.materialId,
  });
});

test('the new ciphertext opens under the destination key and context alone', async () => {
  const { CiphertextBlob } = await kms.reEncrypt(request);
  const EncryptionContext = DestinationEncryptionContext;
  const opened = await kms.decrypt({ CiphertextBlob, EncryptionContext });
  expect(opened.KeyId).toBe(destination.Arn);
  expect(bytes(opened.Plaintext).toString()).toBe('attack at dawn');
  for (const wrong of [SourceEncryptionContext, undefined]) {
    const EncryptionContext = wrong;
    expect(await failureText(kms.call('Decrypt', { CiphertextBlob, EncryptionContext }))).toBe(
      invalidCiphertext,
    );
  }
});

test('a key may be its own destination, to change the context', async () => {
  const response = await kms.reEncrypt({ ...request, DestinationKeyId: source.Arn });
  expect(response).toMatchObject({ SourceKeyId: source.Arn, KeyId: source.Arn });
  expect(bytes(response.CiphertextBlob).equals(bytes(blob))).toBe(false);
});

test.each(['data key', 'private key'])(
  'the ciphertext of a %s is re-encrypted too',
  async (kind) => {
    const KeyId = source.KeyId;
    const answer =
      kind === 'data key'
        ? await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' })
        : await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    const [sealed, plaintext] =
      'Plaintext' in answer
        ? [answer.CiphertextBlob, answer.Plaintext]
        : 'PrivateKeyPlaintext' in answer
          ? [answer.PrivateKeyCiphertextBlob, answer.PrivateKeyPlaintext]
          : [];
    const CiphertextBlob = bytes(sealed);
    const moved = await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: destination.KeyId });
    const opened = await kms.decrypt({ CiphertextBlob: moved.CiphertextBlob });
    expect(bytes(opened.Plaintext).equals(bytes(plaintext))).toBe(true);
  },
);

describe('refusals', () => {
  test('a missing DestinationKeyId is named', async () => {
    expect(await failureText(kms.call('ReEncrypt', { CiphertextBlob: blob }))).toBe(
      validation(complaint('null', 'destinationKeyId', 'not be null')),
    );
  });

  test('a missing, empty or overlong ciphertext is refused', async () => {
    const { CiphertextBlob: _, ...without } = request;
    const at = (value: string, constraint: string) =>
      validation(complaint(value, 'ciphertextBlob', constraint));
    expect(await failureText(kms.reEncrypt(without))).toBe(at('null', 'not be null'));
    expect(await failing({ CiphertextBlob: new Uint8Array() })).toBe(
      at('', 'have length greater than or equal to 1'),
    );
    expect(await failing({ CiphertextBlob: new Uint8Array(6145) })).toBe(
      at('', 'have length less than or equal to 6144'),
    );
  });

  test('a damaged ciphertext or a wrong source context is refused without a message', async () => {
    const damaged = flipped(blob, 8 * blob.length - 1);
    expect(await failing({ CiphertextBlob: damaged })).toBe(invalidCiphertext);
    expect(await failing({ CiphertextBlob: Buffer.from('no blob') })).toBe(invalidCiphertext);
    expect(await failing({ SourceEncryptionContext: {} })).toBe(invalidCiphertext);
    expect(await failing({ SourceEncryptionContext: DestinationEncryptionContext })).toBe(
      invalidCiphertext,
    );
  });

  test('a source key other than the ciphertext names is IncorrectKeyException', async () => {
    expect(await failing({ SourceKeyId: source.Arn, DryRun: true })).toMatch(/^DryRunOperation/);
    expect(await failing({ SourceKeyId: destination.KeyId })).toBe(incorrectKey);
  });

  test('keys that do not exist are told apart by how they were named', async () => {
    const text = `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`;
    expect(await failing({ SourceKeyId: absentKeyId })).toBe(text);
    expect(await failing({ DestinationKeyId: absentKeyId })).toBe(text);
    const elsewhere = await openKms();
    const foreign = await newBlob(elsewhere, (await newKey(elsewhere)).KeyId);
    expect(await failing({ CiphertextBlob: foreign })).toContain(
      `AccessDeniedException: User: ${caller} is not authorized to perform: kms:ReEncryptFrom on ` +
        'the resource associated with this ciphertext',
    );
  });

  test('an algorithm of asymmetric keys is refused on either side', async () => {
    const algorithm = 'RSAES_OAEP_SHA_1';
    const text =
      'InvalidKeyUsageException: ' +
      `Algorithm ${algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`;
    expect(await failing({ DestinationEncryptionAlgorithm: algorithm })).toBe(text);
    const SourceKeyId = source.KeyId;
    expect(await failing({ SourceKeyId, SourceEncryptionAlgorithm: algorithm })).toBe(text);
    expect(await failing({ SourceEncryptionAlgorithm: algorithm })).toMatch(
      /^ValidationException: SourceKeyId /,
    );
  });

  test('an oversized context is named as the request names it', async () => {
    const context = { a: 'x'.repeat(9000) };
    expect(await failing({ SourceEncryptionContext: context })).toMatch(
      /^ValidationException: SourceEncryptionContext /,
    );
    expect(await failing({ DestinationEncryptionContext: context })).toMatch(
      /^ValidationException: DestinationEncryptionContext /,
    );
  });
});
