import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFiles, residentMemory, startServer } from '../support/server-process.mjs';
import { type AccessKey, callHeaders, signed } from './support.ts';

// Longer than the server gives a whole request.
const patience = 50_000;

let server: Awaited<ReturnType<typeof startServer>>;
let port: number;
let key: AccessKey;
let before: { files: number; memory: number };
/** What was held open from the beginning of the tests until the server closed it. */
let held: Promise<readonly string[]>;

beforeAll(async () => {
  server = await startServer();
  port = Number(new URL(server.url).port);
  key = await server.accessKey();
  expect(await isServing()).toBe(true);
  if (process.platform === 'linux') before = measure();
  held = holdOpen();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

function measure() {
  return { files: openFiles(server.pid), memory: residentMemory(server.pid) };
}

interface Changes {
  readonly operation?: string;
  readonly members?: object;
  /** Header lines before all others. */
  readonly first?: string;
  /** Header lines after all others. */
  readonly last?: string;
  /** Instead of the line of the body's length. */
  readonly length?: string;
  readonly body?: string;
  /** As the request line has it. */
  readonly target?: string;
  readonly version?: string;
}

/** A request as bytes, signed as it would be without the changes. */
async function request({
  operation = 'ListKeys',
  members = {},
  first = '',
  last = '',
  target = '/',
  version = '1.1',
  ...changes
}: Changes = {}): Promise<string> {
  const body = JSON.stringify(members);
  const { headers } = await signed({ headers: callHeaders(operation), body }, key);
  const { length = `content-length: ${body.length}\r\n` } = changes;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST ${target} HTTP/${version}\r\n${first}${lines.join('')}${length}${last}\r\n`;
  return head + (changes.body ?? body);
}

const close = 'connection: close\r\n';
/** Is answered before it is seen that the client has closed its side, as nothing has to be read. */
const atOnce = { operation: 'GenerateRandom', members: { NumberOfBytes: 8 } };

/**
 * What the server sends until it closes the connection, after it was sent all of `bytes`; where
 * `end` says so, our side is closed first. Rejects if the server does neither in time.
 */
async function exchange(
  bytes: string | Uint8Array,
  { end = false, to = port, within = 20_000 } = {},
): Promise<string> {
  const socket = net.connect(to);
  let received = '';
  socket.on('data', (data) => {
    received += data.toString('latin1');
  });
  // A server that closes while it is being written to resets the connection.
  socket.on('error', () => {});
  socket.setTimeout(within, () => {
    received += 'the server neither answered nor closed the connection';
    socket.destroy();
  });
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  if (end) socket.end();
  // Not `once` of node:events, which an error ends, too.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  expect(received).not.toContain('the server neither');
  return received;
}

function drained(socket: net.Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('drain', resolve));
}

function statuses(received: string): string[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status);
}

async function isServing(): Promise<boolean> {
  return statuses(await exchange(await request({ last: close })))[0] === '200';
}

/** Runs `work` for 0 to `count` - 1, many at a time. */
async function manyTimes(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: 50 }, async () => {
    while (next < count) await work(next++);
  });
  await Promise.all(lanes);
}

/** Clients that begin a request and say no more. */
async function holdOpen(): Promise<readonly string[]> {
  const whole = await request();
  const bodyAt = whole.indexOf('\r\n\r\n') + 4;
  const parts = [
    '',
    'P',
    'GET /\r\n',
    whole.slice(0, 100),
    whole.slice(0, bodyAt),
    whole.slice(0, -1),
  ];
  const endless = await request({ length: 'transfer-encoding: chunked\r\n', body: '1\r\n{' });
  return Promise.all([...parts, endless].map((part) => exchange(part, { within: patience })));
}

// Follows a request of doubtful length. Its answer is 200, which must never appear.
const smuggled = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n';

describe('a request whose length is in doubt is refused, with all bytes after it:', () => {
  const lengths = [
    'content-length: -1',
    'content-length: +2',
    'content-length: 0x2',
    'content-length: 2e0',
    'content-length: 2,2',
    'content-length: 2 2',
    'content-length: two',
    'content-length: 99999999999999999999',
    'content-length: 2\r\ncontent-length: 3',
    'content-length: 2\r\ncontent-length: 2',
    'content-length : 2',
    'content-length\t: 2',
    'content-length: 2\ncontent-length: 3',
    'content-length: 2\rcontent-length: 3',
    'content-length: 2\0',
    'content-length: 2\r\ntransfer-encoding: chunked',
    'transfer-encoding: chunked\r\ncontent-length: 2',
    'content-length: 2\r\ntransfer-encoding: identity',
    'content-length: 2\r\ntransfer-encoding : chunked',
    'content-length: 2\r\ntransfer-encoding: \x0bchunked',
    'content-length: 2\r\n transfer-encoding: chunked',
    'content-length: 2\r\ntransfer-encoding:\r\n chunked',
    'transfer-encoding: xchunked',
    'transfer-encoding: chunked, identity',
    'transfer-encoding: chunkedx',
    'transfer-encoding: chunked\r\ntransfer-encoding: identity',
    'transfer-encoding: chunked\r\ntransfer-encoding: gzip',
  ];

  it.each(lengths.map((line) => [JSON.stringify(line), line] as const))(
    '%s',
    async (_title, line) => {
      for (const body of ['{}', '2\r\n{}\r\n0\r\n\r\n', '0\r\n\r\n']) {
        const bytes = await request({ length: `${line}\r\n`, body: body + smuggled });
        const received = await exchange(bytes);
        expect(statuses(received)).toEqual(['400']);
        expect(received).not.toContain('ok\n');
      }
    },
  );

  const chunks = [
    'x\r\n{}\r\n0\r\n\r\n',
    '-2\r\n{}\r\n0\r\n\r\n',
    '0x2\r\n{}\r\n0\r\n\r\n',
    '\r\n{}\r\n0\r\n\r\n',
    '2\r\n{}x\r\n0\r\n\r\n',
    '2\r\n{}0\r\n\r\n',
    '2\n{}\n0\n\n',
    '2 \r\n{}\r\n0\r\n\r\n',
    'fffffffffffffffff\r\n{}\r\n0\r\n\r\n',
    '10000000000000002\r\n{}\r\n0\r\n\r\n',
    '2;\n\r\n{}\r\n0\r\n\r\n',
    `2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
    `2\r\n{}\r\n0\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
  ];

  it.each(chunks.map((body) => [JSON.stringify(body).slice(0, 60), body] as const))(
    'chunks as %s',
    async (_title, body) => {
      const length = 'transfer-encoding: chunked\r\n';
      const received = await exchange(await request({ length, body: body + smuggled }));
      expect(statuses(received)).toEqual([expect.stringMatching(/^4(00|13|31)$/)]);
      expect(received).not.toContain('ok\n');
    },
  );
});

describe('a body', () => {
  it.each([
    ['in chunks', '1\r\n{\r\n1\r\n}\r\n0\r\n\r\n'],
    ['in chunks with extensions', '2;a=b;c="d"\r\n{}\r\n0;last\r\n\r\n'],
    ['in chunks with trailers', '2\r\n{}\r\n0\r\nx-trailer: x\r\n\r\n'],
    ['in chunks with leading zeros', '0002\r\n{}\r\n000\r\n\r\n'],
  ])('may come %s', async (_title, body) => {
    const length = 'transfer-encoding: chunked\r\n';
    const received = await exchange(await request({ length, body, last: close }));
    expect(statuses(received)).toEqual(['200']);
  });

  it('that is shorter than its length is waited for until the client closes', async () => {
    const bytes = await request({ length: 'content-length: 3\r\n' });
    expect(statuses(await exchange(bytes, { end: true }))).not.toContain('200');
  });

  it('that is longer than its length is the next request', async () => {
    const bytes = await request({ length: 'content-length: 1\r\n' });
    // The complaint about the second one may be faster.
    expect(statuses(await exchange(bytes)).join()).toMatch(/^400(,400)?$/);
  });

  it.each([
    ['a length', 'content-length: 9007199254740991\r\n', () => randomBytes(65_536)],
    [
      'chunks',
      'transfer-encoding: chunked\r\n',
      () => Buffer.from(`10000\r\n${'x'.repeat(65_536)}\r\n`),
    ],
  ])('without end, by %s, is refused while it comes', async (_title, length, more) => {
    const socket = net.connect(port);
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(await request({ length, body: '' }));
    let sent = 0;
    while (!socket.closed && sent < 1 << 28) {
      const bytes = more();
      sent += bytes.length;
      if (!socket.write(bytes)) await Promise.race([drained(socket), closed]);
    }
    expect(socket.closed).toBe(true);
    // A reset may overtake the answer.
    if (received !== '') expect(statuses(received)).toEqual(['413']);
  });
});

describe('a head', () => {
  it.each([
    ['a giant value', { first: `x: ${'x'.repeat(1 << 20)}\r\n` }, '431'],
    ['a giant name', { first: `${'x'.repeat(1 << 20)}: x\r\n` }, '431'],
    ['a value just too large', { first: `x: ${'x'.repeat(16_384)}\r\n` }, '431'],
    ['ten thousand fields', { first: 'x: y\r\n'.repeat(10_000) }, '431'],
    ['a line without a colon', { first: 'x\r\n' }, '400'],
    ['a NUL', { first: 'x: \0\r\n' }, '400'],
    ['a line that goes on', { first: 'x: y\r\n z\r\n' }, '400'],
    ['two hosts', { last: 'host: another\r\n' }, '400'],
    ['two targets', { last: 'x-amz-target: TrentService.CreateKey\r\n' }, '400'],
    ['two signatures', { last: 'authorization: AWS4-HMAC-SHA256 x\r\n' }, '400'],
  ] as const)('with %s is refused', async (_title, changes, status) => {
    const received = await exchange(await request(changes), { end: true });
    // A reset may overtake the answer if a client goes on sending.
    if (received !== '') expect(statuses(received)).toEqual([status]);
  });

  it.each([99, 100, 101, 200, 1000])('with %d fields more is answered', async (count) => {
    const fields = Array.from({ length: count }, (_, i) => `x-${i}: y\r\n`).join('');
    for (const changes of [{ first: fields }, { last: fields }]) {
      const received = await exchange(await request(changes), { end: true });
      expect(statuses(received)).toEqual([expect.stringMatching(/^(200|400|403|431)$/)]);
    }
  });

  it('that breaks off, after any byte, gets no more than a complaint', async () => {
    const whole = await request({ ...atOnce, last: close });
    await manyTimes(whole.length, async (i) => {
      const received = await exchange(whole.slice(0, i), { end: true });
      expect(statuses(received).join(), `after ${i} bytes`).toMatch(/^(400)?$/);
    });
    expect(statuses(await exchange(whole, { end: true }))).toEqual(['200']);
  });

  it('that breaks off with a reset leaves nothing behind', async () => {
    const whole = await request();
    await manyTimes(200, async (i) => {
      const socket = net.connect(port);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(whole.slice(0, i * 4));
      await new Promise(setImmediate);
      socket.resetAndDestroy();
    });
    expect(await isServing()).toBe(true);
  });
});

describe('a connection', () => {
  it('takes ten requests in one write, and answers them in order', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `alias/request-${i}`);
    const requests = names.map((KeyId, i) =>
      request({
        operation: 'DescribeKey',
        members: { KeyId },
        last: i === names.length - 1 ? close : '',
      }),
    );
    const received = await exchange((await Promise.all(requests)).join(''));
    expect(statuses(received)).toEqual(names.map(() => '400'));
    const answered = [...received.matchAll(/000000000000:(alias\/[\w-]+) is not found/g)];
    expect(answered.map(([, name]) => name)).toEqual(names);
  });

  it('closed after ten requests in one write gets every answer', async () => {
    const requests = await Promise.all(Array.from({ length: 10 }, () => request(atOnce)));
    const received = await exchange(requests.join(''), { end: true });
    expect(statuses(received)).toEqual(requests.map(() => '200'));
  });

  it('is closed at bytes that are not a request, and nothing after them is answered', async () => {
    const received = await exchange(`${await request()}nonsense\r\n\r\n${await request()}`);
    // The complaint may be faster than the answer to what came before.
    expect(statuses(received).join()).toMatch(/^(200,)?400$/);
  });

  it('is not upgraded', async () => {
    for (const protocol of ['websocket', 'h2c', 'TLS/1.2']) {
      const last = `connection: upgrade, close\r\nupgrade: ${protocol}\r\n`;
      expect(statuses(await exchange(await request({ last })))).toEqual(['200']);
    }
  });

  it.each(['http://example.com/', 'http://example.com', 'HTTPS://example.com:443/'])(
    'that names its target as %s, as through a proxy, is answered',
    async (target) => {
      expect(statuses(await exchange(await request({ target, last: close })))).toEqual(['200']);
      const signedForAnother = await request({
        target: `${target.replace(/\/$/, '')}/x`,
        last: close,
      });
      expect(await exchange(signedForAnother)).toContain('InvalidSignatureException');
    },
  );

  it('of HTTP/1.0 is answered and closed', async () => {
    expect(statuses(await exchange(await request({ version: '1.0' })))).toEqual(['200']);
  });

  it.each([
    ['of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ['400']],
    ['that is to be a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n', []],
    ['of another protocol', 'EHLO example.com\r\n', ['400']],
    [
      'that asks for another service',
      `GET http://example.com/ HTTP/1.1\r\nhost: x\r\n${close}\r\n`,
      ['403'],
    ],
    [
      'that asks for health as through a proxy',
      `GET http://x/healthz HTTP/1.1\r\nhost: x\r\n${close}\r\n`,
      ['200'],
    ],
    ['that asks for a file', `GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n${close}\r\n`, ['403']],
    ['that asks for options', `OPTIONS * HTTP/1.1\r\nhost: x\r\n${close}\r\n`, ['403']],
    ['that asks for an echo', `TRACE / HTTP/1.1\r\nhost: x\r\n${close}\r\n`, ['403']],
    ['with no host', 'GET /healthz HTTP/1.1\r\n\r\n', ['400']],
    ['with a giant path', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, ['431']],
    ['with a space in its path', 'GET /a b HTTP/1.1\r\nhost: x\r\n\r\n', ['400']],
  ])('%s gets %j', async (_title, bytes, expected) => {
    expect(statuses(await exchange(bytes))).toEqual(expected);
  });

  it('of clients that speak TLS or HTTP/2 fails for them, at once', async () => {
    const secure = tls.connect({ port, rejectUnauthorized: false });
    await expect(once(secure, 'secureConnect')).rejects.toThrow();
    const session = http2.connect(server.url);
    await expect(once(session, 'connect').then(() => once(session, 'close'))).rejects.toThrow();
    expect(await isServing()).toBe(true);
  });

  it('with random bytes is closed, a thousand times', async () => {
    const start = Buffer.from(await request());
    await manyTimes(1000, async (i) => {
      const noise = randomBytes(randomInt(1, 2000));
      // Every other one begins as a request does.
      const bytes = i % 2 === 0 ? noise : Buffer.concat([start.subarray(0, randomInt(700)), noise]);
      await exchange(bytes, { end: true });
    });
    expect(await isServing()).toBe(true);
  });
});

describe('the TLS port', () => {
  let folder: string;
  let secure: typeof server;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
    const [cert, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const rest = ['-subj', '/CN=localhost', '-keyout', keyFile, '-out', cert, '-days', '2'];
    execFileSync('openssl', ['req', ...kind, ...rest], { stdio: 'pipe' });
    secure = await startServer('--tls-cert', cert, '--tls-key', keyFile);
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    expect(await secure.stop()).toBe(0);
  });

  async function answersHttps(): Promise<boolean> {
    const socket = tls.connect({
      port: Number(new URL(secure.url).port),
      rejectUnauthorized: false,
    });
    await once(socket, 'secureConnect');
    socket.write(smuggled);
    const [data] = await once(socket, 'data');
    socket.destroy();
    return statuses(String(data))[0] === '200';
  }

  it('closes a connection that is not TLS, and goes on', async () => {
    const to = Number(new URL(secure.url).port);
    const plain = [smuggled, 'nonsense\r\n', randomBytes(1000), Buffer.from([22, 3, 1, 255, 255])];
    for (const bytes of plain) {
      expect(statuses(await exchange(bytes, { to, end: true }))).toEqual([]);
    }
    expect(await answersHttps()).toBe(true);
  });

  it('closes a connection whose greeting never comes', async () => {
    const to = Number(new URL(secure.url).port);
    const received = await exchange('', { to, within: patience });
    expect(received).toBe('');
    expect(await answersHttps()).toBe(true);
  });
});

it('clients that begin a request and say no more are cut off', async () => {
  for (const received of await held) expect(statuses(received)).toEqual(['408']);
}, 120_000);

it.runIf(process.platform === 'linux')(
  'after all that, nothing is left open or in memory',
  async () => {
    expect(await isServing()).toBe(true);
    await expect
      .poll(() => openFiles(server.pid), { timeout: 20_000 })
      .toBeLessThanOrEqual(before.files);
    expect(measure().memory - before.memory).toBeLessThan(100);
  },
);
