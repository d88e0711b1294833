import type { Key } from '../../keys/key.ts';
import { requireAlgorithm, requireState, requireUsage } from '../../keys/key-checks.ts';
import { type BlobHeader, readHeader } from '../../model/blob-header.ts';
import { missingMemberError } from '../../model/constraints.ts';
import { encodeEncryptionContext } from '../../model/encryption-context.ts';
import { KmsError } from '../../model/errors.ts';
import { keyIdsOf } from '../../model/key-id.ts';
import type { EncryptionAlgorithmSpec } from '../../model/types.ts';
import { isNativeError, type KeyMaterial } from '../../native/addon.ts';
import { type AccessOptions, authorize, refuseForeign } from './access.ts';
import { lookUp } from './key-lookup.ts';
import type { Services } from './operation.ts';
import { type Context, refuseContext } from './sealing.ts';

/** A ciphertext and the key that may open it. */
export interface OpenableBlob {
  readonly key: Key;
  readonly algorithm: EncryptionAlgorithmSpec;
  readonly material: KeyMaterial;
  /** Undefined if the key is asymmetric. */
  readonly materialId: string | undefined;
  /** Absent in a dry run that leaves the ciphertext out. */
  readonly ciphertext: Uint8Array | undefined;
  readonly context: Uint8Array;
}

/**
 * Finds the key that a ciphertext was made with, and checks that it may open it.
 *
 * @throws KmsError InvalidCiphertextException, without a message, unless it is a ciphertext of this
 *   store; IncorrectKeyException if `keyId` names another key; AccessDeniedException if no `keyId`
 *   is given and the ciphertext's key does not exist
 */
export async function openableBlob(
  services: Services,
  ciphertext: Uint8Array | undefined,
  request: {
    action: 'Decrypt' | 'ReEncryptFrom';
    keyId: string | undefined;
    algorithm: EncryptionAlgorithmSpec | undefined;
    context: Context;
    contextMember?: string;
    destinationArn?: string | undefined;
  },
): Promise<OpenableBlob> {
  const { algorithm = 'SYMMETRIC_DEFAULT', contextMember } = request;
  const context = encodeEncryptionContext(request.context, contextMember);
  // Only a symmetric ciphertext names its key; other algorithms need a KeyId.
  const symmetric = algorithm === 'SYMMETRIC_DEFAULT';
  const header = symmetric && ciphertext ? requireHeader(ciphertext) : undefined;
  const key = await openingKey(services, header && keyIdsOf(header.keyId), request);
  requireUsage(key, 'ENCRYPT_DECRYPT', request.action === 'Decrypt' ? 'Decrypt' : 'ReEncrypt');
  requireState(key);
  requireAlgorithm(key, algorithm);
  if (!symmetric) refuseContext(request.context, 'decrypting');
  const materialId = header?.materialId ?? (key.record.currentMaterialId as string);
  const material = await services.keys.material(key.record, materialId);
  if (material === undefined) throw invalidCiphertext();
  return {
    key,
    algorithm,
    material,
    materialId: symmetric ? materialId : undefined,
    ciphertext,
    context,
  };
}

/**
 * A request's ciphertext; undefined in a dry run whose modifiers allow leaving it out.
 *
 * @throws KmsError ValidationException if the ciphertext is missing, or left out and no key is
 *   named
 */
export function ciphertextOf(
  request: {
    CiphertextBlob?: Uint8Array | undefined;
    DryRun?: boolean | undefined;
    DryRunModifiers?: readonly string[] | undefined;
  },
  keyMember: {
    name: string;
    keyId: string | undefined;
    algorithm: EncryptionAlgorithmSpec | undefined;
  },
): Uint8Array | undefined {
  const { CiphertextBlob, DryRun, DryRunModifiers } = request;
  const ignored = DryRun === true && DryRunModifiers?.includes('IGNORE_CIPHERTEXT');
  if (CiphertextBlob === undefined && !ignored) throw missingMemberError('CiphertextBlob');
  if (keyMember.keyId === undefined) {
    if (ignored) throw missingMemberError(keyMember.name);
    if ((keyMember.algorithm ?? 'SYMMETRIC_DEFAULT') !== 'SYMMETRIC_DEFAULT') {
      throw new KmsError('ValidationException', `${keyMember.name} must not be null`);
    }
  }
  return ignored ? undefined : CiphertextBlob;
}

/** Runs a native function that opens a ciphertext. */
export async function opening<T>(open: () => T | Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw isNativeError(error, 'INVALID_CIPHERTEXT') ? invalidCiphertext() : error;
  }
}

function invalidCiphertext(): KmsError {
  return new KmsError('InvalidCiphertextException');
}

/** @throws KmsError InvalidCiphertextException */
function requireHeader(ciphertext: Uint8Array): BlobHeader {
  const header = readHeader(ciphertext);
  if (header === undefined) throw invalidCiphertext();
  return header;
}

async function openingKey(
  services: Services,
  blobKeyIds: readonly string[] | undefined,
  request: {
    action: 'Decrypt' | 'ReEncryptFrom';
    keyId: string | undefined;
    destinationArn?: string | undefined;
  },
): Promise<Key> {
  const { action, keyId, destinationArn } = request;
  const optionsOf = ({ arn }: Key): AccessOptions => ({
    action,
    ...(destinationArn !== undefined && { reEncryptOnSameKey: arn === destinationArn }),
  });
  if (keyId !== undefined) {
    const { key, requestAlias } = await lookUp(services, keyId, { action });
    await authorize(services, key, { ...optionsOf(key), requestAlias });
    if (blobKeyIds === undefined || blobKeyIds.includes(key.record.keyId)) return key;
    throw new KmsError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  for (const id of blobKeyIds ?? []) {
    // A ciphertext does not name its key's account.
    const { region, accountId } = services;
    const key = await services.keys.findInRegion({ region, accountId, keyId: id });
    if (key === undefined) continue;
    await authorize(services, key, { ...optionsOf(key), ciphertext: true });
    return key;
  }
  return refuseForeign(services, { action, ciphertext: true });
}
