import { abortable } from '../core/abortable.ts';
import type { Key } from '../keys/key.ts';
import { endDryRun, refuseRecipient, requireSymmetric } from '../keys/key-checks.ts';
import { encodeEncryptionContext } from '../model/encryption-context.ts';
import { pairOf, refuseMlKem } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { DataKeyPairSpec, Responses } from '../model/types.ts';
import type { KeyMaterial, MintedPair } from '../native/addon.ts';
import { timeMinting } from '../native/minting-channel.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';
import { sealingKey } from './rules/sealing.ts';

type Request = CheckedRequest<'GenerateDataKeyPair'>;
type Response = Responses['GenerateDataKeyPair'];

/** KMS API Reference, GenerateDataKeyPair. */
export const generateDataKeyPair: Operation<'GenerateDataKeyPair'> = {
  name: 'GenerateDataKeyPair',
  readOnly: true,
  run: (services, request) => generate(services, request, { plaintext: true }),
};

/** KMS API Reference, GenerateDataKeyPairWithoutPlaintext. */
export const generateDataKeyPairWithoutPlaintext: Operation<'GenerateDataKeyPairWithoutPlaintext'> =
  {
    name: 'GenerateDataKeyPairWithoutPlaintext',
    readOnly: true,
    run: (services, request) => generate(services, request, { plaintext: false }),
  };

/** The best number of pairs of a spec to mint in one crossing into native code. */
export function pairsToACrossing(spec: DataKeyPairSpec): number {
  return pairOf(spec).crossing;
}

/** Checks a request for pairs as if it were made, mints nothing, and returns the key's ARN. */
export async function checkPairRequest(services: Services, request: Request): Promise<string> {
  const { key } = await prepare(services, request, { plaintext: false });
  return key.arn;
}

/** Mints several pairs for one request, which is checked once. */
export async function generateSeveral(
  services: Services,
  request: Request,
  { plaintext, count }: { plaintext: boolean; count: number },
): Promise<Response[]> {
  const sealing = await prepare(services, request, { plaintext });
  const pairs = await services.pools.mint(() =>
    abortable(services.call.abortSignal, (onStart) =>
      services.native.generateDataKeyPairs({ ...sealing, count }, onStart),
    ),
  );
  return pairs.map((pair) => responseOf(sealing, pair));
}

async function generate(
  services: Services,
  request: Request,
  options: { plaintext: boolean },
): Promise<Response> {
  const sealing = await prepare(services, request, options);
  const pair =
    (await services.pools.take(sealing)) ??
    (await services.pools.mint(() =>
      timeMinting(sealing.spec, () =>
        abortable(services.call.abortSignal, (onStart) =>
          services.native.generateDataKeyPair(sealing, onStart, services.call.abortSignal),
        ),
      ),
    ));
  return responseOf(sealing, pair);
}

/** The material and context that seal a pair. */
interface Sealing {
  readonly key: Key;
  readonly material: KeyMaterial;
  readonly materialId: string;
  readonly spec: DataKeyPairSpec;
  readonly context: Uint8Array;
  readonly plaintext: boolean;
  /** The ARN of the caller: waiting callers take turns. */
  readonly caller: string;
}

async function prepare(
  services: Services,
  request: Request,
  { plaintext }: { plaintext: boolean },
): Promise<Sealing> {
  const context = encodeEncryptionContext(request.EncryptionContext);
  const requested = await findKey(services, request.KeyId);
  const sealing = await sealingKey(services, requested, {
    operation: services.call.operation,
    requireSpec: requireSymmetric,
  });
  refuseMlKem(request.KeyPairSpec);
  refuseRecipient(request.Recipient);
  endDryRun(request.DryRun);
  const { key, material, materialId } = sealing;
  // No spread, here and below: V8 takes microseconds to spread an object.
  const caller = services.caller.principal.arn;
  return { key, material, materialId, spec: request.KeyPairSpec, context, plaintext, caller };
}

function responseOf({ key, spec, materialId }: Sealing, pair: MintedPair): Response {
  const response: Response = {
    PrivateKeyCiphertextBlob: pair.privateKeyCiphertext,
    PublicKey: pair.publicKey,
    KeyId: key.arn,
    KeyPairSpec: spec,
    KeyMaterialId: materialId,
  };
  if (pair.privateKeyPlaintext) response.PrivateKeyPlaintext = pair.privateKeyPlaintext;
  return response;
}
