import { abortable } from '../abortable.ts';
import { encodeEncryptionContext } from '../model/encryption-context.ts';
import type { CheckedRequest } from '../model/request.ts';
import { endDryRun, refuseRecipient, requireSymmetric } from './key-checks.ts';
import { findKey } from './key-lookup.ts';
import type { Operation, Services } from './operation.ts';
import { sealingKey } from './sealing.ts';

type Twin = 'GenerateDataKeyPair' | 'GenerateDataKeyPairWithoutPlaintext';

/** KMS API Reference, GenerateDataKeyPair. */
export const generateDataKeyPair: Operation<'GenerateDataKeyPair'> = {
  name: 'GenerateDataKeyPair',
  async run(services, request) {
    const { response, plaintext } = await mint(services, 'GenerateDataKeyPair', request, {
      recipient: request.Recipient,
      plaintext: true,
    });
    return { ...response, PrivateKeyPlaintext: plaintext };
  },
};

/** KMS API Reference, GenerateDataKeyPairWithoutPlaintext. */
export const generateDataKeyPairWithoutPlaintext: Operation<'GenerateDataKeyPairWithoutPlaintext'> =
  {
    name: 'GenerateDataKeyPairWithoutPlaintext',
    async run(services, request) {
      const { response } = await mint(services, 'GenerateDataKeyPairWithoutPlaintext', request, {
        plaintext: false,
      });
      return response;
    },
  };

async function mint(
  services: Services,
  operation: Twin,
  request: CheckedRequest<'GenerateDataKeyPairWithoutPlaintext'>,
  { plaintext, recipient }: { plaintext: boolean; recipient?: object | undefined },
) {
  const context = encodeEncryptionContext(request.EncryptionContext);
  const key = await findKey(services, operation, request.KeyId);
  const { material } = await sealingKey(services, operation, key, {
    grantTokens: request.GrantTokens,
    requireSpec: requireSymmetric,
  });
  refuseRecipient(recipient);
  endDryRun(request.DryRun);
  const spec = request.KeyPairSpec;
  const pair = await abortable(services.abortSignal, (onStart) =>
    services.native.generateDataKeyPair({ material, spec, context, plaintext }, onStart),
  );
  const response = {
    PrivateKeyCiphertextBlob: pair.privateKeyCiphertext,
    PublicKey: pair.publicKey,
    KeyId: key.arn,
    KeyPairSpec: spec,
    KeyMaterialId: key.record.currentMaterialId,
  };
  return { response, plaintext: pair.privateKeyPlaintext };
}
