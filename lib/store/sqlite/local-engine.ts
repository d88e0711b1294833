import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import type { Entry } from '../key-store.ts';
import { StoreError } from '../store-errors.ts';
import { EngineThread } from './engine-thread.ts';
import { closed, storeError } from './faults.ts';
import type { ReadThreadData } from './read-thread.ts';
import { Reader } from './reader.ts';

/** Runs the methods of a store's file: `Reader`'s, and those of its writer. */
export interface Engine {
  /** @throws StoreError */
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

// About a millisecond's worth.
const listedAtOnce = 100;
const lockLimit = 5000;
const retryEvery = 5;
// What reads the whole file, in threads that end with it.
const readAlone: readonly string[] = ['backup', 'faults'];

/** Reads in this thread, which takes less time than asking another one, and writes in one of its own. */
export class LocalEngine implements Engine {
  readonly #file: string;
  #inode: string | undefined;
  #reader: Reader | undefined;
  #writer: EngineThread | undefined;
  readonly #reading = new Set<EngineThread>();
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  #isClosed = false;
  /** Why the file was left, for good. */
  #left: StoreError | undefined;

  /** @param inode of the file that it must be, if one is known */
  constructor(file: string, { inode }: { inode?: string | undefined } = {}) {
    this.#file = file;
    this.#inode = inode;
  }

  /**
   * Makes the file if there is none, and sees whether it can be read.
   *
   * @returns the inode of the file that it works on from now on
   * @throws StoreError
   */
  async open({ isThere }: { isThere: boolean }): Promise<string> {
    await this.#open({ isThere });
    return this.#inode as string;
  }

  async #open({ isThere }: { isThere: boolean }): Promise<void> {
    if (!isThere) await this.#write('make', []);
    try {
      await this.call('dataVersion', []);
    } catch (error) {
      if (['foreign', 'replaced'].includes(storeError(error).fault)) throw error;
      // Whoever was about to make it may have been killed.
      await this.#write('make', []).catch(() => {
        throw error;
      });
      await this.call('dataVersion', []);
    }
  }

  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#isClosed) throw closed();
    if (this.#left !== undefined) throw this.#left;
    if (readAlone.includes(method)) return this.#readAlone(method, args);
    if (method === 'list') return this.#list(...(args as [string, string | undefined, number]));
    if (method in Reader.prototype) {
      return this.#read((reader) => {
        const read = reader[method as 'get'] as (...args: unknown[]) => unknown;
        return read.apply(reader, [...args]);
      });
    }
    return this.#write(method, args.map(owned));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    Atomics.store(this.#stop, 0, 1);
    this.#close();
    await Promise.all([...this.#reading].map((thread) => thread.close()));
    await this.#writer?.close();
  }

  async #list(prefix: string, after: string | undefined, limit: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let last = after; ; await turn()) {
      const wanted = Math.min(listedAtOnce, limit - entries.length);
      const some = await this.#read((reader) => reader.list(prefix, last, wanted));
      entries.push(...some);
      if (some.length < wanted || entries.length >= limit) return entries;
      last = some.at(-1)?.path;
    }
  }

  /** Reads; waits for a lock without holding up the thread. */
  async #read<T>(read: (reader: Reader) => T): Promise<T> {
    const end = performance.now() + lockLimit;
    for (;;) {
      try {
        if (this.#reader?.isCurrent === false) this.#close();
        this.#reader ??= this.#newReader();
        return read(this.#reader);
      } catch (error) {
        const failure = storeError(error);
        if (failure.fault !== 'busy' || performance.now() > end) throw this.#failed(failure);
      }
      await pause(retryEvery);
      if (this.#isClosed) throw closed();
    }
  }

  #newReader(): Reader {
    const reader = new Reader(this.#file, { inode: this.#inode });
    this.#inode = reader.inode;
    return reader;
  }

  /** The next read begins anew, so that nothing of a failing disk stays. */
  #failed(failure: StoreError): StoreError {
    if (failure.fault === 'replaced') this.#leave(failure);
    else this.#close();
    return failure;
  }

  /**
   * Leaves files that are not at their paths any more. What was committed to a file of changes that
   * was removed is saved first; afterwards nothing that others may make in its place is touched.
   */
  #leave(failure: StoreError): void {
    if (this.#left !== undefined) return;
    this.#left = failure;
    try {
      this.#reader?.saveChanges();
    } catch {
      // The failure before this one is the one to tell.
    }
    this.#close();
    void this.#writer?.close();
  }

  /** What takes as long as the file is large. */
  async #readAlone(method: string, args: readonly unknown[]): Promise<unknown> {
    const data: ReadThreadData = { file: this.#file, inode: this.#inode, stop: this.#stop };
    const thread = new EngineThread('read-thread', data);
    this.#reading.add(thread);
    try {
      return await thread.call(method, args);
    } catch (error) {
      const failure = storeError(error);
      if (failure.fault === 'replaced') this.#leave(failure);
      throw failure;
    } finally {
      this.#reading.delete(thread);
    }
  }

  #close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  async #write(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#writer === undefined || this.#writer.hasEnded) {
      this.#writer = new EngineThread('write-thread', { file: this.#file, inode: this.#inode });
    }
    let result: unknown;
    try {
      result = await this.#writer.call(method, args);
    } catch (error) {
      const failure = storeError(error);
      if (failure.fault === 'replaced') this.#leave(failure);
      throw failure;
    }
    this.#requireSame();
    return result;
  }

  /**
   * Whether what was written is in the files that this thread reads: the one that writes may have
   * opened others, after these were removed.
   */
  #requireSame(): void {
    try {
      this.#reader?.requireSame();
    } catch (error) {
      const failure = storeError(error);
      if (failure.fault === 'replaced') this.#leave(failure);
    }
    // Or a look, or another call, found it out meanwhile.
    if (this.#left === undefined) return;
    throw new StoreError('outcome unknown', this.#left.message, { cause: this.#left });
  }
}

/**
 * A copy of an argument whose bytes lie in memory of their own: with a view, the whole of the memory
 * that it looks at would be sent, which a small Buffer shares with others.
 */
function owned(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(owned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, owned(part)]));
}
