import { beforeEach, describe, expect, it, vi } from 'vitest';
import { GrantDirectory, type GrantRecord } from '../../lib/keys/grant-directory.ts';
import type { Key } from '../../lib/keys/key.ts';
import { KeyDirectory } from '../../lib/keys/key-directory.ts';
import { loadNative, type RootKey } from '../../lib/native/addon.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';

const native = loadNative();
const place = { region: 'us-east-1', accountId: '000000000000' };
const scope = 'us-east-1:000000000000:';
const first = '11111111-1111-4111-8111-111111111111';
const second = '22222222-2222-4222-8222-222222222222';
const day = 86_400_000;
const user = (name: string) => `arn:aws:iam::000000000000:user/${name}`;

let store: MemoryStore;
let rootKey: RootKey;
let time: number;
let keys: KeyDirectory;
let grants: GrantDirectory;

/** Directories that have read nothing yet. */
function reopen(): void {
  keys = new KeyDirectory({ store, native, rootKey, now: () => time });
  grants = new GrantDirectory({ store, native, rootKey });
}

async function newKey(keyId: string): Promise<Key> {
  const record = {
    keyId,
    ...place,
    keySpec: 'SYMMETRIC_DEFAULT' as const,
    keyUsage: 'ENCRYPT_DECRYPT' as const,
    origin: 'AWS_KMS' as const,
    multiRegion: false,
    creationDate: 1,
    description: '',
    enabled: true,
    aliases: [],
    tags: [],
  };
  await keys.create(record, keys.vault.makeSymmetric(record));
  return keys.find({ kind: 'key', ...place, keyId });
}

function newGrant(key: Key, terms: Partial<GrantRecord> = {}): Promise<GrantRecord> {
  return grants.create(keys, key, {
    ...place,
    keyId: key.record.keyId,
    creationDate: time,
    granteePrincipal: user('alice'),
    issuingAccount: 'arn:aws:iam::000000000000:root',
    operations: ['Decrypt'],
    ...terms,
  });
}

const keyPath = (keyId: string) => `${scope}key/${keyId}`;
const grantPath = ({ keyId, grantId }: GrantRecord) => `${scope}grant/${keyId}/${grantId}`;

async function replace(path: string, next: Uint8Array | undefined): Promise<void> {
  const expected = await store.get(path);
  expect(await store.commit([{ path, expected, next: next && Uint8Array.from(next) }])).toBe(true);
}

const refusal = { name: 'KMSInternalException', message: expect.stringContaining('is damaged') };

let one: Key;
let other: Key;
beforeEach(async () => {
  store = new MemoryStore();
  rootKey = native.openRootKey(undefined);
  time = 1_000;
  reopen();
  one = await newKey(first);
  other = await newKey(second);
});

describe('a grant that was changed behind the back', () => {
  it('is refused whichever byte it was', async () => {
    const grant = await newGrant(one, { name: 'n', retiringPrincipal: user('bob') });
    const path = grantPath(grant);
    const value = Uint8Array.from((await store.get(path)) as Uint8Array);
    const reads = [
      () => grants.find(grant, grant.grantId),
      () => grants.list(grant, { limit: 10 }),
      () => grants.list(grant, { grantee: user('alice'), limit: 10 }),
      () => grants.listRetirable(place, user('bob'), { limit: 10 }),
    ];
    const token = grants.newToken(grant);
    for (let i = 0; i < value.length; i++) {
      const changed = Uint8Array.from(value);
      changed[i] = (changed[i] as number) ^ 0x01;
      await replace(path, changed);
      for (const read of reads) await expect(read(), `byte ${i}`).rejects.toMatchObject(refusal);
      await expect(grants.ofToken(token), `byte ${i}`).rejects.toMatchObject(refusal);
    }
    for (const length of [0, 1, 43, 44, value.length - 1]) {
      await replace(path, value.subarray(0, length));
      for (const read of reads) await expect(read(), `${length}`).rejects.toMatchObject(refusal);
    }
    await replace(path, value);
    for (const read of reads) await read();
  });

  it.each([
    ['another grant of the key', () => newGrant(one)],
    ['another grant of its grantee on another key', () => newGrant(other)],
    ['a wider grant to somebody else', () => newGrant(one, { granteePrincipal: user('eve') })],
  ])('is refused when it is %s', async (_what, make) => {
    const [grant, another] = [await newGrant(one), await make()];
    await replace(grantPath(grant), await store.get(grantPath(another)));
    await expect(grants.find(grant, grant.grantId)).rejects.toMatchObject(refusal);
    await expect(grants.list(grant, { limit: 10 })).rejects.toMatchObject(refusal);
  });

  it('is refused on a path that does not exist', async () => {
    const grant = await newGrant(one);
    const bytes = await store.get(grantPath(grant));
    for (const path of [
      grantPath({ ...grant, grantId: `${grant.grantId.slice(0, -1)}x` }),
      grantPath({ ...grant, keyId: second }),
      `eu-west-1:000000000000:grant/${first}/${grant.grantId}`,
      `us-east-1:444455556666:grant/${first}/${grant.grantId}`,
    ]) {
      await replace(path, bytes);
      const [region = '', accountId = '', , keyId = '', grantId = ''] = path.split(/[:/]/);
      const found = grants.find({ region, accountId, keyId }, grantId);
      await expect(found, path).rejects.toMatchObject(refusal);
      await replace(path, undefined);
    }
  });

  it('is not taken for a key, nor a key for a grant, nor a token for either', async () => {
    const grant = await newGrant(one);
    const [keyBytes, grantBytes] = [
      await store.get(keyPath(first)),
      await store.get(grantPath(grant)),
    ];
    const token = Buffer.from(grants.newToken(grant), 'base64url');
    for (const bytes of [grantBytes, token, token.subarray(16)]) {
      await replace(keyPath(first), bytes);
      reopen();
      const found = keys.find({ kind: 'key', ...place, keyId: first });
      await expect(found).rejects.toMatchObject(refusal);
    }
    await replace(keyPath(first), keyBytes);
    for (const bytes of [keyBytes, token, token.subarray(16)]) {
      await replace(grantPath(grant), bytes);
      await expect(grants.find(grant, grant.grantId)).rejects.toMatchObject(refusal);
    }
    const id = token.subarray(0, 16);
    for (const bytes of [keyBytes, grantBytes]) {
      const forged = Buffer.concat([id, bytes as Uint8Array]).toString('base64url');
      expect(await grants.ofToken(forged)).toBeUndefined();
    }
  });

  it('is refused under another root key, and so is its token', async () => {
    const grant = await newGrant(one);
    const token = grants.newToken(grant);
    rootKey = native.openRootKey(undefined);
    reopen();
    await expect(grants.find(grant, grant.grantId)).rejects.toMatchObject(refusal);
    expect(await grants.ofToken(token)).toBeUndefined();
  });

  it('is not retirable by a principal with a forged index', async () => {
    const grant = await newGrant(one, { retiringPrincipal: user('bob') });
    const { path = '', value } = (await store.list(`${scope}retirable/`, { limit: 1 }))[0] ?? {};
    await newGrant(other, { retiringPrincipal: user('eve') });
    const eves = (await store.list(`${scope}retirable/`, { limit: 2 })).find(
      (entry) => entry.path !== path,
    );
    const forged = (eves?.path ?? '').replace(/[^/]+$/, grant.grantId);
    await replace(forged, value);
    const found = await grants.listRetirable(place, user('eve'), { limit: 10 });
    expect(found.map(({ keyId }) => keyId)).toEqual([second]);
  });

  it.each([
    ['another key', () => newGrant(other)],
    ['other terms', () => newGrant(one, { name: 'n', operations: ['Encrypt'] })],
  ])('is not found by a name that was pointed to a grant of %s', async (_what, make) => {
    const grant = await newGrant(one, { name: 'n' });
    const [entry] = await store.list(`${scope}grant-name/${first}/`, { limit: 1 });
    const another = await make();
    await replace(entry?.path as string, Buffer.from(another.grantId, 'latin1'));
    const again = await newGrant(one, { name: 'n' });
    expect([grant.grantId, another.grantId]).not.toContain(again.grantId);
  });
});

describe('the grants of a store', () => {
  it('are found by grantee without reading the grants of others', async () => {
    for (let i = 0; i < 100; i++) await newGrant(one, { granteePrincipal: user(`u${i}`) });
    const mine = await newGrant(one);
    const opened = vi.spyOn(native, 'stateMac');
    const found = await grants.list(one.record, { grantee: user('alice'), limit: 100 });
    expect(found).toEqual([mine]);
    expect(opened).toHaveBeenCalledTimes(1);
    opened.mockRestore();
  });

  it('are made on a key as it is, not as it was', async () => {
    const { record } = one;
    await keys.change(record, (key) => ({ ...key.record, description: 'changed' }));
    const grant = await newGrant(one);
    expect(await grants.find(grant, grant.grantId)).toEqual(grant);
    await replace(keyPath(first), undefined);
    await expect(newGrant(one)).rejects.toMatchObject({ name: 'NotFoundException' });
  });

  it('leave nothing behind when they are deleted', async () => {
    const terms = { name: 'n', retiringPrincipal: user('bob') };
    const paths = async () => (await store.list('', { limit: 100 })).map(({ path }) => path);
    const before = await paths();
    const grant = await newGrant(one, terms);
    expect(await paths()).toHaveLength(before.length + 3);
    expect(await grants.delete(keys, grant, one)).toBe(true);
    expect(await paths()).toEqual(before);
  });

  it('are not made on a key that was refused meanwhile', async () => {
    const { record } = one;
    await keys.change(record, (key) => ({ ...key.record, enabled: false }));
    const wanted = { ...(await newGrant(other)), keyId: first };
    const check = async ({ record: { enabled } }: Key) => {
      if (!enabled) throw new Error('disabled');
      return [];
    };
    await expect(grants.create(keys, one, wanted, check)).rejects.toThrow('disabled');
    expect(await grants.list(record, { limit: 10 })).toEqual([]);
  });

  it('are destroyed with their key: the grants, their names and their tokens', async () => {
    const made: GrantRecord[] = [];
    for (let i = 0; i < 30; i++) {
      made.push(await newGrant(one, { name: `n${i}`, retiringPrincipal: user('bob') }));
    }
    const kept = await newGrant(other, { name: 'n', retiringPrincipal: user('bob') });
    const token = grants.newToken(made[0] as GrantRecord);
    await keys.change(one.record, ({ record }) => ({ ...record, deletionDate: time + 7 * day }));
    const look = () => keys.findById({ ...place, keyId: first });

    time += 7 * day + 1;
    expect(await look()).toBeUndefined();
    // A clock that is wrong for hours destroys nothing.
    expect(await grants.list(one.record, { limit: 100 })).toHaveLength(30);
    time += day;
    expect(await look()).toBeUndefined();
    const left = (await store.list('', { limit: 1000 })).map(({ path }) => path);
    expect(left.filter((path) => path.includes('grant') && path.includes(first))).toEqual([]);
    expect(await grants.ofToken(token)).toBeUndefined();
    expect(await grants.list(one.record, { limit: 100 })).toEqual([]);
    expect(await grants.listRetirable(place, user('bob'), { limit: 100 })).toEqual([kept]);
  });
});

describe('a key', () => {
  it('has as many grants as its quota, and more again when one is gone', async () => {
    grants = new GrantDirectory({ store, native, rootKey, quota: 2 });
    const made = await newGrant(one, { name: 'again' });
    await newGrant(one);
    await expect(newGrant(one)).rejects.toMatchObject({ name: 'LimitExceededException' });
    // A request that is repeated makes none.
    expect(await newGrant(one, { name: 'again' })).toEqual(made);
    await newGrant(other);
    await grants.delete(keys, made, one);
    await newGrant(one);
  });
});
