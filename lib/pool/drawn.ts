import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';

// A head of 24 bytes, then a place for each pool: 16 bytes of a hash of its name and a serial number.
const magic = Buffer.from('PMDRAWN1', 'latin1');
const headLength = 24;
const placeLength = 24;
const hashLength = 16;

/**
 * How far the pools of a store have been drawn: the serials of the last lots taken, in a file beside
 * the store that its processes share. A lot whose serial is not above that was put back, by somebody
 * or with an older copy of the store, and is never served.
 *
 * The file knows itself by its inode and time of birth, so that a copy of it, and with it of the
 * store, is told from the original.
 */
export class Drawn {
  readonly #path: string | undefined;
  readonly #highest = new Map<string, number>();
  readonly #places = new Map<string, number>();
  #file: number | undefined;

  /** @param path undefined for a store that ends with the process */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#file = this.#open();
  }

  /** Whether the file belongs to this very store; otherwise pairs may have been answered elsewhere. */
  get isTrusted(): boolean {
    // Another process began anew.
    if (this.#file !== undefined && fstatSync(this.#file).nlink === 0) this.close();
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

  /** Begins anew, for a store whose pools are empty. @throws Error if the file cannot be made */
  reset(): void {
    this.close();
    this.#highest.clear();
    if (this.#path === undefined) return;
    // Whole, for other processes look at it, and may begin anew at the same moment.
    const made = `${this.#path}.${process.pid}.${randomBytes(4).toString('hex')}`;
    const file = openSync(made, 'wx+', 0o600);
    try {
      writeSync(file, Buffer.concat([magic, birthOf(file)]), 0, headLength, 0);
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
    let file: number;
    try {
      file = openSync(this.#path, 'r+');
    } catch {
      return undefined;
    }
    const head = Buffer.alloc(headLength);
    readSync(file, head, 0, headLength, 0);
    if (head.equals(Buffer.concat([magic, birthOf(file)]))) return file;
    closeSync(file);
    return undefined;
  }

  #read(pool: string): number {
    if (this.#file === undefined) return 0;
    const at = this.#places.get(pool) ?? this.#find(pool);
    if (at === undefined) return 0;
    const serial = Buffer.alloc(8);
    readSync(this.#file, serial, 0, 8, at + hashLength);
    return Number(serial.readBigUInt64LE());
  }

  #write(pool: string, serial: number): void {
    if (this.#file === undefined) return;
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(BigInt(serial));
    const at = this.#places.get(pool) ?? this.#find(pool);
    if (at !== undefined) {
      writeSync(this.#file, number, 0, 8, at + hashLength);
      return;
    }
    // Two processes may do so at once, in the same place even: the loser finds out and tries again.
    const end = headLength + this.#count() * placeLength;
    writeSync(this.#file, Buffer.concat([hashOf(pool), number]), 0, placeLength, end);
    if (this.#find(pool) === undefined) this.#write(pool, serial);
  }

  #find(pool: string): number | undefined {
    const hash = hashOf(pool);
    const places = Buffer.alloc(this.#count() * placeLength);
    readSync(this.#file as number, places, 0, places.length, headLength);
    for (let at = 0; at < places.length; at += placeLength) {
      if (!places.subarray(at, at + hashLength).equals(hash)) continue;
      this.#places.set(pool, headLength + at);
      return headLength + at;
    }
    return undefined;
  }

  #count(): number {
    const { size } = fstatSync(this.#file as number);
    return Math.max(0, Math.floor((size - headLength) / placeLength));
  }
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
