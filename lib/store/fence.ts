import { keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
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
  readonly #listeners: (() => void)[] = [];
  #last = 0n;

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

  /** As it was read last. */
  get last(): bigint {
    return this.#last;
  }

  /** Tells `listener` of a fence that this process or another has raised. */
  onRaised(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the fence, now and whenever others may have raised it; one that is damaged counts as none. */
  async follow(): Promise<void> {
    this.#last = await this.read().catch(() => 0n);
    this.#store.onChanged(() => {
      // The next request that needs the store is told of what fails here.
      this.read()
        .then((number) => this.#rise(number))
        .catch(() => {});
    });
  }

  /** The number that the fence has in the store; 0 if it was never raised. @throws KmsError */
  async read(): Promise<bigint> {
    return this.#open(await this.#store.get(path));
  }

  /**
   * Raises the fence above any that a running process may know.
   *
   * @param seen the highest number that is known from elsewhere: a restored store has an earlier one
   */
  async raise(seen = 0n): Promise<void> {
    const number = await retry(async () => {
      const expected = await this.#store.get(path);
      let sequence = BigInt(Date.now());
      // Machines whose clocks differ may have raised it.
      for (const last of [this.#known(expected), this.#last, seen]) {
        if (last >= sequence) sequence = last + 1n;
      }
      const next = sealState(this.#native, this.#rootKey, this.#id, { sequence, state: 'fence' });
      return (await this.#store.commit([{ path, expected, next }])) && sequence;
    });
    this.#rise(number);
  }

  #rise(number: bigint): void {
    if (number <= this.#last) return;
    this.#last = number;
    for (const listener of this.#listeners) listener();
  }

  /** One that is damaged is replaced, for nothing else would mend it. */
  #known(bytes: Uint8Array | undefined): bigint {
    try {
      return this.#open(bytes);
    } catch {
      return this.#last;
    }
  }

  #open(bytes: Uint8Array | undefined): bigint {
    if (bytes === undefined) return 0n;
    const opened = openState(this.#native, this.#rootKey, this.#id, bytes);
    if (opened?.state !== 'fence') throw damaged(path);
    return opened.sequence;
  }
}
