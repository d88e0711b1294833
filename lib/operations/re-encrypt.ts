import { endDryRun } from '../keys/key-checks.ts';
import { isNativeError } from '../native/addon.ts';
import { authorize } from './rules/access.ts';
import { beyondCapacity } from './rules/capacity.ts';
import { arnOf, lookUp } from './rules/key-lookup.ts';
import { ciphertextOf, type OpenableBlob, openableBlob, opening } from './rules/opening.ts';
import type { Operation, Services } from './rules/operation.ts';
import { type EncryptingKey, encryptingKey } from './rules/sealing.ts';

/** KMS API Reference, ReEncrypt. */
export const reEncrypt: Operation<'ReEncrypt'> = {
  name: 'ReEncrypt',
  readOnly: true,
  async run(services, request) {
    const { SourceKeyId: keyId } = request;
    const algorithm = request.SourceEncryptionAlgorithm;
    const action = 'ReEncryptTo';
    const sent = ciphertextOf(request, { name: 'SourceKeyId', keyId, algorithm });
    const source = await openableBlob(services, sent, {
      action: 'ReEncryptFrom',
      keyId,
      algorithm,
      context: request.SourceEncryptionContext,
      contextMember: 'SourceEncryptionContext',
      destinationArn: await arnOf(services, request.DestinationKeyId, { action }),
    });
    const { key, requestAlias } = await lookUp(services, request.DestinationKeyId, { action });
    const reEncryptOnSameKey = key.arn === source.key.arn;
    await authorize(services, key, { action, requestAlias, reEncryptOnSameKey });
    const destination = await encryptingKey(services, key, {
      operation: 'ReEncrypt',
      algorithm: request.DestinationEncryptionAlgorithm,
      context: request.DestinationEncryptionContext,
      contextMember: 'DestinationEncryptionContext',
    });
    const sealed = await across(services, source, destination);
    endDryRun(request.DryRun);
    return {
      CiphertextBlob: sealed,
      SourceKeyId: source.key.arn,
      KeyId: key.arn,
      SourceEncryptionAlgorithm: source.algorithm,
      DestinationEncryptionAlgorithm: destination.algorithm,
      ...(source.materialId !== undefined && { SourceKeyMaterialId: source.materialId }),
      ...(destination.materialId !== undefined && {
        DestinationKeyMaterialId: destination.materialId,
      }),
    };
  },
};

/** One crossing into native code, so that the plaintext never reaches JavaScript. */
async function across(
  { native, caller }: Services,
  source: OpenableBlob,
  destination: EncryptingKey,
): Promise<Uint8Array | undefined> {
  const { ciphertext } = source;
  if (ciphertext === undefined) return undefined;
  return opening(() =>
    source.algorithm === 'SYMMETRIC_DEFAULT' && 'material' in destination
      ? native.reEncrypt({
          source: source.material,
          sourceContext: source.context,
          ciphertext,
          destination: destination.material,
          destinationContext: destination.context,
        })
      : native
          .reEncryptAcross({ source, ciphertext, destination, caller: caller.principal.arn })
          .catch((error) => {
            // Only native code knows the plaintext's length.
            const isTooLong =
              'publicKey' in destination && isNativeError(error, 'INVALID_ARGUMENT');
            throw isTooLong ? beyondCapacity(destination.key, destination.algorithm) : error;
          }),
  );
}
