import { checkPrimeSync } from 'node:crypto';
import { expect } from 'vitest';
import type { RsaKey } from './math-internals.ts';
import { bytesOf, gcd } from './numbers.ts';

const bitLength = (number: bigint) => number.toString(2).length;

/** FIPS 186-5 A.1.1 and SP 800-56B rev 2, 6.4.1.2.3, by other means than ours. */
export function expectGoodKey(key: RsaKey, bits: number): void {
  const { n, e, d, p, q } = key;
  const half = BigInt(bits / 2);
  const difference = p - q;
  const lambda = ((p - 1n) * (q - 1n)) / gcd(p - 1n, q - 1n);
  expect(e).toBe(65537n);
  expect(n).toBe(p * q);
  expect(bitLength(n)).toBe(bits);
  for (const prime of [p, q]) {
    expect(bitLength(prime)).toBe(bits / 2);
    expect(bitLength(prime * prime)).toBe(bits);
    expect(prime % 8n).toBe(7n);
    expect(prime % 65537n).not.toBe(1n);
    expect(checkPrimeSync(bytesOf(prime, bits / 16))).toBe(true);
  }
  expect(difference > 1n << (half - 100n)).toBe(true);
  expect((d * e) % lambda).toBe(1n);
  expect(d < lambda && d > 1n << half).toBe(true);
  expect(key.dp).toBe(d % (p - 1n));
  expect(key.dq).toBe(d % (q - 1n));
  expect((key.qinv * q) % p).toBe(1n);
  expect(key.qinv < p).toBe(true);
}
