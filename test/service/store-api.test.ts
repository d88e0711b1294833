import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { restoreBackup } from '../../lib/service/restore.ts';
import { newKey } from '../operations/support.ts';
import { publicKeyText, spec, takePair } from '../pool/support.ts';
import { temporaryFolder } from '../support/folders.ts';

let folder: string;
let file: string;
let backup: string;
const opened: Pairmint[] = [];

async function open(store = file, rootKey = `${folder}/root.key`): Promise<Pairmint> {
  const kms = await Pairmint.open({
    store: `sqlite:${store}`,
    rootKey: { file: rootKey },
    refillPools: false,
  });
  opened.push(kms);
  return kms;
}
async function close(kms: Pairmint): Promise<void> {
  opened.splice(opened.indexOf(kms), 1);
  await kms.close();
}
const restore = (from = backup, to = file, rootKeyFile = `${folder}/root.key`) =>
  restoreBackup(from, { store: `sqlite:${to}`, rootKeyFile });
const keyCount = async (kms: Pairmint) => (await kms.listKeys({ Limit: 1000 })).Keys?.length;

/** Changes a store's file by hand, as somebody with SQLite's tools does. */
function byHand(path: string, sql: string, ...values: (string | Uint8Array)[]): void {
  const database = new DatabaseSync(path);
  database.prepare(sql).run(...values);
  database.close();
}
function recordIn(path: string, like: string): { path: string; value: Uint8Array } {
  const database = new DatabaseSync(path);
  const row = database.prepare('select path, value from record where path like ?').get(like);
  database.close();
  return row as { path: string; value: Uint8Array };
}
function spoil(path: string, like: string): void {
  const { path: name, value } = recordIn(path, like);
  const at = value.length - 1;
  value[at] = (value[at] ?? 0) ^ 1;
  byHand(path, 'update record set value = ? where path = ?', value, name);
}

beforeEach(() => {
  folder = temporaryFolder();
  file = `${folder}/store.db`;
  backup = `${folder}/backup.db`;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((kms) => kms.close()));
});

describe('a backup', () => {
  it('has all keys of one moment while others are made, no waiting pair, and is for its owner alone', async () => {
    const [kms, other] = [await open(), await open()];
    const { KeyId } = await newKey(kms);
    await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 20 });
    await kms.pools.fill();
    const answered: string[] = [];
    let isOver = false;
    const making = (async () => {
      while (!isOver) answered.push((await newKey(other)).KeyId);
    })();
    await vi.waitFor(() => expect(answered.length).toBeGreaterThan(5), 10_000);
    const before = [...answered];
    await kms.store.backup(backup);
    isOver = true;
    await making;
    expect(statSync(backup).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.includes('unfinished'))).toEqual([]);
    const database = new DatabaseSync(backup, { readOnly: true });
    const rows = database.prepare("select path from record where path like '%:key/%'").all();
    const lots = database.prepare('select count(*) as n from lot').get();
    database.close();
    const paths = rows.map((row) => `${row.path}`);
    expect(before.filter((id) => !paths.some((path) => path.endsWith(id)))).toEqual([]);
    expect(lots?.n).toBe(0);
    expect((await kms.store.lastBackup())?.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('replaces no file, and cannot be made of a store in memory', async () => {
    const kms = await open();
    writeFileSync(backup, 'mine');
    await expect(kms.store.backup(backup)).rejects.toThrow(
      `${backup} cannot be written: there is such a file already`,
    );
    expect(readFileSync(backup, 'utf8')).toBe('mine');
    const memory = await Pairmint.open({ store: 'memory:' });
    await expect(memory.store.backup(`${folder}/x`)).rejects.toThrow('ends with its process');
    await memory.close();
  });
});

describe('a restored backup', () => {
  it('replaces the store, also for processes that have it open', async () => {
    const kms = await open();
    const { KeyId } = await newKey(kms);
    await kms.store.backup(backup);
    await kms.disableKey({ KeyId });
    await newKey(kms);
    expect(await keyCount(kms)).toBe(2);
    expect(await restore()).toEqual({ url: `sqlite:${file}`, movedTo: undefined });
    await vi.waitFor(async () => {
      const { KeyMetadata } = await kms.describeKey({ KeyId });
      expect(KeyMetadata?.Enabled).toBe(true);
    }, 5000);
    expect(await keyCount(kms)).toBe(1);
    await kms.disableKey({ KeyId });
  });

  it('answers no pair that waited, and its pools are filled anew', async () => {
    const kms = await open();
    const { KeyId } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await kms.pools.create({ ...pool, target: 8 });
    await kms.pools.fill();
    await kms.store.backup(backup);
    await restore();
    await vi.waitFor(async () => expect((await kms.pools.list())[0]?.level).toBe(0), 5000);
    await vi.waitFor(() => expect(kms.store.needsFence).toBe(false), 5000);
    expect(await kms.pools.fill()).toBe(8);
    await takePair(kms, KeyId);
    expect((await kms.pools.list())[0]?.hits).toBe(1);
  });

  it.each(['fence', 'identity', 'us-east-1:%key/%', 'material/%', 'us-east-1:%pool-record/%'])(
    'changes nothing if its record %s is not sound',
    async (like) => {
      const kms = await open();
      const { KeyId } = await newKey(kms);
      await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 8 });
      await kms.store.fence();
      await kms.store.backup(backup);
      await newKey(kms);
      spoil(backup, like);
      await expect(restore()).rejects.toMatchObject({ name: 'ConfigurationError' });
      expect(await keyCount(kms)).toBe(2);
      expect((await kms.store.check()).faults).toEqual([]);
    },
  );

  it('must be of the same root key and the same store', async () => {
    const kms = await open();
    await newKey(kms);
    await kms.store.backup(backup);
    const other = await open(`${folder}/other.db`, `${folder}/other.key`);
    await expect(restore(backup, `${folder}/other.db`, `${folder}/other.key`)).rejects.toThrow(
      'the root key is not the one',
    );
    await other.store.backup(`${folder}/others.db`);
    await expect(restore(`${folder}/others.db`)).rejects.toThrow('the root key is not the one');
    copyFileSync(`${folder}/root.key`, `${folder}/same.key`);
    const third = await open(`${folder}/third.db`, `${folder}/same.key`);
    await newKey(third);
    await expect(restore(backup, `${folder}/third.db`)).rejects.toThrow(
      'is not the one of the backup',
    );
    expect(await keyCount(third)).toBe(1);
  });

  it('moves a file aside that is too damaged to be a store, and leaves no log of it', async () => {
    const kms = await open();
    await newKey(kms);
    await kms.store.backup(backup);
    await close(kms);
    for (const damage of [
      () => writeFileSync(file, crypto.randomBytes(50_000)),
      () => writeFileSync(file, ''),
      () => byHand(file, "delete from record where path = 'identity'"),
      () => {
        rmSync(file);
        writeFileSync(`${file}-wal`, crypto.randomBytes(10_000));
      },
    ]) {
      damage();
      const { movedTo } = await restore();
      expect(movedTo).toMatch(/store\.db\.damaged-/);
      const again = await open();
      expect(await keyCount(again)).toBe(1);
      expect((await again.store.check()).faults).toEqual([]);
      await close(again);
    }
  });

  it('is refused if another program has its database there, which is left as it was', async () => {
    const kms = await open();
    await kms.store.backup(backup);
    const foreign = `${folder}/app.db`;
    const database = new DatabaseSync(foreign);
    database.exec('create table t (x)');
    database.close();
    const before = readFileSync(foreign);
    await expect(restore(backup, foreign)).rejects.toThrow('it is not a pairmint store');
    await expect(open(foreign)).rejects.toThrow('it is not a pairmint store');
    expect(readFileSync(foreign).equals(before)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith('app.db'))).toEqual(['app.db']);
  });

  it.each([
    ['an empty file', () => writeFileSync(backup, '')],
    ['a pipe', () => execFileSync('mkfifo', [backup])],
    ['a folder', () => mkdirSync(backup)],
    ['garbage', () => writeFileSync(backup, crypto.randomBytes(50_000))],
  ])('cannot be %s, which is named as it was given', async (_what, make) => {
    const kms = await open();
    await newKey(kms);
    make();
    await expect(restore()).rejects.toThrow(`${backup} is not a backup`);
    expect(await keyCount(kms)).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes('restoring'))).toEqual([]);
  });

  it('is named as it was given if its root key is another', async () => {
    const kms = await open();
    await kms.store.backup(backup);
    await close(await open(`${folder}/other.db`, `${folder}/other.key`));
    const refusal = `the root key is not the one that the backup ${backup} was made with`;
    await expect(restore(backup, file, `${folder}/other.key`)).rejects.toThrow(refusal);
  });

  it('is refused if it is a store in use, or the store itself', async () => {
    const kms = await open();
    await newKey(kms);
    await expect(restore(file)).rejects.toThrow('is the store itself');
    await expect(restore(file, `${folder}/new.db`)).rejects.toThrow('is a store in use');
    expect(existsSync(`${folder}/new.db`)).toBe(false);
  });
});

describe('a store that lost its records of itself', () => {
  it('is not made anew beside its keys, and says so', async () => {
    const kms = await open();
    await newKey(kms);
    await close(kms);
    byHand(file, "delete from record where path in ('format', 'identity')");
    await expect(open()).rejects.toThrow('holds something that is not a pairmint store');
    expect(recordIn(file, 'us-east-1:%key/%')).toBeDefined();
  });
});

describe('a copy of a store', () => {
  async function drawnStore() {
    const kms = await open();
    const { KeyId } = await newKey(kms);
    await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 4 });
    await kms.pools.fill();
    await close(kms);
    copyFileSync(file, `${folder}/old.db`);
    const again = await open();
    const answered = new Set<string>();
    for (let i = 0; i < 4; i++) answered.add(publicKeyText(await takePair(again, KeyId)));
    return { kms: again, KeyId, answered };
  }
  async function answersAgain(kms: Pairmint, KeyId: string, answered: ReadonlySet<string>) {
    const texts: string[] = [];
    for (let i = 0; i < 4; i++) texts.push(publicKeyText(await takePair(kms, KeyId)));
    return texts.filter((text) => answered.has(text));
  }

  it('answers no pair again in the place of another store, until it is fenced', async () => {
    const { kms, KeyId, answered } = await drawnStore();
    await close(kms);
    const elsewhere = `${folder}/elsewhere.db`;
    copyFileSync(`${folder}/root.key`, `${folder}/other.key`);
    await close(await open(elsewhere, `${folder}/other.key`));
    copyFileSync(`${folder}/old.db`, elsewhere);
    const copy = await open(elsewhere);
    expect(copy.store.needsFence).toBe(true);
    expect(await answersAgain(copy, KeyId, answered)).toEqual([]);
    await copy.store.fence();
    expect(copy.store.needsFence).toBe(false);
    expect(await answersAgain(copy, KeyId, answered)).toEqual([]);
  });

  it.each([
    ['at once', false],
    ['after a fence', true],
  ])('answers no pair again in the place of the store itself, %s', async (_when, isFenced) => {
    const { kms, KeyId, answered } = await drawnStore();
    if (isFenced) await kms.store.fence();
    await close(kms);
    copyFileSync(`${folder}/old.db`, file);
    const old = await open();
    expect(old.store.needsFence).toBe(isFenced);
    expect(await answersAgain(old, KeyId, answered)).toEqual([]);
  });

  it('answers no pair again if all files of the store are written over by an earlier copy of them', async () => {
    const kms = await open();
    const { KeyId } = await newKey(kms);
    await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 8 });
    await kms.pools.fill();
    await takePair(kms, KeyId);
    await close(kms);
    const names = ['store.db', 'store.db-commits', 'store.db-drawn'];
    const copy = `${folder}/copy`;
    mkdirSync(copy);
    for (const name of names) copyFileSync(`${folder}/${name}`, `${copy}/${name}`);
    const again = await open();
    expect(again.store.needsFence).toBe(false);
    const answered = new Set<string>();
    for (let i = 0; i < 4; i++) answered.add(publicKeyText(await takePair(again, KeyId)));
    await close(again);
    // In their places: each file keeps its inode.
    for (const name of names) copyFileSync(`${copy}/${name}`, `${folder}/${name}`);
    const old = await open();
    expect(old.store.needsFence).toBe(true);
    expect(await answersAgain(old, KeyId, answered)).toEqual([]);
    await old.store.fence();
    expect(await old.pools.fill()).toBe(8);
    expect(await answersAgain(old, KeyId, answered)).toEqual([]);
  });

  it('is fenced though a record of its pools is damaged: that pool is gone', async () => {
    const { kms, KeyId } = await drawnStore();
    await close(kms);
    spoil(file, 'us-east-1:%pool-record/%');
    const again = await open();
    await again.store.fence();
    expect(await again.pools.list()).toEqual([]);
    await takePair(again, KeyId);
  });
});

describe('a store by two names', () => {
  it('shows a key that is disabled under one name as disabled under the other, at once', async () => {
    const kms = await open();
    const { KeyId } = await newKey(kms);
    symlinkSync(file, `${folder}/link.db`);
    const other = await open(`${folder}/link.db`);
    const encrypt = () => other.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    for (let i = 0; i < 10; i++) {
      await kms.enableKey({ KeyId });
      await encrypt();
      await kms.disableKey({ KeyId });
      await expect(encrypt()).rejects.toMatchObject({ name: 'DisabledException' });
    }
  });
});

describe('a check', () => {
  it('finds a sound store sound', async () => {
    const kms = await open();
    const { KeyId } = await newKey(kms, { Tags: [{ TagKey: 'a', TagValue: 'b' }] });
    await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    await newKey(kms, { Origin: 'EXTERNAL' });
    await kms.createAlias({ AliasName: 'alias/a', TargetKeyId: KeyId });
    await kms.createGrant({
      KeyId,
      GranteePrincipal: 'arn:aws:iam::000000000000:user/alice',
      RetiringPrincipal: 'arn:aws:iam::000000000000:user/bob',
      Operations: ['Decrypt'],
      Name: 'name',
    });
    await kms.credentials.create({ principal: 'arn:aws:iam::000000000000:user/alice' });
    await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 20 });
    await kms.pools.fill();
    const report = await kms.store.check();
    expect(report).toMatchObject({ pairs: 20, faults: [] });
    expect(report.records).toBeGreaterThan(8);
  });

  it.each([
    ['a spoilt key', () => spoil(file, 'us-east-1:%key/%'), /key\/.* is not as pairmint wrote it/],
    [
      'a material that is gone',
      () => byHand(file, "delete from record where path like 'material/%'"),
      /lacks its material/,
    ],
    [
      'an alias that is gone',
      () => byHand(file, "delete from record where path like '%alias/a'"),
      /has alias\/a, which does not lead to it/,
    ],
    [
      'an alias that leads nowhere',
      () => byHand(file, "update record set value = x'78' where path like '%alias/a'"),
      /leads to .*key\/x, which is not there/,
    ],
    ['a spoilt credential', () => spoil(file, 'credential/%'), /credential\/.* is not as/],
    ['a spoilt fence', () => spoil(file, 'fence'), /record fence is not as pairmint wrote it/],
    [
      'a spoilt lot',
      () => byHand(file, 'update lot set pairs = pairs + 1'),
      /lots that cannot be used/,
    ],
    [
      'a pool that counts other pairs than its lots have',
      () => byHand(file, 'update pool set waiting = waiting + 3'),
      /^the pool us-east-1:.*:pool\/.* is said to have 7 waiting pairs, and its lots have 4$/,
    ],
    [
      'lots of a pool without a record',
      () => byHand(file, "delete from record where path like '%:pool-record/%'"),
      /^lots wait in us-east-1:.*:pool\/.*, of which there is no pool record$/,
    ],
    [
      'lots of a pool that was drained',
      () => byHand(file, "update pool set name = substr(name, 1, length(name) - 1) || 'x/'"),
      /^lots wait in us-east-1:.*:pool\/.*x\/, of which there is no pool record$/,
    ],
    [
      'lots of no pool at all',
      () => byHand(file, 'update lot set pool = pool + 100'),
      /^\d+ lots are of pool number 10\d, which is not there$/,
    ],
    [
      'what pairmint does not write',
      () => byHand(file, "insert into record (path, value) values ('x', x'00')"),
      /^x is no record that pairmint writes$/,
    ],
  ])('finds %s, and tells nothing else', async (_what, damage, fault) => {
    const kms = await open();
    const { KeyId } = await newKey(kms);
    await kms.createAlias({ AliasName: 'alias/a', TargetKeyId: KeyId });
    await kms.credentials.create({ principal: 'arn:aws:iam::000000000000:user/alice' });
    await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 4 });
    await kms.store.fence();
    await kms.pools.fill();
    await close(kms);
    damage();
    const { faults } = await (await open()).store.check();
    expect(
      faults.some((text) => fault.test(text)),
      faults.join('\n'),
    ).toBe(true);
  });

  it('is a command that exits with 1 if anything is wrong', async () => {
    const kms = await open();
    await newKey(kms);
    await close(kms);
    const check = () =>
      execFileSync(
        process.execPath,
        [
          'dist/cli/bin.js',
          'store',
          'check',
          '--store',
          `sqlite:${file}`,
          '--root-key-file',
          `${folder}/root.key`,
        ],
        { encoding: 'utf8' },
      );
    expect(JSON.parse(check())).toMatchObject({ Faults: [] });
    spoil(file, 'us-east-1:%key/%');
    expect(check).toThrow(expect.objectContaining({ status: 1 }));
  });
});
