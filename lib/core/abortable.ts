/**
 * Starts work that can be abandoned and ties it to a signal. `start` passes on a function that
 * abandons the work, which then rejects; without a signal there is nothing to pass on to, and work
 * that looks at the signal by itself passes on nothing.
 *
 * Rejects with the signal's reason where it was aborted before the start.
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
