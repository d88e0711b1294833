import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../lib/core/configuration-error.ts';
import { loadNative } from '../../lib/native/addon.ts';
import { type OpenOptions, Pairmint } from '../../lib/service/pairmint.ts';
import type { Entry } from '../../lib/store/key-store.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { placesOf } from '../../lib/store/places.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { readIdentity, storeExists } from '../../lib/store/store-identity.ts';
import { temporaryFolder } from '../support/folders.ts';

const KeyId = 'alias/pairmint/default';

function placesIn(folder: string) {
  return { store: `sqlite:${folder}/store.db`, rootKey: { file: `${folder}/root.key` } };
}

async function refusal(options: OpenOptions): Promise<ConfigurationError> {
  const error = await Pairmint.open(options).then(
    (kms) => kms.close().then(() => undefined),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ConfigurationError);
  return error;
}

async function makeStore(folder: string): Promise<void> {
  const kms = await Pairmint.open(placesIn(folder));
  await kms.describeKey({ KeyId });
  await kms.close();
}

describe('a store', () => {
  it('is made with its root key on first use, says so once, and is there afterwards', async () => {
    const folder = path.join(temporaryFolder(), 'not', 'there', 'yet');
    const notices: string[] = [];
    const open = () =>
      Pairmint.open({ ...placesIn(folder), onNotice: (text) => notices.push(text) });
    const first = await open();
    const { CiphertextBlob } = await first.encrypt({ KeyId, Plaintext: Buffer.from('kept') });
    await first.close();
    const second = await open();
    expect(Buffer.from((await second.decrypt({ CiphertextBlob })).Plaintext ?? [])).toEqual(
      Buffer.from('kept'),
    );
    await second.close();
    expect(notices).toEqual([
      `made a new store at sqlite:${folder}/store.db, its root key in ${folder}/root.key`,
    ]);
    expect(statSync(`${folder}/root.key`).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${folder}/root.key`)).toHaveLength(32);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('keeps the region and account it was made with', async () => {
    const folder = temporaryFolder();
    const made = await Pairmint.open({
      ...placesIn(folder),
      region: 'eu-central-1',
      accountId: '123456789012',
    });
    await made.close();
    const again = await Pairmint.open(placesIn(folder));
    expect(again.describeStore()).toEqual({
      url: `sqlite:${folder}/store.db`,
      rootKeyFile: `${folder}/root.key`,
      region: 'eu-central-1',
      accountId: '123456789012',
    });
    expect((await again.describeKey({ KeyId })).KeyMetadata?.Arn).toMatch(
      /^arn:aws:kms:eu-central-1:123456789012:key\//,
    );
    await again.close();
    const { message } = await refusal({ ...placesIn(folder), accountId: '000000000001' });
    expect(message).toContain('belongs to account 123456789012');
  });

  it('is refused with a foreign root key, before anything is read or written', async () => {
    const folder = temporaryFolder();
    await makeStore(folder);
    const { message, hint } = await refusal({
      ...placesIn(folder),
      rootKey: { bytes: Buffer.alloc(32, 1) },
    });
    expect(message).toBe(
      `the root key is not the one that the store sqlite:${folder}/store.db was made with`,
    );
    expect(hint).toContain('PAIRMINT_ROOT_KEY_FILE');
  });

  it('is not given a new root key when its own is missing', async () => {
    const folder = temporaryFolder();
    await makeStore(folder);
    const file = `${folder}/elsewhere.key`;
    const { message, hint } = await refusal({ ...placesIn(folder), rootKey: { file } });
    expect(message).toBe(`there is no root key file ${file}`);
    expect(hint).toContain('was made with a root key');
    expect(existsSync(file)).toBe(false);
  });

  it('of a newer format is refused and left alone', async () => {
    const folder = temporaryFolder();
    const store = await SqliteStore.open(`${folder}/store.db`);
    const next = Buffer.from('{"format":2}');
    await store.commit([{ path: 'format', expected: undefined, next }]);
    await store.close();
    const { message, hint } = await refusal(placesIn(folder));
    expect(message).toContain('has format 2, made by a newer pairmint; this one reads format 1');
    expect(hint).toContain('update pairmint');
    expect(existsSync(`${folder}/root.key`)).toBe(false);
  });

  it.each([
    'not json',
    '{}',
    'null',
    '"format"',
    '{"format":1}',
    '{"format":1,"storeId":5}',
    '{"format":1,"storeId":"zz"}',
    '{"format":0,"storeId":"11111111-1111-4111-8111-111111111111"}',
    '{"format":1,"storeId":["11111111-1111-4111-8111-111111111111"]}',
  ])('whose format says %s is refused as none', async (text) => {
    const folder = temporaryFolder();
    const store = await SqliteStore.open(`${folder}/store.db`);
    await store.commit([{ path: 'format', expected: undefined, next: Buffer.from(text) }]);
    await store.close();
    expect((await refusal(placesIn(folder))).message).toContain('is not a pairmint store');
  });

  it('is refused if its identity is the record of a key', async () => {
    const folder = temporaryFolder();
    const kms = await Pairmint.open(placesIn(folder));
    const { KeyMetadata } = await kms.createKey({});
    await kms.close();
    const storeId = KeyMetadata?.KeyId as string;
    const store = await SqliteStore.open(`${folder}/store.db`);
    const [key] = (await store.list('us-', { limit: 1 })) as [Entry];
    const format = Buffer.from(JSON.stringify({ format: 1, storeId }));
    for (const [path, next] of [
      ['format', format],
      ['identity', key.value],
    ] as const) {
      expect(await store.commit([{ path, expected: await store.get(path), next }])).toBe(true);
    }
    await store.close();
    expect((await refusal(placesIn(folder))).message).toContain('is not a pairmint store');
  });

  it('that fails to read is refused with the reason', async () => {
    const cause = new Error('database disk image is malformed');
    const store = Object.assign(new MemoryStore(), { get: () => Promise.reject(cause) });
    const native = loadNative();
    const rootKey = native.openRootKey(undefined);
    for (const read of [storeExists(store), readIdentity(store, native, rootKey)]) {
      const error = await read.catch((reason) => reason);
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error.message).toBe(`the store memory: cannot be read: ${cause.message}`);
      expect(error.cause).toBe(cause);
    }
  });

  it('is refused if a file stands in its place', async () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/store.db`, 'a file');
    expect((await refusal(placesIn(folder))).message).toContain('cannot be opened');
    expect(readFileSync(`${folder}/store.db`, 'utf8')).toBe('a file');
  });

  it.each([
    ['is something else', () => Buffer.alloc(65_536, 'something else ')],
    ['is all zeros', () => Buffer.alloc(65_536)],
    ['is too short for anything', () => Buffer.alloc(100, 1)],
    ['lost its end', (data: Buffer) => data.subarray(0, 2 * 4096)],
    ['lost its second page', (data: Buffer) => data.subarray(0, 5000)],
    ['lost its head', (data: Buffer) => Buffer.concat([Buffer.alloc(64), data.subarray(64)])],
  ])('is refused where its file %s, and left as it is', async (_how, spoil) => {
    const folder = temporaryFolder();
    await makeStore(folder);
    const file = `${folder}/store.db`;
    const spoilt = spoil(readFileSync(file));
    writeFileSync(file, spoilt);
    const { message } = await refusal(placesIn(folder));
    expect(message).toMatch(/ cannot be (?:opened|read): /);
    expect(readFileSync(file).equals(spoilt)).toBe(true);
  });

  it('of the old form is named as such, and no new one is made beside it', async () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/store`);
    writeFileSync(`${folder}/store/data.mdb`, '');
    for (const store of [`sqlite:${folder}/store.db`, `lmdb:${folder}/store`]) {
      const { message, hint } = await refusal({ ...placesIn(folder), store });
      expect(message).toContain('is of a form that this pairmint does not read');
      expect(hint).toContain('name a new store: --store sqlite:FILE');
    }
    expect(readdirSync(folder)).toEqual(['store']);
  });

  it.each(['lmdb', 'sqlite:', 'memory:x', 'mysql://host/db', '/a/folder', ''])(
    'is not named by %j',
    async (store) => {
      expect((await refusal({ store })).hint).toBe(
        'a store is sqlite:FILE, postgres://USER@HOST/DATABASE or memory:',
      );
    },
  );

  it.each([
    [{ region: 'nowhere' }, "'nowhere' is not a region name such as us-east-1"],
    [{ accountId: '123' }, "'123' is not an account id of 12 digits"],
  ])('is not made with %j', async (options, message) => {
    expect((await refusal({ store: 'memory:', ...options })).message).toBe(message);
  });
});

describe('a root key file', () => {
  it.each([0o640, 0o604, 0o644, 0o660])(
    'of mode %o is refused with what mends it',
    async (mode) => {
      const folder = temporaryFolder();
      await makeStore(folder);
      chmodSync(`${folder}/root.key`, mode);
      expect((await refusal(placesIn(folder))).message).toBe(
        `the root key file ${folder}/root.key can be read by others; mend it with: ` +
          `chmod 600 '${folder}/root.key'`,
      );
      chmodSync(`${folder}/root.key`, 0o600);
      await (await Pairmint.open(placesIn(folder))).close();
    },
  );

  it.each([0, 31, 33, 64])('of %i bytes is refused', async (length) => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/root.key`, Buffer.alloc(length), { mode: 0o600 });
    expect((await refusal(placesIn(folder))).message).toBe(
      `the root key file ${folder}/root.key must hold exactly 32 raw bytes, not ${length}`,
    );
  });

  it('that is a folder is refused', async () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/root.key`, { mode: 0o700 });
    expect((await refusal(placesIn(folder))).message).toContain('is not a regular file');
  });

  it.each(['store.db', 'store.db-wal', 'store.db-shm', 'store.db-commits', 'store.db-drawn'])(
    'that is %s, a file of the store, is refused',
    async (name) => {
      const folder = temporaryFolder();
      const rootKey = { file: `${folder}/${name}` };
      const { message } = await refusal({ store: `sqlite:${folder}/store.db`, rootKey });
      expect(message).toContain('is a file of the store, not for its root key');
    },
  );

  it('that is a file of the store by way of a symbolic link is refused', async () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/deeper`);
    symlinkSync(`${folder}/deeper`, `${folder}/keys`);
    const rootKey = { file: `${folder}/keys/store.db-commits` };
    const { message } = await refusal({ store: `sqlite:${folder}/deeper/store.db`, rootKey });
    expect(message).toContain('is a file of the store, not for its root key');
  });

  it.each(['store.key', '..key', 'store', 'keys/store.db'])(
    'beside the store as %s is used',
    async (name) => {
      const folder = temporaryFolder();
      const rootKey = { file: `${folder}/${name}` };
      const kms = await Pairmint.open({ store: `sqlite:${folder}/store.db`, rootKey });
      await kms.close();
      expect(existsSync(rootKey.file)).toBe(true);
    },
  );

  it('that somebody made before the store is used, not replaced', async () => {
    const folder = temporaryFolder();
    const bytes = Buffer.alloc(32, 9);
    writeFileSync(`${folder}/root.key`, bytes, { mode: 0o600 });
    await makeStore(folder);
    expect(readFileSync(`${folder}/root.key`)).toEqual(bytes);
  });
});

describe('a variable of the environment', () => {
  it('that is empty counts as unset', () => {
    const empty = { PAIRMINT_HOME: '', PAIRMINT_STORE: '', PAIRMINT_ROOT_KEY_FILE: '' };
    expect(placesOf({}, empty)).toEqual(placesOf({}, {}));
    expect(placesOf({}, { ...empty, PAIRMINT_HOME: '/home' })).toEqual({
      store: 'sqlite:/home/store.db',
      given: 'sqlite:/home/store.db',
      file: '/home/store.db',
      rootKeyFile: '/home/root.key',
    });
  });
});

describe('a root key in bytes', () => {
  it.each([0, 31, 33])('of %i bytes is refused', async (length) => {
    const { message } = await refusal({
      store: 'memory:',
      rootKey: { bytes: Buffer.alloc(length) },
    });
    expect(message).toBe('a root key has exactly 32 bytes');
  });

  it('is copied: wiping it afterwards changes nothing', async () => {
    const bytes = Buffer.alloc(32, 5);
    const kms = await Pairmint.open({ store: 'memory:', rootKey: { bytes } });
    bytes.fill(0);
    await kms.describeKey({ KeyId });
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    await kms.decrypt({ CiphertextBlob });
    await kms.close();
  });
});
