import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { run } from '../cli/run.ts';
import { temporaryFolder } from '../support/folders.ts';
import { keyId, otherKeyId, seedFile, seedOf, storeIn } from './support.ts';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const seed = { ...seedOf({ Aliases: ['alias/a'] }, { KeyId: otherKeyId }) };

function environment(home: string): NodeJS.ProcessEnv {
  const { PAIRMINT_STORE: _, PAIRMINT_ROOT_KEY_FILE: __, ...rest } = process.env;
  return { ...rest, PAIRMINT_HOME: home };
}

function start(home: string, args: readonly string[]) {
  return spawn(process.execPath, [bin, ...args], { env: environment(home) });
}

async function pairmint(home: string, ...args: string[]) {
  const child = start(home, args);
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, stdout, stderr };
}

describe('init --seed', () => {
  it('hands the file to the service that opens the store', async () => {
    const { exitCode, opened } = await run(['init', '--seed', 'keys.yaml', '--store', 'sqlite:x']);
    expect(exitCode).toBe(0);
    expect(opened[0]).toMatchObject({ store: 'sqlite:x', seed: 'keys.yaml' });
    expect(opened[1]).not.toHaveProperty('seed');
  });

  it('makes a store with its keys, and the second time nothing', async () => {
    const home = temporaryFolder();
    const file = seedFile(JSON.stringify(seed));
    const first = await pairmint(home, 'init', '--seed', file, '--region', 'eu-west-1');
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(
      /^pairmint: made a new store at .*\npairmint: made what the seed has: 2 keys, 1 alias\n$/,
    );
    expect(JSON.parse(first.stdout)).toMatchObject({ Region: 'eu-west-1' });
    const shown = await pairmint(home, 'describe-key', '--key-id', 'alias/a');
    expect(JSON.parse(shown.stdout).KeyMetadata.KeyId).toBe(keyId);
    const again = await pairmint(home, 'init', '--seed', file);
    expect({ code: again.code, stderr: again.stderr }).toEqual({ code: 0, stderr: '' });
    const without = await pairmint(home, 'init');
    expect(without).toEqual({ ...again });
  });

  it('seeds a store that was there', async () => {
    const home = temporaryFolder();
    await pairmint(home, 'init');
    const { code, stderr } = await pairmint(home, 'init', '--seed', seedFile(JSON.stringify(seed)));
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'pairmint: made what the seed has: 2 keys, 1 alias\n',
    });
  });

  it('complains in a line, says what to do, and makes no store', async () => {
    const home = temporaryFolder();
    const file = seedFile(`version: 1\nkeys:\n  - KeyId: ${keyId}\n    Description: 5\n`);
    expect(await pairmint(home, 'init', '--seed', file)).toEqual({
      code: 253,
      stdout: '',
      stderr:
        `pairmint: ${file}:4: keys[0].Description: expected a String, got number\n` +
        'write it in quotes\n',
    });
    expect(existsSync(path.join(home, 'store.db'))).toBe(false);
  });

  it('complains of a conflict and changes nothing', async () => {
    const home = temporaryFolder();
    await pairmint(home, 'init', '--seed', seedFile(JSON.stringify(seed)));
    const before = readFileSync(path.join(home, 'store.db'));
    const file = seedFile(`version: 1\nkeys:\n  - KeyId: ${keyId}\n    Description: another\n`);
    const { code, stderr } = await pairmint(home, 'init', '--seed', file);
    expect({ code, stderr }).toEqual({
      code: 253,
      stderr:
        `pairmint: ${file}:4: keys[0].Description: the store has this key with Description , ` +
        'not another\n',
    });
    expect(readFileSync(path.join(home, 'store.db')).equals(before)).toBe(true);
  });

  it('reads a pipe', async () => {
    const home = temporaryFolder();
    const file = seedFile(JSON.stringify(seed));
    // By a shell: Node.js gives a child a socket for standard input, and a socket has no path.
    const line = `cat "${file}" | "${process.execPath}" "${bin}" init --seed /dev/stdin`;
    const child = spawn('sh', ['-c', line], { env: environment(home) });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
  });
});

describe('a seed whose process is killed', () => {
  it('is completed when it is run again', async () => {
    const home = temporaryFolder();
    const ids = Array.from(
      { length: 100 },
      (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
    );
    const keys = ids.map((KeyId) => ({
      KeyId,
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
      Aliases: [`alias/${KeyId}`],
      Grants: [
        {
          Name: 'one',
          GranteePrincipal: 'arn:aws:iam::000000000000:user/alice',
          Operations: ['Sign'],
        },
      ],
    }));
    const file = seedFile(JSON.stringify({ version: 1, keys }));
    await pairmint(home, 'init');
    const empty = statSync(path.join(home, 'store.db')).size;
    let killed = 0;
    for (let delay = 100; delay < 1000; delay += 60) {
      const child = start(home, ['init', '--seed', file]);
      const closed = new Promise<NodeJS.Signals | null>((resolve) =>
        child.once('close', (_, signal) => resolve(signal)),
      );
      setTimeout(() => child.kill('SIGKILL'), delay);
      if ((await closed) === 'SIGKILL') killed++;
    }
    expect(killed).toBeGreaterThan(0);
    const { code } = await pairmint(home, 'init', '--seed', file);
    expect(code).toBe(0);
    expect(statSync(path.join(home, 'store.db')).size).toBeGreaterThan(empty);
    await using kms = await Pairmint.open(storeIn(home));
    const { Keys = [] } = await kms.listKeys({});
    expect(Keys.map(({ KeyId }) => KeyId).sort()).toEqual(ids);
    for (const KeyId of ids) {
      expect((await kms.listGrants({ KeyId })).Grants).toHaveLength(1);
      expect((await kms.listAliases({ KeyId })).Aliases).toHaveLength(1);
    }
    const again = await pairmint(home, 'init', '--seed', file);
    expect({ code: again.code, stderr: again.stderr }).toEqual({ code: 0, stderr: '' });
  }, 60_000);
});
