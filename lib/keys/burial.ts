import type { StoreChanges } from '../store/after.ts';
import type { KeyStore } from '../store/key-store.ts';
import { removal } from '../store/sealed-table.ts';
import { aliasChange } from './alias-changes.ts';
import type { ReadKey } from './key.ts';
import { isPrimary, type KeyRecord } from './key-record.ts';
import type { KeyTable } from './key-table.ts';
import type { MaterialVault } from './material-vault.ts';
import { departure } from './multi-region.ts';
import { grantNamesPrefix, grantsPrefix, type KeyPlace, keyPath, poolPrefixes } from './paths.ts';
import { isCertain, isGone } from './settlement.ts';

/** Destroys keys whose deletion date has passed, with their material, aliases, grants and pools. */
export class Burial {
  readonly #store: KeyStore;
  readonly #now: () => number;
  readonly #table: KeyTable;
  readonly #vault: MaterialVault;

  constructor(
    { store, now }: { store: KeyStore; now: () => number },
    { table, vault }: { table: KeyTable; vault: MaterialVault },
  ) {
    this.#store = store;
    this.#now = now;
    this.#table = table;
    this.#vault = vault;
  }

  /** Destroys a key that is gone, or takes down when it was first found to be. */
  async bury(key: ReadKey, now: number): Promise<void> {
    const { overdueSince } = key.record;
    if (isCertain(overdueSince, now)) return this.#purge(key, now, this.#store);
    if (overdueSince !== undefined && overdueSince <= now) return;
    const change = this.#table.replacement(key, { ...key.record, overdueSince: now });
    await this.#vault.commit([change], this.#store);
  }

  /** The days of a primary key begin to count when its last replica is destroyed. */
  async buryReplicas({ regions, deletionWindowInDays, ...primary }: KeyRecord): Promise<void> {
    if (regions === undefined || deletionWindowInDays === undefined) return;
    const now = this.#now();
    for (const region of regions.replicas) {
      const replica = await this.#table.get(keyPath({ ...primary, region }));
      if (replica !== undefined && isGone(replica.record, now)) await this.bury(replica, now);
    }
  }

  /** Destroys a key that is gone, through `store`, so that another can be made in its place. */
  async freePlace(place: KeyPlace, store: StoreChanges): Promise<void> {
    const now = this.#now();
    const key = await this.#table.get(keyPath(place));
    if (key === undefined || !isGone(key.record, now)) return;
    await this.#purge(key, now, store);
  }

  async #purge(key: ReadKey, now: number, store: StoreChanges): Promise<void> {
    const { record } = key;
    const [poolRecords, pools] = poolPrefixes(record);
    for (const prefix of [grantsPrefix(record), grantNamesPrefix(record), poolRecords]) {
      await store.removeAll(prefix);
    }
    await store.lots.clear(pools, []);
    const others = await this.#table.otherRegions(record);
    // The others of a multi-Region key go on with the material that they share.
    const shared = record.regions !== undefined && record.origin !== 'EXTERNAL';
    const materialIds = record.materials.map(({ id }) => id);
    const replace = this.#table.replacement.bind(this.#table);
    const changes = [
      removal(key),
      ...(shared && !isPrimary(record) ? [] : await this.#vault.removal(record, materialIds)),
      ...record.aliases.map(({ name }) =>
        aliasChange({ ...record, name }, record.keyId, undefined),
      ),
      ...departure(record, others, { now, replace }),
    ];
    await this.#vault.commit(changes, store);
  }
}
