import { closeSync, readSync } from 'node:fs';
import {
  beginAnew,
  find,
  hashLength,
  hashOf,
  isOwn,
  openAnyway,
  readSerial,
  write,
} from '../store/drawn-file.ts';
import type { LotStore } from '../store/lot-store.ts';

/**
 * How far the pools of a store have been drawn: the serials of the last lots taken, in a file beside
 * the store that its processes share. A lot whose serial is not above that was put back, by somebody
 * or with an older copy of the store, and is never served.
 *
 * The file knows itself by its inode and time of birth, so that a copy of it, and with it of the
 * store, is told from the original; and the store by its id and fence, so that it vouches for no other
 * one and for no copy from before the fence.
 */
export class Drawn {
  readonly #path: string | undefined;
  readonly #owner: DrawnStore;
  readonly #highest = new Map<string, number>();
  readonly #places = new Map<string, number>();
  #file: number | undefined;

  /** @param path undefined for a store that ends with the process */
  constructor(path: string | undefined, owner: DrawnStore = anyStore) {
    this.#path = path;
    this.#owner = owner;
    this.#file = this.#open();
  }

  /** Whether the file belongs to this very store; otherwise pairs may have been answered elsewhere. */
  get isTrusted(): boolean {
    // Another process began anew, or the store has another fence.
    if (this.#file !== undefined && !this.#isOurs(this.#file)) this.close();
    this.#file ??= this.#open();
    return this.#path === undefined || this.#file !== undefined;
  }

  /** The serial of the last lot that is known to be taken from a pool. */
  of(pool: string): number {
    return Math.max(this.#highest.get(pool) ?? 0, this.#read(pool));
  }

  /**
   * Takes down that all lots of a pool are taken up to this serial. A store that is shared has done so
   * under its lock (`LotStore.take`); what is left to do is to remember it.
   */
  raise(pool: string, serial: number): void {
    if (serial <= (this.#highest.get(pool) ?? 0)) return;
    this.#highest.set(pool, serial);
    try {
      // Another process may have got further.
      if (this.#read(pool) < serial) this.#write(pool, serial);
    } catch {
      // The store itself has forgotten the lots, durably; this process has not.
    }
  }

  /**
   * Begins anew, for a store whose pools are empty. What is known of earlier pools stays known, should
   * an older copy of the store come back. @throws Error if the file cannot be made
   */
  reset(): void {
    this.close();
    this.#highest.clear();
    if (this.#path !== undefined) this.#file = beginAnew(this.#path, this.#ownerNow());
  }

  /** The same under the lock of the store whose pools they are, so that nobody's note is lost. */
  async resetIn(lots: LotStore): Promise<void> {
    if (this.#path === undefined || lots.vouch === undefined) {
      this.reset();
      return;
    }
    await lots.vouch(this.#path, this.#ownerNow());
    this.close();
    this.#highest.clear();
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#places.clear();
  }

  #open(): number | undefined {
    if (this.#path === undefined) return undefined;
    const file = openAnyway(this.#path);
    if (file === undefined || this.#isOurs(file)) return file;
    closeSync(file);
    return undefined;
  }

  #isOurs(file: number): boolean {
    return isOwn(file, this.#ownerNow());
  }

  #ownerNow() {
    return { storeId: this.#owner.storeId, fence: this.#owner.fence() };
  }

  #read(pool: string): number {
    if (this.#file === undefined) return 0;
    const at = this.#find(pool);
    return at === undefined ? 0 : readSerial(this.#file, at);
  }

  #write(pool: string, serial: number): void {
    if (this.#file === undefined) return;
    write(this.#file, this.#find(pool), pool, serial);
    // Another process may have done so in the same place.
    if (this.#find(pool) === undefined) this.#write(pool, serial);
  }

  #find(pool: string): number | undefined {
    const hash = hashOf(pool);
    const known = this.#places.get(pool);
    if (known !== undefined) {
      const there = Buffer.alloc(hashLength);
      readSync(this.#file as number, there, 0, hashLength, known);
      if (there.equals(hash)) return known;
      this.#places.delete(pool);
    }
    const at = find(this.#file as number, pool);
    if (at !== undefined) this.#places.set(pool, at);
    return at;
  }
}

/** What a file of drawn pools belongs to. */
export interface DrawnStore {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  /** The number of the store's fence, as it is known now. */
  fence(): bigint;
}

const anyStore: DrawnStore = { storeId: Buffer.alloc(16), fence: () => 0n };
