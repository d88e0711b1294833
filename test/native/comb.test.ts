import crypto from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { expectGoodPair } from '../support/curve-pairs.ts';
import { curves, edgeKeys, fieldLength, pointOf, type TestCurve } from '../support/curves.ts';
import { failEachRandomCall } from '../support/failing-random.ts';
import { internals } from '../support/internals.ts';
import { hex, power } from '../support/numbers.ts';

afterEach(() => {
  for (const { name } of curves) internals.plantCombFault(name, 'none');
});

/** The comb in use without a look at whether it is worth it here. */
const useComb = ({ name }: TestCurve) => internals.plantCombFault(name, 'nothing', true);

/** Below p, crowded where limbs and carries have their edges. */
function elements({ p, limbs }: TestCurve) {
  const limb = fc.constantFrom(0n, 1n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n);
  const crowded = fc
    .array(fc.oneof({ weight: 3, arbitrary: limb }, fc.bigInt(0n, 2n ** 64n - 1n)), {
      minLength: limbs,
      maxLength: limbs,
    })
    .map((all) => all.reduce((sum, each) => (sum << 64n) | each, 0n) % p);
  return fc.oneof(
    crowded,
    fc.constantFrom(0n, 1n, 2n, p - 1n, p - 2n, p >> 1n),
    fc.bigInt(0n, p - 1n),
  );
}

function combPoints(curve: TestCurve, keys: bigint[]): Buffer[] {
  const points = Buffer.from(internals.multiplyByComb(curve.name, keys) ?? []);
  const length = 1 + 2 * fieldLength(curve);
  return keys.map((_, i) => points.subarray(i * length, (i + 1) * length));
}

describe.each(curves)('on $name', (curve) => {
  it('the field adds, subtracts, multiplies and inverts as BigInt does', () => {
    const { p, limbs } = curve;
    fc.assert(
      fc.property(elements(curve), elements(curve), (a, b) => {
        expect(internals.field(limbs, p, a, b)).toEqual({
          sum: (a + b) % p,
          difference: (p + a - b) % p,
          product: (a * b) % p,
          inverse: power(a, p - 2n, p),
        });
      }),
      { numRuns: 300 },
    );
  });

  it('the comb computes the points of keys at the edges', () => {
    useComb(curve);
    const keys = edgeKeys(curve);
    expect(combPoints(curve, keys)).toEqual(keys.map((key) => pointOf(curve, key)));
  });

  it('the comb computes the points of random keys', () => {
    useComb(curve);
    const random = () => 1n + (hex(crypto.randomBytes(80).toString('hex')) % (curve.n - 1n));
    const keys = Array.from({ length: 500 }, random);
    expect(combPoints(curve, keys)).toEqual(keys.map((key) => pointOf(curve, key)));
  });

  it.each([1, 3, 4, 5, 16, 17, 64])('%i pairs are minted, each of them its own', (count) => {
    useComb(curve);
    const pairs = internals.mintSeveral(curve.name, count);
    for (const pair of pairs) expectGoodPair(curve, pair);
    expect(new Set(pairs.map(({ spki }) => spki.toString('hex'))).size).toBe(count);
    expect(internals.combSwitchedOff()).toBe('');
  });

  it('OpenSSL refuses a point that is not on the curve, and one of another key', () => {
    const keys = [5n, 6n, 7n, curve.n - 1n];
    const points = keys.map((key) => pointOf(curve, key));
    const verify = (changed: Buffer[]) =>
      internals.verifyPoints(curve.name, keys, Buffer.concat(changed));
    expect(verify(points)).toBe(true);
    const offCurve = Buffer.from(points[1] as Buffer);
    offCurve.writeUInt8(offCurve.readUInt8(40) ^ 1, 40);
    expect(verify(points.with(1, offCurve))).toBe(false);
    expect(verify(points.with(3, pointOf(curve, 1n)))).toBe(false);
    expect(verify([...points].reverse())).toBe(false);
    // Faults that cancel each other in a sum without random factors.
    expect(verify(points.with(0, pointOf(curve, 6n)).with(1, pointOf(curve, 5n)))).toBe(false);
  });
});

const faults = ['wrong entry', 'wrong limb', 'wrong lane'] as const;

describe.each(curves)('a broken comb of $name', (curve) => {
  it.each(faults)('is switched off before first use: %s', (fault) => {
    internals.plantCombFault(curve.name, fault);
    expect(internals.multiplyByComb(curve.name, [1n])).toBeUndefined();
    expect(internals.combSwitchedOff()).toBe(`${curve.name}: it disagrees with OpenSSL`);
  });

  it.each(faults)('is found out in use and makes no bad pair: %s', (fault) => {
    internals.plantCombFault(curve.name, fault, true);
    const pairs = internals.mintSeveral(curve.name, 16);
    for (const pair of pairs) expectGoodPair(curve, pair);
    expect(internals.capabilities().curvesSwitchedOff).toBe(
      `${curve.name}: OpenSSL refused a batch of public keys`,
    );
    expect(internals.multiplyByComb(curve.name, [1n])).toBeUndefined();
  });
});

describe('the random generator', () => {
  it('fails a batch wherever it fails, and nothing is minted', () => {
    const [curve] = curves as [TestCurve];
    useComb(curve);
    const calls = failEachRandomCall(() => internals.mintSeveral(curve.name, 4));
    // Four private keys and the factors of their check.
    expect(calls).toBe(5);
    expect(internals.combSwitchedOff()).toBe('');
  });
});
