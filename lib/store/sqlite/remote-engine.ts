import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Answer, Calls } from './calls.ts';
import { closed } from './faults.ts';
import type { Engine } from './local-engine.ts';
import { script } from './script.ts';

// Only a failing disk keeps the engine's event loop busy for so long.
const answerLimit = 15_000;
// Longer than calls wait for a lock.
const closeLimit = 10_000;

/**
 * Works on a store's file in a process of its own, for Node.js without SQLite. The packages that
 * bring SQLite crash the process on some damaged files, and if a thread is terminated while inside
 * SQLite (tried: @photostructure/sqlite 1.2.1, libsql 0.5.29). Here a crash is just a failed call.
 */
export class RemoteEngine implements Engine {
  readonly #file: string;
  #process: EngineProcess | undefined;
  #inode: string | undefined;
  #isClosed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** As LocalEngine. */
  async open({ isThere }: { isThere: boolean }): Promise<void> {
    this.#process = new EngineProcess(this.#file, { isThere });
    this.#inode = (await this.#process.call('open', [])) as string;
  }

  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#isClosed) throw closed();
    if (this.#process === undefined || this.#process.hasEnded) {
      this.#process = new EngineProcess(this.#file, { isThere: true, inode: this.#inode });
    }
    // Called all the time and answered quickly, so a missing answer means that the process hangs.
    if (method === 'dataVersion') return this.#process.callAndWatch(method, args);
    return this.#process.call(method, args);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#process?.close();
  }
}

class EngineProcess {
  readonly #child: ChildProcess;
  readonly #calls: Calls;
  readonly #ended: Promise<void>;
  #hasEnded = false;

  constructor(file: string, options: { isThere: boolean; inode?: string | undefined }) {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const args = [file, `${options.isThere}`];
    if (options.inode !== undefined) args.push(options.inode);
    this.#child = fork(script(import.meta.url, 'engine-process'), args, {
      env,
      execArgv: [],
      serialization: 'advanced',
      // Output of a crashing engine is dropped.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#calls = new Calls((isBusy) => this.#keepAlive(isBusy));
    this.#keepAlive(false);
    this.#child.on('message', (answer: Answer) => this.#calls.settle(answer));
    this.#child.on('error', (error) => this.#end(error.message));
    this.#ended = once(this.#child, 'exit').then(
      ([code, signal]) => this.#end(`${signal ?? `exit code ${code}`}`),
      () => {},
    );
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#calls.make(
      (call) => this.#child.send(call, (error) => error && this.#end(error.message)),
      method,
      args,
    );
  }

  /** Makes a call and ends the process if no answer comes: it may be frozen for ever. */
  async callAndWatch(method: string, args: readonly unknown[]): Promise<unknown> {
    const end = () => this.#child.kill('SIGKILL');
    let timer = setTimeout(() => {
      // If both processes were frozen, this timer fires before the answer arrives: wait a little
      // more.
      timer = setTimeout(end, 1000).unref();
    }, answerLimit).unref();
    try {
      return await this.call(method, args);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the file is closed. */
  async close(): Promise<void> {
    if (this.#hasEnded) return;
    this.#keepAlive(true);
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), closeLimit);
    await this.#ended;
    clearTimeout(timer);
  }

  #keepAlive(isBusy: boolean): void {
    const { channel } = this.#child;
    if (isBusy) {
      this.#child.ref();
      channel?.ref();
    } else {
      this.#child.unref();
      channel?.unref();
    }
  }

  #end(reason: string): void {
    this.#hasEnded = true;
    this.#calls.failAll(`the process that works on the store has ended: ${reason}`);
  }
}
