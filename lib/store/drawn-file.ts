import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';

// A head (magic, inode, time of birth, the store's id, the number of its fence), then a place for each
// pool: 16 bytes of a hash of its name and a serial number.
const magic = Buffer.from('PMDRAWN1', 'latin1');
const storeIdAt = 24;
const fenceAt = 40;
export const headLength = 48;
const placeLength = 24;
export const hashLength = 16;

/** The store that a file of drawn pools vouches for. */
export interface DrawnOwner {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  /** The number of the store's fence. */
  readonly fence: bigint;
}

/** Whether a file, as it was opened, is at a path still and belongs to this store. */
export function isOwn(file: number, owner: DrawnOwner): boolean {
  return fstatSync(file).nlink > 0 && readHead(file).equals(headOf(file, owner));
}

/**
 * Replaces the file, for a store whose pools are empty. The new file keeps the places of the old one.
 *
 * @returns the open file
 * @throws Error if it cannot be made
 */
export function beginAnew(path: string, owner: DrawnOwner): number {
  // Others may begin anew at the same moment.
  const made = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  return replace(path, made, { owner, places: placesAt(path) });
}

/** Written whole, because other processes read it. */
function replace(
  path: string,
  made: string,
  { owner, places }: { owner: DrawnOwner; places: Buffer },
): number {
  const file = openSync(made, 'wx+', 0o600);
  try {
    const bytes = Buffer.concat([headOf(file, owner), places]);
    writeSync(file, bytes, 0, bytes.length, 0);
    renameSync(made, path);
    return file;
  } catch (error) {
    closeSync(file);
    rmSync(made, { force: true });
    throw error;
  }
}

/**
 * Replaces the file in the same way, unless a later fence has done so for the same store. Only for a
 * process that holds the store's lock.
 */
export function vouch(path: string, owner: DrawnOwner): void {
  if (!isVouchedFor(path, owner)) closeSync(beginAnew(path, owner));
}

function isVouchedFor(path: string, { storeId, fence }: DrawnOwner): boolean {
  const file = openAnyway(path);
  if (file === undefined) return false;
  try {
    const there = readHead(file).readBigUInt64LE(fenceAt);
    return there > fence && isOwn(file, { storeId, fence: there });
  } finally {
    closeSync(file);
  }
}

/**
 * Notes that all lots of a pool are taken up to a serial, if there is a file. Only for a process that
 * holds the store's lock: without it, one of two notes made at once may be lost.
 *
 * The file is replaced: an earlier copy that is written over this one has the inode of another, though
 * it was a copy of this very file.
 */
export function raiseAt(path: string, pool: string, serial: number): void {
  const file = openAnyway(path);
  if (file === undefined) return;
  try {
    const at = find(file, pool);
    if (at !== undefined && readSerial(file, at) >= serial) return;
    if (!replaceRaised(path, file, { pool, serial })) write(file, at, pool, serial);
  } finally {
    closeSync(file);
  }
}

/** False if the file belongs to no store here, which it must not do afterwards, or if the disk is full. */
function replaceRaised(
  path: string,
  file: number,
  { pool, serial }: { pool: string; serial: number },
): boolean {
  const head = readHead(file);
  const owner = {
    storeId: head.subarray(storeIdAt, fenceAt),
    fence: head.readBigUInt64LE(fenceAt),
  };
  if (!isOwn(file, owner)) return false;
  const hash = hashOf(pool);
  const places = placesIn(file);
  const at = placeOf(places, hash);
  const place = Buffer.concat([hash, numberOf(serial)]);
  if (at !== undefined) place.copy(places, at);
  // The same name each time: one that a killed process has left is gone with the next note.
  const made = `${path}-new`;
  try {
    rmSync(made, { force: true });
    const all = at === undefined ? Buffer.concat([places, place]) : places;
    closeSync(replace(path, made, { owner, places: all }));
    return true;
  } catch {
    return false;
  }
}

/** Writes a pool's serial to its place, or to a new one behind the others. */
export function write(file: number, at: number | undefined, pool: string, serial: number): void {
  const number = numberOf(serial);
  if (at !== undefined) {
    writeSync(file, number, 0, 8, at + hashLength);
    return;
  }
  const end = headLength + placesIn(file).length;
  writeSync(file, Buffer.concat([hashOf(pool), number]), 0, placeLength, end);
}

/** Where the place of a pool is in a file, if it has one. */
export function find(file: number, pool: string): number | undefined {
  const at = placeOf(placesIn(file), hashOf(pool));
  return at === undefined ? undefined : headLength + at;
}

function placeOf(places: Buffer, hash: Buffer): number | undefined {
  for (let at = 0; at < places.length; at += placeLength) {
    if (places.subarray(at, at + hashLength).equals(hash)) return at;
  }
  return undefined;
}

function numberOf(serial: number): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(BigInt(serial));
  return number;
}

export function readSerial(file: number, at: number): number {
  const serial = Buffer.alloc(8);
  readSync(file, serial, 0, 8, at + hashLength);
  return Number(serial.readBigUInt64LE());
}

/** To read alone if it cannot be written to. */
export function openAnyway(path: string): number | undefined {
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

export function hashOf(pool: string): Buffer {
  return createHash('sha256').update(pool, 'latin1').digest().subarray(0, hashLength);
}

/** How far the file at a path says that pools were drawn, whatever store it belongs to. */
function placesAt(path: string): Buffer {
  const file = openAnyway(path);
  if (file === undefined) return Buffer.alloc(0);
  try {
    return placesIn(file);
  } finally {
    closeSync(file);
  }
}

/** The whole places of a file. */
function placesIn(file: number): Buffer {
  const count = Math.max(0, Math.floor((fstatSync(file).size - headLength) / placeLength));
  const places = Buffer.alloc(count * placeLength);
  readSync(file, places, 0, places.length, headLength);
  return places;
}

function readHead(file: number): Buffer {
  const head = Buffer.alloc(headLength);
  readSync(file, head, 0, headLength, 0);
  return head;
}

function headOf(file: number, { storeId, fence }: DrawnOwner): Buffer {
  const { ino, birthtimeNs } = fstatSync(file, { bigint: true });
  const head = Buffer.alloc(headLength);
  head.set(magic);
  head.writeBigUInt64LE(ino, 8);
  head.writeBigUInt64LE(birthtimeNs, 16);
  head.set(storeId, storeIdAt);
  head.writeBigUInt64LE(fence, fenceAt);
  return head;
}
