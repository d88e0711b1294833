import { expect, it, vi } from 'vitest';
import { MaterialVault } from '../../lib/keys/material-vault.ts';
import { loadNative } from '../../lib/native/addon.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';

const native = loadNative();

const record = {
  keyId: '11111111-1111-4111-8111-111111111111',
  region: 'us-east-1',
  accountId: '000000000000',
  keySpec: 'SYMMETRIC_DEFAULT',
  keyUsage: 'ENCRYPT_DECRYPT',
  origin: 'AWS_KMS',
  multiRegion: false,
  creationDate: 1,
  description: '',
  enabled: true,
  aliases: [],
  tags: [],
} as const;

async function stored() {
  const store = new MemoryStore();
  const rootKey = native.openRootKey(undefined);
  const vault = new MaterialVault({ store, native, rootKey });
  const { id, change } = vault.makeSymmetric(record);
  await store.commit([change]);
  const key = { ...record, currentMaterialId: id, materials: [{ id, state: 'CURRENT' as const }] };
  return { store, vault, id, change, key };
}

it('material is unwrapped once, as long as it is there', async () => {
  const { vault, id, key } = await stored();
  const opened = vi.spyOn(native, 'openKeyMaterial');
  for (let i = 0; i < 3; i++) expect(await vault.open(key, id)).toBeDefined();
  expect(opened).toHaveBeenCalledTimes(1);
  opened.mockRestore();
});

it.each(['this process', 'another process'])(
  'material that %s destroyed is not remembered',
  async (who) => {
    const { store, vault, id, change, key } = await stored();
    await vault.open(key, id);
    if (who === 'this process') await store.commit(await vault.removal(key, [id]));
    else await store.commit([{ ...change, expected: change.next, next: undefined }]);
    if (who === 'another process') expect(await vault.open(key, id)).toBeUndefined();
    await store.commit([change]);
    const opened = vi.spyOn(native, 'openKeyMaterial');
    await vault.open(key, id);
    expect(opened).toHaveBeenCalledTimes(1);
    opened.mockRestore();
  },
);
