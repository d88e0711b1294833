// SM2 (GB/T 32918-2016) with BigInt, straight from the standard's formulas: an independent oracle.
import crypto from 'node:crypto';
import { integer, octets, sequence } from './der.ts';

const p = 2n ** 256n - 2n ** 224n - 2n ** 96n + 2n ** 64n - 1n;
const a = p - 3n;
const b = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const n = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;

type Point = readonly [x: bigint, y: bigint] | undefined;

const g: Point = [
  0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
];

const mod = (x: bigint, m: bigint) => ((x % m) + m) % m;

function power(base: bigint, exponent: bigint, m: bigint): bigint {
  let result = 1n;
  for (let x = mod(base, m), e = exponent; e > 0n; e >>= 1n, x = (x * x) % m) {
    if (e & 1n) result = (result * x) % m;
  }
  return result;
}

const inverse = (x: bigint, m: bigint) => power(x, m - 2n, m);

function add(first: Point, second: Point): Point {
  if (first === undefined || second === undefined) return first ?? second;
  const [x1, y1] = first;
  const [x2, y2] = second;
  if (x1 === x2 && y1 !== y2) return undefined;
  const slope =
    x1 === x2 ? (3n * x1 * x1 + a) * inverse(2n * y1, p) : (y2 - y1) * inverse(x2 - x1, p);
  const x3 = mod(slope * slope - x1 - x2, p);
  return [x3, mod(slope * (x1 - x3) - y1, p)];
}

function multiply(k: bigint, point: Point): Point {
  let result: Point;
  for (let doubled = point, e = k; e > 0n; e >>= 1n, doubled = add(doubled, doubled)) {
    if (e & 1n) result = add(result, doubled);
  }
  return result;
}

const toBytes = (x: bigint) => Buffer.from(x.toString(16).padStart(64, '0'), 'hex');
const toNumber = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const sm3 = (...parts: Uint8Array[]) =>
  crypto.createHash('sm3').update(Buffer.concat(parts)).digest();

/** The last 64 bytes of a SubjectPublicKeyInfo are the point. */
function pointOf(spki: Uint8Array): readonly [bigint, bigint] {
  const bytes = Buffer.from(spki).subarray(-64);
  return [toNumber(bytes.subarray(0, 32)), toNumber(bytes.subarray(32))];
}

function randomScalar(): bigint {
  return (toNumber(crypto.randomBytes(40)) % (n - 1n)) + 1n;
}

/** e of part 2, 5.5 and 6.1: the digest of the signer's identity and the message. */
export function digest(spki: Uint8Array, message: Uint8Array, id = '1234567812345678'): Buffer {
  const [x, y] = pointOf(spki);
  const bits = Buffer.from([(id.length * 8) >> 8, (id.length * 8) & 0xff]);
  const [gx, gy] = g as readonly [bigint, bigint];
  const z = sm3(bits, Buffer.from(id), ...[a, b, gx, gy, x, y].map(toBytes));
  return sm3(z, message);
}

/** Part 2, 7.1: whether (r, s) is a signature of the digest e. */
export function verify(spki: Uint8Array, e: Uint8Array, r: bigint, s: bigint): boolean {
  const t = mod(r + s, n);
  const point = add(multiply(s, g), multiply(t, pointOf(spki)));
  return point !== undefined && t !== 0n && mod(toNumber(e) + point[0], n) === r;
}

/** Part 2, 6.1: a signature of the digest e. */
export function sign(d: bigint, e: Uint8Array): { r: bigint; s: bigint } {
  const k = randomScalar();
  const [x] = multiply(k, g) as readonly [bigint, bigint];
  const r = mod(toNumber(e) + x, n);
  return { r, s: mod(inverse(1n + d, n) * (k - r * d), n) };
}

/** The x coordinate of d times a point. */
export function agree(d: bigint, spki: Uint8Array): Buffer {
  const [x] = multiply(d, pointOf(spki)) as readonly [bigint, bigint];
  return toBytes(x);
}

/** Part 4, 6.1, in the ASN.1 of GM/T 0009: C1 as two numbers, C3, C2. */
export function encrypt(spki: Uint8Array, message: Uint8Array): Buffer {
  const k = randomScalar();
  const [x1, y1] = multiply(k, g) as readonly [bigint, bigint];
  const [x2, y2] = (multiply(k, pointOf(spki)) as readonly [bigint, bigint]).map(toBytes) as [
    Buffer,
    Buffer,
  ];
  const blocks: Buffer[] = [];
  for (let counter = 1; blocks.length * 32 < message.length; counter++) {
    blocks.push(sm3(x2, y2, Buffer.from([0, 0, 0, counter])));
  }
  const mask = Buffer.concat(blocks);
  const masked = message.map((byte, i) => byte ^ (mask[i] as number));
  return sequence(integer(x1), integer(y1), octets(sm3(x2, message, y2)), octets(masked));
}

/** A signature as ECDSA's are encoded, of numbers. */
export const encodeSignature = (r: bigint, s: bigint) => sequence(integer(r), integer(s));

/** The numbers of such a signature. */
export function decodeSignature(der: Uint8Array): { r: bigint; s: bigint } {
  const rLength = der[3] as number;
  return { r: toNumber(der.subarray(4, 4 + rLength)), s: toNumber(der.subarray(6 + rLength)) };
}
