import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import {
  CreateKeyCommand,
  DecryptCommand,
  DisableKeyCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  KMSClient,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createServer, type PairmintServer } from '../../lib/http/server.ts';
import { loadedOperation } from '../../lib/operations/index.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { openKms } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { answered, bytesOf, connect, exchange, lastOne, pause } from './raw.ts';
import { callHeaders, signed } from './support.ts';

let kms: Pairmint;
let server: PairmintServer;
let url: string;
let KeyId: string;

beforeAll(async () => {
  kms = await openKms();
  KeyId = (await kms.createKey({})).KeyMetadata?.KeyId ?? '';
  server = createServer(kms, { auth: false });
  url = await server.listen({ port: 0 });
});
afterAll(async () => {
  await server.drain();
  await kms.close();
});

async function start(options: Parameters<typeof createServer>[1]) {
  const made = createServer(kms, options);
  onTestFinished(() => made.drain(0));
  return { made, url: await made.listen({ port: 0 }) };
}

async function isServing(): Promise<boolean> {
  return answered(await exchange(url, bytesOf('ListKeys', {}, lastOne)))[0] === '200';
}

describe('the JavaScript SDK, signing', () => {
  it('makes keys and pairs, and reads what was sealed', async () => {
    const { url: endpoint } = await start({});
    const principal = 'arn:aws:iam::000000000000:user/alice';
    const credentials = await kms.credentials.create({ principal });
    const client = new KMSClient({ endpoint, region: 'us-east-1', credentials });
    onTestFinished(() => client.destroy());
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'ü' }));
    expect(KeyMetadata).toMatchObject({ Description: 'ü', CreationDate: expect.any(Date) });
    const key = { KeyId: KeyMetadata?.KeyId };
    const sealed = await client.send(
      new GenerateDataKeyPairWithoutPlaintextCommand({ ...key, KeyPairSpec: 'ECC_NIST_P256' }),
    );
    const CiphertextBlob = sealed.PrivateKeyCiphertextBlob;
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
    expect(Plaintext?.length).toBeGreaterThan(100);
    await client.send(new DisableKeyCommand(key));
    await expect(client.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'DisabledException',
      message: `${KeyMetadata?.Arn} is disabled.`,
      $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
  });

  it('is refused with a secret that is wrong, and once its key is deleted', async () => {
    const { url: endpoint } = await start({});
    const principal = 'arn:aws:iam::000000000000:user/alice';
    const credentials = await kms.credentials.create({ principal });
    const clientOf = (secretAccessKey: string) =>
      new KMSClient({
        endpoint,
        region: 'us-east-1',
        credentials: { ...credentials, secretAccessKey },
      });
    const request = new ListKeysCommand({});
    await clientOf(credentials.secretAccessKey).send(request);
    await expect(clientOf('x').send(request)).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    });
    await kms.credentials.delete(credentials.accessKeyId);
    await expect(clientOf(credentials.secretAccessKey).send(request)).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
  });
});

it('listens when every operation is loaded: no request waits for a file', () => {
  const seldom = ['DeriveSharedSecret', 'ReplicateKey', 'VerifyMac'];
  expect(seldom.filter((name) => loadedOperation(name) === undefined)).toEqual([]);
});

describe('a connection', () => {
  it('is kept for further requests', async () => {
    const socket = connect(url);
    for (let i = 0; i < 3; i++) {
      socket.write(bytesOf('ListKeys'));
      const [data] = await once(socket, 'data');
      expect(answered(String(data))).toEqual(['200']);
    }
    socket.destroy();
  });

  it('takes requests before the first is answered, and answers them in order', async () => {
    const pair = bytesOf('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_2048' });
    const rest = [bytesOf('DescribeKey', { KeyId: 'x' }), bytesOf('ListKeys', {}, lastOne)];
    const received = await exchange(url, pair + rest.join(''));
    expect(answered(received)).toEqual(['200', '400', '200']);
    expect(received.indexOf('RSA_2048')).toBeLessThan(received.indexOf('NotFoundException'));
  });

  it('may bring its bytes one by one', async () => {
    const socket = connect(url);
    socket.setNoDelay(true);
    for (const byte of bytesOf('ListKeys')) {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    const [data] = await once(socket, 'data');
    expect(answered(String(data))).toEqual(['200']);
    socket.destroy();
  });

  it('may be closed on one side by a client that waits for its answer', async () => {
    const socket = connect(url);
    socket.end(bytesOf('ListKeys'));
    const [data] = await once(socket, 'data');
    expect(answered(String(data))).toEqual(['200']);
  });
});

describe('a client that ends its side after its request', () => {
  it('gets its answer, though something must be read from the store first', async () => {
    const store = `sqlite:${temporaryFolder()}/store.db`;
    const rootKey = { bytes: Buffer.alloc(32, 1) };
    const maker = await Pairmint.open({ store, rootKey });
    const { KeyMetadata } = await maker.createKey({});
    await maker.close();
    const service = await Pairmint.open({ store, rootKey });
    const server = createServer(service, { auth: false });
    const to = await server.listen({ port: 0 });
    const call = bytesOf('DescribeKey', { KeyId: KeyMetadata?.KeyId });
    for (const calls of [call, call + call, bytesOf('CreateKey'), call]) {
      const socket = net.connect({ port: Number(new URL(to).port), allowHalfOpen: true });
      let received = '';
      socket.on('data', (data) => {
        received += data;
      });
      socket.end(calls);
      // The server closes the connection after the last answer.
      await once(socket, 'end');
      const count = calls.split('POST ').length - 1;
      expect(answered(received).filter((status) => status !== '102')).toEqual(
        Array.from({ length: count }, () => '200'),
      );
    }
    await server.drain();
    await service.close();
  });

  it('is asked whether it is still there while it waits long', async () => {
    const pair = { KeyId, KeyPairSpec: 'RSA_4096' };
    const { made, url: to } = await start({ auth: false });
    const calls = Array.from({ length: 40 }, () => bytesOf('GenerateDataKeyPair', pair)).join('');
    const socket = net.connect({ port: Number(new URL(to).port), allowHalfOpen: true });
    let received = '';
    socket.on('data', (data) => {
      received += data;
    });
    socket.end(calls);
    await once(socket, 'end');
    const statuses = answered(received);
    expect(statuses.filter((status) => status === '200')).toHaveLength(40);
    expect(statuses).toContain('102');
    expect(statuses.at(-1)).toBe('200');
    await made.drain();
  });
});

describe('bad input gets an answer or a closed connection', () => {
  const head = (text: string) => bytesOf('ListKeys').replace('host:', `${text}\r\nhost:`);
  const chunked = (body: string) =>
    bytesOf('ListKeys')
      .replace(/content-length: \d+\r\n/, 'transfer-encoding: chunked\r\n')
      .slice(0, -2) + body;
  const rows: [string, (string | Buffer)[], string[]][] = [
    ['no HTTP', ['nonsense\r\n\r\n'], ['400']],
    ['another version', ['POST / HTTP/9.9\r\n\r\n'], ['400']],
    ['a TLS greeting', [Buffer.from('16030100c8010000c40303', 'hex')], ['400']],
    ['HTTP/2', ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], ['400']],
    ['no host', ['GET /healthz HTTP/1.1\r\n\r\n'], ['400']],
    ['a header without a name', [head(': x')], ['400']],
    ['a header with a NUL', [head('x: \0')], ['400']],
    ['two lengths', [head('content-length: 3')], ['400']],
    ['a negative length', [bytesOf('ListKeys').replace(/length: \d+/, 'length: -1')], ['400']],
    ['a length and chunks', [head('transfer-encoding: chunked')], ['400']],
    ['a chunk without a length', [chunked('x\r\n{}\r\n0\r\n\r\n')], ['400']],
    ['a giant header', [head(`x: ${'x'.repeat(20_000)}`)], ['431']],
    ['a giant URL', [`POST /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`], ['431']],
    ['headers without end', [`POST / HTTP/1.1\r\n${'x: y\r\n'.repeat(10_000)}`], ['431']],
    ['CONNECT', ['CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n'], []],
    [
      'a length that is too large',
      [bytesOf('ListKeys').replace(/length: \d+/, 'length: 131073')],
      ['413'],
    ],
    ['HTTP/2 in words of HTTP/1', [bytesOf('ListKeys').replace('HTTP/1.1', 'HTTP/2.0')], ['505']],
    ['HTTP/0.9', [bytesOf('ListKeys').replace('HTTP/1.1', 'HTTP/0.9')], ['505']],
    ['a body that is too large', [chunked(''), ...chunks(80)], ['413']],
  ];

  function chunks(count: number): string[] {
    const size = 16_384;
    return Array.from({ length: count }, () => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`);
  }

  it.each(rows)('%s', async (_title, sent, expected) => {
    const statuses = answered(await exchange(url, ...sent));
    // A reset may overtake the answer where a client goes on sending.
    if (statuses.length > 0 || expected.length === 0) expect(statuses).toEqual(expected);
    expect(await isServing()).toBe(true);
  });

  it('says why a body is too large', async () => {
    const received = await exchange(
      url,
      bytesOf('ListKeys').replace(/length: \d+/, 'length: 9999999'),
    );
    expect(received).toMatch(/\{"__type":"RequestEntityTooLargeException"\}$/);
    expect(received).toMatch(/x-amzn-RequestId: [0-9a-f-]{36}\r\n/);
  });

  it('takes a body that is just small enough', async () => {
    const Nonsense = 'x'.repeat(131_072 - JSON.stringify({ Nonsense: '' }).length);
    expect(answered(await exchange(url, bytesOf('ListKeys', { Nonsense }, lastOne)))).toEqual([
      '200',
    ]);
  });

  it('takes a hundred fields, and reads all of them', async () => {
    const more = (count: number) => 'x: y\r\n'.repeat(count);
    const call = (fields: string) => exchange(url, bytesOf('ListKeys', {}, fields + lastOne));
    expect(answered(await call(more(95)))).toEqual(['200']);
    const second = `${more(94)}x-amz-target: TrentService.CreateKey\r\n`;
    expect(await call(second)).toContain('UnknownOperationException');
    for (const count of [96, 200, 1000]) expect(answered(await call(more(count)))).toEqual(['431']);
  });

  it('random bytes on a thousand connections, which leave nothing behind', async () => {
    const noise = async () => {
      const socket = connect(url);
      socket.on('error', () => {});
      socket.end(randomBytes(1000));
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
    };
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, noise));
    expect(await isServing()).toBe(true);
    await vi.waitFor(async () => expect(await server.connections()).toBe(0));
    expect(server.requestsUnderWay).toBe(0);
  });

  it('a call with bytes changed at random', async () => {
    const call = Buffer.from(bytesOf('ListKeys', { Limit: 5 }, lastOne));
    for (let i = 0; i < 200; i++) {
      const changed = Buffer.from(call);
      const noise = createHash('sha256').update(`${i}`).digest();
      for (let j = 0; j < 4; j++) changed[noise.readUInt16BE(j * 4) % call.length] = noise[j] ?? 0;
      const socket = connect(url);
      socket.on('error', () => {});
      socket.end(changed);
      socket.resume();
      await once(socket, 'close');
    }
    expect(await isServing()).toBe(true);
  });

  it.each([
    ['a client that sends nothing', ''],
    ['a head that never ends', 'POST / HTTP/1.1\r\nx: y\r\n'],
    ['a body that never ends', bytesOf('ListKeys').slice(0, -1)],
  ])('%s is cut off', async (_title, sent) => {
    const limits = { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 };
    const { url } = await start({ auth: false, limits });
    expect(answered(await exchange(url, sent))).toEqual(['408']);
  });

  it('a connection that is not used any more is closed', async () => {
    const { url } = await start({ auth: false, limits: { keepAliveTimeout: 100 } });
    expect(answered(await exchange(url, bytesOf('ListKeys')))).toEqual(['200']);
  });
});

describe('strangers', () => {
  const unfinished = bytesOf('ListKeys').replace(/length: \d+/, 'length: 100000');

  it.each([
    ['without a signature', '', 'MissingAuthenticationTokenException'],
    ['with half a signature', 'authorization: AWS4-HMAC-SHA256 x\r\n', 'IncompleteSignature'],
  ])('%s are refused before their bodies are there', async (_title, field, name) => {
    const { url, made } = await start({});
    const began = Date.now();
    const received = await exchange(url, unfinished.replace('\r\n\r\n', `\r\n${field}\r\n`));
    expect(received).toContain(name);
    expect(received).toContain('Connection: close');
    expect(Date.now() - began).toBeLessThan(5000);
    expect(made.requestsUnderWay).toBe(0);
  });

  it('with an unknown access key are refused, too; with a known one they wait', async () => {
    const { url } = await start({});
    const credential = await kms.credentials.create({
      principal: 'arn:aws:iam::000000000000:user/alice',
    });
    const send = async (accessKeyId: string) => {
      const headers = { ...callHeaders('ListKeys'), 'content-length': '100000' };
      const key = { accessKeyId, secretAccessKey: 'x' };
      const { headers: all } = await signed({ headers, body: '{}' }, key);
      const fields = Object.entries(all).map(([field, value]) => `${field}: ${value}\r\n`);
      return exchange(url, `POST / HTTP/1.1\r\n${fields.join('')}\r\n{`, pause(300), 'x\0');
    };
    const unknown = credential.accessKeyId.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    expect(await send(unknown)).toContain('UnrecognizedClientException');
    const limits = { headersTimeout: 300, requestTimeout: 500, connectionsCheckingInterval: 50 };
    const { url: impatient } = await start({ limits });
    expect(answered(await exchange(impatient, unfinished))).toEqual(['400']);
  });

  it('get their answer though they send on, and the connection goes on if the whole body has come', async () => {
    const { url } = await start({});
    const body = 'x'.repeat(100_000);
    const last = unfinished.slice(0, -2).replace('\r\n\r\n', `\r\n${lastOne}\r\n`);
    const received = await exchange(url, last, body);
    expect(received).toContain('MissingAuthenticationTokenException');
    const twice = bytesOf('ListKeys') + bytesOf('ListKeys', {}, lastOne);
    expect(answered(await exchange(url, twice))).toEqual(['400', '400']);
  });

  it('are not asked for bodies that will not be read', async () => {
    const waiting = bytesOf('ListKeys', {}, `expect: 100-continue\r\n${lastOne}`).slice(0, -2);
    const { url: closed } = await start({});
    expect(answered(await exchange(closed, waiting))).toEqual(['400']);
    const { url: open } = await start({ auth: false });
    expect(answered(await exchange(open, waiting, pause(100), '{}'))).toEqual(['100', '200']);
  });

  it('have so much room for unfinished bodies and no more; whole ones need none', async () => {
    const { url, made } = await start({ auth: false, limits: { bodyBytes: 20_000 } });
    const part = unfinished.slice(0, -2) + 'x'.repeat(9000);
    const held = [connect(url), connect(url)];
    for (const socket of held) socket.write(part);
    await vi.waitFor(() => expect(made.requestsUnderWay).toBe(2));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const refused = await exchange(url, part);
    expect(refused).toMatch(/^HTTP\/1.1 400 /);
    expect(refused).toMatch(/\r\nRetry-After: 1\r\n/);
    expect(refused).toMatch(/"__type":"ThrottlingException","message":"You have exceeded the rate/);
    expect(answered(await exchange(url, bytesOf('ListKeys', {}, lastOne)))).toEqual(['200']);
    for (const socket of held) socket.destroy();
    await vi.waitFor(() => expect(made.requestsUnderWay).toBe(0));
    const whole = bytesOf('ListKeys', { Nonsense: 'x'.repeat(15_000) }, lastOne);
    const [first, second] = [whole.slice(0, 9000), whole.slice(9000)];
    for (let i = 0; i < 5; i++) {
      expect(answered(await exchange(url, first, pause(50), second))).toEqual(['200']);
    }
  });

  it('are limited in number; idle ones make room', async () => {
    const { url, made } = await start({ auth: false, limits: { connections: 3 } });
    const held = [connect(url), connect(url), connect(url)];
    await vi.waitFor(async () => expect(await made.connections()).toBe(3));
    expect(await exchange(url, bytesOf('ListKeys'))).toBe('');
    for (const socket of held) {
      socket.write(bytesOf('ListKeys'));
      await once(socket, 'data');
    }
    expect(await exchange(url, bytesOf('ListKeys'))).toBe('');
    expect(answered(await exchange(url, bytesOf('ListKeys', {}, lastOne)))).toEqual(['200']);
  });
});

describe('a client that goes away', () => {
  it('takes its request with it', async () => {
    const service = await openKms();
    const { KeyMetadata } = await service.createKey({});
    const server = createServer(service, { auth: false });
    const url = await server.listen({ port: 0 });
    const pair = { KeyId: KeyMetadata?.KeyId, KeyPairSpec: 'RSA_4096' };
    for (let i = 0; i < 100; i++) {
      const socket = connect(url);
      socket.write(bytesOf('GenerateDataKeyPair', pair));
      await new Promise((resolve) => setTimeout(resolve, 5));
      socket.destroy();
    }
    // Closing waits for requests under way, and minting them all would take much longer.
    const began = Date.now();
    await server.drain();
    await service.close();
    expect(Date.now() - began).toBeLessThan(5000);
  });
});

it('a client that sent several requests in a row takes all of them with it', async () => {
  const { made, url } = await start({ auth: false });
  const pair = bytesOf('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_4096' });
  const socket = connect(url);
  socket.write(pair + pair + pair);
  await vi.waitFor(() => expect(made.requestsUnderWay).toBe(3), { interval: 1 });
  socket.destroy();
  await vi.waitFor(() => expect(made.requestsUnderWay).toBe(0));
  const began = Date.now();
  await made.drain();
  expect(Date.now() - began).toBeLessThan(2000);
});

describe('draining', () => {
  it('lets a request under way finish, then closes everything', async () => {
    const { made, url } = await start({ auth: false });
    const idle = connect(url);
    await once(idle, 'connect');
    const busy = exchange(url, bytesOf('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_4096' }));
    await vi.waitFor(() => expect(made.requestsUnderWay).toBe(1), { interval: 1 });
    const closed = once(idle, 'close');
    await made.drain();
    await closed;
    const received = await busy;
    expect(answered(received)).toEqual(['200']);
    expect(received).toMatch(/Connection: close\r\n/);
    await expect(once(connect(url), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('lets all requests finish that a client sent in a row', async () => {
    const { made, url } = await start({ auth: false });
    const pair = bytesOf('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_2048' });
    const busy = exchange(url, pair + bytesOf('DescribeKey', { KeyId }) + pair);
    await vi.waitFor(() => expect(made.requestsUnderWay).toBe(3), { interval: 1 });
    await made.drain();
    const received = await busy;
    expect(answered(received)).toEqual(['200', '200', '200']);
    expect(received.split('Connection: close').length).toBe(2);
    expect(made.requestsUnderWay).toBe(0);
  });

  it('ends though a client sends another request for each answer', async () => {
    const { made, url } = await start({ auth: false });
    const pair = bytesOf('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_2048' });
    const socket = connect(url);
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    let received = '';
    let answers = 0;
    socket.on('data', (data) => {
      received += data.toString('latin1');
      for (; answers < answered(received).length; answers++) socket.write(pair);
    });
    socket.write(pair + pair);
    await vi.waitFor(() => expect(made.requestsUnderWay).toBe(2), { interval: 1 });
    const began = Date.now();
    await made.drain();
    await closed;
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(new Set(answered(received))).toEqual(new Set(['200']));
    expect(received.match(/Connection: close/g)).toHaveLength(1);
    expect(made.requestsUnderWay).toBe(0);
  });

  it('answers for two seconds requests that were sent before clients could know, then closes', async () => {
    const { made, url } = await start({ auth: false });
    const [used, fresh, idle] = [connect(url), connect(url), connect(url)];
    used.write(bytesOf('ListKeys'));
    await once(used, 'data');
    await vi.waitFor(async () => expect(await made.connections()).toBe(3));
    const began = Date.now();
    const drained = made.drain();
    const closedAfter = (socket: Socket) =>
      once(socket.resume(), 'close').then(() => Date.now() - began);
    const idleClosed = closedAfter(idle);
    for (const [socket, after] of [
      [used, 200],
      [fresh, 1500],
    ] as const) {
      await new Promise((resolve) => setTimeout(resolve, began + after - Date.now()));
      const [[data]] = await Promise.all([
        once(socket, 'data'),
        closedAfter(socket),
        socket.write(bytesOf('DescribeKey', { KeyId })),
      ]);
      expect(answered(String(data))).toEqual(['200']);
      expect(String(data)).toMatch(/Connection: close\r\n/);
    }
    expect(await idleClosed).toBeGreaterThan(1900);
    await drained;
    expect(Date.now() - began).toBeLessThan(4000);
  });

  it('answers all requests that came in a row and were not read yet', async () => {
    const { made, url } = await start({ auth: false });
    const socket = connect(url);
    await vi.waitFor(async () => expect(await made.connections()).toBe(1));
    socket.write(bytesOf('ListKeys').repeat(20));
    const drained = made.drain();
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    await Promise.all([once(socket, 'close'), drained]);
    expect(answered(received)).toHaveLength(20);
    expect(received.match(/Connection: close/g)).toHaveLength(1);
  });

  it('is over at once if no client is connected', async () => {
    const { made } = await start({});
    const began = Date.now();
    await made.drain();
    expect(Date.now() - began).toBeLessThan(500);
  });

  it('sends answers to their end to a client that reads slowly', async () => {
    const { made, url } = await start({ auth: false });
    const statement = { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' };
    const Policy = JSON.stringify({ Id: 'x'.repeat(30_000), Statement: [statement] });
    const { KeyMetadata: long } = await kms.createKey({ Policy });
    const socket = connect(url).pause();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // More than the buffers between the server and its client can hold.
    socket.write(bytesOf('GetKeyPolicy', { KeyId: long?.KeyId }).repeat(250));
    let before = -1;
    await vi.waitFor(
      () => {
        const [earlier, now] = [before, made.requestsUnderWay];
        before = now;
        expect(now > 0 && now === earlier).toBe(true);
      },
      { interval: 200, timeout: 10_000 },
    );
    const drained = made.drain();
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    socket.resume();
    await drained;
    await closed;
    expect(answered(received).length).toBe(250);
    expect(received.endsWith('}')).toBe(true);
  });

  it('cuts off requests that take too long', async () => {
    const { made, url } = await start({ auth: false });
    const slow = exchange(url, bytesOf('ListKeys').replace('{}', '{'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const began = Date.now();
    await made.drain(100);
    expect(Date.now() - began).toBeLessThan(2000);
    expect(await slow).toBe('');
  });

  it('may be asked for twice', async () => {
    const { made } = await start({});
    await Promise.all([made.drain(), made.drain()]);
  });
});

describe('without authentication', () => {
  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '128.0.0.1'])(
    'nothing listens on %s',
    async (host) => {
      const server = createServer(kms, { auth: false });
      await expect(server.listen({ host, port: 0 })).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: `without authentication everyone could use keys at ${host}`,
      });
    },
  );

  it.each(['127.0.0.1', 'localhost', '127.1.2.3'])('%s is fine', async (host) => {
    const server = createServer(kms, { auth: false });
    const where = await server.listen({ host, port: 0 });
    expect(where).toMatch(`http://${host}:`);
    await server.drain();
  });

  it.each([
    ['localhost:4599', '200'],
    ['127.0.0.1', '200'],
    ['[::1]:4599', '200'],
    ['rebound.example.com', '403'],
    ['127.0.0.1.example.com:4599', '403'],
    ['', '403'],
  ])('a request to %j gets %s: a page in a browser could have sent it', async (host, status) => {
    const call = bytesOf('ListKeys', {}, lastOne).replace('host: 127.0.0.1', `host: ${host}`);
    expect(answered(await exchange(url, call))).toEqual([status]);
  });
});

it('the host of a target in absolute form counts, and not the Host field', async () => {
  const to = (target: string, host: string) =>
    bytesOf('ListKeys', {}, lastOne)
      .replace('POST /', `POST ${target}`)
      .replace('host: 127.0.0.1', `host: ${host}`);
  const own = await exchange(url, to('http://localhost:4599/', 'example.com'));
  expect(answered(own)).toEqual(['200']);
  const rebound = await exchange(url, to('http://example.com/', 'localhost'));
  expect(answered(rebound)).toEqual(['403']);
});

it('says so when it cannot listen', async () => {
  const port = Number(new URL(url).port);
  await expect(createServer(kms).listen({ port })).rejects.toMatchObject({
    name: 'ConfigurationError',
    message: expect.stringMatching(/^cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE/),
  });
});

describe('TLS', () => {
  function certificate(name: string) {
    const folder = temporaryFolder();
    const [key, cert] = [`${folder}/key.pem`, `${folder}/cert.pem`];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const files = ['-keyout', key, '-out', cert];
    const subject = ['-days', '2', '-subj', `/CN=${name}`];
    execFileSync('openssl', ['req', ...kind, ...files, ...subject], { stdio: 'pipe' });
    return { cert: readFileSync(cert), key: readFileSync(key) };
  }

  async function greet(to: string, options: tls.ConnectionOptions = {}) {
    const { port } = new URL(to);
    const socket = tls.connect({ port: Number(port), rejectUnauthorized: false, ...options });
    await once(socket, 'secureConnect');
    const facts = { name: socket.getPeerCertificate().subject.CN, version: socket.getProtocol() };
    return { socket, facts };
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is served in version %s', async (version) => {
    const { url } = await start({ auth: false, tls: certificate('one') });
    expect(url).toMatch(/^https:/);
    const { socket, facts } = await greet(url, { minVersion: version, maxVersion: version });
    expect(facts).toEqual({ name: 'one', version });
    socket.write(bytesOf('ListKeys'));
    const [data] = await once(socket, 'data');
    expect(answered(String(data))).toEqual(['200']);
    socket.destroy();
  });

  it('is not served in older versions of TLS, nor without TLS', async () => {
    const { url } = await start({ auth: false, tls: certificate('one') });
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(greet(url, old)).rejects.toThrow();
    expect(answered(await exchange(url, bytesOf('ListKeys')))).toEqual([]);
    (await greet(url)).socket.destroy();
  });

  it('takes another certificate while connections of the first one go on', async () => {
    const { made, url } = await start({ auth: false, tls: certificate('one') });
    const first = await greet(url);
    made.setTls(certificate('two'));
    const second = await greet(url);
    expect([first.facts.name, second.facts.name]).toEqual(['one', 'two']);
    first.socket.write(bytesOf('ListKeys'));
    const [data] = await once(first.socket, 'data');
    expect(answered(String(data))).toEqual(['200']);
    first.socket.destroy();
    second.socket.destroy();
    const { cert } = certificate('three');
    expect(() => made.setTls({ cert, key: certificate('four').key })).toThrow();
    const third = await greet(url);
    expect(third.facts.name).toBe('two');
    third.socket.destroy();
  });
});
