import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { internals, kernels } from '../support/internals.ts';
import { hex, numbersFrom, power } from '../support/numbers.ts';

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));

const widths = [1024, 1536, 2048];

/** Numbers of `bits` bits, crowded where limbs of so many bits and carries have their edges. */
function crowded(bits: number, limbBits: number) {
  const size = BigInt(limbBits);
  const full = (1n << size) - 1n;
  const limb = fc.constantFrom(0n, 1n, full, full >> 1n, 1n << (size - 1n));
  const length = Math.ceil(bits / limbBits);
  return fc
    .array(fc.oneof({ weight: 3, arbitrary: limb }, fc.bigInt(0n, full)), {
      minLength: length,
      maxLength: length,
    })
    .map((limbs) => limbs.reduce((sum, each) => (sum << size) | each, 0n));
}

/** Numbers of exactly `bits` bits, odd, crowded at the edges of both kernels' limbs. */
function moduli(bits: number) {
  const top = 1n << BigInt(bits - 1);
  const edges = fc.constantFrom(
    ...[top + 1n, 2n * top - 1n, top + 3n],
    ...[28n, 52n, 56n].map((size) => top + (1n << size) - 1n),
  );
  return fc
    .oneof(crowded(bits, 52), crowded(bits, 28), edges, fc.bigInt(0n, 2n * top - 1n))
    .map((number) => BigInt.asUintN(bits, number) | top | 1n);
}

const residues = (bits: number) =>
  fc.oneof(
    fc.constantFrom<(m: bigint) => bigint>(
      () => 0n,
      () => 1n,
      () => 2n,
      (m) => m - 1n,
      (m) => m >> 1n,
      () => (1n << 52n) - 1n,
      () => (1n << 28n) - 1n,
    ),
    fc.bigInt(0n, (1n << BigInt(bits)) - 1n).map((x) => (m: bigint) => x % m),
  );

afterEach(() => internals.chooseKernel());

describe('the kernels', () => {
  it('that this processor has are all there when CI runs the tests', () => {
    if (!process.env.CI || process.platform !== 'linux') return;
    const flags = readFileSync('/proc/cpuinfo', 'utf8');
    expect(kernels.includes('avx512ifma')).toBe(/\bavx512ifma\b/.test(flags));
    expect(kernels.includes('avx2')).toBe(/\bavx2\b/.test(flags));
    expect(kernels).toContain('openssl');
  });

  it('agree with the reference on first use', () => {
    for (const kernel of kernels) {
      internals.chooseKernel(kernel);
      for (const bits of widths) expect(internals.kernelFor(bits)).toBe(kernel);
      expect(internals.kernelReport().switchedOff).toBe('');
    }
  });

  it('leave sizes beyond their registers to OpenSSL', () => {
    expect(internals.kernelFor(4096)).toBe('openssl');
  });
});

describe.each([...kernels, 'reference'])('kernel %s', (kernel) => {
  const slow = kernel === 'reference';

  it('computes the powers of own/modexp.json', () => {
    for (const bits of widths) {
      const tests = load('own/modexp.json').tests.filter(
        (test: { bits: number }, i: number) => test.bits === bits && (!slow || i % 24 === 0),
      );
      const n = tests.map((test: { n: string }) => hex(test.n));
      const exponents = tests.map((test: { exp: string }, i: number) => {
        let exponent = n[i] - 1n;
        while (test.exp !== 'n-1' && exponent % 2n === 0n) exponent /= 2n;
        return exponent;
      });
      const bases = tests.map((test: { base: string }, i: number) => hex(test.base) % n[i]);
      expect(internals.modExp(kernel, bits, n, bases, exponents, bits)).toEqual(
        tests.map((test: { result: string }) => hex(test.result)),
      );
    }
  });

  it.each([1, 7, 8, 9, 17])('computes batches of %i with operands at the edges', (length) => {
    for (const bits of widths) {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(moduli(bits), residues(bits), fc.bigInt(0n, (1n << 64n) - 1n)), {
            minLength: length,
            maxLength: length,
          }),
          (rows) => {
            const n = rows.map(([modulus]) => modulus);
            const bases = rows.map(([modulus, base]) => base(modulus));
            const exponents = rows.map(([, , exponent]) => exponent);
            expect(internals.modExp(kernel, bits, n, bases, exponents, 64)).toEqual(
              rows.map(([modulus, base, exponent]) => power(base(modulus), exponent, modulus)),
            );
          },
        ),
        { numRuns: slow ? 2 : 12 },
      );
    }
  });

  it.each([1, 7, 8, 9, 17])('filters batches of %i to base 2', (length) => {
    const primes = [
      // RFC 2409 and 3526 in the form 2^k - 2^j + ... are known to dispatch.cc; these are not.
      ...load('acvp/rsa-keygen-fips186-5-a13-3072-gdt.json').testGroups[0].tests,
    ].flatMap((test: { p: string; q: string }) => [hex(test.p), hex(test.q)]);
    const numbers = Array.from({ length }, (_, i) => {
      const prime = primes[i % primes.length] as bigint;
      return i % 3 === 1 ? prime : prime - 2n * BigInt(i + 1);
    });
    expect(internals.fermat(kernel, 1536, numbers)).toEqual(
      numbers.map((number) => power(2n, number - 1n, number) === 1n),
    );
  });

  it('filters every width, and lengths between the widths', () => {
    for (const bits of slow ? [1024] : [1024, 1032, 1536, 1552, 2048, 2072]) {
      const numbers = numbersFrom('filter', bits);
      // 3^k - 2 and the like would do as well: composites, and one Fermat pseudoprime to base 2
      // that has no small factor would be news.
      const odd = Array.from(
        { length: 9 },
        () => (numbers.next().value as bigint) | 1n | (1n << BigInt(bits - 1)),
      );
      expect(internals.fermat(kernel, bits, odd)).toEqual(
        odd.map((number) => power(2n, number - 1n, number) === 1n),
      );
    }
  });
});

describe('a broken kernel', () => {
  it.each(['wrong limb', 'wrong lane', 'always true', 'always false'] as const)(
    'is switched off before first use: %s',
    (fault) => {
      internals.plantFault(fault);
      expect(internals.kernelFor(2048)).toBe('openssl');
      expect(internals.kernelReport()).toMatchObject({
        chosen: 'openssl',
        switchedOff: 'planted: it disagrees with the reference',
      });
      internals.plantFault('none');
    },
  );
});
