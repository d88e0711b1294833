import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timestampValue, WireTime } from '../../lib/cli/output/timestamps.ts';
import { configured } from './configured.ts';
import { type Outcome, runRemote } from './run.ts';

let answer = '';
let authorization: string | undefined;
const server = createServer((request, response) => {
  authorization = request.headers.authorization;
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(answer);
  });
});
let url: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => void server.close());

const environment = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'AKIAANY',
  AWS_SECRET_ACCESS_KEY: 'any',
};

function ask(args: readonly string[], body: unknown, env = {}): Promise<Outcome> {
  answer = typeof body === 'string' ? body : JSON.stringify(body);
  return runRemote([...args, '--endpoint-url', url], { ...environment, ...env });
}

const describeKey = ['describe-key', '--key-id', 'k'];
const decrypt = [
  'decrypt',
  '--ciphertext-blob',
  'AQID',
  '--query',
  'Plaintext',
  '--output',
  'text',
];

describe('an answer that cannot be read is said to be so, with exit code 255', () => {
  it.each<[string, unknown, string]>([
    ['is empty', '', 'it is empty'],
    ['is no JSON', 'hello', 'it is not JSON'],
    ['breaks off', '{"KeyMetadata":', 'it is not JSON'],
    ['is a list', [], 'it is not an object'],
    ['is null', 'null', 'it is not an object'],
    ['has a text for a structure', { KeyMetadata: 'k' }, 'KeyMetadata is not an object'],
    [
      'has an invalid date',
      { KeyMetadata: { CreationDate: 'yesterday' } },
      'KeyMetadata.CreationDate is not a time',
    ],
    [
      'has a date beyond all years',
      { KeyMetadata: { CreationDate: 1e18 } },
      'KeyMetadata.CreationDate is not a time',
    ],
    ['has a number for a text', { KeyMetadata: { KeyId: 5 } }, 'KeyMetadata.KeyId is not a text'],
    [
      'has a text for a truth value',
      { KeyMetadata: { Enabled: 'yes' } },
      'KeyMetadata.Enabled is not true or false',
    ],
    [
      'has a fraction for a whole number',
      { KeyMetadata: { PendingDeletionWindowInDays: 1.5 } },
      'KeyMetadata.PendingDeletionWindowInDays is not a whole number',
    ],
    [
      'has a text for a list',
      { KeyMetadata: { EncryptionAlgorithms: 'x' } },
      'KeyMetadata.EncryptionAlgorithms is not a list',
    ],
    [
      'has a list with a number in it',
      { KeyMetadata: { EncryptionAlgorithms: ['x', 1] } },
      'KeyMetadata.EncryptionAlgorithms[1] is not a text',
    ],
  ])('if it %s', async (_, body, reason) => {
    const { exitCode, stdout, stderr } = await ask(describeKey, body);
    expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: '' });
    expect(stderr).toBe(`\nThe answer of "${url}" cannot be read: ${reason}\n`);
  });

  it.each(['!!!!', 'abc', 'aGVs\nbG8=', 'aGVsbG9=', 5])(
    'if it has invalid base64, which may be secret: %j',
    async (Plaintext) => {
      const { exitCode, stdout, stderr } = await ask(decrypt, { KeyId: 'k', Plaintext });
      expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: '' });
      expect(stderr).toBe(`\nThe answer of "${url}" cannot be read: Plaintext is not base64\n`);
    },
  );

  it('but not if the operation has no answer, or the answer has unknown members', async () => {
    const enabled = await ask(['enable-key', '--key-id', 'k'], '');
    expect(enabled).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    const body = { Newer: [1], KeyMetadata: { KeyId: 'k', Arn: null, Newer: {} } };
    const { exitCode, stdout } = await ask(describeKey, body);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ KeyMetadata: { KeyId: 'k' } });
  });

  it('of every page of a list', async () => {
    const { exitCode, stderr } = await ask(['list-keys'], { Keys: [{ KeyId: 1 }] });
    expect(exitCode).toBe(255);
    expect(stderr).toContain('Keys[0].KeyId is not a text');
  });
});

describe('a time', () => {
  const date = ['--query', 'KeyMetadata.CreationDate', '--output'];
  const printed = async (CreationDate: unknown, { env = {}, format = 'text' } = {}) => {
    const args = [...describeKey, ...date, format];
    const { stdout, stderr } = await ask(args, { KeyMetadata: { CreationDate } }, env);
    return stdout.trimEnd() || stderr;
  };

  // As AWS CLI 2.9.19 prints them.
  it.each([
    [1571767572, '2019-10-22T18:06:12+00:00'],
    [1571767572.317, '2019-10-22T18:06:12.317000+00:00'],
    [1571767572.317123, '2019-10-22T18:06:12.317123+00:00'],
    [1571767572.3171239, '2019-10-22T18:06:12.317124+00:00'],
    [1571767572.000001, '2019-10-22T18:06:12.000001+00:00'],
    ['1571767572.5', '2019-10-22T18:06:12.500000+00:00'],
    ['2019-10-22T18:06:12.317123Z', '2019-10-22T18:06:12.317123+00:00'],
    ['2019-10-22T18:06:12Z', '2019-10-22T18:06:12+00:00'],
  ])('keeps its microseconds: %j', async (wire, text) => {
    expect(await printed(wire)).toBe(text);
  });

  it.each([
    [-120, '2019-10-22T20:06:12.317123+02:00'],
    [150, '2019-10-22T15:36:12.317123-02:30'],
    [0, '2019-10-22T18:06:12.317123+00:00'],
  ])('is that of the place: %i minutes behind', (minutes, text) => {
    const date = new WireTime(0n, 1571767572317123);
    date.getTimezoneOffset = () => minutes;
    expect(timestampValue(date, 'iso8601')).toBe(text);
  });

  describe('with cli_timestamp_format = wire', () => {
    const env = configured('[default]\ncli_timestamp_format = wire\n');
    const long = '2019-10-22T18:06:12.3171239Z';

    it.each([
      [1571767572.317123, 'json', '1571767572.317123'],
      [1571767572.317123, 'text', '1571767572.317123'],
      [1571767572.317123, 'yaml', '1571767572.317123'],
      [1571767572, 'json', '1571767572'],
      [long, 'json', `"${long}"`],
    ])('is printed as it came: %j as %s', async (wire, format, text) => {
      expect((await printed(wire, { env, format })).replace(/\n\.\.\.$/, '')).toBe(text);
    });
  });
});

it('is asked for no region if the command line names an empty one, as by the AWS CLI', async () => {
  const { exitCode } = await ask([...describeKey, '--region', ''], {});
  expect(exitCode).toBe(0);
  expect(authorization).toMatch(/Credential=AKIAANY\/\d{8}\/\/kms\/aws4_request,/);
  await ask(describeKey, {}, { AWS_REGION: 'eu-west-1' });
  expect(authorization).toContain('/eu-west-1/kms/');
});
