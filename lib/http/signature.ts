import crypto, { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { KmsError } from '../model/errors.ts';
import { fieldValue, type HeaderFields, type HttpRequest } from './message.ts';

/** A signature of AWS's Signature Version 4, as an Authorization field has it. */
export interface Signature {
  readonly accessKeyId: string;
  /** Of the scope that the signing key is for: `YYYYMMDD`. */
  readonly date: string;
  /** What was signed with it: date, region, service and terminator. */
  readonly scope: string;
  readonly timestamp: string;
  readonly signedHeaders: readonly string[];
  readonly value: string;
}

interface Place {
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const algorithm = 'AWS4-HMAC-SHA256';
const service = 'kms';
const terminator = 'aws4_request';
const parameters = ['Credential', 'Signature', 'SignedHeaders'];
// As AWS allows for wrong clocks.
const skewInMinutes = 5;
// What decides over a request beside its body.
const alwaysSigned = ['Host', 'X-Amz-Target'];

/** Tells whether a request carries a signature of any kind. */
export function isSigned({ headers, path }: HttpRequest): boolean {
  return headers.has('authorization') || isPresigned(path);
}

/**
 * Reads a request's signature and makes sure that it is one for this service, now. In AWS's order
 * and AWS's words, but for a signature in the query string, which nobody sends to KMS: a request
 * that anyone may repeat for days is refused.
 *
 * @throws KmsError MissingAuthenticationTokenException, IncompleteSignatureException,
 *   InvalidSignatureException
 */
export function readSignature({ headers, path }: HttpRequest, place: Place): Signature {
  const authorization = fieldValue(headers, 'authorization')?.trim();
  if (isPresigned(path)) refusePresigned(authorization);
  if (!authorization?.startsWith('AWS4-')) {
    throw new KmsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const given = readParameters(authorization);
  const timestamp = fieldValue(headers, 'x-amz-date') ?? fieldValue(headers, 'date');
  requireParts(given, timestamp, authorization);
  checkTime(timestamp as string, place.now);
  const signedHeaders = (given.get('SignedHeaders') as string).split(';');
  checkSignedHeaders(headers, signedHeaders);
  checkAlgorithm(authorization.split(' ', 1)[0] as string);
  const credential = given.get('Credential') as string;
  const [accessKeyId = '', ...scope] = readCredential(credential);
  checkScope(scope, place.region, timestamp as string);
  return {
    accessKeyId,
    date: scope[0] as string,
    scope: scope.join('/'),
    timestamp: timestamp as string,
    signedHeaders,
    value: given.get('Signature') as string,
  };
}

/** A key of HMAC-SHA-256, combined with its paddings (RFC 2104). */
export interface SigningKey {
  readonly inner: Uint8Array;
  readonly outer: Uint8Array;
}

/** The key that signs for a day, from what AWS calls kDate. */
export function signingKey(dateKey: Uint8Array, region: string): SigningKey {
  const key = [region, service, terminator].reduce(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(dateKey),
  );
  const padded = Buffer.alloc(64);
  key.copy(padded);
  return { inner: padded.map((byte) => byte ^ 0x36), outer: padded.map((byte) => byte ^ 0x5c) };
}

// Objects of createHash and createHmac cost more than the hashing, and as much again when they are
// collected. Node.js has the function from 20.12 on.
const sha256: (data: Uint8Array) => string =
  typeof crypto.hash === 'function'
    ? (data) => crypto.hash('sha256', data, 'hex')
    : (data) => createHash('sha256').update(data).digest('hex');

function hmac({ inner, outer }: SigningKey, message: Uint8Array): string {
  const hashed = Buffer.from(sha256(Buffer.concat([inner, message])), 'hex');
  return sha256(Buffer.concat([outer, hashed]));
}

/** Tells whether a signature was made with `key` of this very request. */
export function isSignatureOf(
  signature: Signature,
  request: HttpRequest,
  key: SigningKey,
): boolean {
  const canonical = canonicalRequest(request, signature.signedHeaders);
  if (canonical === undefined) return false;
  // Header fields are latin1: one character a byte.
  const hashed = sha256(Buffer.from(canonical, 'latin1'));
  const signed = [algorithm, signature.timestamp, signature.scope, hashed].join('\n');
  const expected = hmac(key, Buffer.from(signed, 'latin1'));
  const given = Buffer.from(signature.value, 'latin1');
  return (
    given.length === expected.length && timingSafeEqual(given, Buffer.from(expected, 'latin1'))
  );
}

/** Undefined where a header is missing that was signed. */
export function canonicalRequest(
  { method, path, headers, body }: HttpRequest,
  signedHeaders: readonly string[],
): string | undefined {
  const [pathname, query] = splitPath(path);
  const lines = [method, canonicalPath(pathname), canonicalQuery(query)];
  for (const name of signedHeaders) {
    const values = headers.get(name);
    if (values === undefined) return undefined;
    lines.push(`${name}:${values.map(canonicalValue).join(',')}`);
  }
  // The body itself, whatever X-Amz-Content-Sha256 says of it.
  lines.push('', signedHeaders.join(';'), sha256(body));
  return lines.join('\n');
}

function canonicalValue(value: string): string {
  return value.includes('  ') ? value.trim().replace(/ {2,}/g, ' ') : value.trim();
}

function splitPath(path: string): [pathname: string, query: string] {
  const mark = path.indexOf('?');
  return mark === -1 ? [path, ''] : [path.slice(0, mark), path.slice(mark + 1)];
}

/** Without dot segments and empty ones, and with what is encoded encoded once more. */
function canonicalPath(path: string): string {
  if (path === '/') return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(encode(segment));
  }
  return `/${kept.join('/')}${kept.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').filter((part) => part !== '');
  return pairs
    .map((part) => {
      const [name = '', ...value] = part.split('=');
      return [encode(decode(name)), encode(decode(value.join('=')))] as const;
    })
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map((pair) => pair.join('='))
    .join('&');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isPresigned(path: string): boolean {
  const [, query] = splitPath(path);
  return query !== '' && new URLSearchParams(query).has('X-Amz-Algorithm');
}

function refusePresigned(authorization: string | undefined): never {
  throw invalid(
    authorization === undefined
      ? 'A signature in the query string is not accepted: sign the Authorization header.'
      : "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
  );
}

function readParameters(authorization: string): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  const start = authorization.indexOf(' ');
  if (start === -1) return given;
  for (const part of authorization.slice(start).split(',')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals === -1 ? undefined : equals).trim();
    const value = equals === -1 ? '' : part.slice(equals + 1).trim();
    // One that is there twice counts as absent: nobody shall read the other one.
    given.set(name, given.has(name) ? '' : value);
  }
  return given;
}

function requireParts(
  given: ReadonlyMap<string, string>,
  timestamp: string | undefined,
  authorization: string,
): void {
  const complaints = parameters
    .filter((name) => !given.get(name))
    .map((name) => `Authorization header requires '${name}' parameter.`);
  if (!timestamp) {
    complaints.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  if (complaints.length > 0) {
    throw incomplete(`${complaints.join(' ')} Authorization=${authorization}`);
  }
}

function checkTime(timestamp: string, now: number): void {
  const time = timeOf(timestamp);
  if (time === undefined) {
    throw incomplete(
      `Date must be in ISO-8601 'basic format'. Got '${timestamp}'. ` +
        'See http://en.wikipedia.org/wiki/ISO_8601',
    );
  }
  const skew = skewInMinutes * 60_000;
  if (time < now - skew) {
    throw invalid(
      `Signature expired: ${timestamp} is now earlier than ${timestampOf(now - skew)} ` +
        `(${timestampOf(now)} - ${skewInMinutes} min.)`,
    );
  }
  if (time > now + skew) {
    throw invalid(
      `Signature not yet current: ${timestamp} is still later than ${timestampOf(now + skew)} ` +
        `(${timestampOf(now)} + ${skewInMinutes} min.)`,
    );
  }
}

// Many requests are of the same second.
let lastTime = { timestamp: '', time: undefined as number | undefined };

function timeOf(timestamp: string): number | undefined {
  if (timestamp !== lastTime.timestamp) lastTime = { timestamp, time: parseTime(timestamp) };
  return lastTime.time;
}

/** Undefined where the text is no time: the 31st of February is none. */
function parseTime(timestamp: string): number | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? [];
  const [year = Number.NaN, month = 0, day, hours, minutes, seconds] = parts.map(Number);
  const time = Date.UTC(year, month - 1, day, hours, minutes, seconds);
  return !Number.isNaN(time) && timestampOf(time) === timestamp ? time : undefined;
}

function timestampOf(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
}

function checkSignedHeaders(headers: HeaderFields, signedHeaders: readonly string[]): void {
  for (const name of alwaysSigned) {
    const field = name.toLowerCase();
    if (signedHeaders.some((signed) => signed.toLowerCase() === field)) continue;
    if (!headers.has(field)) continue;
    throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  }
}

function checkAlgorithm(given: string): void {
  if (given === algorithm) return;
  throw incomplete(`Unsupported AWS 'algorithm': '${given}' (only ${algorithm} for now).`);
}

function readCredential(credential: string): string[] {
  const parts = credential.split('/');
  if (parts.length === 5) return parts;
  throw incomplete(
    'Credential must have exactly 5 slash-delimited elements, ' +
      `e.g. keyid/date/region/service/term, got '${credential}'`,
  );
}

function checkScope(scope: readonly string[], region: string, timestamp: string): void {
  const [date, givenRegion, givenService, givenTerminator] = scope;
  const complaints: string[] = [];
  if (givenRegion !== region) {
    complaints.push(`Credential should be scoped to a valid region, not '${givenRegion}'.`);
  }
  if (givenService !== service) {
    complaints.push(`Credential should be scoped to correct service: '${service}'.`);
  }
  if (givenTerminator !== terminator) {
    complaints.push(
      `Credential should be scoped with a valid terminator: '${terminator}', ` +
        `not '${givenTerminator}'.`,
    );
  }
  const day = timestamp.slice(0, 8);
  if (date !== day) {
    complaints.push(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
        `'${date}' != '${day}', from '${timestamp}'.`,
    );
  }
  if (complaints.length > 0) throw invalid(complaints.join(' '));
}

function incomplete(message: string): KmsError {
  return new KmsError('IncompleteSignatureException', message);
}

function invalid(message: string): KmsError {
  return new KmsError('InvalidSignatureException', message);
}
