import { execFile, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const run = promisify(execFile);

let home: string;
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'pairmint-cli-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function environment(): NodeJS.ProcessEnv {
  const { PAIRMINT_STORE: _, PAIRMINT_ROOT_KEY_FILE: __, ...rest } = process.env;
  return { ...rest, PAIRMINT_HOME: home };
}

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function pairmint(...args: string[]): Promise<Result> {
  const child = spawn(process.execPath, [bin, ...args], { env: environment() });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, stdout, stderr };
}

const pairCommand = 'generate-data-key-pair-without-plaintext';
const defaultKey = ['--key-id', 'alias/pairmint/default'] as const;

it('is an executable file', () => {
  expect(statSync(bin).mode & 0o777).toBe(0o755);
});

describe('the main job', () => {
  it('makes a store, says where on stderr, and prints the pair on stdout', async () => {
    const minted = await pairmint(pairCommand, ...defaultKey, '--key-pair-spec', 'ECC_NIST_P256');
    expect(minted.code).toBe(0);
    expect(minted.stderr).toMatch(/^pairmint: made a new store at sqlite:.*\n$/);
    expect(Object.keys(JSON.parse(minted.stdout))).toEqual([
      'PrivateKeyCiphertextBlob',
      'PublicKey',
      'KeyId',
      'KeyPairSpec',
      'KeyMaterialId',
    ]);
    const again = await pairmint('kms', pairCommand, ...defaultKey, '--key-pair-spec', 'SM2');
    expect({ code: again.code, stderr: again.stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('seals a private key that decrypt opens with the same context only', async () => {
    const context = ['--encryption-context', 'app=billing'];
    const spec = ['--key-pair-spec', 'ECC_NIST_P256'];
    const { stdout } = await pairmint('generate-data-key-pair', ...defaultKey, ...spec, ...context);
    const pair = JSON.parse(stdout) as Record<string, string>;
    const file = path.join(home, 'sealed');
    writeFileSync(file, Buffer.from(pair.PrivateKeyCiphertextBlob ?? '', 'base64'));

    const opened = await pairmint('decrypt', '--ciphertext-blob', `fileb://${file}`, ...context);
    expect(JSON.parse(opened.stdout)).toMatchObject({ Plaintext: pair.PrivateKeyPlaintext });
    const refused = await pairmint('decrypt', '--ciphertext-blob', `fileb://${file}`);
    expect(refused).toEqual({
      code: 254,
      stdout: '',
      stderr:
        '\nAn error occurred (InvalidCiphertextException) when calling the Decrypt operation: \n',
    });
  });
});

describe('a refusal', () => {
  it('of the service exits 254', async () => {
    const { code, stdout, stderr } = await pairmint('describe-key', '--key-id', 'alias/none');
    expect({ code, stdout }).toEqual({ code: 254, stdout: '' });
    expect(stderr).toContain(
      '\nAn error occurred (NotFoundException) when calling the DescribeKey operation: ',
    );
  });

  it('of a store exits 253 without a stack trace', async () => {
    const { code, stderr } = await pairmint('list-keys', '--store', 'nonsense');
    expect(code).toBe(253);
    expect(stderr).toMatch(/^pairmint: /);
    expect(stderr).not.toContain('    at ');
  });

  it('of the command makes no store', async () => {
    const { code } = await pairmint('list-keys', '--bogus');
    expect(code).toBe(252);
    expect(existsSync(path.join(home, 'store.db'))).toBe(false);
  });
});

it('makes a store with init, once', async () => {
  const first = await pairmint('init', '--region', 'eu-west-1', '--account-id', '111122223333');
  expect(first.code).toBe(0);
  expect(JSON.parse(first.stdout)).toMatchObject({
    Region: 'eu-west-1',
    AccountId: '111122223333',
  });
  const second = await pairmint('init');
  expect({ ...second, stdout: JSON.parse(second.stdout) }).toEqual({
    code: 0,
    stdout: JSON.parse(first.stdout),
    stderr: '',
  });
});

it('shows with doctor what runs here', async () => {
  const { code, stdout, stderr } = await pairmint('doctor');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('native addon');
  expect(existsSync(path.join(home, 'store.db'))).toBe(false);
});

it('says nothing when the reader of its output goes away', async () => {
  const { code, stderr } = await new Promise<Result>((resolve) => {
    const child = spawn(process.execPath, [bin, 'help'], { env: environment() });
    child.stdout.destroy();
    const stderr = text(child.stderr);
    child.once('close', async (code) => resolve({ code, stdout: '', stderr: await stderr }));
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

it.runIf(existsSync('/dev/full'))('fails when its output cannot be written', async () => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [bin, 'help'], { stdio: ['ignore', full, 'pipe'] });
  const closed = new Promise((resolve) => child.once('close', resolve));
  expect(await text(child.stderr as NonNullable<typeof child.stderr>)).toMatch(
    /^pairmint: cannot write the output: ENOSPC/,
  );
  expect(await closed).toBe(255);
  closeSync(full);
});

it('exits 130 on Ctrl-C', async () => {
  // Spends seconds on RSA keys, so that the signal arrives during an operation.
  const rsa = ['--key-pair-spec', 'RSA_4096'];
  const child = spawn(process.execPath, [bin, pairCommand, ...defaultKey, ...rsa], {
    env: environment(),
  });
  const closed = new Promise((resolve) => child.once('close', (...ended) => resolve(ended)));
  // The notice about the new store tells that the operation is on its way.
  child.stderr.once('data', () => child.kill('SIGINT'));
  expect(await closed).toEqual([130, null]);
});

it('loads nothing native for --version and help', async () => {
  const preload =
    'data:text/javascript,process.on("exit",()=>{' +
    'if(process.report.getReport().sharedObjects.some((f)=>f.endsWith(".node")))process.exitCode=7})';
  for (const argument of ['--version', 'help']) {
    const { stderr } = await run(process.execPath, ['--import', preload, bin, argument], {
      env: environment(),
    });
    expect(stderr).toBe('');
  }
});
