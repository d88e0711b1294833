import { setMaxListeners } from 'node:events';

export interface InParallelOptions {
  /** How many results to make. */
  readonly count: number;
  /** How many may be under way or wait to be taken at a time. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes several results at a time and yields them as they come. A slow consumer slows the work
 * down. If the generator ends early, because of a failure, the signal or the consumer, it abandons
 * the work under way and waits for it.
 *
 * @throws the failure of `make`, or the signal's reason
 */
export async function* inParallel<T extends {}>(
  make: (signal: AbortSignal) => Promise<T>,
  { count, concurrency, signal }: InParallelOptions,
): AsyncGenerator<T, void, undefined> {
  const stop = new AbortController();
  // Each piece of work under way adds a listener.
  setMaxListeners(0, stop.signal);
  const underWay = new Set<Promise<void>>();
  const results: T[] = [];
  const failures: unknown[] = [];
  let started = 0;
  let wake = () => {};
  const leave = () => {
    failures.push(signal?.reason);
    wake();
  };
  const start = () => {
    started++;
    const work: Promise<void> = make(stop.signal)
      .then(
        (result) => void results.push(result),
        (error) => void failures.push(error),
      )
      .then(() => {
        underWay.delete(work);
        wake();
      });
    underWay.add(work);
  };
  signal?.throwIfAborted();
  signal?.addEventListener('abort', leave, { once: true });
  try {
    while (failures.length === 0) {
      while (started < count && underWay.size + results.length < concurrency) start();
      const next = results.shift();
      if (next !== undefined) {
        yield next;
      } else if (underWay.size === 0) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    throw failures[0];
  } finally {
    signal?.removeEventListener('abort', leave);
    stop.abort();
    await Promise.all(underWay);
  }
}
