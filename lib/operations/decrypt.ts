import { encodeEncryptionContext } from '../model/encryption-context.ts';
import { endDryRun, refuseRecipient } from './key-checks.ts';
import type { Operation } from './operation.ts';
import { ciphertextOf, openableBlob, opening } from './sealing.ts';

/** KMS API Reference, Decrypt. */
export const decrypt: Operation<'Decrypt'> = {
  name: 'Decrypt',
  async run(services, request) {
    const { KeyId: keyId, EncryptionAlgorithm: algorithm, GrantTokens: grantTokens } = request;
    const sent = ciphertextOf(request, { name: 'KeyId', keyId, algorithm });
    const context = encodeEncryptionContext(request.EncryptionContext);
    const blob = await openableBlob(services, 'Decrypt', sent, { keyId, grantTokens, algorithm });
    refuseRecipient(request.Recipient);
    const { material, ciphertext } = blob;
    const plaintext =
      ciphertext && opening(() => services.native.decrypt({ material, context, ciphertext }));
    endDryRun(request.DryRun);
    return {
      KeyId: blob.key.arn,
      Plaintext: plaintext,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyMaterialId: blob.materialId,
    };
  },
};
