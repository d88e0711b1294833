import { type AliasReference, aliasArn } from '../model/key-id.ts';
import type { Change } from '../store/change.ts';
import { damaged } from '../store/store-errors.ts';
import type { Alias, Key, ReadKey, Replace } from './key.ts';
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

interface Means {
  readonly now: number;
  readonly replace: Replace;
}

/** The changes that give a new alias to a key. */
export function aliasCreation(
  alias: AliasReference,
  target: ReadKey,
  { now, replace }: Means,
): Change[] {
  const record = { name: alias.name, creationDate: now, lastUpdatedDate: now };
  return [
    aliasChange(alias, undefined, target.record.keyId),
    replace(target, withAlias(target.record, record)),
  ];
}

/** The changes that point an alias of the key `from` to the key `to`. */
export function aliasMove(
  alias: AliasReference,
  { from, to }: { from: ReadKey; to: ReadKey },
  { now, replace }: Means,
): Change[] {
  const record = { ...findAlias(from.record, alias.name), lastUpdatedDate: now };
  const rest = withoutAlias(from.record, alias.name);
  // `from` had the alias when it was read; `to`, read later, may have lost it since.
  if (from.path === to.path) return [replace(from, withAlias(rest, record))];
  return [
    aliasChange(alias, from.record.keyId, to.record.keyId),
    replace(from, rest),
    replace(to, withAlias(to.record, record)),
  ];
}

/** The changes that take an alias from its key. */
export function aliasRemoval(alias: AliasReference, key: ReadKey, replace: Replace): Change[] {
  return [
    aliasChange(alias, key.record.keyId, undefined),
    replace(key, withoutAlias(key.record, alias.name)),
  ];
}
