import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Pairmint } from '../../lib/index.ts';

let folder: string;
let kms: Pairmint;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
  kms = await Pairmint.open({
    store: `sqlite:${folder}/store.db`,
    rootKey: { bytes: Buffer.alloc(32, 7) },
  });
  const { KeyMetadata } = await kms.createKey({});
  const KeyId = KeyMetadata?.KeyId as string;
  await kms.createAlias({ AliasName: 'alias/a', TargetKeyId: KeyId });
  // The store notices within half a second that its file is another one.
  renameSync(`${folder}/store.db`, `${folder}/moved.db`);
  await vi.waitFor(
    () =>
      expect(kms.describeKey({ KeyId })).rejects.toMatchObject({ name: 'KMSInternalException' }),
    { timeout: 10_000 },
  );
}, 30_000);
afterAll(async () => {
  await kms.close();
  rmSync(folder, { recursive: true });
});

it.each(['listKeys', 'listAliases'] as const)(
  '%s says that the store could not complete the request if it fails',
  async (method) => {
    await expect(kms[method]({})).rejects.toMatchObject({
      name: 'KMSInternalException',
      message: 'The key store could not complete the request.',
      cause: { name: 'StoreError' },
    });
  },
);
