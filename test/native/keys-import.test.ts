import crypto, { type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AlgorithmSpec, KeySpec, WrappingKeySpec } from '../../lib/model/types.ts';
import { element, integer, octets, sequence } from '../support/der.ts';
import { internals } from '../support/internals.ts';
import {
  destination,
  flip,
  generateWithNode,
  pkcs8Of,
  publicKeyOf,
  rootKey,
  spkiOf,
  wrapHybrid,
} from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';

const { keyId } = destination;
const idOf = (record: { header: Uint8Array }) =>
  Buffer.from(record.header).subarray(20, 52).toString('hex');

const secretLengths: Partial<Record<KeySpec, number>> = {
  SYMMETRIC_DEFAULT: 32,
  HMAC_224: 28,
  HMAC_256: 32,
  HMAC_384: 48,
  HMAC_512: 64,
};

const privateKeySpecs: KeySpec[] = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'SM2',
  'ECC_NIST_EDWARDS25519',
];

const specs = [...(Object.keys(secretLengths) as KeySpec[]), ...privateKeySpecs];

const { RSA_PKCS1_PADDING } = crypto.constants;

/** What the owner of the material does, with node:crypto. */
const wrap: Record<AlgorithmSpec, (publicKey: Uint8Array, material: Uint8Array) => Buffer> = {
  RSAES_PKCS1_V1_5: (publicKey, material) =>
    crypto.publicEncrypt({ key: publicKeyOf(publicKey), padding: RSA_PKCS1_PADDING }, material),
  RSAES_OAEP_SHA_1: (publicKey, material) =>
    crypto.publicEncrypt({ key: publicKeyOf(publicKey), oaepHash: 'sha1' }, material),
  RSAES_OAEP_SHA_256: (publicKey, material) =>
    crypto.publicEncrypt({ key: publicKeyOf(publicKey), oaepHash: 'sha256' }, material),
  RSA_AES_KEY_WRAP_SHA_1: (publicKey, material) =>
    wrapHybrid(publicKeyOf(publicKey), 'sha1', material),
  RSA_AES_KEY_WRAP_SHA_256: (publicKey, material) =>
    wrapHybrid(publicKeyOf(publicKey), 'sha256', material),
  SM2PKE: sm2.encrypt,
};

const rsaAlgorithms = (Object.keys(wrap) as AlgorithmSpec[]).filter((name) => name !== 'SM2PKE');

type Token = Awaited<ReturnType<typeof internals.createImportToken>>;
const tokens = {} as Record<WrappingKeySpec, Token>;
const material = {} as Record<KeySpec, { bytes: Buffer; publicKey?: Buffer }>;

beforeAll(async () => {
  for (const wrappingKeySpec of ['RSA_2048', 'RSA_3072', 'RSA_4096', 'SM2'] as const) {
    tokens[wrappingKeySpec] = await internals.createImportToken({
      ...destination,
      attributes: Buffer.from(`for ${wrappingKeySpec}`),
      wrappingKeySpec,
    });
  }
  for (const spec of privateKeySpecs) {
    const key = generateWithNode(spec);
    material[spec] = { bytes: pkcs8Of(key), publicKey: spkiOf(key) };
  }
  for (const [spec, length] of Object.entries(secretLengths)) {
    material[spec as KeySpec] = { bytes: crypto.randomBytes(length) };
  }
});

function importWrapped(
  wrappingKeySpec: WrappingKeySpec,
  algorithm: AlgorithmSpec,
  spec: KeySpec,
  encryptedKeyMaterial: Uint8Array,
) {
  const { token } = tokens[wrappingKeySpec];
  return internals.importKeyMaterial({
    ...destination,
    token,
    algorithm,
    encryptedKeyMaterial,
    spec,
  });
}

const importPlain = (spec: KeySpec, plaintext: Uint8Array) =>
  internals.importPlainKeyMaterial({ ...destination, spec, plaintext });

describe('an import token', () => {
  it('gives its attributes to its own key and root key', () => {
    for (const [spec, { token }] of Object.entries(tokens)) {
      const attributes = internals.openImportToken({ rootKey, keyId, token });
      expect(Buffer.from(attributes).toString()).toBe(`for ${spec}`);
    }
  });

  it('is refused with any bit flipped and any end cut off', () => {
    const { token } = tokens.SM2;
    const refusal = expect.objectContaining({ code: 'INVALID_TOKEN' });
    const open = (bytes: Uint8Array) => () =>
      internals.openImportToken({ rootKey, keyId, token: bytes });
    for (let bit = 0; bit < token.length * 8; bit++) {
      expect(open(flip(token, bit)), `bit ${bit}`).toThrow(refusal);
    }
    for (let end = 0; end < token.length; end++) {
      expect(open(token.subarray(0, end)), `${end} bytes`).toThrow(refusal);
    }
    expect(open(Buffer.concat([token, Buffer.alloc(8)]))).toThrow(refusal);
  });

  it('is refused by another key and another root key, and no record passes for one', async () => {
    const refusal = expect.objectContaining({ code: 'INVALID_TOKEN' });
    const { token } = tokens.RSA_2048;
    const other = internals.openRootKey(Buffer.alloc(32, 8));
    expect(() => internals.openImportToken({ rootKey: other, keyId, token })).toThrow(refusal);
    const args = { rootKey, keyId: Buffer.alloc(16, 2) };
    expect(() => internals.openImportToken({ ...args, token })).toThrow(refusal);
    const { header, wrapped } = await importPlain('RSA_2048', material.RSA_2048.bytes);
    const forged = Buffer.concat([Buffer.from([0, 0, 0, header.length]), header, wrapped]);
    expect(() => internals.openImportToken({ rootKey, keyId, token: forged })).toThrow(refusal);
    const importing = internals.importKeyMaterial({
      ...destination,
      token: forged,
      algorithm: 'RSAES_OAEP_SHA_256',
      encryptedKeyMaterial: Buffer.alloc(256),
      spec: 'SYMMETRIC_DEFAULT',
    });
    await expect(importing).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('opens as no key material', () => {
    const { token } = tokens.RSA_2048;
    const length = 52 + 'for RSA_2048'.length;
    const header = token.subarray(4, 4 + length);
    expect(() => internals.openKeyMaterial(rootKey, header, token.subarray(4 + length))).toThrow(
      'INVALID_RECORD',
    );
  });
});

describe.each(['RSA_2048', 'RSA_3072', 'RSA_4096'] as const)('a wrapping key of %s', (wrapping) => {
  const fits = (algorithm: AlgorithmSpec, length: number) =>
    algorithm.startsWith('RSA_AES') || length <= Number(wrapping.slice(4)) / 8 - 66;

  it.each(rsaAlgorithms)('brings by %s all key material that fits', async (algorithm) => {
    const { publicKey } = tokens[wrapping];
    const fitting = specs.filter((spec) => fits(algorithm, material[spec].bytes.length));
    expect(fitting.length).toBeGreaterThan(6);
    for (const spec of fitting) {
      const { bytes, publicKey: expected } = material[spec];
      const wrapped = wrap[algorithm](publicKey, bytes);
      const record = await importWrapped(wrapping, algorithm, spec, wrapped);
      expect(record.publicKey && Buffer.from(record.publicKey), spec).toEqual(expected);
      expect(idOf(record), spec).toBe(idOf(await importPlain(spec, bytes)));
      expect(Buffer.from(record.header).subarray(52)).toEqual(destination.attributes);
    }
  });

  it.each(rsaAlgorithms)(
    'refuses by %s every wrong ciphertext with one error',
    async (algorithm) => {
      const { publicKey } = tokens[wrapping];
      const wrapped = wrap[algorithm](publicKey, material.SYMMETRIC_DEFAULT.bytes);
      const wrong = [
        ...[1, 50, 999, wrapped.length * 8 - 1].map((bit) => flip(wrapped, bit)),
        wrapped.subarray(0, -1),
        wrapped.subarray(0, -8),
        Buffer.concat([wrapped, Buffer.alloc(8)]),
        Buffer.alloc(0),
        Buffer.alloc(16),
        Buffer.alloc(wrapped.length),
      ];
      for (const bytes of wrong) {
        await expect(
          importWrapped(wrapping, algorithm, 'SYMMETRIC_DEFAULT', bytes),
        ).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT', message: 'INVALID_CIPHERTEXT' });
      }
      const sm2pke = importWrapped(wrapping, 'SM2PKE', 'SYMMETRIC_DEFAULT', wrapped);
      await expect(sm2pke).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    },
  );
});

describe('a wrapping key of SM2', () => {
  it('brings all key material that fits', async () => {
    const { publicKey } = tokens.SM2;
    for (const spec of specs.filter((name) => !name.startsWith('RSA'))) {
      const { bytes, publicKey: expected } = material[spec];
      const record = await importWrapped('SM2', 'SM2PKE', spec, sm2.encrypt(publicKey, bytes));
      expect(record.publicKey && Buffer.from(record.publicKey), spec).toEqual(expected);
      expect(idOf(record), spec).toBe(idOf(await importPlain(spec, bytes)));
    }
  });

  it('refuses the algorithms of RSA', async () => {
    for (const algorithm of rsaAlgorithms) {
      const importing = importWrapped('SM2', algorithm, 'HMAC_256', Buffer.alloc(256));
      await expect(importing).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });
});

describe('RSAES_PKCS1_V1_5', () => {
  const algorithm = 'RSAES_PKCS1_V1_5';

  /** Encrypts 256 bytes as they are: RSA without padding. */
  const encryptRaw = (encoded: Uint8Array) =>
    crypto.publicEncrypt(
      {
        key: publicKeyOf(tokens.RSA_2048.publicKey),
        padding: crypto.constants.RSA_NO_PADDING,
      },
      encoded,
    );
  const secret = crypto.randomBytes(32);
  const padded = (start: number[], fill: number, separator: number, message: Uint8Array = secret) =>
    Buffer.concat([
      Buffer.from(start),
      Buffer.alloc(256 - start.length - 1 - message.length, fill),
      Buffer.from([separator]),
      message,
    ]);

  it('has one error for every wrong padding and every wrong length', async () => {
    const importRaw = (encoded: Buffer) =>
      importWrapped('RSA_2048', algorithm, 'SYMMETRIC_DEFAULT', encryptRaw(encoded));
    await expect(importRaw(padded([0, 2], 1, 0))).resolves.toBeDefined();
    const shortPadding = Buffer.concat([
      Buffer.from([0, 2, 1, 1, 1, 1, 1, 1, 1, 0]),
      crypto.randomBytes(246).map((byte) => byte || 1),
    ]);
    const wrong = {
      'first byte': padded([1, 2], 1, 0),
      type: padded([0, 1], 1, 0),
      'no separator': padded(
        [0, 2],
        1,
        1,
        secret.map((byte) => byte || 1),
      ),
      'seven bytes of padding': shortPadding,
      'too short': padded([0, 2], 1, 0, secret.subarray(1)),
      'too long': padded([0, 2], 1, 0, Buffer.concat([secret, Buffer.alloc(1, 1)])),
      empty: padded([0, 2], 1, 0, Buffer.alloc(0)),
    };
    for (const [why, encoded] of Object.entries(wrong)) {
      await expect(importRaw(encoded), why).rejects.toMatchObject({
        code: 'INVALID_CIPHERTEXT',
        message: 'INVALID_CIPHERTEXT',
      });
    }
  });

  it('tells nothing of bytes that are not a key, either', async () => {
    const { publicKey } = tokens.RSA_4096;
    const wrapped = wrap[algorithm](publicKey, flip(material.ECC_NIST_P256.bytes, 3));
    const importing = importWrapped('RSA_4096', algorithm, 'ECC_NIST_P256', wrapped);
    await expect(importing).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT' });
  });
});

describe('imported material', () => {
  const refusal = { code: 'INVALID_KEY_MATERIAL' };

  it('is refused as any other spec than its own', async () => {
    for (const spec of specs) {
      const length = secretLengths[spec];
      const others = specs.filter(
        (other) => other !== spec && (length === undefined || secretLengths[other] !== length),
      );
      for (const other of others) {
        // A private key of Ed25519 is 48 bytes long, as good a secret as any.
        if (other === 'HMAC_384' && spec === 'ECC_NIST_EDWARDS25519') continue;
        const importing = importPlain(other, material[spec].bytes);
        await expect(importing, `${spec} as ${other}`).rejects.toMatchObject(refusal);
      }
    }
  });

  it('is refused with anything behind it, or cut off', async () => {
    for (const spec of privateKeySpecs) {
      const { bytes } = material[spec];
      for (const wrong of [
        Buffer.concat([bytes, Buffer.alloc(1)]),
        bytes.subarray(0, -1),
        Buffer.alloc(0),
      ]) {
        await expect(importPlain(spec, wrong), spec).rejects.toMatchObject(refusal);
      }
    }
  });

  it('is the same key however it is encoded', async () => {
    const { d } = crypto
      .createPrivateKey({ key: material.ECC_NIST_P256.bytes, format: 'der', type: 'pkcs8' })
      .export({ format: 'jwk' });
    const number = Buffer.from(d as string, 'base64url');
    const algorithm = Buffer.from('301306072a8648ce3d020106082a8648ce3d030107', 'hex');
    const curve = element(0xa0, Buffer.from('06082a8648ce3d030107', 'hex'));
    const attributes = element(0xa0);
    const key = (...more: Buffer[]) => octets(sequence(integer(1n), octets(number), ...more));
    const id = idOf(await importPlain('ECC_NIST_P256', material.ECC_NIST_P256.bytes));
    for (const bytes of [
      sequence(integer(0n), algorithm, key()),
      sequence(integer(0n), algorithm, key(curve)),
      sequence(integer(0n), algorithm, key(), attributes),
    ]) {
      expect(idOf(await importPlain('ECC_NIST_P256', bytes))).toBe(id);
    }
    const other = element(0xa0, Buffer.from('06052b81040022', 'hex'));
    const wrong = sequence(integer(0n), algorithm, key(other));
    await expect(importPlain('ECC_NIST_P256', wrong)).rejects.toMatchObject(refusal);
  });

  it('on a curve has a number in range and its own public key', async () => {
    const curves = [
      [
        'ECC_NIST_P256',
        'P-256',
        'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
        1,
      ],
      [
        'ECC_SECG_P256K1',
        'secp256k1',
        'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
        1,
      ],
      ['SM2', 'SM2', 'fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123', 2],
    ] as const;
    for (const [spec, curve, order, margin] of curves) {
      const n = BigInt(`0x${order}`);
      const { pkcs8 } = internals.encodeEc(curve, '1') ?? {};
      const template = Buffer.from(pkcs8 as Uint8Array);
      const at = template.indexOf(Buffer.from('0420', 'hex')) + 2;
      const withoutPoint = (d: bigint) => {
        const number = Buffer.from(d.toString(16).padStart(64, '0'), 'hex');
        const algorithm = template.subarray(6, template.indexOf(Buffer.from('046d', 'hex')));
        return sequence(integer(0n), algorithm, octets(sequence(integer(1n), octets(number))));
      };
      const last = n - BigInt(margin);
      for (const d of [1n, last]) {
        await expect(importPlain(spec, withoutPoint(d)), `${d}`).resolves.toBeDefined();
      }
      for (const d of [0n, last + 1n, n, n + 1n, 2n ** 256n - 1n]) {
        await expect(importPlain(spec, withoutPoint(d)), `${d}`).rejects.toMatchObject(refusal);
      }
      const stolen = Buffer.from(template);
      stolen[at + 31] = 2;
      await expect(importPlain(spec, stolen)).rejects.toMatchObject(refusal);
    }
  });
});

describe('an imported RSA key', () => {
  type Numbers = Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', bigint>;
  const names = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const;
  let numbers: Numbers;

  function encode(key: Numbers, version = 0n): Buffer {
    const algorithm = Buffer.from('300d06092a864886f70d0101010500', 'hex');
    const body = sequence(integer(version), ...names.map((name) => integer(key[name])));
    return sequence(integer(0n), algorithm, octets(body));
  }

  function gcd(x: bigint, y: bigint): bigint {
    return y === 0n ? x : gcd(y, x % y);
  }

  function invert(x: bigint, m: bigint): bigint {
    let [r, next, s, t] = [m, x % m, 0n, 1n];
    while (next !== 0n) {
      const quotient = r / next;
      [r, next, s, t] = [next, r - quotient * next, t, s - quotient * t];
    }
    return ((s % m) + m) % m;
  }

  function numbersOf(p: bigint, q: bigint, e = 65537n, modulus?: bigint): Numbers {
    const [p1, q1] = [p - 1n, q - 1n];
    const d = invert(e, modulus ?? (p1 * q1) / gcd(p1, q1));
    return { n: p * q, e, d, p, q, dp: d % p1, dq: d % q1, qi: invert(q, p) };
  }

  const refused = (key: Numbers, why: string) =>
    expect(importPlain('RSA_2048', encode(key)), why).rejects.toMatchObject({
      code: 'INVALID_KEY_MATERIAL',
    });

  beforeAll(() => {
    const jwk = crypto
      .createPrivateKey({ key: material.RSA_2048.bytes, format: 'der', type: 'pkcs8' })
      .export({ format: 'jwk' });
    const read = (name: (typeof names)[number]) =>
      BigInt(`0x${Buffer.from(jwk[name] as string, 'base64url').toString('hex')}`);
    numbers = Object.fromEntries(names.map((name) => [name, read(name)])) as Numbers;
  });

  it('is taken as other makers write it: d for phi, q above p, another e', async () => {
    const { p, q } = numbers;
    const phi = (p - 1n) * (q - 1n);
    for (const key of [numbers, numbersOf(p, q, 65537n, phi), numbersOf(q, p)]) {
      await expect(importPlain('RSA_2048', encode(key))).resolves.toBeDefined();
    }
    let e = 65539n;
    while (gcd(e, phi) !== 1n) e += 2n;
    await expect(importPlain('RSA_2048', encode(numbersOf(p, q, e)))).resolves.toBeDefined();
  });

  it('is refused with any number changed, and with more than two primes', async () => {
    for (const name of names) {
      await refused({ ...numbers, [name]: numbers[name] + 2n }, `${name} + 2`);
      await refused({ ...numbers, [name]: 0n }, `${name} = 0`);
      await refused({ ...numbers, [name]: 1n }, `${name} = 1`);
    }
    const multiple = importPlain('RSA_2048', encode(numbers, 1n));
    await expect(multiple).rejects.toMatchObject({ code: 'INVALID_KEY_MATERIAL' });
  });

  it('is refused with a small or even e, composite factors, and primes that lie close', async () => {
    const { p, q } = numbers;
    const phi = (p - 1n) * (q - 1n);
    const small = [3n, 17n, 257n, 65535n].filter((e) => gcd(e, phi) === 1n);
    for (const e of small) await refused(numbersOf(p, q, e), `e = ${e}`);
    let composite = p + 2n;
    while (crypto.checkPrimeSync(composite) || gcd(composite - 1n, 65537n) !== 1n) composite += 2n;
    await refused(numbersOf(composite, q), 'composite p');
    let close = p + 2n;
    while (!crypto.checkPrimeSync(close)) close += 2n;
    await refused(numbersOf(close, p), 'close primes');
  });

  it('can be abandoned, and so can a token', async () => {
    const importing = internals.importPlainKeyMaterial(
      { ...destination, spec: 'RSA_4096', plaintext: material.RSA_4096.bytes },
      (abort) => setTimeout(abort, 20),
    );
    await expect(importing).rejects.toMatchObject({ code: 'ABORTED' });
    const minting = internals.createImportToken(
      { ...destination, wrappingKeySpec: 'RSA_4096' },
      (abort) => setImmediate(abort),
    );
    await expect(minting).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe.runIf(internals.capabilities().mlDsa)('an imported ML-DSA key', () => {
  it.each([
    ['ml-dsa-44', 2560],
    ['ml-dsa-65', 4032],
    ['ml-dsa-87', 4896],
  ])('of %s is what node:crypto made, by its seed', async (type, length) => {
    const spec = type.replaceAll('-', '_').toUpperCase() as KeySpec;
    const generate = crypto.generateKeyPairSync as unknown as (type: string) => {
      privateKey: KeyObject;
    };
    const key = generate(type).privateKey;
    const bytes = pkcs8Of(key);
    const record = await importPlain(spec, bytes);
    expect(Buffer.from(record.publicKey as Uint8Array)).toEqual(spkiOf(key));
    const expanded = octets(crypto.randomBytes(length));
    const choice = (content: Buffer) =>
      sequence(integer(0n), bytes.subarray(5, 18), octets(content));
    for (const wrong of [
      choice(expanded),
      choice(sequence(octets(bytes.subarray(-32)), expanded)),
    ]) {
      await expect(importPlain(spec, wrong)).rejects.toMatchObject({
        code: 'INVALID_KEY_MATERIAL',
      });
    }
  });
});

describe('a PrivateKeyInfo that other programs write', () => {
  const refusal = { code: 'INVALID_KEY_MATERIAL' };
  const curveSpecs = [
    'ECC_NIST_P256',
    'ECC_NIST_P384',
    'ECC_NIST_P521',
    'ECC_SECG_P256K1',
    'SM2',
  ] as const;

  /** The elements within the first element of some DER. */
  function elementsOf(der: Uint8Array): Buffer[] {
    const bytes = Buffer.from(der);
    const next = (at: number) => {
      const first = bytes[at + 1] as number;
      const count = first < 0x80 ? 0 : first & 0x7f;
      const length = count === 0 ? first : bytes.readUIntBE(at + 2, count);
      const start = at + 2 + count;
      return { start, end: start + length };
    };
    const found: Buffer[] = [];
    for (let at = next(0).start; at < bytes.length; at = next(at).end) {
      found.push(bytes.subarray(at, next(at).end));
    }
    return found;
  }

  const attributes = element(0xa0, sequence(element(0x06, Buffer.from([0x2a, 0x03]))));

  /** The key in version 2 (RFC 5958), its public key as `change` leaves it. */
  function version2(
    spec: KeySpec,
    change: (bits: Buffer) => Uint8Array = (bits) => bits,
    { version = 1n, between = [] as Buffer[] } = {},
  ): Buffer {
    const { bytes, publicKey = Buffer.alloc(0) } = material[spec];
    const [, algorithm, key] = elementsOf(bytes) as [Buffer, Buffer, Buffer];
    const [, bitString] = elementsOf(publicKey) as [Buffer, Buffer];
    const bits = bitString.subarray(bitString.indexOf(0, 2));
    const attached = element(0x81, change(Buffer.from(bits)));
    return sequence(integer(version), algorithm, key, ...between, attached);
  }

  const compress = (point: Buffer) =>
    Buffer.concat([
      Buffer.from([2 + ((point.at(-1) as number) & 1)]),
      point.subarray(1, (point.length + 1) / 2),
    ]);

  /** The key with `point` of its public key in place of the whole. */
  function withPoint(spec: KeySpec, change: (point: Buffer) => Uint8Array): Buffer {
    const { bytes } = material[spec];
    const [version, algorithm, key] = elementsOf(bytes) as [Buffer, Buffer, Buffer];
    const [ecPrivateKey] = elementsOf(key) as [Buffer];
    const [ecVersion, d, last] = elementsOf(ecPrivateKey) as [Buffer, Buffer, Buffer];
    const [bitString] = elementsOf(last) as [Buffer];
    const point = bitString.subarray(bitString.indexOf(4, 3));
    const bits = element(0x03, Buffer.from([0]), change(Buffer.from(point)));
    return sequence(version, algorithm, octets(sequence(ecVersion, d, element(0xa1, bits))));
  }

  it.each(privateKeySpecs)('of version 2 is imported: %s', async (spec) => {
    const { bytes, publicKey } = material[spec];
    const expected = idOf(await importPlain(spec, bytes));
    for (const between of [[], [attributes]]) {
      const record = await importPlain(spec, version2(spec, undefined, { between }));
      expect(record.publicKey && Buffer.from(record.publicKey)).toEqual(publicKey);
      expect(idOf(record)).toBe(expected);
    }
  });

  it.each(privateKeySpecs)(
    'is refused if the public key is of another key or of another version: %s',
    async (spec) => {
      const lastBit = (bits: Buffer) => flip(bits, bits.length * 8 - 1);
      for (const wrong of [
        version2(spec, lastBit),
        version2(spec, (bits) => bits.subarray(0, -1)),
        version2(spec, undefined, { version: 0n }),
        version2(spec, undefined, { version: 2n }),
      ]) {
        await expect(importPlain(spec, wrong)).rejects.toMatchObject(refusal);
      }
    },
  );

  it.each(curveSpecs)('may have its point compressed: %s', async (spec) => {
    const expected = idOf(await importPlain(spec, material[spec].bytes));
    const record = await importPlain(spec, withPoint(spec, compress));
    expect(idOf(record)).toBe(expected);
    expect(Buffer.from(record.publicKey as Uint8Array)).toEqual(material[spec].publicKey);
    const attached = version2(spec, (bits) =>
      Buffer.concat([bits.subarray(0, 1), compress(bits.subarray(1))]),
    );
    expect(idOf(await importPlain(spec, attached))).toBe(expected);
  });

  it.each(curveSpecs)('is refused with the compressed point of another key: %s', async (spec) => {
    const otherHalf = (point: Buffer) => flip(compress(point), 0);
    const otherX = (point: Buffer) => flip(compress(point), 100);
    const cut = (point: Buffer) => compress(point).subarray(0, -1);
    for (const change of [otherHalf, otherX, cut]) {
      await expect(importPlain(spec, withPoint(spec, change))).rejects.toMatchObject(refusal);
    }
  });
});
