import { KmsError } from '../model/errors.ts';
import {
  type AliasReference,
  aliasArn,
  type KeyReference,
  keyArn,
  notFound,
} from '../model/key-id.ts';
import type { KeyMaterial, Native, RootKey } from '../native/addon.ts';
import type { StoreChanges } from '../store/after.ts';
import type { Change } from '../store/change.ts';
import { collect } from '../store/entries.ts';
import type { Fence } from '../store/fence.ts';
import type { Entry, KeyStore } from '../store/key-store.ts';
import { retry } from '../store/retry.ts';
import { unchanged } from '../store/sealed-table.ts';
import {
  aliasChange,
  aliasCreation,
  aliasMove,
  aliasOf,
  aliasRemoval,
  findAlias,
} from './alias-changes.ts';
import { AliasIndex } from './alias-index.ts';
import { Burial } from './burial.ts';
import type { Alias, Key, ReadKey, Replace } from './key.ts';
import { type KeyRecord, type NewKeyRecord, regionsOf, withCurrentMaterial } from './key-record.ts';
import { KeyTable } from './key-table.ts';
import { LivingKeys } from './living-keys.ts';
import { MaterialVault, type NewMaterial } from './material-vault.ts';
import { sharing } from './multi-region.ts';
import { aliasesPrefix, type KeyPlace, keyPath, keysPrefix, type Place, scope } from './paths.ts';
import { isGone } from './settlement.ts';

/** The result of a change: the key's new record, and other changes that go with it. */
export interface KeyChange {
  readonly record: KeyRecord;
  readonly others?: readonly Change[];
  /** Told of the same key in every other region that changes with it; may throw. */
  readonly checkOther?: (other: Key) => void | Promise<void>;
}

interface Options {
  readonly store: KeyStore;
  readonly native: Native;
  readonly rootKey: RootKey;
  readonly now: () => number;
  readonly fence?: Fence | undefined;
}

/** The parts that a directory shares with those that change through other stores. */
interface Parts {
  readonly table: KeyTable;
  readonly vault: MaterialVault;
  readonly burial: Burial;
  readonly living: LivingKeys;
  readonly index: AliasIndex;
}

/**
 * The keys and aliases of a store: finds, makes and changes them, and opens their material.
 *
 * Everything read is authenticated first; a record that was changed behind pairmint's back gives
 * KMSInternalException and is never used. Reading a key first does what fell due since it was last
 * read: rotates it, expires what was imported. A key whose deletion date has passed is gone, and is
 * destroyed, with its material, aliases and grants, when that is certain.
 */
export class KeyDirectory {
  readonly #options: Options;
  readonly #store: KeyStore;
  readonly #now: () => number;
  readonly #parts: Parts;
  readonly #table: KeyTable;
  readonly #living: LivingKeys;
  readonly #index: AliasIndex;
  /** Where the changes of requests go; what falls due by time goes to the bare store. */
  readonly #requested: StoreChanges;
  readonly #replace: Replace;
  readonly vault: MaterialVault;

  constructor(options: Options, parts = partsOf(options), requested: StoreChanges = options.store) {
    this.#options = options;
    this.#store = options.store;
    this.#now = options.now;
    this.#parts = parts;
    this.#table = parts.table;
    this.#living = parts.living;
    this.#index = parts.index;
    this.#requested = requested;
    this.#replace = parts.table.replacement.bind(parts.table);
    this.vault = parts.vault;
  }

  /** The same directory, which makes the changes of requests through `requested`, a decorated store. */
  through(requested: StoreChanges): KeyDirectory {
    return new KeyDirectory(this.#options, this.#parts, requested);
  }

  /** Finds the key that a KeyId names. @throws KmsError NotFoundException */
  async find(reference: KeyReference | AliasReference): Promise<Key> {
    const key =
      reference.kind === 'key'
        ? await this.findById(reference)
        : await this.#index.target(reference);
    if (key === undefined) throw notFound(reference);
    return key;
  }

  /**
   * The same at once, if it was found before and nothing has been committed since; undefined says
   * nothing.
   */
  known(reference: KeyReference | AliasReference): Key | undefined {
    return reference.kind === 'key' ? this.#living.known(reference) : this.#index.known(reference);
  }

  /** The key of an id, or undefined. */
  async findById(key: KeyPlace): Promise<Key | undefined> {
    return this.#living.get(keyPath(key));
  }

  /** The key of an id, whichever account's it is; that of the place's account first. */
  async findInRegion(place: KeyPlace): Promise<Key | undefined> {
    const own = await this.findById(place);
    if (own !== undefined) return own;
    const prefix = `${place.region}:`;
    for (let after: string | undefined; ; ) {
      const [entry] = await this.#store.list(prefix, { after, limit: 1 });
      if (entry === undefined) return undefined;
      const [, accountId = ''] = entry.path.split(':');
      const key = await this.findById({ ...place, accountId });
      if (key !== undefined) return key;
      // The next account's paths: a semicolon sorts right after the colon.
      after = `${prefix}${accountId};`;
    }
  }

  /**
   * Makes a key, with its material and the aliases of its record; on return it is durable.
   * Undefined if the key or one of the aliases is there already.
   */
  async create(record: NewKeyRecord, material?: NewMaterial): Promise<Key | undefined> {
    const full = withMaterial({ ...record, materials: [] }, material);
    const committed = await this.commit(await this.creation(full, material ? [material] : []));
    return committed ? { arn: keyArn(full), record: full } : undefined;
  }

  /** The changes that make a key, with its materials and the aliases of its record. */
  async creation(record: KeyRecord, materials: readonly NewMaterial[]): Promise<Change[]> {
    for (const { name } of record.aliases)
      await this.#freeAlias({ ...record, kind: 'alias', name });
    return [
      this.#table.insertion(record, this.#now()),
      ...materials.map(({ change }) => change),
      ...record.aliases.map(({ name }) =>
        aliasChange({ ...record, name }, undefined, record.keyId),
      ),
    ];
  }

  /**
   * Changes a key: `change` gets it as it is and returns what it is to be, or throws. It is called
   * again if another process changed the key meanwhile. What the regions of a
   * multi-Region key share is changed in all of them.
   */
  async change(
    reference: KeyPlace,
    change: (key: Key) => KeyRecord | KeyChange | Promise<KeyChange>,
  ): Promise<Key> {
    return retry(async () => {
      const key = await this.#living.require(reference);
      const returned = await change(key);
      const changed: KeyChange = 'record' in returned ? returned : { record: returned };
      const { record, others = [], checkOther } = changed;
      if (record === key.record && others.length === 0) return key;
      const changes = [...(await this.#table.replacements(key, record, { checkOther })), ...others];
      return (await this.commit(changes)) ? { ...key, record } : undefined;
    });
  }

  /** A no-op change: the commit fails if the key changed since it was read. */
  unchanged(key: Key): Change {
    return unchanged(key as ReadKey);
  }

  /**
   * Makes the copy of a multi-Region key in another region. `copy` gets the primary key and returns
   * the replica, or throws; it may be called again, as in `change`.
   */
  async replicate(
    primary: KeyPlace,
    region: string,
    copy: (primary: Key) => KeyRecord | Promise<KeyRecord>,
  ): Promise<Key> {
    return retry(async () => {
      await this.#parts.burial.freePlace({ ...primary, region }, this.#requested);
      const key = await this.#living.require(primary);
      const replica = await copy(key);
      const committed = await this.commit([
        this.#table.insertion(replica, this.#now()),
        ...(await this.#table.replacements(key, sharing(replica)(key.record), { except: region })),
      ]);
      return committed ? { arn: keyArn(replica), record: replica } : undefined;
    });
  }

  /** Makes an alias of a key. `check` may refuse; @throws KmsError AlreadyExistsException */
  async createAlias(
    alias: AliasReference,
    target: KeyPlace,
    check: (target: Key) => void | Promise<void>,
  ): Promise<void> {
    await retry(async () => {
      const key = await this.#living.require(target);
      // Not the index alone: an alias whose key's deletion date has passed is gone with it.
      if ((await this.#index.target(alias)) !== undefined) {
        throw new KmsError(
          'AlreadyExistsException',
          `An alias with the name ${aliasArn(alias)} already exists`,
        );
      }
      await check(key);
      await this.#freeAlias(alias);
      const means = { now: this.#now(), replace: this.#replace };
      return this.commit(aliasCreation(alias, key, means));
    });
  }

  /** Points an alias to another key. `check` gets the new target, then the old one. */
  async updateAlias(
    alias: AliasReference,
    target: KeyPlace,
    check: (target: Key, current: Key) => void | Promise<void>,
  ): Promise<void> {
    await retry(async () => {
      const current = await this.#index.target(alias);
      if (current === undefined) throw notFound(alias);
      const key = await this.#living.require(target);
      await check(key, current);
      const means = { now: this.#now(), replace: this.#replace };
      return this.commit(aliasMove(alias, { from: current, to: key }, means));
    });
  }

  /** Takes an alias away. `check` gets its key and may refuse. */
  async deleteAlias(
    alias: AliasReference,
    check?: (key: Key) => void | Promise<void>,
  ): Promise<void> {
    await retry(async () => {
      const key = await this.#index.target(alias);
      if (key === undefined) throw notFound(alias);
      await check?.(key);
      return this.commit(aliasRemoval(alias, key, this.#replace));
    });
  }

  /** The keys of a place in the order of their ids, from the one after `after`. */
  async listKeys(
    place: Place,
    options: { after?: string | undefined; limit: number },
  ): Promise<Key[]> {
    return collect(this.#store, keysPrefix(place), options, async (entries, stamp) => {
      const keys = entries.map((entry) => this.#table.take(entry, stamp));
      return Promise.all(keys.map((key) => this.#living.present(key)));
    });
  }

  /** The aliases of a place in the order of their names, from the one after `after`. */
  async listAliases(
    place: Place,
    options: { after?: string | undefined; limit: number },
  ): Promise<Alias[]> {
    return collect(this.#store, aliasesPrefix(place), options, async (entries, stamp) => {
      const targets = entries.map((entry) => this.#index.take(entry, stamp));
      await this.#table.readAhead(targets.map((keyId) => keyPath({ ...place, keyId })));
      return Promise.all(
        entries.map(async ({ path }) => {
          const name = path.slice(scope(place).length);
          const target = await this.#index.target({ kind: 'alias', ...place, name });
          return target && aliasOf(target, findAlias(target.record, name));
        }),
      );
    });
  }

  /**
   * What is wrong with the record of a key: its materials, aliases and other regions must be there.
   * Adds the paths of the materials that are the key's to `materials`. @throws KmsError
   */
  async check(entry: Entry, materials: Set<string>): Promise<string[]> {
    const { record } = this.#table.open(entry);
    const faults: string[] = [];
    for (const { id, importState } of record.materials) {
      materials.add(this.vault.pathOf(record, id));
      const isNeeded = record.origin !== 'EXTERNAL' || importState === 'IMPORTED';
      if (!isNeeded || (await this.vault.open(record, id)) !== undefined) continue;
      faults.push(`${entry.path} lacks its material ${id}`);
    }
    for (const name of await this.#index.strays(record)) {
      faults.push(`${entry.path} has ${name}, which does not lead to it`);
    }
    const { primary, replicas } = regionsOf(record);
    for (const region of [primary, ...replicas]) {
      const other = await this.#store.get(keyPath({ ...record, region }));
      if (other === undefined) faults.push(`${entry.path} is not in ${region}`);
    }
    return faults;
  }

  /** What is wrong with the record of an alias. @throws KmsError */
  async checkAlias(entry: Entry): Promise<string[]> {
    return this.#index.check(entry);
  }

  /** Whether the record of a key is there. */
  async has(place: KeyPlace): Promise<boolean> {
    return (await this.#store.get(keyPath(place))) !== undefined;
  }

  /** The aliases of one key in the order of their names. */
  aliasesOf(key: Key): Alias[] {
    return [...key.record.aliases]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((record) => aliasOf(key, record));
  }

  /** Opens material of a key; undefined if the key has none of that id. */
  async material(
    record: KeyRecord,
    materialId = record.currentMaterialId,
  ): Promise<KeyMaterial | undefined> {
    return materialId === undefined ? undefined : this.vault.open(record, materialId);
  }

  /** Takes an alias from a key that is gone, so that it can be given to another. */
  async #freeAlias(alias: AliasReference): Promise<void> {
    const keyId = await this.#index.keyId(alias);
    if (keyId === undefined) return;
    const key = await this.#table.get(keyPath({ ...alias, keyId }));
    if (key === undefined || !isGone(key.record, this.#now())) return;
    await this.commit(aliasRemoval(alias, key, this.#replace));
  }

  /** Applies the changes of a request, all or none; false if something is not as expected. */
  async commit(changes: readonly Change[]): Promise<boolean> {
    return this.vault.commit(changes, this.#requested);
  }
}

function partsOf(options: Options): Parts {
  const { store, fence } = options;
  const table = new KeyTable(options);
  const vault = new MaterialVault(options);
  const burial = new Burial(options, { table, vault });
  const living = new LivingKeys(options, { table, vault, burial });
  // Another process may have destroyed material, and a fence makes earlier sequence numbers void.
  store.onChanged(() => vault.forgetAll());
  fence?.onRaised(() => table.forgetAll());
  return { table, vault, burial, living, index: new AliasIndex(store, { table, living }) };
}

function withMaterial(
  record: Omit<KeyRecord, 'currentMaterialId'>,
  material: NewMaterial | undefined,
): KeyRecord {
  if (material === undefined) return record;
  const { id, publicKey } = material;
  return { ...withCurrentMaterial(record, { id }), ...(publicKey !== undefined && { publicKey }) };
}
