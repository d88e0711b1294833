import { networkOf } from '../core/ip-address.ts';
import { arnPattern, type Lookup, type Matcher, textPattern } from './pattern.ts';

/** Whether a request fulfils one line of a Condition element: an operator, a key, its values. */
export type Condition = (lookup: Lookup) => boolean;

export interface ConditionSource {
  /** With its set operator and IfExists, as `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
  readonly effect: 'Allow' | 'Deny';
  /** Whether the policy's version knows policy variables. */
  readonly variables: boolean;
}

interface Operator {
  /** True for the …Not… operators, which also hold if the key is absent. */
  readonly negated: boolean;
  /** @returns undefined if the value is of the wrong kind */
  compile(value: string, variables: boolean): Matcher | undefined;
}

const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    ...family('String', 'Equals', text({ wildcards: false })),
    ...family('String', 'EqualsIgnoreCase', text({ wildcards: false, ignoreCase: true })),
    ...family('String', 'Like', text({ wildcards: true })),
    ...family('Arn', 'Equals', arn),
    ...family('Arn', 'Like', arn),
    ...comparisons('Numeric', numberOf),
    ...comparisons('Date', timeOf),
    Bool: { negated: false, compile: bool },
    IpAddress: { negated: false, compile: address },
    NotIpAddress: { negated: true, compile: address },
  }),
);

const operatorPattern = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/;

/**
 * Compiles a condition.
 *
 * In AWS, a key with several values needs a set operator; without one, the result is undefined.
 * Here an Allow then needs all values to fit and a Deny only one, so that a second spelling of an
 * encryption context key never gains access.
 *
 * @throws RangeError with a sentence about what is wrong
 */
export function compileCondition(source: ConditionSource): Condition {
  const [, set, name = '', ifExists] = operatorPattern.exec(source.operator) ?? [];
  // No condition key of a KMS operation is binary.
  if (name === 'BinaryEquals') {
    throw new RangeError(`The condition operator ${name} is not supported.`);
  }
  const key = source.key.toLowerCase();
  if (name === 'Null' && set === undefined && ifExists === undefined) return isNull(key, source);
  const operator = operators.get(name);
  if (operator === undefined) {
    throw new RangeError(`Invalid condition operator: ${JSON.stringify(source.operator)}.`);
  }
  const matchers = source.values.map((value) => compileValue(operator, value, source));
  const { negated } = operator;
  const fits = (value: string, lookup: Lookup) =>
    matchers.some((matches) => matches(value, lookup)) !== negated;
  const needsAll = set === 'ForAllValues' || (set === undefined && source.effect === 'Allow');
  const whenAbsent =
    ifExists !== undefined || set === 'ForAllValues' || (set === undefined && negated);
  return (lookup) => {
    const values = lookup(key);
    if (values === undefined || values.length === 0) return whenAbsent;
    return needsAll
      ? values.every((value) => fits(value, lookup))
      : values.some((value) => fits(value, lookup));
  };
}

function isNull(key: string, { values }: ConditionSource): Condition {
  const wanted = values.map((value) => value.toLowerCase());
  for (const value of wanted) {
    if (value !== 'true' && value !== 'false') {
      throw new RangeError(`Null takes true or false, not ${JSON.stringify(value)}.`);
    }
  }
  return (lookup) => wanted.includes(String((lookup(key)?.length ?? 0) === 0));
}

function compileValue(operator: Operator, value: string, source: ConditionSource): Matcher {
  const matcher = operator.compile(value, source.variables);
  if (matcher !== undefined) return matcher;
  throw new RangeError(
    `Invalid value for the condition operator ${source.operator}: ${JSON.stringify(value)}.`,
  );
}

function family(type: string, name: string, compile: Operator['compile']) {
  return {
    [`${type}${name}`]: { negated: false, compile },
    [`${type}Not${name}`]: { negated: true, compile },
  };
}

function text(syntax: { wildcards: boolean; ignoreCase?: boolean }): Operator['compile'] {
  return (value, variables) => textPattern(value, { ...syntax, variables });
}

function arn(value: string, variables: boolean): Matcher | undefined {
  return arnPattern(value, { variables });
}

function bool(value: string): Matcher | undefined {
  const wanted = value.toLowerCase();
  if (wanted !== 'true' && wanted !== 'false') return undefined;
  return (actual) => actual.toLowerCase() === wanted;
}

function address(value: string): Matcher | undefined {
  return networkOf(value);
}

function comparisons(type: string, read: (text: string) => number) {
  const comparing =
    (holds: (actual: number, wanted: number) => boolean): Operator['compile'] =>
    (value) => {
      const wanted = read(value);
      return Number.isNaN(wanted) ? undefined : (actual) => holds(read(actual), wanted);
    };
  const row = (holds: (actual: number, wanted: number) => boolean): Operator => ({
    negated: false,
    compile: comparing(holds),
  });
  return {
    ...family(
      type,
      'Equals',
      comparing((actual, wanted) => actual === wanted),
    ),
    [`${type}LessThan`]: row((actual, wanted) => actual < wanted),
    [`${type}LessThanEquals`]: row((actual, wanted) => actual <= wanted),
    [`${type}GreaterThan`]: row((actual, wanted) => actual > wanted),
    [`${type}GreaterThanEquals`]: row((actual, wanted) => actual >= wanted),
  };
}

function numberOf(value: string): number {
  return /^[+-]?\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
}

// The W3C's profile of ISO 8601, or seconds since the epoch; four digits are a year.
const datePattern =
  /^\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)?)?$/;

function timeOf(value: string): number {
  if (datePattern.test(value)) return Date.parse(value);
  return numberOf(value) * 1000;
}
