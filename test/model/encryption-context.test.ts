import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeEncryptionContext } from '../../lib/model/encryption-context.ts';
import { failureText } from './failures.ts';

interface Vector {
  readonly pairs: [string, string][];
  readonly bytes: string;
}

const file = new URL('../vectors/own/envelope-v1.json', import.meta.url);
const vectors: Vector[] = JSON.parse(readFileSync(file, 'utf8')).context;
const context = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }));

describe('the vectors of the envelope format', () => {
  test('there are sixteen', () => expect(vectors).toHaveLength(16));

  test.each(vectors.map(({ pairs, bytes }, index) => ({ index, pairs, bytes })))(
    'vector $index encodes to its bytes',
    ({ pairs, bytes }) => {
      expect(hex(encodeEncryptionContext(Object.fromEntries(pairs)))).toBe(bytes);
      expect(hex(encodeEncryptionContext(Object.fromEntries(pairs.toReversed())))).toBe(bytes);
    },
  );
});

test('no context and the empty context are the same', () => {
  expect(encodeEncryptionContext(undefined)).toEqual(encodeEncryptionContext({}));
});

test('pairs are encoded into bytes of their own', () => {
  encodeEncryptionContext({ a: 'b' }).fill(255);
  expect(hex(encodeEncryptionContext({ a: 'b' }))).not.toContain('ff');
  expect(encodeEncryptionContext({ a: 'b' }).buffer.byteLength).toBe(14);
});

test('the order of pairs does not matter', () => {
  const shuffled = context.chain((pairs) =>
    fc.tuple(
      fc.constant(pairs),
      fc.shuffledSubarray(Object.entries(pairs), { minLength: Object.keys(pairs).length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([pairs, other]) => {
      expect(hex(encodeEncryptionContext(Object.fromEntries(other)))).toBe(
        hex(encodeEncryptionContext(pairs)),
      );
    }),
  );
});

test('the encoding can be read back, so different contexts never encode alike', () => {
  fc.assert(
    fc.property(context, (pairs) => {
      const decoded = decode(encodeEncryptionContext(pairs));
      expect(new Map(decoded)).toEqual(new Map(Object.entries(pairs)));
      const keys = decoded.map(([key]) => Buffer.from(key));
      expect(keys).toEqual([...keys].sort(Buffer.compare));
    }),
  );
});

test('text moved between key and value makes another encoding', () => {
  expect(hex(encodeEncryptionContext({ ab: 'c' }))).not.toBe(
    hex(encodeEncryptionContext({ a: 'bc' })),
  );
});

test('lone surrogates are refused wherever they stand, naming member and key', () => {
  expect(failureText(() => encodeEncryptionContext({ a: 'x\ud800' }))).toBe(
    'ValidationException: EncryptionContext must be well-formed Unicode, but the value of "a" has ' +
      'a lone surrogate',
  );
  expect(
    failureText(() => encodeEncryptionContext({ '\udc00': 'x' }, 'SourceEncryptionContext')),
  ).toBe(
    'ValidationException: SourceEncryptionContext must be well-formed Unicode, but the key ' +
      '"\\udc00" has a lone surrogate',
  );
  const lone = fc.tuple(fc.string(), fc.integer({ min: 0xd800, max: 0xdfff }), fc.string());
  fc.assert(
    fc.property(context, lone, fc.boolean(), (pairs, [before, unit, after], inKey) => {
      const text = before + String.fromCharCode(unit) + after;
      const bad = { ...pairs, ...(inKey ? { [text]: 'v' } : { k: text }) };
      expect(failureText(() => encodeEncryptionContext(bad))).toMatch(/lone surrogate$/);
    }),
  );
});

test('8,192 encoded bytes are the most', () => {
  const overhead = 4 + 4 + 1 + 4;
  const fits = { k: 'v'.repeat(8192 - overhead) };
  expect(encodeEncryptionContext(fits)).toHaveLength(8192);
  expect(failureText(() => encodeEncryptionContext({ k: `${fits.k}v` }))).toBe(
    'ValidationException: EncryptionContext takes 8193 bytes when encoded; at most 8192 are allowed',
  );
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function decode(bytes: Uint8Array): [string, string][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  const number = () => {
    offset += 4;
    return view.getUint32(offset - 4);
  };
  const text = () => {
    const length = number();
    offset += length;
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(offset - length, offset),
    );
  };
  const pairs = Array.from({ length: number() }, (): [string, string] => [text(), text()]);
  expect(offset).toBe(bytes.byteLength);
  return pairs;
}
