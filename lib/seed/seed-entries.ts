import { type Path, refusal, type SeedDocument } from './seed-document.ts';

/** A value of a seed and where it stands. */
export interface Located {
  readonly value: unknown;
  readonly at: Path;
}

/** A key or an alias of a seed: its members by the names of our own format. */
export interface Entry {
  readonly at: Path;
  readonly members: ReadonlyMap<string, Located>;
}

export interface Entries {
  readonly keys: readonly Entry[];
  readonly aliases: readonly Entry[];
}

export function entryOf(document: SeedDocument, located: Located): Entry {
  return { at: located.at, members: membersOf(document, located) };
}

/** The members of an object; one that is null, as YAML reads what is left empty, is absent. */
export function membersOf(document: SeedDocument, { value, at }: Located): Map<string, Located> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refusal(document, at, 'this must have members');
  }
  return new Map(
    Object.entries(value)
      .filter(([, member]) => member !== null && member !== undefined)
      .map(([name, member]) => [name, { value: member, at: [...at, name] }]),
  );
}

/** The elements of a list, which may be absent. */
export function listOf(document: SeedDocument, located: Located | undefined): Located[] {
  if (located === undefined) return [];
  const { value, at } = located;
  if (!Array.isArray(value)) throw refusal(document, at, 'this must be a list');
  return value.map((element, index) => ({ value: element, at: [...at, index] }));
}

export function requireNames(
  document: SeedDocument,
  members: ReadonlyMap<string, Located>,
  names: readonly string[],
): void {
  for (const [name, { at }] of members) {
    if (names.includes(name)) continue;
    throw refusal(document, at, 'there is no such member', `known here: ${names.join(', ')}`);
  }
}
