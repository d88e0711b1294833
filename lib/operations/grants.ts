import type { GrantRecord, NewGrant } from '../keys/grant-directory.ts';
import type { Key } from '../keys/key.ts';
import { endDryRun, requireState } from '../keys/key-checks.ts';
import type { KeyRecord } from '../keys/key-record.ts';
import type { KeyPlace } from '../keys/paths.ts';
import { missingMemberError } from '../model/constraints.ts';
import { KmsError } from '../model/errors.ts';
import { keyArn } from '../model/key-id.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { GrantListEntry, GrantOperation, KeyUsageType } from '../model/types.ts';
import { givenConstraints } from '../policy/grant.ts';
import { parsePrincipal, principalName, reachOf, rootArn } from '../policy/principal.ts';
import type { Change } from '../store/change.ts';
import { retry } from '../store/retry.ts';
import { authorizeChanged } from './key-change.ts';
import { authorize, authorizeIdentity, authorizeRetiring, refuseForeign } from './rules/access.ts';
import { findOwnKey, lookUpOwn } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';
import { page } from './rules/pages.ts';

type Request = CheckedRequest<'CreateGrant'>;
type Constraints = NonNullable<Request['Constraints']>;
type Kind = Pick<KeyRecord, 'keySpec' | 'keyUsage'>;

// KMS API Reference, CreateGrant, Constraints.
const mostPairs = 8;
const longestValue = 384;

/** KMS API Reference, CreateGrant. The grant counts at once, with or without its token. */
export const createGrant: Operation<'CreateGrant'> = {
  name: 'CreateGrant',
  async run(services, request) {
    requireGrantee(request);
    const key = await lookUpOwn(services, request.KeyId);
    const by = await authorize(services, key);
    requireState(key);
    checkTerms(key.record, request);
    endDryRun(request.DryRun);
    const grant = await services.grants.create(
      services.keysToChange(),
      key,
      grantOf(services, key.record, request),
      async (current) => {
        const changed = current.record !== key.record;
        const others = changed || by !== undefined ? await authorizing(services, current) : [];
        requireState(current);
        return others;
      },
    );
    return { GrantToken: services.grants.newToken(grant), GrantId: grant.grantId };
  },
};

/** KMS API Reference, ListGrants. */
export const listGrants: Operation<'ListGrants'> = {
  name: 'ListGrants',
  readOnly: true,
  async run(services, request) {
    const { GrantId, GranteePrincipal: grantee, GranteeServicePrincipal } = request;
    const key = await findOwnKey(services, request.KeyId);
    refuseServiceFilter('GranteeServicePrincipal', GranteeServicePrincipal);
    requireGrantId(GrantId);
    const { items, ...more } = await page(
      request,
      { usual: 50, largest: 100 },
      async ({ after, limit }) => {
        if (GrantId === undefined) {
          return services.grants.list(key.record, { grantee, after, limit });
        }
        const grant = await services.grants.find(key.record, GrantId);
        return grant === undefined ? [] : [grant];
      },
      ({ grantId }) => grantId,
    );
    // The grants of a grantee are found by a hash of its name.
    const wanted = items.filter(
      (grant) => grantee === undefined || grant.granteePrincipal === grantee,
    );
    return { Grants: wanted.map(entryOf), ...more };
  },
};

/** KMS API Reference, ListRetirableGrants. */
export const listRetirableGrants: Operation<'ListRetirableGrants'> = {
  name: 'ListRetirableGrants',
  readOnly: true,
  async run(services, request) {
    authorizeIdentity(services);
    const { RetiringPrincipal: principal, RetiringServicePrincipal } = request;
    refuseServiceFilter('RetiringServicePrincipal', RetiringServicePrincipal);
    if (principal === undefined) throw missingMemberError('RetiringPrincipal');
    requirePrincipal(principal);
    const { items, ...more } = await page(
      request,
      { usual: 50, largest: 100 },
      (wanted) => services.grants.listRetirable(services, principal, wanted),
      ({ grantId }) => grantId,
    );
    // A key whose deletion date has passed keeps its grants until it is destroyed.
    const keys = await Promise.all(items.map((grant) => services.keys.findById(grant)));
    return { Grants: items.filter((_, i) => keys[i] !== undefined).map(entryOf), ...more };
  },
};

/** KMS API Reference, RevokeGrant. */
export const revokeGrant: Operation<'RevokeGrant'> = {
  name: 'RevokeGrant',
  async run(services, { KeyId, GrantId, DryRun }) {
    const key = await findOwnKey(services, KeyId);
    requireGrantId(GrantId);
    const grant = await services.grants.find(key.record, GrantId);
    if (grant === undefined) throw noSuchGrant(GrantId);
    endDryRun(DryRun);
    await deleteGrant(services, { grant, key }, (current) =>
      authorizeChanged(services, current, key),
    );
    return {};
  },
};

/** KMS API Reference, RetireGrant: by its token, or by its id and its key's ARN. */
export const retireGrant: Operation<'RetireGrant'> = {
  name: 'RetireGrant',
  async run(services, request) {
    const grant = await grantToRetire(services, request);
    const key = await keyOf(services, grant);
    requireMayRetire(services, { grant, key });
    endDryRun(request.DryRun);
    await deleteGrant(services, { grant, key }, (current) =>
      requireMayRetire(services, { grant, key: current }),
    );
    return {};
  },
};

interface GrantOfKey {
  readonly grant: GrantRecord;
  readonly key: Key;
}

/** Authorises again, and makes the commit depend on the grant that allows it, if it is one. */
async function authorizing(services: Services, key: Key): Promise<readonly Change[]> {
  return retry(async () => {
    const by = await authorize(services, key);
    if (by === undefined) return [];
    const change = await services.grants.unchanged(by);
    return change && [change];
  });
}

/** Deletes a grant, and has the caller authorised again if its key changes meanwhile. */
async function deleteGrant(
  services: Services,
  { grant, key }: GrantOfKey,
  authorizeAgain: (key: Key) => Promise<void> | void,
): Promise<void> {
  let keyAsRead: Key | undefined = key;
  await retry(async () => {
    const current = keyAsRead ?? (await keyOf(services, grant));
    keyAsRead = undefined;
    if (current !== key) await authorizeAgain(current);
    if (await services.grants.delete(services.keysToChange(), grant, current)) return true;
    // Another request may have deleted it.
    return (await services.grants.find(grant, grant.grantId)) === undefined;
  });
}

async function keyOf(services: Services, grant: GrantRecord): Promise<Key> {
  const key = await services.keys.findById(grant);
  if (key === undefined) throw noSuchGrant(grant.grantId);
  return key;
}

async function grantToRetire(
  services: Services,
  { GrantToken, KeyId, GrantId }: CheckedRequest<'RetireGrant'>,
): Promise<GrantRecord> {
  if (GrantToken !== undefined) {
    const grant = await services.grants.ofToken(GrantToken);
    if (grant !== undefined) return grant;
    throw new KmsError('InvalidGrantTokenException', 'The grant token is not valid.');
  }
  if (KeyId === undefined || GrantId === undefined) {
    throw new KmsError(
      'ValidationException',
      'Either the GrantToken or both the KeyId and the GrantId must be given.',
    );
  }
  requireGrantId(GrantId);
  const { record } = await lookUpOwn(services, KeyId);
  const grant = await services.grants.find(record, GrantId);
  if (grant !== undefined) return grant;
  // Another account must not learn that the key exists, either.
  if (record.accountId !== services.accountId) refuseForeign(services);
  throw noSuchGrant(GrantId);
}

/**
 * KMS Developer Guide, grant-delete: the retiring principal may, the grantee if the grant lists
 * RetireGrant, and the account that made the grant or has the key. An account may leave it to its
 * principals by kms:RetireGrant in their identity policies, and a Deny takes it from every one of them.
 */
function requireMayRetire(services: Services, { grant, key }: GrantOfKey): void {
  const { principal: caller } = services.caller;
  const { granteePrincipal, retiringPrincipal, issuingAccount, operations } = grant;
  const reach = (principal: string | undefined) => {
    const name = principal === undefined ? undefined : principalName(principal);
    return name === undefined ? undefined : reachOf(name, caller);
  };
  const reaches = [
    reach(retiringPrincipal),
    operations.includes('RetireGrant') ? reach(granteePrincipal) : undefined,
    reach(issuingAccount),
    reach(rootArn(grant.accountId)),
  ];
  authorizeRetiring(services, key, (identityAllows) =>
    reaches.some((one) => one === 'named' || (one === 'delegated' && identityAllows)),
  );
}

/** The grant that a request asks for. */
export function grantOf(
  { now, accountId }: Pick<Services, 'now' | 'accountId'>,
  { keyId, region, accountId: owner }: KeyPlace,
  request: Request,
): NewGrant {
  const { Name, RetiringPrincipal, RetiringServicePrincipal } = request;
  const { GranteePrincipal, GranteeServicePrincipal } = request;
  const constraints = givenConstraints(request.Constraints);
  return {
    keyId,
    region,
    accountId: owner,
    creationDate: now(),
    ...(Name !== undefined && { name: Name }),
    ...(GranteePrincipal !== undefined && { granteePrincipal: GranteePrincipal }),
    ...(GranteeServicePrincipal !== undefined && {
      granteeServicePrincipal: GranteeServicePrincipal,
    }),
    ...(RetiringPrincipal !== undefined && { retiringPrincipal: RetiringPrincipal }),
    ...(RetiringServicePrincipal !== undefined && {
      retiringServicePrincipal: RetiringServicePrincipal,
    }),
    issuingAccount: rootArn(accountId),
    operations: [...new Set(request.Operations)],
    ...(constraints && { constraints }),
  };
}

/** Refuses what no grant on a key of this kind can say. */
export function checkTerms(kind: Kind, request: Request): void {
  requireGrantee(request);
  checkPrincipals(request);
  checkOperations(kind, request.Operations);
  checkConstraints(kind, request.Constraints);
}

function entryOf(grant: GrantRecord): GrantListEntry {
  const { granteePrincipal, granteeServicePrincipal, constraints } = grant;
  const { retiringPrincipal, retiringServicePrincipal } = grant;
  return {
    KeyId: keyArn(grant),
    GrantId: grant.grantId,
    Name: grant.name ?? '',
    CreationDate: new Date(grant.creationDate),
    ...(granteePrincipal !== undefined && { GranteePrincipal: granteePrincipal }),
    ...(granteeServicePrincipal !== undefined && {
      GranteeServicePrincipal: granteeServicePrincipal,
    }),
    ...(retiringPrincipal !== undefined && { RetiringPrincipal: retiringPrincipal }),
    ...(retiringServicePrincipal !== undefined && {
      RetiringServicePrincipal: retiringServicePrincipal,
    }),
    IssuingAccount: grant.issuingAccount,
    Operations: [...grant.operations],
    ...(constraints && { Constraints: structuredClone(constraints) }),
  };
}

/** @throws KmsError ValidationException unless the grant has one grantee */
function requireGrantee({ GranteePrincipal, GranteeServicePrincipal }: Request): void {
  refuseBoth({ GranteePrincipal, GranteeServicePrincipal });
  if (GranteePrincipal !== undefined || GranteeServicePrincipal !== undefined) return;
  throw missingMemberError('GranteePrincipal');
}

function checkPrincipals(request: Request): void {
  const { GranteePrincipal, GranteeServicePrincipal } = request;
  const { RetiringPrincipal, RetiringServicePrincipal } = request;
  refuseBoth({ RetiringPrincipal, RetiringServicePrincipal });
  if (GranteePrincipal !== undefined) requirePrincipal(GranteePrincipal);
  if (RetiringPrincipal !== undefined) requirePrincipal(RetiringPrincipal);
  if (RetiringServicePrincipal !== undefined) requireService(RetiringServicePrincipal);
  if (GranteeServicePrincipal === undefined) return;
  requireService(GranteeServicePrincipal);
  if (request.Constraints?.SourceArn === undefined) {
    throw new KmsError(
      'ValidationException',
      'A grant to a GranteeServicePrincipal must have a SourceArn constraint.',
    );
  }
  if (RetiringPrincipal === undefined && RetiringServicePrincipal === undefined) {
    throw new KmsError(
      'ValidationException',
      'A grant to a GranteeServicePrincipal must have a RetiringPrincipal or a ' +
        'RetiringServicePrincipal.',
    );
  }
}

/** @throws KmsError ValidationException if both of two members are given */
function refuseBoth(members: Readonly<Record<string, string | undefined>>): void {
  const names = Object.keys(members).filter((name) => members[name] !== undefined);
  if (names.length < 2) return;
  throw new KmsError('ValidationException', `You cannot specify both ${names.join(' and ')}.`);
}

/** @throws KmsError InvalidArnException unless it names a principal that can be given a grant */
function requirePrincipal(text: string): void {
  if (parsePrincipal(text) === undefined) throw invalidPrincipal(text);
}

function requireService(text: string): void {
  if (parsePrincipal(text)?.kind !== 'service') throw invalidPrincipal(text);
}

function invalidPrincipal(text: string): KmsError {
  return new KmsError('InvalidArnException', `Invalid principal: ${text}`);
}

/** KMS API Reference, ListGrants: only AWS services may look for the grants of one. */
function refuseServiceFilter(member: string, value: string | undefined): void {
  if (value === undefined) return;
  throw new KmsError('ValidationException', `${member} can be used by AWS services only.`);
}

const ofEveryKey: readonly GrantOperation[] = ['CreateGrant', 'RetireGrant', 'DescribeKey'];
const ofSymmetricKeys: readonly GrantOperation[] = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
];
/** KMS Developer Guide, grants: what can be granted on keys of each usage. */
const ofAsymmetricKeys: Readonly<Record<KeyUsageType, readonly GrantOperation[]>> = {
  ENCRYPT_DECRYPT: ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GetPublicKey'],
  SIGN_VERIFY: ['Sign', 'Verify', 'GetPublicKey'],
  GENERATE_VERIFY_MAC: ['GenerateMac', 'VerifyMac'],
  KEY_AGREEMENT: ['DeriveSharedSecret', 'GetPublicKey'],
  ENCAPSULATE_DECAPSULATE: ['Encapsulate', 'Decapsulate', 'GetPublicKey'],
};

function checkOperations({ keySpec, keyUsage }: Kind, operations: readonly GrantOperation[]): void {
  if (operations.every((operation) => operation === 'CreateGrant')) {
    throw new KmsError(
      'ValidationException',
      'Grants must not contain only the CreateGrant operation.',
    );
  }
  const supported = keySpec === 'SYMMETRIC_DEFAULT' ? ofSymmetricKeys : ofAsymmetricKeys[keyUsage];
  const other = operations.find((name) => !supported.includes(name) && !ofEveryKey.includes(name));
  if (other === undefined) return;
  throw new KmsError(
    'ValidationException',
    `Operation ${other} is not supported for key spec ${keySpec} and key usage ${keyUsage}.`,
  );
}

function checkConstraints({ keySpec }: Kind, constraints: Constraints | undefined): void {
  const { SourceArn: _, ...contexts } = givenConstraints(constraints) ?? {};
  const supplied = Object.values(contexts);
  if (supplied.length > 1)
    throw new KmsError('ValidationException', 'More than one constraint supplied');
  if (supplied[0] === undefined) return;
  const pairs: string[] = Object.values(supplied[0]);
  if (keySpec !== 'SYMMETRIC_DEFAULT') {
    throw new KmsError(
      'ValidationException',
      'Grant constraints are only supported for symmetric encryption keys.',
    );
  }
  if (pairs.length > mostPairs || pairs.some((value) => value.length > longestValue)) {
    throw new KmsError(
      'ValidationException',
      `A grant constraint has at most ${mostPairs} pairs with values of at most ${longestValue} ` +
        'characters.',
    );
  }
}

/** @throws KmsError InvalidGrantIdException unless the text has the form of a grant's id */
function requireGrantId(grantId: string | undefined): void {
  if (grantId === undefined || /^[0-9a-f]{64}$/.test(grantId)) return;
  throw new KmsError('InvalidGrantIdException', `Invalid grantId ${grantId}`);
}

function noSuchGrant(grantId: string): KmsError {
  return new KmsError('NotFoundException', `Grant ID ${grantId} not found`);
}
