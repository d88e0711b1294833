import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { RecentlyUsed } from '../core/recently-used.ts';
import { KmsError } from '../model/errors.ts';
import {
  type AliasReference,
  aliasArn,
  type KeyReference,
  keyArn,
  keyIdBytes,
  notFound,
} from '../model/key-id.ts';
import type { KeyMaterial, Native, RootKey } from '../native/addon.ts';
import type { StoreChanges } from '../store/after.ts';
import type { Fence } from '../store/fence.ts';
import type { Change, Entry, KeyStore } from '../store/key-store.ts';
import { RecordCache } from '../store/record-cache.ts';
import { retry } from '../store/retry.ts';
import { openState, sealState } from '../store/sealed-state.ts';
import { damaged, wentBack } from '../store/store-errors.ts';
import {
  aliasChange,
  aliasOf,
  findAlias,
  hasAlias,
  withAlias,
  withoutAlias,
} from './alias-changes.ts';
import type { Alias, Key } from './key.ts';
import {
  isPrimary,
  type KeyRecord,
  type NewKeyRecord,
  regionsOf,
  withCurrentMaterial,
  withImportsCounted,
} from './key-record.ts';
import { MaterialVault, type NewMaterial } from './material-vault.ts';
import { sharedOf, sharing, withoutRegion } from './multi-region.ts';
import {
  aliasPath,
  grantNamesPrefix,
  grantsPrefix,
  type KeyPlace,
  keyPath,
  type Place,
  poolPrefixes,
  scope,
} from './paths.ts';
import { hasTerms, isCertain, isGone, type Settlement, settle } from './settlement.ts';

export type { Alias, Key } from './key.ts';
export type { KeyPlace, Place } from './paths.ts';

interface ReadKey extends Key {
  readonly path: string;
  readonly sequence: bigint;
  /** What the store held, to compare when it is changed. */
  readonly bytes: Uint8Array;
  /** Whether time can do anything to it. */
  readonly hasTerms: boolean;
}

/** What was read from the store and is remembered. */
interface Read {
  readonly keys: RecordCache<ReadKey>;
  /** The ids of aliases' keys, by the index, which is not authenticated. */
  readonly aliases: RecordCache<string>;
  /** The highest sequence number that each key was seen with. */
  highest: RecentlyUsed<bigint>;
}

/** What a change makes of a key: its record, and other changes that go with it. */
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

// Some milliseconds' work; then others have their turn.
const readAtOnce = 100;
// Of these the newest state is remembered, so that an older one is refused: some 20 MB if all are used.
const rememberedSequences = 100_000;

/**
 * The keys and aliases of a store: finds, makes and changes them, and opens their material.
 *
 * Everything read is authenticated first; a record that was changed behind pairmint's back gives
 * KMSInternalException and is never used. Whoever comes across a key does what fell due since it was
 * last looked at: rotates it, expires what was imported. A key whose deletion date has passed is
 * gone, and is destroyed, with its material, aliases and grants, when that is certain.
 */
export class KeyDirectory {
  readonly #options: Options;
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #now: () => number;
  readonly #read: Read;
  /** Where the changes of requests go; what falls due by time goes to the bare store. */
  readonly #requested: StoreChanges;
  readonly vault: MaterialVault;

  constructor(options: Options, shared?: KeyDirectory, requested: StoreChanges = options.store) {
    this.#options = options;
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#now = options.now;
    this.#read = shared === undefined ? this.#reading() : shared.#read;
    this.vault = shared?.vault ?? new MaterialVault(options);
    this.#requested = requested;
    if (shared === undefined) this.#followOthers();
  }

  /** The same directory; what is asked of it is changed through `requested`, a decorated store. */
  through(requested: StoreChanges): KeyDirectory {
    return new KeyDirectory(this.#options, this, requested);
  }

  #reading(): Read {
    return {
      keys: new RecordCache(this.#store, (path, bytes) => this.#openKey(path, bytes)),
      aliases: new RecordCache(this.#store, (_path, bytes) => latin1(bytes)),
      highest: new RecentlyUsed(rememberedSequences),
    };
  }

  /** Lets go of what other processes may have destroyed, and of what is behind a fence. */
  #followOthers(): void {
    this.#store.onChanged(() => this.vault.forgetAll());
    this.#options.fence?.onRaised(() => {
      this.#read.keys.forgetAll();
      this.#read.highest = new RecentlyUsed(rememberedSequences);
    });
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

  /**
   * The same at once, where it was found before and nothing has been committed since; undefined says
   * nothing.
   */
  known(reference: KeyReference | AliasReference): Key | undefined {
    if (reference.kind === 'key') return this.#knownKey(reference);
    const keyId = this.#read.aliases.peek(aliasPath(reference))?.record;
    const key = keyId === undefined ? undefined : this.#knownKey({ ...reference, keyId });
    return key !== undefined && hasAlias(key, reference) ? key : undefined;
  }

  #knownKey(place: KeyPlace): Key | undefined {
    const key = this.#read.keys.peek(keyPath(place))?.record;
    return key?.hasTerms ? undefined : key;
  }

  /** The key of an id, or undefined. */
  async findById(key: KeyPlace): Promise<Key | undefined> {
    return this.#readKey(keyPath(key));
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
   * Undefined where the key or one of the aliases is there already.
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
      { path: keyPath(record), expected: undefined, next: this.#sealNew(record) },
      ...materials.map(({ change }) => change),
      ...record.aliases.map(({ name }) =>
        aliasChange({ ...record, name }, undefined, record.keyId),
      ),
    ];
  }

  /**
   * Changes a key: `change` gets it as it is and returns what it shall be, or throws. It may be
   * called again where another process changed the key meanwhile. What the regions of a
   * multi-Region key share is changed in all of them.
   */
  async change(
    reference: KeyPlace,
    change: (key: Key) => KeyRecord | KeyChange | Promise<KeyChange>,
  ): Promise<Key> {
    return retry(async () => {
      const key = await this.#readKey(keyPath(reference));
      if (key === undefined) throw notFound({ kind: 'key', ...reference });
      const returned = await change(key);
      const changed: KeyChange = 'record' in returned ? returned : { record: returned };
      const { record, others = [], checkOther } = changed;
      if (record === key.record && others.length === 0) return key;
      const changes = [...(await this.#recordChanges(key, record, { checkOther })), ...others];
      return (await this.commit(changes)) ? { ...key, record } : undefined;
    });
  }

  /** The change of nothing that makes a commit fail where the key is not as it was read. */
  unchanged(key: Key): Change {
    const { bytes } = key as ReadKey;
    return { path: keyPath(key.record), expected: bytes, next: bytes };
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
      await this.#freePlace({ ...primary, region });
      const key = await this.#readKey(keyPath(primary));
      if (key === undefined) throw notFound({ kind: 'key', ...primary });
      const replica = await copy(key);
      const committed = await this.commit([
        { path: keyPath(replica), expected: undefined, next: this.#sealNew(replica) },
        ...(await this.#recordChanges(key, sharing(replica)(key.record), { except: region })),
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
      const key = await this.#readKey(keyPath(target));
      if (key === undefined) throw notFound({ kind: 'key', ...target });
      // Not the index alone: an alias whose key's deletion date has passed is gone with it.
      if ((await this.#readAliasTarget(alias)) !== undefined) {
        throw new KmsError(
          'AlreadyExistsException',
          `An alias with the name ${aliasArn(alias)} already exists`,
        );
      }
      await check(key);
      await this.#freeAlias(alias);
      const now = this.#now();
      const record = { name: alias.name, creationDate: now, lastUpdatedDate: now };
      return this.commit([
        aliasChange(alias, undefined, key.record.keyId),
        this.#recordChange(key, withAlias(key.record, record)),
      ]);
    });
  }

  /** Points an alias to another key. `check` gets the new target, then the old one. */
  async updateAlias(
    alias: AliasReference,
    target: KeyPlace,
    check: (target: Key, current: Key) => void | Promise<void>,
  ): Promise<void> {
    await retry(async () => {
      const current = await this.#readAliasTarget(alias);
      if (current === undefined) throw notFound(alias);
      const key = await this.#readKey(keyPath(target));
      if (key === undefined) throw notFound({ kind: 'key', ...target });
      await check(key, current);
      const record = { ...findAlias(current.record, alias.name), lastUpdatedDate: this.#now() };
      if (key.path === current.path) {
        // `current` had the alias when it was read; `key`, read later, may have lost it since.
        const next = withAlias(withoutAlias(current.record, alias.name), record);
        return this.commit([this.#recordChange(current, next)]);
      }
      return this.commit([
        aliasChange(alias, current.record.keyId, key.record.keyId),
        this.#recordChange(current, withoutAlias(current.record, alias.name)),
        this.#recordChange(key, withAlias(key.record, record)),
      ]);
    });
  }

  /** Takes an alias away. `check` gets its key and may refuse. */
  async deleteAlias(
    alias: AliasReference,
    check?: (key: Key) => void | Promise<void>,
  ): Promise<void> {
    await retry(async () => {
      const key = await this.#readAliasTarget(alias);
      if (key === undefined) throw notFound(alias);
      await check?.(key);
      return this.commit([
        aliasChange(alias, key.record.keyId, undefined),
        this.#recordChange(key, withoutAlias(key.record, alias.name)),
      ]);
    });
  }

  /** The keys of a place in the order of their ids, from the one after `after`. */
  async listKeys(
    place: Place,
    options: { after?: string | undefined; limit: number },
  ): Promise<Key[]> {
    return this.#listLiving(`${scope(place)}key/`, options, async (entries, stamp) => {
      const keys = entries.map((entry) => this.#read.keys.take(entry, stamp));
      return Promise.all(keys.map((key) => (key.hasTerms ? this.#settled(key) : key)));
    });
  }

  /** The aliases of a place in the order of their names, from the one after `after`. */
  async listAliases(
    place: Place,
    options: { after?: string | undefined; limit: number },
  ): Promise<Alias[]> {
    return this.#listLiving(`${scope(place)}alias/`, options, async (entries, stamp) => {
      const targets = entries.map((entry) => this.#read.aliases.take(entry, stamp));
      await this.#readAhead(targets.map((keyId) => keyPath({ ...place, keyId })));
      return Promise.all(
        entries.map(async ({ path }) => {
          const name = path.slice(scope(place).length);
          const target = await this.#readAliasTarget({ kind: 'alias', ...place, name });
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
    const { record } = this.#openKey(entry.path, entry.value);
    const faults: string[] = [];
    for (const { id, importState } of record.materials) {
      materials.add(this.vault.pathOf(record, id));
      const isNeeded = record.origin !== 'EXTERNAL' || importState === 'IMPORTED';
      if (!isNeeded || (await this.vault.open(record, id)) !== undefined) continue;
      faults.push(`${entry.path} lacks its material ${id}`);
    }
    for (const { name } of record.aliases) {
      const bytes = await this.#store.get(aliasPath({ ...record, name }));
      const isOurs = bytes !== undefined && latin1(bytes) === record.keyId;
      if (!isOurs) faults.push(`${entry.path} has ${name}, which does not lead to it`);
    }
    const { primary, replicas } = regionsOf(record);
    for (const region of [primary, ...replicas]) {
      const other = await this.#store.get(keyPath({ ...record, region }));
      if (other === undefined) faults.push(`${entry.path} is not in ${region}`);
    }
    return faults;
  }

  /** What is wrong with the record of an alias. @throws KmsError */
  async checkAlias({ path, value }: Entry): Promise<string[]> {
    const place = path.slice(0, path.indexOf('alias/'));
    const target = `${place}key/${latin1(value)}`;
    const bytes = await this.#store.get(target);
    if (bytes === undefined) return [`${path} leads to ${target}, which is not there`];
    const isListed = hasAlias(this.#openKey(target, bytes), { name: path.slice(place.length) });
    return isListed ? [] : [`${path} leads to ${target}, which does not have it`];
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

  /** Opens material of a key; undefined where the key has none of that id. */
  async material(
    record: KeyRecord,
    materialId = record.currentMaterialId,
  ): Promise<KeyMaterial | undefined> {
    return materialId === undefined ? undefined : this.vault.open(record, materialId);
  }

  async #readAliasTarget(alias: AliasReference): Promise<ReadKey | undefined> {
    const path = aliasPath(alias);
    const keyId = await this.#read.aliases.get(path);
    if (keyId === undefined) return undefined;
    const key = await this.#readKey(keyPath({ ...alias, keyId }));
    return key !== undefined && hasAlias(key, alias) ? key : this.#movedAliasTarget(alias);
  }

  // The index is not authenticated, the key's own list is. They differ while the alias is being moved,
  // and in what was remembered of two moments; if they differ in one moment, the key is gone or the
  // index was forged.
  async #movedAliasTarget(alias: AliasReference): Promise<ReadKey | undefined> {
    const path = aliasPath(alias);
    const { found } = await retry(async () => {
      const keyId = await this.#read.aliases.fresh(path);
      if (keyId === undefined) return { found: undefined };
      const place = keyPath({ ...alias, keyId });
      const stamp = this.#store.stamp();
      const [index, bytes] = await this.#store.getAll([path, place]);
      if (index === undefined || latin1(index) !== keyId) return undefined;
      if (bytes === undefined) return { found: undefined };
      const key = this.#read.keys.take({ path: place, value: bytes }, stamp);
      if (!hasAlias(key, alias)) throw damaged(path);
      return { found: key.hasTerms ? await this.#settled(key) : key };
    });
    return found;
  }

  async #readKey(path: string): Promise<ReadKey | undefined> {
    const key = await this.#readRecord(path);
    return key?.hasTerms ? this.#settled(key) : key;
  }

  #readRecord(path: string): Promise<ReadKey | undefined> {
    return this.#read.keys.get(path);
  }

  /** The key after what fell due; undefined where it is gone. */
  async #settled(first: ReadKey): Promise<ReadKey | undefined> {
    if (isPrimary(first.record)) await this.#buryReplicas(first.record);
    else await this.#settlePrimary(first.record);
    return retry(async () => {
      const key = await this.#readRecord(first.path);
      if (key === undefined) return { key };
      const now = this.#now();
      if (isGone(key.record, now)) {
        await this.#bury(key, now);
        return { key: undefined };
      }
      const settlement = settle(key.record, now);
      if (settlement === undefined) return { key };
      await this.#commitSettlement(key, settlement);
      return undefined;
    }).then(({ key }) => key);
  }

  // Rotation is the primary key's, and is written to its replicas with it.
  async #settlePrimary({ regions, ...replica }: KeyRecord): Promise<void> {
    if (regions !== undefined)
      await this.#readKey(keyPath({ ...replica, region: regions.primary }));
  }

  // The days of a primary key begin to count when its last replica is destroyed.
  async #buryReplicas({ regions, deletionWindowInDays, ...primary }: KeyRecord): Promise<void> {
    if (regions === undefined || deletionWindowInDays === undefined) return;
    const now = this.#now();
    for (const region of regions.replicas) {
      const replica = await this.#readRecord(keyPath({ ...primary, region }));
      if (replica !== undefined && isGone(replica.record, now)) await this.#bury(replica, now);
    }
  }

  async #commitSettlement(key: ReadKey, settlement: Settlement): Promise<void> {
    let { record } = settlement;
    const others = await this.vault.removal(record, settlement.destroyed);
    for (const rotationDate of settlement.rotationDates) {
      const { id, change } = this.vault.makeSymmetric(record);
      record = withCurrentMaterial(record, { id, rotationDate, rotationType: 'AUTOMATIC' });
      others.push(change);
    }
    // Another process may have done the same meanwhile: the next look shows.
    await this.#apply([...(await this.#recordChanges(key, record)), ...others]);
  }

  /** Destroys a key that is gone, or takes down when it was first found to be. */
  async #bury(key: ReadKey, now: number): Promise<void> {
    const { overdueSince } = key.record;
    if (isCertain(overdueSince, now)) return this.#purge(key, now);
    if (overdueSince !== undefined && overdueSince <= now) return;
    const change = this.#recordChange(key, { ...key.record, overdueSince: now });
    await this.#apply([change]);
  }

  #openKey(path: string, bytes: Uint8Array): ReadKey {
    const keyId = path.slice(path.indexOf('key/') + 'key/'.length);
    const opened = openState(this.#native, this.#rootKey, keyIdBytes(keyId), bytes);
    const state = opened?.state as KeyRecord | undefined;
    if (opened === undefined || state === undefined || keyPath(state) !== path) throw damaged(path);
    const record = withMaterials(state);
    // Every change counts up: a record that counts less than one seen before was put back.
    if (opened.sequence < (this.#read.highest.get(path) ?? 0n)) throw wentBack(path);
    this.#read.highest.set(path, opened.sequence);
    return {
      arn: keyArn(record),
      record,
      path,
      sequence: opened.sequence,
      bytes,
      hasTerms: hasTerms(record),
    };
  }

  async #purge(key: ReadKey, now: number, store: StoreChanges = this.#store): Promise<void> {
    const { record } = key;
    const [poolRecords, pools] = poolPrefixes(record);
    for (const prefix of [grantsPrefix(record), grantNamesPrefix(record), poolRecords]) {
      await store.removeAll(prefix);
    }
    await store.lots.clear(pools, []);
    const others = await this.#otherRegions(record);
    const left = others.map((other) => withoutRegion(other.record, record.region, now));
    // The others of a multi-Region key go on with the material that they share.
    const shared = record.regions !== undefined && record.origin !== 'EXTERNAL';
    const materialIds = record.materials.map(({ id }) => id);
    const changes = [
      { path: key.path, expected: key.bytes, next: undefined },
      ...(shared && !isPrimary(record) ? [] : await this.vault.removal(record, materialIds)),
      ...record.aliases.map(({ name }) =>
        aliasChange({ ...record, name }, record.keyId, undefined),
      ),
      ...others.map((other, i) =>
        this.#recordChange(other, withImportsCounted(left[i] as KeyRecord, left)),
      ),
    ];
    await this.#apply(changes, store);
  }

  /** Destroys a key that is gone, so that another can be made in its place. */
  async #freePlace(place: KeyPlace): Promise<void> {
    const now = this.#now();
    const key = await this.#readRecord(keyPath(place));
    if (key === undefined || !isGone(key.record, now)) return;
    await this.#purge(key, now, this.#requested);
  }

  /** Takes an alias from a key that is gone, so that it can be given to another. */
  async #freeAlias(alias: AliasReference): Promise<void> {
    const keyId = await this.#read.aliases.get(aliasPath(alias));
    if (keyId === undefined) return;
    const key = await this.#readRecord(keyPath({ ...alias, keyId }));
    if (key === undefined || !isGone(key.record, this.#now())) return;
    const changes = [
      aliasChange(alias, keyId, undefined),
      this.#recordChange(key, withoutAlias(key.record, alias.name)),
    ];
    await this.commit(changes);
  }

  /** Pages through entries until `limit` of them have something that `read` makes of them. */
  async #listLiving<T>(
    prefix: string,
    { after, limit }: { after?: string | undefined; limit: number },
    read: (entries: Entry[], stamp: number | undefined) => Promise<(T | undefined)[]>,
  ): Promise<T[]> {
    const found: T[] = [];
    let last = after === undefined ? undefined : prefix + after;
    for (;;) {
      const wanted = Math.min(limit - found.length, readAtOnce);
      const stamp = this.#store.stamp();
      const entries = await this.#store.list(prefix, { after: last, limit: wanted });
      for (const value of await read(entries, stamp)) if (value !== undefined) found.push(value);
      if (entries.length < wanted || found.length >= limit) return found;
      last = entries.at(-1)?.path;
      await turn();
    }
  }

  /** Reads the keys of paths that are not known, all at once. */
  async #readAhead(paths: readonly string[]): Promise<void> {
    const unknown = [...new Set(paths)].filter((path) => this.#read.keys.peek(path) === undefined);
    if (unknown.length === 0) return;
    const stamp = this.#store.stamp();
    const values = await this.#store.getAll(unknown);
    for (const [i, path] of unknown.entries()) {
      const value = values[i];
      if (value !== undefined) this.#read.keys.take({ path, value }, stamp);
    }
  }

  #recordChange(key: ReadKey, record: KeyRecord): Change {
    return { path: key.path, expected: key.bytes, next: this.#seal(record, key.sequence + 1n) };
  }

  /** The change of a key, and of the others where it is one of a multi-Region key. */
  async #recordChanges(
    key: ReadKey,
    record: KeyRecord,
    { except, checkOther }: { except?: string; checkOther?: KeyChange['checkOther'] } = {},
  ): Promise<Change[]> {
    const change = this.#recordChange(key, record);
    if (record.regions === undefined) return [change];
    if (isDeepStrictEqual(sharedOf(record), sharedOf(key.record))) return [change];
    const others = await this.#otherRegions(record, except);
    for (const other of others) await checkOther?.(other);
    const share = sharing(record);
    return [change, ...others.map((other) => this.#recordChange(other, share(other.record)))];
  }

  async #otherRegions(record: KeyRecord, except?: string): Promise<ReadKey[]> {
    const { primary, replicas } = regionsOf(record);
    const others: ReadKey[] = [];
    for (const region of [primary, ...replicas]) {
      if (region === record.region || region === except) continue;
      const path = keyPath({ ...record, region });
      const other = await this.#readRecord(path);
      if (other === undefined) throw damaged(path);
      others.push(other);
    }
    return others;
  }

  /** Later than any key that was here before and is destroyed. */
  #sealNew(record: KeyRecord): Buffer {
    return this.#seal(record, BigInt(Math.max(record.creationDate, this.#now())));
  }

  #seal(record: KeyRecord, sequence: bigint): Buffer {
    const id = keyIdBytes(record.keyId);
    return sealState(this.#native, this.#rootKey, id, { sequence, state: record });
  }

  /** Applies the changes of a request, all or none; false where something is not as expected. */
  async commit(changes: readonly Change[]): Promise<boolean> {
    return this.#apply(changes, this.#requested);
  }

  async #apply(changes: readonly Change[], store: StoreChanges = this.#store): Promise<boolean> {
    const committed = await store.commit(changes);
    // What is destroyed may have been opened again meanwhile.
    if (committed) this.vault.forget(changes);
    return committed;
  }
}

// Until keys could rotate, a record had nothing but its current material's id.
function withMaterials(state: KeyRecord): KeyRecord {
  const { currentMaterialId: id, materials } = state as Partial<KeyRecord>;
  if (materials !== undefined || id === undefined) return state;
  return { ...state, materials: [{ id, state: 'CURRENT' }] };
}

function withMaterial(
  record: Omit<KeyRecord, 'currentMaterialId'>,
  material: NewMaterial | undefined,
): KeyRecord {
  if (material === undefined) return record;
  const { id, publicKey } = material;
  return { ...withCurrentMaterial(record, { id }), ...(publicKey !== undefined && { publicKey }) };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
