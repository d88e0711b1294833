import { createHash, timingSafeEqual } from 'node:crypto';
import { KmsError } from '../model/errors.ts';
import type { Credential } from '../store/credential-directory.ts';
import { fieldValue, type HttpRequest } from './message.ts';
import type { Actor, Service } from './service.ts';
import { isSignatureOf, readSignature, type Signature, signingKey } from './signature.ts';

/** Finds the service acting for whoever made a request; at once where nothing has to be read. */
export type CallerOf = (request: HttpRequest) => Actor | Promise<Actor>;

/** What is kept of a credential for as long as the store's record stays the same. */
interface Known {
  readonly caller: Actor;
  /** By date; two of them around midnight. */
  readonly signingKeys: Map<string, Uint8Array>;
}

/** Lets everyone make requests as the service's own caller. */
export function acceptAll(kms: Service): CallerOf {
  return () => kms;
}

/**
 * Checks signatures against the credentials of the service's store, in AWS's order.
 *
 * @throws KmsError by the function returned: what `readSignature` throws,
 *   UnrecognizedClientException, ExpiredTokenException, InvalidSignatureException
 */
export function authenticator(kms: Service, now: () => number): CallerOf {
  const { region } = kms.describeStore();
  const known = new WeakMap<Credential, Known>();
  const check = (
    request: HttpRequest,
    signature: Signature,
    credential: Credential | undefined,
  ): Actor => {
    const token = fieldValue(request.headers, 'x-amz-security-token');
    if (credential === undefined || !isTokenOf(credential, token)) {
      throw new KmsError(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    const { session, principal, identityPolicy } = credential.record;
    if (session !== undefined && session.expirationDate <= now()) {
      throw new KmsError(
        'ExpiredTokenException',
        'The security token included in the request is expired',
      );
    }
    let entry = known.get(credential);
    if (entry === undefined) {
      const tokenIssueTime = session === undefined ? undefined : credential.record.creationDate;
      const caller = kms.as(principal, { identityPolicy, tokenIssueTime });
      entry = { caller, signingKeys: new Map() };
      known.set(credential, entry);
    }
    const key = keyFor(signature.date, credential, entry.signingKeys, region);
    if (!isSignatureOf(signature, request, { key, credential })) throw mismatch();
    return entry.caller;
  };
  return (request) => {
    const signature = readSignature(request, { region, now: now() });
    const credential = kms.credentials.known(signature.accessKeyId);
    if (credential !== undefined) return check(request, signature, credential);
    return kms.credentials
      .find(signature.accessKeyId)
      .then((found) => check(request, signature, found));
  };
}

/** A session's requests carry its token, all others none. */
function isTokenOf({ record: { session } }: Credential, token: string | undefined): boolean {
  if (session === undefined || token === undefined) return session === token;
  const digest = createHash('sha256').update(token, 'latin1').digest();
  return timingSafeEqual(digest, Buffer.from(session.tokenHash, 'base64'));
}

function keyFor(
  date: string,
  credential: Credential,
  keys: Map<string, Uint8Array>,
  region: string,
): Uint8Array {
  let key = keys.get(date);
  if (key === undefined) {
    key = signingKey(credential.dateKey(date), region);
    if (keys.size > 1) keys.clear();
    keys.set(date, key);
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
