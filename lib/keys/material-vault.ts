import { abortable } from '../core/abortable.ts';
import { keyIdBytes } from '../model/key-id.ts';
import { materialLength } from '../model/key-specs.ts';
import type { AlgorithmSpec, WrappingKeySpec } from '../model/types.ts';
import {
  isNativeError,
  type KeyMaterial,
  type MaterialRecord,
  type Native,
  type RootKey,
} from '../native/addon.ts';
import type { StoreChanges } from '../store/after.ts';
import type { Change } from '../store/change.ts';
import type { KeyStore } from '../store/key-store.ts';
import { RecordCache } from '../store/record-cache.ts';
import { damaged } from '../store/store-errors.ts';
import {
  type KeyRecord,
  materialAttributes,
  materialIdOf,
  type NewKeyRecord,
  namesMaterial,
} from './key-record.ts';
import { materialPath } from './paths.ts';

/** The material that a key seals with. */
export interface CurrentMaterial {
  readonly material: KeyMaterial;
  readonly materialId: string;
}

/** Material that was made or imported, on its way into the store. */
export interface NewMaterial {
  readonly id: string;
  /** SubjectPublicKeyInfo, DER, base64; of a private key. */
  readonly publicKey?: string;
  readonly change: Change;
}

const headerLength = 72;

/** The material of keys: made, wrapped, opened and imported by native code under the root key. */
export class MaterialVault {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #opened: RecordCache<KeyMaterial>;
  // A long text that was looked up before is found in a fraction of the time of one made anew.
  readonly #currentPaths = new WeakMap<KeyRecord, string>();

  constructor(options: { store: KeyStore; native: Native; rootKey: RootKey }) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#opened = new RecordCache(options.store, (path, bytes) => this.#open(path, bytes));
  }

  /** Opens the material of a key; undefined if the key has no material of that id. */
  async open(record: KeyRecord, materialId: string): Promise<KeyMaterial | undefined> {
    return this.#opened.get(materialPath(record, materialId));
  }

  /**
   * A key's current material. Not a promise if it was opened before and nothing was committed since:
   * nearly every request for a data key finds it so.
   *
   * @throws KmsError KMSInternalException if the key has none
   */
  current({
    arn,
    record,
  }: {
    arn: string;
    record: KeyRecord;
  }): CurrentMaterial | Promise<CurrentMaterial> {
    const materialId = record.currentMaterialId as string;
    const material = this.#currentInMemory(record);
    if (material !== undefined) return { material, materialId };
    return this.open(record, materialId).then((opened) => {
      if (opened === undefined) throw damaged(`of the key material of ${arn}`);
      return { material: opened, materialId };
    });
  }

  #currentInMemory(record: KeyRecord): KeyMaterial | undefined {
    let path = this.#currentPaths.get(record);
    if (path === undefined) {
      path = materialPath(record, record.currentMaterialId ?? '');
      this.#currentPaths.set(record, path);
    }
    return this.#opened.peek(path)?.record;
  }

  /** Where a material of a key lies. */
  pathOf(record: KeyRecord, materialId: string): string {
    return materialPath(record, materialId);
  }

  /** Applies changes to the store, all or none, and lets go of the materials that they destroy. */
  async commit(changes: readonly Change[], store: StoreChanges): Promise<boolean> {
    const committed = await store.commit(changes);
    if (!committed) return false;
    // A destroyed material may have been opened again meanwhile.
    for (const { path, next } of changes) if (next === undefined) this.#opened.forget(path);
    return true;
  }

  /** Lets go of all that was opened: others may have destroyed some of it. */
  forgetAll(): void {
    this.#opened.forgetAll();
  }

  /** Makes fresh material of the key's spec; a private key takes the time that minting takes. */
  async make(
    record: NewKeyRecord,
    { signal, caller }: { signal?: AbortSignal | undefined; caller?: string } = {},
  ): Promise<NewMaterial> {
    if (materialLength(record.keySpec) !== undefined) return this.makeSymmetric(record);
    const material = await abortable(signal, (onStart) =>
      this.#native.createPrivateKeyMaterial(
        { ...this.#binding(record), spec: record.keySpec, caller },
        onStart,
      ),
    );
    return newMaterial(record, material);
  }

  /** Makes fresh material that is not a private key, at once. */
  makeSymmetric(record: NewKeyRecord): NewMaterial {
    const { rootKey, keyId, attributes } = this.#binding(record);
    const length = materialLength(record.keySpec) as number;
    return newMaterial(record, this.#native.createKeyMaterial(rootKey, keyId, attributes, length));
  }

  /**
   * Makes a wrapping key pair. The private half is in the token alone, wrapped under the root key;
   * `terms` are authenticated with it.
   */
  async createImportToken(
    record: KeyRecord,
    options: {
      spec: WrappingKeySpec;
      terms: Uint8Array;
      signal?: AbortSignal | undefined;
      caller?: string;
    },
  ): Promise<{ readonly publicKey: Uint8Array; readonly token: Uint8Array }> {
    const { rootKey, keyId } = this.#binding(record);
    const { spec: wrappingKeySpec, terms: attributes, caller } = options;
    const args = { rootKey, keyId, attributes, wrappingKeySpec, caller };
    return abortable(options.signal, (onStart) => this.#native.createImportToken(args, onStart));
  }

  /** The terms of a token; undefined if it is not one of this key. */
  termsOf(record: KeyRecord, token: Uint8Array): Uint8Array | undefined {
    const { rootKey, keyId } = this.#binding(record);
    try {
      return this.#native.openImportToken({ rootKey, keyId, token });
    } catch (error) {
      if (isNativeError(error, 'INVALID_TOKEN')) return undefined;
      throw error;
    }
  }

  /** Unwraps what was wrapped for a token. Failures are the native function's. */
  async import(
    record: KeyRecord,
    wrapped: { token: Uint8Array; algorithm: AlgorithmSpec; encryptedKeyMaterial: Uint8Array },
    { signal, caller }: { signal?: AbortSignal | undefined; caller?: string } = {},
  ): Promise<NewMaterial> {
    const args = { ...this.#binding(record), ...wrapped, spec: record.keySpec, caller };
    return newMaterial(
      record,
      await abortable(signal, (onStart) => this.#native.importKeyMaterial(args, onStart)),
    );
  }

  /** Takes material that is given in the clear. Failures are the native function's. */
  async importPlain(record: NewKeyRecord, plaintext: Uint8Array): Promise<NewMaterial> {
    const spec = record.keySpec;
    return newMaterial(
      record,
      await this.#native.importPlainKeyMaterial({ ...this.#binding(record), plaintext, spec }),
    );
  }

  /** The changes that destroy materials of a key, which are forgotten here; those not there need none. */
  async removal(record: KeyRecord, materialIds: readonly string[]): Promise<Change[]> {
    const changes = materialIds.map(async (id) => {
      const path = materialPath(record, id);
      this.#opened.forget(path);
      return { path, expected: await this.#store.get(path), next: undefined };
    });
    return (await Promise.all(changes)).filter(({ expected }) => expected !== undefined);
  }

  #open(path: string, bytes: Uint8Array): KeyMaterial {
    const header = bytes.subarray(0, headerLength);
    const [, keyId = '', materialId = ''] = path.split(/[/@]/);
    // A record is bound to the names in its header; they must also be the ones asked for.
    if (!namesMaterial(header, keyId, materialId)) throw damaged(path);
    try {
      return this.#native.openKeyMaterial(this.#rootKey, header, bytes.subarray(headerLength));
    } catch (cause) {
      if (!isNativeError(cause, 'INVALID_RECORD')) throw cause;
      throw damaged(path);
    }
  }

  #binding(record: NewKeyRecord) {
    return {
      rootKey: this.#rootKey,
      keyId: keyIdBytes(record.keyId),
      attributes: materialAttributes(record),
    };
  }
}

function newMaterial(
  record: NewKeyRecord,
  { header, wrapped, publicKey }: MaterialRecord & { readonly publicKey?: Uint8Array },
): NewMaterial {
  const id = materialIdOf(header);
  return {
    id,
    ...(publicKey && { publicKey: Buffer.from(publicKey).toString('base64') }),
    change: {
      path: materialPath(record, id),
      expected: undefined,
      next: Buffer.concat([header, wrapped]),
    },
  };
}
