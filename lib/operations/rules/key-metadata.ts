import type { Key } from '../../keys/key.ts';
import { isInUse, isPrimary, type KeyRecord, stateOf } from '../../keys/key-record.ts';
import { keyArn } from '../../model/key-id.ts';
import { keySpecs } from '../../model/key-specs.ts';
import type { KeyMetadata } from '../../model/types.ts';

/** What CreateKey and DescribeKey show of a key (KMS API Reference, KeyMetadata). */
export function keyMetadata({ arn, record }: Key): KeyMetadata {
  const state = stateOf(record);
  const { deletionDate, deletionWindowInDays, currentMaterialId } = record;
  const metadata: KeyMetadata = {
    AWSAccountId: record.accountId,
    KeyId: record.keyId,
    Arn: arn,
    CreationDate: new Date(record.creationDate),
    Enabled: state === 'Enabled',
    Description: record.description,
    KeyUsage: record.keyUsage,
    KeyState: state,
    Origin: record.origin,
    KeyManager: record.keyManager ?? 'CUSTOMER',
    CustomerMasterKeySpec: record.keySpec as NonNullable<KeyMetadata['CustomerMasterKeySpec']>,
    KeySpec: record.keySpec,
    MultiRegion: record.multiRegion,
  };
  // Assigned one by one: spreading absent members takes longer than all of the above.
  if (deletionDate !== undefined) metadata.DeletionDate = new Date(deletionDate);
  if (record.origin === 'EXTERNAL') Object.assign(metadata, expiry(record));
  addAlgorithms(metadata, record);
  if (record.multiRegion) metadata.MultiRegionConfiguration = multiRegionConfiguration(record);
  if (deletionWindowInDays !== undefined) {
    metadata.PendingDeletionWindowInDays = deletionWindowInDays;
  }
  if (record.keySpec === 'SYMMETRIC_DEFAULT' && currentMaterialId !== undefined) {
    metadata.CurrentKeyMaterialId = currentMaterialId;
  }
  return metadata;
}

// Copied, because the caller may change the response.
function addAlgorithms(metadata: KeyMetadata, { keySpec, keyUsage }: KeyRecord): void {
  const lists = keySpecs[keySpec].usages[keyUsage];
  for (const name in lists) {
    Object.assign(metadata, { [name]: [...lists[name as keyof typeof lists]] });
  }
}

/** The earliest expiry of imported material in use: after it, the key is unusable. */
function expiry(record: KeyRecord): Partial<KeyMetadata> {
  if (stateOf(record) === 'PendingImport') return {};
  const inUse = record.materials.filter(({ state }) => isInUse(state));
  const dates = inUse.flatMap(({ validTo }) => validTo ?? []);
  if (dates.length === 0) return { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
  return { ValidTo: new Date(Math.min(...dates)), ExpirationModel: 'KEY_MATERIAL_EXPIRES' };
}

function multiRegionConfiguration(record: KeyRecord) {
  const { primary, replicas } = record.regions ?? { primary: record.region, replicas: [] };
  const keyIn = (region: string) => ({ Arn: keyArn({ ...record, region }), Region: region });
  return {
    MultiRegionKeyType: isPrimary(record) ? ('PRIMARY' as const) : ('REPLICA' as const),
    PrimaryKey: keyIn(primary),
    ReplicaKeys: replicas.map(keyIn),
  };
}
