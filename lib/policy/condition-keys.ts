import type { Tag } from '../model/types.ts';
import { globalKeys, notAuthenticated, type Standing } from './global-keys.ts';
import { type GrantConstraints, givenConstraints } from './grant.ts';
import type { Lookup } from './pattern.ts';
import type { KeyFacts, Read, RequestFacts, Value } from './request-facts.ts';

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

/** The condition keys of KMS and where they apply. */
const kmsKeys = Object.entries({
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
} satisfies Record<string, Read>).map(([name, read]): [string, Standing] => {
  return [name, { given: 'some operations', read }];
});

/** Every known condition key, by its name or, for a family, by the prefix of its names. */
const standings: ReadonlyMap<string, Standing> = new Map(
  [
    ...kmsKeys,
    ...Object.entries(globalKeys),
    ...Object.entries({
      'kms:EncryptionContext:': { given: 'some operations', read: () => undefined },
      'kms:RecipientAttestation:': { absent: 'Recipient is refused' },
      'kms:TrailingDaysWithoutKeyUsage': {
        unknown: 'pairmint does not note when keys are used',
      },
      'kms:ViaService': { absent: 'AWS services call nothing here' },
    } satisfies Record<string, Standing>),
  ].map(([name, standing]) => [name.toLowerCase(), standing]),
);

/**
 * Says why a policy must not have a condition key: pairmint does not know the key, or not its
 * value.
 *
 * @returns undefined if a policy may have it
 */
export function whyUnknown(key: string): string | undefined {
  const name = key.toLowerCase();
  const [family = name] = /^(?:kms:\w+:|aws:\w+\/)(?=.)/.exec(name) ?? [];
  // A family's prefix alone names no key.
  const standing = /[:/]$/.test(name) ? undefined : (standings.get(name) ?? standings.get(family));
  if (standing !== undefined) return 'unknown' in standing ? standing.unknown : undefined;
  if (ofProvider.test(name)) return notAuthenticated;
  // Requests to KMS never have other services' keys.
  return /^(?:aws|kms):/.test(name) ? 'pairmint does not know what it is' : undefined;
}

// IAM User Guide, keys for OIDC and SAML federation: sessions keep what their identity provider said
// of them (`accounts.google.com:sub`, `saml:sub`).
const ofProvider = /^(?:saml|[^:]*\.[^:]*):/;

const reads: ReadonlyMap<string, Read> = new Map(
  [...standings].flatMap(([name, standing]) => ('read' in standing ? [[name, standing.read]] : [])),
);

/** Families of condition keys: the rest of the name is a name in the request or on the key. */
const families: readonly { prefix: string; entries: (facts: RequestFacts) => Pairs }[] = [
  { prefix: 'kms:encryptioncontext:', entries: encryptionContext },
  { prefix: 'aws:resourcetag/', entries: ({ key }) => tagPairs(key?.tags) },
  { prefix: 'aws:requesttag/', entries: ({ request }) => tagPairs(request.Tags) },
];

/** The condition keys of a request, each made when a policy asks for it. */
export function conditionsOf(facts: RequestFacts): Lookup {
  // Each value is computed once: a policy may ask for the same key very often.
  const computed = new Map<string, readonly string[] | undefined>();
  const pairs = new Map<string, ReadonlyMap<string, readonly string[]>>();
  const find = (name: string) => {
    const read = reads.get(name);
    if (read !== undefined) return textsOf(read(facts));
    const family = families.find(({ prefix }) => name.startsWith(prefix));
    if (family === undefined) return undefined;
    const { prefix, entries } = family;
    const values = pairs.get(prefix) ?? byFoldedName(entries(facts));
    pairs.set(prefix, values);
    return values.get(name.slice(prefix.length));
  };
  return (name) => {
    if (!computed.has(name)) computed.set(name, find(name));
    return computed.get(name);
  };
}

// The names in policies are not case-sensitive, so there may be several values.
function byFoldedName(entries: Pairs): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of Object.entries(entries)) {
    const folded = name.toLowerCase();
    const earlier = values.get(folded);
    if (earlier === undefined) values.set(folded, [value]);
    else earlier.push(value);
  }
  return values;
}

function textsOf(value: Value): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.length > 0 ? [...new Set<string>(value)] : undefined;
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
    const member = members.find((name) => request[name] !== undefined);
    return member === undefined ? absent : (request[member] as Value);
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

function tagPairs(tags: unknown): Pairs {
  const list = (tags ?? []) as readonly Tag[];
  return Object.fromEntries(list.map(({ TagKey, TagValue }) => [TagKey, TagValue]));
}
