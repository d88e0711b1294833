import { closeSync, fstatSync, readSync } from 'node:fs';
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

// No process claims so often that it would meet all of these.
const attempts = 100;

/**
 * The serial of the last lot taken from each pool, in a file beside the store that all its
 * processes share. A lot with that serial or a lower one was put back, by hand or with an older
 * copy of the store, and is never served.
 *
 * The file holds its own inode and time of birth, which tell the original from a copy made with the
 * store. It is replaced by each claim, so a copy from before is known even if it was written over
 * the original. It also holds the store's id and fence, so that it does not vouch for another store or for
 * a copy from before the fence.
 */
export class Drawn {
  readonly #path: string | undefined;
  readonly #owner: DrawnStore;
  readonly #highest = new Map<string, number>();
  readonly #places = new Map<string, number>();
  #file: number | undefined;

  /** @param path undefined for a store in memory */
  constructor(path: string | undefined, owner: DrawnStore = anyStore) {
    this.#path = path;
    this.#owner = owner;
    this.#file = this.#open();
  }

  /** Whether the file belongs to this store; otherwise its pairs may have been served elsewhere. */
  get isTrusted(): boolean {
    this.#follow();
    return this.#path === undefined || this.#file !== undefined;
  }

  /** The serial of the last lot taken from a pool. */
  of(pool: string): number {
    this.#follow();
    return Math.max(this.#highest.get(pool) ?? 0, this.#read(pool));
  }

  /**
   * Notes that all lots of a pool up to this serial are taken. A shared store has already noted it
   * in the file under its lock (`LotStore.take`); this process only has to remember it.
   */
  raise(pool: string, serial: number): void {
    if (serial <= (this.#highest.get(pool) ?? 0)) return;
    this.#highest.set(pool, serial);
    try {
      // Another process may have noted a higher serial.
      if (this.#read(pool) < serial) this.#write(pool, serial);
    } catch {
      // The lots are durably gone from the store, and this process remembers the serial.
    }
  }

  /**
   * Starts a new file, for a store whose pools are empty. Serials of earlier pools are kept, in
   * case an older copy of the store comes back. @throws Error if the file cannot be made
   */
  reset(): void {
    this.close();
    this.#highest.clear();
    if (this.#path !== undefined) this.#file = beginAnew(this.#path, this.#ownerNow());
  }

  /** Resets under the store's lock, so that no other process's note is lost. */
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

  /** Takes the file that is at the path now: another process has claimed, reset it or fenced the store. */
  #follow(): void {
    if (this.#file !== undefined && !this.#isOurs(this.#file)) this.close();
    this.#file ??= this.#open();
  }

  #open(): number | undefined {
    if (this.#path === undefined) return undefined;
    for (let left = attempts; left > 0; left--) {
      const file = openAnyway(this.#path);
      if (file === undefined || this.#isOurs(file)) return file;
      // Another process may have claimed in between.
      const wasReplaced = fstatSync(file).nlink === 0;
      closeSync(file);
      if (!wasReplaced) return undefined;
    }
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
    // Another process may have written another pool to the same place: then write it again.
    if (this.#find(pool) === undefined) this.#write(pool, serial);
  }

  #find(pool: string): number | undefined {
    const hash = hashOf(pool);
    const place = this.#places.get(pool);
    if (place !== undefined) {
      const written = Buffer.alloc(hashLength);
      readSync(this.#file as number, written, 0, hashLength, place);
      if (written.equals(hash)) return place;
      this.#places.delete(pool);
    }
    const at = find(this.#file as number, pool);
    if (at !== undefined) this.#places.set(pool, at);
    return at;
  }
}

/** The store that a file of drawn pools belongs to. */
export interface DrawnStore {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  /** The number of the store's fence, as it is known now. */
  fence(): bigint;
}

const anyStore: DrawnStore = { storeId: Buffer.alloc(16), fence: () => 0n };
