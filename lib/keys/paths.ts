import type { KeyRecord } from './key-record.ts';

export interface Place {
  readonly region: string;
  readonly accountId: string;
}

export type KeyPlace = Place & { readonly keyId: string };

/** Path prefix of everything in an account and region. */
export function scope({ region, accountId }: Place): string {
  return `${region}:${accountId}:`;
}

/** Path of the record of a key. */
export function keyPath(key: KeyPlace): string {
  return `${keysPrefix(key)}${key.keyId}`;
}

/** Path prefix of the keys of an account and region. */
export function keysPrefix(place: Place): string {
  return `${scope(place)}key/`;
}

/**
 * Path of a material of a key: without a region, as a multi-Region key's replicas share what KMS made;
 * what was imported is imported into each of them, and may be deleted from each.
 */
export function materialPath(
  key: Pick<KeyRecord, 'keyId' | 'region' | 'multiRegion' | 'origin'>,
  materialId: string,
): string {
  const path = `material/${key.keyId}/${materialId}`;
  return key.multiRegion && key.origin === 'EXTERNAL' ? `${path}@${key.region}` : path;
}

/** Path prefix of the aliases of an account and region. */
export function aliasesPrefix(place: Place): string {
  return `${scope(place)}alias/`;
}

/** Path of the index from an alias to the id of its key; `name` includes the prefix `alias/`. */
export function aliasPath(alias: Place & { name: string }): string {
  return `${scope(alias)}${alias.name}`;
}

/** Path prefix of a key's grants. */
export function grantsPrefix(key: KeyPlace): string {
  return `${scope(key)}grant/${key.keyId}/`;
}

/** Path prefix of the pools of an account and region. */
export function poolRecordsPrefix(place: Place): string {
  return `${scope(place)}pool-record/`;
}

/** Path prefix of a key's pools, and prefix of the names that its pairs wait under. */
export function poolPrefixes(key: KeyPlace): [records: string, names: string] {
  return [`${poolRecordsPrefix(key)}${key.keyId}/`, `${scope(key)}pool/${key.keyId}/`];
}

/** Path prefix of the batches of an account and region. */
export function batchesPrefix(place: Place): string {
  return `${scope(place)}batch/`;
}

/** Path prefix of a key's grant-name index. */
export function grantNamesPrefix(key: KeyPlace): string {
  return `${scope(key)}grant-name/${key.keyId}/`;
}

/** Path prefix of the index from a principal, by the hash of its name, to the grants that it may retire. */
export function retirablePrefix(place: Place, principalHash: string): string {
  return `${scope(place)}retirable/${principalHash}/`;
}

/** Path prefix of credentials, which are of no account and region. */
export const credentialsPrefix = 'credential/';
