import { KmsError } from '../model/errors.ts';
import { keySpecs } from '../model/key-specs.ts';
import type { KeyUsageType } from '../model/types.ts';
import type { Key } from './key.ts';
import { type KeyState, stateOf } from './key-record.ts';

// The order of these checks is AWS's: usage, state, spec and algorithm, dry run.

/** @throws KmsError InvalidKeyUsageException unless the key is for this */
export function requireUsage({ arn, record }: Key, usage: KeyUsageType, operation: string): void {
  if (record.keyUsage === usage) return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `${arn} key usage is ${record.keyUsage} which is not valid for ${operation}.`,
  );
}

const stateTexts: Readonly<Record<Exclude<KeyState, 'Enabled'>, string>> = {
  Disabled: 'is disabled',
  PendingImport: 'is pending import',
  PendingDeletion: 'is pending deletion',
  PendingReplicaDeletion: 'is pending replica deletion',
};

/**
 * @throws KmsError DisabledException or KMSInvalidStateException if the key is in a state other
 *   than Enabled and those that the operation takes beside it
 */
export function requireState({ arn, record }: Key, ...others: readonly KeyState[]): void {
  const state = stateOf(record);
  if (state === 'Enabled' || others.includes(state)) return;
  throw new KmsError(
    state === 'Disabled' ? 'DisabledException' : 'KMSInvalidStateException',
    `${arn} ${stateTexts[state]}.`,
  );
}

/** @throws KmsError KMSInvalidStateException if the key is pending deletion */
export function requireNotPendingDeletion(key: Key): void {
  requireState(key, 'Disabled', 'PendingImport');
}

/** @throws KmsError InvalidKeyUsageException unless the algorithm is one of the key's */
export function requireAlgorithm({ record }: Key, algorithm: string): void {
  const { keySpec, keyUsage } = record;
  const [algorithms = []] = Object.values(keySpecs[keySpec].usages[keyUsage] ?? {}) as string[][];
  if (algorithms.includes(algorithm)) return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `Algorithm ${algorithm} is incompatible with key spec ${keySpec}.`,
  );
}

export function isSymmetric({ record }: Key): boolean {
  return record.keySpec === 'SYMMETRIC_DEFAULT';
}

/** @throws KmsError InvalidKeyUsageException if an asymmetric key is to make a data key or pair */
export function requireSymmetric(key: Key): void {
  if (isSymmetric(key)) return;
  throw new KmsError(
    'InvalidKeyUsageException',
    'You cannot generate a data key with an asymmetric CMK',
  );
}

/** @throws KmsError UnsupportedOperationException unless the material came from there */
export function requireOrigin({ arn, record }: Key, origin: 'AWS_KMS' | 'EXTERNAL'): void {
  if (record.origin === origin) return;
  throw new KmsError(
    'UnsupportedOperationException',
    `${arn} origin is ${record.origin} which is not valid for this operation.`,
  );
}

/** @throws KmsError DryRunOperationException if the request is a dry run */
export function endDryRun(dryRun: boolean | undefined): void {
  if (!dryRun) return;
  throw new KmsError(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  );
}

/** Attestation documents of Nitro enclaves are not verified here, so none is accepted. */
export function refuseRecipient(recipient: object | undefined): void {
  if (recipient === undefined) return;
  throw new KmsError(
    'UnsupportedOperationException',
    'Recipient is not supported: pairmint does not verify attestation documents.',
  );
}
