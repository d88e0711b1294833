import { StoreError, type StoreFault } from '../store-errors.ts';

// SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html).
const faults: Readonly<Record<string, StoreFault>> = {
  '25006': 'read-only',
  '53100': 'full',
  '53200': 'failed',
  '55P03': 'busy',
  '57014': 'busy',
  XX001: 'corrupt',
  XX002: 'corrupt',
  '3F000': 'foreign',
  '42P01': 'foreign',
  '42703': 'foreign',
  '42883': 'foreign',
};

// A transaction met another one: nothing of it was done.
const conflicts = ['40001', '40P01'];

/** Any error as a StoreError. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const state = stateOf(error);
  const { message, code } = error as { message?: string; code?: string };
  const fault = state === undefined ? 'failed' : (faults[state] ?? 'failed');
  // Node.js leaves the message of several failed attempts empty.
  const text = message || code || String(error);
  return new StoreError(fault, state === undefined ? text : `${text} (SQLSTATE ${state})`);
}

/** The SQLSTATE that the server answered with; undefined if it did not answer. */
export function stateOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code)
    ? code
    : undefined;
}

export function isConflict(error: unknown): boolean {
  return conflicts.includes(stateOf(error) ?? '');
}

/**
 * Whether the connection is of no use any more, or leads to a server that takes no writes: nothing
 * is known of a statement that was under way.
 */
export function isLost(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const state = stateOf(error);
  return state === undefined || /^(?:08|57P|58|25006|53300)/.test(state);
}
