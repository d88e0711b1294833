import { endDryRun, refuseRecipient, requireSymmetric } from '../keys/key-checks.ts';
import { encodeEncryptionContext } from '../model/encryption-context.ts';
import { KmsError } from '../model/errors.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { Responses } from '../model/types.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';
import { sealingKey } from './rules/sealing.ts';

type Response = Responses['GenerateDataKey'];
type Twin = 'GenerateDataKey' | 'GenerateDataKeyWithoutPlaintext';

/** KMS API Reference, GenerateDataKey. */
export const generateDataKey: Operation<'GenerateDataKey'> = {
  name: 'GenerateDataKey',
  readOnly: true,
  run: (services, request) =>
    generate(services, 'GenerateDataKey', request, {
      recipient: request.Recipient,
      plaintext: true,
    }),
};

/** KMS API Reference, GenerateDataKeyWithoutPlaintext. */
export const generateDataKeyWithoutPlaintext: Operation<'GenerateDataKeyWithoutPlaintext'> = {
  name: 'GenerateDataKeyWithoutPlaintext',
  readOnly: true,
  run: (services, request) =>
    generate(services, 'GenerateDataKeyWithoutPlaintext', request, { plaintext: false }),
};

const specLengths: Readonly<Record<string, number>> = { AES_128: 16, AES_256: 32 };

async function generate(
  services: Services,
  operation: Twin,
  request: CheckedRequest<'GenerateDataKeyWithoutPlaintext'>,
  { plaintext, recipient }: { plaintext: boolean; recipient?: object | undefined },
): Promise<Response> {
  const context = encodeEncryptionContext(request.EncryptionContext);
  const key = await findKey(services, request.KeyId);
  const length = keyLength(request);
  const { material, materialId } = await sealingKey(services, key, {
    operation,
    requireSpec: requireSymmetric,
  });
  refuseRecipient(recipient);
  endDryRun(request.DryRun);
  const dataKey = await services.native.generateDataKey({ material, length, context, plaintext });
  const response: Response = {
    CiphertextBlob: dataKey.ciphertext,
    KeyId: key.arn,
    KeyMaterialId: materialId,
  };
  if (dataKey.plaintext) response.Plaintext = dataKey.plaintext;
  return response;
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
