import type { Change } from '../change.ts';
import { sameValue } from '../key-store.ts';
import type { SqlValue } from './driver.ts';

/** Changes as the functions of the schema take them, in the order in which rows are locked. */
export function valuesOf(changes: readonly Change[]): [string[], SqlValue[], SqlValue[]] {
  const ordered = [...changes].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const bytes = (value: Uint8Array | undefined) =>
    value === undefined ? null : Buffer.from(value);
  return [
    ordered.map(({ path }) => path),
    ordered.map(({ expected }) => bytes(expected)),
    ordered.map(({ next }) => bytes(next)),
  ];
}

/** Whether something that was there is replaced or removed, which may take access away. */
export function takeAway(changes: readonly Change[]): boolean {
  return changes.some(({ expected, next }) => expected !== undefined && !sameValue(expected, next));
}
