import { KmsError } from '../model/errors.ts';
import type { EncryptionAlgorithmSpec } from '../model/types.ts';
import type { Key } from '../store/key-directory.ts';
import { stateOf } from '../store/key-record.ts';

// The order of these checks is AWS's: grant tokens, usage, state, spec and algorithm, dry run.

/** There are no grants yet, so no token can be one of theirs. */
export function requireGrantTokens(tokens: readonly string[] | undefined): void {
  if (tokens === undefined || tokens.length === 0) return;
  throw new KmsError('InvalidGrantTokenException', 'A grant token in the request is not valid.');
}

/** @throws KmsError InvalidKeyUsageException unless the key encrypts and decrypts */
export function requireEncryptionUsage({ arn, record }: Key, operation: string): void {
  if (record.keyUsage === 'ENCRYPT_DECRYPT') return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `${arn} key usage is ${record.keyUsage} which is not valid for ${operation}.`,
  );
}

/** @throws KmsError DisabledException or KMSInvalidStateException unless the key is enabled */
export function requireEnabled(key: Key): void {
  requireNotPendingDeletion(key);
  if (stateOf(key.record) === 'Disabled') {
    throw new KmsError('DisabledException', `${key.arn} is disabled.`);
  }
}

export function requireNotPendingDeletion({ arn, record }: Key): void {
  if (stateOf(record) !== 'PendingDeletion') return;
  throw new KmsError('KMSInvalidStateException', `${arn} is pending deletion.`);
}

export function requireAlgorithm(
  { record }: Key,
  algorithm: EncryptionAlgorithmSpec = 'SYMMETRIC_DEFAULT',
): void {
  if (algorithm === record.keySpec) return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `Algorithm ${algorithm} is incompatible with key spec ${record.keySpec}.`,
  );
}

/** @throws KmsError InvalidKeyUsageException where an asymmetric key is to make a data key or pair */
export function requireSymmetric({ record }: Key): void {
  if (record.keySpec === 'SYMMETRIC_DEFAULT') return;
  throw new KmsError(
    'InvalidKeyUsageException',
    'You cannot generate a data key with an asymmetric CMK',
  );
}

/** @throws KmsError DryRunOperationException where the request asked for nothing else */
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
