import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const principal = 'arn:aws:iam::000000000000:user/alice';

let home: string;
beforeEach(() => {
  home = temporaryFolder();
});

function pairmint(...args: string[]) {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, PAIRMINT_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    written.stdout += data;
  });
  child.stderr.on('data', (data) => {
    written.stderr += data;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, ...written }));
  return { child, written, ended };
}

async function serve(...args: string[]) {
  const process = pairmint('serve', '--port', '0', ...args);
  onTestFinished(() => {
    process.child.kill('SIGKILL');
  });
  for (;;) {
    const [, url] = /^pairmint listening on (\S+)\n/m.exec(process.written.stdout) ?? [];
    if (url !== undefined) return { ...process, url };
    await Promise.race([once(process.child.stdout, 'data'), process.ended.then(fail)]);
  }
}

function fail({ stderr }: { stderr: string }): never {
  throw new Error(stderr);
}

describe('pairmint serve', () => {
  it('serves the access keys of the store until it is told to end', async () => {
    const created = await pairmint('credentials', 'create', '--principal', principal).ended;
    expect(created.code).toBe(0);
    const { AccessKeyId, SecretAccessKey } = JSON.parse(created.stdout);
    const { child, url, ended } = await serve();
    const client = new KMSClient({
      endpoint: url,
      region: 'us-east-1',
      credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey },
    });
    const { Keys } = await client.send(new ListKeysCommand({}));
    expect(Keys).toEqual([]);
    expect((await pairmint('credentials', 'delete', AccessKeyId).ended).code).toBe(0);
    await expect(client.send(new ListKeysCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stdout: `pairmint listening on ${url}\n` });
  });

  it('serves another region than that of its store', async () => {
    const { url, child, ended } = await serve('--no-auth', '--region', 'eu-west-1');
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'TrentService.CreateKey',
      },
      body: '{}',
    });
    expect(await response.text()).toContain('arn:aws:kms:eu-west-1:');
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('takes another certificate when it is told to, if it can be used', async () => {
    const [cert, key] = [`${home}/cert.pem`, `${home}/key.pem`];
    const makeCertificate = (name: string) => {
      const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      const rest = ['-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`];
      execFileSync('openssl', ['req', ...kind, ...rest], { stdio: 'pipe' });
    };
    makeCertificate('one');
    const { url, child, written, ended } = await serve('--tls-cert', cert, '--tls-key', key);
    const nameOf = async () => {
      const socket = tls.connect({ port: Number(new URL(url).port), rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    expect(await nameOf()).toBe('one');
    makeCertificate('two');
    child.kill('SIGHUP');
    await expect.poll(nameOf, { timeout: 10_000 }).toBe('two');
    const good = readFileSync(cert);
    writeFileSync(cert, 'no certificate');
    child.kill('SIGHUP');
    await expect
      .poll(() => written.stderr, { timeout: 10_000 })
      .toMatch(/the certificate is not changed/);
    expect(await nameOf()).toBe('two');
    writeFileSync(cert, good);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it.each([
    [['--port', 'x'], 252, "Error parsing parameter '--port': 'x' is not a port"],
    [['--port', '65536'], 252, "Error parsing parameter '--port': '65536' is not a port"],
    [['--tls-cert', 'x'], 252, '--tls-cert and --tls-key go together'],
    [['--tls-cert', 'x', '--tls-key', 'x'], 252, "Error parsing parameter '--tls-cert': ENOENT"],
    [['--no-auth=x'], 252, 'argument --no-auth: ignored explicit argument'],
    [['--no-auth', '--host', '0.0.0.0'], 253, 'without authentication everyone could use keys'],
    [['--host', '192.0.2.1', '--port', '0'], 253, 'cannot listen on 192.0.2.1, port 0: '],
    [['x'], 252, 'Unknown options: x'],
  ])('%j is refused', async (args, code, text) => {
    const outcome = await pairmint('serve', ...args).ended;
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toContain(text);
  });
});

describe('pairmint credentials', () => {
  it('makes sessions, lists without secrets, deletes', async () => {
    const policy = `${home}/policy.json`;
    const text = '{"Statement":{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}}';
    writeFileSync(policy, text);
    const options = ['--identity-policy', policy, '--duration-seconds', '900'];
    const created = await pairmint('credentials', 'create', '--principal', principal, ...options)
      .ended;
    const made = JSON.parse(created.stdout);
    expect(Object.keys(made)).toEqual([
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
    ]);
    const listed = await pairmint('credentials', 'list').ended;
    expect(JSON.parse(listed.stdout)).toEqual({
      Credentials: [
        {
          AccessKeyId: made.AccessKeyId,
          Principal: principal,
          CreateDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          Expiration: made.Expiration,
          IdentityPolicy: text,
        },
      ],
    });
    const deleted = await pairmint('credentials', 'delete', made.AccessKeyId).ended;
    expect(deleted).toEqual({ code: 0, stdout: '', stderr: '' });
    const again = await pairmint('credentials', 'delete', made.AccessKeyId).ended;
    expect(again).toMatchObject({ code: 255, stdout: '' });
    expect(again.stderr).toContain(`there is no access key ${made.AccessKeyId}`);
  });

  it.each([
    [[], 252, 'the following arguments are required: create|list|delete'],
    [['create'], 252, 'the following arguments are required: --principal'],
    [['delete'], 252, 'the following arguments are required: ACCESS_KEY_ID'],
    [['crate'], 252, 'argument action: Invalid choice, valid choices are'],
    [['list', 'a', 'b'], 252, 'Unknown options: b'],
    [['list', '--nonsense'], 252, 'Unknown options: --nonsense'],
    [['create', '--principal', 'alice'], 253, "'alice' is not the ARN of a caller"],
    [
      ['create', '--principal', principal, '--duration-seconds', '0'],
      252,
      "Error parsing parameter '--duration-seconds': '0' is not a number of seconds",
    ],
    [
      ['create', '--principal', principal, '--identity-policy', '/nonsense'],
      252,
      "Error parsing parameter '--identity-policy': ENOENT",
    ],
  ])('%j is refused', async (args, code, text) => {
    const outcome = await pairmint('credentials', ...args).ended;
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toContain(text);
  });
});
