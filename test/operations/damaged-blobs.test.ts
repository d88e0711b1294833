import crypto from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  bytes,
  failureText,
  flipped,
  incorrectKey,
  invalidCiphertext,
  type MadeKey,
  newKey,
  openKms,
} from './support.ts';

// docs/envelope.md: header, commitment and tag of a blob; what is between depends on the plaintext.
const fixedLength = 148;
const keyIdPlace = { from: 8, to: 24 };
const EncryptionContext = { purpose: 'damage' };

let kms: Pairmint;
let key: MadeKey;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
});

const kinds: Record<string, () => Promise<Uint8Array | undefined>> = {
  data: async () => {
    const Plaintext = crypto.randomBytes(100);
    return (await kms.encrypt({ KeyId: key.KeyId, Plaintext, EncryptionContext })).CiphertextBlob;
  },
  'a data key': async () => {
    const request = { KeyId: key.KeyId, KeySpec: 'AES_256', EncryptionContext } as const;
    return (await kms.generateDataKeyWithoutPlaintext(request)).CiphertextBlob;
  },
  'a private key': async () => {
    const request = { KeyId: key.KeyId, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext } as const;
    return (await kms.generateDataKeyPairWithoutPlaintext(request)).PrivateKeyCiphertextBlob;
  },
};

function opening(CiphertextBlob: Uint8Array, KeyId?: string): Promise<string> {
  return failureText(
    kms.decrypt({ CiphertextBlob, EncryptionContext, ...(KeyId !== undefined && { KeyId }) }),
  );
}

function hitsKeyId(bit: number): boolean {
  const byte = bit >> 3;
  return byte >= keyIdPlace.from && byte < keyIdPlace.to;
}

describe.each(Object.keys(kinds))('the ciphertext of %s', (kind) => {
  let blob: Buffer;

  beforeAll(async () => {
    blob = bytes(await kinds[kind]?.());
    await kms.decrypt({ CiphertextBlob: blob, EncryptionContext });
  });

  test('is refused with any one of its first 148 bytes’ bits inverted', async () => {
    for (let bit = 0; bit < 8 * fixedLength; bit++) {
      const text = await opening(flipped(blob, bit));
      if (hitsKeyId(bit)) expect(text, `bit ${bit}`).toMatch(/^AccessDeniedException: User: /);
      else expect(text, `bit ${bit}`).toBe(invalidCiphertext);
    }
  });

  test('is refused with any one bit of its key’s id inverted', async () => {
    for (let bit = 0; bit < 8 * fixedLength; bit += 3) {
      const expected = hitsKeyId(bit) ? incorrectKey : invalidCiphertext;
      expect(await opening(flipped(blob, bit), key.KeyId), `bit ${bit}`).toBe(expected);
    }
  });

  test('is refused with any sampled bit beyond them inverted', async () => {
    const first = 8 * fixedLength;
    for (let i = 0; i < 200; i++) {
      const bit = crypto.randomInt(first, 8 * blob.length);
      expect(await opening(flipped(blob, bit)), `bit ${bit}`).toBe(invalidCiphertext);
    }
  });

  test('is refused when cut anywhere', async () => {
    for (let length = 1; length < blob.length; length++) {
      expect(await opening(blob.subarray(0, length)), `${length} bytes`).toBe(invalidCiphertext);
      const tail = blob.subarray(blob.length - length);
      expect(await opening(tail), `the last ${length} bytes`).toBe(invalidCiphertext);
    }
  });

  test('is refused with anything before or after it', async () => {
    for (const more of [Buffer.from([0]), crypto.randomBytes(16), blob]) {
      expect(await opening(Buffer.concat([blob, more]))).toBe(invalidCiphertext);
      if (more !== blob) expect(await opening(Buffer.concat([more, blob]))).toBe(invalidCiphertext);
    }
  });

  test('is refused with the head of one ciphertext and the body of another', async () => {
    const second = bytes(await kinds[kind]?.());
    for (const cut of [60, 88, 100, 132, blob.length - 16]) {
      const spliced = Buffer.concat([blob.subarray(0, cut), second.subarray(cut)]);
      expect(await opening(spliced), `cut at ${cut}`).toBe(invalidCiphertext);
    }
  });

  test('is refused by ReEncrypt in the same way', async () => {
    for (let bit = 5; bit < 8 * blob.length; bit += 97) {
      const text = await failureText(
        kms.reEncrypt({
          CiphertextBlob: flipped(blob, bit),
          SourceEncryptionContext: EncryptionContext,
          DestinationKeyId: key.KeyId,
        }),
      );
      if (hitsKeyId(bit)) expect(text).toMatch(/^AccessDeniedException: User: /);
      else expect(text).toBe(invalidCiphertext);
    }
  });
});
