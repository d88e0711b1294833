import { beforeAll, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { failureText, openKms } from './support.ts';

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

// KMS Developer Guide, view-keystore.
const notFound = 'CustomKeyStoreNotFoundException: ';

test('the list of custom key stores is empty', async () => {
  for (const request of [{}, { Limit: 1 }]) {
    expect(await kms.describeCustomKeyStores(request)).toEqual({
      CustomKeyStores: [],
      Truncated: false,
    });
  }
});

test.each([
  { CustomKeyStoreId: 'cks-1234567890abcdef0' },
  { CustomKeyStoreName: 'ExampleKeyStore' },
])('the custom key store of %j is not found', async (request) => {
  expect(await failureText(kms.describeCustomKeyStores(request))).toBe(notFound);
});

test.each([
  'ConnectCustomKeyStore',
  'DeleteCustomKeyStore',
  'DisconnectCustomKeyStore',
  'UpdateCustomKeyStore',
] as const)('%s knows no custom key store', async (operation) => {
  const request = { CustomKeyStoreId: 'cks-1234567890abcdef0' };
  expect(await failureText(kms.call(operation, request))).toBe(notFound);
});

test('none is made, and that is said', async () => {
  const request = { CustomKeyStoreName: 'hsm', KeyStorePassword: 'kept-to-itself' };
  expect(await failureText(kms.createCustomKeyStore(request))).toMatch(
    /^UnsupportedOperationException: Custom key stores are not offered: ./,
  );
});
