import { checkPrimeSync, createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Fault, internals, kernels, type SearchOptions } from '../support/internals.ts';
import { bytesOf, detKeygenStream, gcd, hex, numbersFrom } from '../support/numbers.ts';
import { expectGoodKey } from '../support/rsa-key.ts';

const read = (name: string) => readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8');
const load = (name: string) => JSON.parse(read(name));
const bitLength = (number: bigint) => number.toString(2).length;

afterEach(() => {
  internals.failRandomAfter(-1);
  internals.plantFault('none');
});

/** The key of a stream that depends on `seed` alone. */
function keyOf(seed: string, bits: number, options: SearchOptions = {}) {
  const numbers = numbersFrom(seed, bits / 2);
  const next = () => bytesOf(numbers.next().value as bigint, bits / 16);
  return internals.searchRsa(bits, next, options);
}

describe('an RSA key pair', () => {
  it.each([2048, 3072, 4096])('of %i bits meets every criterion of FIPS 186-5', (bits) => {
    expectGoodKey(internals.generateRsa(bits), bits);
  });

  it('has encodings that OpenSSL reads and writes back byte for byte', () => {
    const key = internals.generateRsa(2048);
    const opened = createPrivateKey({ key: key.privateKey, format: 'der', type: 'pkcs8' });
    expect(opened.export({ format: 'der', type: 'pkcs8' })).toEqual(key.privateKey);
    expect(createPublicKey(opened).export({ format: 'der', type: 'spki' })).toEqual(key.publicKey);
  });

  it('is refused for a length that is no multiple of 16 or is too short', () => {
    for (const bits of [1024, 2050, 8208]) {
      expect(() => internals.generateRsa(bits)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });

  it('is not made when the random number generator fails, wherever it fails', () => {
    for (let calls = 0; calls < 6; calls++) {
      internals.failRandomAfter(calls);
      expect(() => internals.generateRsa(2048)).toThrow(
        expect.objectContaining({ code: 'entropy' }),
      );
    }
  });
});

describe('the prime search', () => {
  const detKeygen = load('c2sp/det-keygen-rsa.json') as {
    bits: number;
    seed: string;
    private_key_pkcs8: string;
  }[];

  it.each(kernels)('gives the 21 answers of c2sp.org/det-keygen with kernel %s', (kernel) => {
    internals.chooseKernel(kernel);
    for (const { bits, seed, private_key_pkcs8 } of detKeygen) {
      const next = detKeygenStream(Buffer.from(seed, 'base64'), bits);
      const key = internals.detKeygen(bits, next);
      const expected = Buffer.from(private_key_pkcs8, 'base64');
      const jwk = createPrivateKey({ key: expected, format: 'der', type: 'pkcs8' }).export({
        format: 'jwk',
      });
      const number = (text?: string) => hex(Buffer.from(text ?? '', 'base64url').toString('hex'));
      // They keep the order in which the primes were drawn, we put the larger one first.
      const primes = [number(jwk.p), number(jwk.q)];
      expect(primes).toContain(key.p);
      expect(primes).toContain(key.q);
      expect([key.n, key.d]).toEqual([number(jwk.n), number(jwk.d)]);
      // The product has no room for the encoding of 8192 bits.
      if (primes[0] === key.p && bits <= 4096) expect(key.privateKey).toEqual(expected);
    }
    expect(internals.kernelReport().chosen).toBe(kernel);
  });

  it('makes the same key of the same candidates on every kernel', () => {
    for (const [seed, bits] of [
      ['one', 2048],
      ['two', 2048],
      ['three', 3072],
    ] as const) {
      const keys = kernels.map((kernel) => {
        internals.chooseKernel(kernel);
        return keyOf(seed, bits).privateKey.toString('hex');
      });
      expect(new Set(keys).size).toBe(1);
    }
  });

  it.each(kernels)('takes p and q as A.1.3 reads, with kernel %s', (kernel) => {
    internals.chooseKernel(kernel);
    for (const seed of ['four', 'five']) {
      const numbers = numbersFrom(seed, 1024);
      const primes: bigint[] = [];
      while (primes.length < 2) {
        const candidate = (numbers.next().value as bigint) | (3n << 1022n) | 7n;
        if (candidate % 65537n !== 1n && checkPrimeSync(candidate)) primes.push(candidate);
      }
      const { p, q } = keyOf(seed, 2048);
      expect([p, q]).toEqual(primes.sort((a, b) => (a > b ? -1 : 1)));
    }
  });

  it.each([2048, 3072, 4096])('finds the two primes of the C2SP list for %i bits', (bits) => {
    const lines = read(`c2sp/rsa.bench.${bits}.txt`).trim().split('\n');
    // What is drawn ahead comes from the beginning again, where there is no prime.
    let at = 0;
    const next = () => Buffer.from(lines[at++] ?? (lines[at % 100] as string), 'hex');
    const { p, q } = internals.searchRsa(bits, next, {});
    expect([p, q]).toContain(hex(lines.at(-1) as string));
  });

  it('gives up no prime that trial division by hand would keep', () => {
    const primes: bigint[] = [];
    for (let i = 3n; i < 32768n; i += 2n) if (primes.every((p) => i % p)) primes.push(i);
    const numbers = numbersFrom('divide', 1024);
    const candidates = Array.from(
      { length: 400 },
      () => (numbers.next().value as bigint) | (3n << 1022n) | 7n,
    );
    // Multiples of single primes, the largest included, and neighbours of multiples of 65537.
    for (const prime of [3n, 5n, 251n, 257n, 2039n, 16381n, 32749n, 65537n]) {
      const multiple = ((1n << 1023n) / prime + 1n) * prime;
      candidates.push(multiple, multiple + 1n, multiple + prime, multiple - 1n);
    }
    const expected = candidates.map(
      (candidate) => primes.every((prime) => candidate % prime) && candidate % 65537n !== 1n,
    );
    if (kernels.includes('avx512ifma')) {
      expect(internals.survives(1024, candidates, { lanes: true })).toEqual(expected);
    }
    // The portable bound is 2^16: it may divide out more, and nothing else.
    internals.survives(1024, candidates, { lanes: false }).forEach((survives, i) => {
      if (survives) expect(expected[i]).toBe(true);
      else if (expected[i]) expect(smallestFactor(candidates[i] as bigint)).toBeLessThan(65536n);
    });
  });

  it('gives one key to one of any number of threads', () => {
    for (let i = 0; i < 4; i++) {
      const { keys, statuses } = internals.searchRsaInThreads(2048, 4);
      expect(statuses).toEqual([0, 0, 0, 0]);
      expect(keys).toHaveLength(1);
      expectGoodKey(keys[0] as (typeof keys)[0], 2048);
    }
  });

  it('stops within 10 ms of an abort', () => {
    const times: number[] = [];
    for (let i = 0; i < 12; i++) {
      const { keys, stoppedMs } = internals.searchRsaInThreads(4096, 2, 1 + i);
      if (keys.length === 0) times.push(stoppedMs);
    }
    // Other processes may hold the processor for a while: the quickest stop shows what is possible.
    expect(Math.min(...times)).toBeLessThan(10);
  });
});

function smallestFactor(number: bigint): bigint {
  let factor = 3n;
  while (number % factor !== 0n) factor += 2n;
  return factor;
}

describe('a kernel that breaks while it is in use', () => {
  const reasons: Partial<Record<Fault, RegExp>> = {
    'wrong limb': /refused a number that is prime in OpenSSL/,
    'wrong lane': /let a number pass that fails in OpenSSL/,
    'always true': /let a number pass that fails in OpenSSL/,
    'always false': /disagrees with the reference/,
    'loses primes': /rejected a number that passes in OpenSSL/,
  };

  it.each(Object.keys(reasons) as Fault[])('is found out and makes no bad key: %s', (fault) => {
    internals.plantFault(fault, true);
    expect(internals.kernelFor(1024)).toBe('planted');
    // Audits would find the other faults first.
    const auditPeriod = fault === 'loses primes' ? 1 : 1e9;
    // The same candidates every time: of random ones, a wrong lane passes two that happen to be
    // prime once in some thousand keys, and nothing is wrong with such a key.
    const key = keyOf('a broken kernel', 2048, { auditPeriod });
    expectGoodKey(key, 2048);
    expect(internals.kernelReport().switchedOff).toMatch(reasons[fault] as RegExp);
    expect(internals.kernelReport().chosen).toBe('openssl');
  });
});

describe('the acceptance checks', () => {
  it('give the 48 verdicts of ACVP for FIPS 186-4 B.3.3, which is A.1.3', () => {
    const [group] = load('acvp/rsa-keygen-fips186-4-b33-3072-kat.json').testGroups;
    for (const test of group.tests) {
      const [e, p, q] = [hex(test.e), hex(test.p), hex(test.q || '0')];
      const { inRange, coprime, farApart } = internals.acceptable(3072, e, p, q);
      const prime = [p, q].every((w) => w > 3n && internals.millerRabin(w, 4));
      expect([test.tcId, inRange && coprime && farApart && prime]).toEqual([
        test.tcId,
        test.testPassed,
      ]);
    }
    expect(group.tests).toHaveLength(48);
  });

  it('refuse a q close to p, and accept one just far enough', () => {
    const { p } = internals.generateRsa(2048);
    const bound = 1n << 924n;
    expect(internals.assembleRsa(2048, p, p - bound)).toBe('refused q');
    expect(internals.assembleRsa(2048, p - bound, p)).toBe('refused q');
    expect(internals.acceptable(2048, 65537n, p, p - bound).farApart).toBe(false);
    expect(internals.acceptable(2048, 65537n, p, p - bound - 2n).farApart).toBe(true);
  });

  it.each([
    ['whose pairwise test fails', 'pairwiseTest'],
    ['whose numbers do not belong together', 'checkNumbers'],
  ] as const)('refuse a key %s', (_, check) => {
    const key = internals.generateRsa(2048);
    internals[check](key);
    for (const wrong of ['d', 'dp', 'dq', 'qinv', 'p'] as const) {
      expect(() => internals[check]({ ...key, [wrong]: key[wrong] ^ 4n })).toThrow(
        expect.objectContaining({ code: 'internal' }),
      );
    }
  });

  it('refuse a number that no other number of the key depends on', () => {
    const key = internals.generateRsa(2048);
    const other = internals.generateRsa(2048);
    for (const wrong of ['n', 'e', 'q'] as const) {
      for (const value of [key[wrong] ^ 4n, wrong === 'e' ? 3n : other[wrong]]) {
        expect(() => internals.checkNumbers({ ...key, [wrong]: value })).toThrow(
          expect.objectContaining({ code: 'internal' }),
        );
      }
    }
  });
});

describe('no pseudoprime', () => {
  it('of Wycheproof survives', () => {
    let inLanes = 0;
    for (const group of load('wycheproof/primality_test.json').testGroups) {
      for (const { tcId, value, result } of group.tests) {
        // Two's complement; negative numbers are not our business.
        if (result === 'acceptable' || /^[89a-f]/.test(value)) continue;
        const w = hex(value);
        expect([tcId, internals.millerRabin(w, 16)]).toEqual([tcId, result === 'valid']);
        const bits = bitLength(w);
        if (bits < 1024 || bits > 2072 || w % 2n === 0n) continue;
        inLanes++;
        for (const kernel of kernels) {
          const [passes] = internals.fermat(kernel, bits, [w]);
          if (result === 'valid') expect([tcId, passes]).toEqual([tcId, true]);
          if (w % 4n !== 3n) continue;
          internals.chooseKernel(kernel);
          expect([tcId, ...internals.millerRabinInLanes(bits, [w], 8)]).toEqual([
            tcId,
            result === 'valid',
          ]);
        }
      }
    }
    expect(inLanes).toBeGreaterThan(20);
  });

  it('is missed by a witness of BoringSSL', () => {
    for (const { result, w, b } of load('boringssl/miller_rabin_witness.json').tests) {
      expect([w, b, internals.millerRabinRound(hex(w), hex(b))]).toEqual([
        w,
        b,
        result === 'PossiblyPrime',
      ]);
    }
  });
});

describe('200 RSA_2048 keys', () => {
  const keys = Array.from({ length: 200 }, () => internals.generateRsa(2048));
  const primes = keys.flatMap(({ p, q }) => [p, q]);

  it('share no factor', () => {
    const product = keys.reduce((all, { n }) => all * n, 1n);
    for (const { n } of keys) expect(gcd(n, (product / n) % n)).toBe(1n);
  });

  it('have primes with residues and bits as they fall', () => {
    // Each share is within 5 standard deviations; 400 primes.
    const share = (expected: number, holds: (prime: bigint) => boolean) => {
      const count = primes.filter(holds).length;
      const deviation = Math.sqrt(primes.length * expected * (1 - expected));
      expect(Math.abs(count - primes.length * expected)).toBeLessThan(5 * deviation);
    };
    for (const modulus of [3n, 5n, 7n, 11n, 13n]) {
      for (let residue = 1n; residue < modulus; residue++) {
        share(1 / Number(modulus - 1n), (prime) => prime % modulus === residue);
      }
    }
    for (let bit = 3n; bit < 1022n; bit += 7n) share(0.5, (prime) => ((prime >> bit) & 1n) === 1n);
  });
});
