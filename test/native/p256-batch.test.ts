import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { internals, internalsFile } from '../support/internals.ts';

// Behind the DER of a PrivateKeyInfo and of an ECPrivateKey.
const privateKeyAt = 36;
const pointLength = 65;

function pointOf(privateKey: Uint8Array): Buffer {
  const ecdh = crypto.createECDH('prime256v1');
  ecdh.setPrivateKey(privateKey);
  return ecdh.getPublicKey();
}

describe('pairs on P-256, whose points become affine together', () => {
  it.each([1, 2, 3, 4, 15, 16, 17, 33, 64])(
    'have the public keys of their private keys: %i of them',
    (count) => {
      const pairs = internals.mintSeveral('P-256', count);
      expect(pairs.length).toBe(count);
      for (const { spki, pkcs8 } of pairs) {
        const point = pointOf(pkcs8.subarray(privateKeyAt, privateKeyAt + 32));
        expect(spki.subarray(-pointLength)).toEqual(point);
        expect(pkcs8.subarray(-pointLength)).toEqual(point);
        const publicKey = crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' });
        expect(publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
      }
    },
  );

  it('are left to OpenSSL alone where there are no lanes', () => {
    const program = `
      const internals = require(process.argv[1]);
      internals.mintSeveral('P-256', 16);
      process.stdout.write(String(internals.multiplyByComb('P-256', [1n])));
    `;
    const { stdout } = spawnSync(process.execPath, ['-e', program, internalsFile], {
      encoding: 'utf8',
      env: { ...process.env, OPENSSL_ia32cap: ':0' },
    });
    expect(stdout).toBe('undefined');
  });
});
