import { createHash, timingSafeEqual } from 'node:crypto';
import { RecentlyUsed } from '../core/recently-used.ts';
import { KmsError } from '../model/errors.ts';
import type { Credential } from '../service/credentials.ts';
import { fieldValue, type HttpRequest, type RequestHead } from './message.ts';
import type { Actor, Service } from './service.ts';
import {
  isSignatureOf,
  readSignature,
  regionSignedFor,
  type Signature,
  signingKey,
} from './signature.ts';

/** Finds the service acting for the caller of a request, once its body is there. */
export type CallerOf = (request: HttpRequest) => Actor | Promise<Actor>;

/**
 * Looks at a request before its body is read, and at once if nothing has to be read from the store.
 *
 * @throws KmsError if the head alone is reason to refuse it
 */
export type Gate = (head: RequestHead) => CallerOf | Promise<CallerOf>;

interface GateOptions {
  /** The region that is served; every one if undefined. */
  readonly region: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What is kept of a credential for as long as the store's record stays the same. */
interface Account {
  readonly caller: Service;
  /** By date; two of them around midnight. */
  readonly dateKeys: Map<string, Uint8Array>;
  /** By scope. Only of scopes that the secret has signed for: strangers cannot add to them. */
  readonly scopes: RecentlyUsed<Scope>;
}

/** What requests of one day and region are checked with, and the service acting there. */
interface Scope {
  readonly key: Uint8Array;
  readonly caller: Actor;
}

/** Lets everyone make requests as the service's own caller, in the region that they sign for. */
export function openGate(kms: Service, { region: served }: GateOptions): Gate {
  const actors = new RecentlyUsed<Actor>();
  return (head) => {
    const region = regionSignedFor(head, served) ?? served;
    if (region === undefined) return () => kms;
    let actor = actors.get(region);
    if (actor === undefined) {
      actor = kms.inRegion(region);
      actors.set(region, actor);
    }
    return () => actor;
  };
}

/**
 * Checks signatures against the credentials of the service's store, in AWS's order: all that a head
 * says of the caller before the body, whose hash the signature is made of.
 *
 * @throws KmsError by the gate: what `readSignature` throws, UnrecognizedClientException,
 *   ExpiredTokenException; by the function it returns: the last two, InvalidSignatureException
 */
export function signatureGate(kms: Service, { region: served, now }: GateOptions): Gate {
  const accounts = new WeakMap<Credential, Account>();
  const verify = (request: HttpRequest, signature: Signature, credential: Credential): Actor => {
    const { scope, date, region } = signature;
    const account = accountOf(kms, credential, accounts);
    const remembered = account.scopes.get(scope);
    const key = remembered?.key ?? signingKey(dateKeyOf(credential, date, account), region);
    if (!isSignatureOf(signature, request, { key, credential })) throw mismatch();
    if (remembered !== undefined) return remembered.caller;
    const caller = account.caller.inRegion(region);
    account.scopes.set(scope, { key, caller });
    return caller;
  };
  return (head) => {
    const signature = readSignature(head, { region: served, now: now() });
    const { accessKeyId } = signature;
    const token = fieldValue(head.headers, 'x-amz-security-token');
    const letIn = (credential: Credential | undefined): CallerOf => {
      checkCredential(credential, token, now());
      return (request) =>
        found(kms, accessKeyId, (still) => {
          // While the body came, it may have been deleted, or its session may have ended.
          checkCredential(still, token, now());
          return verify(request, signature, still);
        });
    };
    return found(kms, accessKeyId, letIn);
  };
}

/** Looks an access key up, and goes on at once if nothing has to be read. */
function found<T>(
  { credentials }: Service,
  accessKeyId: string,
  goOn: (credential: Credential | undefined) => T,
): T | Promise<T> {
  const credential = credentials.known(accessKeyId);
  if (credential !== undefined) return goOn(credential);
  return credentials.find(accessKeyId).then(goOn);
}

function checkCredential(
  credential: Credential | undefined,
  token: string | undefined,
  now: number,
): asserts credential is Credential {
  if (credential === undefined || !isTokenOf(credential, token)) {
    throw new KmsError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  }
  const { session } = credential.record;
  if (session !== undefined && session.expirationDate <= now) {
    throw new KmsError(
      'ExpiredTokenException',
      'The security token included in the request is expired',
    );
  }
}

/** A session's requests carry its token, all others none. */
function isTokenOf({ record: { session } }: Credential, token: string | undefined): boolean {
  if (session === undefined || token === undefined) return session === token;
  const digest = createHash('sha256').update(token, 'latin1').digest();
  return timingSafeEqual(digest, Buffer.from(session.tokenHash, 'base64'));
}

function accountOf(
  kms: Service,
  credential: Credential,
  accounts: WeakMap<Credential, Account>,
): Account {
  let account = accounts.get(credential);
  if (account === undefined) {
    const { principal, identityPolicy, session, creationDate } = credential.record;
    // Of a role's session, too, whose access key has no end: what was issued before a date stays so.
    const isSession = session !== undefined || principal.startsWith('arn:aws:sts:');
    const tokenIssueTime = isSession ? creationDate : undefined;
    const caller = kms.as(principal, { identityPolicy, tokenIssueTime });
    account = { caller, dateKeys: new Map(), scopes: new RecentlyUsed() };
    accounts.set(credential, account);
  }
  return account;
}

function dateKeyOf(credential: Credential, date: string, { dateKeys }: Account): Uint8Array {
  let key = dateKeys.get(date);
  if (key === undefined) {
    key = credential.dateKey(date);
    if (dateKeys.size > 1) dateKeys.clear();
    dateKeys.set(date, key);
  }
  return key;
}

function mismatch(): KmsError {
  return new KmsError(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your ' +
      'AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}
