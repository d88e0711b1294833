import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';
import { configured } from './configured.ts';
import { run, runRemote } from './run.ts';
import { during, startStrangeServer } from './servers.ts';

// What AWS CLI 2.9.19 does with the same settings; `services` as 2.13 and later have it.

const describeKey = ['describe-key', '--key-id', 'k'];
const answer = async () => ({ KeyMetadata: { CreationDate: new Date(1571767572317) } });

describe('cli_timestamp_format', () => {
  it.each([
    ['wire', 1571767572.317],
    ['iso8601', '2019-10-22T18:06:12.317000+00:00'],
  ])('%s holds for the local store, too', async (format, printed) => {
    const env = configured(`[default]\ncli_timestamp_format = ${format}\n`);
    const { stdout } = await run(describeKey, answer, env);
    expect(JSON.parse(stdout).KeyMetadata.CreationDate).toBe(printed);
  });

  it.each(['none', 'ISO8601', ''])(
    '%j is refused before anything else is looked at',
    async (name) => {
      const env = configured(`[default]\ncli_timestamp_format = ${name}\n`);
      const { exitCode, stderr, opened } = await run(['describe-key'], answer, env);
      expect({ exitCode, opened }).toEqual({ exitCode: 253, opened: [] });
      expect(stderr).toContain(
        `Unknown cli_timestamp_format value: ${name}, valid values are "wire" or "iso8601"`,
      );
    },
  );
});

describe('parameter_validation', () => {
  const unchecked: readonly [string[], object][] = [
    [['describe-key', '--key-id', ''], { KeyId: '' }],
    [['describe-key', '--cli-input-json', '{}'], {}],
    [['list-keys', '--page-size', '0'], { Limit: 0 }],
    [
      ['schedule-key-deletion', '--cli-input-json', '{"PendingWindowInDays": "x"}'],
      { PendingWindowInDays: 'x' },
    ],
  ];

  it.each(['false', 'False', '0', ''])('%j leaves the checks to the service', async (value) => {
    const env = configured(`[default]\nparameter_validation = ${value}\n`);
    for (const [args, request] of unchecked) {
      const { exitCode, calls } = await run(args, undefined, env);
      expect(exitCode).toBe(0);
      expect(calls[0]?.request).toEqual(request);
    }
  });

  it.each(['true', 'True'])('%j makes them', async (value) => {
    const env = configured(`[default]\nparameter_validation = ${value}\n`);
    for (const [args] of unchecked) {
      const { exitCode, calls } = await run(args, undefined, env);
      expect({ exitCode, calls }).toEqual({ exitCode: 252, calls: [] });
    }
  });

  it('false sends what a server is to refuse', async () => {
    const { url, seen } = await during(startStrangeServer());
    const env = {
      ...configured('[default]\nparameter_validation = false\nregion = us-east-1\n'),
      AWS_ACCESS_KEY_ID: 'AKIAANY',
      AWS_SECRET_ACCESS_KEY: 'any',
    };
    const { exitCode } = await runRemote(
      ['describe-key', '--key-id', '', '--endpoint-url', `${url}/object`],
      env,
    );
    expect(exitCode).toBe(0);
    expect(seen.map(({ body }) => JSON.parse(body))).toEqual([{ KeyId: '' }]);
  });

  it('false detects an invalid time', async () => {
    const env = configured('[default]\nparameter_validation = false\n');
    const args = ['import-key-material', '--cli-input-json', '{"ValidTo": "never"}'];
    const { exitCode, stderr } = await run(args, undefined, env);
    expect(exitCode).toBe(255);
    expect(stderr).toBe('\nInvalid timestamp "never": Unknown string format: never\n');
  });
});

describe('AWS_CLI_FILE_ENCODING', () => {
  async function read(bytes: Buffer, encoding: string) {
    const file = path.join(temporaryFolder(), 'text');
    writeFileSync(file, bytes);
    const before = process.env.AWS_CLI_FILE_ENCODING;
    process.env.AWS_CLI_FILE_ENCODING = encoding;
    onTestFinished(() => {
      if (before === undefined) delete process.env.AWS_CLI_FILE_ENCODING;
      else process.env.AWS_CLI_FILE_ENCODING = before;
    });
    return run(['describe-key', '--key-id', `file://${file}`]);
  }

  it.each([
    ['latin-1', 'k\xe9y', 'kéy'],
    ['ISO_8859_1', 'k\x80', 'k\x80'],
    ['cp1252', 'k\x80', 'k€'],
    ['windows-1252', 'k\x80', 'k€'],
    ['shift_jis', '\x93\xfa', '日'],
    ['utf-16', '\xff\xfek\0y\0', 'ky'],
    ['utf-16', '\xfe\xff\0k\0y', 'ky'],
    ['utf_16_le', 'k\0y\0', 'ky'],
    ['utf-8-sig', '\xef\xbb\xbfky', 'ky'],
    ['UTF-8', '\xef\xbb\xbfky', '\ufeffky'],
    ['ascii', 'ky\r\n', 'ky\n'],
  ])('%s reads %j', async (encoding, bytes, text) => {
    const { calls } = await read(Buffer.from(bytes, 'latin1'), encoding);
    expect(calls[0]?.request).toEqual({ KeyId: text });
  });

  it.each([
    ['utf-8', 'k\xe9y'],
    ['ascii', 'k\xe9y'],
    ['cp1252', 'k\x81y'],
  ])('%s refuses bytes that are not of it', async (encoding, bytes) => {
    const { exitCode, stderr } = await read(Buffer.from(bytes, 'latin1'), encoding);
    expect(exitCode).toBe(252);
    expect(stderr).toContain('text contents could not be decoded.');
  });

  it.each(['nope', ''])('%j is not an encoding', async (encoding) => {
    const { exitCode, stderr } = await read(Buffer.from('k'), encoding);
    expect(exitCode).toBe(255);
    expect(stderr).toBe(`\nunknown encoding: ${encoding}\n`);
  });
});

describe('a services section that is not there', () => {
  const configuration = '[default]\nservices = nope\nregion = us-east-1\n';
  const text =
    'The profile is configured to use the services section but the "nope" services ' +
    'configuration does not exist.';

  it('is said to be missing', async () => {
    const { exitCode, stderr, opened } = await run(describeKey, answer, configured(configuration));
    expect({ exitCode, opened }).toEqual({ exitCode: 255, opened: [] });
    expect(stderr).toBe(`\n${text}\n`);
  });

  it('may be missing if an endpoint is given, or configured endpoints are ignored', async () => {
    const { url } = await during(startStrangeServer());
    const env = {
      ...configured(configuration),
      AWS_ACCESS_KEY_ID: 'AKIAANY',
      AWS_SECRET_ACCESS_KEY: 'any',
      AWS_ENDPOINT_URL: `${url}/object`,
    };
    expect((await runRemote(describeKey, env)).exitCode).toBe(0);
    const { AWS_ENDPOINT_URL: _, ...none } = env;
    const local = { ...none, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' };
    expect((await run(describeKey, answer, local)).exitCode).toBe(0);
  });
});

describe('cli_binary_format', () => {
  const encrypt = ['encrypt', '--key-id', 'k', '--plaintext', 'aGk='];

  it.each([
    ['base64', 'hi'],
    ['raw-in-base64-out', 'aGk='],
  ])('%s of the file holds', async (format, bytes) => {
    const env = configured(`[default]\ncli_binary_format = ${format}\n`);
    const { calls } = await run(encrypt, undefined, env);
    expect(calls[0]?.request).toEqual({ KeyId: 'k', Plaintext: new TextEncoder().encode(bytes) });
  });

  it.each(['legacy', 'BASE64', ''])('%j of the file is not a format', async (format) => {
    const env = configured(`[default]\ncli_binary_format = ${format}\n`);
    const { exitCode, stderr, calls } = await run(encrypt, undefined, env);
    expect({ exitCode, calls }).toEqual({ exitCode: 255, calls: [] });
    expect(stderr).toBe(`\nUnknown binary format: ${format}\n`);
  });
});
