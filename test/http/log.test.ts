import { closeSync, openSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLog, type LogLevel, requestLogger } from '../../lib/http/log.ts';
import { createServer, type ServerOptions } from '../../lib/http/server.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { newKey, openKms, caller as root } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { bytesOf, exchange, lastOne } from './raw.ts';

let kms: Pairmint;
beforeAll(async () => {
  kms = await openKms();
});
afterAll(() => kms.close());

function openLog(level: LogLevel = 'info') {
  const file = `${temporaryFolder()}/log`;
  const fd = openSync(file, 'w');
  const log = createLog(level, fd);
  onTestFinished(async () => {
    await new Promise((resolve) => log.flush(resolve));
    closeSync(fd);
  });
  const text = async () => {
    await new Promise((resolve) => log.flush(resolve));
    return readFileSync(file, 'utf8');
  };
  const lines = async () =>
    (await text())
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { log, file, text, lines };
}

async function start(service: Pairmint, options: ServerOptions = {}, level?: LogLevel) {
  const { log, ...written } = openLog(level);
  const server = createServer(service, { auth: false, onRequest: requestLogger(log), ...options });
  const url = await server.listen({ port: 0 });
  onTestFinished(() => server.drain(0));
  return { url, ...written };
}

const call = (url: string, operation: string, members = {}) =>
  exchange(url, bytesOf(operation, members, lastOne));

describe('a request', () => {
  it('is one line', async () => {
    const { url, lines } = await start(kms);
    const received = await call(url, 'DescribeKey', { KeyId: 'alias/nonsense' });
    const [, requestId] = /x-amzn-RequestId: (\S+)/.exec(received) ?? [];
    expect(await lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        pid: process.pid,
        requestId,
        operation: 'DescribeKey',
        status: 400,
        error: 'NotFoundException',
        milliseconds: expect.any(Number),
        principal: root,
        msg: 'request',
      },
    ]);
  });

  it('that fails for reasons of the server is a warning with the cause', async () => {
    const deeper = Object.assign(new Error('no space'), { code: 'ENOSPC', detail: 'SECRET' });
    const cause = new TypeError('cannot commit', { cause: deeper });
    const failing = { call: () => Promise.reject(cause), principal: root };
    const { url, lines } = await start(failing as unknown as Pairmint);
    await call(url, 'ListKeys');
    expect(await lines()).toMatchObject([
      {
        level: 'warn',
        status: 500,
        error: 'KMSInternalException',
        cause: {
          name: 'TypeError',
          message: 'cannot commit',
          stack: expect.stringContaining('log.test.ts'),
          cause: { name: 'Error', message: 'no space', code: 'ENOSPC' },
        },
      },
    ]);
    expect(JSON.stringify(await lines())).not.toContain('SECRET');
  });

  it('is not written if only warnings are wanted', async () => {
    const { url, text } = await start(kms, {}, 'warn');
    await call(url, 'ListKeys');
    expect(await text()).toBe('');
  });

  it('is in the log within a second, though lines are written some at a time', async () => {
    const { log, file } = openLog();
    log.info('a line');
    expect(readFileSync(file, 'utf8')).toBe('');
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('a line'));
  });
});

it('that cannot be written does not stop the server', async () => {
  const fd = openSync('/dev/full', 'w');
  const log = createLog('info', fd);
  for (let i = 0; i < 100; i++) log.info('x'.repeat(100));
  const failure = await new Promise<Error | undefined>((resolve) => log.flush(resolve));
  expect(failure).toMatchObject({ code: 'ENOSPC' });
  const { url } = await start(kms, { onRequest: requestLogger(log) });
  expect(await call(url, 'ListKeys')).toMatch(/^HTTP\/1\.1 200/);
  // Its timer goes on trying.
  await new Promise((resolve) => setTimeout(resolve, 300));
});

it('has nothing that a client has written, whatever becomes of the request', async () => {
  const { url, text, lines } = await start(kms);
  const signing = await start(kms, { auth: true });
  const { KeyId } = await newKey(kms);
  const secret = 'SECRET/Secret+53cr3t';
  const EncryptionContext = { [secret]: secret };
  const calls: [string, object][] = [
    ['Encrypt', { KeyId, Plaintext: Buffer.from(secret).toString('base64'), EncryptionContext }],
    ['Encrypt', { KeyId, Plaintext: secret, EncryptionContext: secret }],
    ['GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext }],
    ['GenerateDataKeyPair', { KeyId, KeyPairSpec: secret }],
    ['CreateKey', { Description: secret, Tags: [{ TagKey: secret, TagValue: secret }] }],
    ['CreateKey', { Policy: secret }],
    ['CreateAlias', { AliasName: `alias/${secret}`, TargetKeyId: KeyId }],
    ['DescribeKey', { KeyId: secret, GrantTokens: [secret] }],
    ['DescribeKey', { KeyId: `arn:aws:kms:us-east-1:000000000000:key/${secret}` }],
    ['Decrypt', { CiphertextBlob: Buffer.from(secret).toString('base64'), KeyId: secret }],
    [secret, { [secret]: secret }],
    ['ListKeys', { Limit: secret, Marker: secret }],
  ];
  const fields = [
    `authorization: AWS4-HMAC-SHA256 Credential=${secret}/20261122/us-east-1/kms/aws4_request, ` +
      `SignedHeaders=host;x-amz-target, Signature=${secret}`,
    `x-amz-security-token: ${secret}`,
    `x-amz-date: ${secret}`,
    `user-agent: ${secret}`,
    `x-amzn-trace-id: ${secret}`,
    '',
  ].join('\r\n');
  for (const { url: to } of [{ url }, signing]) {
    for (const [operation, members] of calls) {
      await exchange(to, bytesOf(operation, members, fields + lastOne));
    }
    await exchange(to, `GET /${secret}?${secret} HTTP/1.1\r\nhost: ${secret}\r\n${lastOne}\r\n`);
    await exchange(to, `GET /${secret} HTTP/1.1\r\nhost: localhost\r\n${lastOne}\r\n`);
    await exchange(to, `${secret}\r\n\r\n`);
    await exchange(to, bytesOf('ListKeys', [secret], lastOne));
    await exchange(to, bytesOf('ListKeys', { secret }, lastOne).replace(/}$/, ']'));
  }
  for (const [log, count] of [
    [await lines(), calls.length + 5],
    [await signing.lines(), calls.length + 5],
  ] as const) {
    expect(log).toHaveLength(count);
  }
  const encoded = ['base64', 'hex', 'utf8'] as const;
  for (const log of [await text(), await signing.text()]) {
    for (const encoding of encoded) {
      expect(log).not.toContain(Buffer.from(secret).toString(encoding).slice(0, 12));
    }
    expect(log.toLowerCase()).not.toMatch(/secret|53cr3t/);
  }
});
