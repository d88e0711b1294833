import { localKmsEntries } from './local-kms.ts';
import { refusal, type SeedDocument } from './seed-document.ts';
import { type Entries, entryOf, listOf, membersOf, requireNames } from './seed-entries.ts';

const ownMembers = ['version', 'keys', 'aliases'];

/** Takes a seed apart, whichever format it has. */
export function entriesOf(document: SeedDocument): Entries {
  const members = membersOf(document, { value: document.value, at: [] });
  if (members.has('Keys') || members.has('Aliases')) return localKmsEntries(document, members);
  requireNames(document, members, ownMembers);
  const { value: version, at } = members.get('version') ?? { value: undefined, at: [] };
  if (version !== 1) {
    throw refusal(document, at, 'a seed begins with `version: 1`, the only version there is');
  }
  return {
    keys: listOf(document, members.get('keys')).map((key) => entryOf(document, key)),
    aliases: listOf(document, members.get('aliases')).map((alias) => entryOf(document, alias)),
  };
}
