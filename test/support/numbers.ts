import { createHmac } from 'node:crypto';

export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n % modulus;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === '1') result = (result * base) % modulus;
  }
  return result;
}

export function gcd(first: bigint, second: bigint): bigint {
  let [a, b] = [first, second];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

export function hex(text: string): bigint {
  return BigInt(`0x${text}`);
}

export function bytesOf(number: bigint, length: number): Buffer {
  return Buffer.from(number.toString(16).padStart(2 * length, '0'), 'hex');
}

/** Random-looking but repeatable numbers below 2^bits (HMAC in counter mode). */
export function* numbersFrom(seed: string, bits: number): Generator<bigint> {
  for (let i = 0; ; i++) {
    let text = '';
    for (let j = 0; text.length * 4 < bits; j++) {
      text += createHmac('sha256', seed).update(`${i}.${j}`).digest('hex');
    }
    yield BigInt.asUintN(bits, hex(text));
  }
}

/** The candidate stream of c2sp.org/det-keygen: HMAC_DRBG with SHA-256. */
export function detKeygenStream(seed: Buffer, bits: number): () => Buffer {
  const mac = (key: Buffer, ...parts: Buffer[]) =>
    createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  const label = Buffer.concat([
    Buffer.from('det RSA key gen'),
    Buffer.from([bits >> 8, bits & 0xff]),
  ]);
  let key: Buffer = Buffer.alloc(32, 0);
  let value: Buffer = Buffer.alloc(32, 1);
  for (const round of [0, 1]) {
    key = mac(key, value, Buffer.from([round]), seed, label);
    value = mac(key, value);
  }
  let first = true;
  return () => {
    if (!first) {
      key = mac(key, value, Buffer.from([0]));
      value = mac(key, value);
    }
    first = false;
    const blocks: Buffer[] = [];
    for (let length = 0; length < bits / 16; length += 32) {
      value = mac(key, value);
      blocks.push(value);
    }
    return Buffer.concat(blocks).subarray(0, bits / 16);
  };
}
