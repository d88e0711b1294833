// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are spelled like that
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arnPattern, type Lookup, textPattern } from '../../lib/policy/pattern.ts';

const none: Lookup = () => undefined;
const wildcards = { wildcards: true, variables: false };
const withVariables = { wildcards: true, variables: true };

function matches(pattern: string, text: string, lookup = none): boolean {
  return textPattern(pattern, withVariables)(text, lookup);
}

// By definition: an asterisk is nothing, or a character and then an asterisk again.
function naive(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const rest = pattern.slice(1);
  if (pattern[0] === '*')
    return naive(rest, text) || (text !== '' && naive(pattern, text.slice(1)));
  return (
    text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && naive(rest, text.slice(1))
  );
}

test('wildcards match what their definition says', () => {
  const pattern = fc.string({ unit: fc.constantFrom('*', '?', 'a', 'b', 'a'), maxLength: 9 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 10 });
  fc.assert(
    fc.property(pattern, text, (some, other) => {
      expect(textPattern(some, wildcards)(other, none)).toBe(naive(some, other));
    }),
    { numRuns: 5000 },
  );
});

test('long segments between asterisks match what their definition says', () => {
  const unit = fc.constantFrom('a', 'a', 'a', 'b', '?');
  const segment = fc.string({ unit, minLength: 30, maxLength: 70 });
  const around = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 80 });
  fc.assert(
    fc.property(segment, around, around, fc.boolean(), (middle, before, after, planted) => {
      const text = before + (planted ? middle.replaceAll('?', 'b') : 'a'.repeat(60)) + after;
      expect(textPattern(`*${middle}*`, wildcards)(text, none)).toBe(naive(`*${middle}*`, text));
    }),
  );
});

test.each([
  ['many asterisks', `${'*a'.repeat(4000)}*b`],
  ['a long segment', `*${'a'.repeat(4096)}b*`],
  ['a long segment of question marks', `*${'?a'.repeat(2048)}b*`],
])('a hostile pattern with %s is decided in no time to speak of', (_, pattern) => {
  const fits = textPattern(pattern, wildcards);
  const started = performance.now();
  expect(fits('a'.repeat(8192), none)).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
});

test('wildcards are ordinary characters if the operator has no wildcards', () => {
  const fits = textPattern('a*?', { wildcards: false, variables: false });
  expect([fits('a*?', none), fits('abc', none)]).toEqual([true, false]);
});

test('case is ignored on both sides if asked for', () => {
  const fits = textPattern('KMS:de*', { ...wildcards, ignoreCase: true });
  expect([fits('kms:Decrypt', none), fits('kms:Encrypt', none)]).toEqual([true, false]);
});

describe('policy variables', () => {
  const bob: Lookup = (key) =>
    ({ 'aws:username': ['bob'], 'aws:tagkeys': ['a', 'b'], star: ['*'] })[key];

  test.each([
    ['are replaced, whatever their case', 'u-${aws:UserName}-x', 'u-bob-x', true],
    ['match nothing without a value', '${aws:userid}', '', false],
    ['match nothing with several values', '${aws:TagKeys}', 'a', false],
    ['may have a fallback', "${aws:userid, 'nobody'}", 'nobody', true],
    ['do not fall back if there is a value', "${aws:username, 'nobody'}", 'nobody', false],
    ['go along with wildcards', '*/${aws:username}/?', 'a/b/bob/c', true],
    ['bring no wildcards with them', '${star}', 'anything', false],
    ['bring asterisks as characters', '${star}', '*', true],
    ['spell an asterisk', 'a${*}', 'a*', true],
    ['spell only an asterisk', 'a${*}', 'ab', false],
    ['spell a question mark', '${?}', '?', true],
    ['spell only a question mark', '${?}', 'x', false],
    ['spell a dollar sign', '${$}{aws:username}', '${aws:username}', true],
    ['may come after an opening that is not one', '${x ${aws:username}', 'bob', false],
    ['need their closing brace', '${aws:username', '${aws:username', true],
  ])('they %s', (_, pattern, text, expected) => {
    expect(matches(pattern, text, bob)).toBe(expected);
  });

  test('a policy of 2008 has no variables', () => {
    expect(textPattern('${aws:username}', wildcards)('${aws:username}', bob)).toBe(true);
  });
});

describe('ARNs', () => {
  const key = 'arn:aws:kms:us-east-1:111122223333:key/a:b';

  test.each([
    [key, true],
    ['*', true],
    ['arn:aws:kms:*:111122223333:key/*', true],
    ['arn:aws:kms:us-*-?:*:*', true],
    ['arn:*:*:*:*:*', true],
    ['arn:aws:kms:*:key/*', undefined],
    ['arn:aws:kms:*', undefined],
    ['*:111122223333:key/*', undefined],
    ['arn:aws:kms:*:444455556666:key/*', false],
    ['arn:aws:kms:us-east-1:111122223333:key/a', false],
    ['arn:aws:k*:111122223333:key/a:b:c', false],
  ])('%s compared part by part: %s', (pattern, expected) => {
    expect(arnPattern(pattern, { variables: false })?.(key, none)).toBe(expected);
  });

  test('no pattern matches a text that is not an ARN', () => {
    for (const pattern of ['*', 'arn:*:*:*:*:*', key]) {
      expect(arnPattern(pattern, { variables: false })?.('arn:aws:kms', none)).toBe(false);
    }
  });

  test('a variable keeps its colon to itself', () => {
    const fits = arnPattern('arn:aws:kms:*:${aws:PrincipalAccount}:key/*', { variables: true });
    expect(fits?.(key, () => ['111122223333'])).toBe(true);
    expect(fits?.(key, () => ['444455556666'])).toBe(false);
  });
});

describe('variables that stand for much', () => {
  const lookupOf =
    (value: string): Lookup =>
    (key) =>
      key === 'k' ? [value] : undefined;
  const timeOf = (work: () => unknown) => {
    const started = performance.now();
    work();
    return performance.now() - started;
  };

  test.each([
    ['a thousand times', '${k}'.repeat(1000)],
    ['a thousand times between asterisks', '*${k}'.repeat(1000)],
  ])('%s are put together no further than the text is long', (_, pattern) => {
    const lookup = lookupOf('a'.repeat(1_000_000));
    const fits = textPattern(pattern, withVariables);
    expect(timeOf(() => expect(fits('a'.repeat(8192), lookup)).toBe(false))).toBeLessThan(1000);
  });

  test('are found in as many steps as they have characters', () => {
    const half = 'a'.repeat(500_000);
    const fits = textPattern('*${k}b*', withVariables);
    expect(timeOf(() => expect(fits(`${half}${half}`, lookupOf(half))).toBe(false))).toBeLessThan(
      2000,
    );
    expect(fits(`${half}b`, lookupOf(half))).toBe(true);
  });

  test('refuse the request beside a question mark, whose search is not linear', () => {
    const fits = textPattern('*${k}?*', withVariables);
    expect(fits('xabcdy', lookupOf('abc'))).toBe(true);
    expect(() => fits('a'.repeat(2000), lookupOf('a'.repeat(513)))).toThrow(
      /^A policy has a question mark beside variables that stand for more than 512/,
    );
  });
});
