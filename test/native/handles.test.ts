import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { internals } from '../support/internals.ts';

const rootKey = internals.openRootKey(Buffer.alloc(32, 7));
const keyId = Buffer.alloc(16);
const attributes = Buffer.alloc(0);
const context = Buffer.alloc(4);
const bytes = Buffer.alloc(32);
const { header, wrapped } = internals.createKeyMaterial(rootKey, keyId, attributes, 32);
const material = internals.openKeyMaterial(rootKey, header, wrapped);

type Call = (handle: never) => unknown;

const sealing = { context, plaintext: false };
const destination = { keyId, attributes };
const symmetric = (handle: never) => ({
  material: handle,
  algorithm: 'SYMMETRIC_DEFAULT' as const,
  context,
});
const asymmetric = (handle: never) => ({
  material: handle,
  algorithm: 'RSAES_OAEP_SHA_1' as const,
});

/** Each place for a handle to key material in each function of the addon. */
const ofMaterial: [name: string, place: string, call: Call][] = [
  [
    'generateDataKeyPair',
    'material',
    (handle) =>
      internals.generateDataKeyPair({ ...sealing, material: handle, spec: 'ECC_NIST_P384' }),
  ],
  [
    'generateDataKeyPairs',
    'material',
    (handle) =>
      internals.generateDataKeyPairs({
        ...sealing,
        material: handle,
        spec: 'ECC_NIST_P384',
        count: 2,
      }),
  ],
  [
    'generateDataKeyPairsHere',
    'material',
    (handle) =>
      internals.generateDataKeyPair({ ...sealing, material: handle, spec: 'ECC_NIST_P256' }),
  ],
  [
    'mintLot',
    'material',
    (handle) => internals.mintLot({ material: handle, spec: 'ECC_NIST_P256', context, count: 1 }),
  ],
  [
    'takeFromLots',
    'material',
    (handle) =>
      internals.takeFromLot({
        ...sealing,
        material: handle,
        source: material,
        sourceContext: context,
        lot: bytes,
        index: 0,
      }),
  ],
  [
    'takeFromLots',
    'source',
    (handle) =>
      internals.takeFromLot({
        ...sealing,
        material,
        source: handle,
        sourceContext: context,
        lot: bytes,
        index: 0,
      }),
  ],
  [
    'generateDataKeys',
    'material',
    (handle) => internals.generateDataKey({ ...sealing, material: handle, length: 32 }),
  ],
  [
    'encrypt',
    'material',
    (handle) => internals.encrypt({ material: handle, context, plaintext: bytes }),
  ],
  [
    'decrypt',
    'material',
    (handle) => internals.decrypt({ material: handle, context, ciphertext: bytes }),
  ],
  [
    'reEncrypt',
    'source',
    (handle) =>
      internals.reEncrypt({
        source: handle,
        sourceContext: context,
        ciphertext: bytes,
        destination: material,
        destinationContext: context,
      }),
  ],
  [
    'reEncrypt',
    'destination',
    (handle) =>
      internals.reEncrypt({
        source: material,
        sourceContext: context,
        ciphertext: bytes,
        destination: handle,
        destinationContext: context,
      }),
  ],
  [
    'sign',
    'material',
    (handle) =>
      internals.sign({
        material: handle,
        algorithm: 'ECDSA_SHA_256',
        message: bytes,
        messageType: 'DIGEST',
      }),
  ],
  [
    'generateMac',
    'material',
    (handle) =>
      internals.generateMac({ material: handle, algorithm: 'HMAC_SHA_256', message: bytes }),
  ],
  [
    'verifyMac',
    'material',
    (handle) =>
      internals.verifyMac({
        material: handle,
        algorithm: 'HMAC_SHA_256',
        message: bytes,
        mac: bytes,
      }),
  ],
  [
    'deriveSharedSecret',
    'material',
    (handle) => internals.deriveSharedSecret({ material: handle, publicKey: bytes }),
  ],
  [
    'decryptWithPrivateKey',
    'material',
    (handle) =>
      internals.decryptWithPrivateKey({
        material: handle,
        algorithm: 'RSAES_OAEP_SHA_1',
        ciphertext: bytes,
      }),
  ],
  [
    'reEncryptAcross',
    'symmetric source',
    (handle) =>
      internals.reEncryptAcross({
        source: symmetric(handle),
        ciphertext: bytes,
        destination: symmetric(material as never),
      }),
  ],
  [
    'reEncryptAcross',
    'asymmetric source',
    (handle) =>
      internals.reEncryptAcross({
        source: asymmetric(handle),
        ciphertext: bytes,
        destination: symmetric(material as never),
      }),
  ],
  [
    'reEncryptAcross',
    'symmetric destination',
    (handle) =>
      internals.reEncryptAcross({
        source: symmetric(material as never),
        ciphertext: bytes,
        destination: symmetric(handle),
      }),
  ],
];

/** The same for handles to a root key. */
const ofRootKey: [name: string, place: string, call: Call][] = [
  [
    'createKeyMaterial',
    'first argument',
    (handle) => internals.createKeyMaterial(handle, keyId, attributes, 32),
  ],
  [
    'openKeyMaterial',
    'first argument',
    (handle) => internals.openKeyMaterial(handle, header, wrapped),
  ],
  ['stateMac', 'first argument', (handle) => internals.stateMac(handle, keyId, bytes)],
  [
    'createPrivateKeyMaterial',
    'rootKey',
    (handle) =>
      internals.createPrivateKeyMaterial({
        ...destination,
        rootKey: handle,
        spec: 'ECC_NIST_P256',
      }),
  ],
  [
    'createImportToken',
    'rootKey',
    (handle) =>
      internals.createImportToken({
        ...destination,
        rootKey: handle,
        wrappingKeySpec: 'RSA_2048',
      }),
  ],
  [
    'openImportToken',
    'rootKey',
    (handle) => internals.openImportToken({ rootKey: handle, keyId, token: bytes }),
  ],
  [
    'importKeyMaterial',
    'rootKey',
    (handle) =>
      internals.importKeyMaterial({
        ...destination,
        rootKey: handle,
        token: bytes,
        algorithm: 'RSAES_OAEP_SHA_256',
        encryptedKeyMaterial: bytes,
        spec: 'HMAC_256',
      }),
  ],
  [
    'importPlainKeyMaterial',
    'rootKey',
    (handle) =>
      internals.importPlainKeyMaterial({
        ...destination,
        rootKey: handle,
        spec: 'HMAC_256',
        plaintext: bytes,
      }),
  ],
];

const withoutHandles = [
  'capabilities',
  'setNumThreads',
  'openRootKey',
  'createRootKey',
  'viewFile',
  'generateRandom',
  'mintsQuickly',
  'verify',
  'verifyRequest',
  'encryptWithPublicKey',
];

/** What a call throws, or rejects with. */
async function failureOf(call: Call, handle: unknown): Promise<unknown> {
  try {
    await call(handle as never);
    return undefined;
  } catch (error) {
    return error;
  }
}

const refusal = { name: 'TypeError', code: 'INVALID_HANDLE' };

describe('a handle', () => {
  it.each(ofMaterial)('of a root key is refused by %s as its %s', async (_name, _place, call) => {
    expect(await failureOf(call, rootKey)).toMatchObject(refusal);
  });

  it.each(ofRootKey)('of key material is refused by %s as its %s', async (_name, _place, call) => {
    expect(await failureOf(call, material)).toMatchObject(refusal);
  });

  it.each([...ofMaterial, ...ofRootKey])(
    'is what %s needs as its %s, and nothing else will do',
    async (_name, _place, call) => {
      for (const other of [undefined, null, 7, 'text', {}, bytes]) {
        expect(await failureOf(call, other)).toMatchObject(refusal);
      }
    },
  );

  it('has a place in every function of the addon that takes one', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const addon = createRequire(import.meta.url)('node-gyp-build')(root) as object;
    const seen = [...ofMaterial, ...ofRootKey].map(([name]) => name);
    expect(Object.keys(addon).sort()).toEqual([...new Set([...seen, ...withoutHandles])].sort());
  });
});
