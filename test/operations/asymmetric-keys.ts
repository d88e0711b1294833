import crypto, { type KeyObject } from 'node:crypto';
import type { KeySpec, KeyUsageType, SigningAlgorithmSpec } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { publicKeyOf, wrapHybrid } from '../support/kms-keys.ts';
import { bytes, type MadeKey, newKey } from './support.ts';

/** The public half of a key as node:crypto takes it. */
export async function publicHalf(kms: Pairmint, KeyId: string): Promise<KeyObject> {
  return publicKeyOf(bytes((await kms.getPublicKey({ KeyId })).PublicKey));
}

/** A KMS key whose material, a secret or PKCS#8, the test has, too. */
export async function importedKey(
  kms: Pairmint,
  request: { KeySpec: KeySpec; KeyUsage: KeyUsageType },
  material: Uint8Array,
): Promise<MadeKey> {
  const key = await newKey(kms, { ...request, Origin: 'EXTERNAL' });
  const { KeyId } = key;
  const { PublicKey, ImportToken } = await kms.getParametersForImport({
    KeyId,
    WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256',
    WrappingKeySpec: 'RSA_2048',
  });
  await kms.importKeyMaterial({
    KeyId,
    ImportToken,
    EncryptedKeyMaterial: wrapHybrid(publicKeyOf(bytes(PublicKey)), 'sha256', material),
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  });
  return key;
}

/** The hash of a signing algorithm by node:crypto's name; null if the algorithm has its own. */
export function hashOf(algorithm: SigningAlgorithmSpec): string | null {
  return algorithm.startsWith('ED25519') ? null : `sha${algorithm.slice(-3)}`;
}

/** A key with node:crypto's options for a signing algorithm. */
export function forSigning(algorithm: SigningAlgorithmSpec, key: KeyObject) {
  if (!algorithm.startsWith('RSASSA_PSS')) return { key };
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = crypto.constants;
  return { key, padding, saltLength };
}
