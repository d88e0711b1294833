import type { CredentialDirectory } from '../service/credentials.ts';
import type { Log } from './log.ts';

const minute = 60_000;
const hour = 60 * minute;
// Until then, a client that still uses an expired session is told that it has expired.
const keptFor = 24 * hour;
// Less than an hour, so that a process whose turn it was is not late for the next.
const between = 55 * minute;

type Credentials = Pick<CredentialDirectory, 'now' | 'removeExpired' | 'takeSweep'>;

/**
 * Removes expired sessions, now and every hour, until the returned function is called. Of the processes
 * that share a store one does so each time.
 */
export function removeExpiredSessions(credentials: Credentials, log: Log): () => void {
  let isStopped = false;
  const remove = () =>
    sweep(credentials).then(
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

async function sweep(credentials: Credentials): Promise<number> {
  if (!(await credentials.takeSweep(between))) return 0;
  return credentials.removeExpired(credentials.now() - keptFor);
}
