import { missingMemberError } from '../model/constraints.ts';
import { KmsError } from '../model/errors.ts';
import { isNativeError, type KeyMaterial } from '../native.ts';
import type { Key } from '../store/key-directory.ts';
import { keyIdsOf } from '../store/key-record.ts';
import {
  requireAlgorithm,
  requireEnabled,
  requireEncryptionUsage,
  requireGrantTokens,
} from './key-checks.ts';
import { callerOf, findKey } from './key-lookup.ts';
import type { Services } from './operation.ts';

/** A key that may seal: checked, and with its current material opened. */
export interface SealingKey {
  readonly key: Key;
  readonly material: KeyMaterial;
}

/** A ciphertext and the key that may open it. */
export interface OpenableBlob extends SealingKey {
  /** Absent in a dry run that leaves the ciphertext out. */
  readonly ciphertext: Uint8Array | undefined;
  readonly materialId: string;
}

type EncryptionAlgorithm = Parameters<typeof requireAlgorithm>[1];

/** Checks that `key` may seal for `operation`, in AWS's order, and opens its current material. */
export async function sealingKey(
  { keys }: Services,
  operation: string,
  key: Key,
  options: { grantTokens: readonly string[] | undefined; requireSpec: (key: Key) => void },
): Promise<SealingKey> {
  requireGrantTokens(options.grantTokens);
  requireEncryptionUsage(key, operation);
  requireEnabled(key);
  options.requireSpec(key);
  const material = await keys.material(key.record);
  if (material === undefined) {
    throw new KmsError(
      'KMSInternalException',
      `The key store is damaged: the key material of ${key.arn} is missing.`,
    );
  }
  return { key, material };
}

/**
 * Finds the key that a ciphertext was made with, and checks that it may open it.
 *
 * @throws KmsError InvalidCiphertextException, without a message, for whatever is no ciphertext of
 *   this store; IncorrectKeyException where `keyId` names another key; AccessDeniedException where
 *   no `keyId` is given and the ciphertext's key does not exist
 */
export async function openableBlob(
  services: Services,
  operation: 'Decrypt' | 'ReEncryptFrom',
  ciphertext: Uint8Array | undefined,
  options: {
    keyId: string | undefined;
    grantTokens: readonly string[] | undefined;
    algorithm: EncryptionAlgorithm;
  },
): Promise<OpenableBlob> {
  // Only a symmetric ciphertext says whose it is; any other is refused with its algorithm.
  const symmetric = (options.algorithm ?? 'SYMMETRIC_DEFAULT') === 'SYMMETRIC_DEFAULT';
  const header = symmetric && ciphertext ? readHeader(ciphertext) : undefined;
  const key = await openingKey(services, operation, header?.keyIds, options.keyId);
  requireGrantTokens(options.grantTokens);
  requireEncryptionUsage(key, operation === 'Decrypt' ? 'Decrypt' : 'ReEncrypt');
  requireEnabled(key);
  requireAlgorithm(key, options.algorithm);
  const materialId = header?.materialId ?? key.record.currentMaterialId;
  const material = await services.keys.material(key.record, materialId);
  if (material === undefined) throw invalidCiphertext();
  return { key, material, ciphertext, materialId };
}

/**
 * The ciphertext that a request is about: none in a dry run whose modifiers say to leave it out.
 *
 * @throws KmsError ValidationException where it is missing or no key is named in its place
 */
export function ciphertextOf(
  request: {
    CiphertextBlob?: Uint8Array | undefined;
    DryRun?: boolean | undefined;
    DryRunModifiers?: readonly string[] | undefined;
  },
  keyMember: { name: string; keyId: string | undefined; algorithm: EncryptionAlgorithm },
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
export function opening<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw isNativeError(error, 'INVALID_CIPHERTEXT') ? invalidCiphertext() : error;
  }
}

function invalidCiphertext(): KmsError {
  return new KmsError('InvalidCiphertextException');
}

// The places of the envelope's header (docs/envelope.md section 2) that say whose material opens it;
// native code checks all of it.
const magic = Buffer.from('DKP', 'latin1');
const minBlobLength = 148;

function readHeader(blob: Uint8Array): { keyIds: readonly string[]; materialId: string } {
  if (blob.byteLength < minBlobLength || Buffer.compare(blob.subarray(0, 3), magic) !== 0) {
    throw invalidCiphertext();
  }
  return {
    keyIds: keyIdsOf(blob.subarray(8, 24)),
    materialId: Buffer.from(blob.subarray(24, 56)).toString('hex'),
  };
}

async function openingKey(
  services: Services,
  operation: 'Decrypt' | 'ReEncryptFrom',
  blobKeyIds: readonly string[] | undefined,
  keyId: string | undefined,
): Promise<Key> {
  if (keyId !== undefined) {
    const key = await findKey(services, operation, keyId);
    if (blobKeyIds === undefined || blobKeyIds.includes(key.record.keyId)) return key;
    throw new KmsError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  for (const id of blobKeyIds ?? []) {
    const key = await services.keys.findById({ ...services, keyId: id });
    if (key !== undefined) return key;
  }
  throw new KmsError(
    'AccessDeniedException',
    `User: ${callerOf(services)} is not authorized to perform: kms:${operation} on the resource ` +
      'associated with this ciphertext because the resource does not exist in this Region, no ' +
      'resource-based policies allow access, or a resource-based policy explicitly denies access',
  );
}
