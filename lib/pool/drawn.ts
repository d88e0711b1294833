import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';

// A head (magic, inode, time of birth, the store's id, the number of its fence), then a place for each
// pool: 16 bytes of a hash of its name and a serial number.
const magic = Buffer.from('PMDRAWN1', 'latin1');
const headLength = 48;
const placeLength = 24;
const hashLength = 16;

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

  /** Takes down that all lots of a pool are taken up to this serial. */
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
    const places = this.#allPlaces();
    this.close();
    this.#highest.clear();
    if (this.#path === undefined) return;
    // Whole, for other processes look at it, and may begin anew at the same moment.
    const made = `${this.#path}.${process.pid}.${randomBytes(4).toString('hex')}`;
    const file = openSync(made, 'wx+', 0o600);
    try {
      const bytes = Buffer.concat([this.#headOf(file), places]);
      writeSync(file, bytes, 0, bytes.length, 0);
      renameSync(made, this.#path);
    } catch (error) {
      closeSync(file);
      rmSync(made, { force: true });
      throw error;
    }
    this.#file = file;
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
    const head = Buffer.alloc(headLength);
    readSync(file, head, 0, headLength, 0);
    return fstatSync(file).nlink > 0 && head.equals(this.#headOf(file));
  }

  #headOf(file: number): Buffer {
    const fence = Buffer.alloc(8);
    fence.writeBigUInt64LE(this.#owner.fence());
    return Buffer.concat([magic, birthOf(file), this.#owner.storeId, fence]);
  }

  /** What the file says of pools, whosever it is. */
  #allPlaces(): Buffer {
    const file = this.#path === undefined ? undefined : openAnyway(this.#path);
    if (file === undefined) return Buffer.alloc(0);
    try {
      return placesIn(file);
    } finally {
      closeSync(file);
    }
  }

  #read(pool: string): number {
    if (this.#file === undefined) return 0;
    const at = this.#find(pool);
    if (at === undefined) return 0;
    const serial = Buffer.alloc(8);
    readSync(this.#file, serial, 0, 8, at + hashLength);
    return Number(serial.readBigUInt64LE());
  }

  #write(pool: string, serial: number): void {
    if (this.#file === undefined) return;
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(BigInt(serial));
    const at = this.#find(pool);
    if (at !== undefined) {
      writeSync(this.#file, number, 0, 8, at + hashLength);
      return;
    }
    // Two processes may do so at once, in the same place even: the loser finds out, now or when it looks
    // at its place the next time.
    const end = headLength + placesIn(this.#file).length;
    writeSync(this.#file, Buffer.concat([hashOf(pool), number]), 0, placeLength, end);
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
    const places = placesIn(this.#file as number);
    for (let at = 0; at < places.length; at += placeLength) {
      if (!places.subarray(at, at + hashLength).equals(hash)) continue;
      this.#places.set(pool, headLength + at);
      return headLength + at;
    }
    return undefined;
  }
}

/** The whole places of a file. */
function placesIn(file: number): Buffer {
  const count = Math.max(0, Math.floor((fstatSync(file).size - headLength) / placeLength));
  const places = Buffer.alloc(count * placeLength);
  readSync(file, places, 0, places.length, headLength);
  return places;
}

/** What a file of drawn pools belongs to. */
export interface DrawnStore {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  /** The number of the store's fence, as it is known now. */
  fence(): bigint;
}

const anyStore: DrawnStore = { storeId: Buffer.alloc(16), fence: () => 0n };

/** To read alone if it cannot be written to. */
function openAnyway(path: string): number | undefined {
  for (const mode of ['r+', 'r']) {
    try {
      const file = openSync(path, mode);
      if (fstatSync(file).isFile()) return file;
      closeSync(file);
    } catch {
      // The next one, if there is another.
    }
  }
  return undefined;
}

function birthOf(file: number): Buffer {
  const { ino, birthtimeNs } = fstatSync(file, { bigint: true });
  const birth = Buffer.alloc(16);
  birth.writeBigUInt64LE(ino, 0);
  birth.writeBigUInt64LE(birthtimeNs, 8);
  return birth;
}

function hashOf(pool: string): Buffer {
  return createHash('sha256').update(pool, 'latin1').digest().subarray(0, hashLength);
}
