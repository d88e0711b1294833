import { endDryRun } from '../keys/key-checks.ts';
import { requireCapacity } from './rules/capacity.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';
import { encryptingKey } from './rules/sealing.ts';

/** KMS API Reference, Encrypt. */
export const encrypt: Operation<'Encrypt'> = {
  name: 'Encrypt',
  readOnly: true,
  async run(services, request) {
    const { native } = services;
    const caller = services.caller.principal.arn;
    const plaintext = request.Plaintext;
    const key = await findKey(services, request.KeyId);
    const encrypting = await encryptingKey(services, key, {
      operation: 'Encrypt',
      algorithm: request.EncryptionAlgorithm,
      context: request.EncryptionContext,
    });
    requireCapacity(key, encrypting.algorithm, plaintext);
    endDryRun(request.DryRun);
    return {
      CiphertextBlob:
        'material' in encrypting
          ? native.encrypt({ ...encrypting, plaintext })
          : await native.encryptWithPublicKey({ ...encrypting, plaintext, caller }),
      KeyId: key.arn,
      EncryptionAlgorithm: encrypting.algorithm,
    };
  },
};
