import { beforeAll, describe, expect, test } from 'vitest';
import { keySpecs } from '../../lib/model/key-specs.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  bytes,
  complaint,
  failureText,
  type MadeKey,
  members,
  newKey,
  openKms,
  validation,
} from './support.ts';

let kms: Pairmint;
let key: MadeKey;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
});

const lengths = [
  [{ KeySpec: 'AES_128' }, 16],
  [{ KeySpec: 'AES_256' }, 32],
  [{ NumberOfBytes: 1 }, 1],
  [{ NumberOfBytes: 64 }, 64],
  [{ NumberOfBytes: 1024 }, 1024],
] as const;

describe('GenerateDataKey', () => {
  test.each(lengths)(
    '%j gives a key of %i bytes that Decrypt gives again',
    async (asked, length) => {
      const EncryptionContext = { tenant: '42' };
      const answer = await kms.generateDataKey({ KeyId: key.KeyId, EncryptionContext, ...asked });
      expect(members(answer)).toEqual(['CiphertextBlob', 'KeyId', 'KeyMaterialId', 'Plaintext']);
      expect(answer).toMatchObject({ KeyId: key.Arn, KeyMaterialId: key.materialId });
      expect(answer.Plaintext).toHaveLength(length);
      const { CiphertextBlob } = answer;
      const opened = await kms.decrypt({ CiphertextBlob, EncryptionContext });
      expect(bytes(opened.Plaintext)).toEqual(bytes(answer.Plaintext));
    },
  );

  test('every request gives another key', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const { Plaintext } = await kms.generateDataKey({ KeyId: key.KeyId, NumberOfBytes: 16 });
      seen.add(bytes(Plaintext).toString('hex'));
    }
    expect(seen.size).toBe(50);
  });

  test('an attestation document is refused, not ignored', async () => {
    const Recipient = { AttestationDocument: new Uint8Array(1) };
    const request = { KeyId: key.KeyId, NumberOfBytes: 16, Recipient };
    expect(await failureText(kms.generateDataKey(request))).toMatch(
      /^UnsupportedOperationException: Recipient is not supported/,
    );
  });
});

describe('GenerateDataKeyWithoutPlaintext', () => {
  test.each(lengths)('%j gives a key of %i bytes to Decrypt alone', async (asked, length) => {
    const answer = await kms.generateDataKeyWithoutPlaintext({ KeyId: key.KeyId, ...asked });
    expect(members(answer)).toEqual(['CiphertextBlob', 'KeyId', 'KeyMaterialId']);
    expect(answer).toMatchObject({ KeyId: key.Arn, KeyMaterialId: key.materialId });
    const { Plaintext } = await kms.decrypt({ CiphertextBlob: answer.CiphertextBlob });
    expect(Plaintext).toHaveLength(length);
  });
});

// AWS lists the specs of CreateKey here.
const listed = `[${Object.keys(keySpecs).join(', ')}]`;

describe.each(['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'])('%s', (operation) => {
  const call = (request: object) => failureText(kms.call(operation, request));

  test.each([{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }])(
    'exactly one of KeySpec and NumberOfBytes is needed, not %j',
    async (asked) => {
      const text = 'ValidationException: Please specify either number of bytes or key spec.';
      expect(await call({ KeyId: key.KeyId, ...asked })).toBe(text);
    },
  );

  test.each(['AES_192', 'aes_256', 'RSA_2048', 'SYMMETRIC_DEFAULT', 'toString'])(
    'the KeySpec %s is refused with the specs of CreateKey',
    async (KeySpec) => {
      expect(await call({ KeyId: key.KeyId, KeySpec })).toBe(
        validation(complaint(`'${KeySpec}'`, 'keySpec', `satisfy enum value set: ${listed}`)),
      );
    },
  );

  test.each([
    [0, 'have value greater than or equal to 1'],
    [-1, 'have value greater than or equal to 1'],
    [1025, 'have value less than or equal to 1024'],
  ])('%i bytes are out of range', async (NumberOfBytes, constraint) => {
    expect(await call({ KeyId: key.KeyId, NumberOfBytes })).toBe(
      validation(complaint(`'${NumberOfBytes}'`, 'numberOfBytes', constraint)),
    );
  });
});
