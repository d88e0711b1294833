import crypto from 'node:crypto';
import { KmsError } from '../../lib/model/errors.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';

export const region = 'us-east-1';
export const accountId = '000000000000';
export const caller = `arn:aws:iam::${accountId}:root`;

/** Well-formed, and no key's. */
export const absentKeyId = '11111111-2222-3333-4444-555555555555';

/** A service of its own with a store in memory. */
export function openKms(options: { region?: string; store?: string } = {}): Promise<Pairmint> {
  return Pairmint.open({
    store: 'memory:',
    rootKey: { bytes: crypto.randomBytes(32) },
    region,
    accountId,
    ...options,
  });
}

export interface MadeKey {
  readonly KeyId: string;
  readonly Arn: string;
  readonly materialId: string;
}

export async function newKey(
  kms: Pairmint,
  request: Parameters<Pairmint['createKey']>[0] = {},
): Promise<MadeKey> {
  const { KeyMetadata } = await kms.createKey(request);
  const { KeyId = '', Arn = '', CurrentKeyMaterialId = '' } = KeyMetadata ?? {};
  return { KeyId, Arn, materialId: CurrentKeyMaterialId };
}

export async function newBlob(
  kms: Pairmint,
  KeyId: string,
  EncryptionContext: Record<string, string> = {},
): Promise<Uint8Array> {
  const Plaintext = Buffer.from('attack at dawn');
  return bytes((await kms.encrypt({ KeyId, Plaintext, EncryptionContext })).CiphertextBlob);
}

export function keyArn(id: string): string {
  return `arn:aws:kms:${region}:${accountId}:key/${id}`;
}

/** `name` includes the prefix `alias/`. */
export function aliasArn(name: string): string {
  return `arn:aws:kms:${region}:${accountId}:${name}`;
}

export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly $fault: string;
  readonly httpStatusCode: number;
  readonly cause?: unknown;
}

/** What a request rejects with. Told apart by its name alone, as users of AWS's SDK do. */
export async function failureOf(request: Promise<unknown>): Promise<Failure> {
  const outcome = await request.then(
    (value) => ({ value }),
    (error: Failure) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`expected a failure, got the members ${Object.keys(outcome.value ?? {})}`);
}

/** The same, as one line: `Name: message`. */
export async function failureText(request: Promise<unknown>): Promise<string> {
  const { name, message } = await failureOf(request);
  return `${name}: ${message}`;
}

/** The outcome of a request as one line: `ok` or `Name: message`. */
export async function outcomeOf(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'ok',
    ({ name, message }: Failure) => `${name}: ${message}`,
  );
}

/** A ValidationException about one or more members. */
export function validation(...complaints: string[]): string {
  const noun = complaints.length === 1 ? 'error' : 'errors';
  const text = `${complaints.length} validation ${noun} detected: ${complaints.join('; ')}`;
  // In the middle, a message that is too long has a gap.
  return `${new KmsError('ValidationException', text)}`;
}

export function complaint(value: string, member: string, constraint: string): string {
  return `Value${value && ` ${value}`} at '${member}' failed to satisfy constraint: Member must ${constraint}`;
}

export const dryRun =
  'DryRunOperationException: The request would have succeeded, but the DryRun option is set.';

/** Without a message, as AWS sends it. */
export const invalidCiphertext = 'InvalidCiphertextException: ';

export const incorrectKey =
  'IncorrectKeyException: ' +
  'The key ID in the request does not identify a CMK that can perform this operation.';

export function bytes(value: Uint8Array | undefined): Buffer {
  if (value === undefined) throw new Error('expected bytes, got none');
  return Buffer.from(value);
}

export function members(value: object): string[] {
  return Object.keys(value).sort();
}

/** A copy of `blob` with bit `bit` inverted. */
export function flipped(blob: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(blob);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** Reads a list operation to its end. */
export async function allPages<T>(
  read: (Marker: string | undefined) => Promise<{ items: T[]; NextMarker?: string | undefined }>,
): Promise<T[][]> {
  const pages: T[][] = [];
  let marker: string | undefined;
  do {
    const { items, NextMarker } = await read(marker);
    pages.push(items);
    marker = NextMarker;
  } while (marker !== undefined);
  return pages;
}
