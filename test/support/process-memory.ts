import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const chunkSize = 1 << 24;

/**
 * Counts, for each needle, the places in the memory of a child process where it stands. Linux only:
 * reads what the kernel shows of a process to its parent.
 */
export function countInMemory(pid: number, needles: readonly Buffer[]): number[] {
  const counts = needles.map(() => 0);
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(chunkSize + overlap);
  for (const { start, end } of readableRegions(pid)) {
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

function readableRegions(pid: number): { start: number; end: number }[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .filter((line) => / r\S{3} /.test(line) && !/\[(vvar|vsyscall|vdso)/.test(line))
    .map((line) => {
      const [start = 0, end = 0] = (line.split(' ')[0] ?? '')
        .split('-')
        .map((address) => Number.parseInt(address, 16));
      return { start, end };
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
