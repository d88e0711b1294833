import { endDryRun, requireAlgorithm, requireState, requireUsage } from '../keys/key-checks.ts';
import { KmsError } from '../model/errors.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';

/** KMS API Reference, GenerateMac. */
export const generateMac: Operation<'GenerateMac'> = {
  name: 'GenerateMac',
  readOnly: true,
  async run(services, request) {
    const { MacAlgorithm: algorithm, Message: message } = request;
    const { arn, material } = await macKey(services, 'GenerateMac', request);
    endDryRun(request.DryRun);
    const mac = services.native.generateMac({ material, algorithm, message });
    return { Mac: mac, MacAlgorithm: algorithm, KeyId: arn };
  },
};

/** KMS API Reference, VerifyMac. */
export const verifyMac: Operation<'VerifyMac'> = {
  name: 'VerifyMac',
  readOnly: true,
  async run(services, request) {
    const { MacAlgorithm: algorithm, Message: message, Mac: mac } = request;
    const { arn, material } = await macKey(services, 'VerifyMac', request);
    if (!services.native.verifyMac({ material, algorithm, message, mac })) {
      throw new KmsError('KMSInvalidMacException');
    }
    endDryRun(request.DryRun);
    return { KeyId: arn, MacValid: true, MacAlgorithm: algorithm };
  },
};

async function macKey(
  services: Services,
  operation: 'GenerateMac' | 'VerifyMac',
  request: {
    readonly KeyId: string;
    readonly MacAlgorithm: string;
  },
) {
  const key = await findKey(services, request.KeyId);
  requireUsage(key, 'GENERATE_VERIFY_MAC', operation);
  requireState(key);
  requireAlgorithm(key, request.MacAlgorithm);
  return { arn: key.arn, ...(await services.keys.vault.current(key)) };
}
