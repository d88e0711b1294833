import type { KeySpec, KeyUsageType, OriginType, Tag } from '../model/types.ts';

/** What is known of a KMS key apart from its material; all of it is authenticated at rest. */
export interface KeyRecord {
  readonly keyId: string;
  readonly region: string;
  readonly accountId: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsageType;
  readonly origin: OriginType;
  readonly multiRegion: boolean;
  /** Milliseconds since the epoch, as are all times here. */
  readonly creationDate: number;
  readonly description: string;
  readonly enabled: boolean;
  /** Set while the key is pending deletion; the key is gone when it has passed. */
  readonly deletionDate?: number;
  /** The key material id, 64 hex digits, that new ciphertexts are sealed under. */
  readonly currentMaterialId: string;
  readonly aliases: readonly AliasRecord[];
  readonly tags: readonly Tag[];
}

export interface AliasRecord {
  /** With its prefix `alias/`. */
  readonly name: string;
  readonly creationDate: number;
  readonly lastUpdatedDate: number;
}

export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

export function stateOf(record: KeyRecord): KeyState {
  if (record.deletionDate !== undefined) return 'PendingDeletion';
  return record.enabled ? 'Enabled' : 'Disabled';
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

/** The key material id in a material record's header, as 64 hex digits. */
export function materialIdOf(header: Uint8Array): string {
  return Buffer.from(header.subarray(20, 52)).toString('hex');
}

/** Tells whether a material record's header names this key and this material. */
export function namesMaterial(header: Uint8Array, keyId: string, materialId: string): boolean {
  return (
    Buffer.compare(header.subarray(4, 20), keyIdBytes(keyId)) === 0 &&
    materialIdOf(header) === materialId
  );
}

// The attributes in a material record's header are numbers so that the header is injective without
// a length; rows are only ever added.
const specCodes: Partial<Record<KeySpec, number>> = { SYMMETRIC_DEFAULT: 1 };
const usageCodes: Partial<Record<KeyUsageType, number>> = { ENCRYPT_DECRYPT: 1 };
const originCodes: Partial<Record<OriginType, number>> = { AWS_KMS: 1 };

/**
 * The attributes that a material record's header carries: spec, usage and origin (a byte each), a
 * byte of flags (1: multi-Region), creation and expiry time (8 bytes each, 0: never).
 */
export function materialAttributes(record: Omit<KeyRecord, 'currentMaterialId'>): Buffer {
  const out = Buffer.alloc(20);
  out.writeUInt8(codeOf(specCodes, record.keySpec), 0);
  out.writeUInt8(codeOf(usageCodes, record.keyUsage), 1);
  out.writeUInt8(codeOf(originCodes, record.origin), 2);
  out.writeUInt8(record.multiRegion ? 1 : 0, 3);
  out.writeBigUInt64BE(BigInt(record.creationDate), 4);
  return out;
}

function codeOf<T extends string>(codes: Partial<Record<T, number>>, name: T): number {
  const code = codes[name];
  if (code === undefined) throw new RangeError(`no key material of kind ${name}`);
  return code;
}
