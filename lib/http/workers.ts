import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../core/error-message.ts';
import type { Log } from './log.ts';
import type { Snapshot } from './metrics.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkersOptions {
  readonly count: number;
  /** The port that all workers listen on; the server's default if undefined. */
  readonly port: number | undefined;
  readonly log: Log;
  /** Variables to add to this process's environment. */
  readonly env: NodeJS.ProcessEnv;
}

// The pause before the second replacement in a row: a worker that ends as soon as it starts must
// not keep the machine busy. The first replacement comes at once.
const firstPause = 100;
const longestPause = 10_000;
// The pause starts over after a worker that lived this long: it ended for a reason of its own.
const longLife = 60_000;

/**
 * Processes that share the socket of one port. Each runs this program with the same arguments. A
 * worker that ends unasked is replaced.
 */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #processes = new Set<WorkerProcess>();
  readonly #stop = new AbortController();
  #kept: readonly Promise<void>[] = [];
  #restarts = 0;
  #retired: Snapshot = [];
  #retiring = Promise.resolve();

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** How many workers serve. */
  get listening(): number {
    return this.#listening().length;
  }

  /** How many workers were replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves to the URL when all workers listen. @throws ConfigurationError; Error if one ends */
  async start(): Promise<string> {
    // Idle workers accept connections themselves. With SCHED_RR this process hands them over, and a
    // connection on its way to a worker that is killed stays open for ever and is never answered.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    const first = Array.from({ length: this.#options.count }, () => this.#fork());
    try {
      await Promise.all(first.map((process) => process.opened()));
      // All together: the server is ready only when every worker is.
      const [url = ''] = await Promise.all(first.map((process) => this.#listen(process)));
      this.#kept = first.map((process) => this.#keep(process));
      return url;
    } catch (error) {
      for (const process of first) process.kill();
      await Promise.all(first.map(({ ended }) => ended));
      throw error;
    }
  }

  reload(): void {
    // Workers that do not listen yet have already read the old certificate, too.
    for (const process of this.#processes) process.tell({ order: 'reload' });
  }

  /** The metrics of all workers, ended ones included, so that no counter ever goes back. */
  async snapshots(): Promise<Snapshot[]> {
    await Promise.all(this.#listening().map((process) => process.measure()));
    // Read in one turn of the event loop: a worker that ended meanwhile is then counted once,
    // either here or as retired.
    const last = [...this.#processes].map(({ lastSnapshot }) => lastSnapshot);
    return [this.#retired, ...last.filter((snapshot) => snapshot !== undefined)];
  }

  /** Makes all workers drain and end; ends those that take longer than `milliseconds`. */
  async drain(milliseconds: number): Promise<void> {
    this.#stop.abort();
    for (const process of this.#processes) {
      if (process.isListening) process.tell({ order: 'drain' });
      else process.kill();
    }
    const deadline = setTimeout(() => {
      for (const process of this.#processes) process.kill();
    }, milliseconds);
    await Promise.all(this.#kept);
    clearTimeout(deadline);
  }

  #listening(): WorkerProcess[] {
    return [...this.#processes].filter(({ isListening }) => isListening);
  }

  #listen(process: WorkerProcess): Promise<string> {
    return process.listen(this.#options.port);
  }

  #fork(): WorkerProcess {
    const process = new WorkerProcess(this.#options.env);
    this.#processes.add(process);
    return process;
  }

  /** Replaces a process, and each one after it, until all workers must stop. */
  async #keep(first: WorkerProcess): Promise<void> {
    const { signal } = this.#stop;
    let wait = firstPause;
    for (let process = first; ; process = this.#fork()) {
      if (process !== first) await this.#bringUp(process);
      const { livedMilliseconds, ...end } = await process.ended;
      this.#retiring = this.#retiring.then(() => this.#retire(process));
      await this.#retiring;
      if (signal.aborted) return;
      if (livedMilliseconds > longLife) wait = firstPause;
      this.#options.log.warn({ worker: process.pid, ...end, nextIn: wait }, 'a worker ended');
      await pause(wait, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      wait = Math.min(2 * wait, longestPause);
      this.#restarts++;
    }
  }

  async #bringUp(process: WorkerProcess): Promise<void> {
    const { log } = this.#options;
    const { pid: worker } = process;
    try {
      await process.opened();
      await this.#listen(process);
      log.info({ worker }, 'a worker was replaced');
    } catch (error) {
      log.error({ worker, reason: messageOf(error) }, 'a worker cannot serve');
      process.kill();
    }
  }

  /** Keeps the counts of an ended process. One at a time: each call adds to the sum it read. */
  async #retire(process: WorkerProcess): Promise<void> {
    const { countsOf, merge } = await import('./metrics.ts');
    const { lastSnapshot = [] } = process;
    const retired = await merge([this.#retired, countsOf(lastSnapshot)]);
    // In one turn of the event loop, so that a reader finds the counts in exactly one place.
    this.#retired = retired;
    this.#processes.delete(process);
  }
}
