import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Native } from '../native/addon.ts';

type ViewFile = Native['viewFile'];

// Two numbers of 32 bits in the processor's order, modulo 2^32: of the commit that was the last to
// begin, and of the one that was the last to end.
const begunAt = 0;
const endedAt = 4;
const length = 8;

/** The file as it was opened. */
interface Opened {
  readonly file: number;
  readonly inode: number;
}

/**
 * Counts the commits of a store in a file that all processes share. A process that writes to the store
 * says when a commit begins and, before anybody is told that it was done, that it has ended; a
 * CommitReader looks at memory. Until then a reader may still go by what was there before.
 *
 * SQLite counts commits as well, in its shared memory; but a process that opens and closes that file
 * loses SQLite's locks on it (fcntl(2)), and asking SQLite takes as long as reading a record.
 */
export class CommitWriter {
  readonly #path: string;
  #opened: Opened;
  #mine = 0;

  /** @throws Error if the file cannot be opened for writing */
  constructor(path: string) {
    this.#path = path;
    this.#opened = openOrMake(path);
  }

  /** The caller must hold the store's lock on writing. */
  begin(): void {
    this.#follow();
    requireWhole(this.#path, fstatSync(this.#opened.file).size);
    const [begun, ended] = [this.#read(begunAt), this.#read(endedAt)];
    // Under the lock, none has ended that did not begin, unless somebody wrote into the file: counting
    // on from the earlier of the two numbers, this commit would not be said to have ended.
    const isLater = ((begun + 1 - ended) | 0) > 0;
    this.#mine = ((isLater ? begun : ended) + 1) >>> 0;
    this.#write(begunAt, this.#mine);
  }

  /** After `begin`, when every process sees the commit, or when there will be none. */
  end(): void {
    // A later one may have ended already: this process holds the lock no more.
    const isLast = ((this.#mine - this.#read(endedAt)) | 0) > 0;
    if (isLast) this.#write(endedAt, this.#mine);
  }

  close(): void {
    closeSync(this.#opened.file);
  }

  /** Takes the file that is at the path now, if that is another one. */
  #follow(): void {
    const { file, inode } = this.#opened;
    if (inodeOf(this.#path) === inode) return;
    this.#opened = openOrMake(this.#path);
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

/** Reads from shared memory what a CommitWriter counts. */
export class CommitReader {
  readonly #path: string;
  readonly #viewFile: ViewFile;
  #inode: number | undefined;
  #words: Uint32Array | undefined;

  constructor(path: string, viewFile: ViewFile) {
    this.#path = path;
    this.#viewFile = viewFile;
    this.follow();
  }

  /** The number of the last commit that ended; undefined if memory does not show the file. */
  last(): number | undefined {
    return this.#words && Atomics.load(this.#words, endedAt / 4);
  }

  /**
   * Looks whether the file is still the one that others count in. Without a file nothing is remembered
   * until the next commit makes one.
   */
  follow(): void {
    try {
      const inode = inodeOf(this.#path);
      if (inode === this.#inode && this.#words !== undefined) return;
      this.#inode = inode;
      this.#words = inode === undefined ? undefined : this.#view();
    } catch {
      this.#words = undefined;
    }
  }

  close(): void {
    this.#words = undefined;
  }

  #view(): Uint32Array | undefined {
    const file = openToView(this.#path);
    try {
      const status = fstatSync(file);
      // A process that has a file in memory is ended by a signal if the file is cut short.
      if (status.size !== length) return undefined;
      const view = viewOf(status, () => {
        const view = this.#viewFile(this.#path, length);
        // Another file may have come to the path in between.
        return inodeOf(this.#path) === status.ino ? view : undefined;
      });
      return view && new Uint32Array(view);
    } finally {
      closeSync(file);
    }
  }
}

// One for all stores of a process that have the same file open: memory is given back by the garbage
// collector, some time.
const views = new Map<string, WeakRef<ArrayBuffer>>();

function viewOf(
  { dev, ino }: { dev: number; ino: number },
  make: () => ArrayBuffer | undefined,
): ArrayBuffer | undefined {
  const name = `${dev}:${ino}`;
  const current = views.get(name)?.deref();
  if (current !== undefined) return current;
  for (const [other, view] of views) if (view.deref() === undefined) views.delete(other);
  const fresh = make();
  if (fresh !== undefined) views.set(name, new WeakRef(fresh));
  return fresh;
}

function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}

function openToFollow(path: string, mode: number): number {
  return openSync(path, mode | constants.O_NOFOLLOW);
}

/** For writing if it may: a file of an overlay's lower layer is another one once it was written to. */
function openToView(path: string): number {
  try {
    return openToFollow(path, constants.O_RDWR);
  } catch {
    return openToFollow(path, constants.O_RDONLY);
  }
}

function openOrMake(path: string): Opened {
  const size = lstatSync(path, { throwIfNoEntry: false })?.size;
  // Not in its place: a process that has it in memory would be ended by a signal.
  if (size === 0) rmSync(path);
  if (!size) make(path);
  const file = openToFollow(path, constants.O_RDWR);
  const { ino: inode, size: found } = fstatSync(file);
  try {
    requireWhole(path, found);
    return { file, inode };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** @throws Error if a file of this size is no counter: it would be read as one that stands still */
function requireWhole(path: string, size: number): void {
  if (size === length) return;
  throw new Error(`${path} has ${size} bytes instead of ${length}: remove it, it is made anew`);
}

/** Makes the file, unless another process does: whole, since others look at it at once. */
function make(path: string): void {
  const begun = randomBytes(4);
  const made = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  // Begins anywhere, so that it goes on from no other file that was here.
  writeFileSync(made, Buffer.concat([begun, begun]), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(made, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(made);
  }
}
