import { KmsError } from './errors.ts';

/** A KMS key, present or not. `keyId` is spelled as it was sent; ids differ if their case does. */
export interface KeyReference {
  readonly kind: 'key';
  readonly keyId: string;
  readonly accountId: string;
  readonly region: string;
}

/** An alias, present or not. `name` includes the prefix `alias/`, as AliasName does. */
export interface AliasReference {
  readonly kind: 'alias';
  readonly name: string;
  readonly accountId: string;
  readonly region: string;
}

/** Where a request is served, and whether its operation takes aliases. */
export interface KeyIdScope {
  readonly region: string;
  readonly accountId: string;
  readonly aliases: 'allowed' | 'refused';
}

interface Place {
  readonly accountId: string;
  readonly region: string;
}

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const multiRegionPattern = /^mrk-[0-9a-fA-F]{32}$/;
// Names of aliases may contain colons, so the resource is whatever is left.
const arnPattern = /^arn:aws:kms:([a-z0-9-]+):([0-9]{12}):((?:key|alias)\/.*)$/s;

/**
 * Reads a KeyId in any of its four forms: key id, key ARN, alias name, alias ARN.
 *
 * Nothing is looked up. An ARN may name another account: the caller decides what to answer then.
 * An upper-case UUID is well-formed but no key has one; look keys up by the exact text.
 *
 * @throws KmsError NotFoundException if the text has none of the four forms or names another region
 * @throws KmsError InvalidArnException if it is an alias and `aliases` are refused
 */
export function parseKeyId(text: string, scope: KeyIdScope): KeyReference | AliasReference {
  if (text.startsWith('arn:')) return parseArn(text, scope);
  if (text.startsWith('alias/')) return aliasReference(text, scope, scope);
  if (isKeyId(text)) return keyReference(text, scope);
  throw new KmsError('NotFoundException', `Invalid keyId '${text}'`);
}

/** Tells whether text is a UUID with dashes or a multi-Region key id, `mrk-` and 32 hex digits. */
export function isKeyId(text: string): boolean {
  return uuidPattern.test(text) || multiRegionPattern.test(text);
}

export function keyArn({ region, accountId, keyId }: Omit<KeyReference, 'kind'>): string {
  return `arn:aws:kms:${region}:${accountId}:key/${keyId}`;
}

/** `name` includes the prefix `alias/`. */
export function aliasArn({ region, accountId, name }: Omit<AliasReference, 'kind'>): string {
  return `arn:aws:kms:${region}:${accountId}:${name}`;
}

/** Makes the error for a well-formed key id or key ARN, or an alias, that names nothing. */
export function notFound(reference: KeyReference | AliasReference): KmsError {
  const message =
    reference.kind === 'key'
      ? `Key '${keyArn(reference)}' does not exist`
      : `Alias ${aliasArn(reference)} is not found.`;
  return new KmsError('NotFoundException', message);
}

/** The 16 bytes that stand for a key id in blobs, records and key derivations. */
export function keyIdBytes(keyId: string): Buffer {
  return Buffer.from(keyId.replace(/^mrk-|-/g, ''), 'hex');
}

/** The key ids that 16 bytes of a blob may stand for: a UUID, or a multi-Region key's id. */
export function keyIdsOf(bytes: Uint8Array): [uuid: string, multiRegion: string] {
  const hex = Buffer.from(bytes).toString('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return [uuid, `mrk-${hex}`];
}

function parseArn(text: string, scope: KeyIdScope): KeyReference | AliasReference {
  const [, region, accountId, resource] = arnPattern.exec(text) ?? [];
  if (region === undefined || accountId === undefined || resource === undefined) {
    throw new KmsError('NotFoundException', `Invalid arn ${text}`);
  }
  if (region !== scope.region) throw new KmsError('NotFoundException', `Invalid arn ${region}`);
  const place = { region, accountId };
  if (resource.startsWith('alias/')) return aliasReference(resource, place, scope);
  const keyId = resource.slice('key/'.length);
  // AWS quotes the id here only if it was sent on its own.
  if (!isKeyId(keyId)) throw new KmsError('NotFoundException', `Invalid keyId ${keyId}`);
  return keyReference(keyId, place);
}

function keyReference(keyId: string, { region, accountId }: Place): KeyReference {
  return { kind: 'key', keyId, region, accountId };
}

function aliasReference(name: string, place: Place, scope: KeyIdScope): AliasReference {
  if (scope.aliases === 'refused') {
    throw new KmsError('InvalidArnException', 'Key Aliases are not supported for this operation.');
  }
  return { kind: 'alias', name, region: place.region, accountId: place.accountId };
}
