/**
 * Starts work that can be abandoned and ties it to a signal. `start` passes on a function that
 * abandons the work, which then rejects; without a signal there is nothing to pass on to.
 *
 * @throws the signal's reason where it was aborted before the start
 */
export async function abortable<T>(
  signal: AbortSignal | undefined,
  start: (onStart?: (abort: () => void) => void) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return start();
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const listener = () => abort?.();
  const work = start((stop) => {
    abort = stop;
  });
  // What is done at once cannot be abandoned.
  if (abort === undefined) return work;
  signal.addEventListener('abort', listener, { once: true });
  try {
    return await work;
  } finally {
    signal.removeEventListener('abort', listener);
  }
}
