import { readFileSync } from 'node:fs';
import * as sdk from '@aws-sdk/client-kms';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { operationShapes } from '../../lib/model/shapes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { runRemote } from './run.ts';
import {
  createCredentials,
  during,
  makeCertificate,
  startServe,
  startSilentServer,
  startStrangeServer,
  startTlsServer,
} from './servers.ts';

const describeKey = ['describe-key', '--key-id', 'alias/pairmint/default'] as const;
const environment = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'AKIAANY',
  AWS_SECRET_ACCESS_KEY: 'any',
};

it('has a command of the SDK for every operation', () => {
  const missing = Object.keys(operationShapes).filter((name) => !(`${name}Command` in sdk));
  expect(missing).toEqual([]);
});

describe('a server of pairmint', () => {
  it('answers signed requests, to the last page of a list', async () => {
    const home = temporaryFolder();
    const env = { ...environment, ...createCredentials(home) };
    const { url } = await during(startServe(home));
    const at = ['--endpoint-url', url];
    for (const _ of [1, 2, 3]) await runRemote(['create-key', ...at], env);
    const listed = await runRemote(['list-keys', '--page-size', '1', ...at], env);
    expect(listed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(listed.stdout).Keys).toHaveLength(3);
    const text = ['--output', 'text', '--query'];
    const key = ['--key-id', 'alias/pairmint/default'];
    const sealed = await runRemote(
      ['encrypt', ...key, '--plaintext', 'aGVsbG8=', ...text, 'CiphertextBlob', ...at],
      env,
    );
    const opened = await runRemote(
      ['decrypt', '--ciphertext-blob', sealed.stdout.trim(), ...text, 'Plaintext', ...at],
      env,
    );
    expect(opened).toMatchObject({ exitCode: 0, stdout: 'aGVsbG8=\n', stderr: '' });
    const forged = await runRemote([...describeKey, ...at], environment);
    expect(forged.exitCode).toBe(254);
    expect(forged.stderr).toContain('An error occurred (UnrecognizedClientException)');
  });
});

describe('a request', () => {
  it('keeps the path of the endpoint URL', async () => {
    const { url, seen } = await during(startStrangeServer());
    await runRemote([...describeKey, '--endpoint-url', `${url}/sub/path`], environment);
    expect(seen[0]?.path).toBe('/sub/path');
  });

  it('is signed for its region, unless signing is off', async () => {
    const { url, seen } = await during(startStrangeServer());
    const args = [...describeKey, '--endpoint-url', url, '--region', 'mars-1'];
    await runRemote(args, environment);
    await runRemote([...args, '--no-sign-request'], environment);
    expect(seen[0]?.headers.authorization).toContain('/mars-1/kms/aws4_request');
    expect(seen[1]?.headers).not.toHaveProperty('authorization');
    expect(seen[1]?.headers).not.toHaveProperty('x-amz-date');
  });

  it('is made three times if the service fails, or as often as the settings say', async () => {
    const { url, seen } = await during(startStrangeServer());
    const args = [...describeKey, '--endpoint-url', `${url}/internal`];
    const thrice = await runRemote(args, environment);
    expect({ stderr: thrice.stderr, requests: seen.length }).toEqual({
      stderr:
        '\nAn error occurred (KMSInternalException) when calling the DescribeKey operation ' +
        '(reached max retries: 2): boom\n',
      requests: 3,
    });
    await runRemote(args, { ...environment, AWS_MAX_ATTEMPTS: '2' });
    expect(seen).toHaveLength(5);
  });

  it('tells the failure of its last try', async () => {
    const { url } = await during(startStrangeServer());
    const args = [...describeKey, '--endpoint-url', `${url}/internal-once`];
    const { exitCode, stderr } = await runRemote(args, environment);
    expect(exitCode).toBe(255);
    expect(stderr).toContain('Connection was closed before we received a valid response');
  });

  it('is made if the time to connect is beyond that of a timer', async () => {
    const { url } = await during(startStrangeServer());
    const args = [...describeKey, '--endpoint-url', `${url}/object`];
    // Node.js warns of a time that it takes for no time at all.
    const warned = vi.fn();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const outcome = await runRemote([...args, '--cli-connect-timeout', '3000000'], environment);
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(warned).not.toHaveBeenCalled();
  });

  it('is logged without a password of its URL', async () => {
    const { url } = await during(startStrangeServer());
    const at = `${url.replace('//', '//user:secret@')}/object`;
    const args = [...describeKey, '--endpoint-url', at, '--debug'];
    const { stderr } = await runRemote(args, environment);
    expect(stderr).toContain(`Sending http request: POST ${url.replace('//', '//***@')}/object`);
    expect(stderr).not.toMatch(/user:|secret/);
  });

  it('is logged without its signature', async () => {
    const { url } = await during(startStrangeServer());
    const args = [...describeKey, '--endpoint-url', `${url}/object`, '--debug'];
    const env = { ...environment, AWS_SESSION_TOKEN: 'the token' };
    const { stderr } = await runRemote(args, env);
    expect(stderr).toContain(`Sending http request: POST ${url}/object`);
    expect(stderr).toMatch(/Response status 200 after \d+ ms/);
    expect(stderr).not.toMatch(/Signature=|the token|Credential=/);
  });

  it('waits no longer than the timeout', async () => {
    const { url } = await during(startSilentServer());
    const args = [...describeKey, '--endpoint-url', url, '--cli-read-timeout', '1'];
    const { exitCode, stderr } = await runRemote(args, { ...environment, AWS_MAX_ATTEMPTS: '1' });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 255,
      stderr: `\nRead timeout on endpoint URL: "${url}/"\n`,
    });
  });
});

describe('a certificate', () => {
  it('is verified, against those of --ca-bundle, unless verification is off', async () => {
    const { cert, key } = makeCertificate(temporaryFolder());
    const files = { cert: readFileSync(cert), key: readFileSync(key) };
    const { url } = await during(startTlsServer(files));
    const args = ['list-keys', '--endpoint-url', url];
    const refused = await runRemote(args, environment);
    expect(refused.exitCode).toBe(255);
    expect(refused.stderr).toContain(
      `\nSSL validation failed for ${url}/ [SSL: CERTIFICATE_VERIFY_FAILED] `,
    );
    for (const [more, env] of [
      [['--ca-bundle', cert], {}],
      [['--ca-bundle', cert, '--endpoint-url', url.replace('https', 'HTTPS')], {}],
      [['--no-verify-ssl'], {}],
      [[], { AWS_CA_BUNDLE: cert }],
    ] as const) {
      const trusted = await runRemote([...args, ...more], { ...environment, ...env });
      expect(trusted).toMatchObject({ exitCode: 0, stderr: '' });
    }
  });
});
