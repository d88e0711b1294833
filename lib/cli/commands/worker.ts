import type { PoolDescription } from '../../service/pool-api.ts';
import { PoolWorker } from '../../service/pool-worker.ts';
import { oneShot, type RunCommand, type TextSink, withService } from '../context.ts';
import { stopAt } from './stop-signals.ts';

const lineEvery = 10_000;

export const run: RunCommand = async (_given, own, context) => {
  const stop = stopAt('SIGTERM', 'SIGINT');
  const status = new StatusLine(context.stderr);
  try {
    await withService(context, oneShot(own), async ({ pools }) => {
      const worker = new PoolWorker({
        pools,
        signal: stop.signal,
        onStatus: (listed) => status.show(listed),
        onAdded: (pairs) => status.add(pairs),
        onTrouble: (sentence) => status.tell(sentence),
      });
      await worker.run();
    });
  } finally {
    stop.release();
  }
  status.end('the worker has stopped');
  return 0;
};

/** One line that is drawn anew on a terminal; otherwise a line when something changes, not often. */
class StatusLine {
  readonly #sink: TextSink;
  #text = '';
  #added = 0;
  #addedAt = performance.now();
  #wasFull: boolean | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  add(pairs: number): void {
    this.#added += pairs;
  }

  show(pools: readonly PoolDescription[]): void {
    const now = performance.now();
    const isFull = pools.every(({ level, target }) => level >= target);
    const isNews = isFull !== this.#wasFull || (!isFull && now - this.#shownAt >= lineEvery);
    if (!this.#sink.isTerminal && !isNews) return;
    this.#text = this.#describe(pools, now);
    this.#wasFull = isFull;
    this.#shownAt = now;
    this.#sink.write(this.#sink.isTerminal ? `\r${this.#text}\x1b[K` : `${this.#text}\n`);
  }

  /** Says something of its own; a status that stood there is drawn again below it. */
  tell(sentence: string): void {
    const isTerminal = this.#sink.isTerminal === true;
    this.#sink.write(`${isTerminal ? '\r\x1b[K' : ''}pairmint: ${sentence}\n`);
    if (isTerminal) this.#sink.write(this.#text);
  }

  /** The last sentence, below which nothing is drawn. */
  end(sentence: string): void {
    this.#text = '';
    this.tell(sentence);
  }

  #describe(pools: readonly PoolDescription[], now: number): string {
    const total = (of: 'level' | 'target') => pools.reduce((sum, pool) => sum + pool[of], 0);
    const rate = (1000 * this.#added) / Math.max(1, now - this.#addedAt);
    this.#added = 0;
    this.#addedAt = now;
    const minted = rate > 0 ? `, ${rate.toFixed(1)}/s` : '';
    return `pairmint: ${pools.length} pools, ${total('level')} of ${total('target')} pairs wait${minted}`;
  }
}
