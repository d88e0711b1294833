import crypto from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { failEachRandomCall } from '../support/failing-random.ts';
import { internals } from '../support/internals.ts';
import type { CurvePair } from '../support/math-internals.ts';

const hasLanes = internals.capabilities().kernels.includes('avx512ifma');

afterEach(() => {
  internals.plantEdwardsFault('none');
});

function materialOf(length: number) {
  const rootKey = internals.openRootKey(undefined);
  const id = Buffer.alloc(16);
  const { header, wrapped } = internals.createKeyMaterial(rootKey, id, Buffer.alloc(0), length);
  return internals.openKeyMaterial(rootKey, header, wrapped);
}

/** The lanes in use, after OpenSSL has had its word on the first work. */
const useLanes = () => internals.plantEdwardsFault('nothing', true);

const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const p = 2n ** 255n - 19n;

function encoded(y: bigint, sign = 0n): Buffer {
  const number = y | (sign << 255n);
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse();
}

const neutral = encoded(1n);
const generator = Buffer.from('58'.padEnd(64, '6'), 'hex');
const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** node:crypto's public key of a private key. */
function publicKeyOf(seed: Buffer): Buffer {
  const pkcs8 = Buffer.concat([prefix, seed]);
  const key = crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function expectGoodPair({ spki, pkcs8 }: CurvePair) {
  expect(pkcs8.subarray(0, -32)).toEqual(prefix);
  expect(spki.subarray(-32)).toEqual(publicKeyOf(pkcs8.subarray(-32)));
  const key = crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' });
  expect(key.asymmetricKeyType).toBe('ed25519');
}

const seeds = (count: number) => crypto.randomBytes(32 * count);
const split = (all: Buffer) =>
  Array.from({ length: all.length / 32 }, (_, i) => all.subarray(32 * i, 32 * (i + 1)));
const keysOf = (all: Buffer) => Buffer.concat(split(all).map(publicKeyOf));

/** Scalars at the edges of windows, limbs, the order and the prime. */
const edges = [
  ...Array.from({ length: 256 }, (_, bit) => 2n ** BigInt(bit)),
  ...Array.from({ length: 257 }, (_, bit) => 2n ** BigInt(bit) - 1n),
  ...[order, 2n * order, 8n * order, p, 2n ** 256n].flatMap((each) => [each - 1n, each - 2n]),
  order + 1n,
  order + 2n,
  // Windows of ones and zeros in turn, at every place.
  ...[4n, 5n].flatMap((bits) =>
    Array.from({ length: 10 }, (_, shift) => {
      let number = 0n;
      for (let at = BigInt(shift); at < 250n; at += 2n * bits) number |= (2n ** bits - 1n) << at;
      return number;
    }),
  ),
];

// RFC 8032, 7.1.
const vectors = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
  ],
  [
    'f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
    '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
  ],
  [
    '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
  ],
].map((row) => row.map((each) => Buffer.from(each, 'hex'))) as [Buffer, Buffer][];

const waysToMultiply = [
  ['a lane for each', 5, false],
  ['a lane for each', 4, false],
  ['split over the lanes', 5, true],
  ['split over the lanes', 4, true],
] as const;

describe('what OpenSSL is asked about multiples of the generator', () => {
  it('is answered rightly', () => {
    expect(internals.compareEdwards(0n, neutral)).toBe(true);
    expect(internals.compareEdwards(1n, generator)).toBe(true);
    expect(internals.compareEdwards(order + 1n, generator)).toBe(true);
    expect(internals.compareEdwards(2n, generator)).toBe(false);
    expect(internals.compareEdwards(1n, neutral)).toBe(false);
    // The opposite: the other sign of x.
    const opposite = Buffer.from(generator);
    opposite.writeUInt8(generator.readUInt8(31) | 0x80, 31);
    expect(internals.compareEdwards(order - 1n, opposite)).toBe(true);
    expect(internals.compareEdwards(1n, opposite)).toBe(false);
  });
});

describe.runIf(!hasLanes)('Ed25519 without lanes', () => {
  it('is left to OpenSSL', () => {
    expect(internals.capabilities().curveKernels.Ed25519).toBe('openssl');
    for (const pair of internals.mintEd25519(5)) expectGoodPair(pair);
    expect(internals.ed25519ByLanes(seeds(1))).toBeUndefined();
  });
});

describe.runIf(hasLanes)('lanes on edwards25519', () => {
  it('are what multiplies without a word from the environment', () => {
    expect(internals.capabilities().curveKernels.Ed25519).toBe('avx512ifma');
    const all = seeds(3);
    expect(internals.ed25519ByLanes(all)).toEqual(keysOf(all));
    expect(internals.combSwitchedOff()).toBe('');
  });

  it.each(waysToMultiply)(
    'compute the points of scalars at the edges: %s, %i bits',
    (_, bits, isSplit) => {
      useLanes();
      const points = split(internals.multiplyEdwards(bits, isSplit, edges) ?? neutral);
      expect(points).toHaveLength(edges.length);
      for (const [i, scalar] of edges.entries()) {
        expect([scalar, internals.compareEdwards(scalar, points[i] as Buffer)]).toEqual([
          scalar,
          true,
        ]);
      }
      expect(internals.multiplyEdwards(bits, isSplit, [0n, 1n, order, order + 1n])).toEqual(
        Buffer.concat([neutral, generator, neutral, generator]),
      );
    },
  );

  it.each(waysToMultiply)(
    'compute the points of random scalars: %s, %i bits',
    (_, bits, isSplit) => {
      useLanes();
      const scalars = Array.from({ length: 300 }, () =>
        BigInt(`0x${crypto.randomBytes(32).toString('hex')}`),
      );
      const points = split(internals.multiplyEdwards(bits, isSplit, scalars) ?? neutral);
      for (const [i, scalar] of scalars.entries()) {
        expect([scalar, internals.compareEdwards(scalar, points[i] as Buffer)]).toEqual([
          scalar,
          true,
        ]);
      }
    },
  );

  it('compute the public keys of RFC 8032, together and alone', () => {
    useLanes();
    const all = Buffer.concat(vectors.map(([seed]) => seed));
    const keys = Buffer.concat(vectors.map(([, key]) => key));
    expect(internals.ed25519ByLanes(all)).toEqual(keys);
    for (const [seed, key] of vectors) expect(internals.ed25519ByLanes(seed)).toEqual(key);
  });

  it('compute the public keys of random private keys, together and alone', () => {
    useLanes();
    for (let i = 0; i < 32; i++) {
      const all = seeds(16);
      const keys = keysOf(all);
      expect(internals.ed25519ByLanes(all)).toEqual(keys);
      expect(
        Buffer.concat(split(all).map((each) => internals.ed25519ByLanes(each) ?? each)),
      ).toEqual(keys);
    }
  });

  it.each([1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 64])('mint %i pairs, each of them its own', (count) => {
    useLanes();
    const pairs = internals.mintEd25519(count);
    for (const pair of pairs) expectGoodPair(pair);
    expect(new Set(pairs.map(({ spki }) => spki.toString('hex'))).size).toBe(count);
    expect(internals.combSwitchedOff()).toBe('');
  });

  it('are set up by another thread than the calling one, where OpenSSL computes until then', () => {
    const spec = 'ECC_NIST_EDWARDS25519';
    const material = materialOf(32);
    const mintHere = () =>
      internals.generateDataKeyPairsHere(spec, [
        { material, context: Buffer.alloc(0), plaintext: true },
      ]);
    internals.plantEdwardsFault('none');
    expect(internals.mintsQuickly(spec)).toBe(true);
    internals.plantEdwardsFault('nothing', false);
    expect(internals.mintsQuickly(spec)).toBe(false);
    for (let i = 0; i < 20; i++) mintHere();
    expect(internals.mintsQuickly(spec)).toBe(false);
    for (const pair of internals.mintEd25519(1)) expectGoodPair(pair);
    expect(internals.mintsQuickly(spec)).toBe(true);
    mintHere();
    expect(internals.combSwitchedOff()).toBe('');
  });

  it('are not asked for the first pairs of a process', () => {
    internals.plantEdwardsFault('none');
    for (let i = 0; i < 300; i++) internals.mintEd25519(1);
    for (const pair of internals.mintEd25519(20)) expectGoodPair(pair);
    expect(internals.combSwitchedOff()).toBe('');
  });

  it.each([1, 2, 8, 9, 16])('accept the points of %i keys, and no others', (count) => {
    useLanes();
    const all = seeds(count);
    const right = split(keysOf(all));
    const check = (keys: Buffer[]) => internals.checkEdwards(all, Buffer.concat(keys));
    expect(check(right)).toBe(true);
    for (let i = 0; i < count; i++) {
      const opposite = Buffer.from(right[i] as Buffer);
      opposite.writeUInt8(opposite.readUInt8(31) ^ 0x80, 31);
      expect(check(right.with(i, opposite))).toBe(false);
      expect(check(right.with(i, publicKeyOf(seeds(1))))).toBe(false);
      // No point has this y; and one that is not below the prime.
      expect(check(right.with(i, encoded(2n)))).toBe(false);
      expect(check(right.with(i, encoded(p + 1n)))).toBe(false);
      expect(check(right.with(i, neutral))).toBe(false);
      // The point of order 2 is added, which an even factor would hide: y turns to -y.
      const y = BigInt(
        `0x${Buffer.from(right[i] as Buffer)
          .reverse()
          .toString('hex')}`,
      );
      const sign = y >> 255n;
      expect(check(right.with(i, encoded(p - (y & (2n ** 255n - 1n)), 1n - sign)))).toBe(false);
    }
    if (count > 1) expect(check([right[1], right[0], ...right.slice(2)] as Buffer[])).toBe(false);
  });

  it('fail wherever the random generator fails, and mint nothing', () => {
    internals.plantEdwardsFault('nothing');
    const calls = failEachRandomCall(() => internals.mintEd25519(4));
    // Four private keys and the offset of their check.
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
    'point of small order',
  ] as const;
  const inLonePairs = [
    'limb',
    'carry',
    'table entry',
    'window',
    'inversion',
    'negation',
    'point of small order',
  ] as const;

  it.each([...inLots, 'check'] as const)(
    'that are broken are switched off before first use: %s',
    (fault) => {
      internals.plantEdwardsFault(fault);
      expect(internals.ed25519ByLanes(seeds(1))).toBeUndefined();
      expect(internals.combSwitchedOff()).toBe('Ed25519: it disagrees with OpenSSL');
    },
  );

  it.each([...inLots, 'check'] as const)(
    'that break in use are found out by their own check of a lot, and make no bad pair: %s',
    (fault) => {
      internals.plantEdwardsFault(fault, true);
      for (const pair of internals.mintEd25519(16)) expectGoodPair(pair);
      expect(internals.capabilities().curvesSwitchedOff).toBe(
        'Ed25519: a check refused a public key',
      );
      expect(internals.ed25519ByLanes(seeds(1))).toBeUndefined();
    },
  );

  it.each([...inLonePairs, 'check'] as const)(
    'that break in use are found out by their own check of a lone pair: %s',
    (fault) => {
      internals.plantEdwardsFault(fault, true);
      for (let i = 0; i < 20; i++) {
        for (const pair of internals.mintEd25519(1)) expectGoodPair(pair);
      }
      expect(internals.combSwitchedOff()).toBe('Ed25519: a check refused a public key');
    },
  );
});
