import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Native } from '../native.ts';

type ViewFile = Native['viewFile'];

// Two numbers of 32 bits in the processor's order, modulo 2^32: of the commit that was the last to
// begin, and of the one that was the last to end.
const begunAt = 0;
const endedAt = 4;
const length = 8;
// A file that was deleted or replaced counts for nobody else any more.
const lookEvery = 500;

/** The file as it was opened. */
interface Opened {
  readonly file: number;
  readonly inode: number;
  /** Undefined where memory cannot show the file. */
  readonly words: Uint32Array | undefined;
}

/**
 * Counts the commits of a store in a file that all processes share. Whoever may write to the store
 * says when a commit begins and, once every process sees it, that it has ended; whoever reads looks
 * at memory. A process that dies in between leaves the numbers apart, until the next commit ends.
 *
 * LMDB counts commits as well, in its lock file; but a process that opens and closes that file loses
 * LMDB's locks on it (fcntl(2)).
 */
export class CommitCounter {
  readonly #path: string;
  readonly #viewFile: ViewFile;
  readonly #timer: NodeJS.Timeout;
  #opened: Opened;
  #mine = 0;

  /** @throws Error where the file cannot be opened for writing */
  constructor(path: string, viewFile: ViewFile) {
    this.#path = path;
    this.#viewFile = viewFile;
    this.#opened = open(path, viewFile);
    this.#timer = setInterval(() => this.look(), lookEvery).unref();
  }

  /**
   * The number of the last commit; undefined while one is under way, and where memory does not show
   * the file.
   */
  last(): number | undefined {
    const { words } = this.#opened;
    if (words === undefined) return undefined;
    const begun = Atomics.load(words, begunAt / 4);
    return begun === Atomics.load(words, endedAt / 4) ? begun : undefined;
  }

  /** Only for whoever holds the store's lock on writing. */
  begin(): void {
    this.#follow();
    this.#mine = (this.#read(begunAt) + 1) >>> 0;
    this.#write(begunAt, this.#mine);
  }

  /** After `begin`, when every process sees the commit, or when there will be none. */
  end(): void {
    try {
      // A later one may have ended already: this process holds the lock no more.
      const isLast = ((this.#mine - this.#read(endedAt)) | 0) > 0;
      if (isLast) this.#write(endedAt, this.#mine);
    } catch {
      // The commit stands. While the numbers are apart, everything is read anew.
    }
  }

  close(): void {
    clearInterval(this.#timer);
    closeSync(this.#opened.file);
  }

  /** Looks whether the file is still the one that others count in. */
  look(): void {
    try {
      this.#follow();
    } catch {
      // Others may count in a file that this process cannot open.
      this.#opened = { ...this.#opened, words: undefined };
    }
  }

  /** Takes the file that is at the path now, if that is another one. */
  #follow(): void {
    const { file, inode } = this.#opened;
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === inode) return;
    this.#opened = open(this.#path, this.#viewFile);
    closeSync(file);
  }

  #read(at: number): number {
    const word = new Uint32Array(1);
    readSync(this.#opened.file, word, 0, 4, at);
    return word[0] as number;
  }

  #write(at: number, number: number): void {
    writeSync(this.#opened.file, Uint32Array.of(number), 0, 4, at);
  }
}

function open(path: string, viewFile: ViewFile): Opened {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  // Not in its place: whoever has it in memory would be ended by a signal.
  if (size === 0) rmSync(path);
  if (!size) make(path);
  const file = openSync(path, 'r+');
  try {
    const { ino: inode, size } = fstatSync(file);
    if (size !== length) throw new Error(`${path} has ${size} bytes instead of ${length}`);
    const view = viewFile(path, length);
    return { file, inode, words: view && new Uint32Array(view) };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** Makes the file, unless another process does: whole, since others look at it at once. */
function make(path: string): void {
  const begun = randomBytes(4);
  const made = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  // Begins anywhere, so that it goes on from no other file that was here; the mode is that of LMDB's.
  writeFileSync(made, Buffer.concat([begun, begun]), { mode: 0o664, flag: 'wx' });
  try {
    linkSync(made, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(made);
  }
}
