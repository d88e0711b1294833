import { KmsError } from '../model/errors.ts';
import {
  type AliasReference,
  aliasArn,
  type KeyReference,
  keyArn,
  notFound,
} from '../model/key-id.ts';
import { isNativeError, type KeyMaterial, type Native, type RootKey } from '../native.ts';
import {
  type AliasRecord,
  type KeyRecord,
  keyIdBytes,
  materialAttributes,
  materialIdOf,
  namesMaterial,
} from './key-record.ts';
import { type Change, type Entry, type KeyStore, sameValue } from './key-store.ts';
import { openState, sealState } from './sealed-state.ts';

/** A key as it was when it was read. */
export interface Key {
  readonly arn: string;
  readonly record: KeyRecord;
}

export interface Alias {
  readonly record: AliasRecord;
  readonly arn: string;
  readonly targetKeyId: string;
}

interface ReadKey extends Key {
  readonly path: string;
  readonly sequence: bigint;
  /** What the store held, to compare when it is changed. */
  readonly bytes: Uint8Array;
}

export interface Place {
  readonly region: string;
  readonly accountId: string;
}

// A commit that fails found that another one came between; that many in a row do not happen.
const maxTries = 1000;
// Enough for the keys that one process uses all the time; a record takes about a kilobyte.
const maxCached = 4096;

const headerLength = 72;

/**
 * The keys and aliases of a store: finds, makes and changes them, and opens their material.
 *
 * Everything read is authenticated first; a record that was changed behind pairmint's back gives
 * KMSInternalException and is never used. A key whose deletion date has passed is gone: it is
 * removed, with its material and aliases, by whoever comes across it.
 */
export class KeyDirectory {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #now: () => number;
  readonly #read = new Map<string, ReadKey>();
  readonly #materials = new Map<string, { bytes: Uint8Array; material: KeyMaterial }>();

  constructor(options: {
    store: KeyStore;
    native: Native;
    rootKey: RootKey;
    now: () => number;
  }) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#now = options.now;
  }

  /** Finds the key that a KeyId names. @throws KmsError NotFoundException */
  async find(reference: KeyReference | AliasReference): Promise<Key> {
    const key =
      reference.kind === 'key'
        ? await this.#readKey(keyPath(reference))
        : await this.#readAliasTarget(reference);
    if (key === undefined) throw notFound(reference);
    return key;
  }

  /** The key of an id, or undefined. */
  async findById(key: Place & { keyId: string }): Promise<Key | undefined> {
    return this.#readKey(keyPath(key));
  }

  /**
   * Makes a key with fresh material and the aliases of its record; on return it is durable.
   * Undefined where the key or one of the aliases is there already.
   */
  async create(record: Omit<KeyRecord, 'currentMaterialId'>): Promise<Key | undefined> {
    const made = this.#newKey(record);
    const aliasChanges = record.aliases.map(({ name }) => ({
      path: aliasPath({ ...record, name }),
      expected: undefined,
      next: Buffer.from(record.keyId, 'latin1'),
    }));
    const committed = await this.#commit([...made.changes, ...aliasChanges]);
    return committed ? { arn: keyArn(record), record: made.record } : undefined;
  }

  /**
   * Changes a key: `change` gets it as it is and returns what it shall be, or throws. It may be
   * called again where another process changed the key meanwhile.
   */
  async change(reference: KeyReference, change: (key: Key) => KeyRecord): Promise<Key> {
    return this.#retry(async () => {
      const key = await this.#readKey(keyPath(reference));
      if (key === undefined) throw notFound(reference);
      const record = change(key);
      if (record === key.record) return key;
      return (await this.#commit([this.#recordChange(key, record)]))
        ? { ...key, record }
        : undefined;
    });
  }

  /** Makes an alias of a key. `check` may refuse; @throws KmsError AlreadyExistsException */
  async createAlias(
    alias: AliasReference,
    target: KeyReference,
    check: (target: Key) => void,
  ): Promise<void> {
    await this.#retry(async () => {
      const key = await this.#readKey(keyPath(target));
      if (key === undefined) throw notFound(target);
      // Not the index alone: an alias whose key's deletion date has passed is gone with it.
      if ((await this.#readAliasTarget(alias)) !== undefined) {
        throw new KmsError(
          'AlreadyExistsException',
          `An alias with the name ${aliasArn(alias)} already exists`,
        );
      }
      check(key);
      const now = this.#now();
      const record = { name: alias.name, creationDate: now, lastUpdatedDate: now };
      return this.#commit([
        this.#aliasChange(alias, undefined, key.record.keyId),
        this.#recordChange(key, withAlias(key.record, record)),
      ]);
    });
  }

  /** Points an alias to another key. `check` gets the new target, then the old one. */
  async updateAlias(
    alias: AliasReference,
    target: KeyReference,
    check: (target: Key, current: Key) => void,
  ): Promise<void> {
    await this.#retry(async () => {
      const current = await this.#readAliasTarget(alias);
      if (current === undefined) throw notFound(alias);
      const key = await this.#readKey(keyPath(target));
      if (key === undefined) throw notFound(target);
      check(key, current);
      const record = { ...findAlias(current.record, alias.name), lastUpdatedDate: this.#now() };
      if (key.path === current.path) {
        // `current` had the alias when it was read; `key`, read later, may have lost it since.
        const next = withAlias(withoutAlias(current.record, alias.name), record);
        return this.#commit([this.#recordChange(current, next)]);
      }
      return this.#commit([
        this.#aliasChange(alias, current.record.keyId, key.record.keyId),
        this.#recordChange(current, withoutAlias(current.record, alias.name)),
        this.#recordChange(key, withAlias(key.record, record)),
      ]);
    });
  }

  async deleteAlias(alias: AliasReference): Promise<void> {
    await this.#retry(async () => {
      const key = await this.#readAliasTarget(alias);
      if (key === undefined) throw notFound(alias);
      return this.#commit([
        this.#aliasChange(alias, key.record.keyId, undefined),
        this.#recordChange(key, withoutAlias(key.record, alias.name)),
      ]);
    });
  }

  /** The keys of a place in the order of their ids, from the one after `after`. */
  async listKeys(
    place: Place,
    options: { after?: string | undefined; limit: number },
  ): Promise<Key[]> {
    return this.#listLiving(`${scope(place)}key/`, options, async ({ path }) =>
      this.#readKey(path),
    );
  }

  /** The aliases of a place in the order of their names, from the one after `after`. */
  async listAliases(
    place: Place,
    options: { after?: string | undefined; limit: number },
  ): Promise<Alias[]> {
    return this.#listLiving(`${scope(place)}alias/`, options, async ({ path }) => {
      const reference: AliasReference = {
        kind: 'alias',
        ...place,
        name: path.slice(scope(place).length),
      };
      const target = await this.#readAliasTarget(reference);
      return target && aliasOf(target, findAlias(target.record, reference.name));
    });
  }

  /** The aliases of one key in the order of their names. */
  aliasesOf(key: Key): Alias[] {
    return [...key.record.aliases]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((record) => aliasOf(key, record));
  }

  /** Opens the material of a key; undefined where the key never had material of that id. */
  async material(
    record: KeyRecord,
    materialId = record.currentMaterialId,
  ): Promise<KeyMaterial | undefined> {
    const path = materialPath(record.keyId, materialId);
    const bytes = await this.#get(path);
    if (bytes === undefined) return undefined;
    const cached = this.#materials.get(path);
    if (cached !== undefined && sameValue(cached.bytes, bytes)) return cached.material;
    const material = this.#openMaterial(record.keyId, materialId, bytes);
    remember(this.#materials, path, { bytes: Uint8Array.from(bytes), material });
    return material;
  }

  #openMaterial(keyId: string, materialId: string, bytes: Uint8Array): KeyMaterial {
    const header = bytes.subarray(0, headerLength);
    // A record is bound to the names in its header; they must also be the ones asked for.
    if (!namesMaterial(header, keyId, materialId)) throw damaged(materialPath(keyId, materialId));
    try {
      return this.#native.openKeyMaterial(this.#rootKey, header, bytes.subarray(headerLength));
    } catch (cause) {
      if (!isNativeError(cause, 'INVALID_RECORD')) throw cause;
      throw damaged(materialPath(keyId, materialId));
    }
  }

  #newKey(record: Omit<KeyRecord, 'currentMaterialId'>): { record: KeyRecord; changes: Change[] } {
    const id = keyIdBytes(record.keyId);
    const { header, wrapped } = this.#native.createKeyMaterial(
      this.#rootKey,
      id,
      materialAttributes(record),
    );
    const currentMaterialId = materialIdOf(header);
    const full = { ...record, currentMaterialId };
    const state = sealState(this.#native, this.#rootKey, id, { sequence: 0n, state: full });
    return {
      record: full,
      changes: [
        { path: keyPath(record), expected: undefined, next: state },
        {
          path: materialPath(record.keyId, currentMaterialId),
          expected: undefined,
          next: Buffer.concat([header, wrapped]),
        },
      ],
    };
  }

  async #readAliasTarget(alias: AliasReference): Promise<ReadKey | undefined> {
    let before: { target: Uint8Array; key: Uint8Array | undefined } | undefined;
    for (;;) {
      const target = await this.#get(aliasPath(alias));
      if (target === undefined) return undefined;
      const keyId = Buffer.from(target).toString('latin1');
      const key = await this.#readKey(keyPath({ ...alias, keyId }));
      if (key?.record.aliases.some(({ name }) => name === alias.name)) return key;
      // The index is not authenticated, the key's own list is. They differ while the alias is being
      // moved; where they still do at a second look, and the key did not change meanwhile, the key is
      // gone or the index was forged.
      if (before && sameValue(target, before.target) && sameValue(key?.bytes, before.key)) {
        if (key === undefined) return undefined;
        throw damaged(aliasPath(alias));
      }
      before = { target: Uint8Array.from(target), key: key?.bytes };
    }
  }

  async #readKey(path: string): Promise<ReadKey | undefined> {
    const bytes = await this.#get(path);
    const cached = this.#read.get(path);
    if (bytes === undefined) {
      this.#read.delete(path);
      return undefined;
    }
    const key =
      cached !== undefined && sameValue(cached.bytes, bytes) ? cached : this.#openKey(path, bytes);
    const { deletionDate } = key.record;
    if (deletionDate === undefined || deletionDate > this.#now()) return key;
    await this.#purge(key);
    return undefined;
  }

  #openKey(path: string, bytes: Uint8Array): ReadKey {
    const keyId = path.slice(path.indexOf('key/') + 'key/'.length);
    const opened = openState(this.#native, this.#rootKey, keyIdBytes(keyId), bytes);
    const record = opened?.state as KeyRecord | undefined;
    if (opened === undefined || record === undefined || keyPath(record) !== path) {
      throw damaged(path);
    }
    // Every change counts up: a record that counts less than the one remembered was put back.
    if (opened.sequence < (this.#read.get(path)?.sequence ?? 0n)) throw damaged(path);
    const key = {
      arn: keyArn(record),
      record,
      path,
      sequence: opened.sequence,
      bytes: Uint8Array.from(bytes),
    };
    remember(this.#read, path, key);
    return key;
  }

  async #purge(key: ReadKey): Promise<void> {
    const { record } = key;
    const materials = await this.#store.list(materialPath(record.keyId, ''), { limit: 10_000 });
    await this.#commit([
      { path: key.path, expected: key.bytes, next: undefined },
      ...materials.map(({ path, value }) => ({ path, expected: value, next: undefined })),
      ...record.aliases.map(({ name }) =>
        this.#aliasChange({ kind: 'alias', ...record, name }, record.keyId, undefined),
      ),
    ]);
  }

  async #listLiving<T>(
    prefix: string,
    { after, limit }: { after?: string | undefined; limit: number },
    read: (entry: Entry) => Promise<T | undefined>,
  ): Promise<T[]> {
    const found: T[] = [];
    let last = after === undefined ? undefined : prefix + after;
    while (found.length < limit) {
      const wanted = limit - found.length;
      const entries = await this.#store.list(prefix, { after: last, limit: wanted });
      for (const entry of entries) {
        const value = await read(entry);
        if (value !== undefined) found.push(value);
      }
      if (entries.length < wanted) break;
      last = entries.at(-1)?.path;
    }
    return found;
  }

  #recordChange(key: ReadKey, record: KeyRecord): Change {
    const next = sealState(this.#native, this.#rootKey, keyIdBytes(record.keyId), {
      sequence: key.sequence + 1n,
      state: record,
    });
    return { path: key.path, expected: key.bytes, next };
  }

  #aliasChange(alias: AliasReference, from: string | undefined, to: string | undefined): Change {
    const bytes = (keyId: string | undefined) =>
      keyId === undefined ? undefined : Buffer.from(keyId, 'latin1');
    return { path: aliasPath(alias), expected: bytes(from), next: bytes(to) };
  }

  /** Repeats an attempt until it returns something other than undefined or false. */
  async #retry<T>(attempt: () => Promise<T | undefined | false>): Promise<T> {
    for (let i = 0; i < maxTries; i++) {
      const result = await attempt();
      if (result !== undefined && result !== false) return result;
    }
    return unavailable(new Error(`${maxTries} commits in a row met another one`));
  }

  async #get(path: string): Promise<Uint8Array | undefined> {
    return this.#store.get(path).catch(unavailable);
  }

  async #commit(changes: Change[]): Promise<boolean> {
    return this.#store.commit(changes).catch(unavailable);
  }
}

function scope({ region, accountId }: Place): string {
  return `${region}:${accountId}:`;
}

function keyPath(key: Place & { keyId: string }): string {
  return `${scope(key)}key/${key.keyId}`;
}

function aliasPath(alias: Place & { name: string }): string {
  return `${scope(alias)}${alias.name}`;
}

// Without a region: a multi-Region key's replicas share its material.
function materialPath(keyId: string, materialId: string): string {
  return `material/${keyId}/${materialId}`;
}

function findAlias(record: KeyRecord, name: string): AliasRecord {
  const found = record.aliases.find((alias) => alias.name === name);
  if (found === undefined) throw damaged(name);
  return found;
}

function aliasOf({ record: key }: Key, record: AliasRecord): Alias {
  return { record, arn: aliasArn({ ...key, name: record.name }), targetKeyId: key.keyId };
}

function withAlias(record: KeyRecord, alias: AliasRecord): KeyRecord {
  return { ...record, aliases: [...record.aliases, alias] };
}

function withoutAlias(record: KeyRecord, name: string): KeyRecord {
  return { ...record, aliases: record.aliases.filter((alias) => alias.name !== name) };
}

function remember<T>(cache: Map<string, T>, path: string, value: T): void {
  cache.delete(path);
  cache.set(path, value);
  if (cache.size > maxCached) cache.delete(cache.keys().next().value as string);
}

function damaged(what: string): KmsError {
  return new KmsError(
    'KMSInternalException',
    `The key store is damaged: the record ${what} is not as pairmint wrote it.`,
  );
}

function unavailable(cause: unknown): never {
  throw new KmsError('KMSInternalException', 'The key store could not complete the request.', {
    cause,
  });
}
