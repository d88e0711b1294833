import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { temporaryFolder } from '../support/folders.ts';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const naming = ['--key-id', 'alias/pairmint/default', '--key-pair-spec', 'ECC_NIST_EDWARDS25519'];

let home: string;
let out: string;
beforeEach(() => {
  home = temporaryFolder();
  out = `${home}/pairs.jsonl`;
});

function start(...args: string[]) {
  const { PAIRMINT_STORE: _, PAIRMINT_ROOT_KEY_FILE: __, ...rest } = process.env;
  const env = { ...rest, PAIRMINT_HOME: `${home}/home` };
  const child = spawn(process.execPath, [bin, ...args], { env });
  const closed = once(child, 'close');
  const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, ended };
}

async function pairmint(...args: string[]) {
  return start(...args).ended;
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await pairmint(...args);
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  return stdout === '' ? {} : JSON.parse(stdout);
}

const batch = (count: number, ...more: string[]) => [
  'pregenerate',
  ...naming,
  ...['--count', `${count}`, '--encryption-context', 'app=billing', '--out', out],
  ...more,
];

/** The lines of the file, each of which is checked. */
async function pairsIn(file: string): Promise<string[]> {
  const kms = await Pairmint.open({
    store: `sqlite:${home}/home/store.db`,
    rootKey: { file: `${home}/home/root.key` },
  });
  const lines = readFileSync(file, 'utf8').split('\n');
  expect(lines.pop()).toBe('');
  const keys: string[] = [];
  for (const line of lines) {
    const { PrivateKeyCiphertextBlob, PublicKey } = JSON.parse(line);
    await kms.decrypt({
      CiphertextBlob: Buffer.from(PrivateKeyCiphertextBlob, 'base64'),
      EncryptionContext: { app: 'billing' },
    });
    keys.push(PublicKey);
  }
  await kms.close();
  return keys;
}

describe('pregenerate', () => {
  it('writes so many responses, a line each, to a file for its owner only', async () => {
    const { code, stdout } = await pairmint(...batch(300));
    expect([code, stdout]).toEqual([0, '']);
    expect(new Set(await pairsIn(out)).size).toBe(300);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readdirSync(home).sort()).toEqual(['home', 'pairs.jsonl', 'pairs.jsonl.state']);
    const before = readFileSync(out);
    expect((await pairmint(...batch(300))).code).toBe(0);
    expect(readFileSync(out)).toEqual(before);
    expect((await pairmint(...batch(320))).code).toBe(0);
    expect(readFileSync(out).subarray(0, before.length)).toEqual(before);
    expect(new Set(await pairsIn(out)).size).toBe(320);
  });

  it('writes to stdout without --out, and stops when its reader stops', async () => {
    const { stdout } = await pairmint('pregenerate', ...naming, '--count', '3');
    expect(stdout.split('\n')).toHaveLength(4);
    expect(Object.keys(JSON.parse(stdout.split('\n')[0] ?? ''))).toHaveLength(5);
    const { child, ended } = start('pregenerate', ...naming, '--count', '100000000');
    await once(child.stdout, 'readable');
    child.stdout.destroy();
    expect((await ended.catch(() => once(child, 'close'))) !== undefined).toBe(true);
  });

  it('has exactly the pairs that were asked for after kills at 20 random moments', async () => {
    await pairmint(...batch(1));
    for (let kills = 0; kills < 20; kills++) {
      const { child, ended } = start(...batch(60_000));
      const size = statSync(out).size;
      while (statSync(out).size === size) await new Promise((done) => setTimeout(done, 5));
      await new Promise((done) => setTimeout(done, Math.random() * 40));
      child.kill('SIGKILL');
      await ended;
    }
    const count = Math.max(1000, 100 + readFileSync(out, 'latin1').split('\n').length);
    expect((await pairmint(...batch(count))).code).toBe(0);
    expect(new Set(await pairsIn(out)).size).toBe(count);
    expect(readdirSync(home).sort()).toEqual(['home', 'pairs.jsonl', 'pairs.jsonl.state']);
  });

  it.each([
    ['half a line', (size: number) => truncateSync(out, size - 7)],
    ['all but the end of a line', (size: number) => truncateSync(out, size - 1)],
    ['zeros behind the lines', () => appendFileSync(out, Buffer.alloc(5000))],
    ['a line that begins with zeros', () => appendFileSync(out, `${'\0'.repeat(99)}{"a":1}\n`)],
  ])('goes on after a failure that left %s', async (_what, spoil) => {
    await pairmint(...batch(20));
    spoil(statSync(out).size);
    expect((await pairmint(...batch(30))).code).toBe(0);
    expect(new Set(await pairsIn(out)).size).toBe(30);
  });

  it.each([
    ['was begun with other arguments', () => batch(9, '--encryption-context', 'app=other')],
    ['was begun with other arguments', () => batch(9, '--key-pair-spec', 'ECC_NIST_P256')],
    ['has 5 pairs already, more than 4', () => batch(4)],
    [
      'does not tell what it is for',
      () => {
        rmSync(`${out}.state`);
        return batch(9);
      },
    ],
    [
      'has a line, number 6, that does not belong to the batch',
      () => {
        appendFileSync(out, '{"PublicKey":"AAAA"}\n');
        return batch(9);
      },
    ],
    [
      'has a line, number 1, that does not belong to the batch',
      () => {
        writeFileSync(out, 'something else\n');
        return batch(9);
      },
    ],
    ['is no file', () => [...batch(9), '--out', '/dev/null']],
    ['cannot be written: ', () => [...batch(9), '--out', `${home}/absent/pairs`]],
  ])('refuses a file that %s', async (why, args) => {
    await pairmint(...batch(5));
    const line = args();
    const before = readFileSync(out);
    const { code, stderr } = await pairmint(...line);
    expect(code).toBe(255);
    expect(stderr).toContain(why);
    expect(readFileSync(out)).toEqual(before);
  });

  it('is refused while another process writes to the file', async () => {
    await pairmint(...batch(1));
    const { child, ended } = start(...batch(1_000_000));
    while (statSync(out).size < 10_000) await new Promise((done) => setTimeout(done, 5));
    const { code, stderr } = await pairmint(...batch(1_000_000));
    expect([code, stderr]).toEqual([
      255,
      `\npairmint: process ${child.pid} is writing to ${out}\n`,
    ]);
    child.kill('SIGINT');
    const interrupted = await ended;
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toContain('pairmint: interrupted; the same command goes on\n');
    expect(new Set(await pairsIn(out)).size).toBe((await pairsIn(out)).length);
  });

  it.each([
    [['--count', '0'], 'is not a whole number from 1'],
    [['--count', '1e3'], 'is not a whole number from 1'],
    [['--encryption-context', '{"a":1}'], 'Invalid type for parameter EncryptionContext.a'],
  ])('refuses %j before it makes anything', async (more, why) => {
    const { code, stderr } = await pairmint(...batch(1, ...more));
    expect([code, stderr]).toEqual([252, expect.stringContaining(why)]);
    expect(readdirSync(home)).toEqual([]);
  });

  it('fails as the request does', async () => {
    const { code, stderr } = await pairmint(...batch(3, '--key-id', 'alias/absent'));
    expect([code, stderr]).toEqual([254, expect.stringContaining('NotFoundException')]);
  });
});

describe('pool', () => {
  it('makes, fills, lists, drains and deletes a pool', async () => {
    const pool = await json('pool', 'create', ...naming, '--target', '20', '--low', '5');
    expect(pool).toEqual({
      KeyId: expect.stringMatching(/^arn:aws:kms:/),
      KeyPairSpec: 'ECC_NIST_EDWARDS25519',
      Target: 20,
      Low: 5,
      Level: 0,
    });
    expect(await json('pool', 'fill')).toEqual({ Minted: 20 });
    await json('generate-data-key-pair-without-plaintext', ...naming);
    expect(await json('pool', 'list')).toEqual({ Pools: [{ ...pool, Level: 19 }] });
    expect(await json('pool', 'fill', ...naming)).toEqual({ Minted: 1 });
    expect(await json('pool', 'drain', ...naming)).toEqual({ Drained: 20 });
    expect(await json('pool', 'delete', ...naming)).toEqual({});
    expect(await json('pool', 'list')).toEqual({ Pools: [] });
    expect(await pairmint('pool', 'delete', ...naming)).toMatchObject({
      code: 254,
      stderr: expect.stringContaining('has no pool of ECC_NIST_EDWARDS25519 pairs'),
    });
  });

  it.each([
    [[], 'the following arguments are required: create|list|fill|drain|delete'],
    [['fil'], "Invalid choice: 'fil', maybe you meant:\n\n  * fill"],
    [['create', '--key-id', 'x'], 'the following arguments are required: --key-pair-spec'],
    [['create', ...naming], 'the following arguments are required: --target'],
    [['create', ...naming, '--target', 'x'], "'x' is not a whole number from 1"],
  ])('%j is not understood', async (args, why) => {
    const { code, stderr } = await pairmint('pool', ...args);
    expect([code, stderr]).toEqual([252, expect.stringContaining(why)]);
  });
});

describe('worker', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'fills pools until %s, and exits with 0',
    async (signal) => {
      await json('pool', 'create', ...naming, '--target', '50');
      const { child, ended } = start('worker');
      let seen = '';
      child.stderr.on('data', (data) => {
        seen += data;
      });
      while (!seen.includes('50 of 50')) await new Promise((done) => setTimeout(done, 20));
      child.kill(signal);
      const { code, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr).toMatch(/1 pools, 0 of 50 pairs wait\n(.*\n)*.*the worker has stopped\n$/);
      expect((await json('pool', 'list')).Pools).toMatchObject([{ Level: 50 }]);
    },
  );

  it('keeps what it has minted when it is stopped under way', async () => {
    await json('pool', 'create', ...naming, '--target', '900000');
    const { child, ended } = start('worker');
    await once(child.stderr, 'data');
    await new Promise((done) => setTimeout(done, 1500));
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    const [pool] = (await json('pool', 'list')).Pools as { Level: number }[];
    expect(pool?.Level).toBeGreaterThan(0);
  });
});
