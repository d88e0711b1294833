import crypto from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { expectGoodPair } from '../support/curve-pairs.ts';
import { allCurves, edgeKeys, fieldLength, pointOf, type TestCurve } from '../support/curves.ts';
import { failEachRandomCall } from '../support/failing-random.ts';
import { internals } from '../support/internals.ts';
import { hex, power } from '../support/numbers.ts';

const hasLanes = internals.capabilities().kernels.includes('avx512ifma');

afterEach(() => {
  for (const { name } of allCurves) {
    internals.plantLanesFault(name, 'none');
    internals.useMasks(name, false);
  }
});

/** The lanes in use, after OpenSSL has had its word on the first lot. */
const useLanes = ({ name }: TestCurve) => internals.plantLanesFault(name, 'nothing', true);

const random = ({ n }: TestCurve) => 1n + (hex(crypto.randomBytes(80).toString('hex')) % (n - 1n));

/** Their points: a lane for each key or, of a key by itself, split over the lanes. */
function points(curve: TestCurve, keys: bigint[]): Buffer[] {
  const all = Buffer.from(internals.multiplyByComb(curve.name, keys) ?? []);
  const length = 1 + 2 * fieldLength(curve);
  return keys.map((_, i) => all.subarray(i * length, (i + 1) * length));
}

const alone = (curve: TestCurve, keys: bigint[]) => keys.flatMap((key) => points(curve, [key]));

/** A point whose last coordinate has a flipped bit. */
function offCurve(point: Buffer): Buffer {
  const changed = Buffer.from(point);
  changed.writeUInt8(changed.readUInt8(40) ^ 1, 40);
  return changed;
}

describe.each(allCurves)('inverses modulo the prime of $name', ({ p, limbs }) => {
  it('are what BigInt computes', () => {
    const edges = fc.constantFrom(1n, 2n, p - 1n, p - 2n, p >> 1n, (p >> 1n) + 1n, 2n ** 62n);
    const powers = fc.integer({ min: 0, max: 255 }).map((bit) => 2n ** BigInt(bit));
    fc.assert(
      fc.property(fc.oneof(edges, powers, fc.bigInt(1n, p - 1n)), (a) => {
        expect(internals.inverse(limbs, p, a)).toBe(power(a, p - 2n, p));
      }),
      { numRuns: 1000 },
    );
    expect(internals.inverse(limbs, p, 0n)).toBe(0n);
  });
});

describe.runIf(hasLanes).each(allCurves)('lanes on $name', (curve) => {
  const { name, n, p } = curve;

  it('are what multiplies without a word from the environment, but on P-256', () => {
    const isOurs = name !== 'P-256';
    expect(internals.capabilities().curveKernels[name]).toBe(isOurs ? 'avx512ifma' : 'openssl');
    if (!isOurs) return;
    expect(points(curve, [5n, 6n])).toEqual([pointOf(curve, 5n), pointOf(curve, 6n)]);
    expect(internals.combSwitchedOff()).toBe('');
  });

  it('compute the points of keys at the edges, together and alone', () => {
    useLanes(curve);
    const keys = edgeKeys(curve);
    const expected = keys.map((key) => pointOf(curve, key));
    expect(points(curve, keys)).toEqual(expected);
    expect(alone(curve, keys)).toEqual(expected);
  });

  it('compute the points of random keys, together and alone', () => {
    useLanes(curve);
    const keys = Array.from({ length: 500 }, () => random(curve));
    const expected = keys.map((key) => pointOf(curve, key));
    expect(points(curve, keys)).toEqual(expected);
    expect(alone(curve, keys)).toEqual(expected);
  });

  it.each([1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 64])('mint %i pairs, each of them its own', (count) => {
    useLanes(curve);
    const pairs = internals.mintSeveral(name, count);
    for (const pair of pairs) expectGoodPair(curve, pair);
    expect(new Set(pairs.map(({ spki }) => spki.toString('hex'))).size).toBe(count);
    expect(internals.combSwitchedOff()).toBe('');
  });

  it('mint 200 lone pairs, each of them its own', () => {
    useLanes(curve);
    internals.useMasks(name, true);
    const pairs = internals.mintAlone(name, 200);
    for (const pair of pairs) expectGoodPair(curve, pair);
    expect(new Set(pairs.map(({ spki }) => spki.toString('hex'))).size).toBe(200);
    expect(internals.combSwitchedOff()).toBe('');
    expect(internals.masksInStock(name)).toEqual([]);
  });

  it.each([1, 2, 8, 9, 16])('accept the points of %i keys, and no others', (count) => {
    useLanes(curve);
    const keys = Array.from({ length: count }, () => random(curve));
    const right = keys.map((key) => pointOf(curve, key));
    const check = (changed: Buffer[]) => internals.checkPoints(name, keys, Buffer.concat(changed));
    expect(check(right)).toBe(true);
    for (let i = 0; i < count; i++) {
      const point = right[i] as Buffer;
      expect(check(right.with(i, pointOf(curve, random(curve))))).toBe(false);
      expect(check(right.with(i, pointOf(curve, n - (keys[i] as bigint))))).toBe(false);
      expect(check(right.with(i, offCurve(point)))).toBe(false);
      const compressed = Buffer.from(point);
      compressed[0] = 2;
      expect(check(right.with(i, compressed))).toBe(false);
    }
    // Faults that cancel each other in a sum without random factors.
    if (count > 1) expect(check([right[1], right[0], ...right.slice(2)] as Buffer[])).toBe(false);
  });

  it('refuse coordinates that are not below the prime', () => {
    useLanes(curve);
    const length = fieldLength(curve);
    const point = pointOf(curve, 1n);
    const x = hex(point.subarray(1, 1 + length).toString('hex')) + p;
    if (x >= 2n ** BigInt(8 * length)) return;
    const bytes = Buffer.from(x.toString(16).padStart(2 * length, '0'), 'hex');
    const changed = Buffer.concat([point.subarray(0, 1), bytes, point.subarray(1 + length)]);
    expect(internals.checkPoints(name, [1n], changed)).toBe(false);
  });

  it.each([
    ['random', random(curve), random(curve)],
    ['at the ends of the order', n - 1n, n - 1n],
    ['equal', 7n, 7n],
    ['1', 1n, 1n],
  ])('accept a point under an offset, and no other, where both numbers are %s', (_, key, m) => {
    useLanes(curve);
    const check = (M: Buffer, point: Buffer) => internals.checkAlone(name, key, m, M, point);
    const [M, point] = [pointOf(curve, m), pointOf(curve, key)];
    expect(check(M, point)).toBe(true);
    const other = pointOf(curve, 12345n);
    expect(check(M, other)).toBe(false);
    expect(check(other, point)).toBe(false);
    expect(check(M, pointOf(curve, n - key))).toBe(false);
    expect(check(M, offCurve(point))).toBe(false);
    expect(check(offCurve(M), point)).toBe(false);
  });

  it('fail a batch wherever the random generator fails, and mint nothing', () => {
    useLanes(curve);
    const calls = failEachRandomCall(() => internals.mintSeveral(name, 4));
    // Four private keys and the factors of their check.
    expect(calls).toBe(5);
    expect(internals.combSwitchedOff()).toBe('');
  });

  const inLots = [
    'limb',
    'lane',
    'carry',
    'table entry',
    'window',
    'inversion',
    'negation',
    'opposite errors',
  ] as const;
  const inLonePairs = ['limb', 'carry', 'table entry', 'window', 'inversion', 'negation'] as const;

  it.each(inLots)('that are broken are switched off before first use: %s', (fault) => {
    internals.plantLanesFault(name, fault);
    expect(internals.multiplyByComb(name, [1n])).toBeUndefined();
    expect(internals.combSwitchedOff()).toBe(`${name}: it disagrees with OpenSSL`);
  });

  it.each([...inLots, 'sum of check'] as const)(
    'that break in use are found out by their own check of a lot, and make no bad pair: %s',
    (fault) => {
      internals.plantLanesFault(name, fault, true);
      const pairs = internals.mintSeveral(name, 16);
      for (const pair of pairs) expectGoodPair(curve, pair);
      expect(internals.capabilities().curvesSwitchedOff).toBe(
        `${name}: a check refused a batch of public keys`,
      );
      expect(internals.multiplyByComb(name, [1n])).toBeUndefined();
    },
  );

  it.each([...inLonePairs, 'offset of check'] as const)(
    'that break in use are found out by their own check of a lone pair: %s',
    (fault) => {
      internals.plantLanesFault(name, fault, true);
      internals.useMasks(name, true);
      for (const pair of internals.mintAlone(name, 20)) expectGoodPair(curve, pair);
      expect(internals.combSwitchedOff()).toBe(`${name}: a check refused a public key`);
    },
  );
});

describe.runIf(hasLanes)('pairs of a curve with lanes', () => {
  const specs = {
    'P-384': 'ECC_NIST_P384',
    'P-521': 'ECC_NIST_P521',
    secp256k1: 'ECC_SECG_P256K1',
    SM2: 'SM2',
  } as const;

  it.each(Object.entries(specs))(
    'are quick once the tables of %s are made, until lanes are switched off',
    (name, spec) => {
      expect(internals.mintsQuickly(spec)).toBe(false);
      // OpenSSL mints the first 32; tables are made for the next.
      internals.mintAlone(name, 32);
      expect(internals.mintsQuickly(spec)).toBe(false);
      internals.mintAlone(name, 1);
      expect(internals.mintsQuickly(spec)).toBe(true);
      internals.plantLanesFault(name, 'limb', true);
      internals.useMasks(name, true);
      expect(internals.mintsQuickly(spec)).toBe(true);
      internals.mintAlone(name, 20);
      expect(internals.mintsQuickly(spec)).toBe(false);
    },
  );

  it('are not quick if the spec has no lanes, or is none', () => {
    for (const spec of ['RSA_2048', 'ECC_NIST_P256', 'nonsense'] as const) {
      expect(internals.mintsQuickly(spec as 'RSA_2048')).toBe(false);
    }
  });
});

describe.runIf(hasLanes)('OpenSSL', () => {
  const [curve] = allCurves as [TestCurve];

  it('has its word on the first work of a process and on one in so many afterwards', () => {
    // After the first.
    useLanes(curve);
    const due = Array.from({ length: 9 }, () => internals.isAuditDue(curve.name, 4));
    expect(due).toEqual([false, false, false, true, false, false, false, true, false]);
  });
});
