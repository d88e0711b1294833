import { beforeEach, describe, expect, it } from 'vitest';
import { KeyDirectory } from '../../lib/keys/key-directory.ts';
import type { NewKeyRecord } from '../../lib/keys/key-record.ts';
import { loadNative, type RootKey } from '../../lib/native/addon.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';

const native = loadNative();
const place = { region: 'us-east-1', accountId: '000000000000' };
const scope = 'us-east-1:000000000000:';
const first = '11111111-1111-4111-8111-111111111111';
const second = '22222222-2222-4222-8222-222222222222';
/** An asymmetric key. */
const third = '33333333-3333-4333-8333-333333333333';

let store: MemoryStore;
let rootKey: RootKey;

/** A directory that has read nothing yet. */
function directory(): KeyDirectory {
  return new KeyDirectory({ store, native, rootKey, now: () => 1000 });
}

function newRecord(keyId: string, alias: string): NewKeyRecord {
  return {
    keyId,
    ...place,
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    multiRegion: false,
    creationDate: 1,
    description: 'a key',
    enabled: true,
    aliases: [{ name: alias, creationDate: 1, lastUpdatedDate: 1 }],
    tags: [],
  };
}

async function create(record: NewKeyRecord): Promise<void> {
  const keys = directory();
  await keys.create(record, await keys.vault.make(record));
}

/** Reads and uses everything there is. */
async function useAll(): Promise<void> {
  const keys = directory();
  for (const keyId of [first, second, third]) {
    const { record } = await keys.find({ kind: 'key', ...place, keyId });
    await keys.material(record);
  }
  for (const name of ['alias/one', 'alias/two', 'alias/three'])
    await keys.find({ kind: 'alias', ...place, name });
}

async function replace(path: string, next: Uint8Array | undefined): Promise<void> {
  expect(await store.commit([{ path, expected: await store.get(path), next }])).toBe(true);
}

const refusal = { name: 'KMSInternalException', message: expect.stringContaining('is damaged') };

beforeEach(async () => {
  store = new MemoryStore();
  rootKey = native.openRootKey(undefined);
  await create(newRecord(first, 'alias/one'));
  await create(newRecord(second, 'alias/two'));
  const signing = { keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY' } as const;
  await create({ ...newRecord(third, 'alias/three'), ...signing });
  await useAll();
});

describe('a record that was changed behind the back', () => {
  it('is refused whichever byte it was', async () => {
    const entries = await store.list('', { limit: 100 });
    const sealed = entries.filter(
      ({ path }) => path.includes('key/') || path.startsWith('material/'),
    );
    expect(sealed).toHaveLength(6);
    for (const { path, value } of sealed) {
      for (let i = 0; i < value.length; i++) {
        const changed = Uint8Array.from(value);
        changed[i] = (changed[i] as number) ^ 0x01;
        await replace(path, changed);
        await expect(useAll(), `${path} byte ${i}`).rejects.toMatchObject(refusal);
      }
      for (const length of [0, 1, 43, 44, value.length - 1]) {
        await replace(path, value.subarray(0, length));
        await expect(useAll(), `${path} cut to ${length}`).rejects.toMatchObject(refusal);
      }
      await replace(path, value);
      await useAll();
    }
  });

  it('is refused when it is the record of another key', async () => {
    await replace(`${scope}key/${first}`, await store.get(`${scope}key/${second}`));
    await expect(useAll()).rejects.toMatchObject(refusal);
  });

  it('is refused when it is the key in another region', async () => {
    const path = `eu-west-1:000000000000:key/${first}`;
    const next = await store.get(`${scope}key/${first}`);
    await store.commit([{ path, expected: undefined, next }]);
    const found = directory().find({ kind: 'key', ...place, region: 'eu-west-1', keyId: first });
    await expect(found).rejects.toMatchObject(refusal);
  });

  it('is refused when it is the material of another key', async () => {
    const [a, b] = await store.list('material/', { limit: 2 });
    await replace(a?.path as string, b?.value);
    await expect(useAll()).rejects.toMatchObject(refusal);
  });

  it('is refused when an alias was pointed to another key', async () => {
    await replace(`${scope}alias/one`, Buffer.from(second));
    await expect(useAll()).rejects.toMatchObject(refusal);
  });

  // The message is another one, for the cause may be a backup and not damage.
  const back = {
    name: 'KMSInternalException',
    message: expect.stringContaining(
      "older than one that was read before. If a backup was put in place, run 'pairmint store fence'",
    ),
  };

  it('is refused by a process that has read a later one', async () => {
    const path = `${scope}key/${first}`;
    const key = { kind: 'key', ...place, keyId: first } as const;
    const earlier = Uint8Array.from((await store.get(path)) as Uint8Array);
    const keys = directory();
    await keys.change(key, ({ record }) => ({ ...record, enabled: false }));
    expect((await keys.find(key)).record.enabled).toBe(false);
    await replace(path, earlier);
    await expect(keys.find(key)).rejects.toMatchObject(back);
    await expect(keys.find(key), 'asked again').rejects.toMatchObject(back);
    const alias = { kind: 'alias', ...place, name: 'alias/one' } as const;
    await expect(keys.find(alias)).rejects.toMatchObject(back);
    expect((await directory().find(key)).record.enabled, 'in a new process').toBe(true);
  });

  it('is refused though its key was gone in between', async () => {
    const path = `${scope}key/${first}`;
    const key = { kind: 'key', ...place, keyId: first } as const;
    const earlier = Uint8Array.from((await store.get(path)) as Uint8Array);
    const keys = directory();
    await keys.change(key, ({ record }) => ({ ...record, enabled: false }));
    await keys.find(key);
    await replace(path, undefined);
    await expect(keys.find(key)).rejects.toMatchObject({ name: 'NotFoundException' });
    await replace(path, earlier);
    await expect(keys.find(key)).rejects.toMatchObject(back);
    expect((await directory().find(key)).record.enabled, 'in a new process').toBe(true);
  });

  it('is refused under another root key', async () => {
    rootKey = native.openRootKey(undefined);
    await expect(useAll()).rejects.toMatchObject(refusal);
  });
});
