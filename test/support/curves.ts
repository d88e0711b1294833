import crypto from 'node:crypto';
import { hex } from './numbers.ts';

export interface TestCurve {
  name: string;
  /** Where node:crypto's ECDH knows no other. */
  ecdhName?: string;
  limbs: number;
  p: bigint;
  n: bigint;
}

// SEC 2, version 2, section 2; GB/T 32918.5 for SM2.
export const curves: TestCurve[] = [
  {
    name: 'P-384',
    ecdhName: 'secp384r1',
    limbs: 6,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    n: hex(
      'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    ),
  },
  {
    name: 'P-521',
    ecdhName: 'secp521r1',
    limbs: 9,
    p: 2n ** 521n - 1n,
    n: hex(
      '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    ),
  },
  {
    name: 'secp256k1',
    limbs: 4,
    p: 2n ** 256n - 2n ** 32n - 977n,
    n: hex('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'),
  },
  {
    name: 'SM2',
    limbs: 4,
    p: 2n ** 256n - 2n ** 224n - 2n ** 96n + 2n ** 64n - 1n,
    n: hex('fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123'),
  },
];

/** Those and P-256, for which every OpenSSL has code of its own, so that it never has a comb. */
export const allCurves: TestCurve[] = [
  {
    name: 'P-256',
    ecdhName: 'prime256v1',
    limbs: 4,
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    n: hex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'),
  },
  ...curves,
];

/** Private keys at the edges of windows, limbs and the order. */
export function edgeKeys({ n }: TestCurve): bigint[] {
  const bits = n.toString(2).length;
  const ones = 2n ** BigInt(bits - 1) - 1n;
  const zerosAndOnes = [0, 1, 2, 3, 4].flatMap((shift) => {
    let number = 0n;
    for (let at = shift; at < bits - 6; at += 10) number |= 31n << BigInt(at);
    return [number, ones ^ number];
  });
  const powers = Array.from({ length: bits - 1 }, (_, i) => 2n ** BigInt(i));
  return [
    1n,
    2n,
    3n,
    15n,
    16n,
    17n,
    31n,
    32n,
    33n,
    n - 1n,
    n - 2n,
    n >> 1n,
    ones,
    ...zerosAndOnes,
    ...powers,
    ...powers.slice(2).map((power) => power - 1n),
  ];
}

export function fieldLength({ p }: TestCurve): number {
  return Math.ceil(p.toString(2).length / 8);
}

/** d * G, uncompressed, as node:crypto has it. */
export function pointOf(curve: TestCurve, d: bigint): Buffer {
  const ecdh = crypto.createECDH(curve.ecdhName ?? curve.name);
  ecdh.setPrivateKey(d.toString(16).padStart(2 * fieldLength(curve), '0'), 'hex');
  return ecdh.getPublicKey();
}

/** y^2 = x^3 + a x + b with the generator's x and y, modulo p. */
export function equationOf(curve: TestCurve) {
  const { p, name } = curve;
  const generator = pointOf(curve, 1n).subarray(1).toString('hex');
  const x = hex(generator.slice(0, generator.length / 2));
  const y = hex(generator.slice(generator.length / 2));
  const a = name === 'secp256k1' ? 0n : -3n;
  const b = (((y * y - x * x * x - a * x) % p) + p) % p;
  return { a, b, x, y };
}
