import type { AliasReference } from '../model/key-id.ts';
import type { Entry, KeyStore, Stamp } from '../store/key-store.ts';
import { RecordCache } from '../store/record-cache.ts';
import { retry } from '../store/retry.ts';
import { damaged } from '../store/store-errors.ts';
import { hasAlias } from './alias-changes.ts';
import type { ReadKey } from './key.ts';
import type { KeyRecord } from './key-record.ts';
import type { KeyTable } from './key-table.ts';
import type { LivingKeys } from './living-keys.ts';
import { aliasPath, keyPath } from './paths.ts';

/**
 * Finds the keys of aliases. The index from an alias to the id of its key is not authenticated, the
 * key's own list of aliases is, and no key is found that does not have the alias.
 */
export class AliasIndex {
  readonly #store: KeyStore;
  readonly #table: KeyTable;
  readonly #living: LivingKeys;
  readonly #keyIds: RecordCache<string>;

  constructor(
    store: KeyStore,
    { table, living }: { readonly table: KeyTable; readonly living: LivingKeys },
  ) {
    this.#store = store;
    this.#table = table;
    this.#living = living;
    this.#keyIds = new RecordCache(store, (_path, bytes) => latin1(bytes));
  }

  /** The key of an alias at once, if both were read before and nothing has been committed since. */
  known(alias: AliasReference): ReadKey | undefined {
    const keyId = this.#keyIds.peek(aliasPath(alias))?.record;
    const key = keyId === undefined ? undefined : this.#living.known({ ...alias, keyId });
    return key !== undefined && hasAlias(key, alias) ? key : undefined;
  }

  /** The key of an alias; undefined if there is no such alias or its key is gone. */
  async target(alias: AliasReference): Promise<ReadKey | undefined> {
    const keyId = await this.keyId(alias);
    if (keyId === undefined) return undefined;
    const key = await this.#living.get(keyPath({ ...alias, keyId }));
    return key !== undefined && hasAlias(key, alias) ? key : this.#movedTarget(alias);
  }

  // The index and the key's list differ while the alias is being moved, and in what was remembered of
  // two moments; if they differ in one moment, the key is gone or the index was forged.
  async #movedTarget(alias: AliasReference): Promise<ReadKey | undefined> {
    const path = aliasPath(alias);
    const { found } = await retry(async () => {
      const keyId = await this.#keyIds.fresh(path);
      if (keyId === undefined) return { found: undefined };
      const place = keyPath({ ...alias, keyId });
      const stamp = this.#store.stamp();
      const [index, bytes] = await this.#store.getAll([path, place]);
      if (index === undefined || latin1(index) !== keyId) return undefined;
      if (bytes === undefined) return { found: undefined };
      const key = this.#table.take({ path: place, value: bytes }, stamp);
      if (!hasAlias(key, alias)) throw damaged(path);
      return { found: await this.#living.present(key) };
    });
    return found;
  }

  /** The id that the index has for an alias, whatever has become of the key. */
  async keyId(alias: AliasReference): Promise<string | undefined> {
    return this.#keyIds.get(aliasPath(alias));
  }

  /** The same of an entry that was read from the store after `stamp`. */
  take(entry: Entry, stamp: Stamp | undefined): string {
    return this.#keyIds.take(entry, stamp);
  }

  /** The aliases of a key that the index does not lead to it. */
  async strays(record: KeyRecord): Promise<string[]> {
    const strays: string[] = [];
    for (const { name } of record.aliases) {
      const bytes = await this.#store.get(aliasPath({ ...record, name }));
      if (bytes === undefined || latin1(bytes) !== record.keyId) strays.push(name);
    }
    return strays;
  }

  /** What is wrong with an entry of the index. @throws KmsError */
  async check({ path, value: keyId }: Entry): Promise<string[]> {
    const place = path.slice(0, path.indexOf('alias/'));
    const target = `${place}key/${latin1(keyId)}`;
    const value = await this.#store.get(target);
    if (value === undefined) return [`${path} leads to ${target}, which is not there`];
    const key = this.#table.open({ path: target, value });
    const isListed = hasAlias(key, { name: path.slice(place.length) });
    return isListed ? [] : [`${path} leads to ${target}, which does not have it`];
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
