import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GeneralError } from '../../lib/cli/errors.ts';
import { promptArguments } from '../../lib/cli/help/auto-prompt.ts';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

let home: string;
beforeAll(() => {
  home = mkdtempSync(path.join(tmpdir(), 'pairmint-prompt-'));
});
afterAll(() => rmSync(home, { recursive: true }));

function environment(): NodeJS.ProcessEnv {
  const {
    PAIRMINT_ROOT_KEY_FILE: _,
    AWS_CLI_AUTO_PROMPT: __,
    FORCE_COLOR: ___,
    ...rest
  } = process.env;
  const ours = { PAIRMINT_HOME: home, PAIRMINT_STORE: 'memory:', AWS_CONFIG_FILE: '/dev/null' };
  // A pager would wait for a key.
  return { ...rest, ...ours, AWS_PAGER: '', NO_COLOR: '1' };
}

describe('without a terminal', () => {
  it('nothing is asked, as with the AWS CLI', async () => {
    const output = new PassThrough();
    const asked = promptArguments(['describe-key'], { input: new PassThrough(), output });
    await expect(asked).rejects.toThrow(GeneralError);
    output.end();
    expect(await text(output)).toBe('Warning: Input is not a terminal (fd=0).\n');
  });

  it.each([
    [['kms', '--cli-auto-prompt'], {}],
    [['describe-key'], { AWS_CLI_AUTO_PROMPT: 'on-partial' }],
    [['describe-key', '--key-id', 'k'], { AWS_CLI_AUTO_PROMPT: 'on' }],
  ])('the answer to %j with %j is the one of AWS CLI 2.9', (args, env) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
      env: { ...environment(), ...env },
      input: '',
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({
      status: 255,
      stdout: '',
      stderr: 'Warning: Input is not a terminal (fd=0).\n\n\n',
    });
  });
});

const hasScript = spawnSync('script', ['--version']).error === undefined;
if (!hasScript && process.env.CI !== undefined) {
  throw new Error('a terminal of its own needs the program script: install util-linux');
}

describe.skipIf(!hasScript)('on a terminal', () => {
  /** Answers each question when it is there, then waits for the end. */
  async function converse(
    args: string,
    answers: readonly (readonly [question: string, answer: string])[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ readonly exitCode: number; readonly screen: string }> {
    const command = `'${process.execPath}' '${bin}' ${args}`;
    const child = spawn('script', ['-qfec', command, '/dev/null'], {
      env: { ...environment(), ...env, TERM: 'xterm', COLUMNS: '200' },
    });
    let screen = '';
    let read = 0;
    const waiting = [...answers];
    child.stdout.on('data', (chunk: Buffer) => {
      screen += chunk.toString();
      // Several may come together.
      for (;;) {
        const [question = '', answer] = waiting[0] ?? [];
        const at = screen.indexOf(question, read);
        if (answer === undefined || at === -1) return;
        waiting.shift();
        read = at + question.length;
        child.stdin.write(answer);
      }
    });
    const [exitCode] = (await once(child, 'close')) as [number];
    return { exitCode, screen };
  }

  it('the operation and its options are asked for, shown and used', async () => {
    const { exitCode, screen } = await converse('--cli-auto-prompt', [
      ['Operation', 'generate-data-key-pair-wi'],
      ['❯ generate-data-key-pair-without-plaintext', '\r'],
      ['--key-id (', 'alias/pairmint/default\r'],
      ['? --key-pair-spec', 'P384'],
      ['❯ ECC_NIST_P384', '\r'],
      ['? Option', '--query'],
      ['❯ --query', '\r'],
      ['--query (', 'KeyPairSpec\r'],
      ['run the command', '\r'],
    ]);
    expect(screen).toContain(
      '> pairmint generate-data-key-pair-without-plaintext --key-id=alias/pairmint/default ' +
        '--key-pair-spec=ECC_NIST_P384 --query=KeyPairSpec\r\n',
    );
    expect(screen).toContain('\r\n"ECC_NIST_P384"\r\n');
    expect(exitCode).toBe(0);
  });

  it('asks only about a wrong command if the mode is on-partial', async () => {
    const env = { AWS_CLI_AUTO_PROMPT: 'on-partial' };
    const right = await converse('describe-key --key-id alias/pairmint/default', [], env);
    expect(right.screen).not.toContain('? ');
    expect(right.exitCode).toBe(0);
    const wrong = await converse(
      'kms describe-key',
      [
        ['--key-id (', 'alias/pairmint/default\r'],
        ['run the command', '\r'],
      ],
      env,
    );
    expect(wrong.screen).toContain(
      '> pairmint kms describe-key --key-id=alias/pairmint/default\r\n',
    );
    expect(wrong.exitCode).toBe(0);
  });

  it('Ctrl-C ends it', async () => {
    const { exitCode } = await converse('--cli-auto-prompt', [['Operation', '\x03']]);
    expect(exitCode).toBe(130);
  });
});
