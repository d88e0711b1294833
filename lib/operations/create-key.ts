import { randomUUID } from 'node:crypto';
import { KmsError } from '../model/errors.ts';
import { keySpecs } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { KeySpec, KeyUsageType, Tag } from '../model/types.ts';
import { newKey } from './key-lookup.ts';
import { keyMetadata } from './key-metadata.ts';
import type { Operation } from './operation.ts';

type Request = CheckedRequest<'CreateKey'>;

/** KMS API Reference, CreateKey: symmetric encryption keys with material of our own. */
export const createKey: Operation<'CreateKey'> = {
  name: 'CreateKey',
  async run(services, request) {
    const { keySpec, keyUsage } = kindOf(request);
    refuseWhatIsNotOffered(request, keySpec);
    const tags = checkTags((request.Tags ?? []) as Tag[]);
    const multiRegion = request.MultiRegion === true;
    const key = await services.keys.create({
      ...newKey(services),
      ...(multiRegion && { keyId: `mrk-${randomUUID().replaceAll('-', '')}` }),
      keySpec,
      keyUsage,
      multiRegion,
      description: request.Description ?? '',
      tags,
    });
    if (key === undefined) throw new KmsError('KMSInternalException', 'A key id came up twice.');
    return { KeyMetadata: keyMetadata(key) };
  },
};

function kindOf(request: Request): { keySpec: KeySpec; keyUsage: KeyUsageType } {
  const { KeySpec, CustomerMasterKeySpec, KeyUsage } = request;
  if (KeySpec && CustomerMasterKeySpec && KeySpec !== CustomerMasterKeySpec) {
    throw new KmsError(
      'ValidationException',
      'You cannot specify different values for KeySpec and CustomerMasterKeySpec.',
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
  if (!(keyUsage in keySpecs[keySpec])) {
    throw new KmsError(
      'ValidationException',
      `KeyUsage ${keyUsage} is not compatible with KeySpec ${keySpec}`,
    );
  }
  return { keySpec, keyUsage };
}

function refuseWhatIsNotOffered(request: Request, keySpec: KeySpec): void {
  const refused = [
    keySpec !== 'SYMMETRIC_DEFAULT' && `KeySpec ${keySpec} is`,
    request.Origin !== undefined && request.Origin !== 'AWS_KMS' && `Origin ${request.Origin} is`,
    request.Policy !== undefined && 'Key policies are',
    request.CustomKeyStoreId !== undefined && 'Custom key stores are',
    request.XksKeyId !== undefined && 'External key stores are',
  ].find((what) => what !== false);
  if (refused === undefined) return;
  throw new KmsError(
    'UnsupportedOperationException',
    `${refused} not supported by this version of pairmint.`,
  );
}

const maxTags = 50;

function checkTags(tags: readonly Tag[]): readonly Tag[] {
  if (tags.some(({ TagKey }) => TagKey?.toLowerCase().startsWith('aws:'))) {
    throw new KmsError('TagException', 'Tags beginning with aws: are reserved');
  }
  if (new Set(tags.map(({ TagKey }) => TagKey)).size < tags.length) {
    throw new KmsError('TagException', 'Duplicate tag keys');
  }
  if (tags.length > maxTags) throw new KmsError('TagException', 'Too many tags');
  return tags;
}
