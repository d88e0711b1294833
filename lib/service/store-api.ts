import { ConfigurationError } from '../core/configuration-error.ts';
import { messageOf } from '../core/error-message.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { KeyStore } from '../store/key-store.ts';
import { retry } from '../store/retry.ts';
import { openState, sealState } from '../store/sealed-state.ts';
import { type CheckReport, checkStore, type Readers } from './check.ts';

const path = 'backup';

/** Keeps the store of a service: copies it, checks it, and declares a copy to be the original. */
export class StoreApi {
  readonly #readers: Readers;
  readonly #id: Uint8Array;

  constructor(readers: Readers) {
    this.#readers = readers;
    this.#id = keyIdBytes(readers.identity.storeId);
  }

  /**
   * Writes all keys, aliases, grants, credentials and pools to a new file, as they are at one moment,
   * while others go on writing. Pairs that wait are not in it, nor is the root key, without which the
   * file opens nothing.
   *
   * @throws ConfigurationError if the store is one in memory, or the file cannot be made
   */
  async backup(file: string): Promise<void> {
    const { copies } = this.#store;
    if (copies === undefined) {
      throw new ConfigurationError(`the store ${this.#store.url} ends with its process`, {
        hint: 'only a sqlite: store can be backed up',
      });
    }
    await copies.backup(file).catch((cause) => {
      const reason = messageOf((cause as Error).cause ?? cause);
      throw new ConfigurationError(`${file} cannot be written: ${reason}`, { cause });
    });
    // The copy is there, whether that can be noted in the store or not.
    await this.#noteBackup().catch(() => {});
  }

  /** When the store was last backed up; undefined if it never was. */
  async lastBackup(): Promise<Date | undefined> {
    const bytes = await this.#store.get(path);
    const { native, rootKey } = this.#readers;
    const opened = bytes && openState(native, rootKey, this.#id, bytes);
    const { backup } = (opened?.state ?? {}) as { backup?: number };
    return backup === undefined ? undefined : new Date(backup);
  }

  /** Looks at every record and every lot of waiting pairs; changes nothing. */
  check(): Promise<CheckReport> {
    return checkStore(this.#readers);
  }

  /**
   * Says that this store, which was copied or put back from a copy, is the one to go on with. What
   * waits in its pools is void, and processes that remember later states forget them.
   *
   * @throws KmsError
   */
  async fence(): Promise<void> {
    await this.#readers.fence.raise();
    await this.#readers.pools.fence();
  }

  /** Whether the store was copied or put back, and its pools are not used until it is fenced. */
  get needsFence(): boolean {
    return this.#readers.pools.needsFence;
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
