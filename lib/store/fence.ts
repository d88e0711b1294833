import type { Native, RootKey } from '../native.ts';
import { keyIdBytes } from './key-record.ts';
import type { KeyStore } from './key-store.ts';
import { retry } from './retry.ts';
import { openState, sealState } from './sealed-state.ts';
import { damaged } from './store-errors.ts';
import type { StoreIdentity } from './store-identity.ts';

const path = 'fence';

/**
 * Counts how often an operator has said that the store is not what it was, such as after a backup was
 * put in its place. What processes remember of earlier records does not bind what is behind a new fence.
 */
export class Fence {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #id: Uint8Array;

  constructor(options: {
    store: KeyStore;
    native: Native;
    rootKey: RootKey;
    identity: StoreIdentity;
  }) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#id = keyIdBytes(options.identity.storeId);
  }

  /** How often it was raised. @throws KmsError */
  async number(): Promise<bigint> {
    return this.#read(await this.#store.get(path));
  }

  /** Raises the fence above any that a running process may know. */
  async raise(): Promise<void> {
    await retry(async () => {
      const expected = await this.#store.get(path);
      const now = BigInt(Date.now());
      const last = this.#read(expected);
      // A restored store has an earlier number than those who run know.
      const sequence = last < now ? now : last + 1n;
      const next = sealState(this.#native, this.#rootKey, this.#id, { sequence, state: 'fence' });
      return this.#store.commit([{ path, expected, next }]);
    });
  }

  #read(bytes: Uint8Array | undefined): bigint {
    if (bytes === undefined) return 0n;
    const opened = openState(this.#native, this.#rootKey, this.#id, bytes);
    if (opened?.state !== 'fence') throw damaged(path);
    return opened.sequence;
  }
}
