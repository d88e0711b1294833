import { ConfigurationError } from '../core/configuration-error.ts';
import { messageOf } from '../core/error-message.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { History } from '../store/history.ts';
import type { KeyStore, StoreFact } from '../store/key-store.ts';
import { retry } from '../store/retry.ts';
import { openState, sealState } from '../store/sealed-state.ts';
import { isPostgresUrl } from '../store/store-url.ts';
import { type CheckReport, checkStore, type Readers } from './check.ts';
import { type CopyReport, copyOpenStore } from './copy.ts';
import type { OpenOptions } from './options.ts';

const path = 'backup';

/** Maintains the store of a service: backs it up, checks it and fences a copy. */
export class StoreApi {
  readonly #readers: Readers;
  readonly #id: Uint8Array;
  readonly #keepsRootKey: boolean;
  readonly #history: History;

  /** @param keepsRootKey whether the root key outlives the process */
  constructor(
    readers: Readers,
    { keepsRootKey, history }: { keepsRootKey: boolean; history: History },
  ) {
    this.#readers = readers;
    this.#keepsRootKey = keepsRootKey;
    this.#history = history;
    this.#id = keyIdBytes(readers.identity.storeId);
  }

  /**
   * Writes all keys, aliases, grants, credentials, pools and batches to a new file, as they are at one
   * moment, while others go on writing. The file has neither waiting pairs nor those of batches, and
   * no root key, without which it is of no use.
   *
   * @throws ConfigurationError if the store is in memory or on PostgreSQL, or the file cannot be made
   */
  async backup(file: string): Promise<void> {
    const { copies } = this.#store;
    if (isPostgresUrl(this.#store.url)) {
      throw new ConfigurationError(`the store ${this.#store.url} is backed up by its server`, {
        hint: "use pg_dump or pg_basebackup; after putting a copy in place: 'pairmint store fence'",
      });
    }
    if (copies === undefined) {
      throw new ConfigurationError(`the store ${this.#store.url} ends with its process`, {
        hint: 'only a sqlite: store can be backed up',
      });
    }
    await copies.backup(file).catch((cause) => {
      const reason = messageOf((cause as Error).cause ?? cause);
      throw new ConfigurationError(`${file} cannot be written: ${reason}`, { cause });
    });
    // The backup is complete even if its date cannot be noted in the store.
    await this.#noteBackup().catch(() => {});
  }

  /**
   * Moves all that the store has to another one, which is used with the same root key from then on: this
   * one refuses whatever is asked of it, in all processes, and says where it went.
   *
   * @param to the URL of a store that is not there yet
   * @param options how to get to it, as for `Pairmint.open`
   * @throws ConfigurationError if it cannot be done; `pairmint store fence` has this store back until it is
   */
  async copy(to: string, options: Pick<OpenOptions, 'storePassword'> = {}): Promise<CopyReport> {
    if (!this.#keepsRootKey) {
      throw new ConfigurationError('the root key of this store ends with its process', {
        hint: 'open the store with a root key of your own: Pairmint.open({ rootKey })',
      });
    }
    return copyOpenStore(this.#store, this.#readers, { store: to, ...options });
  }

  /** When the store was last backed up; undefined if it never was. */
  async lastBackup(): Promise<Date | undefined> {
    const bytes = await this.#store.get(path);
    const { native, rootKey } = this.#readers;
    const opened = bytes && openState(native, rootKey, this.#id, bytes);
    const { backup } = (opened?.state ?? {}) as { backup?: number };
    return backup === undefined ? undefined : new Date(backup);
  }

  /** Facts for operators about a store's server, if it has one. @throws KmsError */
  async facts(): Promise<StoreFact[]> {
    return (await this.#store.facts?.()) ?? [];
  }

  /** Checks every record, every lot of waiting pairs and every chunk of batches; changes nothing. */
  check(): Promise<CheckReport> {
    return checkStore(this.#readers);
  }

  /**
   * Declares this store, which was copied or put back from a copy, to be the one to go on with. Its
   * waiting pairs become void, chunks of batches that are being minted are minted again, and processes
   * that remember later states forget them.
   *
   * @throws KmsError
   */
  async fence(): Promise<void> {
    const { pools, batches, fence } = this.#readers;
    // In this order: what ends the doubt of all processes comes when nothing is left of which they had it.
    await pools.voidAll();
    await batches.fence();
    await fence.raise(this.#history.lastFence);
    await pools.acceptStore();
    await this.#history.renew();
  }

  /** Whether the store was copied or put back: then its pools are not used until it is fenced. */
  get needsFence(): boolean {
    return this.#readers.pools.needsFence;
  }

  /** Why the store needs a fence, if it is on PostgreSQL and does. */
  get doubt(): string | undefined {
    return this.#store.history?.doubt;
  }

  get #store(): KeyStore {
    return this.#readers.store;
  }

  async #noteBackup(): Promise<void> {
    const state = { backup: Date.now() };
    const { native, rootKey } = this.#readers;
    const next = sealState(native, rootKey, this.#id, { sequence: 0n, state });
    await retry(async () => {
      const expected = await this.#store.get(path);
      return this.#store.commit([{ path, expected, next }]);
    });
  }
}
