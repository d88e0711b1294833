// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are spelled like that
import { describe, expect, test } from 'vitest';
import { compileCondition } from '../../lib/policy/conditions.ts';

interface Case {
  readonly values: readonly string[];
  readonly fits: readonly string[];
  readonly differs: readonly string[];
}

const arn = 'arn:aws:iam::111122223333:role/a';

/** Every operator that compares, with request values that fit its values and some that do not. */
const operators: Record<string, Case> = {
  StringEquals: { values: ['a', 'B*'], fits: ['a', 'B*'], differs: ['A', 'Bx', '', 'ab'] },
  StringEqualsIgnoreCase: { values: ['aB'], fits: ['ab', 'AB'], differs: ['a', 'abc'] },
  StringLike: { values: ['a*', '?'], fits: ['a', 'abc', 'Z'], differs: ['Abc', 'zz'] },
  ArnEquals: { values: ['arn:aws:iam::*:role/*'], fits: [arn], differs: ['x', `${arn}x`.slice(1)] },
  ArnLike: { values: [arn], fits: [arn], differs: [arn.toUpperCase(), `${arn}b`] },
  NumericEquals: { values: ['7', '-1.5'], fits: ['7', '7.0', '-1.50'], differs: ['8', 'x', ''] },
  NumericLessThan: { values: ['7'], fits: ['6', '-7'], differs: ['7', '8', 'x'] },
  NumericLessThanEquals: { values: ['7'], fits: ['6', '7'], differs: ['8', 'x'] },
  NumericGreaterThan: { values: ['7'], fits: ['8', '70'], differs: ['7', '6', 'x'] },
  NumericGreaterThanEquals: { values: ['7'], fits: ['7', '10'], differs: ['6', ''] },
  DateEquals: {
    values: ['2026-11-22T00:00:00Z'],
    fits: ['2026-11-22', '2026-11-22T01:00+01:00', '1795305600'],
    differs: ['2026-11-23', 'soon'],
  },
  DateLessThan: { values: ['2026'], fits: ['2025-12-31'], differs: ['2026-01-01', 'x'] },
  DateLessThanEquals: { values: ['2026'], fits: ['2026-01-01'], differs: ['2026-01-02'] },
  DateGreaterThan: { values: ['1795305600'], fits: ['2026-11-23'], differs: ['2026-11-22'] },
  DateGreaterThanEquals: { values: ['2026-11-22'], fits: ['1795305600'], differs: ['2026-11-21'] },
  IpAddress: {
    values: ['203.0.113.9/24', '2001:db8::/32', '192.0.2.1', '::1'],
    fits: ['203.0.113.0', '203.0.113.255', '2001:DB8:1::7', '192.0.2.1', '0:0::1'],
    differs: ['203.0.114.0', '2001:db9::', '192.0.2.2', '::2', '', 'x', '203.0.113.1/32'],
  },
  Bool: { values: ['true'], fits: ['true', 'TRUE'], differs: ['false', '', '1'] },
};

const opposites: Record<string, string> = {
  StringEquals: 'StringNotEquals',
  StringEqualsIgnoreCase: 'StringNotEqualsIgnoreCase',
  StringLike: 'StringNotLike',
  ArnEquals: 'ArnNotEquals',
  ArnLike: 'ArnNotLike',
  NumericEquals: 'NumericNotEquals',
  DateEquals: 'DateNotEquals',
  IpAddress: 'NotIpAddress',
};

const negated = Object.entries(opposites).map(([name, opposite]) => {
  const { values, fits, differs } = operators[name] as Case;
  return [opposite, { values, fits: differs, differs: fits }] as const;
});

const rows = [...Object.entries(operators), ...negated];

function holds(
  operator: string,
  values: readonly string[],
  actual: readonly string[] | undefined,
  { effect = 'Allow' as 'Allow' | 'Deny' } = {},
): boolean {
  const source = { operator, key: 'aws:Key', values, effect, variables: true };
  return compileCondition(source)((key) => (key === 'aws:key' ? actual : undefined));
}

describe.each(rows)('%s', (name, { values, fits, differs }) => {
  const isNegated = name.includes('Not');
  const [good = ''] = fits;
  const [bad = ''] = differs;

  test.each(fits)('holds for %j', (value) => expect(holds(name, values, [value])).toBe(true));

  test.each(differs)('does not hold for %j', (value) =>
    expect(holds(name, values, [value])).toBe(false),
  );

  test('holds for an absent key only if it is negated', () => {
    for (const absent of [undefined, []]) {
      expect(holds(name, values, absent)).toBe(isNegated);
      expect(holds(`${name}IfExists`, values, absent)).toBe(true);
      expect(holds(`ForAnyValue:${name}`, values, absent)).toBe(false);
      expect(holds(`ForAllValues:${name}`, values, absent)).toBe(true);
      expect(holds(`ForAnyValue:${name}IfExists`, values, absent)).toBe(true);
      expect(holds(`ForAllValues:${name}IfExists`, values, absent)).toBe(true);
    }
  });

  test('IfExists changes nothing for a present key', () => {
    expect(holds(`${name}IfExists`, values, [good])).toBe(true);
    expect(holds(`${name}IfExists`, values, [bad])).toBe(false);
  });

  test('set operators say how many values must fit', () => {
    expect(holds(`ForAnyValue:${name}`, values, [bad, good])).toBe(true);
    expect(holds(`ForAnyValue:${name}`, values, [bad, bad])).toBe(false);
    expect(holds(`ForAllValues:${name}`, values, [good, bad])).toBe(false);
    expect(holds(`ForAllValues:${name}`, values, [good, good])).toBe(true);
  });

  test('without a set operator several values must all fit to allow, and one to deny', () => {
    expect(holds(name, values, [good, bad])).toBe(false);
    expect(holds(name, values, [good, good])).toBe(true);
    expect(holds(name, values, [bad, good], { effect: 'Deny' })).toBe(true);
    expect(holds(name, values, [bad, bad], { effect: 'Deny' })).toBe(false);
  });

  test('no values at all are matched by nothing', () => {
    expect(holds(name, [], [good])).toBe(isNegated);
  });
});

test.each([
  ['true', undefined, true],
  ['true', [], true],
  ['true', ['x'], false],
  ['false', undefined, false],
  ['FALSE', ['x'], true],
])('Null %s of %j is %s', (value, actual, expected) => {
  expect(holds('Null', [value], actual)).toBe(expected);
});

test('policy variables are replaced in strings and ARNs', () => {
  const lookup = (key: string) => ({ 'aws:username': ['bob'], 'x:y': ['bob'] })[key];
  const condition = (operator: string, value: string, variables = true) =>
    compileCondition({ operator, key: 'x:y', values: [value], effect: 'Allow', variables })(lookup);
  expect(condition('StringEquals', '${aws:username}')).toBe(true);
  expect(condition('StringLike', '${aws:userid}*')).toBe(false);
  expect(condition('StringEquals', '${aws:username}', false)).toBe(false);
});

test.each([
  ['StringEqual', 'a', 'Invalid condition operator: "StringEqual".'],
  ['stringequals', 'a', 'Invalid condition operator: "stringequals".'],
  ['NullIfExists', 'true', 'Invalid condition operator: "NullIfExists".'],
  ['ForAnyValue:Null', 'true', 'Invalid condition operator: "ForAnyValue:Null".'],
  ['ForSomeValues:Bool', 'true', 'Invalid condition operator: "ForSomeValues:Bool".'],
  ['constructor', 'a', 'Invalid condition operator: "constructor".'],
  ['', 'a', 'Invalid condition operator: "".'],
  ...[
    '10.0.0.0/33',
    '10.0.0',
    'a',
    '',
    '::1/129',
    '${aws:SourceIp}',
    '10.0.0.1/',
    '1.2.3.4/8/8',
  ].map((value): [string, string, string] => [
    'IpAddress',
    value,
    `Invalid value for the condition operator IpAddress: ${JSON.stringify(value)}.`,
  ]),
  ['BinaryEquals', 'QQ==', 'The condition operator BinaryEquals is not supported.'],
  ['Null', 'yes', 'Null takes true or false, not "yes".'],
  ['Bool', 'yes', 'Invalid value for the condition operator Bool: "yes".'],
  ['NumericEquals', '7x', 'Invalid value for the condition operator NumericEquals: "7x".'],
  ['DateLessThan', 'soon', 'Invalid value for the condition operator DateLessThan: "soon".'],
  [
    'DateEquals',
    '2026-13-01',
    'Invalid value for the condition operator DateEquals: "2026-13-01".',
  ],
  ['ArnLike', 'role/*', 'Invalid value for the condition operator ArnLike: "role/*".'],
])('%s with %j is refused', (operator, value, message) => {
  expect(() => holds(operator, [value], undefined)).toThrow(new RangeError(message));
});
