import { randomUUID } from 'node:crypto';
import type { Key } from '../../keys/key.ts';
import type { NewKeyRecord } from '../../keys/key-record.ts';
import { KmsError } from '../../model/errors.ts';
import { type AliasReference, type KeyReference, keyArn, parseKeyId } from '../../model/key-id.ts';
import { managedKey } from '../managed-keys.ts';
import { type AccessOptions, authorize, refuseForeign } from './access.ts';
import type { Services } from './operation.ts';

/** The alias whose key pairmint makes on its first use. */
export const defaultAlias = 'alias/pairmint/default';

/**
 * Finds the key that a KeyId in any of its four forms names, for a caller who may use it. Not a
 * promise if the key was just used and policies always allow it: most requests are such, and a promise
 * would cost them time and memory.
 */
export function findKey(
  services: Services,
  keyId: string,
  options: AccessOptions = {},
): Key | Promise<Key> {
  const reference = referenceOf(services, keyId);
  const key = services.keys.known(reference);
  if (key === undefined) return findAnew(services, reference, options);
  const authorizing = authorize(services, key, accessOf(reference, options));
  return authorizing === undefined ? key : authorizing.then(() => key);
}

async function findAnew(
  services: Services,
  reference: KeyReference | AliasReference,
  options: AccessOptions,
): Promise<Key> {
  const key = await find(services, reference, options);
  await authorize(services, key, accessOf(reference, options));
  return key;
}

function accessOf(reference: KeyReference | AliasReference, options: AccessOptions): AccessOptions {
  return reference.kind === 'alias' ? { ...options, requestAlias: reference.name } : options;
}

/** Finds the key without authorising the caller, which the operation must do itself. */
export async function lookUp(
  services: Services,
  keyId: string,
  options: AccessOptions = {},
): Promise<{ key: Key; requestAlias: string | undefined }> {
  const reference = referenceOf(services, keyId);
  const key = services.keys.known(reference) ?? (await find(services, reference, options));
  return { key, requestAlias: reference.kind === 'alias' ? reference.name : undefined };
}

function referenceOf(
  { region, accountId }: Services,
  keyId: string,
): KeyReference | AliasReference {
  return parseKeyId(keyId, { region, accountId, aliases: 'allowed' });
}

/** Finds the key for an operation that takes no alias, and authorises the caller. */
export async function findOwnKey(services: Services, keyId: string): Promise<Key> {
  const key = await lookUpOwn(services, keyId);
  await authorize(services, key);
  return key;
}

/** As `findOwnKey`, but without authorising the caller. */
export async function lookUpOwn(services: Services, keyId: string): Promise<Key> {
  const { region, accountId } = services;
  return find(services, parseKeyId(keyId, { region, accountId, aliases: 'refused' }));
}

/** The ARN of the key that a KeyId names, for any caller; undefined if there is no such key. */
export async function arnOf(
  services: Services,
  keyId: string,
  options: AccessOptions,
): Promise<string | undefined> {
  return lookUp(services, keyId, options).then(
    ({ key }) => key.arn,
    () => undefined,
  );
}

/** An alias of the caller's own account and region. */
export function ownAlias({ region, accountId }: Services, name: string): AliasReference {
  return { kind: 'alias', name, region, accountId };
}

async function find(
  services: Services,
  reference: KeyReference | AliasReference,
  options?: AccessOptions,
): Promise<Key> {
  try {
    return await services.keys.find(reference);
  } catch (error) {
    if (!(error instanceof KmsError) || error.name !== 'NotFoundException') throw error;
    // The caller must not learn whether the other account has such a key.
    if (reference.accountId !== services.accountId) refuseForeign(services, options);
    const record = reference.kind === 'alias' ? madeOnDemand(services, reference.name) : undefined;
    if (record === undefined) throw error;
    return create(services, reference as AliasReference, record, options);
  }
}

/**
 * The record of the key that a request has made by naming its alias: any request for the default
 * key, and DescribeKey for one of AWS's predefined aliases (KMS API Reference, DescribeKey).
 */
function madeOnDemand(services: Services, alias: string): NewKeyRecord | undefined {
  if (alias === defaultAlias) {
    const description = "pairmint's default key, made when it was first used";
    return { ...newKey(services), description };
  }
  if (services.call.operation !== 'DescribeKey') return undefined;
  return managedKey(alias, newKey(services));
}

async function create(
  services: Services,
  reference: AliasReference,
  unnamed: NewKeyRecord,
  options: AccessOptions = {},
): Promise<Key> {
  const { creationDate } = unnamed;
  const alias = { name: reference.name, creationDate, lastUpdatedDate: creationDate };
  const record = { ...unnamed, aliases: [alias] };
  // Authorised before the key is made: a caller that may not use it must not create it.
  const planned = { arn: keyArn(record), record: { ...record, materials: [] } };
  await authorize(services, planned, { ...options, requestAlias: reference.name });
  const created = await services
    .keysToCreate(planned.arn)
    .create(record, services.keys.vault.makeSymmetric(record));
  // Another process may have made it meanwhile.
  return created ?? services.keys.find(reference);
}

/** The record of a new symmetric key, for the caller to complete. */
export function newKey({ region, accountId, now }: Services): NewKeyRecord {
  return {
    keyId: randomUUID(),
    region,
    accountId,
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    multiRegion: false,
    creationDate: now(),
    description: '',
    enabled: true,
    aliases: [],
    tags: [],
  };
}
