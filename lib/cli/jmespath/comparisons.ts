import { GeneralError } from '../errors.ts';
import { pythonTypeName } from '../python/python-text.ts';
import { compareText } from '../python/text-order.ts';
import { Dictionary, type Value } from '../python/value.ts';

export type Comparator = 'eq' | 'ne' | keyof typeof orderings;

const orderings = {
  lt: { sign: '<', holds: (order: number) => order < 0 },
  lte: { sign: '<=', holds: (order: number) => order <= 0 },
  gt: { sign: '>', holds: (order: number) => order > 0 },
  gte: { sign: '>=', holds: (order: number) => order >= 0 },
} as const;

/** Null if the two have no order. */
export function compare(comparator: Comparator, left: Value, right: Value): boolean | null {
  if (comparator === 'eq' || comparator === 'ne') {
    return isSame(left, right) === (comparator === 'eq');
  }
  const { sign, holds } = orderings[comparator];
  if (!isComparable(left) || !isComparable(right)) return null;
  // NaN has no order: it is neither below, nor above, nor equal.
  return !Number.isNaN(left) && !Number.isNaN(right) && holds(order(left, right, sign));
}

/** Zero is true. */
export function isFalse(value: Value): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Dictionary) return value.size === 0;
  return value === '' || value === null || value === false;
}

/** Compares two numbers or two texts, texts by their characters. `sign` is for the complaint. */
export function order(left: Comparable, right: Comparable, sign = '<'): number {
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  if (typeof left === 'string' || typeof right === 'string') {
    const types = `'${pythonTypeName(left)}' and '${pythonTypeName(right)}'`;
    throw new GeneralError(`'${sign}' not supported between instances of ${types}`);
  }
  return left < right ? -1 : left > right ? 1 : 0;
}

export type Comparable = string | number | bigint;

export function isComparable(value: Value): value is Comparable {
  return typeof value === 'string' || isNumber(value);
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isSame(left: Value, right: Value): boolean {
  return typeof left === 'boolean' || typeof right === 'boolean'
    ? left === right
    : isEqual(left, right);
}

/** Python's equality inside lists and dictionaries, where true equals 1. */
export function isEqual(left: Value, right: Value): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((l, i) => isEqual(l, right[i] as Value));
  }
  if (left instanceof Dictionary && right instanceof Dictionary) {
    const isThere = (key: string, member: Value) =>
      right.has(key) && isEqual(member, right.get(key) as Value);
    return left.size === right.size && [...left].every(([key, member]) => isThere(key, member));
  }
  const [l, r] = [asNumber(left), asNumber(right)];
  // biome-ignore lint/suspicious/noDoubleEquals: 1n and 1 are the same number.
  return isNumber(l) && isNumber(r) ? l == r : left === right;
}

function asNumber(value: Value): Value {
  return typeof value === 'boolean' ? Number(value) : value;
}
