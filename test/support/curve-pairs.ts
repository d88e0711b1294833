import crypto from 'node:crypto';
import { expect } from 'vitest';
import { fieldLength, pointOf, type TestCurve } from './curves.ts';
import type { CurvePair } from './math-internals.ts';
import { hex } from './numbers.ts';

/** That the public key is node:crypto's for the private key. */
export function expectGoodPair(curve: TestCurve, { spki, pkcs8 }: CurvePair) {
  const privateKey = crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const start = pkcs8.indexOf(Buffer.from([0x04, fieldLength(curve)]));
  const d = pkcs8.subarray(start + 2, start + 2 + fieldLength(curve));
  expect(spki.subarray(-1 - 2 * fieldLength(curve))).toEqual(
    pointOf(curve, hex(d.toString('hex'))),
  );
  expect(spki).toEqual(crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' }));
}
