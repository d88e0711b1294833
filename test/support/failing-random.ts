import { expect } from 'vitest';
import { internals } from './internals.ts';

/**
 * Has each call for random bytes fail, one after the other, and says how many calls `mint` makes.
 *
 * @param onFailure called after each failure
 */
export function failEachRandomCall(mint: () => unknown, onFailure = () => {}): number {
  for (let calls = 0; ; calls++) {
    internals.failRandomAfter(calls);
    try {
      mint();
      return calls;
    } catch (error) {
      expect(error).toMatchObject({ code: 'entropy' });
      onFailure();
    } finally {
      internals.failRandomAfter(-1);
    }
  }
}
