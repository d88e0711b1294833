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
  return `${scope(key)}key/${key.keyId}`;
}

/** Path of the index from an alias to the id of its key; `name` includes the prefix `alias/`. */
export function aliasPath(alias: Place & { name: string }): string {
  return `${scope(alias)}${alias.name}`;
}

/** Path prefix of a key's grants. */
export function grantsPrefix(key: KeyPlace): string {
  return `${scope(key)}grant/${key.keyId}/`;
}

/** Path prefix of a key's pools, and prefix of the names that its pairs wait under. */
export function poolPrefixes(key: KeyPlace): [records: string, names: string] {
  const prefixOf = (kind: string) => `${scope(key)}${kind}/${key.keyId}/`;
  return [prefixOf('pool-record'), prefixOf('pool')];
}

/** Path prefix of a key's grant-name index. */
export function grantNamesPrefix(key: KeyPlace): string {
  return `${scope(key)}grant-name/${key.keyId}/`;
}
