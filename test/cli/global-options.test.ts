import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { globalOptions } from '../../lib/cli/arguments/global-options.ts';
import { temporaryFolder } from '../support/folders.ts';
import { run } from './run.ts';

const describeKey = ['describe-key', '--key-id', 'k'] as const;
const answer = async () => ({ KeyMetadata: { KeyId: 'k', Arn: 'arn' } });

/** An environment with AWS's configuration file. */
function configured(text: string, env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const file = path.join(temporaryFolder(), 'config');
  writeFileSync(file, text);
  return { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: '/dev/null', ...env };
}

it('has the options of the AWS CLI in the order of its synopsis', () => {
  expect(globalOptions.map(({ name }) => name)).toEqual([
    '--debug',
    '--endpoint-url',
    '--no-verify-ssl',
    '--no-paginate',
    '--output',
    '--query',
    '--profile',
    '--region',
    '--version',
    '--color',
    '--no-sign-request',
    '--ca-bundle',
    '--cli-read-timeout',
    '--cli-connect-timeout',
    '--cli-binary-format',
    '--no-cli-pager',
    '--cli-auto-prompt',
    '--no-cli-auto-prompt',
  ]);
});

describe('a global option', () => {
  it.each([
    [['--output', 'text', ...describeKey]],
    [[...describeKey, '--output', 'text']],
    [['kms', '--output=text', ...describeKey]],
    [['--output', 'json', ...describeKey, '--outp', 'text']],
  ])('may stand anywhere, and the later of two wins: %j', async (args) => {
    const { stdout } = await run(args, answer);
    expect(stdout).toBe('KEYMETADATA\tarn\tk\n');
  });

  it.each([
    ['--output', 'x', 'json                                     | text'],
    ['--color', 'purple', 'on                                       | off'],
    ['--cli-binary-format', 'x', 'base64                                   | raw-in-base64-out'],
  ])('is one of its choices: %s', async (name, value, choices) => {
    const { exitCode, stderr } = await run([...describeKey, name, value]);
    expect(exitCode).toBe(252);
    expect(stderr).toContain(`argument ${name}: Invalid choice, valid choices are:\n\n${choices}`);
  });

  it('is never taken for one of our own', async () => {
    const { exitCode, stderr } = await run([...describeKey, '--stor', 'memory:']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 252,
      stderr: '\n<usage>\n\nUnknown options: --stor, memory:\n\n',
    });
  });
});

describe('--region', () => {
  it('is where the request to the store is made', async () => {
    const { opened } = await run([...describeKey, '--region', 'eu-west-1'], answer);
    expect(opened).toEqual([expect.objectContaining({ region: 'eu-west-1' })]);
  });

  it('is of a form', async () => {
    const { exitCode, stderr } = await run([...describeKey, '--region', 'bad region']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 255,
      stderr: "\nProvided region_name 'bad region' doesn't match a supported format.\n",
    });
  });

  it('is the store’s own if the environment names one for AWS', async () => {
    const env = configured('[default]\nregion = eu-west-1\n', {
      AWS_REGION: 'eu-west-2',
      AWS_DEFAULT_REGION: 'eu-west-3',
    });
    const { opened } = await run(describeKey, answer, env);
    expect(opened[0]).not.toHaveProperty('region');
  });
});

describe('--profile', () => {
  const text = '[profile a]\nregion = eu-west-1\noutput = text\n';

  it('brings its region and output', async () => {
    const args = [...describeKey, '--profile', 'a'];
    const { opened, stdout } = await run(args, answer, configured(text));
    expect(opened[0]).toMatchObject({ region: 'eu-west-1' });
    expect(stdout).toBe('KEYMETADATA\tarn\tk\n');
  });

  it('has to be there', async () => {
    const args = [...describeKey, '--profile', 'nope'];
    const { exitCode, stderr, opened } = await run(args, answer, configured(text));
    expect({ exitCode, stderr, opened }).toEqual({
      exitCode: 255,
      stderr: '\nThe config profile (nope) could not be found\n',
      opened: [],
    });
  });

  it('need not exist if the environment names it', async () => {
    const env = configured(text, { AWS_PROFILE: 'nope' });
    expect((await run(describeKey, answer, env)).exitCode).toBe(0);
  });
});

describe('the output format', () => {
  const text = '[profile a]\noutput = yaml\n';

  it.each([
    [{ AWS_PROFILE: 'a' }, [], 'KeyMetadata:\n'],
    [{ AWS_PROFILE: 'a', AWS_DEFAULT_OUTPUT: 'text' }, [], 'KEYMETADATA\t'],
    [{ AWS_DEFAULT_OUTPUT: 'text' }, ['--output', 'json'], '{\n'],
  ])('is the first that is set: %j %j', async (env, args, beginning) => {
    const { stdout } = await run([...describeKey, ...args], answer, configured(text, env));
    expect(stdout.startsWith(beginning)).toBe(true);
  });

  it('may be none', async () => {
    const { exitCode, stdout, calls } = await run([...describeKey, '--output', 'off'], answer);
    expect({ exitCode, stdout, calls: calls.length }).toEqual({
      exitCode: 0,
      stdout: '',
      calls: 1,
    });
  });

  it('of the environment has to be one', async () => {
    const { exitCode, stderr } = await run(
      describeKey,
      answer,
      configured('', { AWS_DEFAULT_OUTPUT: 'x' }),
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 255, stderr: '\nUnknown output type: x\n' });
  });
});

describe('--cli-binary-format', () => {
  const decrypt = ['decrypt', '--ciphertext-blob', 'AQID'] as const;
  const raw = { request: { CiphertextBlob: Uint8Array.from(Buffer.from('AQID')) } };
  const decoded = { request: { CiphertextBlob: Uint8Array.of(1, 2, 3) } };

  it('takes a blob as base64, or as it is written', async () => {
    expect((await run(decrypt)).calls[0]).toMatchObject(decoded);
    const args = [...decrypt, '--cli-binary-format', 'raw-in-base64-out'];
    expect((await run(args)).calls[0]).toMatchObject(raw);
  });

  it('may be said by a profile', async () => {
    const env = configured('[default]\ncli_binary_format = raw-in-base64-out\n');
    expect((await run(decrypt, undefined, env)).calls[0]).toMatchObject(raw);
  });
});

describe('--debug', () => {
  it('logs the arguments and the request, without plaintext', async () => {
    const secrets = [
      ['encrypt', '--key-id', 'k', '--plaintext', 'c2VjcmV0'],
      ['encrypt', '--key-id', 'k', '--plaint=c2VjcmV0'],
      [
        ...['encrypt', '--key-id', 'k', '--cli-binary-format', 'raw-in-base64-out'],
        ...['--plaintext', '-----BEGIN c2VjcmV0 KEY-----'],
      ],
      [
        ...['encrypt', '--key-id', 'k', '--cli-binary-format', 'raw-in-base64-out'],
        ...['--plaintext', '--x=c2VjcmV0 y'],
      ],
      ['encrypt', '--cli-input-json', '{"KeyId":"k","Plaintext":"c2VjcmV0"}'],
    ];
    for (const args of secrets) {
      const { exitCode, stderr } = await run([...args, '--debug'], async () => ({ KeyId: 'k' }));
      expect(exitCode).toBe(0);
      expect(stderr).toMatch(
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - MainThread - pairmint\.main - DEBUG - CLI version: /,
      );
      expect(stderr).toContain("Arguments entered to CLI: ['encrypt', ");
      expect(stderr).toContain('Encrypt with params: {"KeyId":"k","Plaintext":"***"}');
      expect(stderr).not.toContain('c2VjcmV0');
    }
  });

  it.each(['--store', '--store='])('logs no password of a store named by %s', async (option) => {
    const url = 'postgres://app:c2Vj/cmV0@db.example/keys';
    const named = option === '--store' ? [option, url] : [`${option}${url}`];
    const { stderr } = await run(['describe-key', '--key-id', 'k', '--debug', ...named]);
    expect(stderr).toContain('postgres://***@db.example/keys');
    expect(stderr).not.toMatch(/c2Vj|cmV0/);
  });
});

describe('--generate-cli-skeleton output', () => {
  it('is printed as an answer is', async () => {
    const pair = ['generate-data-key-pair-without-plaintext', '--key-pair-spec', 'SM2'];
    const args = [...pair, '--key-id', 'k', '--generate-cli-skeleton', 'output'];
    const { stdout, calls } = await run([...args, '--query', 'KeyPairSpec', '--output', 'text']);
    expect({ stdout, calls }).toEqual({ stdout: 'RSA_2048\n', calls: [] });
  });

  it('wants a request that is complete', async () => {
    const { exitCode, stderr } = await run(['describe-key', '--generate-cli-skeleton', 'output']);
    expect(exitCode).toBe(252);
    expect(stderr).toContain('the following arguments are required: --key-id');
  });
});

describe('an endpoint URL', () => {
  it.each([
    [
      { AWS_ENDPOINT_URL: 'http://127.0.0.1:1/a', AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1/b' },
      'b',
    ],
    [{ AWS_ENDPOINT_URL: 'http://127.0.0.1:1/a', AWS_PROFILE: 'a' }, 'a'],
    [{ AWS_PROFILE: 'a' }, 'services'],
    [{}, 'profile'],
  ])('comes from the first source that names it: %j', async (env, expected) => {
    const text = `[default]
endpoint_url = http://127.0.0.1:1/profile
[profile a]
services = local
endpoint_url = http://127.0.0.1:1/profile
[services local]
kms =
  endpoint_url = http://127.0.0.1:1/services
`;
    const rest = { AWS_REGION: 'r-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    const { stderr } = await run(describeKey, answer, configured(text, { ...rest, ...env }));
    expect(stderr).toBe(
      `\nCould not connect to the endpoint URL: "http://127.0.0.1:1/${expected}"\n`,
    );
  });

  it('of the environment may be ignored', async () => {
    const env = { AWS_ENDPOINT_URL: 'http://x', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' };
    expect((await run(describeKey, answer, configured('', env))).exitCode).toBe(0);
  });

  it('gives way to a store on the command line, unless it is there, too', async () => {
    const env = configured('', { AWS_ENDPOINT_URL: 'http://x' });
    const args = [...describeKey, '--store', 'memory:'];
    expect((await run(args, answer, env)).exitCode).toBe(0);
    const { exitCode, stderr } = await run([...args, '--endpoint-url', 'http://x'], answer, env);
    expect(exitCode).toBe(252);
    expect(stderr).toContain('argument --store: not allowed with argument --endpoint-url');
  });
});
