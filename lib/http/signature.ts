import { createHmac } from 'node:crypto';
import { RecentlyUsed } from '../core/recently-used.ts';
import { KmsError } from '../model/errors.ts';
import { isRegionName } from '../model/region-name.ts';
import type { Credential } from '../service/credentials.ts';
import { fieldValue, type HeaderFields, type HttpRequest, type RequestHead } from './message.ts';

/** A signature of AWS's Signature Version 4, as an Authorization field has it. */
export interface Signature {
  readonly accessKeyId: string;
  /** The date of the scope: `YYYYMMDD`. */
  readonly date: string;
  /** The region of the scope: where the request is served. */
  readonly region: string;
  /** The whole scope: date, region, service and terminator. */
  readonly scope: string;
  readonly timestamp: string;
  readonly signedHeaders: SignedHeaders;
  readonly value: string;
}

/** Which header fields were signed. */
export interface SignedHeaders {
  readonly names: readonly string[];
  /** Joined by semicolons, as they are signed. */
  readonly text: string;
}

interface Expected {
  /** The only region that is served; every region if undefined. */
  readonly region: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const algorithm = 'AWS4-HMAC-SHA256';
const service = 'kms';
const terminator = 'aws4_request';
const parameters = ['Credential', 'Signature', 'SignedHeaders'] as const;
type Parameter = (typeof parameters)[number];

// AWS's tolerance for wrong clocks.
const skewInMinutes = 5;
// Besides the body, these fields decide what a request does.
const alwaysSigned = ['Host', 'X-Amz-Target'];

/** Tells whether a request carries a signature of any kind. */
export function isSigned({ headers, path }: RequestHead): boolean {
  return headers.has('authorization') || isPresigned(path);
}

/**
 * Reads a request's signature and makes sure that it is for this service and current, in AWS's
 * order and words. One exception: a signature in the query string is refused, because anyone could
 * repeat such a request for days; no client sends one to KMS.
 *
 * @throws KmsError MissingAuthenticationTokenException, IncompleteSignatureException,
 *   InvalidSignatureException
 */
export function readSignature({ headers, path }: RequestHead, expected: Expected): Signature {
  const authorization = fieldValue(headers, 'authorization')?.trim();
  if (isPresigned(path)) refusePresigned(authorization);
  if (!authorization?.startsWith('AWS4-')) {
    throw new KmsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const { declared, value } = declaredBy(headers, authorization);
  const timestamp = fieldValue(headers, 'x-amz-date') ?? fieldValue(headers, 'date');
  const { Credential, SignedHeaders } = declared.parameters;
  requireParts({ Credential, Signature: value, SignedHeaders }, timestamp, authorization);
  checkTime(timestamp as string, expected.now);
  checkSignedHeaders(headers, declared.unsigned);
  checkAlgorithm(declared.algorithm);
  checkCredential(declared);
  const [accessKeyId, ...scope] = declared.credential;
  checkScope(scope, expected.region, timestamp as string);
  return {
    accessKeyId: accessKeyId as string,
    date: scope[0] as string,
    region: scope[1] as string,
    scope: declared.scope,
    timestamp: timestamp as string,
    signedHeaders: declared.signedHeaders,
    value: value as string,
  };
}

/**
 * The region that a request was signed for, whether the signature is valid or not; undefined if it
 * cannot be read.
 *
 * @throws KmsError InvalidSignatureException if `served` is given and is another region
 */
export function regionSignedFor(
  { headers }: RequestHead,
  served: string | undefined,
): string | undefined {
  const authorization = fieldValue(headers, 'authorization')?.trim();
  if (authorization === undefined) return undefined;
  const { credential } = declaredBy(headers, authorization).declared;
  const region = credential[2];
  if (credential.length !== 5 || region === undefined || !isRegionName(region)) return undefined;
  if (served !== undefined && region !== served) throw invalid(invalidRegion(region));
  return region;
}

/** The signing key of a day and region, derived from AWS's kDate. */
export function signingKey(dateKey: Uint8Array, region: string): Uint8Array {
  return [region, service, terminator].reduce(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    dateKey,
  );
}

/** Tells whether a signature was made with `key`, a signing key of the credential, of this very
 * request. */
export function isSignatureOf(
  { signedHeaders, timestamp, scope, value }: Signature,
  request: HttpRequest,
  { key, credential }: { key: Uint8Array; credential: Credential },
): boolean {
  const head = canonicalHead(request, signedHeaders);
  if (head === undefined) return false;
  const scopeHead = `${algorithm}\n${timestamp}\n${scope}\n`;
  // The hash of the body itself: X-Amz-Content-Sha256 is not trusted.
  return credential.verifyRequest(key, scopeHead, head, request.body, value);
}

/** The canonical request up to the hash of its body; undefined if a signed header is missing. */
export function canonicalHead(
  { method, path, headers }: RequestHead,
  { names, text }: SignedHeaders,
): string | undefined {
  let head = `${method}\n${canonicalTarget(path)}\n`;
  for (const name of names) {
    const values = headers.get(name);
    if (values === undefined) return undefined;
    const [first = ''] = values;
    const value = values.length === 1 ? canonicalValue(first) : values.map(canonicalValue).join();
    head += `${name}:${value}\n`;
  }
  return `${head}\n${text}\n`;
}

// ASCII white space only: the last byte of an `à` in UTF-8 is a Unicode space.
const untidy = /[\t-\r]| {2}|^ | $/;

/** Trims white space and replaces each run of it inside by a single space. */
function canonicalValue(value: string): string {
  if (!untidy.test(value)) return value;
  return value.replace(/[\t-\r ]+/g, ' ').replace(/^ | $/g, '');
}

function splitPath(path: string): [pathname: string, query: string] {
  const mark = path.indexOf('?');
  return mark === -1 ? [path, ''] : [path.slice(0, mark), path.slice(mark + 1)];
}

function canonicalTarget(path: string): string {
  if (path === '/') return '/\n';
  const [pathname, query] = splitPath(path);
  return `${canonicalPath(pathname)}\n${canonicalQuery(query)}`;
}

/** Removes empty and dot segments, and encodes the path a second time. */
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
  return path.includes('?') && new URLSearchParams(splitPath(path)[1]).has('X-Amz-Algorithm');
}

function refusePresigned(authorization: string | undefined): never {
  throw invalid(
    authorization === undefined
      ? 'A signature in the query string is not accepted: sign the Authorization header.'
      : "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
  );
}

/** An Authorization field without its signature: the same in all requests of a client in a day. */
interface Declared {
  readonly algorithm: string;
  readonly parameters: Readonly<Partial<Record<Parameter, string>>>;
  readonly signedHeaders: SignedHeaders;
  /** The fields of `alwaysSigned` that were not signed. */
  readonly unsigned: readonly string[];
  /** The parts of the credential: an access key's id, and the scope. */
  readonly credential: readonly string[];
  readonly scope: string;
}

// Clients send nothing longer; a few thousand longer texts would take much memory.
const longestRemembered = 512;
const remembered = new RecentlyUsed<Declared>();
// If there are two fields, neither counts: a proxy in front might read the other one.
const undecided = { declared: readDeclared(''), value: undefined };

function declaredBy(headers: HeaderFields, authorization: string) {
  const isOnce = headers.get('authorization')?.length === 1;
  return isOnce ? readAuthorization(authorization) : undecided;
}

function readAuthorization(text: string): { declared: Declared; value: string | undefined } {
  const comma = text.lastIndexOf(',');
  const [name, value] = readParameter(text.slice(comma + 1));
  // Clients put the signature last.
  if (name !== 'Signature' || comma <= text.indexOf(' ')) {
    const declared = readDeclared(text);
    return { declared, value: declared.parameters.Signature };
  }
  const head = text.slice(0, comma);
  let declared = remembered.get(head);
  if (declared === undefined) {
    declared = readDeclared(head);
    if (head.length <= longestRemembered) remembered.set(head, declared);
  }
  return { declared, value: declared.parameters.Signature === undefined ? value : '' };
}

function readDeclared(text: string): Declared {
  const start = text.indexOf(' ');
  const parameters: Record<string, string> = Object.create(null);
  for (const part of start === -1 ? [] : text.slice(start).split(',')) {
    const [name, value] = readParameter(part);
    // A repeated parameter counts as absent: a proxy in front might read the other one.
    parameters[name] = name in parameters ? '' : value;
  }
  const { Credential = '', SignedHeaders = '' } = parameters;
  const names = SignedHeaders.split(';');
  const fields = names.map((name) => name.toLowerCase());
  return {
    algorithm: start === -1 ? text : text.slice(0, start),
    parameters,
    signedHeaders: { names, text: SignedHeaders },
    unsigned: alwaysSigned.filter((name) => !fields.includes(name.toLowerCase())),
    credential: Credential.split('/'),
    scope: Credential.slice(Credential.indexOf('/') + 1),
  };
}

function readParameter(text: string): [name: string, value: string] {
  const equals = text.indexOf('=');
  if (equals === -1) return [text.trim(), ''];
  return [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
}

function requireParts(
  parts: Readonly<Partial<Record<Parameter, string | undefined>>>,
  timestamp: string | undefined,
  authorization: string,
): void {
  const complaints = parameters
    .filter((name) => !parts[name])
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

// Many requests come in the same second.
let lastTime = { timestamp: '', time: undefined as number | undefined };

function timeOf(timestamp: string): number | undefined {
  if (timestamp !== lastTime.timestamp) lastTime = { timestamp, time: parseTime(timestamp) };
  return lastTime.time;
}

/** Undefined if the text is not a time, such as the 31st of February. */
function parseTime(timestamp: string): number | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? [];
  const [year = Number.NaN, month = 0, day, hours, minutes, seconds] = parts.map(Number);
  const time = Date.UTC(year, month - 1, day, hours, minutes, seconds);
  return !Number.isNaN(time) && timestampOf(time) === timestamp ? time : undefined;
}

function timestampOf(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
}

function checkSignedHeaders(headers: HeaderFields, unsigned: readonly string[]): void {
  for (const name of unsigned) {
    if (!headers.has(name.toLowerCase())) continue;
    throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  }
}

function checkAlgorithm(declared: string): void {
  if (declared === algorithm) return;
  throw incomplete(`Unsupported AWS 'algorithm': '${declared}' (only ${algorithm} for now).`);
}

function checkCredential({ credential, parameters }: Declared): void {
  if (credential.length === 5) return;
  throw incomplete(
    'Credential must have exactly 5 slash-delimited elements, ' +
      `e.g. keyid/date/region/service/term, got '${parameters.Credential}'`,
  );
}

function checkScope(scope: readonly string[], served: string | undefined, timestamp: string): void {
  const [date, region = '', declaredService, declaredTerminator] = scope;
  const complaints: string[] = [];
  if (served === undefined ? !isRegionName(region) : region !== served) {
    complaints.push(invalidRegion(region));
  }
  if (declaredService !== service) {
    complaints.push(`Credential should be scoped to correct service: '${service}'.`);
  }
  if (declaredTerminator !== terminator) {
    complaints.push(
      `Credential should be scoped with a valid terminator: '${terminator}', ` +
        `not '${declaredTerminator}'.`,
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

function invalidRegion(region: string): string {
  return `Credential should be scoped to a valid region, not '${region}'.`;
}

function incomplete(message: string): KmsError {
  return new KmsError('IncompleteSignatureException', message);
}

function invalid(message: string): KmsError {
  return new KmsError('InvalidSignatureException', message);
}
