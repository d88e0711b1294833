import { encodeEncryptionContext } from '../model/encryption-context.ts';
import { KmsError } from '../model/errors.ts';
import type { CheckedRequest } from '../model/request.ts';
import { endDryRun, refuseRecipient, requireSymmetric } from './key-checks.ts';
import { findKey } from './key-lookup.ts';
import type { Operation, Services } from './operation.ts';
import { sealingKey } from './sealing.ts';

type Twin = 'GenerateDataKey' | 'GenerateDataKeyWithoutPlaintext';

/** KMS API Reference, GenerateDataKey. */
export const generateDataKey: Operation<'GenerateDataKey'> = {
  name: 'GenerateDataKey',
  readOnly: true,
  async run(services, request) {
    const { response, plaintext } = await generate(services, 'GenerateDataKey', request, {
      recipient: request.Recipient,
      plaintext: true,
    });
    // Not spread: V8 takes microseconds for it.
    const { CiphertextBlob, KeyId, KeyMaterialId } = response;
    return { CiphertextBlob, Plaintext: plaintext, KeyId, KeyMaterialId };
  },
};

/** KMS API Reference, GenerateDataKeyWithoutPlaintext. */
export const generateDataKeyWithoutPlaintext: Operation<'GenerateDataKeyWithoutPlaintext'> = {
  name: 'GenerateDataKeyWithoutPlaintext',
  readOnly: true,
  async run(services, request) {
    const { response } = await generate(services, 'GenerateDataKeyWithoutPlaintext', request, {
      plaintext: false,
    });
    return response;
  },
};

const specLengths: Readonly<Record<string, number>> = { AES_128: 16, AES_256: 32 };

async function generate(
  services: Services,
  operation: Twin,
  request: CheckedRequest<'GenerateDataKeyWithoutPlaintext'>,
  { plaintext, recipient }: { plaintext: boolean; recipient?: object | undefined },
) {
  const context = encodeEncryptionContext(request.EncryptionContext);
  const key = await findKey(services, request.KeyId);
  const length = keyLength(request);
  const { material, materialId } = await sealingKey(services, key, {
    operation,
    grantTokens: request.GrantTokens,
    requireSpec: requireSymmetric,
  });
  refuseRecipient(recipient);
  endDryRun(request.DryRun);
  const made = await services.native.generateDataKey({ material, length, context, plaintext });
  const response = {
    CiphertextBlob: made.ciphertext,
    KeyId: key.arn,
    KeyMaterialId: materialId,
  };
  return { response, plaintext: made.plaintext };
}

function keyLength({
  KeySpec,
  NumberOfBytes,
}: CheckedRequest<'GenerateDataKeyWithoutPlaintext'>): number {
  if ((KeySpec === undefined) === (NumberOfBytes === undefined)) {
    throw new KmsError('ValidationException', 'Please specify either number of bytes or key spec.');
  }
  return NumberOfBytes ?? (specLengths[KeySpec as string] as number);
}
