import type { Key } from '../keys/key.ts';
import { isSymmetric, requireNotPendingDeletion, requireOrigin } from '../keys/key-checks.ts';
import type { KeyChange } from '../keys/key-directory.ts';
import {
  isInUse,
  isPrimary,
  type KeyRecord,
  type MaterialEntry,
  regionsOf,
  withImportsCounted,
} from '../keys/key-record.ts';
import type { NewMaterial } from '../keys/material-vault.ts';
import { dayInMilliseconds } from '../keys/settlement.ts';
import { KmsError } from '../model/errors.ts';
import { keySpecs } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { AlgorithmSpec, ImportType, WrappingKeySpec } from '../model/types.ts';
import { isNativeError } from '../native/addon.ts';
import type { Change } from '../store/change.ts';
import { changeKey } from './key-change.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { KeyReader, Operation, Services } from './rules/operation.ts';

type Request = CheckedRequest<'ImportKeyMaterial'>;

/** The terms that an import token is bound to. */
interface Terms {
  readonly algorithm: AlgorithmSpec;
  /** Milliseconds since the epoch. */
  readonly validTo: number;
}

const tokenLifetime = dayInMilliseconds;
const longestValidity = 365 * dayInMilliseconds;

/** KMS API Reference, GetParametersForImport. */
export const getParametersForImport: Operation<'GetParametersForImport'> = {
  name: 'GetParametersForImport',
  readOnly: true,
  async run(services, { KeyId, WrappingAlgorithm: algorithm, WrappingKeySpec: spec }) {
    const key = await findOwnKey(services, KeyId);
    requireOrigin(key, 'EXTERNAL');
    requireNotPendingDeletion(key);
    requireSuitable(key, algorithm, spec);
    const terms: Terms = { algorithm, validTo: services.now() + tokenLifetime };
    const { publicKey, token } = await services.keys.vault.createImportToken(key.record, {
      spec,
      terms: Buffer.from(JSON.stringify(terms), 'utf8'),
      signal: services.call.abortSignal,
      caller: services.caller.principal.arn,
    });
    return {
      KeyId: key.arn,
      ImportToken: token,
      PublicKey: publicKey,
      ParametersValidTo: new Date(terms.validTo),
    };
  },
};

/** KMS API Reference, ImportKeyMaterial. */
export const importKeyMaterial: Operation<'ImportKeyMaterial'> = {
  name: 'ImportKeyMaterial',
  async run(services, request) {
    const { keys } = services;
    const key = await findImported(services, request.KeyId);
    requireNotPendingDeletion(key);
    const { arn, record } = key;
    const expiry = expiryOf(request, services.now());
    const material = await unwrap(services, record, request);
    await changeKey(services, key, async (current) => {
      requireNotPendingDeletion(current);
      requireImportType(current, material.id, request);
      return withImported(keys, current.record, { material, request, expiry });
    });
    return { KeyId: arn, ...(isSymmetric(key) && { KeyMaterialId: material.id }) };
  },
};

/** KMS API Reference, DeleteImportedKeyMaterial. Gone at once, whatever becomes of the key. */
export const deleteImportedKeyMaterial: Operation<'DeleteImportedKeyMaterial'> = {
  name: 'DeleteImportedKeyMaterial',
  async run(services, { KeyId, KeyMaterialId }) {
    const key = await findImported(services, KeyId);
    const { arn, record } = key;
    const id = KeyMaterialId ?? record.currentMaterialId;
    await changeKey(services, key, async (current) => {
      const entry = current.record.materials.find((material) => material.id === id);
      if (entry !== undefined) return withoutImported(services.keys, current.record, entry);
      if (KeyMaterialId === undefined) return { record: current.record };
      throw new KmsError('NotFoundException', `Key material ${id} does not exist.`);
    });
    return { KeyId: arn, ...(id !== undefined && isSymmetric(key) && { KeyMaterialId: id }) };
  },
};

async function findImported(services: Services, keyId: string): Promise<Key> {
  const key = await findOwnKey(services, keyId);
  requireOrigin(key, 'EXTERNAL');
  return key;
}

// KMS Developer Guide, importing-keys-get-public-key-and-token: what each algorithm can wrap.
function requireSuitable({ record }: Key, algorithm: AlgorithmSpec, spec: WrappingKeySpec): void {
  const { keySpec } = record;
  requireSupported(algorithm);
  const direct = algorithm.startsWith('RSAES');
  const { modulusBits } = keySpecs[spec];
  const { wrappedBy = Number.POSITIVE_INFINITY } = keySpecs[keySpec];
  const fits =
    (modulusBits === undefined) === (algorithm === 'SM2PKE') &&
    !(direct && modulusBits !== undefined && modulusBits < wrappedBy);
  if (fits) return;
  throw new KmsError(
    'ValidationException',
    `Wrapping algorithm ${algorithm} with wrapping key spec ${spec} is not compatible with key ` +
      `spec ${keySpec}.`,
  );
}

// KMS API Reference, GetParametersForImport: not supported since October 10, 2023, as what opens it
// tells a padding that is right from one that is not.
function requireSupported(algorithm: AlgorithmSpec): void {
  if (algorithm !== 'RSAES_PKCS1_V1_5') return;
  throw new KmsError(
    'UnsupportedOperationException',
    `Wrapping algorithm ${algorithm} is not supported.`,
  );
}

function expiryOf(
  { ExpirationModel = 'KEY_MATERIAL_EXPIRES', ValidTo }: Request,
  now: number,
): Partial<MaterialEntry> {
  if (ExpirationModel === 'KEY_MATERIAL_DOES_NOT_EXPIRE') {
    if (ValidTo === undefined) return { expirationModel: ExpirationModel };
    throw new KmsError(
      'ValidationException',
      'A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE',
    );
  }
  if (ValidTo === undefined) {
    throw new KmsError(
      'ValidationException',
      'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES',
    );
  }
  const validTo = ValidTo.getTime();
  if (validTo <= now || validTo > now + longestValidity) {
    throw new KmsError(
      'ValidationException',
      'The validTo date must be in the future and at most 365 days away',
    );
  }
  return { expirationModel: ExpirationModel, validTo };
}

async function unwrap(
  services: Services,
  record: KeyRecord,
  request: Request,
): Promise<NewMaterial> {
  const { ImportToken: token, EncryptedKeyMaterial: encryptedKeyMaterial } = request;
  const { vault } = services.keys;
  const bytes = vault.termsOf(record, token);
  if (bytes === undefined) throw new KmsError('InvalidImportTokenException');
  const terms = JSON.parse(Buffer.from(bytes).toString('utf8')) as Terms;
  if (terms.validTo <= services.now()) throw new KmsError('ExpiredImportTokenException');
  const { algorithm } = terms;
  // A token made by an earlier version is valid for a day and may name such an algorithm.
  requireSupported(algorithm);
  const wrapped = { token, algorithm, encryptedKeyMaterial };
  const signal = services.call.abortSignal;
  const caller = services.caller.principal.arn;
  return vault.import(record, wrapped, { signal, caller }).catch((error) => {
    if (isNativeError(error, 'INVALID_CIPHERTEXT'))
      throw new KmsError('InvalidCiphertextException');
    if (!isNativeError(error, 'INVALID_KEY_MATERIAL')) throw error;
    throw incorrect(`The key material is not one of key spec ${record.keySpec}.`);
  });
}

/** The key after an import of its material, for the first time or again. */
async function withImported(
  keys: KeyReader,
  record: KeyRecord,
  {
    material,
    request,
    expiry,
  }: { material: NewMaterial; request: Request; expiry: Partial<MaterialEntry> },
): Promise<KeyChange> {
  const earlier = record.materials.find(({ id }) => id === material.id);
  const replaced = earlier === undefined ? record.materials.find(isLost) : undefined;
  const [existing] = await keys.vault.removal(record, [material.id]);
  const others = await otherRegions(keys, record);
  const entry = importedEntry(earlier ?? newEntry(record, material.id), { request, expiry });
  const imported = withEntry(replaced ? withoutEntry(record, replaced) : record, entry, material);
  const counted = withImportsCounted(imported, [imported, ...others.map((key) => key.record)]);
  return {
    record: counted,
    others: [
      { ...material.change, expected: existing?.expected },
      ...(replaced ? await removalEverywhere(keys, record, replaced) : []),
      // If two regions import at the same time, the second must see that it is the last one.
      ...(earlier?.state === waitsForRegions ? unchangedUnlessCounted(keys, counted, others) : []),
    ],
  };
}

/** The key after one of its materials was deleted. */
async function withoutImported(
  keys: KeyReader,
  record: KeyRecord,
  entry: MaterialEntry,
): Promise<KeyChange> {
  if (!isInUse(entry.state) && isPrimary(record)) {
    // Material pending rotation, once deleted, is no longer the key's in any of its regions.
    const others = await removalEverywhere(keys, record, entry);
    return { record: withoutEntry(record, entry), others };
  }
  const { expirationModel, validTo, expiredSince, ...kept } = entry;
  return {
    record: withEntry(record, { ...kept, importState: 'PENDING_IMPORT' }),
    others: await keys.vault.removal(record, [entry.id]),
  };
}

const waitsForRegions = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION';

/** Whether material expired while it was pending rotation; other material may then replace it. */
function isLost({ state, importState }: MaterialEntry): boolean {
  return !isInUse(state) && importState === 'PENDING_IMPORT';
}

/** A key's first material becomes current at once, any other when the key is rotated. */
function newEntry({ materials }: KeyRecord, id: string): MaterialEntry {
  return { id, state: materials.length === 0 ? 'CURRENT' : waitsForRegions };
}

function importedEntry(
  entry: MaterialEntry,
  { request, expiry }: { request: Request; expiry: Partial<MaterialEntry> },
): MaterialEntry {
  const { expirationModel, validTo, expiredSince, ...kept } = entry;
  const { KeyMaterialDescription: description } = request;
  return {
    ...kept,
    importState: 'IMPORTED',
    ...(description !== undefined && { description }),
    ...expiry,
  };
}

/** The related keys of a multi-Region key in its other regions. */
async function otherRegions(keys: KeyReader, record: KeyRecord): Promise<Key[]> {
  const { primary, replicas } = regionsOf(record);
  const others = [primary, ...replicas].filter((region) => region !== record.region);
  const related = await Promise.all(others.map((region) => keys.findById({ ...record, region })));
  return related.filter((key) => key !== undefined);
}

function unchangedUnlessCounted(
  keys: KeyReader,
  { materials }: KeyRecord,
  others: readonly Key[],
): Change[] {
  if (!materials.some(({ state }) => state === waitsForRegions)) return [];
  return others.map((key) => keys.unchanged(key));
}

/** The changes that destroy a material in every region of a key. */
async function removalEverywhere(
  { vault }: KeyReader,
  record: KeyRecord,
  { id }: MaterialEntry,
): Promise<Change[]> {
  const { primary, replicas } = regionsOf(record);
  const removals = [primary, ...replicas].map((region) =>
    vault.removal({ ...record, region }, [id]),
  );
  return (await Promise.all(removals)).flat();
}

function requireImportType(key: Key, id: string, request: Request): void {
  const { materials } = key.record;
  const wasImported = materials.some((entry) => entry.id === id);
  const usual: ImportType = materials.length === 0 ? 'NEW_KEY_MATERIAL' : 'EXISTING_KEY_MATERIAL';
  const { ImportType: type = usual, KeyMaterialId } = request;
  if (!isSymmetric(key)) refuseSymmetricMembers(request);
  if (KeyMaterialId !== undefined) {
    if (type === 'NEW_KEY_MATERIAL') {
      throw new KmsError(
        'ValidationException',
        'KeyMaterialId must not be set if the ImportType is NEW_KEY_MATERIAL',
      );
    }
    if (KeyMaterialId !== id) throw incorrect('The key material is not that of the KeyMaterialId.');
  }
  if (type === 'NEW_KEY_MATERIAL') requireNew(key, { id, wasImported, named: request.KeyId });
  else if (!wasImported)
    throw incorrect('The key material is not the same as was imported before.');
}

function requireNew(
  { arn, record }: Key,
  { id, wasImported, named }: { id: string; wasImported: boolean; named: string },
): void {
  if (wasImported) throw incorrect('The key material was imported before.');
  if (!isPrimary(record)) {
    throw new KmsError(
      'UnsupportedOperationException',
      `${arn} is a replica key; new key material is imported into its primary key first.`,
    );
  }
  const pending = record.materials.find((entry) => !isInUse(entry.state) && !isLost(entry));
  if (pending !== undefined) {
    throw new KmsError(
      'KMSInvalidStateException',
      `New key material (id: ${id}) cannot be imported into KMS key ${named}, because another key ` +
        `material (id: ${pending.id}) is pending rotation.`,
    );
  }
}

function refuseSymmetricMembers({ ImportType, KeyMaterialDescription, KeyMaterialId }: Request) {
  if (ImportType ?? KeyMaterialDescription ?? KeyMaterialId) {
    throw new KmsError(
      'ValidationException',
      'ImportType, KeyMaterialDescription and KeyMaterialId are for symmetric encryption keys.',
    );
  }
}

/**
 * The record with the entry, which replaces the one of the same material or is added at the end.
 */
function withEntry(record: KeyRecord, entry: MaterialEntry, material?: NewMaterial): KeyRecord {
  const isReplaced = record.materials.some(({ id }) => id === entry.id);
  return {
    ...record,
    materials: isReplaced
      ? record.materials.map((other) => (other.id === entry.id ? entry : other))
      : [...record.materials, entry],
    ...(entry.state === 'CURRENT' && { currentMaterialId: entry.id }),
    ...(material?.publicKey !== undefined && { publicKey: material.publicKey }),
  };
}

function withoutEntry(record: KeyRecord, { id }: MaterialEntry): KeyRecord {
  return { ...record, materials: record.materials.filter((entry) => entry.id !== id) };
}

function incorrect(message: string): KmsError {
  return new KmsError('IncorrectKeyMaterialException', message);
}
