import { randomUUID } from 'node:crypto';
import type { KeyTag } from '../keys/key-record.ts';
import { KmsError } from '../model/errors.ts';
import { keyArn } from '../model/key-id.ts';
import { keySpecs, refuseMlKem } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { KeySpec, KeyUsageType } from '../model/types.ts';
import { customKeyStoreNotFound, customKeyStoresNotOffered } from './custom-key-stores.ts';
import { checkPolicy } from './key-policies.ts';
import { authorizeIdentity, authorizeNewTags } from './rules/access.ts';
import { newKey } from './rules/key-lookup.ts';
import { keyMetadata } from './rules/key-metadata.ts';
import type { Operation, Services } from './rules/operation.ts';
import { checkTags, requireFewTags } from './tags.ts';

type Request = CheckedRequest<'CreateKey'>;

/** KMS API Reference, CreateKey. */
export const createKey: Operation<'CreateKey'> = {
  name: 'CreateKey',
  async run(services, request) {
    requireFewTags(request.Tags ?? []);
    authorizeIdentity(services);
    const { keySpec, keyUsage } = kindOf(request);
    refuseWhatIsNotOffered(services, request, keySpec);
    const multiRegion = request.MultiRegion === true;
    const record = {
      ...newKey(services),
      ...(multiRegion && {
        keyId: `mrk-${randomUUID().replaceAll('-', '')}`,
        regions: { primary: services.region, replicas: [] },
      }),
      keySpec,
      keyUsage,
      origin: request.Origin ?? 'AWS_KMS',
      multiRegion,
      description: request.Description ?? '',
      tags: checkTags((request.Tags ?? []) as readonly KeyTag[]),
    };
    const arn = keyArn(record);
    if (record.tags.length > 0) authorizeNewTags(services, arn);
    const bypass = request.BypassPolicyLockoutSafetyCheck === true;
    const policy =
      request.Policy === undefined
        ? {}
        : { policy: checkPolicy(services, record, { text: request.Policy, bypass }) };
    const { keys, call } = services;
    const caller = services.caller.principal.arn;
    const material =
      record.origin === 'EXTERNAL'
        ? undefined
        : await keys.vault.make(record, { signal: call.abortSignal, caller });
    const key = await services.keysToCreate(arn).create({ ...record, ...policy }, material);
    if (key === undefined) throw new KmsError('KMSInternalException', 'A key id came up twice.');
    return { KeyMetadata: keyMetadata(key) };
  },
};

/** The key spec and usage that a request asks for. @throws KmsError ValidationException */
export function kindOf(request: Request): { keySpec: KeySpec; keyUsage: KeyUsageType } {
  const { KeySpec, CustomerMasterKeySpec, KeyUsage } = request;
  if (KeySpec !== undefined && CustomerMasterKeySpec !== undefined) {
    throw new KmsError(
      'ValidationException',
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. ' +
        'CustomerMasterKeySpec is deprecated.',
    );
  }
  const keySpec = KeySpec ?? CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
  if (KeyUsage === undefined && keySpec !== 'SYMMETRIC_DEFAULT') {
    throw new KmsError(
      'ValidationException',
      'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    );
  }
  const keyUsage = KeyUsage ?? 'ENCRYPT_DECRYPT';
  if (!(keyUsage in keySpecs[keySpec].usages)) {
    throw new KmsError(
      'ValidationException',
      `KeyUsage ${keyUsage} is not compatible with KeySpec ${keySpec}`,
    );
  }
  return { keySpec, keyUsage };
}

/**
 * @throws KmsError UnsupportedOperationException if pairmint, or this OpenSSL, makes no such key;
 *   CustomKeyStoreNotFoundException if the request names a custom key store
 */
export function refuseWhatIsNotOffered(
  { native }: Pick<Services, 'native'>,
  request: Request,
  keySpec: KeySpec,
): void {
  const { Origin, CustomKeyStoreId, XksKeyId } = request;
  if (CustomKeyStoreId !== undefined) throw customKeyStoreNotFound();
  const external = Origin === 'AWS_CLOUDHSM' || Origin === 'EXTERNAL_KEY_STORE';
  if (external || XksKeyId !== undefined) throw customKeyStoresNotOffered();
  refuseMlKem(keySpec);
  if (keySpecs[keySpec].needsMlDsa && !native.capabilities().mlDsa) {
    throw new KmsError(
      'UnsupportedOperationException',
      `KeySpec ${keySpec} needs OpenSSL 3.5, which the Node.js of this process does not have.`,
    );
  }
}
