import type { Key } from '../../keys/key.ts';
import {
  isSymmetric,
  requireAlgorithm,
  requireState,
  requireUsage,
} from '../../keys/key-checks.ts';
import type { CurrentMaterial } from '../../keys/material-vault.ts';
import { encodeEncryptionContext } from '../../model/encryption-context.ts';
import { KmsError } from '../../model/errors.ts';
import type { EncryptionAlgorithmSpec } from '../../model/types.ts';
import type { KeyMaterial } from '../../native/addon.ts';
import type { Services } from './operation.ts';
import { publicKeyOf } from './public-key.ts';

/** The encryption context of a request. */
export type Context = Readonly<Record<string, string>> | undefined;

/** A key that was checked for sealing, with its current material opened. */
export interface SealingKey extends CurrentMaterial {
  readonly key: Key;
}

/**
 * Checks that `key` may seal for `operation`, in AWS's order, and opens its current material. Not a
 * promise if it is open already.
 */
export function sealingKey(
  services: Services,
  key: Key,
  options: {
    operation: string;
    requireSpec: (key: Key) => void;
  },
): SealingKey | Promise<SealingKey> {
  requireUsableToEncrypt(key, options.operation);
  options.requireSpec(key);
  const current = services.keys.vault.current(key);
  const withKey = ({ material, materialId }: CurrentMaterial) => ({ key, material, materialId });
  return current instanceof Promise ? current.then(withKey) : withKey(current);
}

/** The key that encrypts: material of a symmetric key, or a public key. */
export type EncryptingKey = {
  readonly key: Key;
  readonly algorithm: EncryptionAlgorithmSpec;
  /** The current one; undefined if the key is asymmetric. */
  readonly materialId?: string;
} & (
  | { readonly material: KeyMaterial; readonly context: Uint8Array }
  | { readonly publicKey: Uint8Array }
);

/** Checks that `key` may encrypt for `operation`, in AWS's order. */
export async function encryptingKey(
  services: Services,
  key: Key,
  request: {
    operation: string;
    algorithm: EncryptionAlgorithmSpec | undefined;
    context: Context;
    contextMember?: string;
  },
): Promise<EncryptingKey> {
  const { algorithm = 'SYMMETRIC_DEFAULT', contextMember } = request;
  const context = encodeEncryptionContext(request.context, contextMember);
  requireUsableToEncrypt(key, request.operation);
  requireAlgorithm(key, algorithm);
  if (isSymmetric(key)) {
    const { material, materialId } = await services.keys.vault.current(key);
    return { key, algorithm, context, material, materialId };
  }
  refuseContext(request.context, 'encrypting');
  return { key, algorithm, publicKey: publicKeyOf(key) };
}

/** @throws KmsError ValidationException if a request with an asymmetric key has a context */
export function refuseContext(context: Context, doing: 'encrypting' | 'decrypting'): void {
  if (context === undefined || Object.keys(context).length === 0) return;
  throw new KmsError(
    'ValidationException',
    `EncryptionContext is not supported when ${doing} with asymmetric CMKs.`,
  );
}

function requireUsableToEncrypt(key: Key, operation: string): void {
  requireUsage(key, 'ENCRYPT_DECRYPT', operation);
  requireState(key);
}
