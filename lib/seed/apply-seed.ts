import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../core/configuration-error.ts';
import type { GrantRecord, NewGrant } from '../keys/grant-directory.ts';
import type { Key } from '../keys/key.ts';
import type { KeyDirectory } from '../keys/key-directory.ts';
import {
  type KeyRecord,
  type KeyTag,
  type NewKeyRecord,
  stateOf,
  withCurrentMaterial,
} from '../keys/key-record.ts';
import type { NewMaterial } from '../keys/material-vault.ts';
import type { KeyPlace } from '../keys/paths.ts';
import { dayInMilliseconds } from '../keys/settlement.ts';
import { KmsError } from '../model/errors.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { OperationName } from '../model/shapes.ts';
import { isNativeError } from '../native/addon.ts';
import { requireAliasQuota } from '../operations/aliases.ts';
import { grantOf } from '../operations/grants.ts';
import { policyTextOf } from '../operations/rules/access.ts';
import type { Services } from '../operations/rules/operation.ts';
import type { Change } from '../store/change.ts';
import { checked, placeIn } from './model-request.ts';
import type { Seed, SeededAlias, SeededGrant, SeededKey } from './seed.ts';
import { refusal } from './seed-document.ts';

export interface SeedServices extends Pick<Services, 'grants' | 'region' | 'accountId' | 'now'> {
  readonly keys: KeyDirectory;
  /** Gets the request that would make what is about to be made; may refuse it. */
  record<O extends OperationName>(
    operation: O,
    request: CheckedRequest<O>,
    key: KeyPlace,
  ): Promise<void>;
}

/** How much a seed made; all zero if everything was there. */
export interface SeedSummary {
  readonly keys: number;
  readonly aliases: number;
  readonly grants: number;
}

/** What a seed made, in a sentence for people; undefined if it made nothing. */
export function describeSummary(summary: SeedSummary): string | undefined {
  const parts = Object.entries(summary)
    .filter(([, number]) => number > 0)
    .map(([what, number]) => `${number} ${number === 1 ? singular(what) : what}`);
  return parts.length === 0 ? undefined : `made what the seed has: ${parts.join(', ')}`;
}

function singular(what: string): string {
  return what === 'aliases' ? 'alias' : what.slice(0, -1);
}

// So many commits in a row will not all collide with another process's.
const maxTries = 20;
// How many grants are read at a time.
const pageOfGrants = 100;

/**
 * Makes what a seed describes and the store lacks: the keys in one commit, with their material and
 * aliases, then their grants and the rest. If it is interrupted, applying the seed again completes
 * it.
 *
 * @throws ConfigurationError if something in the store differs from the seed; then nothing was
 *   changed
 */
export async function applySeed(seed: Seed, services: SeedServices): Promise<SeedSummary> {
  for (let i = 0; i < maxTries; i++) {
    const work = await compare(seed, services);
    if (!(await makeKeys(work, services))) continue;
    for (const alias of work.aliases) await makeAlias(seed, services, alias);
    for (const grant of work.grants) await makeGrant(services, grant);
    const { length: keys } = work.keys;
    return { keys, aliases: work.numAliases, grants: work.grants.length };
  }
  throw new ConfigurationError(
    'the seed cannot be applied: other processes keep changing the store, or it still holds a key ' +
      'of the seed whose deletion date has passed, or the same key and material for another region',
  );
}

/** The entries that the store lacks. */
interface Work {
  readonly keys: readonly NewKey[];
  /** Aliases for keys that exist already. */
  readonly aliases: readonly SeededAlias[];
  readonly numAliases: number;
  readonly grants: readonly Granting[];
}

interface NewKey {
  readonly seeded: SeededKey;
  readonly record: KeyRecord;
  readonly materials: readonly NewMaterial[];
  readonly aliases: readonly SeededAlias[];
}

interface Granting {
  readonly seeded: SeededGrant;
  readonly key: KeyPlace;
}

async function compare(seed: Seed, services: SeedServices): Promise<Work> {
  const targets = new Map<string, Key>();
  const aliases = await newAliases(seed, services, targets);
  const ofNewKeys = (id: string) => aliases.filter((alias) => targetOf(alias) === id);
  const keys: NewKey[] = [];
  const grants: Granting[] = [];
  for (const seeded of seed.keys) {
    const place = placeOf(services, seeded.keyId);
    const key = await services.keys.findById(place);
    if (key === undefined) keys.push(await newKey(seed, services, seeded, ofNewKeys(place.keyId)));
    else await requireSame(seed, services, seeded, key);
    const missing =
      key === undefined ? seeded.grants : await newGrants(seed, services, seeded, key);
    grants.push(...missing.map((grant) => ({ seeded: grant, key: place })));
  }
  return {
    keys,
    aliases: aliases.filter((alias) => targets.has(targetOf(alias))),
    numAliases: aliases.length,
    grants,
  };
}

/** The aliases that the store lacks; adds the keys that they name and that exist to `targets`. */
async function newAliases(
  { document, keys, aliases }: Seed,
  services: SeedServices,
  targets: Map<string, Key>,
): Promise<SeededAlias[]> {
  const missing: SeededAlias[] = [];
  for (const alias of aliases) {
    const { AliasName: name, TargetKeyId } = alias.request;
    const target = await services.keys.findById(placeOf(services, TargetKeyId));
    if (target === undefined && !keys.some(({ keyId }) => keyId === TargetKeyId)) {
      throw refusal(document, alias.at, `there is no key '${TargetKeyId}' for it`);
    }
    const current = await aliasTarget(services, name);
    if (current !== undefined && current.record.keyId !== TargetKeyId) {
      const reason = `the store has this alias for key ${current.record.keyId}`;
      throw refusal(document, alias.at, `${reason}, not ${TargetKeyId}`);
    }
    if (current !== undefined) continue;
    if (target !== undefined) targets.set(TargetKeyId, target);
    missing.push(alias);
  }
  return missing;
}

async function aliasTarget(services: SeedServices, name: string): Promise<Key | undefined> {
  const { region, accountId, keys } = services;
  return keys.find({ kind: 'alias', name, region, accountId }).catch((error) => {
    if (error instanceof KmsError && error.name === 'NotFoundException') return undefined;
    throw error;
  });
}

/** The record and the material of a key that the store lacks. */
async function newKey(
  seed: Seed,
  services: SeedServices,
  seeded: SeededKey,
  aliases: readonly SeededAlias[],
): Promise<NewKey> {
  const blank = blankRecord(services, seeded);
  const imported = await importAll(seed, services, seeded, blank);
  const fresh = imported.length === 0 && seeded.origin === 'AWS_KMS';
  const materials = fresh ? [await services.keys.vault.make(blank)] : imported;
  let record: KeyRecord = { ...blank, materials: [] };
  for (const [index, { id, publicKey }] of materials.entries()) {
    record = {
      ...withCurrentMaterial(record, {
        id,
        ...(index > 0 && {
          rotationDate: blank.creationDate,
          rotationType: seeded.origin === 'EXTERNAL' ? 'ON_DEMAND' : 'AUTOMATIC',
        }),
        ...(seeded.origin === 'EXTERNAL' && {
          importState: 'IMPORTED',
          expirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
        }),
      }),
      ...(publicKey !== undefined && { publicKey }),
    };
  }
  const dates = { creationDate: blank.creationDate, lastUpdatedDate: blank.creationDate };
  for (const { at, request } of aliases) {
    const key = { arn: seeded.keyId, record };
    checked(seed.document, at, () => requireAliasQuota(key));
    record = { ...record, aliases: [...record.aliases, { name: request.AliasName, ...dates }] };
  }
  return { seeded, record, materials, aliases };
}

function blankRecord(services: SeedServices, seeded: SeededKey): NewKeyRecord {
  const { keyId, keySpec, keyUsage, origin, multiRegion, policy, rotation } = seeded;
  const now = services.now();
  return {
    ...placeOf(services, keyId),
    keySpec,
    keyUsage,
    origin,
    multiRegion,
    ...(multiRegion && { regions: { primary: services.region, replicas: [] } }),
    creationDate: now,
    description: seeded.description ?? '',
    enabled: seeded.enabled ?? true,
    ...(policy !== undefined && { policy }),
    ...(rotation && { rotation: startOf(rotation, now) }),
    aliases: [],
    tags: seeded.tags ?? [],
  };
}

/**
 * When the key's rotation period starts, so that its first rotation comes within one period. A date
 * that has passed makes one rotation due, not one for every period since.
 */
function startOf({ periodInDays, nextDate }: NonNullable<SeededKey['rotation']>, now: number) {
  const latest = now + periodInDays * dayInMilliseconds;
  return { periodInDays, nextDate: Math.min(Math.max(nextDate ?? latest, now), latest) };
}

/** Wraps the key material of a seed, which also yields the material's ids. */
async function importAll(
  { document }: Seed,
  services: SeedServices,
  { materials, keySpec }: SeededKey,
  record: NewKeyRecord,
): Promise<NewMaterial[]> {
  const imported: NewMaterial[] = [];
  for (const { at, decode } of materials) {
    const plaintext = decode();
    try {
      const material = await services.keys.vault.importPlain(record, plaintext);
      if (imported.some(({ id }) => id === material.id)) {
        throw refusal(document, at, 'this key material is there twice');
      }
      imported.push(material);
    } catch (error) {
      if (!isNativeError(error, 'INVALID_KEY_MATERIAL')) throw error;
      throw refusal(document, at, `this is not key material of KeySpec ${keySpec}`);
    } finally {
      plaintext.fill(0);
    }
  }
  return imported;
}

/** Makes sure that an existing key has everything that the seed says of it. */
async function requireSame(
  seed: Seed,
  services: SeedServices,
  seeded: SeededKey,
  { record }: Key,
): Promise<void> {
  const { document } = seed;
  const conflict = (member: string, with_: string) =>
    refusal(document, placeIn(seeded.entry, [member]), `the store has this key with ${with_}`);
  for (const [member, wanted, actual] of plainMembers(seeded, record)) {
    if (wanted !== undefined && wanted !== actual) {
      throw conflict(member, `${member} ${actual ?? 'none'}, not ${wanted}`);
    }
  }
  const { policy, tags } = seeded;
  if (policy !== undefined && !sameJson(policy, policyTextOf(record))) {
    throw conflict('Policy', 'another policy');
  }
  if (tags !== undefined && !isDeepStrictEqual(sorted(tags), sorted(record.tags))) {
    throw conflict('Tags', 'other tags');
  }
  const imported = await importAll(seed, services, seeded, record);
  if (imported.some(({ id }, index) => id !== record.materials[index]?.id)) {
    const pem = seeded.entry.members.has('PrivateKeyPem');
    throw conflict(pem ? 'PrivateKeyPem' : 'KeyMaterial', 'other key material');
  }
  if (stateOf(record).endsWith('Deletion')) {
    throw refusal(document, seeded.entry.at, 'the store has this key pending deletion');
  }
}

type Comparison = readonly [member: string, wanted: unknown, actual: unknown];

function plainMembers(seeded: SeededKey, record: KeyRecord): readonly Comparison[] {
  const { rotation } = seeded;
  return [
    ['KeySpec', seeded.keySpec, record.keySpec],
    ['KeyUsage', seeded.keyUsage, record.keyUsage],
    ['Origin', seeded.origin, record.origin],
    ['Description', seeded.description, record.description],
    ['Enabled', seeded.enabled, record.enabled],
    ['RotationPeriodInDays', rotation?.periodInDays, record.rotation?.periodInDays],
  ];
}

function sameJson(a: string, b: string): boolean {
  return a === b || isDeepStrictEqual(JSON.parse(a), JSON.parse(b));
}

function sorted(tags: readonly KeyTag[]): KeyTag[] {
  return tags
    .map(({ TagKey, TagValue }) => ({ TagKey, TagValue }))
    .sort((a, b) => (a.TagKey < b.TagKey ? -1 : 1));
}

/** The grants that an existing key lacks. */
async function newGrants(
  { document }: Seed,
  services: SeedServices,
  { grants: seeded }: SeededKey,
  { record }: Key,
): Promise<SeededGrant[]> {
  if (seeded.length === 0) return [];
  const existing = await grantsOf(services, record);
  return seeded.filter(({ at, request }) => {
    const wanted = grantOf(services, record, request);
    if (existing.some((grant) => isDeepStrictEqual(termsOf(grant), termsOf(wanted)))) return false;
    const { Name } = request;
    if (Name === undefined || !existing.some(({ name }) => name === Name)) return true;
    throw refusal(document, at, `the store has a grant of this key named ${Name} on other terms`);
  });
}

async function grantsOf({ grants }: SeedServices, key: KeyPlace): Promise<GrantRecord[]> {
  const found: GrantRecord[] = [];
  let page: GrantRecord[];
  do {
    page = await grants.list(key, { after: found.at(-1)?.grantId, limit: pageOfGrants });
    found.push(...page);
  } while (page.length === pageOfGrants);
  return found;
}

function termsOf(grant: NewGrant) {
  return {
    name: grant.name,
    grantee: grant.granteePrincipal ?? grant.granteeServicePrincipal,
    retiring: grant.retiringPrincipal ?? grant.retiringServicePrincipal,
    operations: [...grant.operations].sort(),
    // A request's maps have no prototype; a stored grant's do.
    constraints: JSON.parse(JSON.stringify(grant.constraints ?? {})),
  };
}

/** False if the store was changed meanwhile. */
async function makeKeys({ keys }: Work, services: SeedServices): Promise<boolean> {
  if (keys.length === 0) return true;
  const changes: Change[] = [];
  for (const { seeded, record, materials, aliases } of keys) {
    await services.record('CreateKey', seeded.request, record);
    for (const { request } of aliases) await services.record('CreateAlias', request, record);
    changes.push(...(await services.keys.creation(record, materials)));
  }
  return services.keys.commit(changes);
}

async function makeAlias(seed: Seed, services: SeedServices, { at, request }: SeededAlias) {
  const { region, accountId } = services;
  const target = placeOf(services, targetOf({ at, request }));
  await services.record('CreateAlias', request, target);
  const alias = { kind: 'alias' as const, name: request.AliasName, region, accountId };
  await services.keys.createAlias(alias, target, (key) =>
    checked(seed.document, at, () => requireAliasQuota(key)),
  );
}

async function makeGrant(services: SeedServices, { seeded, key: place }: Granting): Promise<void> {
  const { request } = seeded;
  await services.record('CreateGrant', request, place);
  const key = await services.keys.find({ kind: 'key', ...place });
  await services.grants.create(services.keys, key, grantOf(services, place, request));
}

function placeOf({ region, accountId }: SeedServices, keyId: string): KeyPlace {
  return { keyId, region, accountId };
}

function targetOf({ request }: SeededAlias): string {
  return request.TargetKeyId;
}
