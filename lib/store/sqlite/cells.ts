import { StoreError } from '../store-errors.ts';
import type { SqlValue } from './engine.ts';

// SQLite checks the types of columns only as it writes. On reading it trusts the page, and a page
// in the place of another has rows of other columns.

/** @throws StoreError if a value is not of its column's type */
export function bytesOf(value: SqlValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw misplaced();
}

/** @throws StoreError as bytesOf does */
export function textOf(value: SqlValue | undefined): string {
  if (typeof value === 'string') return value;
  throw misplaced();
}

/** @throws StoreError as bytesOf does */
export function numberOf(value: SqlValue | undefined): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw misplaced();
}

function misplaced(): StoreError {
  return new StoreError('corrupt', 'a row has values that are not of its columns');
}
