import { statSync } from 'node:fs';
import { replaced } from './faults.ts';

/** Identifies the file at a path by device and inode; undefined if there is no file. */
export function inodeOf(file: string): string | undefined {
  const status = statSync(file, { bigint: true, throwIfNoEntry: false });
  return status && `${status.dev}:${status.ino}`;
}

/**
 * The files that a connection has open, by their inodes. SQLite removes the file of changes and the
 * shared memory only when the last connection to a store is closed. If one of their paths has
 * another file or no file before that, no other process sees this connection's commits, and they
 * are lost with the process.
 */
export class OpenFiles {
  /** The inode of the store's file. */
  readonly inode: string;
  readonly #file: string;
  readonly #inodes: ReadonlyMap<string, string>;

  /** @param companions suffixes of the other open files' names */
  constructor(file: string, inode: string, companions: readonly string[] = ['-wal', '-shm']) {
    this.#file = file;
    this.inode = inode;
    const inodes = new Map([[file, inode]]);
    for (const name of companions.map((end) => file + end)) {
      const other = inodeOf(name);
      if (other !== undefined) inodes.set(name, other);
    }
    this.#inodes = inodes;
  }

  /** @throws StoreError if a file is no longer at its path */
  requireSame(): void {
    for (const [name, inode] of this.#inodes) {
      if (inodeOf(name) !== inode) throw replaced(name);
    }
  }

  /**
   * Whether only the file of changes was removed, and not replaced: this connection still has it
   * open, so its commits can be saved.
   */
  get lackOnlyChanges(): boolean {
    const changes = `${this.#file}-wal`;
    return [...this.#inodes].every(
      ([name, inode]) => inodeOf(name) === (name === changes ? undefined : inode),
    );
  }
}
