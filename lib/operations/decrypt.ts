import { endDryRun, refuseRecipient } from '../keys/key-checks.ts';
import { ciphertextOf, type OpenableBlob, openableBlob, opening } from './rules/opening.ts';
import type { Operation, Services } from './rules/operation.ts';

/** KMS API Reference, Decrypt. */
export const decrypt: Operation<'Decrypt'> = {
  name: 'Decrypt',
  readOnly: true,
  async run(services, request) {
    const { KeyId: keyId, EncryptionAlgorithm: algorithm } = request;
    const sent = ciphertextOf(request, { name: 'KeyId', keyId, algorithm });
    const blob = await openableBlob(services, sent, {
      action: 'Decrypt',
      keyId,
      algorithm,
      context: request.EncryptionContext,
    });
    refuseRecipient(request.Recipient);
    const plaintext = await open(services, blob);
    endDryRun(request.DryRun);
    return {
      KeyId: blob.key.arn,
      Plaintext: plaintext,
      EncryptionAlgorithm: blob.algorithm,
      ...(blob.materialId !== undefined && { KeyMaterialId: blob.materialId }),
    };
  },
};

async function open(
  { native, caller }: Services,
  blob: OpenableBlob,
): Promise<Uint8Array | undefined> {
  const { ciphertext, material, context, algorithm } = blob;
  if (ciphertext === undefined) return undefined;
  return opening(() =>
    algorithm === 'SYMMETRIC_DEFAULT'
      ? native.decrypt({ material, context, ciphertext })
      : native.decryptWithPrivateKey({
          material,
          algorithm,
          ciphertext,
          caller: caller.principal.arn,
        }),
  );
}
