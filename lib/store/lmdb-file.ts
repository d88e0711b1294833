import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

// LMDB's data file begins with two meta pages: a header of 24 bytes, then (native byte order) a
// magic number, the format's version, and, further on, the page size and the last page in use.
const magic = 0xbeefc0de;
const version = 2;
const magicAt = 24;
const versionAt = 28;
const pageSizeAt = 48;
const lastPageAt = 144;
const metaLength = 160;

/**
 * Says what is wrong with an LMDB data file, or nothing. LMDB itself maps the file and trusts it: a
 * file of another kind, or one that was cut short, ends the process with a signal.
 */
export function faultOf(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const descriptor = openSync(file, 'r');
  try {
    return fstatSync(descriptor).size === 0 ? undefined : faultIn(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes room for `pages` more at a data file's end, without taking it from the disk. LMDB does not
 * write the pages that a transaction takes and gives back, so that without this a sound file may be
 * shorter than it says. Only for whoever holds LMDB's lock on writing.
 */
export function makeRoom(file: string, pages: number): void {
  const descriptor = openSync(file, 'r+');
  try {
    const { size, needed, pageSize } = extentOf(descriptor) ?? { size: 0, needed: 0, pageSize: 0 };
    const wanted = needed + pages * pageSize;
    if (size < wanted) ftruncateSync(descriptor, wanted);
  } finally {
    closeSync(descriptor);
  }
}

function faultIn(descriptor: number): string | undefined {
  const extent = extentOf(descriptor);
  if (extent === undefined) return 'it is not an LMDB file';
  const { size, needed } = extent;
  return size < needed ? `it has been cut short: ${size} of ${needed} bytes are left` : undefined;
}

function extentOf(descriptor: number) {
  const first = readMeta(descriptor, 0);
  const pageSize = first?.pageSize ?? 0;
  const second = pageSize >= metaLength ? readMeta(descriptor, pageSize) : undefined;
  if (first === undefined || second === undefined) return undefined;
  // Asked for last: another process may be writing, and extends the file before it says so.
  const { size } = fstatSync(descriptor);
  return { size, pageSize, needed: (Math.max(first.lastPage, second.lastPage) + 1) * pageSize };
}

function readMeta(descriptor: number, at: number) {
  const meta = Buffer.alloc(metaLength);
  if (readSync(descriptor, meta, 0, metaLength, at) < metaLength) return undefined;
  if (meta.readUInt32LE(magicAt) !== magic || meta.readUInt32LE(versionAt) !== version) {
    return undefined;
  }
  return {
    pageSize: meta.readUInt32LE(pageSizeAt),
    lastPage: Number(meta.readBigUInt64LE(lastPageAt)),
  };
}
