import {
  endDryRun,
  refuseRecipient,
  requireAlgorithm,
  requireState,
  requireUsage,
} from '../keys/key-checks.ts';
import { KmsError } from '../model/errors.ts';
import { isNativeError } from '../native/addon.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';

/** KMS API Reference, DeriveSharedSecret. */
export const deriveSharedSecret: Operation<'DeriveSharedSecret'> = {
  name: 'DeriveSharedSecret',
  readOnly: true,
  async run(services, request) {
    const { PublicKey: publicKey, KeyAgreementAlgorithm: algorithm } = request;
    const key = await findKey(services, request.KeyId);
    requireUsage(key, 'KEY_AGREEMENT', 'DeriveSharedSecret');
    requireState(key);
    requireAlgorithm(key, algorithm);
    refuseRecipient(request.Recipient);
    const { material } = await services.keys.vault.current(key);
    const secret = await services.native
      .deriveSharedSecret({ material, publicKey, caller: services.caller.principal.arn })
      .catch((error) => {
        if (!isNativeError(error, 'INVALID_ARGUMENT')) throw error;
        throw new KmsError('ValidationException', '', { cause: error });
      });
    endDryRun(request.DryRun);
    return {
      KeyId: key.arn,
      SharedSecret: secret,
      KeyAgreementAlgorithm: algorithm,
      KeyOrigin: key.record.origin,
    };
  },
};
