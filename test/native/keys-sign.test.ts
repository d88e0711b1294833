import crypto, { type KeyObject } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KeySpec, MessageType, SigningAlgorithmSpec } from '../../lib/model/types.ts';
import { internals } from '../support/internals.ts';
import {
  flip,
  generateWithNode,
  importKey,
  type KmsKey,
  mintKey,
  pkcs8Of,
  publicKeyOf,
} from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';
import { hex, readVectors } from '../support/vectors.ts';

const message = Buffer.from('the message that is signed');

const rsa: SigningAlgorithmSpec[] = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
];

const algorithms: [KeySpec, SigningAlgorithmSpec[]][] = [
  ['RSA_2048', rsa],
  ['RSA_3072', rsa],
  ['RSA_4096', rsa],
  ['ECC_NIST_P256', ['ECDSA_SHA_256']],
  ['ECC_NIST_P384', ['ECDSA_SHA_384']],
  ['ECC_NIST_P521', ['ECDSA_SHA_512']],
  ['ECC_SECG_P256K1', ['ECDSA_SHA_256']],
  ['ECC_NIST_EDWARDS25519', ['ED25519_SHA_512']],
];

const hashOf = (algorithm: SigningAlgorithmSpec) =>
  algorithm.startsWith('ED25519') ? null : `sha${algorithm.slice(-3)}`;

const options = (algorithm: SigningAlgorithmSpec, key: KeyObject) =>
  algorithm.startsWith('RSASSA_PSS')
    ? {
        key,
        padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
        saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : { key };

/** What is signed, as RAW and, if the algorithm has a hash, as DIGEST. */
function inputs(algorithm: SigningAlgorithmSpec): [MessageType, Uint8Array][] {
  const hash = hashOf(algorithm);
  if (hash === null) return [['RAW', message]];
  return [
    ['RAW', message],
    ['DIGEST', crypto.createHash(hash).update(message).digest()],
  ];
}

afterEach(() => internals.spoilSignatures(false));

describe.each(algorithms)('a key of %s', (spec, names) => {
  let theirs: KeyObject;
  let imported: KmsKey;
  let minted: KmsKey;
  beforeAll(async () => {
    theirs = generateWithNode(spec);
    imported = await importKey(spec, pkcs8Of(theirs));
    minted = await mintKey(spec);
  });

  it.each(names)('signs by %s what node:crypto verifies', async (algorithm) => {
    const key = options(algorithm, publicKeyOf(minted.publicKey));
    for (const [messageType, input] of inputs(algorithm)) {
      const { material } = minted;
      const signature = await internals.sign({ material, algorithm, message: input, messageType });
      expect(crypto.verify(hashOf(algorithm), message, key, signature), messageType).toBe(true);
    }
  });

  it.each(names)('verifies by %s what node:crypto signs, and nothing else', async (algorithm) => {
    const { publicKey } = imported;
    const signature = crypto.sign(hashOf(algorithm), message, options(algorithm, theirs));
    for (const [messageType, input] of inputs(algorithm)) {
      const args = { publicKey, algorithm, messageType };
      const verify = (text: Uint8Array, bytes: Uint8Array) =>
        internals.verify({ ...args, message: text, signature: bytes });
      expect(await verify(input, signature)).toBe(true);
      expect(await verify(flip(input, 5), signature)).toBe(false);
      expect(await verify(input, signature.subarray(1))).toBe(false);
      expect(await verify(input, new Uint8Array())).toBe(false);
      for (const bit of [0, 9, 77, signature.length * 8 - 1]) {
        expect(await verify(input, flip(signature, bit)), `bit ${bit}`).toBe(false);
      }
    }
  });

  it.each(names)('refuses a digest of another length by %s, in AWS’s words', async (algorithm) => {
    const { material, publicKey } = imported;
    const refusal = {
      code: 'INVALID_ARGUMENT',
      ...(hashOf(algorithm) && {
        message: `Digest is invalid length for algorithm ${algorithm}.`,
      }),
    };
    for (const length of [0, 20, 31, 33, 65]) {
      const args = { algorithm, message: Buffer.alloc(length), messageType: 'DIGEST' as const };
      await expect(internals.sign({ ...args, material })).rejects.toMatchObject(refusal);
      const verifying = internals.verify({ ...args, publicKey, signature: Buffer.alloc(64) });
      await expect(verifying).rejects.toMatchObject(refusal);
    }
  });

  const betrayedByFaults = /^(RSA|ECC_NIST_EDWARDS)/.test(spec);

  it.runIf(betrayedByFaults)('lets no signature out that a fault has spoilt', async () => {
    internals.spoilSignatures(true);
    for (const algorithm of names) {
      const args = { material: minted.material, algorithm, message, messageType: 'RAW' as const };
      await expect(internals.sign(args)).rejects.toMatchObject({
        code: 'INTERNAL',
        message: 'a signature came out wrong',
      });
    }
  });

  it('refuses the algorithms of other keys', async () => {
    const others: SigningAlgorithmSpec[] = [...rsa, 'ECDSA_SHA_256', 'ED25519_SHA_512', 'SM2DSA'];
    const family = (name: string) => name.slice(0, 3);
    for (const algorithm of others.filter((name) => family(name) !== family(names[0] as string))) {
      const args = { algorithm, message, messageType: 'RAW' as const };
      const { material, publicKey } = minted;
      const refusal = { code: 'INVALID_ARGUMENT' };
      await expect(internals.sign({ ...args, material })).rejects.toMatchObject(refusal);
      const verifying = internals.verify({ ...args, publicKey, signature: Buffer.alloc(64) });
      await expect(verifying).rejects.toMatchObject(refusal);
    }
  });
});

describe('a signature of RSASSA-PSS', () => {
  // OpenSSL, and node:crypto with it, reads the number and not the bytes.
  it('is not valid without the zeros it begins with', async () => {
    const { material, publicKey } = await mintKey('RSA_2048');
    const algorithm = 'RSASSA_PSS_SHA_256';
    const args = { algorithm, message, messageType: 'RAW' } as const;
    let signature: Uint8Array = Buffer.from([1]);
    while (signature[0] !== 0) signature = await internals.sign({ ...args, material });
    expect(await internals.verify({ ...args, publicKey, signature })).toBe(true);
    const cut = signature.subarray(1);
    expect(crypto.verify('sha256', message, options(algorithm, publicKeyOf(publicKey)), cut)).toBe(
      true,
    );
    expect(await internals.verify({ ...args, publicKey, signature: cut })).toBe(false);
  });
});

describe('a key of SM2', () => {
  const algorithm = 'SM2DSA';
  const { tests } = readVectors<{
    tests: Record<'d' | 'x' | 'y' | 'msg' | 'r' | 's', string>[];
  }>('own/sm2.json');

  it('signs what the formulas of the standard verify', async () => {
    const { material, publicKey } = await mintKey('SM2');
    const e = sm2.digest(publicKey, message);
    for (const [messageType, input] of [['RAW', message] as const, ['DIGEST', e] as const]) {
      const signature = await internals.sign({ material, algorithm, message: input, messageType });
      const { r, s } = sm2.decodeSignature(signature);
      expect(sm2.verify(publicKey, e, r, s), messageType).toBe(true);
    }
  });

  it('verifies the worked example of the standard, and not a bit of it changed', async () => {
    for (const { d, x, y, msg, r, s } of tests) {
      const { spki, pkcs8 } = internals.encodeEc('SM2', d) ?? {};
      const { publicKey } = await importKey('SM2', pkcs8 as Uint8Array);
      expect(publicKey).toEqual(spki);
      expect(Buffer.from(publicKey).subarray(-64)).toEqual(hex(x + y));
      const signature = sm2.encodeSignature(BigInt(`0x${r}`), BigInt(`0x${s}`));
      const text = Buffer.from(msg);
      const verify = (args: { message: Uint8Array; messageType: MessageType }, bytes = signature) =>
        internals.verify({ publicKey, algorithm, signature: bytes, ...args });
      expect(await verify({ message: text, messageType: 'RAW' })).toBe(true);
      const e = sm2.digest(publicKey, text);
      expect(await verify({ message: e, messageType: 'DIGEST' })).toBe(true);
      expect(await verify({ message: flip(e, 3), messageType: 'DIGEST' })).toBe(false);
      const flipped = Buffer.from(flip(signature, 200));
      expect(await verify({ message: text, messageType: 'RAW' }, flipped)).toBe(false);
    }
  });

  it('verifies what the formulas of the standard sign', async () => {
    const theirs = generateWithNode('SM2');
    const { publicKey } = await importKey('SM2', pkcs8Of(theirs));
    const { d } = readEcScalar(theirs);
    const { r, s } = sm2.sign(d, sm2.digest(publicKey, message));
    const signature = sm2.encodeSignature(r, s);
    const args = { publicKey, algorithm, message, messageType: 'RAW', signature } as const;
    expect(await internals.verify(args)).toBe(true);
  });

  it('refuses a digest that is not SM3’s', async () => {
    const { material } = await mintKey('SM2');
    const args = { material, algorithm, message: Buffer.alloc(31), messageType: 'DIGEST' } as const;
    await expect(internals.sign(args)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

/** In the PKCS#8 of a key on a 256-bit curve the number stands behind 36 bytes. */
function readEcScalar(key: KeyObject): { d: bigint } {
  const pkcs8 = pkcs8Of(key);
  const at = pkcs8.indexOf(Buffer.from('020101' + '0420', 'hex')) + 5;
  return { d: BigInt(`0x${pkcs8.subarray(at, at + 32).toString('hex')}`) };
}

describe.runIf(internals.capabilities().ed25519ph)('Ed25519ph', () => {
  // RFC 8032, 7.3.
  const seed = '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42';
  const expected =
    '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41' +
    '31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406';
  const algorithm = 'ED25519_PH_SHA_512';
  const digest = crypto.createHash('sha512').update('abc').digest();

  it('signs and verifies the known answer, given as a digest', async () => {
    const { pkcs8 } = internals.encodeEd25519(hex(seed)) ?? {};
    const { material, publicKey } = await importKey('ECC_NIST_EDWARDS25519', pkcs8 as Uint8Array);
    const args = { algorithm, message: digest, messageType: 'DIGEST' } as const;
    const signature = await internals.sign({ ...args, material });
    expect(Buffer.from(signature).toString('hex')).toBe(expected);
    expect(await internals.verify({ ...args, publicKey, signature })).toBe(true);
    const flipped = flip(signature, 100);
    expect(await internals.verify({ ...args, publicKey, signature: flipped })).toBe(false);
    const raw = internals.sign({ ...args, material, messageType: 'RAW' });
    await expect(raw).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe.runIf(internals.capabilities().mlDsa)('a key of ML-DSA', () => {
  const algorithm = 'ML_DSA_SHAKE_256';

  it.each([
    ['ML_DSA_44', 2420],
    ['ML_DSA_65', 3309],
    ['ML_DSA_87', 4627],
  ] as const)('of %s signs messages and their mu alike', async (spec, length) => {
    const { material, publicKey } = await mintKey(spec);
    const spki = publicKeyOf(publicKey);
    const args = { publicKey, algorithm } as const;
    const raw = { algorithm, message, messageType: 'RAW' } as const;
    const signature = await internals.sign({ ...raw, material });
    expect(signature).toHaveLength(length);
    expect(crypto.verify(null, message, spki, signature)).toBe(true);
    const mu = muOf(publicKey, message);
    const externalMu = { message: mu, messageType: 'EXTERNAL_MU' } as const;
    expect(await internals.verify({ ...args, ...externalMu, signature })).toBe(true);
    const second = await internals.sign({ material, algorithm, ...externalMu });
    expect(crypto.verify(null, message, spki, second)).toBe(true);
    const flipped = flip(second, 1000);
    expect(await internals.verify({ ...args, ...externalMu, signature: flipped })).toBe(false);
    const short = internals.sign({ material, algorithm, ...externalMu, message: mu.subarray(1) });
    await expect(short).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const digest = internals.sign({ material, algorithm, message: mu, messageType: 'DIGEST' });
    await expect(digest).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  /** FIPS 204, algorithms 2 and 7, with an empty context: mu = H(H(pk) || 0 || 0 || M). */
  function muOf(spki: Uint8Array, text: Uint8Array): Buffer {
    const shake = (...parts: Uint8Array[]) =>
      crypto.createHash('shake256', { outputLength: 64 }).update(Buffer.concat(parts)).digest();
    // The algorithm identifier and the headers in front of the key take 22 bytes.
    return shake(shake(Buffer.from(spki).subarray(22)), Buffer.from([0, 0]), text);
  }
});

describe.runIf(!internals.capabilities().mlDsa)('ML-DSA without OpenSSL 3.5', () => {
  it('is unsupported and not an internal failure, nor are its keys taken for none', async () => {
    await expect(mintKey('ML_DSA_65')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const pkcs8 = hex(`3034020100300b060960864801650304031204228020${'2a'.repeat(32)}`);
    await expect(importKey('ML_DSA_65', pkcs8)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe.runIf(!internals.capabilities().ed25519ph)('Ed25519ph without OpenSSL 3.4', () => {
  it('is unsupported and not an internal failure', async () => {
    const { material } = await mintKey('ECC_NIST_EDWARDS25519');
    const algorithm = 'ED25519_PH_SHA_512';
    const args = { algorithm, message: Buffer.alloc(64), messageType: 'DIGEST' } as const;
    const signing = internals.sign({ ...args, material });
    await expect(signing).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
