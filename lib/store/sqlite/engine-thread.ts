import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Answer, Calls } from './calls.ts';
import { script } from './script.ts';

// Longer than calls under way wait for a lock.
const closeLimit = 10_000;

/** The handle of a thread that works on a store's file. It keeps the process alive while busy. */
export class EngineThread {
  readonly #worker: Worker;
  readonly #calls: Calls;
  readonly #ended: Promise<unknown>;
  #hasEnded = false;

  /**
   * @param name the name of the program beside this module
   * @param workerData passed to the program
   */
  constructor(name: 'write-thread' | 'read-thread', workerData: object) {
    this.#worker = new Worker(script(import.meta.url, name), {
      name: 'pairmint store',
      workerData,
      execArgv: [],
    });
    this.#worker.unref();
    this.#calls = new Calls((isBusy) => (isBusy ? this.#worker.ref() : this.#worker.unref()));
    this.#worker.on('message', (answers: readonly Answer[]) => {
      for (const answer of answers) this.#calls.settle(answer);
    });
    this.#worker.on('error', (error) => this.#end(error.message));
    this.#worker.on('exit', () => this.#end('it was ended'));
    this.#ended = once(this.#worker, 'exit').catch(() => {});
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#calls.make((call) => this.#worker.postMessage(call), method, args);
  }

  /** Resolves when the thread has ended; if it takes too long, it is terminated. */
  async close(): Promise<void> {
    if (this.#hasEnded) return;
    const timer = setTimeout(() => void this.#worker.terminate(), closeLimit);
    await Promise.all([this.call('close', []).catch(() => {}), this.#ended]);
    clearTimeout(timer);
  }

  #end(reason: string): void {
    this.#hasEnded = true;
    this.#calls.failAll(`the thread that works on the store has ended: ${reason}`);
  }
}
