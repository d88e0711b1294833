/**
 * Starts work and abandons it if the signal is aborted. `start` gets a callback that takes the
 * function which abandons the work; the work then rejects. Without a signal there is no callback,
 * and work that checks the signal itself need not call it.
 *
 * Rejects with the signal's reason if the signal was aborted before the start.
 */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (onStart?: (abort: () => void) => void) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return start();
  if (signal.aborted) return Promise.reject(signal.reason);
  let abort: (() => void) | undefined;
  const work = start((stop) => {
    abort = stop;
  });
  return abort === undefined ? work : abandoning(signal, abort, work);
}

async function abandoning<T>(signal: AbortSignal, abort: () => void, work: Promise<T>): Promise<T> {
  const listener = () => abort();
  signal.addEventListener('abort', listener, { once: true });
  try {
    return await work;
  } finally {
    signal.removeEventListener('abort', listener);
  }
}
