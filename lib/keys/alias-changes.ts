import { aliasArn } from '../model/key-id.ts';
import type { Change } from '../store/change.ts';
import { damaged } from '../store/store-errors.ts';
import type { Alias, Key } from './key.ts';
import type { AliasRecord, KeyRecord } from './key-record.ts';
import { aliasPath, type Place } from './paths.ts';

/**
 * The change of the index from an alias to its key: `from` and `to` are key ids, undefined for no key.
 * The index is not authenticated: the list in the record of the key is.
 */
export function aliasChange(
  alias: Place & { name: string },
  from: string | undefined,
  to: string | undefined,
): Change {
  const bytes = (keyId: string | undefined) =>
    keyId === undefined ? undefined : Buffer.from(keyId, 'latin1');
  return { path: aliasPath(alias), expected: bytes(from), next: bytes(to) };
}

export function hasAlias({ record }: Key, { name }: { name: string }): boolean {
  return record.aliases.some((alias) => alias.name === name);
}

/** @throws KmsError KMSInternalException if the key does not have the alias */
export function findAlias(record: KeyRecord, name: string): AliasRecord {
  const found = record.aliases.find((alias) => alias.name === name);
  if (found === undefined) throw damaged(name);
  return found;
}

export function aliasOf({ record: key }: Key, record: AliasRecord): Alias {
  return { record, arn: aliasArn({ ...key, name: record.name }), targetKeyId: key.keyId };
}

export function withAlias(record: KeyRecord, alias: AliasRecord): KeyRecord {
  return { ...record, aliases: [...record.aliases, alias] };
}

export function withoutAlias(record: KeyRecord, name: string): KeyRecord {
  return { ...record, aliases: record.aliases.filter((alias) => alias.name !== name) };
}
