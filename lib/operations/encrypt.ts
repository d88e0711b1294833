import { encodeEncryptionContext } from '../model/encryption-context.ts';
import { endDryRun, requireAlgorithm } from './key-checks.ts';
import { findKey } from './key-lookup.ts';
import type { Operation } from './operation.ts';
import { sealingKey } from './sealing.ts';

/** KMS API Reference, Encrypt. */
export const encrypt: Operation<'Encrypt'> = {
  name: 'Encrypt',
  async run(services, request) {
    const context = encodeEncryptionContext(request.EncryptionContext);
    const key = await findKey(services, 'Encrypt', request.KeyId);
    const { material } = await sealingKey(services, 'Encrypt', key, {
      grantTokens: request.GrantTokens,
      requireSpec: (found) => requireAlgorithm(found, request.EncryptionAlgorithm),
    });
    endDryRun(request.DryRun);
    const plaintext = request.Plaintext;
    return {
      CiphertextBlob: services.native.encrypt({ material, context, plaintext }),
      KeyId: key.arn,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    };
  },
};
