import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ConfigurationError } from '../../lib/core/configuration-error.ts';
import { headerFields } from '../../lib/http/message.ts';
import { originReader } from '../../lib/http/origin.ts';
import { createServer, type ServerOptions } from '../../lib/http/server.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { policyText } from '../operations/every-request.ts';
import { openKms, outcomeOf, caller as root } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { contentType, signed } from './support.ts';

// Policies that ask where a request came from, through the doors that it can come by.

const everything = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
const session = 'arn:aws:sts::000000000000:assumed-role/app/s';

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

function certificate() {
  const folder = temporaryFolder();
  const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  const request = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=one';
  const args = ['req', ...request.split(' '), '-out', cert, '-keyout', key];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

/** A key on which a request is denied if the condition holds. */
async function keyDenied(Condition: object): Promise<string> {
  const deny = { Effect: 'Deny', Principal: '*', Action: 'kms:Encrypt', Resource: '*', Condition };
  const { KeyMetadata } = await kms.createKey({ Policy: policyText(everything, deny) });
  return KeyMetadata?.KeyId ?? '';
}

async function serve(options: ServerOptions = { auth: false }): Promise<string> {
  const server = createServer(kms, options);
  onTestFinished(() => server.drain(0));
  return server.listen({ port: 0 });
}

/** Encrypts over HTTP; `ok`, or the name of the error. */
async function encrypt(
  url: string,
  KeyId: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const { request } = url.startsWith('https') ? https : http;
  const sent = request(url, {
    method: 'POST',
    rejectUnauthorized: false,
    headers: {
      'content-type': contentType,
      'x-amz-target': 'TrentService.Encrypt',
      ...headers,
    },
  });
  sent.end(JSON.stringify({ KeyId, Plaintext: 'YQ==' }));
  const [answer] = await once(sent, 'response');
  return JSON.parse(await text(answer)).__type ?? 'ok';
}

const denied = 'AccessDeniedException';

test('aws:SecureTransport says whether the connection is TLS', async () => {
  const KeyId = await keyDenied({ Bool: { 'aws:SecureTransport': 'false' } });
  expect(await encrypt(await serve(), KeyId)).toBe(denied);
  expect(await encrypt(await serve({ auth: false, tls: certificate() }), KeyId)).toBe('ok');
  const plaintext = Buffer.from('a');
  expect(await outcomeOf(kms.encrypt({ KeyId, Plaintext: plaintext }))).toBe('ok');
});

test('aws:SourceIp is the peer, and absent for calls in the process', async () => {
  const url = await serve();
  const inside = await keyDenied({ IpAddress: { 'aws:SourceIp': ['127.0.0.0/8', '::1'] } });
  expect(await encrypt(url, inside)).toBe(denied);
  // Only a trusted proxy is believed.
  expect(await encrypt(url, inside, { 'x-forwarded-for': '203.0.113.1' })).toBe(denied);
  const outside = await keyDenied({ NotIpAddress: { 'aws:SourceIp': '127.0.0.1' } });
  expect(await encrypt(url, outside)).toBe('ok');
  const Plaintext = Buffer.from('a');
  expect(await outcomeOf(kms.encrypt({ KeyId: inside, Plaintext }))).toBe('ok');
  expect(await outcomeOf(kms.encrypt({ KeyId: outside, Plaintext }))).toMatch(denied);
  const ifExists = await keyDenied({ NotIpAddressIfExists: { 'aws:SourceIp': '203.0.113.1' } });
  expect(await encrypt(url, ifExists)).toBe(denied);
  const origin = { sourceIp: '127.0.0.1' };
  expect(await outcomeOf(kms.encrypt({ KeyId: outside, Plaintext }, { origin }))).toBe('ok');
});

test('a client that resets its connection at once is not served without aws:SourceIp', async () => {
  const url = new URL(await serve());
  const deny = {
    Effect: 'Deny',
    Principal: '*',
    Action: 'kms:DisableKey',
    Resource: '*',
    Condition: { IpAddress: { 'aws:SourceIp': ['127.0.0.0/8', '::1'] } },
  };
  const { KeyMetadata } = await kms.createKey({ Policy: policyText(everything, deny) });
  const KeyId = KeyMetadata?.KeyId ?? '';
  const body = JSON.stringify({ KeyId });
  const head = [
    'POST / HTTP/1.1',
    `Host: ${url.host}`,
    `Content-Type: ${contentType}`,
    'X-Amz-Target: TrentService.DisableKey',
    `Content-Length: ${body.length}`,
  ];
  const sent = `${head.join('\r\n')}\r\n\r\n${body}`;
  // This thread waits until all is sent and the connection is reset: only then does it accept it.
  execFileSync(process.execPath, ['-e', resettingClient, url.hostname, url.port, sent]);
  await setTimeout(300);
  expect((await kms.describeKey({ KeyId })).KeyMetadata?.KeyState).toBe('Enabled');
});

const resettingClient = `
  const [host, port, sent] = process.argv.slice(1);
  const socket = require('node:net').connect(Number(port), host, () => {
    socket.write(sent, () => setTimeout(() => socket.resetAndDestroy(), 50));
  });
`;

test('aws:UserAgent and aws:referer are the fields, the first though it was not sent', async () => {
  const url = await serve();
  const agent = await keyDenied({ StringNotLike: { 'aws:UserAgent': 'tool/*' } });
  expect(await encrypt(url, agent)).toBe(denied);
  expect(await encrypt(url, agent, { 'user-agent': 'tool/1' })).toBe('ok');
  const none = await keyDenied({ StringEquals: { 'aws:UserAgent': '' } });
  expect(await encrypt(url, none)).toBe(denied);
  const referer = await keyDenied({ StringEquals: { 'aws:referer': 'https://a' } });
  expect(await encrypt(url, referer)).toBe('ok');
  expect(await encrypt(url, referer, { referer: 'https://a' })).toBe(denied);
});

test('a trusted proxy names its client, and says whether it came over TLS', async () => {
  const url = await serve({ auth: false, trustedProxies: ['127.0.0.0/8', '::1'] });
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const client = await keyDenied({ NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } });
  expect(await encrypt(url, client, from('203.0.113.7'))).toBe('ok');
  expect(await encrypt(url, client, from('203.0.113.7, 198.51.100.1'))).toBe(denied);
  const secure = await keyDenied({ Bool: { 'aws:SecureTransport': 'false' } });
  expect(await encrypt(url, secure)).toBe(denied);
  expect(await encrypt(url, secure, { 'x-forwarded-proto': 'https' })).toBe('ok');
});

test('a session has aws:TokenIssueTime and aws:MultiFactorAuthPresent, a long-lived key none', async () => {
  const url = await serve({});
  const Action = 'kms:GenerateRandom';
  const identityPolicy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action, Resource: '*' },
      {
        Effect: 'Deny',
        Action,
        Resource: '*',
        Condition: {
          Bool: { 'aws:MultiFactorAuthPresent': 'false' },
          DateGreaterThan: { 'aws:TokenIssueTime': '2000-01-01' },
        },
      },
    ],
  });
  const principal = 'arn:aws:iam::000000000000:user/alice';
  const ask = async (durationSeconds?: number) => {
    const key = await kms.credentials.create({ principal, identityPolicy, durationSeconds });
    const body = '{"NumberOfBytes":1}';
    const headers = {
      host: new URL(url).host,
      'content-type': contentType,
      'x-amz-target': 'TrentService.GenerateRandom',
    };
    const sent = await signed({ headers, body }, key);
    const answer = await fetch(url, { method: 'POST', body, headers: sent.headers });
    return ((await answer.json()) as { __type?: string }).__type ?? 'ok';
  };
  expect(await ask()).toBe('ok');
  expect(await ask(3600)).toBe(denied);
  const inProcess = (options: object) =>
    outcomeOf(kms.as(session, { identityPolicy, ...options }).generateRandom({ NumberOfBytes: 1 }));
  expect(await inProcess({})).toMatch(denied);
  expect(await inProcess({ tokenIssueTime: 0 })).toBe('ok');
});

describe('the address that a request came from', () => {
  const peer = { address: '10.0.0.1', secure: false };
  const reader = originReader(['10.0.0.0/8', '2001:db8::1']);
  const from = (forwarded: readonly string[], address = peer.address) => {
    const raw = forwarded.flatMap((value) => ['X-Forwarded-For', value]);
    return reader({ ...peer, address }, headerFields(raw)).sourceIp;
  };

  test.each<[string, readonly string[], string | undefined]>([
    ['the proxy, if it says nothing', [], '10.0.0.1'],
    ['whom it names', ['192.0.2.1'], '192.0.2.1'],
    ['the last that is no proxy', ['198.51.100.1, 192.0.2.1, 10.9.9.9'], '192.0.2.1'],
    ['of several fields the last', ['198.51.100.1', '192.0.2.1', '2001:db8::1'], '192.0.2.1'],
    ['the first proxy, if all are', ['10.1.1.1, 10.2.2.2'], '10.1.1.1'],
    ['the proxy that wrote what is no address', ['192.0.2.1, unknown, 10.2.2.2'], '10.2.2.2'],
    ['the proxy that wrote nothing between commas', [' , '], '10.0.0.1'],
  ])('is %s', (_who, forwarded, expected) => {
    expect(from(forwarded)).toBe(expected);
  });

  test('is the peer if it is not a trusted proxy, whatever its headers say', () => {
    expect(from(['192.0.2.1'], '11.0.0.1')).toBe('11.0.0.1');
    expect(from(['192.0.2.1'], '::ffff:10.0.0.1')).toBe('192.0.2.1');
  });

  test('refuses proxies that are not addresses or networks', () => {
    for (const proxy of ['proxy', '10.0.0.0/33', '', '10.0.0.1:80']) {
      expect(() => originReader([proxy])).toThrow(ConfigurationError);
    }
  });
});
