import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { kmsErrors } from '../../lib/model/errors.ts';
import { loadNative } from '../../lib/native/addon.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { callCryptographic, cryptographicCalls, names, newSubject } from './calls.ts';
import {
  absentKeyId,
  bytes,
  failureOf,
  failureText,
  type MadeKey,
  newBlob,
  newKey,
  openKms,
} from './support.ts';

let kms: Pairmint;
let key: MadeKey;
let blob: Uint8Array;

beforeEach(async () => {
  kms = await openKms();
  key = await newKey(kms);
  blob = await newBlob(kms, key.KeyId);
});

afterEach(() => {
  vi.restoreAllMocks();
});

function deepFrozen<T>(value: T): T {
  if (ArrayBuffer.isView(value) || typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFrozen(member);
  return Object.freeze(value);
}

describe('requests', () => {
  test.each(names(cryptographicCalls))('%s leaves its request as it was', async (operation) => {
    const { KeyId, made } = await newSubject(kms, operation);
    const make = () => ({
      ...cryptographicCalls[operation]({ KeyId, made: Uint8Array.from(made) }),
      EncryptionContext: {},
      GrantTokens: [],
    });
    const request = deepFrozen(make());
    await kms.call(operation, request);
    expect(request).toEqual(make());
  });

  test('a caller that changes a request after the call changes nothing', async () => {
    const EncryptionContext = { a: 'b' };
    const Plaintext = Buffer.from('before');
    const sealing = kms.encrypt({ KeyId: key.KeyId, Plaintext, EncryptionContext });
    Plaintext.write('after!');
    EncryptionContext.a = 'c';
    const { CiphertextBlob } = await sealing;
    const opening = kms.decrypt({ CiphertextBlob, EncryptionContext: { a: 'b' } });
    bytes(CiphertextBlob).fill(0);
    expect(bytes((await opening).Plaintext).toString()).toBe('before');
  });

  test.each([null, 'x', 5, [], new Map(), () => ({})])('%s is no request', async (request) => {
    expect(await failureText(kms.call('ListKeys', request))).toMatch(/^SerializationException: /);
  });

  test('operations that are not offered, or are no operations, are unknown', async () => {
    for (const name of ['Signs', 'generateRandom', 'toString', '__proto__', '']) {
      expect(await failureText(kms.call(name, {}))).toBe('UnknownOperationException: ');
    }
  });
});

describe('responses', () => {
  test('nothing that a caller does to a response shows in the next one', async () => {
    await kms.createAlias({ AliasName: 'alias/a', TargetKeyId: key.KeyId });
    await kms.scheduleKeyDeletion({ KeyId: (await newKey(kms)).KeyId });
    const read = async () => ({
      described: await kms.describeKey({ KeyId: key.KeyId }),
      keys: await kms.listKeys({}),
      aliases: await kms.listAliases({}),
      ofKey: await kms.listAliases({ KeyId: key.KeyId }),
    });
    const first = await read();
    const kept = structuredClone(first);
    first.described.KeyMetadata?.EncryptionAlgorithms?.splice(0);
    first.described.KeyMetadata?.CreationDate?.setTime(0);
    Object.assign(first.described.KeyMetadata ?? {}, { Enabled: false, Description: 'mine' });
    first.keys.Keys?.splice(0);
    for (const { Aliases } of [first.aliases, first.ofKey]) {
      Aliases?.[0]?.LastUpdatedDate?.setTime(0);
      Object.assign(Aliases?.[0] ?? {}, { AliasName: 'alias/mine' });
    }
    expect(await read()).toEqual(kept);
  });

  test('bytes are Uint8Arrays with memory of their own', async () => {
    const pair = await kms.generateDataKeyPair({ KeyId: key.KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    const dataKey = await kms.generateDataKey({ KeyId: key.KeyId, KeySpec: 'AES_256' });
    const opened = await kms.decrypt({ CiphertextBlob: blob });
    const random = await kms.generateRandom({ NumberOfBytes: 8 });
    const blobs = [pair, dataKey, opened, random]
      .flatMap((response) => Object.values(response))
      .filter((member) => ArrayBuffer.isView(member));
    expect(blobs).toHaveLength(7);
    for (const each of blobs) {
      expect(each).toBeInstanceOf(Uint8Array);
      expect(each.buffer.byteLength).toBe(each.byteLength);
    }
    expect(new Set(blobs.map(({ buffer }) => buffer)).size).toBe(7);
  });
});

describe('failures', () => {
  test('are told apart by name alone, and say whose fault they are', async () => {
    const failure = await failureOf(kms.describeKey({ KeyId: absentKeyId }));
    expect(failure).toMatchObject({
      name: 'NotFoundException',
      $fault: 'client',
      httpStatusCode: 400,
    });
    expect(Object.keys(kmsErrors)).toContain(failure.name);
    expect(failure).toBeInstanceOf(Error);
  });

  const secret = 'SECRETSECRETSECRET';

  test.each([
    ['Encrypt', 'encrypt'],
    ['Decrypt', 'decrypt'],
    ['ReEncrypt', 'reEncrypt'],
    ['GenerateDataKey', 'generateDataKey'],
    ['GenerateDataKeyPair', 'generateDataKeyPair'],
    ['Sign', 'sign'],
    ['Verify', 'verify'],
    ['GenerateMac', 'generateMac'],
    ['VerifyMac', 'verifyMac'],
    ['DeriveSharedSecret', 'deriveSharedSecret'],
  ] as const)('what goes wrong inside %s is an internal failure', async (operation, native) => {
    const subject = await newSubject(kms, operation);
    vi.spyOn(loadNative(), native).mockImplementation(() => {
      throw Object.assign(new Error(secret), { code: 'INTERNAL' });
    });
    const failure = await failureOf(callCryptographic(kms, operation, subject));
    expect(failure).toMatchObject({
      name: 'KMSInternalException',
      message: 'internal failure',
      $fault: 'server',
      httpStatusCode: 500,
    });
    expect(failure.message).not.toContain(secret);
    expect(JSON.stringify(failure)).not.toContain(secret);
    expect(inspect(failure.cause)).toContain(secret);
  });

  test('a rejection of a worker thread is an internal failure too', async () => {
    vi.spyOn(loadNative(), 'generateDataKeyPair').mockRejectedValue('no error at all');
    const subject = { KeyId: key.KeyId, made: blob };
    expect(await failureText(callCryptographic(kms, 'GenerateDataKeyPair', subject))).toBe(
      'KMSInternalException: internal failure',
    );
    vi.restoreAllMocks();
    await callCryptographic(kms, 'GenerateDataKeyPair', subject);
  });

  test('no message repeats a plaintext or a context', async () => {
    const Plaintext = Buffer.alloc(5000, secret);
    const texts = [
      await failureText(kms.encrypt({ KeyId: key.KeyId, Plaintext })),
      await failureText(
        kms.decrypt({ CiphertextBlob: blob, EncryptionContext: { [secret]: secret } }),
      ),
      await failureText(
        kms.decrypt({ CiphertextBlob: blob, EncryptionContext: { a: secret.repeat(500) } }),
      ),
    ];
    for (const text of texts) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 16));
    }
  });
});
