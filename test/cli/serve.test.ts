import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import tls from 'node:tls';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { sampleOf } from '../http/exposition.ts';
import { answered, bytesOf, connect, exchange, lastOne, pause } from '../http/raw.ts';
import { temporaryFolder } from '../support/folders.ts';
import { logOf, metricsUrl, pairmint as run, serve as start } from '../support/pairmint-process.ts';

const principal = 'arn:aws:iam::000000000000:user/alice';

let home: string;
beforeEach(() => {
  home = temporaryFolder();
});

const pairmint = (...args: string[]) => run({ PAIRMINT_HOME: home }, ...args);
const soon = { timeout: 20_000, interval: 20 };
const serve = (...args: string[]) => start({ PAIRMINT_HOME: home }, ...args);

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

  it('lets in as many clients, and as much of unfinished requests, as it is told', async () => {
    const limits = ['--max-connections', '1', '--max-body-bytes', '5000'];
    const { url, child, ended } = await serve('--no-auth', ...limits);
    const part = bytesOf('ListKeys', {}, lastOne)
      .replace(/length: \d+/, 'length: 100000')
      .slice(0, -2);
    expect(await exchange(url, `${part}${'x'.repeat(6000)}`)).toContain('ThrottlingException');
    const held = connect(url);
    await once(held, 'connect');
    await setTimeout(200);
    expect(await exchange(url, bytesOf('ListKeys', {}, lastOne))).toBe('');
    held.destroy();
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it("keeps AWS's quotas if it is told to", async () => {
    const { url, child, ended } = await serve('--no-auth', '--quota-profile', 'aws');
    const create = () =>
      fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': 'TrentService.GetKeyLastUsage',
        },
        body: '{"KeyId":"11111111-2222-3333-4444-555555555555"}',
      });
    const answers = await Promise.all(Array.from({ length: 20 }, create));
    const throttled = await Promise.all(
      answers.map(async (answer) => (await answer.text()).includes('ThrottlingException')),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(400));
    expect(throttled.filter(Boolean).length).toBeGreaterThan(5);
    expect(throttled.filter((isThrottled) => !isThrottled).length).toBeGreaterThanOrEqual(5);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('serves its metrics only under their known names', async () => {
    const names = ['--metrics-port', '0', '--metrics-names', 'a.example,b.example'];
    const server = await serve('--no-auth', ...names);
    const metrics = await metricsUrl(server);
    const statusOf = async (host: string) =>
      answered(await exchange(metrics, `GET /metrics HTTP/1.1\r\nhost: ${host}\r\n${lastOne}\r\n`));
    expect(await statusOf('b.example')).toEqual(['200']);
    expect(await statusOf('c.example')).toEqual(['403']);
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
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
    ['SIGTERM', null],
    ['SIGINT', 130],
  ] as const)(
    'answers what is under way at %s, and ends at once at a second one',
    async (signal, code) => {
      const busy = await serve('--no-auth');
      const slow = exchange(busy.url, bytesOf('CreateKey').slice(0, -1), pause(500), '}');
      await setTimeout(200);
      busy.child.kill(signal);
      expect(answered(await slow)).toEqual(['200']);
      expect(await busy.ended).toMatchObject({ code: 0, signal: null });
      expect(logOf(busy)).toMatchObject([
        { msg: expect.stringMatching(/^made a new store at sqlite:/) },
        { msg: 'listening', url: busy.url, workers: 1 },
        { msg: 'draining', signal },
        { msg: 'request', operation: 'CreateKey' },
        { msg: 'stopped' },
      ]);
      const stuck = await serve('--no-auth');
      const never = exchange(stuck.url, bytesOf('ListKeys').slice(0, -1));
      await setTimeout(200);
      stuck.child.kill(signal);
      await vi.waitFor(() => expect(logOf(stuck).at(-1)).toMatchObject({ msg: 'draining' }), soon);
      stuck.child.kill(signal);
      expect(await stuck.ended).toMatchObject(code === null ? { signal } : { code });
      expect(await never).toBe('');
    },
  );

  it('logs lines of JSON, from its first to its last', async () => {
    const quiet = await serve('--no-auth', '--log-level', 'warn');
    await fetch(new URL('/healthz', quiet.url));
    quiet.child.kill('SIGTERM');
    expect((await quiet.ended).stderr).toBe('');
    const server = await serve('--no-auth');
    for (let i = 0; i < 50; i++) await fetch(new URL('/healthz', server.url));
    server.child.kill('SIGTERM');
    await server.ended;
    const lines = logOf(server);
    const requests = lines.filter(({ msg }) => msg === 'request');
    expect(requests).toHaveLength(50);
    expect(lines.at(-1)).toMatchObject({ level: 'info', msg: 'stopped', pid: server.child.pid });
    expect(server.written.stderr.endsWith('\n')).toBe(true);
  });

  it('logs the warnings of the service', async () => {
    // As a sink that fails does, once a process.
    const audit = { PAIRMINT_HOME: home, PAIRMINT_AUDIT_FILE: '/dev/full' };
    const server = await start(audit, '--no-auth');
    await exchange(server.url, bytesOf('ListKeys', {}, lastOne));
    server.child.kill('SIGTERM');
    await server.ended;
    expect(logOf(server)).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        code: 'PAIRMINT_AUDIT',
        msg: expect.stringMatching(/^the audit sink failed: ENOSPC/),
      }),
    );
  });

  it('says nothing but why it cannot listen, if its port is taken', async () => {
    const { url } = await serve('--no-auth');
    const { port } = new URL(url);
    const { code, stderr } = await pairmint('serve', '--no-auth', '--port', port).ended;
    expect(code).toBe(253);
    expect(stderr).toMatch(/^pairmint: cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE.*\n$/);
  });

  it('serves metrics on a port of their own', async () => {
    const server = await serve('--no-auth', '--metrics-port', '0');
    await exchange(server.url, bytesOf('ListKeys', {}, lastOne));
    const metrics = await metricsUrl(server);
    expect(new URL(metrics).hostname).toBe('127.0.0.1');
    const labels = { operation: 'ListKeys', error: '' };
    const text = await (await fetch(metrics)).text();
    expect(sampleOf(text, 'pairmint_requests_total', labels)).toBe(1);
    expect((await fetch(new URL('/metrics', server.url))).status).toBe(403);
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it.each([
    [['--port', 'x'], 252, "Error parsing parameter '--port': 'x' is not a port"],
    [['--port', '65536'], 252, "Error parsing parameter '--port': '65536' is not a port"],
    [['--tls-cert', 'x'], 252, '--tls-cert and --tls-key go together'],
    [['--tls-cert', 'x', '--tls-key', 'x'], 252, "Error parsing parameter '--tls-cert': ENOENT"],
    [['--no-auth=x'], 252, 'argument --no-auth: ignored explicit argument'],
    [['--no-auth', '--host', '0.0.0.0'], 253, 'without authentication everyone could use keys'],
    [['--host', '192.0.2.1', '--port', '0'], 253, 'cannot listen on 192.0.2.1, port 0: '],
    [['--workers', '0'], 252, "'--workers': '0' is neither auto nor a number from 1 to 256"],
    [['--workers', '257'], 252, "'--workers': '257' is neither auto nor a number from 1 to 256"],
    [['--workers', '2', '--store', 'memory:'], 253, 'processes cannot share a store in memory'],
    [['--metrics-port', 'x'], 252, "Error parsing parameter '--metrics-port': 'x' is not a port"],
    [['--metrics-host', '::1'], 252, '--metrics-host needs --metrics-port'],
    [['--metrics-names', 'a,b'], 252, '--metrics-names needs --metrics-port'],
    [['--max-connections', '0'], 252, "'0' is not a number from 1"],
    [['--max-body-bytes', 'x'], 252, "'x' is not a number from 1"],
    [['--metrics-port', '0', '--metrics-host', '192.0.2.1'], 253, 'for metrics: '],
    [['--log-level', 'loud'], 252, "'--log-level': 'loud' is not one of trace, debug, info, warn"],
    [
      ['--quota-profile', 'x'],
      252,
      "Error parsing parameter '--quota-profile': 'x' is not one of aws",
    ],
    [['--quota-profile', 'aws', '--workers', '2'], 252, '--quota-profile counts in one process'],
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
    const credential = JSON.parse(created.stdout);
    expect(Object.keys(credential)).toEqual([
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
    ]);
    const listed = await pairmint('credentials', 'list').ended;
    expect(JSON.parse(listed.stdout)).toEqual({
      Credentials: [
        {
          AccessKeyId: credential.AccessKeyId,
          Principal: principal,
          CreateDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          Expiration: credential.Expiration,
          IdentityPolicy: text,
        },
      ],
    });
    const deleted = await pairmint('credentials', 'delete', credential.AccessKeyId).ended;
    expect(deleted).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const again = await pairmint('credentials', 'delete', credential.AccessKeyId).ended;
    expect(again).toMatchObject({ code: 255, stdout: '' });
    expect(again.stderr).toContain(`there is no access key ${credential.AccessKeyId}`);
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
