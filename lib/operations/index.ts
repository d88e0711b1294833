import type { OperationName } from '../model/shapes.ts';
import type { Operation } from './rules/operation.ts';

/**
 * Every operation that is offered, by AWS's name, loaded on demand: unused ones cost a command
 * nothing.
 */
export const operations = {
  CancelKeyDeletion: async () => (await import('./key-deletion.ts')).cancelKeyDeletion,
  ConnectCustomKeyStore: async () => (await import('./custom-key-stores.ts')).connectCustomKeyStore,
  CreateAlias: async () => (await import('./aliases.ts')).createAlias,
  CreateCustomKeyStore: async () => (await import('./custom-key-stores.ts')).createCustomKeyStore,
  CreateGrant: async () => (await import('./grants.ts')).createGrant,
  CreateKey: async () => (await import('./create-key.ts')).createKey,
  Decapsulate: async () => (await import('./ml-kem.ts')).decapsulate,
  Decrypt: async () => (await import('./decrypt.ts')).decrypt,
  DeleteAlias: async () => (await import('./aliases.ts')).deleteAlias,
  DeleteCustomKeyStore: async () => (await import('./custom-key-stores.ts')).deleteCustomKeyStore,
  DeleteImportedKeyMaterial: async () =>
    (await import('./import-key-material.ts')).deleteImportedKeyMaterial,
  DeriveSharedSecret: async () => (await import('./derive-shared-secret.ts')).deriveSharedSecret,
  DescribeCustomKeyStores: async () =>
    (await import('./custom-key-stores.ts')).describeCustomKeyStores,
  DescribeKey: async () => (await import('./describe-key.ts')).describeKey,
  DisableKey: async () => (await import('./enable-key.ts')).disableKey,
  DisableKeyRotation: async () => (await import('./rotation.ts')).disableKeyRotation,
  DisconnectCustomKeyStore: async () =>
    (await import('./custom-key-stores.ts')).disconnectCustomKeyStore,
  EnableKey: async () => (await import('./enable-key.ts')).enableKey,
  EnableKeyRotation: async () => (await import('./rotation.ts')).enableKeyRotation,
  Encapsulate: async () => (await import('./ml-kem.ts')).encapsulate,
  Encrypt: async () => (await import('./encrypt.ts')).encrypt,
  GenerateDataKey: async () => (await import('./generate-data-key.ts')).generateDataKey,
  GenerateDataKeyPair: async () =>
    (await import('./generate-data-key-pair.ts')).generateDataKeyPair,
  GenerateDataKeyPairWithoutPlaintext: async () =>
    (await import('./generate-data-key-pair.ts')).generateDataKeyPairWithoutPlaintext,
  GenerateDataKeyWithoutPlaintext: async () =>
    (await import('./generate-data-key.ts')).generateDataKeyWithoutPlaintext,
  GenerateMac: async () => (await import('./macs.ts')).generateMac,
  GenerateRandom: async () => (await import('./generate-random.ts')).generateRandom,
  GetKeyLastUsage: async () => (await import('./get-key-last-usage.ts')).getKeyLastUsage,
  GetKeyPolicy: async () => (await import('./key-policies.ts')).getKeyPolicy,
  GetKeyRotationStatus: async () => (await import('./rotation.ts')).getKeyRotationStatus,
  GetParametersForImport: async () =>
    (await import('./import-key-material.ts')).getParametersForImport,
  GetPublicKey: async () => (await import('./get-public-key.ts')).getPublicKey,
  ImportKeyMaterial: async () => (await import('./import-key-material.ts')).importKeyMaterial,
  ListAliases: async () => (await import('./list-aliases.ts')).listAliases,
  ListGrants: async () => (await import('./grants.ts')).listGrants,
  ListKeyPolicies: async () => (await import('./key-policies.ts')).listKeyPolicies,
  ListKeyRotations: async () => (await import('./rotation.ts')).listKeyRotations,
  ListKeys: async () => (await import('./list-keys.ts')).listKeys,
  ListResourceTags: async () => (await import('./tags.ts')).listResourceTags,
  ListRetirableGrants: async () => (await import('./grants.ts')).listRetirableGrants,
  PutKeyPolicy: async () => (await import('./key-policies.ts')).putKeyPolicy,
  ReEncrypt: async () => (await import('./re-encrypt.ts')).reEncrypt,
  ReplicateKey: async () => (await import('./multi-region.ts')).replicateKey,
  RetireGrant: async () => (await import('./grants.ts')).retireGrant,
  RevokeGrant: async () => (await import('./grants.ts')).revokeGrant,
  RotateKeyOnDemand: async () => (await import('./rotation.ts')).rotateKeyOnDemand,
  ScheduleKeyDeletion: async () => (await import('./key-deletion.ts')).scheduleKeyDeletion,
  Sign: async () => (await import('./signing.ts')).sign,
  TagResource: async () => (await import('./tags.ts')).tagResource,
  UntagResource: async () => (await import('./tags.ts')).untagResource,
  UpdateAlias: async () => (await import('./aliases.ts')).updateAlias,
  UpdateCustomKeyStore: async () => (await import('./custom-key-stores.ts')).updateCustomKeyStore,
  UpdateKeyDescription: async () =>
    (await import('./update-key-description.ts')).updateKeyDescription,
  UpdatePrimaryRegion: async () => (await import('./multi-region.ts')).updatePrimaryRegion,
  Verify: async () => (await import('./signing.ts')).verify,
  VerifyMac: async () => (await import('./macs.ts')).verifyMac,
} satisfies { readonly [O in OperationName]?: () => Promise<Operation<O>> };

export type OfferedOperation = keyof typeof operations;

/** Whether an operation is offered; false for inherited property names. */
export function isOffered(name: string): name is OfferedOperation {
  return Object.hasOwn(operations, name);
}

const loaded = new Map<string, Operation<OfferedOperation>>();

/** The operation if it is loaded, without a promise: a request need not wait for it again. */
export function loadedOperation(name: string): Operation<OfferedOperation> | undefined {
  return loaded.get(name);
}

export async function loadOperation(name: OfferedOperation): Promise<Operation<OfferedOperation>> {
  const operation = (await operations[name]()) as Operation<OfferedOperation>;
  loaded.set(name, operation);
  return operation;
}

/** Loads all operations now, so that a later upgrade of the package cannot mix versions. */
export async function loadOperations(): Promise<void> {
  await Promise.all(Object.keys(operations).filter(isOffered).map(loadOperation));
}
