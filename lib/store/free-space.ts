import { statfsSync } from 'node:fs';

// On a full disk lmdb ends the process: it maps lock.mdb, a sparse file, so that touching a page of
// it gives SIGBUS, and after a write that the disk cut short it damages the heap (lmdb 3.5.6 on
// tmpfs). That file takes 12 KiB and a commit a few dozen; 1 MiB leaves room for other processes that
// commit at the same moment, and is nothing to a disk that is not about to be full.
const margin = 2 ** 20;

/** @throws Error of code ENOSPC where the disk that `folder` is on is too full to write to safely */
export function checkFreeSpace(folder: string): void {
  const { blocks, bavail, bsize } = statfsSync(folder);
  // Some network and FUSE file systems do not know their size, and say 0.
  if (blocks === 0 || bavail * bsize >= margin) return;
  const message = `ENOSPC: no space left on device, ${bavail * bsize} of ${margin} bytes are free`;
  throw Object.assign(new Error(message), { code: 'ENOSPC' });
}
