import crypto from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type EncodedPair, internals } from '../support/internals.ts';
import { hex, readVectors } from '../support/vectors.ts';

type Row = { why: string; spki: string; pkcs8: string } & (
  | { type: 'ec'; curve: string; d: string }
  | { type: 'ed25519'; d: string }
  | ({ type: 'rsa' } & Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dmp1' | 'dmq1' | 'iqmp', string>)
);

const { tests } = readVectors<{ tests: Row[] }>('own/key-encodings.json');

function encode(row: Row): EncodedPair | undefined {
  if (row.type === 'ec') return internals.encodeEc(row.curve, row.d);
  if (row.type === 'ed25519') return internals.encodeEd25519(hex(row.d));
  const { dmp1: dp, dmq1: dq, iqmp: qinv } = row;
  return internals.encodeRsa({ ...row, dp, dq, qinv });
}

describe('key encodings', () => {
  it.each(tests.map((row) => [row.type, 'curve' in row ? row.curve : '', row.why, row] as const))(
    '%s %s (%s) are the known bytes',
    (_type, _curve, _why, row) => {
      const pair = encode(row);
      expect(Buffer.from(pair?.spki ?? []).toString('hex')).toBe(row.spki);
      expect(Buffer.from(pair?.pkcs8 ?? []).toString('hex')).toBe(row.pkcs8);
    },
  );

  it('are byte for byte what OpenSSL encodes', () => {
    for (const row of tests) {
      const key = crypto.createPrivateKey({
        key: Buffer.from(encode(row)?.pkcs8 ?? []),
        format: 'der',
        type: 'pkcs8',
      });
      expect(key.export({ format: 'der', type: 'pkcs8' }).toString('hex')).toBe(row.pkcs8);
      const publicKey = crypto.createPublicKey(key).export({ format: 'der', type: 'spki' });
      expect(publicKey.toString('hex')).toBe(row.spki);
    }
  });

  it('refuse a number that is longer than its field', () => {
    expect(internals.encodeEc('P-256', '01'.padEnd(66, '0'))).toBeUndefined();
  });
});
