import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../core/error-message.ts';
import type { Log } from './log.ts';
import type { Snapshot } from './metrics.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkersOptions {
  readonly count: number;
  /** That all of them listen on; the server's own by default. */
  readonly port: number | undefined;
  readonly log: Log;
  /** What their environment has besides that of this process. */
  readonly env: NodeJS.ProcessEnv;
}

// A worker that ends as soon as it starts must not take all the time; the first is replaced at once.
const firstPause = 100;
const longestPause = 10_000;
// A worker that lived for so long ended for another reason than its predecessor.
const longLife = 60_000;

/**
 * Processes that serve one port, whose socket they share: this program again, started with the same
 * arguments. One that ends unasked is replaced.
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

  /** How many of them serve. */
  get listening(): number {
    return this.#listening().length;
  }

  /** How many were replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves to the URL when all listen. @throws ConfigurationError; Error if one ends */
  async start(): Promise<string> {
    // An idle worker accepts. The other way, this process hands connections over in turn, and one on
    // its way to a process that is killed stays open for ever, and is never answered.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    const first = Array.from({ length: this.#options.count }, () => this.#fork());
    try {
      await Promise.all(first.map((process) => process.opened()));
      // Together: the server is not said to be ready while some of it is not.
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
    // Those that do not listen yet have read the certificate, too.
    for (const process of this.#processes) process.tell({ order: 'reload' });
  }

  /** What all have counted, those that have ended included, so that no counter ever goes back. */
  async snapshots(): Promise<Snapshot[]> {
    await Promise.all(this.#listening().map((process) => process.measure()));
    // Read in one turn: one that ended meanwhile is either retired or among them.
    const last = [...this.#processes].map(({ lastSnapshot }) => lastSnapshot);
    return [this.#retired, ...last.filter((snapshot) => snapshot !== undefined)];
  }

  /** Has all of them drain and end; those that take longer than `milliseconds` are ended. */
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

  /** Replaces a process, and the one after it, until all are to stop. */
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

  /** Keeps what an ended process has counted; one at a time, for each adds to what it found. */
  async #retire(process: WorkerProcess): Promise<void> {
    const { countsOf, merge } = await import('./metrics.ts');
    const { lastSnapshot = [] } = process;
    const retired = await merge([this.#retired, countsOf(lastSnapshot)]);
    // In one turn: a reader finds its counts in one place.
    this.#retired = retired;
    this.#processes.delete(process);
  }
}
