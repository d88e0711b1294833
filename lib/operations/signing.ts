import type { Key } from '../keys/key.ts';
import { endDryRun, requireAlgorithm, requireState, requireUsage } from '../keys/key-checks.ts';
import { KmsError } from '../model/errors.ts';
import type { MessageType, SigningAlgorithmSpec } from '../model/types.ts';
import { isNativeError } from '../native/addon.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';
import { publicKeyOf } from './rules/public-key.ts';

interface SigningRequest {
  readonly KeyId: string;
  readonly Message: Uint8Array;
  readonly MessageType?: MessageType | undefined;
  readonly SigningAlgorithm: SigningAlgorithmSpec;
  readonly DryRun?: boolean | undefined;
}

/** KMS API Reference, Sign. */
export const sign: Operation<'Sign'> = {
  name: 'Sign',
  readOnly: true,
  async run(services, request) {
    const key = await checkedKey(services, 'Sign', request);
    endDryRun(request.DryRun);
    const { material } = await services.keys.vault.current(key);
    const signature = await supported(
      services.native.sign({
        ...wordsOf(request),
        material,
        caller: services.caller.principal.arn,
      }),
    );
    return {
      KeyId: key.arn,
      Signature: signature,
      SigningAlgorithm: request.SigningAlgorithm,
    };
  },
};

/** KMS API Reference, Verify. */
export const verify: Operation<'Verify'> = {
  name: 'Verify',
  readOnly: true,
  async run(services, request) {
    const key = await checkedKey(services, 'Verify', request);
    const valid = await supported(
      services.native.verify({
        ...wordsOf(request),
        publicKey: publicKeyOf(key),
        signature: request.Signature,
        caller: services.caller.principal.arn,
      }),
    );
    if (!valid) throw new KmsError('KMSInvalidSignatureException');
    endDryRun(request.DryRun);
    return {
      KeyId: key.arn,
      SignatureValid: true,
      SigningAlgorithm: request.SigningAlgorithm,
    };
  },
};

async function checkedKey(
  services: Services,
  operation: 'Sign' | 'Verify',
  request: SigningRequest,
): Promise<Key> {
  const key = await findKey(services, request.KeyId);
  requireUsage(key, 'SIGN_VERIFY', operation);
  requireState(key);
  requireAlgorithm(key, request.SigningAlgorithm);
  requireMessage(key, request);
  requireAvailable(services, request);
  return key;
}

function wordsOf({ SigningAlgorithm, Message, MessageType = 'RAW' }: SigningRequest) {
  return { algorithm: SigningAlgorithm, message: Message, messageType: MessageType };
}

/** By message type and algorithm, the exact length of a message that is not of type RAW. */
const fixedLengths: Readonly<
  Record<SigningAlgorithmSpec, Readonly<Partial<Record<MessageType, number>>>>
> = {
  RSASSA_PSS_SHA_256: { DIGEST: 32 },
  RSASSA_PSS_SHA_384: { DIGEST: 48 },
  RSASSA_PSS_SHA_512: { DIGEST: 64 },
  RSASSA_PKCS1_V1_5_SHA_256: { DIGEST: 32 },
  RSASSA_PKCS1_V1_5_SHA_384: { DIGEST: 48 },
  RSASSA_PKCS1_V1_5_SHA_512: { DIGEST: 64 },
  ECDSA_SHA_256: { DIGEST: 32 },
  ECDSA_SHA_384: { DIGEST: 48 },
  ECDSA_SHA_512: { DIGEST: 64 },
  SM2DSA: { DIGEST: 32 },
  ML_DSA_SHAKE_256: { EXTERNAL_MU: 64 },
  ED25519_SHA_512: {},
  ED25519_PH_SHA_512: { DIGEST: 64 },
};

// KMS API Reference, Sign: Ed25519ph takes digests alone.
const digestsOnly: ReadonlySet<SigningAlgorithmSpec> = new Set(['ED25519_PH_SHA_512']);

/** @throws KmsError ValidationException if the algorithm does not take such a message */
export function requireMessage(
  key: Key,
  { SigningAlgorithm, Message, MessageType = 'RAW' }: SigningRequest,
): void {
  if (MessageType === 'RAW' && !digestsOnly.has(SigningAlgorithm)) return;
  const length = fixedLengths[SigningAlgorithm][MessageType];
  if (length === undefined) {
    throw new KmsError(
      'ValidationException',
      `Message type ${MessageType} is incompatible with ${incompatibleWith(key, SigningAlgorithm)}.`,
    );
  }
  if (Message.byteLength !== length) {
    throw new KmsError(
      'ValidationException',
      `Digest is invalid length for algorithm ${SigningAlgorithm}.`,
    );
  }
}

// AWS names the key spec of an ML-DSA key and the algorithm of any other.
function incompatibleWith({ record }: Key, algorithm: SigningAlgorithmSpec): string {
  return algorithm === 'ML_DSA_SHAKE_256' ? `key spec ${record.keySpec}` : `algorithm ${algorithm}`;
}

// ML-DSA is not checked: without it, keys of its specs cannot be made.
function requireAvailable({ native }: Services, { SigningAlgorithm }: SigningRequest): void {
  if (SigningAlgorithm !== 'ED25519_PH_SHA_512' || native.capabilities().ed25519ph) return;
  throw new KmsError(
    'UnsupportedOperationException',
    'ED25519_PH_SHA_512 needs OpenSSL 3.4 or later, which this Node.js does not have.',
  );
}

/** @throws KmsError UnsupportedOperationException if the OpenSSL inside Node.js cannot do it */
async function supported<T>(work: Promise<T>): Promise<T> {
  return work.catch((error) => {
    if (!isNativeError(error, 'UNSUPPORTED')) throw error;
    throw new KmsError('UnsupportedOperationException', error.message);
  });
}
