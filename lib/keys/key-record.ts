import { keyIdBytes } from '../model/key-id.ts';
import { keySpecs } from '../model/key-specs.ts';
import type {
  ExpirationModelType,
  ImportState,
  KeyMaterialState,
  KeySpec,
  KeyUsageType,
  OriginType,
  RotationType,
} from '../model/types.ts';

/** A KMS key without its material; all of it is authenticated at rest. */
export interface KeyRecord {
  readonly keyId: string;
  readonly region: string;
  readonly accountId: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsageType;
  readonly origin: OriginType;
  readonly multiRegion: boolean;
  /** Set if the key is an AWS service's; any other is the customer's. */
  readonly keyManager?: 'AWS';
  /** The regions of a multi-Region key's primary and replicas, the same in each of them. */
  readonly regions?: { readonly primary: string; readonly replicas: readonly string[] };
  /** Milliseconds since the epoch, as are all times here. */
  readonly creationDate: number;
  readonly description: string;
  readonly enabled: boolean;
  /** Set while the key is pending deletion; the key is gone when it has passed. */
  readonly deletionDate?: number;
  /** Set while a primary key is pending deletion: the days begin to count when its last replica is
   * gone. */
  readonly deletionWindowInDays?: number;
  /** When the deletion date was first seen to have passed. */
  readonly overdueSince?: number;
  /** The key material id, 64 hex digits, of what new ciphertexts are sealed under; undefined until
   * the first material of an imported key came. */
  readonly currentMaterialId?: string;
  /** Every material that the key ever had, the oldest first. */
  readonly materials: readonly MaterialEntry[];
  /** SubjectPublicKeyInfo, DER, base64; of an asymmetric key that has material. */
  readonly publicKey?: string;
  /** Set while the material is rotated automatically. */
  readonly rotation?: { readonly periodInDays: number; readonly nextDate: number };
  /** The key policy as it was put; undefined for the default one. */
  readonly policy?: string;
  readonly aliases: readonly AliasRecord[];
  readonly tags: readonly KeyTag[];
}

/** A tag, whose members the model requires. */
export interface KeyTag {
  readonly TagKey: string;
  readonly TagValue: string;
}

/** A record as it is before the key has material. */
export type NewKeyRecord = Omit<KeyRecord, 'currentMaterialId' | 'materials' | 'publicKey'>;

/** A material of a key. Members about import are those of imported keys alone. */
export interface MaterialEntry {
  readonly id: string;
  readonly state: KeyMaterialState;
  /** When it became the current one, and how; absent for a key's first. */
  readonly rotationDate?: number;
  readonly rotationType?: RotationType;
  readonly importState?: ImportState;
  readonly description?: string;
  readonly expirationModel?: ExpirationModelType;
  readonly validTo?: number;
  /** When it was first seen to have expired: it is destroyed a day later. */
  readonly expiredSince?: number;
}

export interface AliasRecord {
  /** With its prefix `alias/`. */
  readonly name: string;
  readonly creationDate: number;
  readonly lastUpdatedDate: number;
}

export type KeyState =
  | 'Enabled'
  | 'Disabled'
  | 'PendingImport'
  | 'PendingDeletion'
  | 'PendingReplicaDeletion';

export function stateOf(record: KeyRecord): KeyState {
  if (record.deletionDate !== undefined) return 'PendingDeletion';
  if (record.deletionWindowInDays !== undefined) return 'PendingReplicaDeletion';
  if (awaitsImport(record)) return 'PendingImport';
  return record.enabled ? 'Enabled' : 'Disabled';
}

/** Tells whether an imported key lacks material that it has used or uses. */
function awaitsImport({ origin, currentMaterialId, materials }: KeyRecord): boolean {
  if (origin !== 'EXTERNAL') return false;
  return (
    currentMaterialId === undefined ||
    materials.some(({ state, importState }) => isInUse(state) && importState === 'PENDING_IMPORT')
  );
}

/** Tells whether material is the key's for good: what waits for rotation can still be replaced. */
export function isInUse(state: KeyMaterialState): boolean {
  return state === 'CURRENT' || state === 'NON_CURRENT';
}

/** What all regions of a multi-Region key know of a material; that it is imported is each one's. */
export function withoutImport(entry: MaterialEntry): MaterialEntry {
  const { importState, description, expirationModel, validTo, expiredSince, ...shared } = entry;
  return shared;
}

/** The record where material that each of the key's regions has imported waits for rotation alone. */
export function withImportsCounted(record: KeyRecord, regions: readonly KeyRecord[]): KeyRecord {
  const isEverywhere = (id: string) =>
    regions.every(({ materials }) =>
      materials.some((entry) => entry.id === id && entry.importState === 'IMPORTED'),
    );
  const materials = record.materials.map((entry) =>
    entry.state === 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION' && isEverywhere(entry.id)
      ? { ...entry, state: 'PENDING_ROTATION' as const }
      : entry,
  );
  return { ...record, materials };
}

/** Makes one of a key's materials, or a new one, the current one. */
export function withCurrentMaterial(
  record: Omit<KeyRecord, 'currentMaterialId'>,
  current: Omit<MaterialEntry, 'state'>,
): KeyRecord {
  const others = record.materials.filter(({ id }) => id !== current.id);
  return {
    ...record,
    currentMaterialId: current.id,
    materials: [
      ...others.map((entry) =>
        entry.state === 'CURRENT' ? { ...entry, state: 'NON_CURRENT' as const } : entry,
      ),
      { ...current, state: 'CURRENT' },
    ],
  };
}

/** Where the keys of an id are. */
export function regionsOf({
  region,
  regions,
}: Pick<KeyRecord, 'region' | 'regions'>): NonNullable<KeyRecord['regions']> {
  return regions ?? { primary: region, replicas: [] };
}

/** Tells whether this is the primary or only key of its id. */
export function isPrimary({ region, regions }: Pick<KeyRecord, 'region' | 'regions'>): boolean {
  return regions === undefined || regions.primary === region;
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
// a length; rows are only ever added. A spec's number is in its row (lib/model/key-specs.ts).
const usageCodes: Readonly<Record<KeyUsageType, number>> = {
  ENCRYPT_DECRYPT: 1,
  SIGN_VERIFY: 2,
  GENERATE_VERIFY_MAC: 3,
  KEY_AGREEMENT: 4,
  ENCAPSULATE_DECAPSULATE: 5,
};
const originCodes: Readonly<Partial<Record<OriginType, number>>> = { AWS_KMS: 1, EXTERNAL: 2 };

/**
 * The attributes that a material record's header carries: spec, usage and origin (a byte each), a
 * byte of flags (1: multi-Region), the key's creation time (8 bytes) and 8 bytes of zeros.
 */
export function materialAttributes(record: NewKeyRecord): Buffer {
  const out = Buffer.alloc(20);
  out.writeUInt8(keySpecs[record.keySpec].code, 0);
  out.writeUInt8(usageCodes[record.keyUsage], 1);
  out.writeUInt8(originCodes[record.origin] ?? 0, 2);
  out.writeUInt8(record.multiRegion ? 1 : 0, 3);
  out.writeBigUInt64BE(BigInt(record.creationDate), 4);
  return out;
}
