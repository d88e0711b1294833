import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { internals } from '../support/internals.ts';

const key = Buffer.alloc(32, 7);
const body = Buffer.from('{}');

const hash = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((sha, part) => sha.update(bytesOf(part)), createHash('sha256')).digest('hex');

function bytesOf(part: string | Uint8Array) {
  return typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
}

function sign(scopeHead: string, head: string) {
  const text = scopeHead + hash(head, hash(body));
  return createHmac('sha256', key).update(Buffer.from(text, 'latin1')).digest('hex');
}

describe('the check of a request’s signature', () => {
  // Text of up to 1,022 characters is read in one go.
  it.each([0, 1, 55, 56, 64, 1_021, 1_022, 1_023, 1_024, 1_025, 70_000])(
    'takes heads of %i characters',
    (length) => {
      const text = Array.from({ length }, (_, i) => String.fromCharCode((i * 7) % 256)).join('');
      for (const [scopeHead, head] of [
        [text, 'head'],
        ['scope', text],
        [text, text],
      ] as const) {
        const signature = sign(scopeHead, head);
        expect(internals.verifyRequest(key, scopeHead, head, body, signature)).toBe(true);
        for (const [otherScope, other] of [
          [`${scopeHead}x`, head],
          [scopeHead, `${head}x`],
        ] as const) {
          expect(internals.verifyRequest(key, otherScope, other, body, signature)).toBe(false);
        }
      }
    },
  );

  it('refuses a signature with another digit, too short or too long', () => {
    const signature = sign('scope', 'head');
    const other = signature[0] === '0' ? '1' : '0';
    const wrong = [other + signature.slice(1), signature.slice(1), `${signature}0`, ''];
    for (const value of [...wrong, signature.repeat(16), signature.repeat(17)]) {
      expect(internals.verifyRequest(key, 'scope', 'head', body, value), value).toBe(false);
    }
  });

  it('fails under a key of another length', () => {
    expect(() => internals.verifyRequest(key.subarray(1), '', '', body, '')).toThrow(
      'this is no signing key',
    );
  });
});
