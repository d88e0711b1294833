import type { CredentialDirectory } from '../service/credentials.ts';
import type { Log } from './log.ts';

const hour = 3_600_000;
// Until then, a client that still uses an expired session is told that it has expired.
const keptFor = 24 * hour;

/** Removes expired sessions, now and every hour, until the returned function is called. */
export function removeExpiredSessions(
  credentials: Pick<CredentialDirectory, 'removeExpired'>,
  log: Log,
): () => void {
  let isStopped = false;
  const remove = () =>
    credentials.removeExpired(Date.now() - keptFor).then(
      (removed) => removed > 0 && log.info({ removed }, 'expired sessions removed'),
      (error: Error) => {
        // The store may be closed while some are being removed: the next process removes the rest.
        if (!isStopped) log.warn({ reason: error.message }, 'expired sessions cannot be removed');
      },
    );
  void remove();
  const timer = setInterval(() => void remove(), hour).unref();
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}
