import { encodeEncryptionContext } from '../model/encryption-context.ts';
import { endDryRun, requireAlgorithm } from './key-checks.ts';
import { findKey } from './key-lookup.ts';
import type { Operation } from './operation.ts';
import { ciphertextOf, openableBlob, opening, sealingKey } from './sealing.ts';

/** KMS API Reference, ReEncrypt. */
export const reEncrypt: Operation<'ReEncrypt'> = {
  name: 'ReEncrypt',
  async run(services, request) {
    const { SourceKeyId: keyId, GrantTokens: grantTokens } = request;
    const algorithm = request.SourceEncryptionAlgorithm;
    const sent = ciphertextOf(request, { name: 'SourceKeyId', keyId, algorithm });
    const sourceContext = encodeEncryptionContext(
      request.SourceEncryptionContext,
      'SourceEncryptionContext',
    );
    const destinationContext = encodeEncryptionContext(
      request.DestinationEncryptionContext,
      'DestinationEncryptionContext',
    );
    const source = await openableBlob(services, 'ReEncryptFrom', sent, {
      keyId,
      grantTokens,
      algorithm,
    });
    const destinationKey = await findKey(services, 'ReEncryptTo', request.DestinationKeyId);
    const destination = await sealingKey(services, 'ReEncrypt', destinationKey, {
      grantTokens,
      requireSpec: (key) => requireAlgorithm(key, request.DestinationEncryptionAlgorithm),
    });
    const { ciphertext } = source;
    const sealed =
      ciphertext &&
      opening(() =>
        services.native.reEncrypt({
          source: source.material,
          sourceContext,
          ciphertext,
          destination: destination.material,
          destinationContext,
        }),
      );
    endDryRun(request.DryRun);
    return {
      CiphertextBlob: sealed,
      SourceKeyId: source.key.arn,
      KeyId: destination.key.arn,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      SourceKeyMaterialId: source.materialId,
      DestinationKeyMaterialId: destination.key.record.currentMaterialId,
    };
  },
};
