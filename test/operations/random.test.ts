import { beforeAll, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { bytes, complaint, failureText, members, openKms, validation } from './support.ts';

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

test.each([1, 16, 32, 1024])('%i random bytes are given and nothing else', async (length) => {
  const response = await kms.generateRandom({ NumberOfBytes: length });
  expect(members(response)).toEqual(['Plaintext']);
  expect(response.Plaintext).toHaveLength(length);
});

test('no two answers are the same', async () => {
  const seen = new Set<string>();
  for (let i = 0; i < 100; i++) {
    seen.add(bytes((await kms.generateRandom({ NumberOfBytes: 16 })).Plaintext).toString('hex'));
  }
  expect(seen.size).toBe(100);
});

test('a missing NumberOfBytes has a text of its own', async () => {
  const text = 'ValidationException: NumberOfBytes is required.';
  expect(await failureText(kms.generateRandom({}))).toBe(text);
  expect(await failureText(kms.call('GenerateRandom', { NumberOfBytes: null }))).toBe(text);
});

test.each([
  [0, 'have value greater than or equal to 1'],
  [1025, 'have value less than or equal to 1024'],
])('%i bytes are out of range', async (NumberOfBytes, constraint) => {
  expect(await failureText(kms.generateRandom({ NumberOfBytes }))).toBe(
    validation(complaint(`'${NumberOfBytes}'`, 'numberOfBytes', constraint)),
  );
});

test('an option that is not offered is refused, not ignored', async () => {
  const refused = [
    [{ CustomKeyStoreId: 'cks-1234' }, /^CustomKeyStoreNotFoundException: $/],
    [
      { Recipient: { AttestationDocument: new Uint8Array(1) } },
      /^UnsupportedOperationException: .* not supported: /,
    ],
  ] as const;
  for (const [more, text] of refused) {
    expect(await failureText(kms.generateRandom({ NumberOfBytes: 1, ...more }))).toMatch(text);
  }
});
