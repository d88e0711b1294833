import { closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import type { Native } from '../native.ts';

type ViewFile = Native['viewFile'];

// Two numbers of 32 bits in the processor's order, modulo 2^32: of the commit that was the last to
// begin, and of the one that was the last to end.
const begunAt = 0;
const endedAt = 4;
const length = 8;

/**
 * Counts the commits of a store in a file that all processes share. Whoever may write to the store
 * says when a commit begins and, once every process sees it, that it has ended; whoever reads looks
 * at memory. A process that dies in between leaves the numbers apart, until the next commit ends.
 *
 * LMDB counts commits as well, in its lock file; but a process that opens and closes that file loses
 * LMDB's locks on it (fcntl(2)).
 */
export class CommitCounter {
  readonly #file: number;
  readonly #words: Uint32Array | undefined;
  #mine = 0;

  private constructor(file: number, words: Uint32Array | undefined) {
    this.#file = file;
    this.#words = words;
  }

  /** @throws Error where the file cannot be opened for writing */
  static open(path: string, viewFile: ViewFile): CommitCounter {
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    ftruncateSync(file, length);
    const view = viewFile(path, length);
    return new CommitCounter(file, view && new Uint32Array(view));
  }

  /**
   * The number of the last commit; undefined while one is under way, and where memory does not show
   * the file.
   */
  last(): number | undefined {
    if (this.#words === undefined) return undefined;
    const begun = Atomics.load(this.#words, begunAt / 4);
    return begun === Atomics.load(this.#words, endedAt / 4) ? begun : undefined;
  }

  /** Only for whoever holds the store's lock on writing. */
  begin(): void {
    this.#mine = (this.#read(begunAt) + 1) >>> 0;
    this.#write(begunAt, this.#mine);
  }

  /** After `begin`, when every process sees the commit, or when there will be none. */
  end(): void {
    // A later one may have ended already: this process holds the lock no more.
    const isLast = ((this.#mine - this.#read(endedAt)) | 0) > 0;
    if (isLast) this.#write(endedAt, this.#mine);
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(at: number): number {
    const word = new Uint32Array(1);
    readSync(this.#file, word, 0, 4, at);
    return word[0] as number;
  }

  #write(at: number, number: number): void {
    writeSync(this.#file, Uint32Array.of(number), 0, 4, at);
  }
}
