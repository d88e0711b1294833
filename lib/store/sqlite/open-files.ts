import { statSync } from 'node:fs';
import { replaced } from './faults.ts';

/** What tells a file from another one at its path, device included; undefined if there is none. */
export function inodeOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/**
 * The files that a connection has open, by their inodes. SQLite removes the file of changes and the
 * shared memory when the last connection to a store is closed, never before: once another is at one of
 * their paths, or none, what is committed reaches nobody else and would not outlive the process.
 */
export class OpenFiles {
  /** Of the store's file. */
  readonly inode: string;
  readonly #file: string;
  readonly #inodes: ReadonlyMap<string, string>;

  /** @param companions ends of the names of the files that are open beside the store's */
  constructor(file: string, inode: string, companions: readonly string[] = ['-wal', '-shm']) {
    this.#file = file;
    this.inode = inode;
    const inodes = new Map([[file, inode]]);
    for (const name of companions.map((end) => file + end)) {
      const there = inodeOf(name);
      if (there !== undefined) inodes.set(name, there);
    }
    this.#inodes = inodes;
  }

  /** @throws StoreError if a file is not at its path any more */
  requireSame(): void {
    for (const [name, inode] of this.#inodes) {
      if (inodeOf(name) !== inode) throw replaced(name);
    }
  }

  /**
   * Whether the file of changes is gone, nothing else, and no other one has its place: whoever has it
   * open still has all that is in it.
   */
  get lackOnlyChanges(): boolean {
    const changes = `${this.#file}-wal`;
    return [...this.#inodes].every(
      ([name, inode]) => inodeOf(name) === (name === changes ? undefined : inode),
    );
  }
}
