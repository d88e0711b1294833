import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run, runWithout } from './run.ts';

describe('init', () => {
  it('passes on the region and account of a new store', async () => {
    const { exitCode, stdout, opened } = await run([
      'init',
      '--store',
      'sqlite:x',
      '--root-key-file',
      'k',
      '--region',
      'us-east-1',
      '--account-id',
      '000000000000',
    ]);
    expect(exitCode).toBe(0);
    expect(opened[0]).toMatchObject({
      store: 'sqlite:x',
      rootKey: { file: 'k' },
      region: 'us-east-1',
      accountId: '000000000000',
    });
    expect(JSON.parse(stdout)).toEqual({
      Store: 'memory:',
      Region: 'us-east-1',
      AccountId: '000000000000',
    });
  });

  it('says so when the store was there before and has another region', async () => {
    const { exitCode, stdout, stderr } = await run(['init', '--region', 'eu-west-1']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).Region).toBe('us-east-1');
    expect(stderr).toBe('pairmint: the store was there before and keeps us-east-1\n');
  });

  it.each([[['x']], [['--bogus', 'x']], [['--key-id', 'x']]])('knows no %j', async (args) => {
    const { exitCode, stderr, opened } = await run(['init', ...args]);
    expect({ exitCode, opened }).toEqual({ exitCode: 252, opened: [] });
    expect(stderr).toBe(`\n<usage>\n\nUnknown options: ${args.join(', ')}\n\n`);
  });
});

describe('arguments that are wrong', () => {
  const root = 'arn:aws:iam::000000000000:root';
  const alice = 'arn:aws:iam::000000000000:user/alice';
  const create = ['credentials', 'create', '--principal'];
  const naming = ['--key-id', 'alias/pairmint/default', '--key-pair-spec'];

  it.each([
    [[...create, 'nobody'], 253, "'nobody' is not the ARN of a caller"],
    [[...create, root, '--identity-policy', '/dev/null'], 253, 'identity policies do not bind'],
    [[...create, alice, '--identity-policy', '/dev/null'], 253, 'cannot be used'],
    [['pool', 'create', ...naming, 'BOGUS', '--target', '1'], 254, "'BOGUS' at 'keyPairSpec'"],
    [['pool', 'drain', ...naming, 'BOGUS'], 254, "'BOGUS' at 'keyPairSpec'"],
    [['pregenerate', ...naming, 'BOGUS', '--count', '1'], 254, "'BOGUS' at 'keyPairSpec'"],
  ] as const)('open no store: %j', async (args, code, text) => {
    const { exitCode, stderr, opened } = await run(args);
    expect({ exitCode, opened }).toEqual({ exitCode: code, opened: [] });
    expect(stderr).toContain(text);
  });
});

describe('the automatic prompt', () => {
  it.each(['on', 'on-partial'])('is not for our own commands if it is %s', async (mode) => {
    const { exitCode } = await run(['init'], undefined, { AWS_CLI_AUTO_PROMPT: mode });
    expect(exitCode).toBe(0);
  });

  it('is an option that they refuse', async () => {
    const { exitCode, stderr } = await run(['init', '--cli-auto-prompt']);
    expect(exitCode).toBe(252);
    expect(stderr).toContain('Unknown options: --cli-auto-prompt\n');
  });
});

describe('doctor', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'pairmint-doctor-'));
    vi.stubEnv('PAIRMINT_HOME', home);
    vi.stubEnv('PAIRMINT_STORE', undefined);
    vi.stubEnv('PAIRMINT_ROOT_KEY_FILE', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  function makeStore({ rootKeyMode }: { rootKeyMode: number }): void {
    writeFileSync(path.join(home, 'store.db'), 'x', { mode: 0o600 });
    writeFileSync(path.join(home, 'root.key'), '');
    chmodSync(path.join(home, 'root.key'), rootKeyMode);
  }

  it('tells what runs here and makes no store', async () => {
    const { exitCode, stdout, opened } = await run(['doctor']);
    expect(exitCode).toBe(0);
    for (const text of ['Node.js', process.versions.node, 'RSA kernel', 'a CPU', '3.0.0']) {
      expect(stdout).toContain(text);
    }
    expect(stdout).toContain('none yet at');
    expect(opened).toEqual([{ store: 'memory:', onNotice: expect.any(Function) }]);
  });

  it('takes an empty file for no store, as store check does', async () => {
    const file = path.join(home, 'store.db');
    writeFileSync(file, '');
    const { stdout, opened } = await run(['doctor']);
    expect(stdout).toContain('none yet at');
    expect(opened).toEqual([{ store: 'memory:', onNotice: expect.any(Function) }]);
    const checked = await run(['store', 'check']);
    expect([checked.exitCode, checked.opened]).toEqual([252, []]);
    expect(checked.stderr).toContain(`there is no store at sqlite:${file}`);
  });

  it('looks at the store and its root key', async () => {
    makeStore({ rootKeyMode: 0o600 });
    const { exitCode, stdout } = await run(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('mode 0600');
    expect(stdout).not.toContain('BROKEN');
  });

  it('exits 1 for a root key that others can read', async () => {
    makeStore({ rootKeyMode: 0o644 });
    const { exitCode, stdout } = await run(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('BROKEN');
    expect(stdout).toContain('chmod 600');
  });

  it('exits 1 for an addon that cannot be loaded', async () => {
    const failure = Object.assign(new Error('there is no native addon'), {
      name: 'ConfigurationError',
      hint: 'npm rebuild pairmint',
    });
    const { exitCode, stdout } = await runWithout(['doctor'], failure);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('BROKEN: there is no native addon');
    expect(stdout).toContain('- npm rebuild pairmint');
  });

  it('advises to close a store file that others can look into', async () => {
    makeStore({ rootKeyMode: 0o600 });
    chmodSync(path.join(home, 'store.db'), 0o644);
    const { exitCode, stdout } = await run(['doctor']);
    expect(exitCode).toBe(0);
    // Long lines are broken.
    expect(stdout.replace(/\s+/g, ' ')).toContain(`chmod 600 ${path.join(home, 'store.db')}`);
  });
});

it('refuses a store if a command has no use for one', async () => {
  const { exitCode, stdout, stderr } = await run(['completion', 'bash', '--store', 'memory:']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 252, stdout: '' });
  expect(stderr).toContain('Unknown options: --store');
});
