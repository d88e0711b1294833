import { GeneralError } from '../errors.ts';
import { asciiJson } from '../python/json-text.ts';
import { pythonTypeName } from '../python/python-text.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { type Comparable, isComparable, isEqual, isNumber, order } from './comparisons.ts';
import { wrongType } from './errors.ts';

/** An expression that was given to a function, to be applied to each item of a list. */
export interface Reference {
  readonly kind: 'reference';
  readonly target: (item: Value) => Value;
}

export type Argument = Value | Reference;

/** `any` is any value; a reference is not a value. */
type Type =
  | 'any'
  | 'array'
  | 'array-number'
  | 'array-string'
  | 'boolean'
  | 'expref'
  | 'number'
  | 'object'
  | 'string';

interface FunctionOfJmespath {
  /** The types of each argument; of the last one's successors, too, in a variadic function. */
  readonly takes: readonly (readonly Type[])[];
  readonly isVariadic?: true;
  // Arguments were checked against `takes` before, which types cannot follow.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly run: (...args: any[]) => Value;
}

type Number = number | bigint;

const functions: Readonly<Record<string, FunctionOfJmespath>> = {
  abs: { takes: [['number']], run: (of: Number) => (of < 0 ? -of : of) },
  avg: {
    takes: [['array-number']],
    run: (of: Number[]) => (of.length === 0 ? null : Number(sum(of)) / of.length),
  },
  ceil: { takes: [['number']], run: (of: Number) => whole(of, Math.ceil) },
  contains: { takes: [['array', 'string'], ['any']], run: contains },
  ends_with: {
    takes: [['string'], ['string']],
    run: (text: string, end: string) => text.endsWith(end),
  },
  floor: { takes: [['number']], run: (of: Number) => whole(of, Math.floor) },
  join: {
    takes: [['string'], ['array-string']],
    run: (separator: string, parts: string[]) => parts.join(separator),
  },
  keys: { takes: [['object']], run: (of: Dictionary) => [...of.keys()] },
  length: { takes: [['string', 'array', 'object']], run: (of) => BigInt(length(of)) },
  map: {
    takes: [['expref'], ['array']],
    run: ({ target }: Reference, items: Value[]) => items.map(target),
  },
  max: { takes: [['array-number', 'array-string']], run: (of) => extreme(of, of, 1) },
  max_by: {
    takes: [['array'], ['expref']],
    run: (items, by) => extreme(items, sortKeys('max_by', items, by), 1),
  },
  merge: {
    takes: [['object']],
    isVariadic: true,
    run: (...all: Dictionary[]) => new Dictionary(all.flatMap((one) => [...one])),
  },
  min: { takes: [['array-number', 'array-string']], run: (of) => extreme(of, of, -1) },
  min_by: {
    takes: [['array'], ['expref']],
    run: (items, by) => extreme(items, sortKeys('min_by', items, by), -1),
  },
  not_null: {
    takes: [['any']],
    isVariadic: true,
    run: (...all: Value[]) => all.find((value) => value !== null) ?? null,
  },
  reverse: {
    takes: [['array', 'string']],
    run: (of: string | Value[]) =>
      typeof of === 'string' ? Array.from(of).reverse().join('') : of.toReversed(),
  },
  sort: { takes: [['array-string', 'array-number']], run: (of) => sorted(of, of) },
  sort_by: { takes: [['array'], ['expref']], run: sortBy },
  starts_with: {
    takes: [['string'], ['string']],
    run: (text: string, start: string) => text.startsWith(start),
  },
  sum: { takes: [['array-number']], run: sum },
  to_array: { takes: [['any']], run: (of: Value) => (Array.isArray(of) ? of : [of]) },
  to_number: { takes: [['any']], run: toNumber },
  to_string: {
    takes: [['any']],
    run: (of: Value) => (typeof of === 'string' ? of : asciiJson(of)),
  },
  type: {
    takes: [['any', 'expref']],
    run: (of: Argument) => (isReference(of) ? null : typeOf(of)),
  },
  values: { takes: [['object']], run: (of: Dictionary) => [...of.values()] },
};

/** Throws GeneralError, with the AWS CLI's text, for what the function does not take. */
export function callFunction(name: string, args: readonly Argument[]): Value {
  if (!Object.hasOwn(functions, name)) throw new GeneralError(`Unknown function: ${name}()`);
  const { takes, isVariadic, run } = functions[name] as FunctionOfJmespath;
  if (isVariadic ? args.length < takes.length : args.length !== takes.length) {
    const least = isVariadic ? 'at least ' : '';
    const noun = takes.length === 1 ? 'argument' : 'arguments';
    throw new GeneralError(
      `Expected ${least}${takes.length} ${noun} for function ${name}(), received ${args.length}`,
    );
  }
  for (const [i, given] of args.entries()) {
    checkType(name, given, takes[i] ?? takes.at(-1) ?? []);
  }
  return run(...args);
}

function checkType(name: string, given: Argument, types: readonly Type[]): void {
  if (types[0] === 'any' && !isReference(given)) return;
  const type = isReference(given) ? 'expref' : typeOf(given);
  const [matching] = types.filter((allowed) => allowed.split('-')[0] === type);
  if (matching === undefined) {
    throw wrongType(name, isReference(given) ? '<expression>' : given, type, types);
  }
  const itemTypes = types.flatMap((allowed) => allowed.split('-')[1] ?? []);
  if (Array.isArray(given) && itemTypes.length > 0) checkItems(name, given, types, itemTypes);
}

/** The first item decides on the type of all. */
function checkItems(
  name: string,
  items: readonly Value[],
  types: readonly Type[],
  itemTypes: readonly string[],
): void {
  const [first = null] = items;
  const allowed = itemTypes.length === 1 ? itemTypes[0] : typeOf(first);
  for (const item of items) {
    if (typeOf(item) !== allowed || !itemTypes.includes(allowed)) {
      throw wrongType(name, item, pythonTypeName(item), types);
    }
  }
}

function isReference(value: Argument): value is Reference {
  return typeof value === 'object' && value !== null && 'target' in value;
}

function typeOf(value: Value): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return isNumber(value) ? 'number' : typeof value;
}

function sum(of: readonly Number[]): Number {
  const isWhole = of.every((each) => typeof each === 'bigint');
  return isWhole
    ? of.reduce((total: bigint, each) => total + (each as bigint), 0n)
    : of.reduce((total: number, each) => total + Number(each), 0);
}

function whole(of: Number, round: (of: number) => number): bigint {
  if (typeof of === 'bigint') return of;
  if (!Number.isFinite(of)) {
    const what = Number.isNaN(of) ? 'NaN' : 'infinity';
    throw new GeneralError(`cannot convert float ${what} to integer`);
  }
  return BigInt(round(of));
}

function length(of: string | Value[] | Dictionary): number {
  if (of instanceof Dictionary) return of.size;
  return typeof of === 'string' ? Array.from(of).length : of.length;
}

function contains(subject: string | Value[], search: Value): boolean {
  if (typeof subject !== 'string') return subject.some((item) => isEqual(item, search));
  if (typeof search !== 'string') {
    const type = pythonTypeName(search);
    throw new GeneralError(`'in <string>' requires string as left operand, not ${type}`);
  }
  return subject.includes(search);
}

const integerText = /^\s*[-+]?\d+(_\d+)*\s*$/;
const floatText =
  /^\s*[-+]?((\d+(_\d+)*)?\.?(\d+(_\d+)*)?(e[-+]?\d+(_\d+)*)?|inf(inity)?|nan)\s*$/i;

function toNumber(of: Value): Value {
  if (typeof of !== 'string') return isNumber(of) ? of : null;
  const digits = of.replaceAll('_', '').trim().toLowerCase();
  if (integerText.test(of)) return BigInt(digits.replace('+', ''));
  if (!floatText.test(of) || !/\d|inf|nan/.test(digits)) return null;
  return Number(digits.replace(/inf(inity)?/, 'Infinity').replace(/[-+]?nan/, 'NaN'));
}

function extreme(items: readonly Value[], by: readonly Comparable[], sign: 1 | -1): Value {
  let best = 0;
  for (const [i, key] of by.entries()) {
    const isBetter = order(key, by[best] as Comparable, sign === 1 ? '>' : '<') * sign > 0;
    best = i > 0 && isBetter ? i : best;
  }
  return items[best] ?? null;
}

function sorted(items: readonly Value[], by: readonly Comparable[]): Value[] {
  return items
    .map((item, i) => ({ item, key: by[i] as Comparable }))
    .sort((left, right) => order(left.key, right.key))
    .map(({ item }) => item);
}

function sortBy(items: Value[], by: Reference): Value {
  const [first] = items;
  if (first === undefined) return items;
  const type = typeOf(by.target(first));
  if (type !== 'number' && type !== 'string') {
    throw wrongType('sort_by', first, type, ['string', 'number']);
  }
  return sorted(items, sortKeys('sort_by', items, by, [type]));
}

function sortKeys(
  name: string,
  items: readonly Value[],
  { target }: Reference,
  types: readonly string[] = ['number', 'string'],
): Comparable[] {
  return items.map((item) => {
    const key = target(item);
    if (!isComparable(key) || !types.includes(typeOf(key))) {
      throw wrongType(name, key, typeOf(key), types);
    }
    return key;
  });
}
