import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from '../lib/core/configuration-error.ts';
import { createHandler } from '../lib/http/handler.ts';
import { createServer } from '../lib/http/server.ts';
import { Pairmint } from '../lib/service/pairmint.ts';

const KeyId = 'alias/pairmint/default';
let kms: Pairmint;

beforeAll(async () => {
  kms = await Pairmint.open({ store: 'memory:' });
});
afterAll(() => kms.close());

/** Whatever TypeScript says. */
const any = (value: unknown) => value as never;
const failureOf = async (run: () => unknown) => {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error;
  }
};

const takers: readonly [string, (options: unknown) => unknown][] = [
  ['Pairmint.open', (options) => Pairmint.open(any(options))],
  ['rootKey of Pairmint.open', (rootKey) => Pairmint.open(any({ store: 'memory:', rootKey }))],
  ['as', (options) => kms.as('arn:aws:iam::000000000000:user/a', any(options))],
  ['mintDataKeyPairs', (options) => kms.mintDataKeyPairs(any({ KeyId }), any(options))],
  ['submit of batches', (options) => kms.batches.submit(any(options))],
  ['work of batches', (options) => kms.batches.work(any(options))],
  ['results of batches', (options) => kms.batches.results('x', any(options)).next()],
  ['createHandler', (options) => createHandler(kms, any(options))],
  ['createServer', (options) => createServer(kms, any(options))],
  ['limits of createServer', (limits) => createServer(kms, any({ limits }))],
  ['tls of createServer', (tls) => createServer(kms, any({ tls }))],
  ['listen', (options) => createServer(kms, { auth: true }).listen(any(options))],
  ['credentials.create', (options) => kms.credentials.create(any(options))],
  ['pools.create', (options) => kms.pools.create(any(options))],
  ['pools.fill', (options) => kms.pools.fill(any(options))],
  ['a request', (options) => kms.call('ListKeys', {}, any(options))],
  ['origin of a request', (origin) => kms.call('ListKeys', {}, any({ origin }))],
];

describe.each(takers)('%s', (taker, give) => {
  it.each([
    ['a string', 'x', 'string'],
    ['a number', 5, 'number'],
    ['an array', [], 'an array'],
  ])('refuses %s and says what is expected', async (_what, options, came) => {
    const error = await failureOf(() => give(options));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toBe(`${taker} must be given an object, not ${came}`);
  });

  it('refuses an option that it does not have, and names it', async () => {
    const error = await failureOf(() => give({ abortsignal: 1, toString: 2 }));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toBe(`${taker} has no option 'abortsignal', 'toString'`);
  });

  it.skipIf(taker === 'a request')('refuses null with a ConfigurationError', async () => {
    expect(await failureOf(() => give(null))).toBeInstanceOf(ConfigurationError);
  });
});

describe('the options of a request', () => {
  it('are no null: that is a TypeError', async () => {
    await expect(kms.listKeys({}, any(null))).rejects.toThrow(TypeError);
  });

  it('may be all that there are, and undefined', async () => {
    const options = { abortSignal: undefined, requestId: 'an id', origin: undefined };
    await expect(kms.listKeys({}, options)).resolves.toBeDefined();
  });
});

describe('the origin of a request', () => {
  const ask = (origin: object) => failureOf(() => kms.listKeys({}, any({ origin })));

  it.each([
    [{ sourceIp: '10.1.2.3:443' }, 'sourceIp', 'an IP address without a port'],
    [{ sourceIp: '[::1]' }, 'sourceIp', 'an IP address without a port'],
    [{ sourceIp: 'localhost' }, 'sourceIp', 'an IP address without a port'],
    [{ sourceIp: 12 }, 'sourceIp', 'a string'],
    [{ secureTransport: 'false' }, 'secureTransport', 'true or false'],
    [{ secureTransport: 0 }, 'secureTransport', 'true or false'],
    [{ userAgent: ['a'] }, 'userAgent', 'a string'],
    [{ referer: null }, 'referer', 'a string'],
  ])('cannot be %j: a Deny by that fact would not apply', async (origin, name, expected) => {
    const error = await ask(origin);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(
      `${name} of a request's origin must be ${expected}, not `,
    );
  });

  it.each([
    {},
    { sourceIp: '::ffff:10.0.0.1', secureTransport: false, userAgent: '', referer: undefined },
    { sourceIp: 'fe80::1%eth0' },
  ])('may be %j', async (origin) => expect(await ask(origin)).toBeUndefined());
});
