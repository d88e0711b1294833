import crypto from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { dataKeyPairSpecs } from '../../lib/model/key-specs.ts';
import type { DataKeyPairSpec } from '../../lib/model/types.ts';
import { loadNative } from '../../lib/native/addon.ts';
import {
  countPairs,
  decodeLots,
  encodeLots,
  entrySize,
  intoEntries,
  type Lot,
  lotSize,
  lotsOf,
  pairsOf,
} from '../../lib/pool/lots.ts';
import { poolContext } from '../../lib/pool/pool-directory.ts';
import { present } from './support.ts';

const native = loadNative();
const rootKey = native.openRootKey(undefined);
const record = native.createKeyMaterial(rootKey, Buffer.alloc(16), Buffer.alloc(0), 32);
const material = native.openKeyMaterial(rootKey, record.header, record.wrapped);
const context = Buffer.alloc(4);
const specs = dataKeyPairSpecs();

async function mintLot(spec: DataKeyPairSpec, count = lotSize(spec, 1000)) {
  const sourceContext = poolContext(spec);
  const lot = await native.mintLot({ material, spec, context: sourceContext, count });
  const take = (index: number, more: { sourceContext?: Uint8Array; plaintext?: boolean } = {}) =>
    native.takeFromLot({
      ...{ source: material, sourceContext, lot, index },
      ...{ material, context, plaintext: true, ...more },
    });
  return { lot, count, take };
}

function privateKeyOf(pkcs8: Uint8Array | undefined): crypto.KeyObject {
  const key = Buffer.from(present(pkcs8));
  return crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

describe.each(specs)('a lot of %s', (spec) => {
  it('has so many different pairs, each of them whole', async () => {
    const { count, take } = await mintLot(spec);
    const pairs = await Promise.all(Array.from({ length: count }, (_, i) => take(i)));
    for (const { publicKey, privateKeyCiphertext, privateKeyPlaintext } of pairs) {
      const opened = native.decrypt({ material, context, ciphertext: privateKeyCiphertext });
      expect(Buffer.from(opened)).toEqual(Buffer.from(present(privateKeyPlaintext)));
      // OpenSSL derives SM2's public key as well, but Node.js has no name for the curve.
      const derived = crypto.createPublicKey(privateKeyOf(privateKeyPlaintext));
      expect(derived.export({ format: 'der', type: 'spki' })).toEqual(Buffer.from(publicKey));
    }
    const keys = pairs.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'));
    expect(new Set(keys).size).toBe(count);
    expect(await take(0, { plaintext: false })).not.toHaveProperty('privateKeyPlaintext');
  });

  it('is opened for no other spec, and has no pair beyond its last', async () => {
    const { count, take } = await mintLot(spec);
    const other = poolContext(spec === 'SM2' ? 'ECC_NIST_P256' : 'SM2');
    const taken = [take(0, { sourceContext: other }), take(count), take(2 ** 31)];
    const refused = { status: 'rejected', reason: { code: 'INVALID_CIPHERTEXT' } };
    expect(await Promise.allSettled(taken)).toMatchObject([refused, refused, refused]);
  });
});

describe.each(['RSA_2048', 'RSA_3072', 'RSA_4096'] as const)('a pair of %s', (spec) => {
  it('comes out of a lot with the numbers that belong together', async () => {
    const { take } = await mintLot(spec);
    const jwk = privateKeyOf((await take(0)).privateKeyPlaintext).export({ format: 'jwk' });
    const number = (name: 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi') =>
      BigInt(`0x${Buffer.from(present(jwk[name]), 'base64url').toString('hex')}`);
    const [n, e, d, p, q] = [number('n'), number('e'), number('d'), number('p'), number('q')];
    expect(p * q).toBe(n);
    expect(p > q).toBe(true);
    expect([e, (e * d) % (p - 1n), (e * d) % (q - 1n)]).toEqual([65537n, 1n, 1n]);
    expect([number('dp'), number('dq')]).toEqual([d % (p - 1n), d % (q - 1n)]);
    expect((number('qi') * q) % p).toBe(1n);
  });
});

describe('a lot', () => {
  it('that would be too long to seal is refused', async () => {
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('too many') };
    await expect(mintLot('ECC_NIST_P521', 16)).rejects.toMatchObject(refused);
  });
});

describe('the lots of an entry', () => {
  const sealed = (length: number) => crypto.randomBytes(length);
  const lots: Lot[] = [
    { sealed: sealed(3892), first: 0, end: 16 },
    { sealed: sealed(1), first: 5, end: 6 },
    { sealed: sealed(6144), first: 2, end: 8 },
  ];

  it('are read as they were written', () => {
    expect(decodeLots(encodeLots(lots))).toEqual(lots);
    expect(decodeLots(encodeLots([]))).toEqual([]);
  });

  it('are those of their pairs, but for pairs that were taken from the end', () => {
    expect(lotsOf(pairsOf(lots))).toEqual(lots);
    const left = lotsOf(pairsOf(lots).slice(0, -7));
    expect(left).toEqual([lots[0]]);
    expect(lotsOf(pairsOf(lots).slice(0, -2)).at(-1)).toEqual({ ...lots[2], end: 6 });
    expect(countPairs(lots)).toBe(23);
  });

  it('are never split, and fill an entry if they fit', () => {
    const one = { sealed: sealed(9), first: 0, end: 1 };
    const sizes = (all: Lot[], size: number) => intoEntries(all, size).map(countPairs);
    expect(sizes(Array(40).fill(one), 16)).toEqual([16, 16, 8]);
    expect(sizes(lots, 16)).toEqual([16, 7]);
    expect(sizes(lots, 2)).toEqual([16, 1, 6]);
    expect(sizes([], 16)).toEqual([]);
  });

  it.each([
    [1, 1],
    [4, 1],
    [5, 2],
    [64, 16],
    [1_000_000, 16],
  ])('of a pool of %d are of %d pairs at most', (target, most) => {
    expect(entrySize(target)).toBe(most);
    for (const spec of specs) expect(lotSize(spec, target)).toBeLessThanOrEqual(most);
  });
});
