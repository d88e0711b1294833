import crypto from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectGoodPair } from '../support/curve-pairs.ts';
import { curves, pointOf, type TestCurve } from '../support/curves.ts';
import { failEachRandomCall } from '../support/failing-random.ts';
import { internals, internalsFile } from '../support/internals.ts';
import { hex } from '../support/numbers.ts';

/** Masks and the comb in use, whether they are worth it here or not. */
function useMasks({ name }: TestCurve) {
  internals.plantCombFault(name, 'nothing', true);
  internals.useMasks(name, true);
}

afterEach(() => {
  for (const { name } of curves) {
    internals.plantCombFault(name, 'none');
    internals.useMasks(name, false);
  }
});

const random = ({ n }: TestCurve) => 1n + (hex(crypto.randomBytes(80).toString('hex')) % (n - 1n));

const inStock = ({ name }: TestCurve) => internals.masksInStock(name).length;

describe.each(curves)('under a mask on $name', (curve) => {
  const { name, n } = curve;

  beforeEach(() => useMasks(curve));

  it('a key is hidden by its sum with the mask, modulo the order', () => {
    const edges = fc.constantFrom(1n, 2n, n - 1n, n - 2n, n >> 1n, (n >> 1n) + 1n, 2n ** 64n);
    const numbers = fc.oneof(edges, fc.bigInt(1n, n - 1n));
    fc.assert(
      fc.property(numbers, numbers, (key, r) => {
        expect(internals.maskedKey(name, key, r)).toBe((key + r) % n);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['of random numbers', random(curve), random(curve)],
    ['whose sum is the order', 5n, n - 5n],
    ['at the ends of the order', n - 1n, n - 1n],
    ['that are equal', 7n, 7n],
    ['that are 1', 1n, 1n],
  ])('OpenSSL accepts the points %s, and no others', (_, key, r) => {
    const verify = (R: Buffer, point: Buffer) => internals.verifyByMask(name, key, r, R, point);
    const [R, point] = [pointOf(curve, r), pointOf(curve, key)];
    expect(verify(R, point)).toBe(true);
    const other = pointOf(curve, 12345n);
    expect(verify(R, other)).toBe(false);
    expect(verify(other, point)).toBe(false);
    const offCurve = Buffer.from(point);
    offCurve.writeUInt8(offCurve.readUInt8(40) ^ 1, 40);
    expect(verify(R, offCurve)).toBe(false);
    expect(verify(offCurve, point)).toBe(false);
    expect(internals.verifyByMask(name, key, (r % n) + 1n, R, point)).toBe(false);
  });

  it('200 lone pairs are minted, each of them its own', () => {
    const pairs = internals.mintAlone(name, 200);
    for (const pair of pairs) expectGoodPair(curve, pair);
    expect(new Set(pairs.map(({ spki }) => spki.toString('hex'))).size).toBe(200);
    expect(internals.combSwitchedOff()).toBe('');
    // Masks were made 16 at a time, one for each pair.
    expect(inStock(curve)).toBe(8);
  });

  it('the stock holds multiples of the generator and gives each away once', () => {
    internals.mintAlone(name, 1);
    const masks = internals.masksInStock(name);
    expect(masks.length).toBe(15);
    for (const { r, point } of masks) expect(point).toEqual(pointOf(curve, r));
    expect(internals.takeMasks(name, 1, 15).map(({ r }) => r)).toEqual(
      masks.map(({ r }) => r).reverse(),
    );
    expect(inStock(curve)).toBe(0);
  });

  it('no two threads are given the same mask', () => {
    const taken = internals.takeMasks(name, 4, 100);
    const left = internals.masksInStock(name);
    const all = [...taken, ...left].map(({ r }) => r);
    expect(taken.length).toBe(400);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length % 16).toBe(0);
  });

  it.each(['wrong point', 'off the curve', 'wrong number'] as const)(
    'a mask that is broken in stock makes no bad pair: %s',
    (fault) => {
      internals.mintAlone(name, 1);
      internals.spoilMasks(name, fault);
      for (const pair of internals.mintAlone(name, 3)) expectGoodPair(curve, pair);
      expect(internals.capabilities().curvesSwitchedOff).toBe(
        `${name}: OpenSSL refused a public key`,
      );
      expect(internals.multiplyByComb(name, [1n])).toBeUndefined();
    },
  );

  it.each(['wrong entry', 'wrong limb', 'wrong lane'] as const)(
    'a comb that is broken when masks are made makes none: %s',
    (fault) => {
      internals.plantCombFault(name, fault, true);
      for (const pair of internals.mintAlone(name, 3)) expectGoodPair(curve, pair);
      expect(inStock(curve)).toBe(0);
      expect(internals.combSwitchedOff()).toBe(`${name}: OpenSSL refused a batch of public keys`);
    },
  );

  // A lane is wrong only if there are several.
  it.each(['wrong entry', 'wrong limb'] as const)(
    'a comb that breaks after masks were made makes no bad pair: %s',
    (fault) => {
      internals.mintAlone(name, 1);
      internals.plantCombFault(name, fault, true);
      for (const pair of internals.mintAlone(name, 3)) expectGoodPair(curve, pair);
      expect(internals.combSwitchedOff()).toBe(`${name}: OpenSSL refused a public key`);
    },
  );

  it.runIf(process.platform !== 'win32')('a forked process finds no masks of its parent', () => {
    internals.mintAlone(name, 1);
    expect(internals.masksAfterFork(name)).toBe(0);
    expect(inStock(curve)).toBe(15);
  });

  it('an abandoned request makes no masks', () => {
    expect(() => internals.mintAlone(name, 1, true)).toThrow(
      expect.objectContaining({ code: 'aborted' }),
    );
    expect(inStock(curve)).toBe(0);
  });
});

describe('masks', () => {
  const [curve] = curves as [TestCurve];

  it('are left alone by a process that mints a few pairs', () => {
    internals.plantCombFault(curve.name, 'nothing', true);
    for (const pair of internals.mintAlone(curve.name, 32)) expectGoodPair(curve, pair);
    expect(inStock(curve)).toBe(0);
    internals.mintAlone(curve.name, 1);
    expect(inStock(curve)).toBe(15);
  });

  it('are used for every pair after those', () => {
    for (const each of curves) {
      internals.plantCombFault(each.name, 'nothing', true);
      internals.mintAlone(each.name, 32 + 16);
      expect(inStock(each)).toBe(0);
      internals.mintAlone(each.name, 3);
      expect(inStock(each)).toBe(13);
    }
  });

  it('are given away once by a stock that several threads draw on at once', () => {
    internals.useMasks(curve.name, true);
    const taken = internals.drainMasks(curve.name, 4, 40_000);
    expect(taken.length).toBe(40_000);
    expect(new Set(taken).size).toBe(40_000);
  });

  it('outlive the worker in which they were made', async () => {
    useMasks(curve);
    const script = `
      const internals = require(process.argv[1]);
      internals.mintAlone(process.argv[2], 3);
    `;
    const worker = new Worker(
      `process.argv[1] = ${JSON.stringify(internalsFile)};
      process.argv[2] = ${JSON.stringify(curve.name)}; ${script}`,
      { eval: true },
    );
    expect(await once(worker, 'exit')).toEqual([0]);
    expect(inStock(curve)).toBe(13);
    for (const pair of internals.mintAlone(curve.name, 14)) expectGoodPair(curve, pair);
    expect(inStock(curve)).toBe(15);
  });

  it('are not made if the random generator fails, and nothing is minted', () => {
    useMasks(curve);
    const calls = failEachRandomCall(
      () => internals.mintAlone(curve.name, 1),
      () => expect(inStock(curve)).toBe(0),
    );
    // The private key, 16 masks and the factors of their check.
    expect(calls).toBe(18);
    expect(internals.combSwitchedOff()).toBe('');
  });
});
