import type { MetricsAddress } from '../../http/serving.ts';
import type { PoolDescription } from '../../service/pool-api.ts';
import { PoolWorker } from '../../service/pool-worker.ts';
import { oneShot, type RunCommand, type Service, type TextSink, withService } from '../context.ts';
import { readMetrics } from '../settings/metrics-settings.ts';
import { stopAt } from './stop-signals.ts';

const lineEvery = 10_000;

/** The kinds of work; one that is asked for by its option excludes those that are not. */
const kinds = ['--pools', '--batches'] as const;

export const run: RunCommand = async (given, own, context) => {
  const isLimited = kinds.some((kind) => given.has(kind));
  const wants = (kind: (typeof kinds)[number]) => !isLimited || given.has(kind);
  const metrics = readMetrics(given);
  const stop = stopAt('SIGTERM', 'SIGINT');
  const { signal } = stop;
  const status = new StatusLine(context.stderr);
  const onTrouble = (sentence: string) => status.tell(sentence);
  const fillPools = (pools: Service['pools']) =>
    new PoolWorker({
      pools,
      signal,
      onStatus: (listed) => status.show(listed),
      onAdded: (pairs) => status.add(pairs),
      onTrouble,
    }).run();
  const mintBatches = (batches: Service['batches']) =>
    batches.work({ signal, onSettled: (pairs) => status.settled(pairs), onTrouble });
  try {
    await withService(context, oneShot(own), async (service) => {
      const { pools, batches } = service;
      const served = metrics && (await listen(service, metrics));
      if (served !== undefined) status.tell(`metrics at ${served.url}`);
      try {
        await Promise.all([
          ...(wants('--pools') ? [fillPools(pools)] : []),
          ...(wants('--batches') ? [mintBatches(batches)] : []),
        ]);
      } finally {
        await served?.close();
      }
    });
  } finally {
    stop.release();
  }
  status.end('the worker has stopped');
  return 0;
};

async function listen(service: Service, address: MetricsAddress) {
  const { serveMetrics } = await import('../../http/serving.ts');
  return serveMetrics(service, address);
}

/** One line that is drawn anew on a terminal; otherwise a line when something changes, not often. */
class StatusLine {
  readonly #sink: TextSink;
  #text = '';
  #added = 0;
  #addedAt = performance.now();
  #wasFull: boolean | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;
  #pools: readonly PoolDescription[] | undefined;
  /** Pairs of batches, in all and since the last line. */
  #minted = 0;
  #mintedNow = 0;
  #mintedAt = performance.now();

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  add(pairs: number): void {
    this.#added += pairs;
  }

  /** Counts pairs of a batch that were stored. */
  settled(pairs: number): void {
    this.#minted += pairs;
    this.#mintedNow += pairs;
    const now = performance.now();
    // The first time at once.
    const isNews = this.#minted === pairs || now - this.#shownAt >= lineEvery;
    if (this.#sink.isTerminal || isNews) this.#draw(now);
  }

  show(pools: readonly PoolDescription[]): void {
    this.#pools = pools;
    const now = performance.now();
    const isFull = pools.every(({ level, target }) => level >= target);
    const isNews = isFull !== this.#wasFull || (!isFull && now - this.#shownAt >= lineEvery);
    this.#wasFull = isFull;
    if (this.#sink.isTerminal || isNews) this.#draw(now);
  }

  #draw(now: number): void {
    const parts = [this.#describePools(now), this.#describeBatches(now)];
    this.#text = `pairmint: ${parts.filter((part) => part !== undefined).join('; ')}`;
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

  #describePools(now: number): string | undefined {
    const pools = this.#pools;
    if (pools === undefined) return undefined;
    const total = (of: 'level' | 'target') => pools.reduce((sum, pool) => sum + pool[of], 0);
    const rate = (1000 * this.#added) / Math.max(1, now - this.#addedAt);
    this.#added = 0;
    this.#addedAt = now;
    const waiting = `${pools.length} pools, ${total('level')} of ${total('target')} pairs wait`;
    return `${waiting}${perSecond(rate)}`;
  }

  #describeBatches(now: number): string | undefined {
    if (this.#minted === 0) return undefined;
    const rate = (1000 * this.#mintedNow) / Math.max(1, now - this.#mintedAt);
    this.#mintedNow = 0;
    this.#mintedAt = now;
    return `${this.#minted} pairs of batches minted${perSecond(rate)}`;
  }
}

function perSecond(rate: number): string {
  return rate > 0 ? `, ${rate.toFixed(1)}/s` : '';
}
