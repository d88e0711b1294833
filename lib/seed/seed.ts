import type { KeyTag } from '../keys/key-record.ts';
import { isKeyId, keyIdBytes } from '../model/key-id.ts';
import { materialLength } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { KeySpec, KeyUsageType, OriginType } from '../model/types.ts';
import type { Native } from '../native/addon.ts';
import { checkNewAliasName } from '../operations/aliases.ts';
import { kindOf, refuseWhatIsNotOffered } from '../operations/create-key.ts';
import { checkTerms } from '../operations/grants.ts';
import { checkTags } from '../operations/tags.ts';
import { parsePolicy } from '../policy/document.ts';
import { entriesOf } from './formats.ts';
import { decodeMaterial, decodePem, keySpecOf } from './material-text.ts';
import { checked, modelRequest, placeIn } from './model-request.ts';
import { type Path, readDocument, refusal, type SeedDocument } from './seed-document.ts';
import { type Entry, entryOf, type Located, listOf, requireNames } from './seed-entries.ts';

/** A key of a seed; members that the seed leaves out are undefined. */
export interface SeededKey {
  readonly entry: Entry;
  readonly keyId: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsageType;
  readonly origin: OriginType;
  readonly multiRegion: boolean;
  readonly description: string | undefined;
  readonly policy: string | undefined;
  readonly tags: readonly KeyTag[] | undefined;
  readonly enabled: boolean | undefined;
  readonly rotation:
    | { readonly periodInDays: number; readonly nextDate: number | undefined }
    | undefined;
  /** The oldest first. */
  readonly materials: readonly SeededMaterial[];
  readonly grants: readonly SeededGrant[];
  /** The CreateKey request that would make the key. */
  readonly request: CheckedRequest<'CreateKey'>;
}

export interface SeededMaterial {
  readonly at: Path;
  /** Decodes it into a buffer that the caller wipes. */
  decode(): Buffer;
}

export interface SeededGrant {
  readonly at: Path;
  readonly request: CheckedRequest<'CreateGrant'>;
}

export interface SeededAlias {
  readonly at: Path;
  readonly request: CheckedRequest<'CreateAlias'>;
}

/** A seed that is valid as far as can be told without a store. */
export interface Seed {
  readonly document: SeedDocument;
  readonly keys: readonly SeededKey[];
  readonly aliases: readonly SeededAlias[];
}

const keyMembers = [
  'KeyId',
  'KeySpec',
  'KeyUsage',
  'Origin',
  'Description',
  'Enabled',
  'MultiRegion',
  'Policy',
  'Tags',
  'Aliases',
  'KeyMaterial',
  'PrivateKeyPem',
  'RotationPeriodInDays',
  'NextRotationDate',
  'Grants',
];
const usualPeriodInDays = 365;

/**
 * Reads a seed, from a file or an object, and checks everything in it.
 *
 * @throws ConfigurationError that names the file, the line and the member
 */
export async function readSeed(source: string | object, native: Native): Promise<Seed> {
  const document = await readDocument(source);
  const entries = entriesOf(document);
  const keys = entries.keys.map((entry) => readKey(document, entry, native));
  const aliases = [
    ...entries.keys.flatMap((entry) => aliasesOfKey(document, entry)),
    ...entries.aliases.map((entry) => readAlias(document, entry)),
  ];
  requireDistinct(
    document,
    keys.map(({ keyId, entry }) => ({
      name: keyIdBytes(keyId).toString('hex'),
      at: placeIn(entry, ['KeyId']),
    })),
    'another key has this id',
  );
  requireDistinct(
    document,
    aliases.map(({ request, at }) => ({ name: request.AliasName, at })),
    'this alias is there twice',
  );
  return { document, keys, aliases };
}

function readKey(document: SeedDocument, entry: Entry, native: Native): SeededKey {
  const { members } = entry;
  requireNames(document, members, keyMembers);
  const keyId = readKeyId(document, entry);
  const request = createKeyRequest(document, entry);
  const { keySpec, keyUsage } = checked(document, entry.at, () => kindOf(request));
  checked(document, entry.at, () => refuseWhatIsNotOffered({ native }, request, keySpec));
  const { Policy: policy, Tags } = request;
  const tags = Tags as readonly KeyTag[] | undefined;
  checked(document, placeIn(entry, ['Policy']), () => policy && parsePolicy(policy, 'key'));
  checked(document, placeIn(entry, ['Tags']), () => tags && checkTags(tags));
  const kind = { keyId, keySpec, keyUsage, origin: request.Origin ?? 'AWS_KMS' };
  return {
    ...kind,
    entry,
    request,
    multiRegion: isMultiRegion(document, entry, { keyId, given: request.MultiRegion }),
    description: request.Description,
    policy,
    tags,
    enabled: readBoolean(document, members.get('Enabled')),
    rotation: readRotation(document, entry, kind),
    materials: readMaterials(document, entry, keySpec),
    grants: listOf(document, members.get('Grants')).map((grant) =>
      readGrant(document, entryOf(document, grant), kind),
    ),
  };
}

function readKeyId(document: SeedDocument, entry: Entry): string {
  const { KeyId } = modelRequest(document, 'DescribeKey', entry, pick(entry, ['KeyId']));
  // Lower case only: a blob names its key by 16 bytes, which have no case.
  if (isKeyId(KeyId) && KeyId === KeyId.toLowerCase()) return KeyId;
  throw refusal(
    document,
    placeIn(entry, ['KeyId']),
    `Invalid keyId '${KeyId}'`,
    'key ids are UUIDs, or mrk- and 32 hex digits, in lower case',
  );
}

function createKeyRequest(document: SeedDocument, entry: Entry): CheckedRequest<'CreateKey'> {
  const { members } = entry;
  const policy = members.get('Policy')?.value;
  const tags = members.get('Tags')?.value;
  return modelRequest(document, 'CreateKey', entry, {
    KeySpec: impliedSpec(document, members.get('PrivateKeyPem')),
    ...pick(entry, ['KeySpec', 'KeyUsage', 'Origin', 'Description', 'MultiRegion']),
    Policy: isPlainObject(policy) ? JSON.stringify(policy, null, 2) : policy,
    Tags: isPlainObject(tags)
      ? Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
      : tags,
  });
}

/** The KeySpec that a private key implies, which the seed need not repeat. */
function impliedSpec(document: SeedDocument, pem: Located | undefined): KeySpec | undefined {
  if (pem === undefined) return undefined;
  const pkcs8 = decodeAt(document, pem.at, () => decodePem(requireText(document, pem)));
  try {
    return keySpecOf(pkcs8);
  } finally {
    pkcs8.fill(0);
  }
}

function isMultiRegion(
  document: SeedDocument,
  entry: Entry,
  { keyId, given }: { keyId: string; given: boolean | undefined },
): boolean {
  const multiRegion = keyId.startsWith('mrk-');
  if ((given ?? multiRegion) === multiRegion) return multiRegion;
  throw refusal(
    document,
    placeIn(entry, ['MultiRegion']),
    'the ids of multi-Region keys, and only theirs, begin with mrk-',
  );
}

type Kind = Pick<SeededKey, 'keyId' | 'keySpec' | 'keyUsage' | 'origin'>;

function readRotation(
  document: SeedDocument,
  entry: Entry,
  { keyId, keySpec, origin }: Kind,
): SeededKey['rotation'] {
  const period = entry.members.get('RotationPeriodInDays');
  const date = entry.members.get('NextRotationDate');
  const at = period?.at ?? date?.at;
  if (at === undefined) return undefined;
  if (keySpec !== 'SYMMETRIC_DEFAULT' || origin !== 'AWS_KMS') {
    const reason = 'only KeySpec SYMMETRIC_DEFAULT with Origin AWS_KMS rotates by itself';
    throw refusal(document, at, reason);
  }
  const { RotationPeriodInDays: periodInDays = usualPeriodInDays } = modelRequest(
    document,
    'EnableKeyRotation',
    entry,
    { KeyId: keyId, ...pick(entry, ['RotationPeriodInDays']) },
  );
  return { periodInDays, nextDate: date && readDate(document, date) };
}

function readDate(document: SeedDocument, located: Located): number {
  const text = requireText(document, located);
  const time = /^\d{4}-\d\d-\d\d(?:[T ].*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return time;
  throw refusal(document, located.at, 'expected a date as in 2030-01-31T00:00:00Z');
}

function readMaterials(document: SeedDocument, entry: Entry, keySpec: KeySpec): SeededMaterial[] {
  const pem = entry.members.get('PrivateKeyPem');
  const plain = entry.members.get('KeyMaterial');
  if (pem && plain) throw refusal(document, pem.at, 'there is KeyMaterial, too');
  if (pem && materialLength(keySpec) !== undefined) {
    throw refusal(document, pem.at, `KeySpec ${keySpec} has KeyMaterial, not a private key`);
  }
  const located = pem ?? plain;
  if (located === undefined) return [];
  const texts = Array.isArray(located.value) ? listOf(document, located) : [located];
  if (texts.length > 1 && keySpec !== 'SYMMETRIC_DEFAULT') {
    throw refusal(document, located.at, `KeySpec ${keySpec} has one key material, not several`);
  }
  const decode = pem ? decodePem : (text: string) => decodeMaterial(text, keySpec);
  return texts.map((one) => {
    const text = requireText(document, one);
    decodeAt(document, one.at, () => decode(text)).fill(0);
    return { at: one.at, decode: () => decode(text) };
  });
}

function decodeAt(document: SeedDocument, at: Path, decode: () => Buffer): Buffer {
  try {
    return decode();
  } catch (error) {
    throw refusal(document, at, (error as Error).message);
  }
}

function readGrant(document: SeedDocument, entry: Entry, kind: Kind): SeededGrant {
  const names = [
    'Name',
    'GranteePrincipal',
    'GranteeServicePrincipal',
    'RetiringPrincipal',
    'RetiringServicePrincipal',
    'Operations',
    'Constraints',
  ];
  requireNames(document, entry.members, names);
  const request = modelRequest(document, 'CreateGrant', entry, {
    KeyId: kind.keyId,
    ...pick(entry, names),
  });
  checked(document, entry.at, () => checkTerms(kind, request));
  return { at: entry.at, request };
}

function aliasesOfKey(document: SeedDocument, entry: Entry): SeededAlias[] {
  const aliases = listOf(document, entry.members.get('Aliases'));
  const keyId = entry.members.get('KeyId') as Located;
  return aliases.map((name) =>
    readAlias(document, {
      at: name.at,
      members: new Map([
        ['AliasName', name],
        ['TargetKeyId', keyId],
      ]),
    }),
  );
}

function readAlias(document: SeedDocument, entry: Entry): SeededAlias {
  const names = ['AliasName', 'TargetKeyId'];
  requireNames(document, entry.members, names);
  const request = modelRequest(document, 'CreateAlias', entry, pick(entry, names));
  const at = placeIn(entry, ['AliasName']);
  checked(document, at, () => checkNewAliasName(request.AliasName));
  return { at, request };
}

function requireDistinct(
  document: SeedDocument,
  named: readonly { readonly name: string; readonly at: Path }[],
  reason: string,
): void {
  const seen = new Set<string>();
  for (const { name, at } of named) {
    if (seen.has(name)) throw refusal(document, at, reason);
    seen.add(name);
  }
}

function readBoolean(document: SeedDocument, located: Located | undefined): boolean | undefined {
  const { value, at = [] } = located ?? { value: undefined };
  if (value === undefined || typeof value === 'boolean') return value;
  throw refusal(document, at, 'expected true or false');
}

function requireText(document: SeedDocument, { value, at }: Located): string {
  if (typeof value === 'string') return value;
  throw refusal(document, at, 'expected text');
}

function pick({ members }: Entry, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names
      .filter((name) => members.has(name))
      .map((name) => [name, (members.get(name) as Located).value]),
  );
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
