import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  failureText,
  invalidCiphertext,
  type MadeKey,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
} from './support.ts';

type Context = Record<string, string>;

let kms: Pairmint;
let key: MadeKey;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
});

/** `ok`, or how opening what was sealed under one context fails under another. */
async function sealedThenOpened(sealed: Context, opened: Context | undefined): Promise<string> {
  const CiphertextBlob = await newBlob(kms, key.KeyId, sealed);
  return outcomeOf(kms.call('Decrypt', { CiphertextBlob, EncryptionContext: opened }));
}

describe('contexts that are the same', () => {
  test.each<[string, Context, Context | undefined]>([
    ['pairs in another order', { a: '1', b: '2', c: '3' }, { c: '3', a: '1', b: '2' }],
    ['an empty context and none', {}, undefined],
    ['keys that look like array indexes', { 10: 'a', 9: 'b', x: 'c' }, { x: 'c', 9: 'b', 10: 'a' }],
    ['empty values and empty keys', { '': '', a: '' }, { a: '', '': '' }],
    [
      'keys whose UTF-8 order differs from UTF-16',
      { '\u{1f600}': 'a', '～': 'b' },
      { '～': 'b', '\u{1f600}': 'a' },
    ],
  ])('%s open the ciphertext', async (_, sealed, opened) => {
    expect(await sealedThenOpened(sealed, opened)).toBe('ok');
  });
});

describe('contexts that differ', () => {
  const proto = (value: string) => JSON.parse(`{"__proto__":"${value}"}`) as Context;
  const context = { Purpose: 'test', tenant: '42' };

  test.each<[string, Context, Context | undefined]>([
    ['no context', context, undefined],
    ['an empty context', context, {}],
    ['a missing pair', context, { Purpose: 'test' }],
    ['an extra pair', context, { ...context, x: '' }],
    ['a context instead of none', {}, { a: 'b' }],
    ['an empty pair instead of none', {}, { '': '' }],
    ['another value', context, { ...context, tenant: '43' }],
    ['a key in another case', context, { purpose: 'test', tenant: '42' }],
    ['a value in another case', context, { Purpose: 'Test', tenant: '42' }],
    ['values exchanged', { a: '1', b: '2' }, { a: '2', b: '1' }],
    ['key and value exchanged', { a: 'b' }, { b: 'a' }],
    ['an equal concatenation', { ab: 'c' }, { a: 'bc' }],
    ['an equal concatenation of pairs', { a: 'b', c: 'd' }, { a: 'bcd' }],
    ['the composed form', { name: 'é' }, { name: 'é'.normalize('NFD') }],
    ['a space at the end', { a: 'b' }, { a: 'b ' }],
    ['a NUL at the end', { a: 'b' }, { a: 'b\0' }],
    ['an integer key spelled otherwise', { 1: 'a' }, { '01': 'a' }],
    ['another __proto__', proto('a'), proto('b')],
    ['no __proto__', proto('a'), {}],
    ['constructor for __proto__', proto('a'), { constructor: 'a' }],
  ])('%s does not open the ciphertext', async (_, sealed, opened) => {
    expect(sealed).not.toBe(opened);
    expect(await sealedThenOpened(sealed, opened)).toBe(invalidCiphertext);
  });

  test('__proto__ is a key like any other', async () => {
    expect(await sealedThenOpened(proto('a'), proto('a'))).toBe('ok');
  });

  test('a context opens what was sealed under an equal one, and nothing else', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', '\0', 'é', '\u{1f600}'),
      maxLength: 3,
    });
    const contexts = fc.dictionary(text, text, { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(contexts, contexts, async (sealed, opened) => {
        const sorted = (context: Context) => JSON.stringify(Object.entries(context).sort());
        const expected = sorted(sealed) === sorted(opened) ? 'ok' : invalidCiphertext;
        expect(await sealedThenOpened(sealed, opened)).toBe(expected);
        expect(await sealedThenOpened(sealed, { ...sealed })).toBe('ok');
      }),
      { numRuns: 300 },
    );
  });
});

describe('every operation that seals binds the context', () => {
  test.each(['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'])('%s', async (operation) => {
    const EncryptionContext = { a: 'b' };
    const request = { KeyId: key.KeyId, KeySpec: 'AES_256', EncryptionContext };
    const answer = (await kms.call(operation, request)) as { CiphertextBlob: Uint8Array };
    await onlyOpensUnder(answer.CiphertextBlob, EncryptionContext);
  });

  test.each(['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext'])(
    '%s',
    async (operation) => {
      const EncryptionContext = { a: 'b' };
      const request = { KeyId: key.KeyId, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext };
      const answer = await kms.call(operation, request);
      const { PrivateKeyCiphertextBlob } = answer as { PrivateKeyCiphertextBlob: Uint8Array };
      await onlyOpensUnder(PrivateKeyCiphertextBlob, EncryptionContext);
    },
  );

  async function onlyOpensUnder(CiphertextBlob: Uint8Array, EncryptionContext: Context) {
    await kms.decrypt({ CiphertextBlob, EncryptionContext });
    for (const wrong of [{}, { a: 'c' }, { a: 'b', c: 'd' }]) {
      const request = { CiphertextBlob, EncryptionContext: wrong };
      expect(await failureText(kms.decrypt(request as never))).toBe(invalidCiphertext);
    }
  }
});

describe('limits', () => {
  // A count, two lengths, a one-byte key and the value: 4 + 4 + 1 + 4 + 8,179.
  const longest = { a: 'x'.repeat(8179) };

  test('8,192 encoded bytes are allowed, one more is not', async () => {
    expect(await sealedThenOpened(longest, longest)).toBe('ok');
    const EncryptionContext = { a: `${longest.a}x` };
    const request = { KeyId: key.KeyId, Plaintext: new Uint8Array(1), EncryptionContext };
    expect(await failureText(kms.encrypt(request))).toBe(
      'ValidationException: EncryptionContext takes 8193 bytes when encoded; at most 8192 are allowed',
    );
  });

  test('bytes are counted, not characters', async () => {
    const EncryptionContext = { a: 'é'.repeat(4090) };
    const request = { KeyId: key.KeyId, Plaintext: new Uint8Array(1), EncryptionContext };
    expect(await failureText(kms.encrypt(request))).toMatch(/ takes 8193 bytes /);
  });

  test.each<Context>([{ '\ud800': 'a' }, { a: '\udfff' }, { a: 'x\ud83dy' }])(
    'lone surrogates are refused, since UTF-8 would make them all alike: %j',
    async (EncryptionContext) => {
      const request = { KeyId: key.KeyId, KeySpec: 'AES_256', EncryptionContext } as const;
      const text = await failureText(kms.generateDataKey(request));
      expect(text).toMatch(/^ValidationException: EncryptionContext must be well-formed Unicode/);
      expect(text.isWellFormed()).toBe(true);
    },
  );

  test.each([
    ['a list', ['a']],
    ['a string', 'a=b'],
    ['a Map', new Map([['a', 'b']])],
    ['a number as a value', { a: 1 }],
    ['null as a value', { a: null }],
  ])('%s is no context', async (_, EncryptionContext) => {
    const request = { KeyId: key.KeyId, KeySpec: 'AES_256', EncryptionContext };
    expect(await failureText(kms.call('GenerateDataKey', request))).toMatch(
      /^SerializationException: /,
    );
  });
});
