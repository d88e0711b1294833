import { notFound } from '../model/key-id.ts';
import type { KeyStore } from '../store/key-store.ts';
import { retry } from '../store/retry.ts';
import type { Burial } from './burial.ts';
import type { ReadKey } from './key.ts';
import { isPrimary, type KeyRecord, withCurrentMaterial } from './key-record.ts';
import type { KeyTable } from './key-table.ts';
import type { MaterialVault } from './material-vault.ts';
import { type KeyPlace, keyPath } from './paths.ts';
import { isGone, type Settlement, settle } from './settlement.ts';

/**
 * Keys as they are now: reading one first does what fell due since it was last read. What falls due
 * by time goes to the bare store, because it is no request's change.
 */
export class LivingKeys {
  readonly #store: KeyStore;
  readonly #now: () => number;
  readonly #table: KeyTable;
  readonly #vault: MaterialVault;
  readonly #burial: Burial;

  constructor(
    { store, now }: { store: KeyStore; now: () => number },
    { table, vault, burial }: { table: KeyTable; vault: MaterialVault; burial: Burial },
  ) {
    this.#store = store;
    this.#now = now;
    this.#table = table;
    this.#vault = vault;
    this.#burial = burial;
  }

  /** A key at once, if it was read before, nothing has been committed since and nothing can fall due. */
  known(place: KeyPlace): ReadKey | undefined {
    const key = this.#table.peek(keyPath(place))?.record;
    return key?.hasTerms ? undefined : key;
  }

  /** The key at a path; undefined if there is none or it is gone. */
  async get(path: string): Promise<ReadKey | undefined> {
    const key = await this.#table.get(path);
    return key && this.present(key);
  }

  /** The key of a place. @throws KmsError NotFoundException */
  async require(place: KeyPlace): Promise<ReadKey> {
    const key = await this.get(keyPath(place));
    if (key === undefined) throw notFound({ kind: 'key', ...place });
    return key;
  }

  /** A key that was read, after what fell due; undefined if it is gone. */
  present(key: ReadKey): ReadKey | Promise<ReadKey | undefined> {
    return key.hasTerms ? this.#settled(key) : key;
  }

  async #settled(first: ReadKey): Promise<ReadKey | undefined> {
    if (isPrimary(first.record)) await this.#burial.buryReplicas(first.record);
    else await this.#settlePrimary(first.record);
    return retry(async () => {
      const key = await this.#table.get(first.path);
      if (key === undefined) return { key };
      const now = this.#now();
      if (isGone(key.record, now)) {
        await this.#burial.bury(key, now);
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
    if (regions !== undefined) await this.get(keyPath({ ...replica, region: regions.primary }));
  }

  async #commitSettlement(key: ReadKey, settlement: Settlement): Promise<void> {
    let { record } = settlement;
    const others = await this.#vault.removal(record, settlement.destroyed);
    for (const rotationDate of settlement.rotationDates) {
      const { id, change } = this.#vault.makeSymmetric(record);
      record = withCurrentMaterial(record, { id, rotationDate, rotationType: 'AUTOMATIC' });
      others.push(change);
    }
    // Another process may have done the same meanwhile: the next look shows.
    const changes = [...(await this.#table.replacements(key, record)), ...others];
    await this.#vault.commit(changes, this.#store);
  }
}
