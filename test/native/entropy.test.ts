import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { dataKeyPairSpecs } from '../../lib/model/key-specs.ts';
import type { DataKeyPairSpec } from '../../lib/model/types.ts';
import { internals } from '../support/internals.ts';

const context = Buffer.alloc(4);
const rootKey = internals.openRootKey(Buffer.alloc(32, 7));
const { header, wrapped } = internals.createKeyMaterial(
  rootKey,
  Buffer.alloc(16),
  Buffer.alloc(0),
  32,
);
const material = internals.openKeyMaterial(rootKey, header, wrapped);

afterEach(() => internals.failRandomAfter(-1));

describe('when the random generator fails', () => {
  // OpenSSL's own generator draws RSA candidates without passing through ours.
  const specs = dataKeyPairSpecs().filter((spec) => !spec.startsWith('RSA'));

  it.each(specs as DataKeyPairSpec[])('a pair of %s is refused at every draw', async (spec) => {
    // The private key's, and that which makes its sealing unlike any other.
    for (let draws = 0; draws < 2; draws++) {
      internals.failRandomAfter(draws);
      const minted = internals.generateDataKeyPair({ material, spec, context, plaintext: true });
      await expect(minted).rejects.toMatchObject({ code: 'ENTROPY' });
    }
  });

  it.each(specs as DataKeyPairSpec[])('pairs of %s are refused at every draw', async (spec) => {
    for (let draws = 0; draws < 8; draws++) {
      internals.failRandomAfter(draws);
      const args = { material, spec, context, plaintext: true, count: 4 };
      const minted = internals.generateDataKeyPairs(args);
      await expect(minted).rejects.toMatchObject({ code: 'ENTROPY' });
    }
  });

  it('a data key is refused', async () => {
    const generate = () =>
      internals.generateDataKey({ material, length: 32, context, plaintext: true });
    internals.failRandomAfter(0);
    await expect(generate()).rejects.toMatchObject({ code: 'ENTROPY' });
    internals.failRandomAfter(-1);
    expect(await generate()).toHaveProperty('ciphertext');
  });

  it('a sealing, random bytes and key material are refused', () => {
    const calls = {
      encrypt: () => internals.encrypt({ material, context, plaintext: Buffer.from('x') }),
      generateRandom: () => internals.generateRandom(32),
      createKeyMaterial: () =>
        internals.createKeyMaterial(rootKey, Buffer.alloc(16), Buffer.alloc(0), 32),
      openRootKey: () => internals.openRootKey(undefined),
    };
    for (const [name, call] of Object.entries(calls)) {
      internals.failRandomAfter(0);
      expect(call, name).toThrow('the random number generator failed');
      internals.failRandomAfter(-1);
      expect(call, name).not.toThrow();
    }
  });
});

describe('randomness that is drawn at once for several uses', () => {
  it('ends with an error if there is no more, and goes on with other bytes later', () => {
    const drawn = [internals.generateRandom(32)];
    try {
      internals.failDraws(true);
      const use = () => {
        for (let i = 0; i <= 64; i++) drawn.push(internals.generateRandom(32));
      };
      expect(use).toThrow('the random number generator failed');
      expect(() => internals.generateRandom(1)).toThrow('the random number generator failed');
    } finally {
      internals.failDraws(false);
    }
    for (let i = 0; i < 100; i++) drawn.push(internals.generateRandom(32));
    const texts = drawn.map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts).not.toContain('00'.repeat(32));
  });

  it('comes out of few draws, none of them older than a second', async () => {
    const before = internals.countDraws();
    for (let i = 0; i < 200; i++) internals.generateRandom(32);
    const draws = internals.countDraws() - before;
    expect(draws).toBeGreaterThanOrEqual(3);
    expect(draws).toBeLessThan(20);
    await setTimeout(1100);
    const later = internals.countDraws();
    internals.generateRandom(32);
    expect(internals.countDraws()).toBe(later + 1);
  });

  it('leaves long outputs to a draw of their own', () => {
    const before = internals.countDraws();
    for (let i = 0; i < 5; i++) internals.generateRandom(1024);
    expect(internals.countDraws()).toBe(before + 5);
  });

  it.runIf(process.platform !== 'win32')('is not shared with a process that is forked off', () => {
    for (let i = 0; i < 50; i++) {
      const [theirs, ours] = internals.randomAcrossFork(32) ?? [];
      expect(theirs).toHaveLength(32);
      expect(ours).toHaveLength(32);
      expect(theirs).not.toEqual(ours);
    }
  });

  // A nonce and an IV, behind the 56 bytes that blobs of one key have in common.
  const freshness = (blob: Uint8Array) => Buffer.from(blob.subarray(56, 100));
  const specs = ['ECC_NIST_P256', 'ECC_NIST_P521', 'ECC_NIST_EDWARDS25519'] as const;

  it.each(specs)('is used once, for pairs of %s', async (spec) => {
    const args = { material, spec, context, plaintext: true };
    const batches = [3, 16, 64].map((count) => internals.generateDataKeyPairs({ ...args, count }));
    const lone = Array.from({ length: 20 }, () => internals.generateDataKeyPair(args));
    const pairs = [...(await Promise.all(batches)).flat(), ...(await Promise.all(lone))];
    const drawn = pairs.flatMap(({ privateKeyCiphertext, privateKeyPlaintext, publicKey }) => {
      const key = Buffer.from(privateKeyPlaintext as Uint8Array);
      const fresh = freshness(privateKeyCiphertext);
      expect(key.includes(fresh.subarray(0, 16))).toBe(false);
      return [Buffer.from(publicKey), fresh.subarray(0, 32), fresh.subarray(32)];
    });
    const words = drawn.map((bytes) => bytes.toString('hex'));
    expect(new Set(words).size).toBe(words.length);
    expect(words.some((word) => /0{16}/.test(word))).toBe(false);
  });
});
