import crypto, { type KeyObject } from 'node:crypto';
import type { KeySpec } from '../../lib/model/types.ts';
import type { KeyMaterial } from '../../lib/native/addon.ts';
import { internals } from './internals.ts';

export const rootKey = internals.openRootKey(Buffer.alloc(32, 7));

/** What a record of some KMS key goes with. */
export const destination = {
  rootKey,
  keyId: Buffer.alloc(16, 1),
  attributes: Buffer.from('attributes'),
};

export interface KmsKey {
  material: KeyMaterial;
  publicKey: Uint8Array;
}

/** Makes a private key in native code. */
export async function mintKey(spec: KeySpec): Promise<KmsKey> {
  const record = await internals.createPrivateKeyMaterial({ ...destination, spec });
  return {
    material: internals.openKeyMaterial(rootKey, record.header, record.wrapped),
    publicKey: record.publicKey,
  };
}

/** Takes a secret, or a private key as PKCS#8, into native code. */
export async function importKey(spec: KeySpec, plaintext: Uint8Array): Promise<KmsKey> {
  const record = await internals.importPlainKeyMaterial({ ...destination, spec, plaintext });
  return {
    material: internals.openKeyMaterial(rootKey, record.header, record.wrapped),
    publicKey: record.publicKey ?? new Uint8Array(),
  };
}

const curves: Partial<Record<KeySpec, string>> = {
  ECC_NIST_P256: 'prime256v1',
  ECC_NIST_P384: 'secp384r1',
  ECC_NIST_P521: 'secp521r1',
  ECC_SECG_P256K1: 'secp256k1',
  SM2: 'SM2',
};

/** A private key of `spec` made by node:crypto. */
export function generateWithNode(spec: KeySpec): KeyObject {
  const namedCurve = curves[spec];
  if (namedCurve !== undefined) {
    return crypto.generateKeyPairSync('ec', { namedCurve }).privateKey;
  }
  if (spec === 'ECC_NIST_EDWARDS25519') return crypto.generateKeyPairSync('ed25519').privateKey;
  const modulusLength = Number(spec.replace('RSA_', ''));
  return crypto.generateKeyPairSync('rsa', { modulusLength }).privateKey;
}

export const pkcs8Of = (key: KeyObject) => key.export({ format: 'der', type: 'pkcs8' });
export const spkiOf = (key: KeyObject) =>
  crypto.createPublicKey(key).export({ format: 'der', type: 'spki' });
export const publicKeyOf = (spki: Uint8Array) =>
  crypto.createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });

/** What PKCS #11 calls CKM_RSA_AES_KEY_WRAP. */
export function wrapHybrid(key: KeyObject, oaepHash: string, material: Uint8Array): Buffer {
  const aesKey = crypto.randomBytes(32);
  const initial = Buffer.from('a65959a6', 'hex'); // RFC 5649, section 3
  const cipher = crypto.createCipheriv('id-aes256-wrap-pad', aesKey, initial);
  return Buffer.concat([
    crypto.publicEncrypt({ key, oaepHash }, aesKey),
    cipher.update(material),
    cipher.final(),
  ]);
}

/** The bytes with one bit of them flipped. */
export function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
  return flipped;
}
