import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler, type Handler } from '../../lib/http/handler.ts';
import { canonicalHead } from '../../lib/http/signature.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { openKms } from '../operations/support.ts';
import {
  type AccessKey,
  callHeaders,
  host,
  type Sent,
  signed,
  summaryOf,
  toRequest,
} from './support.ts';

const principal = 'arn:aws:iam::000000000000:user/alice';
// Near midnight, so that dates can differ within the time that signatures are good for.
const now = Date.parse('2026-11-22T00:02:00Z');
const stamp = '20261122T000200Z';
const date = new Date(now);
const minute = 60_000;

let kms: Pairmint;
let handle: Handler;
let alice: AccessKey;
let bob: AccessKey;
let session: AccessKey;
let clock = now;

beforeAll(async () => {
  kms = await openKms();
  handle = createHandler(kms, { now: () => clock });
  alice = await kms.credentials.create({ principal });
  bob = await kms.credentials.create({ principal: 'arn:aws:iam::000000000000:user/bob' });
  session = (await kms.credentials.create({
    principal: 'arn:aws:sts::000000000000:assumed-role/app/one',
    durationSeconds: 1_000_000_000,
  })) as AccessKey;
});
afterAll(() => kms.close());

const listKeys: Sent = { headers: callHeaders('ListKeys'), body: '{}' };

async function send(sent: Sent): Promise<string> {
  return summaryOf(await handle(toRequest(sent)));
}

describe('signatures of the JavaScript SDK', () => {
  const rows: [string, Sent][] = [
    ['a plain request', listKeys],
    ['a path', { ...listKeys, path: '/sub/path' }],
    ['a path that ends with a slash', { ...listKeys, path: '/sub/path/' }],
    ['a path with empty and dot segments', { ...listKeys, path: '/a//b/./c/../d' }],
    ['a path with what must be encoded', { ...listKeys, path: "/a%20b/~-_./!'()*:@&=+$,;" }],
    ['a path that is encoded UTF-8', { ...listKeys, path: '/%E1%88%B4' }],
    ['a query', { ...listKeys, path: '/?b=2&a=1&c=' }],
    ['a query with what must be encoded', { ...listKeys, path: '/?a=%20%2B%26&%C3%BC=%3D' }],
    ['an empty value', { ...listKeys, path: '/?a=&b=' }],
    ['a header with spaces', { ...listKeys, headers: { ...listKeys.headers, 'x-a': '  a   b  ' } }],
    ['a header with tabs', { ...listKeys, headers: { ...listKeys.headers, 'x-a': 'a\tb \t c' } }],
    ['a header with commas', { ...listKeys, headers: { ...listKeys.headers, 'x-a': 'a,b, c' } }],
    ['an empty header', { ...listKeys, headers: { ...listKeys.headers, 'x-a': '' } }],
    ['many headers', { ...listKeys, headers: { ...listKeys.headers, 'x-amz-z': 'z', 'a-b': 'c' } }],
    ['a longer body', { ...listKeys, body: JSON.stringify({ Limit: 5, x: 'ü'.repeat(9999) }) }],
  ];

  it.each(rows)('%s', async (_title, sent) => {
    expect(await send(await signed(sent, alice, { date }))).toMatch(/^200 /);
  });

  it.each([-5 * minute, -1, 0, 4 * minute])('with a clock %i ms off', async (skew) => {
    const other = new Date(now + skew);
    expect(await send(await signed(listKeys, alice, { date: other }))).toMatch(/^200 /);
  });

  it('with a session token', async () => {
    expect(await send(await signed(listKeys, session, { date }))).toMatch(/^200 /);
  });

  it('in capital letters of header names, and in any order of headers', async () => {
    const { headers, ...rest } = await signed(listKeys, alice, { date });
    const capital = Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]);
    expect(await send({ ...rest, headers: Object.fromEntries(capital.reverse()) })).toMatch(
      /^200 /,
    );
  });

  it('with headers added on the way that are not signed', async () => {
    const request = await signed(listKeys, alice, { date });
    const headers = { ...request.headers, 'x-amzn-trace-id': 'Root=1', via: ['1.1 a', '1.1 b'] };
    expect(await send({ ...request, headers })).toMatch(/^200 /);
  });

  it('of a day whose key was used before, and of two days around midnight', async () => {
    for (const skew of [-4 * minute, 0, -4 * minute, 0]) {
      const other = new Date(now + skew);
      expect(await send(await signed(listKeys, alice, { date: other }))).toMatch(/^200 /);
    }
  });

  it('stand for the principal of their access key', async () => {
    const carol = await kms.credentials.create({
      principal: 'arn:aws:iam::000000000000:user/carol',
      identityPolicy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 'kms:ListAliases', Resource: '*' }],
      }),
    });
    const aliases = { ...listKeys, headers: callHeaders('ListAliases') };
    expect(await send(await signed(aliases, carol, { date }))).toMatch(/^200 /);
    expect(await send(await signed(listKeys, carol, { date }))).toMatch(
      /^400 AccessDeniedException: User: arn:aws:iam::000000000000:user\/carol is not authorized/,
    );
  });
});

describe('a request is served in the region that it is signed for', () => {
  const create = { headers: callHeaders('CreateKey'), body: '{}' };
  const regions = ['us-east-1', 'us-west-2', 'eu-central-1', 'us-gov-west-1'];

  it.each(regions)('%s', async (region) => {
    // A second time, with the first one remembered.
    for (let i = 0; i < 2; i++) {
      expect(await send(await signed(create, alice, { date, region }))).toContain(
        `"Arn":"arn:aws:kms:${region}:000000000000:key/`,
      );
    }
  });

  it('and a signature for one is not valid for another', async () => {
    const { headers, body = '' } = await signed(create, alice, { date, region: 'us-west-2' });
    const authorization = headers.authorization?.replace('us-west-2', 'us-east-1');
    expect(await send({ headers: { ...headers, authorization }, body })).toBe(mismatch);
  });

  it('which may be restricted to one', async () => {
    const one = createHandler(kms, { now: () => clock, region: 'eu-west-1' });
    const sendTo = async (region: string) =>
      summaryOf(await one(toRequest(await signed(create, alice, { date, region }))));
    expect(await sendTo('eu-west-1')).toContain('"Arn":"arn:aws:kms:eu-west-1:');
    expect(await sendTo('us-east-1')).toBe(badScope(badRegion('us-east-1')));
  });

  it('without authentication, too, if it is signed at all', async () => {
    const open = createHandler(kms, { auth: false });
    const outcome = async (sent: Sent, handle = open) => summaryOf(await handle(toRequest(sent)));
    const nobody = { accessKeyId: 'any', secretAccessKey: 'any' };
    const sent = await signed(create, nobody, { region: 'us-west-2' });
    expect(await outcome(sent)).toContain('"Arn":"arn:aws:kms:us-west-2:');
    expect(await outcome(create)).toContain('"Arn":"arn:aws:kms:us-east-1:');
    for (const authorization of ['x', 'AWS4-HMAC-SHA256 Credential=a/b/local/kms/aws4_request']) {
      const headers = { ...create.headers, authorization };
      expect(await outcome({ ...create, headers })).toContain('"Arn":"arn:aws:kms:us-east-1:');
    }
    const one = createHandler(kms, { auth: false, region: 'eu-west-1' });
    expect(await outcome(sent, one)).toBe(badScope(badRegion('us-west-2')));
    expect(await outcome(create, one)).toContain('"Arn":"arn:aws:kms:eu-west-1:');
  });
});

// The suite that AWS publishes with its signers: get-vanilla-query-order-key-case and
// get-header-key-duplicate, canonical requests but for the hash of the body.
describe("canonical requests of AWS's test suite", () => {
  const common = { host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z' };
  const signedHeaders = (text: string) => ({ names: text.split(';'), text });

  it('sorts the query', () => {
    const sent = { method: 'GET', path: '/?Param2=value2&Param1=value1', headers: common };
    expect(canonicalHead(toRequest(sent), signedHeaders('host;x-amz-date'))).toBe(
      'GET\n/\nParam1=value1&Param2=value2\nhost:example.amazonaws.com\n' +
        'x-amz-date:20150830T123600Z\n\nhost;x-amz-date\n',
    );
  });

  it('folds white space of ASCII, which is all that signers see', () => {
    const headers = { ...common, 'my-header1': '\t a \t\tb  c\t', 'my-header2': 'a\xc3\xa0' };
    const request = toRequest({ method: 'GET', headers });
    expect(canonicalHead(request, signedHeaders('my-header1;my-header2'))).toBe(
      'GET\n/\n\nmy-header1:a b c\nmy-header2:a\xc3\xa0\n\nmy-header1;my-header2\n',
    );
  });

  it('joins fields of one name, in the order of the request', () => {
    const headers = { ...common, 'my-header1': ['value2', ' value2', 'value1 '] };
    const request = toRequest({ method: 'GET', headers });
    expect(canonicalHead(request, signedHeaders('host;my-header1;x-amz-date'))).toBe(
      'GET\n/\n\nhost:example.amazonaws.com\nmy-header1:value2,value2,value1\n' +
        'x-amz-date:20150830T123600Z\n\nhost;my-header1;x-amz-date\n',
    );
  });
});

const mismatch =
  '400 InvalidSignatureException: The request signature we calculated does not match the ' +
  'signature you provided. Check your AWS Secret Access Key and signing method. Consult the ' +
  'service documentation for details.';
const unrecognized =
  '400 UnrecognizedClientException: The security token included in the request is invalid.';
const noToken = '400 MissingAuthenticationTokenException: Missing Authentication Token';
const both =
  "400 InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and " +
  "'Authorization' as HTTP header.";
const presigned =
  '400 InvalidSignatureException: A signature in the query string is not accepted: sign the ' +
  'Authorization header.';
const requires = (...parts: string[]) =>
  new RegExp(
    `^400 IncompleteSignatureException: ${parts
      .map((part) => `Authorization header requires '${part}' parameter\\. `)
      .join('')}Authorization=AWS4-`,
  );
const requiresDate =
  /^400 IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header\. Authorization=AWS4-/;
const badDate = (got: string) =>
  `400 IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got '${got}'. ` +
  'See http://en.wikipedia.org/wiki/ISO_8601';
const expired = (at: string) =>
  `400 InvalidSignatureException: Signature expired: ${at} is now earlier than ` +
  `20261121T235700Z (${stamp} - 5 min.)`;
const early = (at: string) =>
  `400 InvalidSignatureException: Signature not yet current: ${at} is still later than ` +
  `20261122T000700Z (${stamp} + 5 min.)`;
const unsignedHeader = (name: string) =>
  `400 InvalidSignatureException: '${name}' must be a 'SignedHeader' in the AWS Authorization.`;
const badAlgorithm = (got: string) =>
  `400 IncompleteSignatureException: Unsupported AWS 'algorithm': '${got}' ` +
  '(only AWS4-HMAC-SHA256 for now).';
const badCredential = (got: string) =>
  '400 IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, ' +
  `e.g. keyid/date/region/service/term, got '${got}'`;
const badScope = (...complaints: string[]) =>
  `400 InvalidSignatureException: ${complaints.join(' ')}`;
const badRegion = (got: string) => `Credential should be scoped to a valid region, not '${got}'.`;
const badService = "Credential should be scoped to correct service: 'kms'.";
const badTerminator = (got: string) =>
  `Credential should be scoped with a valid terminator: 'aws4_request', not '${got}'.`;
const badDay = (got: string) =>
  'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
  `'${got}' != '20261122', from '${stamp}'.`;

interface Signed {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string | Uint8Array;
}

/** A request that is right, changed on its way. */
type Change = (request: Signed) => Partial<Signed>;

const header =
  (name: string, value: string | string[] | undefined): Change =>
  ({ headers }) => ({ headers: { ...headers, [name]: value } });

const authorization =
  (change: (text: string) => string): Change =>
  ({ headers }) => ({
    headers: { ...headers, authorization: change(headers.authorization as string) },
  });

const replacing = (from: string | RegExp, to: string) =>
  authorization((text) => {
    const changed = text.replace(from, to);
    if (changed === text) throw new Error(`the authorization has no ${from}`);
    return changed;
  });

const credentialOf = (text: string) => /Credential=([^,]*)/.exec(text)?.[1] ?? '';

describe('requests that were changed on their way', () => {
  const rows: [string, Change, string | RegExp][] = [
    ['another body', () => ({ body: '{"Limit":1}' }), mismatch],
    ['a body with a space more', () => ({ body: '{ }' }), mismatch],
    ['another path', () => ({ path: '/x' }), mismatch],
    ['a path with a query', () => ({ path: '/?x=y' }), mismatch],
    [
      'an operation that was not signed for',
      header('x-amz-target', 'TrentService.CreateKey'),
      mismatch,
    ],
    ['another host', header('host', 'example.com'), mismatch],
    ['another port', header('host', `${host}:444`), mismatch],
    ['two hosts', header('host', [host, host]), mismatch],
    ['another content type', header('content-type', 'application/json'), mismatch],
    ['another second', header('x-amz-date', '20261122T000201Z'), mismatch],
    ['a hash of another body', header('x-amz-content-sha256', 'UNSIGNED-PAYLOAD'), mismatch],
    ['a signed header changed', header('x-signed', 'b'), mismatch],
    ['a signed header twice', header('x-signed', ['a', 'a']), mismatch],
    ['a signed header left out', header('x-signed', undefined), mismatch],
    ['no host', header('host', undefined), mismatch],
    ['a session token that was not there', header('x-amz-security-token', 'x'), unrecognized],
    [
      'the signature of nothing',
      replacing(/Signature=.*/, `Signature=${'0'.repeat(64)}`),
      mismatch,
    ],
    ['a short signature', replacing(/.$/, ''), mismatch],
    ['a long signature', replacing(/$/, '0'), mismatch],
    ['a signature in capital letters', authorization(capitals), mismatch],
    ['a signature that is no hex', replacing(/Signature=.*/, 'Signature=é'), mismatch],
    [
      'signed headers in another order',
      replacing(/SignedHeaders=[^,]*/, 'SignedHeaders=x-amz-target;host'),
      mismatch,
    ],
    ['signed headers in capital letters', replacing('host;', 'Host;'), mismatch],
    ['a signed header that was not sent', replacing('host;', 'host;nonsense;'), mismatch],
    ['a signed header of an inherited name', replacing('host;', 'host;constructor;'), mismatch],
    ['a signed header twice in the list', replacing('host;', 'host;host;'), mismatch],
    ['an empty name in the list', replacing('host;', 'host;;'), mismatch],
    ['host not signed', replacing('host;', ''), unsignedHeader('Host')],
    ['the target not signed', replacing(';x-amz-target', ''), unsignedHeader('X-Amz-Target')],
    [
      'no signed headers',
      replacing(/SignedHeaders=[^,]*/, 'SignedHeaders='),
      requires('SignedHeaders'),
    ],
    ['signed headers left out', replacing(/SignedHeaders=[^,]*, /, ''), requires('SignedHeaders')],
    ['the signature left out', replacing(/, Signature=.*/, ''), requires('Signature')],
    ['the credential left out', replacing(/Credential=[^,]*, /, ''), requires('Credential')],
    [
      'everything left out',
      authorization(() => 'AWS4-HMAC-SHA256'),
      requires('Credential', 'Signature', 'SignedHeaders'),
    ],
    [
      'two credentials',
      authorization((text) => `${text}, Credential=${credentialOf(text)}`),
      requires('Credential'),
    ],
    ['two signatures', replacing('Signature=', 'Signature=0, Signature='), requires('Signature')],
    [
      'two authorizations',
      ({ headers }) =>
        header('authorization', [`${headers.authorization}`, `${headers.authorization}`])({
          headers,
        } as Signed),
      requires('Credential', 'Signature', 'SignedHeaders'),
    ],
    [
      'an authorization, and behind it one that says nothing',
      ({ headers }) =>
        header('authorization', [`${headers.authorization}`, 'AWS4-HMAC-SHA256 x'])({
          headers,
        } as Signed),
      requires('Credential', 'Signature', 'SignedHeaders'),
    ],
    [
      'parameters in lower case',
      authorization((text) => text.replace('Credential=', 'credential=')),
      requires('Credential'),
    ],
    ['no authorization', header('authorization', undefined), noToken],
    ['an empty authorization', header('authorization', ''), noToken],
    ['another scheme', header('authorization', 'Bearer x'), noToken],
    ['the scheme of version 2', header('authorization', 'AWS AKIA:x='), noToken],
    ['another algorithm', replacing('SHA256', 'SHA25'), badAlgorithm('AWS4-HMAC-SHA25')],
    [
      'an algorithm of another family',
      replacing('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
      badAlgorithm('AWS4-ECDSA-P256-SHA256'),
    ],
    ['an algorithm in lower case', replacing('SHA256', 'sha256'), badAlgorithm('AWS4-HMAC-sha256')],
    ['no date', header('x-amz-date', undefined), requiresDate],
    ['an empty date', header('x-amz-date', ''), requiresDate],
    [
      'a date in the other header',
      ({ headers }) => ({ headers: { ...headers, 'x-amz-date': undefined, date: stamp } }),
      mismatch,
    ],
    ['an invalid date', header('x-amz-date', '201'), badDate('201')],
    [
      'a date in the extended format',
      header('x-amz-date', '2026-11-22T00:02:00Z'),
      badDate('2026-11-22T00:02:00Z'),
    ],
    [
      'a day that does not exist',
      header('x-amz-date', '20260231T000000Z'),
      badDate('20260231T000000Z'),
    ],
    ['the 13th month', header('x-amz-date', '20261322T000200Z'), badDate('20261322T000200Z')],
    ['the 24th hour', header('x-amz-date', '20261121T240200Z'), badDate('20261121T240200Z')],
    ['two dates', header('x-amz-date', [stamp, stamp]), badDate(`${stamp},${stamp}`)],
    [
      'a date 5 minutes and a second ago',
      header('x-amz-date', '20261121T235659Z'),
      expired('20261121T235659Z'),
    ],
    ['a date long ago', header('x-amz-date', '20130609T100015Z'), expired('20130609T100015Z')],
    [
      'a date in 5 minutes and a second',
      header('x-amz-date', '20261122T000701Z'),
      early('20261122T000701Z'),
    ],
    ['a date far ahead', header('x-amz-date', '99991231T235959Z'), early('99991231T235959Z')],
    [
      'a credential of 4 parts',
      replacing('/aws4_request', ''),
      /^400 IncompleteSignatureException: Credential must have exactly 5 slash-delimited/,
    ],
    [
      'a credential of 6 parts',
      replacing('/aws4_request', '/a/b'),
      /got 'AKIA[A-Z2-7]{16}\/20261122\/us-east-1\/kms\/a\/b'$/,
    ],
    [
      'an invalid credential',
      replacing(/Credential=[^,]*/, 'Credential=a/b/c/d'),
      badCredential('a/b/c/d'),
    ],
    ['another region', replacing('/us-east-1/', '/c/'), badScope(badRegion('c'))],
    ['another service', replacing('/kms/', '/sts/'), badScope(badService)],
    ['another terminator', replacing('/aws4_request', '/e'), badScope(badTerminator('e'))],
    [
      'another day in the scope',
      replacing('/20261122/', '/20261121/'),
      badScope(badDay('20261121')),
    ],
    [
      'a scope that is wrong all over',
      replacing(/Credential=[^,]*/, 'Credential=a/b/c/d/e'),
      badScope(badRegion('c'), badService, badTerminator('e'), badDay('b')),
    ],
    [
      'an access key that does not exist',
      replacing(/AKIA[A-Z2-7]{16}/, `AKIA${'A'.repeat(16)}`),
      unrecognized,
    ],
    ['an access key of no form', replacing(/AKIA[A-Z2-7]{16}/, 'a'), unrecognized],
    ['no access key', replacing(/AKIA[A-Z2-7]{16}/, ''), unrecognized],
    [
      'an access key in lower case',
      authorization((text) => text.replace(/AKIA[A-Z2-7]{16}/, (id) => id.toLowerCase())),
      unrecognized,
    ],
    ['an access key with a path in it', replacing(/AKIA[A-Z2-7]{16}/, '..%2fAKIA'), unrecognized],
    [
      "another's access key",
      authorization((text) => text.replace(/AKIA[A-Z2-7]{16}/, bob.accessKeyId)),
      mismatch,
    ],
    [
      "a session's access key",
      authorization((text) => text.replace(/AKIA[A-Z2-7]{16}/, session.accessKeyId)),
      unrecognized,
    ],
    [
      'a signature in the query as well',
      () => ({ path: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256' }),
      both,
    ],
    [
      'the signature in the query alone',
      ({ headers }) => ({
        path: `/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Date=${stamp}&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0`,
        headers: { ...headers, authorization: undefined },
      }),
      presigned,
    ],
  ];

  function capitals(text: string): string {
    return text.replace(/Signature=.*/, (part) => `Signature=${part.slice(10).toUpperCase()}`);
  }

  it.each(rows)('%s', async (_title, change, expected) => {
    const sent = { ...listKeys, headers: { ...listKeys.headers, 'x-signed': 'a' } };
    const right = (await signed(sent, alice, { date })) as Signed;
    expect(await send(right as Sent)).toMatch(/^200 /);
    const answer = await send({ ...right, ...change(right) } as Sent);
    if (typeof expected === 'string') expect(answer).toBe(expected);
    else expect(answer).toMatch(expected);
  });
});

describe('requests that were signed wrongly', () => {
  const wrongSecret = () => ({ ...alice, secretAccessKey: bob.secretAccessKey });
  const rows: [string, () => Promise<Sent>, string][] = [
    ['with another secret', () => signed(listKeys, wrongSecret(), { date }), mismatch],
    [
      'with no secret',
      () => signed(listKeys, { ...alice, secretAccessKey: '' }, { date }),
      mismatch,
    ],
    [
      'with a secret cut short',
      () =>
        signed(listKeys, { ...alice, secretAccessKey: alice.secretAccessKey.slice(1) }, { date }),
      mismatch,
    ],
    ...[
      'here',
      'us-east',
      'US-EAST-1',
      'us-east-1 ',
      'aws-global',
      '*',
      `us-${'x'.repeat(40)}-1`,
    ].map((region): [string, () => Promise<Sent>, string] => [
      `for ${JSON.stringify(region)}, which is no region`,
      () => signed(listKeys, alice, { date, region }),
      badScope(badRegion(region)),
    ]),
    [
      'for another service',
      () => signed(listKeys, alice, { date, service: 'sts' }),
      badScope(badService),
    ],
    [
      'too early',
      () => signed(listKeys, alice, { date: new Date(now + 6 * minute) }),
      early('20261122T000800Z'),
    ],
    [
      'too late',
      () => signed(listKeys, alice, { date: new Date(now - 6 * minute) }),
      expired('20261121T235600Z'),
    ],
    [
      'without a session token',
      () => signed(listKeys, { ...session, sessionToken: '' }, { date }),
      unrecognized,
    ],
    [
      'with a wrong session token',
      () => signed(listKeys, { ...session, sessionToken: 'x' }, { date }),
      unrecognized,
    ],
    [
      'with a session token too many',
      () => signed(listKeys, { ...alice, sessionToken: 'x' }, { date }),
      unrecognized,
    ],
    [
      'without the host',
      () => signed(listKeys, alice, { date, unsignable: ['host'] }),
      unsignedHeader('Host'),
    ],
    [
      'without the target',
      () => signed(listKeys, alice, { date, unsignable: ['x-amz-target'] }),
      unsignedHeader('X-Amz-Target'),
    ],
  ];

  it.each(rows)('%s', async (_title, request, expected) => {
    expect(await send(await request())).toBe(expected);
  });

  it('with a session that is over', async () => {
    const short = (await kms.credentials.create({ principal, durationSeconds: 60 })) as AccessKey;
    const { creationDate } = (await kms.credentials.find(short.accessKeyId))?.record ?? {};
    for (const [after, expected] of [
      [59_000, /^200 /],
      [
        60_000,
        /^400 ExpiredTokenException: The security token included in the request is expired$/,
      ],
    ] as const) {
      clock = (creationDate ?? 0) + after;
      expect(await send(await signed(listKeys, short, { date: new Date(clock) }))).toMatch(
        expected,
      );
    }
    clock = now;
  });
});
