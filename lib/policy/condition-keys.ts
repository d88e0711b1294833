import type { Tag } from '../model/types.ts';
import { type GrantConstraints, givenConstraints } from './grant.ts';
import type { Lookup } from './pattern.ts';
import type { Principal } from './principal.ts';

/** What condition keys are made of. */
export interface RequestFacts {
  /** As in its action: ReEncryptFrom and ReEncryptTo apart. */
  readonly operation: string;
  /** The checked request, its members as in the model. */
  readonly request: Readonly<Record<string, unknown>>;
  /** The key that the operation is authorised for; of CreateKey, the replica that it makes. */
  readonly key?: KeyFacts | undefined;
  /** The name of the alias that the request named the key by. */
  readonly requestAlias?: string | undefined;
  readonly caller: Principal;
  /** Where the request is served. */
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly reEncryptOnSameKey?: boolean | undefined;
  /** Whether the request came over TLS; undefined if it came over no network. */
  readonly secureTransport?: boolean | undefined;
}

export interface KeyFacts {
  readonly spec: string;
  readonly usage: string;
  readonly origin: string;
  readonly multiRegion: boolean;
  readonly multiRegionKeyType?: string | undefined;
  /** With their prefix `alias/`. */
  readonly aliases: readonly string[];
  readonly tags: readonly Tag[];
}

type Value = string | number | boolean | Date | readonly string[] | undefined;
type Read = (facts: RequestFacts) => Value;
type Pairs = Readonly<Record<string, string>>;

const dataKeyOperations = [
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
];

/** The operations with an encryption context and algorithm, and the members that have them. */
const encryptionMembers: Readonly<Record<string, { context: string; algorithm?: string }>> = {
  Decrypt: { context: 'EncryptionContext', algorithm: 'EncryptionAlgorithm' },
  Encrypt: { context: 'EncryptionContext', algorithm: 'EncryptionAlgorithm' },
  ReEncryptFrom: {
    context: 'SourceEncryptionContext',
    algorithm: 'SourceEncryptionAlgorithm',
  },
  ReEncryptTo: {
    context: 'DestinationEncryptionContext',
    algorithm: 'DestinationEncryptionAlgorithm',
  },
  ...Object.fromEntries(dataKeyOperations.map((name) => [name, { context: 'EncryptionContext' }])),
};

const namedByAlias = [
  ...Object.keys(encryptionMembers),
  'Decapsulate',
  'DeriveSharedSecret',
  'DescribeKey',
  'Encapsulate',
  'GenerateMac',
  'GetPublicKey',
  'Sign',
  'Verify',
  'VerifyMac',
];

const keySpec = created(['KeySpec', 'CustomerMasterKeySpec'], 'SYMMETRIC_DEFAULT', 'spec');
const keyUsage = created(['KeyUsage'], 'ENCRYPT_DECRYPT', 'usage');

/**
 * Every condition key and where it applies; a key that is not here is absent from every request,
 * such as kms:ViaService, since nothing calls through a service.
 */
const conditionKeys: ReadonlyMap<string, Read> = new Map(
  Object.entries({
    'kms:BypassPolicyLockoutSafetyCheck': on(
      ['CreateKey', 'PutKeyPolicy', 'ReplicateKey'],
      member('BypassPolicyLockoutSafetyCheck'),
    ),
    'kms:CallerAccount': ofKey((_key, { caller }) => caller.accountId),
    'kms:CustomerMasterKeySpec': keySpec,
    'kms:CustomerMasterKeyUsage': keyUsage,
    'kms:DataKeyPairSpec': on(
      ['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext'],
      member('KeyPairSpec'),
    ),
    'kms:EncryptionAlgorithm': encryptionAlgorithm,
    'kms:EncryptionContextKeys': (facts) => Object.keys(encryptionContext(facts)),
    'kms:ExpirationModel': on(
      ['ImportKeyMaterial'],
      member('ExpirationModel', 'KEY_MATERIAL_EXPIRES'),
    ),
    'kms:GrantConstraintSourceArn': on(['CreateGrant'], ({ request }) => {
      return constraintsOf(request).SourceArn;
    }),
    'kms:GrantConstraintType': on(['CreateGrant'], ({ request }) => {
      return Object.keys(constraintsOf(request));
    }),
    'kms:GrantIsForAWSResource': on(['CreateGrant', 'ListGrants', 'RevokeGrant'], () => false),
    'kms:GrantOperations': on(['CreateGrant'], member('Operations')),
    'kms:GranteePrincipal': on(['CreateGrant'], member('GranteePrincipal')),
    'kms:GranteeServicePrincipal': on(['CreateGrant'], member('GranteeServicePrincipal')),
    'kms:KeyAgreementAlgorithm': on(['DeriveSharedSecret'], member('KeyAgreementAlgorithm')),
    'kms:KeyOrigin': created(['Origin'], 'AWS_KMS', 'origin'),
    'kms:KeySpec': keySpec,
    'kms:KeyUsage': keyUsage,
    'kms:MacAlgorithm': on(['GenerateMac', 'VerifyMac'], member('MacAlgorithm')),
    'kms:MessageType': on(['Sign', 'Verify'], member('MessageType', 'RAW')),
    'kms:MultiRegion': created(['MultiRegion'], false, 'multiRegion'),
    'kms:MultiRegionKeyType': multiRegionKeyType,
    'kms:PrimaryRegion': on(['UpdatePrimaryRegion'], member('PrimaryRegion')),
    'kms:ReEncryptOnSameKey': on(['ReEncryptFrom', 'ReEncryptTo'], (facts) => {
      return facts.reEncryptOnSameKey;
    }),
    'kms:ReplicaRegion': on(['ReplicateKey'], member('ReplicaRegion')),
    'kms:RequestAlias': on(namedByAlias, ({ requestAlias }) => requestAlias),
    'kms:ResourceAliases': ofKey(({ aliases }) => aliases),
    'kms:RetiringPrincipal': on(['CreateGrant'], member('RetiringPrincipal')),
    'kms:RetiringServicePrincipal': on(['CreateGrant'], member('RetiringServicePrincipal')),
    'kms:RotationPeriodInDays': on(['EnableKeyRotation'], member('RotationPeriodInDays', 365)),
    'kms:ScheduleKeyDeletionPendingWindowInDays': on(
      ['ScheduleKeyDeletion'],
      member('PendingWindowInDays', 30),
    ),
    'kms:SigningAlgorithm': on(['Sign', 'Verify'], member('SigningAlgorithm')),
    'kms:ValidTo': on(['ImportKeyMaterial'], member('ValidTo')),
    'kms:WrappingAlgorithm': on(['GetParametersForImport'], member('WrappingAlgorithm')),
    'kms:WrappingKeySpec': on(['GetParametersForImport'], member('WrappingKeySpec')),
    'aws:CurrentTime': ({ now }) => new Date(now),
    'aws:EpochTime': ({ now }) => Math.floor(now / 1000),
    'aws:PrincipalAccount': ({ caller }) => caller.accountId || undefined,
    'aws:PrincipalArn': ({ caller }) => (caller.session === undefined ? caller.arn : caller.role),
    'aws:PrincipalType': ({ caller }) => principalTypes[caller.kind],
    'aws:RequestedRegion': ({ region }) => region,
    'aws:SecureTransport': ({ secureTransport }) => secureTransport,
    'aws:TagKeys': tagKeys,
    'aws:ViaAWSService': () => false,
    'aws:userid': userId,
    'aws:username': ({ caller }) => (caller.kind === 'user' ? caller.name : undefined),
  } satisfies Record<string, Read>).map(([name, read]) => [name.toLowerCase(), read]),
);

/** The families of keys whose names go on with a name of the request's or the key's. */
const families: readonly { prefix: string; entries: (facts: RequestFacts) => Pairs }[] = [
  { prefix: 'kms:encryptioncontext:', entries: encryptionContext },
  { prefix: 'aws:resourcetag/', entries: ({ key }) => tagPairs(key?.tags) },
  { prefix: 'aws:requesttag/', entries: ({ request }) => tagPairs(request.Tags) },
];

const principalTypes: Readonly<Record<Principal['kind'], string | undefined>> = {
  root: 'Account',
  user: 'User',
  role: 'AssumedRole',
  'assumed-role': 'AssumedRole',
  'federated-user': 'FederatedUser',
  service: undefined,
};

/** The condition keys of a request, each made when a policy asks for it. */
export function conditionsOf(facts: RequestFacts): Lookup {
  return (name) => {
    const read = conditionKeys.get(name);
    if (read !== undefined) return textsOf(read(facts));
    const family = families.find(({ prefix }) => name.startsWith(prefix));
    return family && entriesNamed(family.entries(facts), name.slice(family.prefix.length));
  };
}

// The names in policies are not case-sensitive, so there may be several values.
function entriesNamed(entries: Pairs, name: string): readonly string[] | undefined {
  const values = Object.keys(entries)
    .filter((key) => key.toLowerCase() === name)
    .map((key) => entries[key] as string);
  return values.length > 0 ? values : undefined;
}

function textsOf(value: Value): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.length > 0 ? value : undefined;
  return [value instanceof Date ? isoSeconds(value) : String(value)];
}

function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, -'.000Z'.length)}Z`;
}

function on(operations: readonly string[], read: Read): Read {
  const applies = new Set(operations);
  return (facts) => (applies.has(facts.operation) ? read(facts) : undefined);
}

function ofKey(read: (key: KeyFacts, facts: RequestFacts) => Value): Read {
  return (facts) => facts.key && read(facts.key, facts);
}

function member(name: string, absent?: string | number): Read {
  return ({ request }) => (request[name] as Value) ?? absent;
}

/** A property of the key that is used, or of the one that CreateKey is to make. */
function created(
  members: readonly string[],
  absent: string | boolean,
  property: 'spec' | 'usage' | 'origin' | 'multiRegion',
): Read {
  return ({ operation, request, key }) => {
    if (key !== undefined || operation !== 'CreateKey') return key?.[property];
    const given = members.find((name) => request[name] !== undefined);
    return given === undefined ? absent : (request[given] as Value);
  };
}

function multiRegionKeyType({ operation, request, key }: RequestFacts): Value {
  if (key !== undefined || operation !== 'CreateKey') return key?.multiRegionKeyType;
  return request.MultiRegion === true ? 'PRIMARY' : undefined;
}

function encryptionAlgorithm({ operation, request }: RequestFacts): Value {
  const members = encryptionMembers[operation];
  if (members === undefined) return undefined;
  const sent = members.algorithm === undefined ? undefined : request[members.algorithm];
  return (sent as Value) ?? 'SYMMETRIC_DEFAULT';
}

function encryptionContext({ operation, request }: RequestFacts): Pairs {
  if (operation === 'CreateGrant') {
    const { EncryptionContextEquals, EncryptionContextSubset } = constraintsOf(request);
    return EncryptionContextEquals ?? EncryptionContextSubset ?? {};
  }
  const members = encryptionMembers[operation];
  return (members && (request[members.context] as Pairs | undefined)) ?? {};
}

function constraintsOf(request: RequestFacts['request']): GrantConstraints {
  return givenConstraints(request.Constraints as GrantConstraints | undefined) ?? {};
}

function tagKeys({ request }: RequestFacts): Value {
  const { Tags: tags, TagKeys: keys } = request as { Tags?: Tag[]; TagKeys?: string[] };
  return keys ?? tags?.map(({ TagKey }) => TagKey as string);
}

function tagPairs(tags: unknown): Pairs {
  const list = (tags ?? []) as readonly Tag[];
  return Object.fromEntries(list.map(({ TagKey, TagValue }) => [TagKey, TagValue]));
}

// Users and roles have unique ids in AWS only.
function userId({ caller }: RequestFacts): Value {
  if (caller.kind === 'root') return caller.accountId;
  return caller.kind === 'federated-user' ? `${caller.accountId}:${caller.name}` : undefined;
}
