import {
  isSymmetric,
  requireAlgorithm,
  requireState,
  requireUsage,
} from '../../keys/key-checks.ts';
import type { Key } from '../../keys/key-directory.ts';
import { missingMemberError } from '../../model/constraints.ts';
import { encodeEncryptionContext } from '../../model/encryption-context.ts';
import { KmsError } from '../../model/errors.ts';
import { keySpecs } from '../../model/key-specs.ts';
import type { EncryptionAlgorithmSpec, KeySpec } from '../../model/types.ts';
import { keyIdsOf } from '../../model/key-id.ts';
import { isNativeError, type KeyMaterial } from '../../native/addon.ts';
import { damaged } from '../../store/store-errors.ts';
import { type AccessOptions, authorize, refuseForeign } from './access.ts';
import { lookUp } from './key-lookup.ts';
import type { Services } from './operation.ts';

type Context = Readonly<Record<string, string>> | undefined;

/** A key that may seal: checked, and with its current material opened. */
export interface SealingKey extends CurrentMaterial {
  readonly key: Key;
}

/** A ciphertext and the key that may open it. */
export interface OpenableBlob {
  readonly key: Key;
  readonly algorithm: EncryptionAlgorithmSpec;
  readonly material: KeyMaterial;
  /** Undefined where the key is asymmetric. */
  readonly materialId: string | undefined;
  /** Absent in a dry run that leaves the ciphertext out. */
  readonly ciphertext: Uint8Array | undefined;
  readonly context: Uint8Array;
}

/** Checks that `key` may seal for `operation`, in AWS's order, and opens its current material. */
export async function sealingKey(
  services: Services,
  key: Key,
  options: {
    operation: string;
    requireSpec: (key: Key) => void;
  },
): Promise<SealingKey> {
  requireUsableToEncrypt(key, options.operation);
  options.requireSpec(key);
  const { material, materialId } = await currentMaterial(services, key);
  return { key, material, materialId };
}

/** What may encrypt with an algorithm: material of a symmetric key, or a public key. */
export type EncryptingKey = {
  readonly key: Key;
  readonly algorithm: EncryptionAlgorithmSpec;
  /** The current one; undefined where the key is asymmetric. */
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
    const { material, materialId } = await currentMaterial(services, key);
    return { key, algorithm, context, material, materialId };
  }
  refuseContext(request.context, 'encrypting');
  return { key, algorithm, publicKey: publicKeyOf(key) };
}

/** The public half of an asymmetric key, SubjectPublicKeyInfo in DER. */
export function publicKeyOf({ arn, record }: Key): Uint8Array {
  if (record.publicKey === undefined) throw damaged(arn);
  // Buffers made of texts share memory with others; this goes into answers.
  return Uint8Array.from(Buffer.from(record.publicKey, 'base64'));
}

/** What a key seals with. */
export interface CurrentMaterial {
  readonly material: KeyMaterial;
  readonly materialId: string;
}

/** A key's current material, at once where it has been opened before. */
export function currentMaterial(
  { keys }: Pick<Services, 'keys'>,
  { arn, record }: Key,
): CurrentMaterial | Promise<CurrentMaterial> {
  const materialId = record.currentMaterialId as string;
  const opened = keys.vault.opened(record);
  if (opened !== undefined) return { material: opened, materialId };
  return keys.material(record).then((material) => {
    if (material === undefined) throw damaged(`of the key material of ${arn}`);
    return { material, materialId };
  });
}

/** @throws KmsError ValidationException where an asymmetric algorithm cannot take so much */
export function requireRoom(key: Key, algorithm: string, plaintext: Uint8Array): void {
  if (plaintext.byteLength > capacityOf(key.record.keySpec, algorithm)) {
    throw tooLarge(key, algorithm);
  }
}

/** What AWS says of data that an asymmetric algorithm cannot take. */
export function tooLarge({ record }: Key, algorithm: string): KmsError {
  const most = capacityOf(record.keySpec, algorithm);
  return new KmsError(
    'ValidationException',
    `Algorithm ${algorithm} and key spec ${record.keySpec} cannot encrypt data larger than ` +
      `${most} bytes.`,
  );
}

// RFC 8017 section 7.1.1: two hashes and two bytes of the modulus are OAEP's own. SM2's limit is
// that of AWS's table of algorithms.
function capacityOf(keySpec: KeySpec, algorithm: string): number {
  const { modulusBits } = keySpecs[keySpec];
  if (modulusBits !== undefined) {
    return modulusBits / 8 - 2 * (algorithm.endsWith('SHA_1') ? 20 : 32) - 2;
  }
  return algorithm === 'SM2PKE' ? 1024 : Number.POSITIVE_INFINITY;
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
  // Only a symmetric ciphertext says whose it is; any other is refused with its algorithm.
  const symmetric = algorithm === 'SYMMETRIC_DEFAULT';
  const header = symmetric && ciphertext ? readHeader(ciphertext) : undefined;
  const key = await openingKey(services, header?.keyIds, request);
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

function requireUsableToEncrypt(key: Key, operation: string): void {
  requireUsage(key, 'ENCRYPT_DECRYPT', operation);
  requireState(key);
}

function refuseContext(context: Context, doing: 'encrypting' | 'decrypting'): void {
  if (context === undefined || Object.keys(context).length === 0) return;
  throw new KmsError(
    'ValidationException',
    `EncryptionContext is not supported when ${doing} with asymmetric CMKs.`,
  );
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
    materialId: materialIdOfBlob(blob),
  };
}

/** The id of the key material that a symmetric ciphertext says it was sealed under. */
export function materialIdOfBlob(blob: Uint8Array): string {
  return Buffer.from(blob.buffer, blob.byteOffset + 24, 32).toString('hex');
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
    // A ciphertext does not tell whose account its key is in.
    const { region, accountId } = services;
    const key = await services.keys.findInRegion({ region, accountId, keyId: id });
    if (key === undefined) continue;
    await authorize(services, key, { ...optionsOf(key), ciphertext: true });
    return key;
  }
  return refuseForeign(services, { action, ciphertext: true });
}
