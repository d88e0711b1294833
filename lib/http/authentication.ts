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
 * Checks a request before its body is read; synchronously if nothing has to be read from the store.
 *
 * @throws KmsError if the head alone is reason to refuse the request
 */
export type Gate = (head: RequestHead) => CallerOf | Promise<CallerOf>;

interface GateOptions {
  /** The region that is served; every one if undefined. */
  readonly region: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A credential as it is cached until its record in the store changes. */
interface Account {
  readonly caller: Service;
  /** By date; two dates around midnight. */
  readonly dateKeys: Map<string, Uint8Array>;
  /** By scope. Only scopes with a valid signature are added: strangers cannot add any. */
  readonly scopes: RecentlyUsed<Scope>;
}

/** The key that checks requests of one day and region, and the service acting there. */
interface Scope {
  readonly key: Uint8Array;
  readonly caller: Actor;
}

/** Lets all clients make requests as the service's own caller, in the region that they sign for. */
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
 * Checks signatures against the credentials of the service's store, in AWS's order: first all that
 * the head says of the caller, then the signature, which needs the body's hash.
 *
 * @throws KmsError The gate: as `readSignature`, and UnrecognizedClientException or
 *   ExpiredTokenException. The function it returns: these two, or InvalidSignatureException
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
          // While the body came, the credential may have been deleted or its session have ended.
          checkCredential(still, token, now());
          return verify(request, signature, still);
        });
    };
    return found(kms, accessKeyId, letIn);
  };
}

/** Looks an access key up, and goes on synchronously if nothing has to be read from the store. */
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

/** Whether the token is the session's; requests outside a session must have no token. */
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
    // A role's session has an issue date even if its access key never expires: policies may refuse
    // credentials issued before a date.
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
