import crypto from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const chunkSize = 1 << 24;

/** Sixteen bytes of every secret number of a key, as encoded and as OpenSSL's limbs lie in memory. */
export function needlesOf(pkcs8: Buffer): Buffer[] {
  const key = crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const jwk = key.export({ format: 'jwk' });
  return (['d', 'p', 'q', 'dp', 'dq', 'qi'] as const)
    .flatMap((name) => jwk[name] ?? [])
    .map((text) => Buffer.from(text, 'base64url').subarray(8, 24))
    .flatMap((bytes) => [bytes, Buffer.from(bytes).reverse()]);
}

/**
 * Counts, for each needle, the places in the memory of a child process where it stands, on request
 * without the pages that are kept out of core dumps: those are made for secrets. Linux only: reads
 * the memory that the kernel shows to a process's parent.
 */
export function countInMemory(
  pid: number,
  needles: readonly Buffer[],
  where: 'everywhere' | 'outside secret pages' = 'everywhere',
): number[] {
  const counts = needles.map(() => 0);
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(chunkSize + overlap);
  for (const { start, end, secret } of readableRegions(pid)) {
    if (secret && where === 'outside secret pages') continue;
    for (let at = start; at < end; at += chunkSize) {
      const length = Math.min(chunkSize + overlap, end - at);
      const read = readAt(memory, chunk, length, at);
      // A match that begins in the overlap is counted with the next chunk.
      needles.forEach((needle, i) => {
        counts[i] = (counts[i] ?? 0) + countIn(chunk.subarray(0, read), needle, chunkSize);
      });
    }
  }
  closeSync(memory);
  return counts;
}

interface Region {
  readonly start: number;
  readonly end: number;
  /** Marked with MADV_DONTDUMP, which proc(5) calls dd. */
  readonly secret: boolean;
}

function readableRegions(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/smaps`, 'utf8')
    .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
    .filter((text) => / r\S{3} /.test(text) && !/\[(vvar|vsyscall|vdso)/.test(text))
    .map((text) => {
      const [start = 0, end = 0] = (text.split(' ')[0] ?? '')
        .split('-')
        .map((address) => Number.parseInt(address, 16));
      return { start, end, secret: /^VmFlags:.* dd\b/m.test(text) };
    });
}

function readAt(file: number, into: Buffer, length: number, at: number): number {
  try {
    return readSync(file, into, 0, length, at);
  } catch {
    // Pages of a mapping that has no memory behind it.
    return 0;
  }
}

function countIn(haystack: Buffer, needle: Buffer, before: number): number {
  let count = 0;
  for (let at = haystack.indexOf(needle); at >= 0 && at < before; count++) {
    at = haystack.indexOf(needle, at + 1);
  }
  return count;
}
