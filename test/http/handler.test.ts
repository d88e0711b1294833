// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createHandler,
  createReception,
  type Handler,
  type RequestEvent,
  type TakeBody,
} from '../../lib/http/handler.ts';
import { KmsError } from '../../lib/model/errors.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { absentKeyId, openKms, caller as root } from '../operations/support.ts';
import {
  type AccessKey,
  callHeaders,
  contentType,
  type Sent,
  type SigningOptions,
  signed,
  summaryOf,
  toRequest,
} from './support.ts';

let kms: Pairmint;
let signedOnly: Handler;
let open: Handler;
const events: RequestEvent[] = [];

beforeAll(async () => {
  kms = await openKms();
  signedOnly = createHandler(kms);
  open = createHandler(kms, { auth: false, onRequest: (event) => events.push(event) });
});
afterAll(() => kms.close());

const xml = (name: string, text: string) => `403 <${name}><Message>${text}</Message></${name}>`;
const denied = xml(
  'AccessDeniedException',
  'Unable to determine service/operation name to be authorized',
);
const unsigned = xml('MissingAuthenticationTokenException', 'Missing Authentication Token');
const missing = '400 MissingAuthenticationTokenException: Missing Authentication Token';
const serialization = '400 SerializationException';
const unknown = '400 UnknownOperationException';
const type = { 'content-type': contentType };
const known = callHeaders('ListKeys');
const other = callHeaders('Nonsense');

function call(operation: string, members: object | string): Promise<string> {
  const body = typeof members === 'string' ? members : JSON.stringify(members);
  return open(toRequest({ headers: callHeaders(operation), body })).then(summaryOf);
}

describe("the front end's checks, in order [CORAL]", () => {
  const authorization = 'AWS4-HMAC-SHA256 x';
  const rows: [string, Sent, string][] = [
    ['another method', { method: 'PUT', headers: known, body: '{}' }, unsigned],
    ['another method, signed', { method: 'PUT', headers: { ...known, authorization } }, denied],
    ['GET', { method: 'GET', headers: known }, unsigned],
    ['GET of something else', { method: 'GET', path: '/healthz/x' }, unsigned],
    ['no content type', { headers: { 'x-amz-target': 'TrentService.ListKeys' } }, unsigned],
    ['no content type, signed', { headers: { authorization }, body: '{}' }, denied],
    ['signed in the query', { path: '/?X-Amz-Algorithm=x', body: '{}' }, denied],
    ['another content type', { headers: { ...known, 'content-type': 'text/plain' } }, unsigned],
    ['two content types', { headers: { 'content-type': [contentType, contentType] } }, unsigned],
    ['no body, no such operation', { headers: other }, unknown],
    ['no body, no target', { headers: type }, unknown],
    ['a body that is no JSON, no such operation', { headers: other, body: '{' }, unknown],
    ['no target', { headers: type, body: '{}' }, unknown],
    ['an unknown operation', { headers: other, body: '{}' }, unknown],
    ['an inherited name', { headers: callHeaders('constructor'), body: '{}' }, unknown],
    [
      "another service's prefix",
      { headers: target('Kinesis_20131202.ListKeys'), body: '{}' },
      unknown,
    ],
    [
      'a prefix in other letters',
      { headers: target('trentservice.ListKeys'), body: '{}' },
      unknown,
    ],
    ['no prefix', { headers: target('ListKeys'), body: '{}' }, unknown],
    [
      'two targets',
      { headers: { ...type, 'x-amz-target': [known['x-amz-target'] ?? '', 'x'] }, body: '{}' },
      unknown,
    ],
    ['no signature', { headers: known, body: '{}' }, missing],
    ['no signature, no body', { headers: known }, missing],
    ['no signature, a body that is no JSON', { headers: known, body: '{' }, missing],
    ['no signature, wrong types', { headers: known, body: '{"Limit":"x"}' }, missing],
    ['no signature, broken constraints', { headers: known, body: '{"Limit":0}' }, missing],
  ];

  it.each(rows)('%s', async (_title, sent, expected) => {
    expect(summaryOf(await signedOnly(toRequest(sent)))).toBe(expected);
  });

  const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  const bodies: [string, string | Buffer, string][] = [
    ['no body', '', serialization],
    ['a body that is no JSON', '{', serialization],
    ['an array', '[]', serialization],
    ['null', 'null', serialization],
    ['text', '"{}"', serialization],
    ['a number', '1', serialization],
    ['a byte order mark', '\ufeff{}', serialization],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff]), serialization],
    ['an object nested as deep as may be', nested(63), '200'],
    ['an object nested deeper', nested(64), serialization],
    ['brackets in texts', `{"a":"${'[{'.repeat(100)}\\"${'[{'.repeat(100)}"}`, '200'],
    ['brackets side by side', `{"a":[${Array(100).fill('[{}]')}]}`, '200'],
  ];

  it.each(bodies)('then the body: %s', async (_title, body, expected) => {
    const answer = summaryOf(await open(toRequest({ headers: known, body })));
    expect(answer.split(' {')[0]).toBe(expected);
  });

  it('and the body before the signature, for those who have an access key', async () => {
    const { accessKeyId } = await kms.credentials.create({ principal: root });
    const key = { accessKeyId, secretAccessKey: 'x' };
    const handle = async (body: string) =>
      summaryOf(await signedOnly(toRequest(await signed({ headers: known, body }, key))));
    expect(await handle('{')).toBe(serialization);
    expect(await handle('{}')).toMatch(/^400 InvalidSignatureException: The request signature/);
  });

  it('holds nothing up with a megabyte of brackets', async () => {
    for (const bracket of ['[', '{"":']) {
      const body = Buffer.from(bracket.repeat(1_000_000 / bracket.length));
      const before = process.cpuUsage();
      expect(summaryOf(await open(toRequest({ headers: known, body })))).toBe(serialization);
      const { user, system } = process.cpuUsage(before);
      expect(user + system).toBeLessThan(150_000);
    }
  });

  function target(value: string) {
    return { ...type, 'x-amz-target': value };
  }

  it('looks at types before constraints, and at both before the key', async () => {
    const type = await call('GenerateDataKey', { KeyId: '', NumberOfBytes: 'x' });
    expect(type).toMatch(/^400 SerializationException: /);
    const constraint = await call('GenerateDataKey', { KeyId: absentKeyId, NumberOfBytes: 0 });
    expect(constraint).toMatch(/^400 ValidationException: 1 validation error detected: /);
    const key = await call('GenerateDataKey', { KeyId: absentKeyId, NumberOfBytes: 1 });
    expect(key).toMatch(/^400 NotFoundException: Key '.*' does not exist$/);
  });

  it.each([
    'application/json',
    'application/x-amz-json-1.1; charset=utf-8',
    'Application/X-Amz-Json-1.1',
  ])('takes %s', async (contentType) => {
    const headers = { ...known, 'content-type': contentType };
    expect(summaryOf(await open(toRequest({ headers, body: '{}' })))).toMatch(/^200 /);
  });

  it.each(['/', '/sub/path', '/?x=y'])('does not look at the path %s', async (path) => {
    expect(summaryOf(await open(toRequest({ path, headers: known, body: '{}' })))).toMatch(/^200 /);
  });
});

describe('a head is reason enough to refuse', () => {
  const now = Date.now();
  let alice: AccessKey;
  let session: AccessKey;

  beforeAll(async () => {
    alice = await kms.credentials.create({ principal: root });
    session = (await kms.credentials.create({
      principal: 'arn:aws:sts::000000000000:assumed-role/app/one',
      durationSeconds: 60,
    })) as AccessKey;
  });

  type Change = (headers: Record<string, string>) => object;
  const as =
    (key: () => AccessKey, options: SigningOptions = {}, change: Change = (same) => same) =>
    async () => {
      const { headers } = await signed({ headers: known, body: '{' }, key(), options);
      return { headers: change(headers) as Record<string, string> };
    };
  const stranger = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x' };

  const rows: [string, () => Promise<Sent>, string][] = [
    ['an unknown operation', async () => ({ headers: other }), 'UnknownOperationException'],
    ['no signature', async () => ({ headers: known }), 'MissingAuthenticationTokenException'],
    [
      'a signature of another kind',
      async () => ({ headers: { ...known, authorization: 'Basic eA==' } }),
      'MissingAuthenticationTokenException',
    ],
    [
      'a signature with parts missing',
      async () => ({ headers: { ...known, authorization: 'AWS4-HMAC-SHA256 x' } }),
      'IncompleteSignatureException',
    ],
    ['a wrong time', as(() => alice, { date: new Date(0) }), 'InvalidSignatureException'],
    ['a wrong service', as(() => alice, { service: 's3' }), 'InvalidSignatureException'],
    ['an invalid region', as(() => alice, { region: 'here' }), 'InvalidSignatureException'],
    ['an unknown access key', as(() => stranger), 'UnrecognizedClientException'],
    [
      'a wrong session token',
      as(() => ({ ...session, sessionToken: 'x' })),
      'UnrecognizedClientException',
    ],
    [
      'a session that is over',
      as(() => session, { date: new Date(now + 120_000) }),
      'ExpiredTokenException',
    ],
    ['two targets', as(() => alice, {}, twoTargets), 'UnknownOperationException'],
  ];

  function twoTargets(headers: Record<string, string>) {
    return { ...headers, 'x-amz-target': [headers['x-amz-target'], 'TrentService.CreateKey'] };
  }

  it.each(rows)('%s', async (title, sent, name) => {
    const time = title === 'a session that is over' ? now + 120_000 : now;
    const told: RequestEvent[] = [];
    const onRequest = (event: RequestEvent) => void told.push(event);
    const receive = createReception(kms, { now: () => time, onRequest });
    const received = await receive(toRequest(await sent()));
    expect(received).not.toBeTypeOf('function');
    expect(told).toMatchObject([{ status: 400, error: { name } }]);
  });

  it('and nothing else before the body is there', async () => {
    const told: RequestEvent[] = [];
    const receive = createReception(kms, { onRequest: (event) => void told.push(event) });
    const sent = await signed({ headers: known, body: '{}' }, alice);
    const takeBody = await receive(toRequest(sent));
    expect(told).toEqual([]);
    const answer = await (takeBody as TakeBody)(Buffer.from('{}'));
    expect(answer.status).toBe(200);
    expect(told).toMatchObject([{ operation: 'ListKeys', status: 200, principal: root }]);
  });

  it('an access key that is deleted while the body comes is refused', async () => {
    const key = await kms.credentials.create({ principal: root });
    const receive = createReception(kms);
    const takeBody = await receive(toRequest(await signed({ headers: known, body: '{}' }, key)));
    await kms.credentials.delete(key.accessKeyId);
    const answer = await (takeBody as TakeBody)(Buffer.from('{}'));
    expect(summaryOf(answer)).toMatch(/^400 UnrecognizedClientException/);
  });
});

describe('types [CORAL]', () => {
  const rows: [string, string][] = [
    ['{"KeyId":5}', 'NUMBER_VALUE can not be converted to a String'],
    ['{"KeyId":[]}', 'Start of list found where not expected'],
    ['{"KeyId":{}}', 'Start of structure or map found where not expected.'],
    ['{"KeyId":"x","EncryptionContext":"x"}', 'Expected map or null'],
    [
      '{"KeyId":"x","Plaintext":"?"}',
      'Value can not be converted to a Blob: ' +
        'Base64 encoded length is expected a multiple of 4 bytes but found: 1',
    ],
  ];

  it.each(rows)('refuses %s', async (body, message) => {
    expect(await call('Encrypt', body)).toBe(`400 SerializationException: ${message}`);
  });

  it('ignores unknown members, and takes null for absent', async () => {
    expect(await call('ListKeys', { Nonsense: [1], Limit: null })).toMatch(/^200 \{"Keys":\[/);
  });

  it('takes __proto__ for a name like any other', async () => {
    const { KeyId } = JSON.parse((await call('CreateKey', {})).slice(4)).KeyMetadata;
    const body = `{"KeyId":"${KeyId}","Plaintext":"eA==","EncryptionContext":{"__proto__":"y"}}`;
    const { CiphertextBlob } = JSON.parse((await call('Encrypt', body)).slice(4));
    expect(await call('Decrypt', { CiphertextBlob })).toBe('400 InvalidCiphertextException');
    const decrypt = `{"CiphertextBlob":"${CiphertextBlob}","EncryptionContext":{"__proto__":"y"}}`;
    expect(await call('Decrypt', decrypt)).toContain('"Plaintext":"eA=="');
  });
});

describe('answers', () => {
  it('are compact JSON, with numbers for times and base64 for bytes', async () => {
    const answer = await open(toRequest({ headers: callHeaders('CreateKey'), body: '{}' }));
    const { KeyMetadata } = JSON.parse(answer.body);
    expect(answer.body).not.toMatch(/\s|null/);
    expect(Math.abs(KeyMetadata.CreationDate - Date.now() / 1000)).toBeLessThan(60);
    const { KeyId } = KeyMetadata;
    expect(await call('GenerateDataKey', { KeyId, KeySpec: 'AES_128' })).toMatch(
      /"Plaintext":"[A-Za-z0-9+/]{22}=="/,
    );
  });

  it('have the headers of AWS', async () => {
    const { headers, body } = await open(toRequest({ headers: known, body: '{}' }));
    expect(headers).toEqual({
      'Content-Type': contentType,
      'Content-Length': String(body.length),
      'x-amzn-RequestId': expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      'Cache-Control': 'no-cache, no-store, must-revalidate, private',
      Expires: '0',
      Pragma: 'no-cache',
    });
  });

  it('count bytes, not characters', async () => {
    const body = JSON.stringify({ Description: 'Schlüssel 🔑' });
    const answer = await open(toRequest({ headers: callHeaders('CreateKey'), body }));
    expect(answer.headers['Content-Length']).toBe(String(Buffer.byteLength(answer.body)));
    expect(answer.body).toContain('Schlüssel 🔑');
  });

  it('have no body if the operation returns nothing', async () => {
    const { KeyId } = JSON.parse((await call('CreateKey', {})).slice(4)).KeyMetadata;
    const body = JSON.stringify({ KeyId });
    const answer = await open(toRequest({ headers: callHeaders('DisableKey'), body }));
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers).toMatchObject({ 'Content-Type': contentType, 'Content-Length': '0' });
    expect(await call('DisableKey', {})).toMatch(/^400 ValidationException/);
    expect(await call('Encrypt', { KeyId, Plaintext: 'eA==' })).toMatch(
      /^400 DisabledException: arn:.* is disabled\.$/,
    );
  });

  it('have another id each, which the audit knows them by', async () => {
    const audited: string[] = [];
    const service = await Pairmint.open({
      store: 'memory:',
      audit: ({ requestID }) => void audited.push(requestID),
    });
    const handle = createHandler(service, { auth: false });
    const ids: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      const { headers } = await handle(toRequest({ headers: known, body: '{}' }));
      ids.push(headers['x-amzn-RequestId']);
    }
    await service.close();
    expect(audited).toEqual(ids);
    expect(new Set(ids).size).toBe(3);
  });

  it('say no more than "internal failure" if anything but the service fails', async () => {
    const cause = new Error('a secret detail');
    const failing = { call: () => Promise.reject(cause) };
    const seen: RequestEvent[] = [];
    const handle = createHandler(failing as unknown as Pairmint, {
      auth: false,
      onRequest: (event) => seen.push(event),
    });
    const answer = await handle(toRequest({ headers: known, body: '{}' }));
    expect(summaryOf(answer)).toBe('500 KMSInternalException: internal failure');
    expect(seen[0]?.error?.cause).toBe(cause);
  });
});

describe('probes', () => {
  it('tell that it runs and that it can serve', async () => {
    for (const path of ['/healthz', '/readyz']) {
      expect(await signedOnly(toRequest({ method: 'GET', path }))).toMatchObject({ status: 200 });
    }
  });

  it('tell that the store is out of reach', async () => {
    const closed = await openKms();
    await closed.close();
    const handle = createHandler(closed);
    expect(await handle(toRequest({ method: 'GET', path: '/healthz' }))).toMatchObject({
      status: 200,
    });
    expect(await handle(toRequest({ method: 'GET', path: '/readyz' }))).toMatchObject({
      status: 503,
    });
  });
});

describe('the observer', () => {
  it('learns operation, status, error, principal and duration of every request', async () => {
    events.length = 0;
    await call('ListKeys', {});
    await call('DescribeKey', { KeyId: absentKeyId });
    await call('Nonsense', {});
    await open(toRequest({ method: 'GET', path: '/healthz' }));
    await open(toRequest({ method: 'GET', path: '/nonsense' }));
    expect(
      events.map(({ operation, status, error, principal }) => [
        operation,
        status,
        error?.name,
        principal,
      ]),
    ).toEqual([
      ['ListKeys', 200, undefined, root],
      ['DescribeKey', 400, 'NotFoundException', root],
      [undefined, 400, 'UnknownOperationException', undefined],
      ['/healthz', 200, undefined, undefined],
      [undefined, 403, 'AccessDeniedException', undefined],
    ]);
    for (const { milliseconds, requestId } of events) {
      expect(milliseconds).toBeGreaterThan(0);
      expect(requestId).toHaveLength(36);
    }
    expect(events[1]?.error).toBeInstanceOf(KmsError);
  });
});

it('rejects with the reason if the caller abandons the request', async () => {
  const { KeyId } = JSON.parse((await call('CreateKey', {})).slice(4)).KeyMetadata;
  const controller = new AbortController();
  const request = toRequest({
    headers: callHeaders('GenerateDataKeyPair'),
    body: JSON.stringify({ KeyId, KeyPairSpec: 'RSA_4096' }),
  });
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 5);
  events.length = 0;
  await expect(open(request, controller.signal)).rejects.toBe(reason);
  expect(events).toMatchObject([{ operation: 'GenerateDataKeyPair', status: undefined }]);
});
