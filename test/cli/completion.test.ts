import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { kebabCase } from '../../lib/cli/arguments/operation-names.ts';
import { requestOptions } from '../../lib/cli/arguments/operation-options.ts';
import { complete } from '../../lib/cli/help/completion.ts';
import { operationNames } from '../../lib/cli/help/operation-descriptions.ts';
import { configured } from './configured.ts';
import { run } from './run.ts';

function following(line: string): string[] {
  return complete(line, line.length);
}

describe('completion offers', () => {
  it.each(['pairmint ', 'aws kms ', 'aws ', 'pairmint help '])(
    'every operation after %j',
    (line) => {
      expect(following(line)).toEqual(expect.arrayContaining(operationNames.map(kebabCase)));
    },
  );

  it.each(operationNames)('every option of %s', (operation) => {
    const options = requestOptions(operation).map(({ option }) => option);
    const common = ['--cli-input-json', '--generate-cli-skeleton', '--output', '--store'];
    const offered = following(`pairmint ${kebabCase(operation)} --`);
    expect(offered).toEqual(expect.arrayContaining([...options, ...common]));
  });

  it.each([
    ['pairmint generate-m', ['generate-mac']],
    ['pairmint --store memory: --output text describe-k', ['describe-key']],
    ['pairmint pre', ['pregenerate']],
    ['aws kms pre', []],
    ['pairmint generate-data-key-pair --key-pair-spec RSA', ['RSA_2048', 'RSA_3072', 'RSA_4096']],
    ['pairmint decrypt --dry-run --no-d', ['--no-dry-run']],
    ['aws --output y', ['yaml', 'yaml-stream']],
    ['aws list-keys --output y', ['yaml', 'yaml-stream']],
    ['aws list-keys --output text y', []],
    ['aws list-keys --max', ['--max-items']],
    ['aws describe-key --max', []],
    ['aws create-key --generate-cli-skeleton ', ['input', 'output', 'yaml-input']],
    ['aws create-grant --operations Decrypt Encr', ['Encrypt']],
    ['aws create-grant --operations Decrypt --grantee-p', ['--grantee-principal']],
    ['aws describe-key --key-id ', ['alias/']],
    ['aws describe-key --key-id k', []],
    ['pairmint pool c', ['create']],
    ['pairmint pool create --key-pair-spec SM', ['SM2']],
    ['pairmint credentials delete ', []],
    ['pairmint completion z', ['zsh']],
    ['pairmint serve --no', ['--no-auth']],
    ['pairmint con', ['connect-custom-key-store', 'configure']],
    ['pairmint st', ['store', 'sts']],
    ['pairmint help st', ['store', 'sts']],
    ['aws kms sts', []],
    ['aws configure ', ['list', 'get', 'set', 'help']],
    ['aws configure g', ['get']],
    ['aws configure get ', []],
    ['aws configure --profile p s', ['set']],
    ['aws configure get region --pro', ['--profile']],
    ['aws sts ', ['get-caller-identity', 'help']],
    ['aws --output text sts g', ['get-caller-identity']],
    ['aws sts --output json ', ['get-caller-identity', 'help']],
    ['aws sts get-caller-identity ', []],
    ['aws sts get-caller-identity --output y', ['yaml', 'yaml-stream']],
    ['pairmint pool --store memory: c', ['create']],
    [`aws create-key --description 'two words' --orig`, ['--origin']],
    ['aws create-key --description "two words" --mul', ['--multi-region']],
  ])('after %j: %j', (line, expected) => {
    expect(following(line)).toEqual(expected);
  });

  it.each([
    ['aws describe-key --query ', ['KeyMetadata']],
    ['aws describe-key --query KeyMetadata.KeyS', ['KeyMetadata.KeyState', 'KeyMetadata.KeySpec']],
    ['aws list-keys --query Keys[].KeyA', ['Keys[].KeyArn']],
    ['aws list-keys --query Keys[0].KeyA', ['Keys[0].KeyArn']],
    ['aws describe-key --query length(', []],
    ['aws list-keys --region eu-no', ['eu-north-1']],
    ['aws --region us-w', ['us-west-1', 'us-west-2']],
    ['aws create-key --tags Tag', ['TagKey=', 'TagValue=']],
    ['aws create-grant --constraints EncryptionContextS', ['EncryptionContextSubset=']],
    ['aws describe-key --key-id k --key', []],
    ['aws describe-key --key-id k --ou', ['--output']],
    ['aws describe-key --key-id k --output json --ou', []],
  ])('values, and nothing that is given, after %j: %j', (line, expected) => {
    expect(following(line).sort()).toEqual([...expected].sort());
  });

  it('options after a blank, but those that are given', () => {
    const first = following('aws describe-key ');
    expect(first).toEqual(
      expect.arrayContaining(['help', '--key-id', '--grant-tokens', '--output']),
    );
    const then = following('aws describe-key --key-id k ');
    expect(then).toContain('--grant-tokens');
    expect(then).not.toContain('--key-id');
    expect(then).not.toContain('help');
  });

  it('the profiles of AWS’s files', () => {
    vi.stubEnv(
      'AWS_CONFIG_FILE',
      configured('[default]\n[profile dev]\n[services x]\n').AWS_CONFIG_FILE,
    );
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', configured('[default]\n[old]\n').AWS_CONFIG_FILE);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(following('aws describe-key --profile ')).toEqual(['default', 'dev', 'old']);
    expect(following('aws --profile d')).toEqual(['default', 'dev']);
  });

  it('what fits at the cursor, whatever follows it', () => {
    expect(complete('pairmint generate-m --key-id k', 'pairmint generate-m'.length)).toEqual([
      'generate-mac',
    ]);
  });
});

it('has a script for three shells', async () => {
  const { exitCode, stderr } = await run(['completion', 'ksh']);
  expect(exitCode).toBe(252);
  expect(stderr).toContain('argument shell: Invalid choice');
  expect((await run(['completion'])).exitCode).toBe(252);
});

// The shells call a program named pairmint: the compiled one.
describe('in a real shell', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'pairmint-completion-'));
    const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
    const program = path.join(folder, 'pairmint');
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
    chmodSync(program, 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function environment(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: `${folder}:${process.env.PATH}`, HOME: folder };
  }

  function shell(name: string, args: readonly string[]): string[] {
    return execFileSync(name, args, { env: environment(), encoding: 'utf8' }).split('\n');
  }

  it.each(['pairmint', 'aws'])('bash completes %s', (word) => {
    const script = `
      shopt -s expand_aliases; alias aws=pairmint
      source <(pairmint completion bash)
      COMP_LINE='${word} kms generate-mac --mac-algorithm HMAC_SHA_2' COMP_POINT=48
      spec=$(complete -p ${word}); function=\${spec##*-F }
      \${function% *}; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const line = `${word} kms generate-mac --mac-algorithm HMAC_SHA_2`;
    const found = shell('bash', ['-c', script.replace('48', String(line.length))]);
    expect(found).toEqual(['HMAC_SHA_256', 'HMAC_SHA_224', '']);
  });

  it.skipIf(isAbsent('fish')).each(['pairmint', 'aws'])('fish completes %s', (word) => {
    const script =
      'pairmint completion fish | source; alias aws=pairmint; ' +
      `complete -C '${word} kms generate-mac --mac-algorithm HMAC_SHA_2'`;
    expect(shell('fish', ['-c', script])).toEqual(['HMAC_SHA_224', 'HMAC_SHA_256', '']);
  });

  // zsh completes nowhere but at a terminal: here it only reads the script.
  it.skipIf(isAbsent('zsh'))('zsh understands its script', () => {
    expect(shell('zsh', ['-f', '-c', 'pairmint completion zsh | zsh -n'])).toEqual(['']);
  });
});

function isAbsent(program: string): boolean {
  return spawnSync(program, ['--version']).error !== undefined;
}
