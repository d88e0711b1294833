import { keySpecs } from '../model/key-specs.ts';
import type { KeyMetadata } from '../model/types.ts';
import type { Key } from '../store/key-directory.ts';
import { stateOf } from '../store/key-record.ts';

/** What CreateKey and DescribeKey show of a key (KMS API Reference, KeyMetadata). */
export function keyMetadata({ arn, record }: Key): KeyMetadata {
  const state = stateOf(record);
  return {
    AWSAccountId: record.accountId,
    KeyId: record.keyId,
    Arn: arn,
    CreationDate: new Date(record.creationDate),
    Enabled: state === 'Enabled',
    Description: record.description,
    KeyUsage: record.keyUsage,
    KeyState: state,
    ...(record.deletionDate !== undefined && { DeletionDate: new Date(record.deletionDate) }),
    Origin: record.origin,
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: record.keySpec as NonNullable<KeyMetadata['CustomerMasterKeySpec']>,
    KeySpec: record.keySpec,
    ...algorithms(record),
    MultiRegion: record.multiRegion,
    ...(record.multiRegion && {
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: { Arn: arn, Region: record.region },
        ReplicaKeys: [],
      },
    }),
    CurrentKeyMaterialId: record.currentMaterialId,
  };
}

// Copied, since the response is the caller's to change.
function algorithms({ keySpec, keyUsage }: Key['record']): Partial<KeyMetadata> {
  return structuredClone(keySpecs[keySpec][keyUsage] ?? {}) as Partial<KeyMetadata>;
}
