import { requireState } from '../keys/key-checks.ts';
import { KmsError } from '../model/errors.ts';
import { findKey } from './rules/key-lookup.ts';
import { keyMetadata } from './rules/key-metadata.ts';
import type { Operation } from './rules/operation.ts';
import { publicKeyOf } from './rules/public-key.ts';

/** KMS API Reference, GetPublicKey. */
export const getPublicKey: Operation<'GetPublicKey'> = {
  name: 'GetPublicKey',
  readOnly: true,
  async run(services, { KeyId }) {
    const key = await findKey(services, KeyId);
    // A disabled key still shows its public key.
    requireState(key, 'Disabled');
    if (key.record.publicKey === undefined) throw new KmsError('UnsupportedOperationException');
    const shown = keyMetadata(key);
    return {
      KeyId: key.arn,
      PublicKey: publicKeyOf(key),
      CustomerMasterKeySpec: shown.CustomerMasterKeySpec,
      KeySpec: shown.KeySpec,
      KeyUsage: shown.KeyUsage,
      ...(shown.EncryptionAlgorithms && { EncryptionAlgorithms: shown.EncryptionAlgorithms }),
      ...(shown.SigningAlgorithms && { SigningAlgorithms: shown.SigningAlgorithms }),
      ...(shown.KeyAgreementAlgorithms && {
        KeyAgreementAlgorithms: shown.KeyAgreementAlgorithms,
      }),
    };
  },
};
