import { setTimeout as pause } from 'node:timers/promises';
import { StoreError, unavailable } from './store-errors.ts';

// As long as a lock is waited for. Each attempt loses to a change that succeeded, so that there is
// progress all the while.
const limit = 5000;
const longestPause = 20;

/**
 * Repeats an attempt until it returns something other than undefined or false: one that returns those
 * has met the change of another.
 *
 * @throws KmsError KMSInternalException if others came first for five seconds
 */
export async function retry<T>(attempt: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + limit;
  for (let longest = 1; ; longest = Math.min(2 * longest, longestPause)) {
    const result = await attempt();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > end) {
      return unavailable(new StoreError('busy', `changes of others came first for ${limit} ms`));
    }
    // At random, so that those who met do not meet again.
    await pause(longest * Math.random());
  }
}
