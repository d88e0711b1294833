import { setImmediate as turn } from 'node:timers/promises';
import type { GrantRecord } from '../../keys/grant-directory.ts';
import type { Key } from '../../keys/key.ts';
import { isPrimary, type KeyRecord, type NewKeyRecord } from '../../keys/key-record.ts';
import { KmsError } from '../../model/errors.ts';
import { aliasArn } from '../../model/key-id.ts';
import { accessDenied } from '../../policy/access-denied.ts';
import { conditionsOf } from '../../policy/condition-keys.ts';
import { defaultKeyPolicy, type Policy, parsePolicy } from '../../policy/document.ts';
import { type AccessRequest, decide } from '../../policy/evaluate.ts';
import {
  type GrantConstraints,
  type GrantRequest,
  givenConstraints,
  grantCovers,
} from '../../policy/grant.ts';
import type { RequestFacts } from '../../policy/request-facts.ts';
import type { Caller, Services } from './operation.ts';

/** The facts that authorisation needs besides a request's members. */
export interface AccessOptions {
  /** The action, if it is not called as the operation: ReEncryptFrom. */
  readonly action?: string | undefined;
  /** The alias that the request named the key by. */
  readonly requestAlias?: string | undefined;
  /** The key was named by a ciphertext alone. */
  readonly ciphertext?: boolean | undefined;
  readonly reEncryptOnSameKey?: boolean | undefined;
}

/**
 * Makes sure that the caller may do this with the key. Returns no promise if policies allow it
 * whatever the request's conditions: most requests are such, and a promise would cost them time.
 *
 * @returns the grant that allows it; undefined if policies do
 * @throws KmsError AccessDeniedException; InvalidGrantTokenException if the request would need a
 *   grant and names one that does not exist
 */
export function authorize(
  services: Services,
  key: Key,
  options: AccessOptions = {},
): Promise<GrantRecord | undefined> | undefined {
  const { caller, call } = services;
  call.keyArns.add(key.arn);
  const action = options.action ?? call.operation;
  if (isAlwaysAllowed(caller, key.record, action)) return undefined;
  return authorizeAnew(services, key, action, options);
}

async function authorizeAnew(
  services: Services,
  key: Key,
  action: string,
  options: AccessOptions,
): Promise<GrantRecord | undefined> {
  const { caller, accountId } = services;
  const { request, wasAsked } = watched(
    accessRequest(services, action, key.arn, { key: key.record, ...options }),
  );
  const owner = key.record.accountId;
  const policies = {
    key: { policy: policyOf(key.record), accountId: owner },
    identity: caller.identityPolicy,
  };
  let decision = decide(request, { ...policies, grantAllows: () => false });
  if (decision === 'allowed' && !wasAsked()) allowAlways(caller, key.record, action);
  let used: GrantRecord | undefined;
  if (decision === 'no-key-policy-allows' || decision === 'no-identity-policy-allows') {
    // Those that are remembered may allow it, but only all of them can show that none does.
    for (const grants of [rememberedGrants, grantsOf]) {
      const answer = await grantAnswer(services, action, grants(services, key));
      decision = decide(request, {
        ...policies,
        grantAllows: (identityAllows) => {
          used = answer(identityAllows);
          return used !== undefined;
        },
      });
      if (decision === 'allowed') break;
    }
  }
  if (decision === 'allowed') return used;
  // Unless a Deny decided, a grant could still allow it, so the tokens sent must be of grants that
  // exist. Not for another account: the error would reveal that the key exists.
  const mayTell = owner === accountId && !decision.startsWith('explicit-deny');
  if (mayTell) await requireGrantTokens(services);
  const { ciphertext = false } = options;
  throw accessDenied(request, decision, { foreign: owner !== accountId, ciphertext });
}

// Actions that policies allow without any condition: they are always allowed. By the key's record,
// which is a new object after every change, and by the caller.
const alwaysAllowed = new WeakMap<KeyRecord, WeakMap<Caller, Set<string>>>();

function isAlwaysAllowed(caller: Caller, record: KeyRecord, action: string): boolean {
  return alwaysAllowed.get(record)?.get(caller)?.has(action) === true;
}

function allowAlways(caller: Caller, record: KeyRecord, action: string): void {
  const byCaller = alwaysAllowed.get(record) ?? new WeakMap<Caller, Set<string>>();
  alwaysAllowed.set(record, byCaller);
  byCaller.set(caller, (byCaller.get(caller) ?? new Set()).add(action));
}

/** Wraps a request to tell whether a policy has asked for any of its conditions. */
function watched(request: AccessRequest): { request: AccessRequest; wasAsked: () => boolean } {
  let asked = false;
  const condition: AccessRequest['condition'] = (name) => {
    asked = true;
    return request.condition(name);
  };
  return { request: { ...request, condition }, wasAsked: () => asked };
}

/**
 * Makes sure that the caller may retire a grant. `may` gets whether the identity policy allows it:
 * principals that the grant names need no such policy, others may need nothing else.
 */
export function authorizeRetiring(
  services: Services,
  key: Key,
  may: (identityAllows: boolean) => boolean,
): void {
  services.call.keyArns.add(key.arn);
  const owner = key.record.accountId;
  const request = accessRequest(services, 'RetireGrant', key.arn, { key: key.record });
  const decision = decide(request, {
    key: { policy: policyOf(key.record), accountId: owner },
    identity: services.caller.identityPolicy,
    grantAllows: may,
  });
  if (decision === 'allowed') return;
  throw accessDenied(request, decision, { foreign: owner !== services.accountId });
}

/**
 * Makes sure that the identity policy allows the action on a resource without a policy of its own.
 */
export function authorizeIdentity(
  services: Services,
  resource = '*',
  { action, key, unnamed = false }: { action?: string; key?: NewKeyRecord; unnamed?: boolean } = {},
): void {
  const { caller, call } = services;
  const request = accessRequest(services, action ?? call.operation, resource, { key });
  const decision = decide(request, {
    key: undefined,
    identity: caller.identityPolicy,
    grantAllows: () => false,
  });
  if (decision !== 'allowed') throw accessDenied(request, decision, { foreign: false, unnamed });
}

/** Authorises the tags of a key that is being made. */
export function authorizeNewTags(services: Services, keyArn: string): void {
  authorizeIdentity(services, keyArn, { action: 'TagResource', unnamed: true });
}

/** Authorises the use of an alias, which only identity policies can name. */
export function authorizeAlias(services: Services, name: string): void {
  authorizeIdentity(services, aliasArn({ ...services, name }));
}

/** Refuses without telling whether another account has such a key. */
export function refuseForeign(services: Services, options: AccessOptions = {}): never {
  const action = options.action ?? services.call.operation;
  const { ciphertext = false } = options;
  const request = accessRequest(services, action, '*');
  throw accessDenied(request, 'no-key-policy-allows', { foreign: true, ciphertext });
}

/** @throws KmsError InvalidGrantTokenException unless every token is of a grant that exists */
async function requireGrantTokens({ grants, call }: Services): Promise<void> {
  const { GrantTokens: tokens = [] } = call.request as { GrantTokens?: readonly string[] };
  for (const token of tokens) {
    if ((await grants.ofToken(token)) !== undefined) continue;
    throw new KmsError('InvalidGrantTokenException', 'A grant token in the request is not valid.');
  }
}

/** The text of a key's policy. */
export function policyTextOf({ policy, accountId }: KeyRecord): string {
  return policy ?? defaultKeyPolicy(accountId);
}

const compiled = new WeakMap<KeyRecord, Policy>();
const compiledDefaults = new Map<string, Policy>();

/** A key's policy, compiled once per record: all readers of the same bytes share one record. */
export function policyOf(record: KeyRecord): Policy {
  const cache = record.policy === undefined ? compiledDefaults : undefined;
  const cached = cache ? cache.get(record.accountId) : compiled.get(record);
  if (cached !== undefined) return cached;
  const policy = parsePolicy(policyTextOf(record), 'key', { stored: true });
  if (cache) cache.set(record.accountId, policy);
  else compiled.set(record, policy);
  return policy;
}

type ConditionOptions = AccessOptions & { readonly key?: NewKeyRecord | undefined };

/** The condition keys of the current request; each value is computed when a policy asks for it. */
export function conditionsFor(
  { call, caller, region, now }: Services,
  action: string,
  { key, requestAlias, reEncryptOnSameKey }: ConditionOptions,
): AccessRequest['condition'] {
  let conditions: AccessRequest['condition'] | undefined;
  return (name) => {
    conditions ??= conditionsOf({
      operation: action,
      request: call.request as RequestFacts['request'],
      key: key && keyFacts(key),
      requestAlias,
      caller: caller.principal,
      tokenIssueTime: caller.tokenIssueTime,
      origin: call.origin,
      region,
      now: now(),
      reEncryptOnSameKey,
    });
    return conditions(name);
  };
}

function accessRequest(
  services: Services,
  action: string,
  resource: string,
  options: ConditionOptions = {},
): AccessRequest {
  const condition = conditionsFor(services, action, options);
  return { action: `kms:${action}`, resource, caller: services.caller.principal, condition };
}

function keyFacts(record: NewKeyRecord): NonNullable<RequestFacts['key']> {
  return {
    accountId: record.accountId,
    spec: record.keySpec,
    usage: record.keyUsage,
    origin: record.origin,
    multiRegion: record.multiRegion,
    ...(record.multiRegion && {
      multiRegionKeyType: isPrimary(record) ? 'PRIMARY' : 'REPLICA',
    }),
    aliases: record.aliases.map(({ name }) => name),
    tags: record.tags,
  };
}

// How many grants are read at a time.
const pageOfGrants = 100;

/** Looks for a grant on the key that covers the request, some only with the identity policy. */
async function grantAnswer(
  services: Services,
  action: string,
  grants: Iterable<GrantRecord> | AsyncIterable<GrantRecord>,
): Promise<(identityAllows: boolean) => GrantRecord | undefined> {
  const use = grantUse(services, action);
  let withIdentity: GrantRecord | undefined;
  for await (const grant of grants) {
    if (grantCovers(grant, { ...use, identityAllows: false })) return () => grant;
    if (withIdentity === undefined && grantCovers(grant, { ...use, identityAllows: true })) {
      withIdentity = grant;
    }
  }
  return (identityAllows) => (identityAllows ? withIdentity : undefined);
}

/** Grants on a key that name the caller, of those that were read before. */
function* rememberedGrants(
  { caller, grants }: Services,
  { record }: Key,
): Generator<GrantRecord, void, undefined> {
  for (const grantee of granteesOf(caller)) yield* grants.remembered(record, grantee);
}

/** The names by which grants may name a caller: itself, the role it has assumed, or its account. */
function granteesOf({ principal: { arn, role, account } }: Caller): Set<string> {
  return new Set([arn, role, account].filter((name) => name !== undefined));
}

/** All grants on a key that name the caller. */
async function* grantsOf(
  { caller, grants }: Services,
  { record }: Key,
): AsyncGenerator<GrantRecord, void, undefined> {
  for (const grantee of granteesOf(caller)) {
    let after: string | undefined;
    for (;;) {
      const page = await grants.list(record, { grantee, after, limit: pageOfGrants });
      yield* page;
      if (page.length < pageOfGrants) break;
      after = page.at(-1)?.grantId;
      // A key may have very many grants, and stores answer without letting the event loop turn.
      await turn();
    }
  }
}

/** The parts of a request that grants' terms refer to. */
function grantUse({ caller, call }: Services, operation: string): GrantRequest {
  const request = call.request as Readonly<Record<string, unknown>>;
  const context = request[contextMembers[operation] ?? 'EncryptionContext'];
  const { Operations, Constraints } = request as {
    Operations?: readonly string[];
    Constraints?: GrantConstraints;
  };
  return {
    caller: caller.principal,
    operation,
    encryptionContext: context as GrantRequest['encryptionContext'],
    ...(Operations && {
      child: { operations: Operations, constraints: givenConstraints(Constraints) },
    }),
  };
}

const contextMembers: Readonly<Record<string, string>> = {
  ReEncryptFrom: 'SourceEncryptionContext',
  ReEncryptTo: 'DestinationEncryptionContext',
};
