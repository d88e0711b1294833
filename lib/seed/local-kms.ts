import type { SeedDocument } from './seed-document.ts';
import {
  type Entries,
  type Entry,
  entryOf,
  type Located,
  listOf,
  membersOf,
  requireNames,
} from './seed-entries.ts';

// github.com/nsmithuk/local-kms: README, "Seeding file format", for versions 2 and 3 (keys by kind)
// and internal/seed/seed_v2.go for version 4 (`Version: 2`, one list of keys). The first version had
// a list of AES keys.

type Members = Map<string, Located>;

/** The lists that keys stand in, and what that says of them. */
const lists: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>> =
  {
    Symmetric: {
      Aes: { KeySpec: 'SYMMETRIC_DEFAULT' },
      Hmac: { KeyUsage: 'GENERATE_VERIFY_MAC' },
    },
    Asymmetric: { Rsa: {}, Ecc: {} },
  };

/** Our names of what it calls otherwise; the others are AWS's in both formats. */
const names: Readonly<Record<string, string>> = {
  BackingKeys: 'KeyMaterial',
  NextKeyRotation: 'NextRotationDate',
};

const keyMembers = [
  'KeyId',
  'Metadata',
  'Material',
  'BackingKeys',
  'PrivateKeyPem',
  'NextKeyRotation',
  'Tags',
];
const metadataMembers = ['KeyId', 'Description', 'Enabled', 'Origin', 'KeySpec', 'KeyUsage'];
const materialMembers = ['BackingKeys', 'PrivateKeyPem'];

export function localKmsEntries(document: SeedDocument, members: Members): Entries {
  requireNames(document, members, ['Version', 'Keys', 'Aliases']);
  return {
    keys: keysOf(document, members.get('Keys')),
    aliases: listOf(document, members.get('Aliases')).map((alias) => entryOf(document, alias)),
  };
}

function keysOf(document: SeedDocument, keys: Located | undefined): Entry[] {
  if (keys === undefined) return [];
  if (Array.isArray(keys.value)) {
    return listOf(document, keys).map((key) => keyEntry(document, key, {}));
  }
  const found: Entry[] = [];
  const groups = membersOf(document, keys);
  requireNames(document, groups, Object.keys(lists));
  for (const [group, located] of groups) {
    const kinds = membersOf(document, located);
    requireNames(document, kinds, Object.keys(lists[group] ?? {}));
    for (const [kind, list] of kinds) {
      const implied = lists[group]?.[kind] ?? {};
      found.push(...listOf(document, list).map((key) => keyEntry(document, key, implied)));
    }
  }
  return found;
}

function keyEntry(
  document: SeedDocument,
  key: Located,
  implied: Readonly<Record<string, string>>,
): Entry {
  const own = membersOf(document, key);
  requireNames(document, own, keyMembers);
  const flat = new Map([
    ...Object.entries(implied).map(([name, value]) => [name, { value, at: key.at }] as const),
    ...inner(document, own.get('Metadata'), metadataMembers),
    ...inner(document, own.get('Material'), materialMembers),
    ...own,
  ]);
  flat.delete('Metadata');
  flat.delete('Material');
  return {
    at: key.at,
    members: new Map([...flat].map(([name, value]) => [names[name] ?? name, value])),
  };
}

function inner(document: SeedDocument, located: Located | undefined, known: string[]): Members {
  const members: Members = located === undefined ? new Map() : membersOf(document, located);
  requireNames(document, members, known);
  return members;
}
