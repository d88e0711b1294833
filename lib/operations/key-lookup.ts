import { randomUUID } from 'node:crypto';
import { KmsError } from '../model/errors.ts';
import { type AliasReference, type KeyReference, parseKeyId } from '../model/key-id.ts';
import type { OperationName } from '../model/shapes.ts';
import type { Key } from '../store/key-directory.ts';
import type { Services } from './operation.ts';

/** The alias whose key pairmint makes when it is first asked for, as AWS does with alias/aws/…. */
export const defaultAlias = 'alias/pairmint/default';

/** Who requests are made as: the account's root. */
export function callerOf({ accountId }: Services): string {
  return `arn:aws:iam::${accountId}:root`;
}

/** Finds the key that a KeyId in any of its four forms names. */
export async function findKey(
  services: Services,
  operation: OperationName | 'ReEncryptTo' | 'ReEncryptFrom',
  keyId: string,
): Promise<Key> {
  const reference = parseKeyId(keyId, { ...services, aliases: 'allowed' });
  requireOwnAccount(services, operation, reference);
  try {
    return await services.keys.find(reference);
  } catch (error) {
    if (!isDefaultAlias(reference) || !(error instanceof KmsError)) throw error;
    if (error.name !== 'NotFoundException') throw error;
    return createDefaultKey(services, reference);
  }
}

/** Reads the KeyId of an operation that takes no alias. */
export function keyReference(
  services: Services,
  operation: OperationName,
  keyId: string,
): KeyReference {
  const reference = parseKeyId(keyId, { ...services, aliases: 'refused' });
  requireOwnAccount(services, operation, reference);
  return reference as KeyReference;
}

/** An alias of the caller's own account and region. */
export function ownAlias({ region, accountId }: Services, name: string): AliasReference {
  return { kind: 'alias', name, region, accountId };
}

// Whether the other account has such a key is not for the caller to know.
function requireOwnAccount(
  services: Services,
  operation: string,
  { accountId }: KeyReference | AliasReference,
): void {
  if (accountId === services.accountId) return;
  throw new KmsError(
    'AccessDeniedException',
    `User: ${callerOf(services)} is not authorized to perform: kms:${operation} on this resource ` +
      'because the resource does not exist in this Region, no resource-based policies allow ' +
      'access, or a resource-based policy explicitly denies access',
  );
}

function isDefaultAlias(reference: KeyReference | AliasReference): reference is AliasReference {
  return reference.kind === 'alias' && reference.name === defaultAlias;
}

async function createDefaultKey(services: Services, reference: AliasReference): Promise<Key> {
  const now = services.now();
  const created = await services.keys.create({
    ...newKey(services),
    description: "pairmint's default key, made when it was first used",
    aliases: [{ name: reference.name, creationDate: now, lastUpdatedDate: now }],
  });
  // Another process may have made it meanwhile.
  return created ?? services.keys.find(reference);
}

/** The record of a symmetric key that is made now; the caller fills in what is asked for. */
export function newKey({ region, accountId, now }: Services) {
  return {
    keyId: randomUUID() as string,
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
  } as const;
}
