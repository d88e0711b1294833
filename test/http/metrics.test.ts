import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createHandler, type RequestEvent } from '../../lib/http/handler.ts';
import { countsOf, type Metrics, merge, textOfAll } from '../../lib/http/metrics.ts';
import { MetricsListener } from '../../lib/http/metrics-listener.ts';
import { createMetrics, createServer, type ServerOptions } from '../../lib/http/server.ts';
import type { Workers } from '../../lib/http/workers.ts';
import { metricsOf } from '../../lib/http/workers-metrics.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { newKey, openKms } from '../operations/support.ts';
import { parseExposition, sampleOf } from './exposition.ts';
import { answered, bytesOf, connect, exchange, lastOne } from './raw.ts';
import { callHeaders, toRequest } from './support.ts';

let kms: Pairmint;
beforeAll(async () => {
  kms = await openKms();
});
afterAll(() => kms.close());

/** A server with metrics of its own, and what its metrics say. */
async function start(options: ServerOptions = {}) {
  const metrics = await createMetrics(kms);
  const server = createServer(kms, { auth: false, metrics, ...options });
  const url = await server.listen({ port: 0 });
  onTestFinished(async () => {
    await server.drain(0);
    metrics.close();
  });
  const read = async (name: string, labels = {}) => sampleOf(await metrics.text(), name, labels);
  const requests = (operation: string, error = '') =>
    read('pairmint_requests_total', { operation, error });
  return { metrics, server, url, read, requests };
}

const call = (url: string, operation: string, members = {}) =>
  exchange(url, bytesOf(operation, members, lastOne));

describe('requests are counted', () => {
  it('by operation and error', async () => {
    const { url, requests } = await start();
    await call(url, 'ListKeys');
    await call(url, 'ListKeys');
    await call(url, 'DescribeKey', { KeyId: 'alias/nonsense' });
    expect(await requests('ListKeys')).toBe(2);
    expect(await requests('DescribeKey', 'NotFoundException')).toBe(1);
    expect(await requests('DescribeKey')).toBeUndefined();
  });

  it('as one operation if they name an unsupported one', async () => {
    const { url, metrics, requests } = await start();
    for (let i = 0; i < 30; i++) await call(url, `Nonsense${i}`);
    await call(url, 'constructor');
    expect(await requests('unknown', 'UnknownOperationException')).toBe(31);
    const { samples = [] } =
      parseExposition(await metrics.text()).get('pairmint_requests_total') ?? {};
    expect(samples).toHaveLength(1);
  });

  it('if they are probes, or the server turns them away', async () => {
    const { url, requests } = await start({
      limits: { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 },
    });
    await exchange(url, `GET /healthz HTTP/1.1\r\nhost: localhost\r\n${lastOne}\r\n`);
    await exchange(url, `GET /readyz HTTP/1.1\r\nhost: localhost\r\n${lastOne}\r\n`);
    await exchange(url, bytesOf('ListKeys', {}, lastOne).replace('127.0.0.1', 'example.com'));
    await exchange(url, bytesOf('ListKeys').replace(/length: \d+/, 'length: 1048577'));
    expect(answered(await exchange(url, 'nonsense\r\n\r\n'))).toEqual(['400']);
    expect(answered(await exchange(url, `GET /${'x'.repeat(20_000)}\r\n`))).toEqual(['431']);
    expect(answered(await exchange(url, bytesOf('ListKeys').slice(0, -1)))).toEqual(['408']);
    expect(await requests('/healthz')).toBe(1);
    expect(await requests('/readyz')).toBe(1);
    expect(await requests('unknown', 'AccessDeniedException')).toBe(1);
    expect(await requests('unknown', 'RequestEntityTooLargeException')).toBe(1);
    expect(await requests('unknown', 'BadRequest')).toBe(1);
    expect(await requests('unknown', 'RequestHeaderFieldsTooLarge')).toBe(1);
    expect(await requests('unknown', 'RequestTimeout')).toBe(1);
  });

  it('if the client goes away before the answer', async () => {
    const { url, requests, read } = await start();
    const { KeyId } = await newKey(kms);
    const pair = { KeyId, KeyPairSpec: 'RSA_4096' } as const;
    // It has to wait for others, which take seconds.
    const others = new AbortController();
    const minting = Array.from({ length: 100 }, () =>
      kms.generateDataKeyPairWithoutPlaintext(pair, { abortSignal: others.signal }),
    );
    const socket = connect(url);
    socket.write(bytesOf('GenerateDataKeyPair', pair));
    await vi.waitFor(async () => expect(await read('pairmint_requests_under_way')).toBe(1));
    expect(await read('pairmint_connections_open')).toBe(1);
    socket.destroy();
    await vi.waitFor(async () => expect(await read('pairmint_requests_under_way')).toBe(0));
    await vi.waitFor(async () => {
      expect(await requests('GenerateDataKeyPair', 'ClientGone')).toBe(1);
    });
    expect(await read('pairmint_connections_open')).toBe(0);
    others.abort();
    await Promise.allSettled(minting);
  });

  it('once more where their signature is refused', async () => {
    const { url, read } = await start({ auth: true });
    await call(url, 'ListKeys');
    await exchange(url, bytesOf('ListKeys', {}, `authorization: AWS4-HMAC-SHA256 x\r\n${lastOne}`));
    const failures = (error: string) => read('pairmint_signature_failures_total', { error });
    expect(await failures('MissingAuthenticationTokenException')).toBe(1);
    expect(await failures('IncompleteSignatureException')).toBe(1);
  });
});

describe('counting costs next to nothing:', () => {
  /** Microseconds of CPU time that each of `count` takes, at best. */
  async function costOf(count: number, work: () => unknown): Promise<number> {
    const rounds: number[] = [];
    for (let round = 0; round < 10; round++) {
      const before = process.cpuUsage();
      for (let i = 0; i < count; i++) await work();
      const { user, system } = process.cpuUsage(before);
      rounds.push((user + system) / count);
    }
    return Math.min(...rounds);
  }

  it('a fraction of a microsecond by itself', async () => {
    const metrics = await createMetrics(kms);
    onTestFinished(() => metrics.close());
    const request = {
      requestId: 'x',
      operation: 'ListKeys',
      status: 200,
      milliseconds: 1,
    } as const;
    const many = () => {
      for (let i = 0; i < 1000; i++) metrics.count(request);
    };
    expect((await costOf(100, many)) / 1000).toBeLessThan(0.3);
  });

  it('less than 5 microseconds of a request', async () => {
    const metrics = await createMetrics(kms);
    onTestFinished(() => metrics.close());
    const onRequest = (event: RequestEvent) => metrics.count(event);
    const [plain, metered] = [{}, { onRequest }].map((options) =>
      createHandler(kms, { auth: false, ...options }),
    );
    const request = toRequest({ headers: callHeaders('ListKeys'), body: '{}' });
    const without = await costOf(3000, () => plain?.(request));
    expect((await costOf(3000, () => metered?.(request))) - without).toBeLessThan(5);
  });
});

describe('durations', () => {
  it('of requests are in buckets by operation', async () => {
    const { url, metrics, read } = await start();
    for (let i = 0; i < 5; i++) await call(url, 'ListKeys');
    const family = parseExposition(await metrics.text()).get('pairmint_request_duration_seconds');
    const buckets = family?.samples
      .filter(({ name }) => name.endsWith('_bucket'))
      .map(({ labels, value }) => ({ le: labels.le, value }));
    expect(buckets?.at(-1)).toEqual({ le: '+Inf', value: 5 });
    const values = buckets?.map(({ value }) => value) ?? [];
    expect(values).toEqual([...values].sort((a, b) => a - b));
    const total = await read('pairmint_request_duration_seconds_sum', { operation: 'ListKeys' });
    expect(total).toBeGreaterThan(0);
    expect(total).toBeLessThan(5);
  });

  it('of minting are counted by spec, without pairs out of pools', async () => {
    const { url, read } = await start();
    const { KeyId } = await newKey(kms);
    const minted = (spec: string) => read('pairmint_minting_duration_seconds_count', { spec });
    await call(url, 'GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_2048' });
    await call(url, 'GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    await call(url, 'GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    const pool = { KeyId, KeyPairSpec: 'ECC_NIST_P384' } as const;
    await kms.pools.create({ ...pool, target: 5 });
    await kms.pools.fill({ pool });
    await call(url, 'GenerateDataKeyPair', pool);
    expect(await minted('RSA_2048')).toBe(1);
    expect(await minted('ECC_NIST_P256')).toBe(2);
    expect(await minted('ECC_NIST_P384')).toBeUndefined();
    await kms.pools.delete(pool);
  });
});

describe('pools', () => {
  it('have levels, targets, hits and misses', async () => {
    const { url, metrics } = await start();
    const { KeyId, Arn } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    await kms.pools.create({ ...pool, target: 8, low: 1 });
    await call(url, 'GenerateDataKeyPair', pool);
    await vi.waitFor(async () => expect((await kms.pools.list())[0]?.level).toBe(8));
    await call(url, 'GenerateDataKeyPairWithoutPlaintext', pool);
    await call(url, 'GenerateDataKeyPairWithoutPlaintext', pool);
    const labels = { key_id: Arn, spec: pool.KeyPairSpec };
    const text = await metrics.text();
    const read = (name: string, more = {}) => sampleOf(text, name, { ...labels, ...more });
    expect(read('pairmint_pool_pairs')).toBe(6);
    expect(read('pairmint_pool_target_pairs')).toBe(8);
    expect(read('pairmint_pool_requests_total', { result: 'hit' })).toBe(2);
    expect(read('pairmint_pool_requests_total', { result: 'miss' })).toBe(1);
    // All that were minted waited in the store before they were taken.
    expect(read('pairmint_pool_minted_pairs_total')).toBe(8);
    expect(read('pairmint_pool_taken_pairs_total')).toBe(2);
    expect(read('pairmint_pool_refused_requests_total')).toBe(0);
    await kms.pools.delete(pool);
    await vi.waitFor(async () => {
      expect(sampleOf(await metrics.text(), 'pairmint_pool_pairs', labels)).toBeUndefined();
    });
  });

  it('tell of requests that were refused because they were dry', async () => {
    const strict = await Pairmint.open({
      store: 'memory:',
      onDryPool: 'fail',
      refillPools: false,
    });
    const metrics = await createMetrics(strict);
    onTestFinished(async () => {
      metrics.close();
      await strict.close();
    });
    const { KeyId } = await newKey(strict);
    const pool = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    await strict.pools.create({ ...pool, target: 4 });
    await expect(strict.generateDataKeyPair(pool)).rejects.toThrow(/is empty/);
    const text = await metrics.text();
    const { samples } = parseExposition(text).get('pairmint_pool_refused_requests_total') ?? {};
    expect(samples).toMatchObject([{ labels: { spec: 'ECC_NIST_P256' }, value: 1 }]);
  });

  it('that are out of reach leave all else to be seen, also what they counted', async () => {
    const closed = await openKms();
    const metrics = await createMetrics(closed);
    const { KeyId, Arn } = await newKey(closed);
    const pool = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    await closed.pools.create({ ...pool, target: 4 });
    await closed.pools.fill();
    await closed.generateDataKeyPair(pool);
    const hits = { key_id: Arn, spec: pool.KeyPairSpec, result: 'hit' };
    const before = await metrics.text();
    expect(sampleOf(before, 'pairmint_pool_requests_total', hits)).toBe(1);
    expect(parseExposition(before).get('pairmint_pool_pairs')?.samples).toHaveLength(1);
    await closed.close();
    await vi.waitFor(async () => {
      const text = await metrics.text();
      expect(parseExposition(text).get('pairmint_pool_pairs')?.samples).toHaveLength(0);
      expect(sampleOf(text, 'pairmint_pool_requests_total', hits)).toBe(1);
      expect(sampleOf(text, 'pairmint_minting_threads')).toBeGreaterThan(0);
    }, 10_000);
    metrics.close();
  });
});

it('tells what runs, and how Node.js does', async () => {
  const { metrics } = await start();
  const families = parseExposition(await metrics.text());
  const { kernel, node, openssl } = kms.capabilities();
  const version = JSON.parse(readFileSync('package.json', 'utf8')).version;
  expect(families.get('pairmint_build_info')?.samples).toEqual([
    { name: 'pairmint_build_info', labels: { version, kernel, node, openssl }, value: 1 },
  ]);
  expect(families.get('process_cpu_seconds_total')?.type).toBe('counter');
  expect(families.get('nodejs_eventloop_lag_seconds')?.type).toBe('gauge');
});

it('is written as it is documented', async () => {
  const { metrics } = await start();
  const none = { snapshots: async () => [await metrics.snapshot()], listening: 2, restarts: 0 };
  const families = parseExposition(await metricsOf(none as unknown as Workers)());
  const own = [...families].filter(([name]) => name.startsWith('pairmint_'));
  const documented = [
    ...readFileSync('docs/server.md', 'utf8').matchAll(/^\| `(pairmint_\w+)` \|[^|]*\| (.*) \|$/gm),
  ].map(([, name, help]) => `${name}: ${help}`);
  expect(documented.sort()).toEqual(own.map(([name, { help }]) => `${name}: ${help}`).sort());
});

describe('the metrics of several processes', () => {
  async function snapshotAfter(...operations: string[]) {
    const { url, metrics } = await start();
    for (const operation of operations) await call(url, operation);
    return metrics.snapshot();
  }

  it('are those of one', async () => {
    const text = await textOfAll([
      await snapshotAfter('ListKeys', 'ListAliases'),
      await snapshotAfter('ListKeys'),
    ]);
    const read = (name: string, operation: string) =>
      sampleOf(text, name, { operation, error: '' });
    expect(read('pairmint_requests_total', 'ListKeys')).toBe(2);
    expect(read('pairmint_requests_total', 'ListAliases')).toBe(1);
    expect(parseExposition(text).get('pairmint_build_info')?.samples).toMatchObject([{ value: 1 }]);
    const threads = sampleOf(text, 'pairmint_minting_threads');
    expect(threads).toBe(2 * kms.capabilities().threads);
  });

  it('keep the counts of those that have ended, and nothing else of them', async () => {
    const ended = await merge([[], countsOf(await snapshotAfter('ListKeys'))]);
    const text = await textOfAll([ended, await snapshotAfter('ListKeys')]);
    const labels = { operation: 'ListKeys', error: '' };
    expect(sampleOf(text, 'pairmint_requests_total', labels)).toBe(2);
    const { threads } = kms.capabilities();
    expect(sampleOf(text, 'pairmint_minting_threads')).toBe(threads);
    const count = { operation: 'ListKeys' };
    expect(sampleOf(text, 'pairmint_request_duration_seconds_count', count)).toBe(2);
  });
});

describe('the listener', () => {
  async function listen(read: () => Promise<string>) {
    const listener = new MetricsListener(read);
    onTestFinished(() => listener.close());
    return listener.listen({ host: '127.0.0.1', port: 0 });
  }

  it('answers GET /metrics and nothing else', async () => {
    const url = await listen(async () => 'a 1\n');
    const answer = await fetch(url);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toBe('a 1\n');
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(404);
    expect((await fetch(new URL('/', url))).status).toBe(404);
  });

  it.each([
    ['127.0.0.1', [], '127.0.0.1:9464', 200],
    ['127.0.0.1', [], 'localhost', 200],
    ['127.0.0.1', [], '[::1]:9464', 200],
    ['127.0.0.1', [], 'rebound.example.com:9464', 403],
    ['127.0.0.1', [], '192.0.2.1', 403],
    ['127.0.0.1', [], '', 403],
    ['127.0.0.1', ['pairmint', 'Metrics.internal'], 'metrics.internal:9464', 200],
    ['127.0.0.1', ['pairmint', 'Metrics.internal'], 'rebound.example.com', 403],
    ['0.0.0.0', [], '192.0.2.1:9464', 200],
    ['0.0.0.0', [], 'rebound.example.com', 403],
    ['0.0.0.0', ['pairmint'], 'pairmint:9464', 200],
    ['localhost', [], 'localhost:9464', 200],
  ])('at %s, also known as %j, answers %j with %d', async (host, names, asked, status) => {
    const listener = new MetricsListener(async () => 'a 1\n');
    onTestFinished(() => listener.close());
    const url = new URL(await listener.listen({ host, port: 0, names }));
    const to = url.href.replace('0.0.0.0', '127.0.0.1');
    const get = (target: string, name: string) =>
      exchange(to, `GET ${target} HTTP/1.1\r\nhost: ${name}\r\n${lastOne}\r\n`);
    expect(answered(await get('/metrics', asked))).toEqual([`${status}`]);
    if (asked === '') return;
    expect(answered(await get(`http://${asked}/metrics`, 'localhost'))).toEqual([`${status}`]);
  });

  it('speaks HTTP/1 alone', async () => {
    const url = await listen(async () => 'a 1\n');
    const get = `GET /metrics HTTP/2.0\r\nhost: localhost\r\n${lastOne}\r\n`;
    expect(answered(await exchange(url, get))).toEqual(['505']);
  });

  it('says that it cannot where reading fails', async () => {
    const url = await listen(() => Promise.reject(new Error('a secret detail')));
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([503, 'unavailable\n']);
  });

  it('says where it cannot listen', async () => {
    const url = new URL(await listen(async () => ''));
    const other = new MetricsListener(async () => '');
    await expect(other.listen({ host: url.hostname, port: Number(url.port) })).rejects.toThrow(
      /^cannot listen on 127\.0\.0\.1, port \d+, for metrics: .*EADDRINUSE/,
    );
  });
});

it('leaves no listener behind when it is closed', async () => {
  const all: Metrics[] = [];
  for (let i = 0; i < 3; i++) all.push(await createMetrics(kms));
  for (const metrics of all) metrics.close();
  const { KeyId } = await newKey(kms);
  await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
  const spec = { spec: 'ECC_NIST_P256' };
  for (const metrics of all) {
    const name = 'pairmint_minting_duration_seconds_count';
    expect(sampleOf(await metrics.text(), name, spec)).toBeUndefined();
  }
});
