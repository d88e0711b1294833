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
  const specs = Object.keys(dataKeyPairSpecs).filter((spec) => !spec.startsWith('RSA'));

  it.each(specs as DataKeyPairSpec[])('a pair of %s is refused at every draw', async (spec) => {
    // The private key's, and that which makes its sealing unlike any other.
    for (let draws = 0; draws < 2; draws++) {
      internals.failRandomAfter(draws);
      const minted = internals.generateDataKeyPair({ material, spec, context, plaintext: true });
      await expect(minted).rejects.toMatchObject({ code: 'ENTROPY' });
    }
  });

  it('a data key, a sealing, random bytes and key material are refused', () => {
    const calls = {
      generateDataKey: () =>
        internals.generateDataKey({ material, length: 32, context, plaintext: true }),
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
