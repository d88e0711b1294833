import crypto from 'node:crypto';
import type { AlgorithmSpec, WrappingKeySpec } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { publicKeyOf, wrapHybrid } from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';
import { bytes } from './support.ts';

/** Those that are taken: RSAES_PKCS1_V1_5 is not. */
export type WrappingAlgorithm = Exclude<AlgorithmSpec, 'RSAES_PKCS1_V1_5'>;

type Wrap = (publicKey: Uint8Array, material: Uint8Array) => Buffer;

const oaep =
  (oaepHash: string): Wrap =>
  (publicKey, material) =>
    crypto.publicEncrypt({ key: publicKeyOf(publicKey), oaepHash }, material);

const hybrid =
  (oaepHash: string): Wrap =>
  (publicKey, material) =>
    wrapHybrid(publicKeyOf(publicKey), oaepHash, material);

/** What the owner of the material does, with node:crypto. */
export const wrap: Readonly<Record<WrappingAlgorithm, Wrap>> = {
  RSAES_OAEP_SHA_1: oaep('sha1'),
  RSAES_OAEP_SHA_256: oaep('sha256'),
  RSA_AES_KEY_WRAP_SHA_1: hybrid('sha1'),
  RSA_AES_KEY_WRAP_SHA_256: hybrid('sha256'),
  SM2PKE: sm2.encrypt,
};

export interface Parameters {
  readonly ImportToken: Buffer;
  readonly PublicKey: Buffer;
  readonly WrappingAlgorithm: WrappingAlgorithm;
}

export async function parametersFor(
  kms: Pairmint,
  KeyId: string,
  WrappingAlgorithm: WrappingAlgorithm = 'RSA_AES_KEY_WRAP_SHA_256',
  WrappingKeySpec: WrappingKeySpec = 'RSA_2048',
): Promise<Parameters> {
  const { ImportToken, PublicKey } = await kms.getParametersForImport({
    KeyId,
    WrappingAlgorithm,
    WrappingKeySpec,
  });
  return { ImportToken: bytes(ImportToken), PublicKey: bytes(PublicKey), WrappingAlgorithm };
}

type Request = Omit<
  Partial<globalThis.Parameters<Pairmint['importKeyMaterial']>[0]>,
  'KeyId' | 'EncryptedKeyMaterial'
>;

/** Imports material that does not expire unless `more` says so; a token is good for many imports. */
export function importWith(
  kms: Pairmint,
  KeyId: string,
  { ImportToken, PublicKey, WrappingAlgorithm }: Parameters,
  material: Uint8Array,
  more: Request = {},
) {
  return kms.importKeyMaterial({
    KeyId,
    ImportToken,
    EncryptedKeyMaterial: wrap[WrappingAlgorithm](PublicKey, material),
    ...(more.ValidTo === undefined && { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' as const }),
    ...more,
  });
}

/** The same with parameters of its own. */
export async function importMaterial(
  kms: Pairmint,
  KeyId: string,
  material: Uint8Array,
  more: Request = {},
) {
  return importWith(kms, KeyId, await parametersFor(kms, KeyId), material, more);
}
