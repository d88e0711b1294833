import cluster, { type Worker } from 'node:cluster';
import { ConfigurationError } from '../core/configuration-error.ts';
import type { Snapshot } from './metrics.ts';

/** A message to a worker from the process that started it. */
export type Order =
  | { readonly order: 'listen'; readonly port: number | undefined }
  | { readonly order: 'reload' | 'drain' }
  | { readonly order: 'measure'; readonly id: number };

/** A message from a worker. */
export type Report =
  | { readonly report: 'opened' }
  | { readonly report: 'listening'; readonly url: string }
  | { readonly report: 'refused'; readonly message: string; readonly hint: string | undefined }
  | { readonly report: 'measured'; readonly id: number; readonly snapshot: Snapshot };

/** How a worker ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly livedMilliseconds: number;
}

/** A promise that waits for a report. */
interface Wait {
  /** Returns whether this was the report that was waited for. */
  take(report: Report): boolean;
  fail(error: Error): void;
}

const measureWithin = 5000;

/** A worker, from its start to its end. */
export class WorkerProcess {
  readonly ended: Promise<End>;
  readonly #worker: Worker;
  readonly #waits = new Set<Wait>();
  #isListening = false;
  #hasEnded = false;
  #measurements = 0;
  #lastSnapshot: Snapshot | undefined;

  /** @param env variables to add to this process's environment */
  constructor(env: NodeJS.ProcessEnv) {
    const started = performance.now();
    this.#worker = cluster.fork(env);
    this.#worker.on('message', (report: Report) => this.#receive(report));
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#hasEnded = true;
        this.#failAll(new Error(`a worker ended with ${signal ?? `exit code ${code}`}`));
        resolve({ code, signal, livedMilliseconds: performance.now() - started });
      };
      this.#worker.once('exit', end);
      // The event also comes if a message was lost; without a pid the worker never started.
      this.#worker.on('error', () => this.pid === undefined && end(null, null));
    });
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  get isListening(): boolean {
    return this.#isListening && !this.#hasEnded;
  }

  /** The worker's metrics as of the last `measure` that it answered. */
  get lastSnapshot(): Snapshot | undefined {
    return this.#lastSnapshot;
  }

  /** Resolves when the worker is ready to listen. @throws ConfigurationError; Error if it ended */
  async opened(): Promise<void> {
    await this.#report('opened');
  }

  /** Resolves to the URL. @throws ConfigurationError if it cannot; Error if it ended */
  async listen(port: number | undefined): Promise<string> {
    this.tell({ order: 'listen', port });
    const { url } = await this.#report('listening');
    this.#isListening = true;
    return url;
  }

  /** The worker's metrics; if it does not answer, those of the last time. */
  async measure(): Promise<Snapshot | undefined> {
    const id = ++this.#measurements;
    this.tell({ order: 'measure', id });
    try {
      const answer = await this.#report('measured', {
        isMeant: (report) => report.id === id,
        within: measureWithin,
      });
      this.#lastSnapshot = answer.snapshot;
    } catch {
      // The worker has ended, or is too busy.
    }
    return this.#lastSnapshot;
  }

  tell(order: Order): void {
    if (this.#worker.isConnected()) this.#worker.send(order);
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #receive(report: Report): void {
    if (report.report === 'refused') {
      const { message, hint } = report;
      this.#failAll(new ConfigurationError(message, hint === undefined ? {} : { hint }));
      return;
    }
    for (const wait of this.#waits) if (wait.take(report)) this.#waits.delete(wait);
  }

  #failAll(error: Error): void {
    for (const wait of this.#waits) wait.fail(error);
    this.#waits.clear();
  }

  #report<R extends Report['report']>(
    kind: R,
    options: {
      readonly isMeant?: (report: Extract<Report, { report: R }>) => boolean;
      readonly within?: number;
    } = {},
  ): Promise<Extract<Report, { report: R }>> {
    const { isMeant = () => true, within } = options;
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(new Error('the worker has ended'));
      const wait: Wait = {
        take(report) {
          const meant = report as Extract<Report, { report: R }>;
          if (report.report !== kind || !isMeant(meant)) return false;
          clearTimeout(timer);
          resolve(meant);
          return true;
        },
        fail(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waits.add(wait);
      const giveUp = () => this.#waits.delete(wait) && reject(new Error('no answer'));
      const timer = within === undefined ? undefined : setTimeout(giveUp, within);
    });
  }
}
