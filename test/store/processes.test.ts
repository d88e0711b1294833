import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { smallDisk, temporaryFolder } from '../support/folders.ts';

const script = fileURLToPath(new URL('../support/store-process.mjs', import.meta.url));

function start(folder: string, task: string[], { limit = '', env = {} } = {}) {
  const command = `${limit} exec "$0" "$@"`;
  const args = [
    process.execPath,
    script,
    `sqlite:${folder}/store.db`,
    `${folder}/root.key`,
    ...task,
  ];
  const child = spawn('/bin/sh', ['-c', command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  let trouble = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    trouble += data;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code,
    signal,
    trouble,
    // A line that a kill cut off is no acknowledgement.
    lines: output.split('\n').slice(0, -1),
  }));
  return { child, ended };
}

/** Takes all of a disk but `left` bytes. */
function fill(disk: string, left: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(`${disk}/filler`, Buffer.alloc(bavail * bsize - left));
}

function open(folder: string): Promise<Pairmint> {
  return Pairmint.open({
    store: `sqlite:${folder}/store.db`,
    rootKey: { file: `${folder}/root.key` },
  });
}

async function allKeyIds(kms: Pairmint): Promise<string[]> {
  const ids: string[] = [];
  let Marker: string | undefined;
  do {
    const { Keys, NextMarker } = await kms.listKeys({ Marker });
    ids.push(...(Keys ?? []).map(({ KeyId }) => KeyId as string));
    Marker = NextMarker;
  } while (Marker !== undefined);
  return ids;
}

describe('processes that share a store', () => {
  it('make it once if all find it missing, and agree on its default key', async () => {
    const folder = temporaryFolder();
    const ends = await Promise.all(
      Array.from({ length: 4 }, () => start(folder, ['useDefaultKey']).ended),
    );
    expect(ends.map(({ code, trouble }) => [code, trouble])).toEqual(ends.map(() => [0, '']));
    expect(new Set(ends.flatMap(({ lines }) => lines)).size).toBe(1);
  });

  it('give an alias to one of those that want it', async () => {
    const folder = temporaryFolder();
    const ends = await Promise.all(
      Array.from({ length: 3 }, () => start(folder, ['claimAliases', '40']).ended),
    );
    expect(ends.map(({ code, lines }) => [code, lines.filter((l) => l.startsWith('F'))])).toEqual(
      ends.map(() => [0, []]),
    );
    const won = ends.flatMap(({ lines }) => lines).sort();
    const kms = await open(folder);
    const { Aliases } = await kms.listAliases({ Limit: 100 });
    expect(Aliases?.map((a) => `${a.AliasName} ${a.TargetKeyId}`).sort()).toEqual(won);
    expect(won).toHaveLength(40);
    await kms.close();
  });

  it('rotate a key that is due exactly once between them', async () => {
    const folder = temporaryFolder();
    const kms = await open(folder);
    const { KeyMetadata } = await kms.createKey({});
    const KeyId = KeyMetadata?.KeyId as string;
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
    const { NextRotationDate } = await kms.getKeyRotationStatus({ KeyId });
    await kms.close();
    const period = 90 * 86_400_000;
    const due = [0, 1, 2].map((n) => (NextRotationDate as Date).getTime() + n * period);
    const now = String((due[2] as number) + 1);
    const ends = await Promise.all(
      Array.from({ length: 4 }, () => start(folder, ['listRotations', KeyId, now]).ended),
    );
    expect(ends.map(({ code, trouble }) => [code, trouble])).toEqual(ends.map(() => [0, '']));
    const [lines = []] = ends.map((end) => end.lines);
    expect(ends.map((end) => end.lines)).toEqual(ends.map(() => lines));
    expect(lines.map((line) => line.split(' ')[0])).toEqual(
      due.map((date) => new Date(date).toISOString()),
    );
  });

  it('lose nothing that was answered when they are killed', async () => {
    const folder = temporaryFolder();
    const answered: string[] = [];
    for (let round = 0; round < 6; round++) {
      const { child, ended } = start(folder, ['createKeys', '100000']);
      const first = await Promise.race([once(child.stdout, 'data'), ended]);
      expect(first).toBeDefined();
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
      child.kill('SIGKILL');
      const { lines, signal } = await ended;
      expect(signal).toBe('SIGKILL');
      answered.push(...lines);
    }
    const kms = await open(folder);
    const ids = new Set(await allKeyIds(kms));
    expect(answered.filter((id) => !ids.has(id))).toEqual([]);
    for (const KeyId of answered) {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
      await kms.decrypt({ CiphertextBlob });
    }
    await kms.close();
  });
});

describe('a store that cannot be written', () => {
  const failed = 'KMSInternalException: The key store could not complete the request.';

  it('answers with an error when the disk is full, and keeps what it had', async () => {
    const folder = temporaryFolder();
    await (await open(folder)).close();
    const blocks = Math.ceil((statSync(`${folder}/store.db`).size + 500_000) / 512);
    // The limit on a file's size stands for the disk: a write beyond it fails.
    const { ended } = start(folder, ['createKeys', '5000'], {
      limit: `trap '' XFSZ; ulimit -f ${blocks};`,
    });
    const { code, signal, lines } = await ended;
    expect([code, signal]).toEqual([1, null]);
    const answered = lines.filter((line) => /^[0-9a-f-]{36}$/.test(line));
    expect(lines.slice(answered.length)[0]).toBe(`FAILED ${failed}`);
    const kms = await open(folder);
    const ids = new Set(await allKeyIds(kms));
    expect(answered.length).toBeGreaterThan(10);
    expect(answered.filter((id) => !ids.has(id))).toEqual([]);
    await kms.createKey({});
    await kms.close();
  });

  it('answers with an error on a disk that fills up, and goes on when there is room', async (context) => {
    const disk = smallDisk(context, '3m');
    const { code, signal, lines, trouble } = await start(disk, ['createKeys', '5000']).ended;
    expect([code, signal, trouble]).toEqual([1, null, '']);
    expect(lines.at(-2)).toBe(`FAILED ${failed}`);
    expect(lines.at(-1)).toMatch(/^CAUSE .*(?:database or disk is full|disk I\/O error)$/);
    execFileSync('mount', ['-o', 'remount,size=6m', disk]);
    const kms = await open(disk);
    const ids = await allKeyIds(kms);
    expect(lines.slice(0, -2).filter((id) => !ids.includes(id))).toEqual([]);
    const [KeyId] = ids;
    const Plaintext = Buffer.from('x');
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext });
    fill(disk, 0);
    // The file of changes may have room for some yet.
    let failures = 0;
    for (let i = 0; i < 1000 && failures < 3; i++) {
      const made = await kms.createKey({ Description: 'x'.repeat(2000) }).catch((error) => {
        expect(error).toMatchObject({ cause: { name: 'StoreError' } });
        failures++;
      });
      if (made !== undefined) ids.push(made.KeyMetadata?.KeyId as string);
    }
    expect(failures).toBe(3);
    // Everything that needs no write goes on.
    expect((await allKeyIds(kms)).sort()).toEqual(ids.sort());
    for (const id of ids) await kms.describeKey({ KeyId: id });
    expect((await kms.decrypt({ CiphertextBlob })).KeyId).toContain(KeyId);
    await kms.encrypt({ KeyId: ids.at(-1), Plaintext });
    rmSync(`${disk}/filler`);
    await kms.createKey({});
    expect(await allKeyIds(kms)).toHaveLength(ids.length + 1);
    await kms.close();
  });

  it('can be opened and read on a disk that is full', async (context) => {
    const disk = smallDisk(context, '3m');
    const first = await open(disk);
    const { KeyMetadata } = await first.createKey({});
    const KeyId = KeyMetadata?.KeyId as string;
    const { CiphertextBlob } = await first.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    await first.close();
    fill(disk, 0);
    const kms = await open(disk);
    expect(await allKeyIds(kms)).toEqual([KeyId]);
    await kms.decrypt({ CiphertextBlob });
    await expect(kms.createKey({})).rejects.toMatchObject({ name: 'KMSInternalException' });
    rmSync(`${disk}/filler`);
    await kms.createKey({});
    expect(await allKeyIds(kms)).toHaveLength(2);
    await kms.close();
  });

  it('is refused, and not made, on a disk that is full', async (context) => {
    const disk = smallDisk(context, '3m');
    fill(disk, 8192);
    const { code, signal, lines } = await start(disk, ['useDefaultKey']).ended;
    expect([code, signal]).toEqual([1, null]);
    expect(lines[0]).toMatch(
      /^FAILED ConfigurationError: the store .* cannot be (?:opened|made): .*(?:full|disk I\/O error)/,
    );
    rmSync(`${disk}/filler`);
    expect((await start(disk, ['useDefaultKey']).ended).code).toBe(0);
  });

  it('is refused with a sentence when its folder is read-only', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o555);
    const { ended } = start(folder, ['useDefaultKey'], { env: { TEST_AS_NOBODY: '1' } });
    const { code, lines } = await ended;
    chmodSync(folder, 0o755);
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^FAILED ConfigurationError: the store .* cannot be opened: /);
  });
});
