import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import type { Entry } from '../key-store.ts';
import { StoreError } from '../store-errors.ts';
import { EngineThread } from './engine-thread.ts';
import { closed, storeError } from './faults.ts';
import type { ReadThreadData } from './read-thread.ts';
import { Reader } from './reader.ts';

/** Runs the methods of a store's file, those of `Reader` and of `Writer`. */
export interface Engine {
  /** @throws StoreError */
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

// Takes about a millisecond.
const listedAtOnce = 100;
const lockLimit = 5000;
const retryEvery = 5;
// Methods that read the whole file; each call gets a thread of its own.
const readAlone: readonly string[] = ['backup', 'faults'];

/**
 * Reads in this thread, which is quicker than asking another one, and writes in a second thread.
 */
export class LocalEngine implements Engine {
  readonly #file: string;
  #inode: string | undefined;
  #reader: Reader | undefined;
  #writer: EngineThread | undefined;
  readonly #reading = new Set<EngineThread>();
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  #isClosed = false;
  /** Why the file was given up for good. */
  #left: StoreError | undefined;

  /** @param inode the inode that the file must have, if known */
  constructor(file: string, { inode }: { inode?: string | undefined } = {}) {
    this.#file = file;
    this.#inode = inode;
  }

  /**
   * Makes the file if it does not exist, and checks that it can be read.
   *
   * @returns the inode of the file that the engine works on from now on
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
      // The process that was making the file may have been killed.
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
      const page = await this.#read((reader) => reader.list(prefix, last, wanted));
      entries.push(...page);
      if (page.length < wanted || entries.length >= limit) return entries;
      last = page.at(-1)?.path;
    }
  }

  /** Reads; waits for a lock without blocking the thread. */
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

  /** Makes the next read open the file again, so that nothing read from a failing disk is kept. */
  #failed(failure: StoreError): StoreError {
    if (failure.fault === 'replaced') this.#leave(failure);
    else this.#close();
    return failure;
  }

  /**
   * Gives up files that are no longer at their paths. First saves the commits in a file of changes
   * that was removed; afterwards never touches the files that others may make in their place.
   */
  #leave(failure: StoreError): void {
    if (this.#left !== undefined) return;
    this.#left = failure;
    try {
      this.#reader?.saveChanges();
    } catch {
      // The caller reports the earlier failure.
    }
    this.#close();
    void this.#writer?.close();
  }

  /** Runs a method that reads the whole file, in a thread of its own. */
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
   * Makes sure that the writing thread writes to the files that this thread reads. If these were
   * removed, the writing thread may have opened others.
   */
  #requireSame(): void {
    try {
      this.#reader?.requireSame();
    } catch (error) {
      const failure = storeError(error);
      if (failure.fault === 'replaced') this.#leave(failure);
    }
    // A check or another call may have found it out meanwhile.
    if (this.#left === undefined) return;
    throw new StoreError('outcome unknown', this.#left.message, { cause: this.#left });
  }
}

/**
 * Copies an argument's bytes into a buffer of their own. A view would be sent with its whole
 * buffer, which a small Buffer shares with others.
 */
function owned(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(owned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, owned(part)]));
}
