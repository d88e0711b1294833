import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import tls from 'node:tls';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';
import {
  logOf,
  metricsUrl,
  type PairmintProcess,
  pairmint,
  serve as start,
} from '../support/pairmint-process.ts';
import { sampleOf } from './exposition.ts';
import { answered, bytesOf, connect, exchange, lastOne, pause } from './raw.ts';
import { callHeaders } from './support.ts';

const soon = { timeout: 30_000, interval: 20 };

let home: string;
beforeEach(() => {
  home = temporaryFolder();
});
const serve = (...args: string[]) => start({ PAIRMINT_HOME: home }, '--no-auth', ...args);

const call = (url: string, operation: string, members = {}) =>
  exchange(url, bytesOf(operation, members, lastOne));

async function newKey(url: string): Promise<string> {
  const [, KeyId = ''] = /"KeyId":"([^"]+)"/.exec(await call(url, 'CreateKey')) ?? [];
  return KeyId;
}

/** The process ids of a server's workers, in their order. */
function workersOf({ child }: PairmintProcess): number[] {
  const columns = ['-o', 'pid=,args=', '--ppid', `${child.pid}`];
  const listed = execFileSync('ps', columns, { encoding: 'utf8' }).trim().split('\n');
  // On Node 20 a process that has opened a store has another child.
  return listed
    .filter((line) => !line.includes('engine-process'))
    .map((line) => parseInt(line, 10));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A connection that is kept: makes a request, and tells its id and how many milliseconds it took. */
function client(url: string) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return async (operation: string, members = {}) => {
    const began = performance.now();
    const headers = { ...callHeaders(operation), host: '127.0.0.1' };
    const request = http.request(url, { agent, method: 'POST', headers });
    request.end(JSON.stringify(members));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    expect(response.statusCode).toBe(200);
    const milliseconds = performance.now() - began;
    return { requestId: response.headers['x-amzn-requestid'], milliseconds };
  };
}

/** Connections to every worker of a server, by their process ids. */
async function clientOfEach(server: PairmintProcess & { url: string }, count: number) {
  const found = new Map<number, ReturnType<typeof client>>();
  for (let i = 0; i < 500 && found.size < count; i++) {
    const send = client(server.url);
    const { requestId } = await send('ListKeys');
    const pid = await vi.waitFor(() => {
      const line = logOf(server).find((one) => one.requestId === requestId);
      expect(line).toBeDefined();
      return line?.pid as number;
    }, soon);
    found.set(pid, send);
  }
  expect(found.size).toBe(count);
  return found;
}

describe('several processes', () => {
  it('serve one port and share the store', async () => {
    const server = await serve('--workers', '3');
    const KeyId = await newKey(server.url);
    const clients = await clientOfEach(server, 3);
    expect([...clients.keys()].sort()).toEqual(workersOf(server).sort());
    for (const request of clients.values()) await request('DescribeKey', { KeyId });
    server.child.kill('SIGTERM');
    expect(await server.ended).toMatchObject({
      code: 0,
      stdout: `pairmint listening on ${server.url}\n`,
    });
    const requests = logOf(server).filter(({ operation }) => operation === 'DescribeKey');
    expect(requests.map(({ pid }) => pid).sort()).toEqual([...clients.keys()].sort());
  });

  it('are as many as the usable cores with --workers auto', async () => {
    const env = { PAIRMINT_HOME: home, PAIRMINT_THREADS: '3' };
    const server = await start(env, '--no-auth', '--workers', 'auto');
    expect(workersOf(server)).toHaveLength(3);
  });

  it('divide the threads that mint, and their metrics are added up', async () => {
    const env = { PAIRMINT_HOME: home, PAIRMINT_THREADS: '5' };
    const server = await start(env, '--no-auth', '--workers', '2', '--metrics-port', '0');
    for (let i = 0; i < 10; i++) await call(server.url, 'ListKeys');
    const text = await (await fetch(await metricsUrl(server))).text();
    expect(sampleOf(text, 'pairmint_minting_threads')).toBe(4);
    expect(sampleOf(text, 'pairmint_workers')).toBe(2);
    expect(sampleOf(text, 'pairmint_worker_restarts_total')).toBe(0);
    const labels = { operation: 'ListKeys', error: '' };
    expect(sampleOf(text, 'pairmint_requests_total', labels)).toBe(10);
  });

  it('are not held up by the one of them that mints, or stands still', async () => {
    const server = await serve('--workers', '2');
    const KeyId = await newKey(server.url);
    const [[still, mint], [, describeKey]] = [...(await clientOfEach(server, 2))] as [
      [number, ReturnType<typeof client>],
      [number, ReturnType<typeof client>],
    ];
    let minting = true;
    const minted = (async () => {
      const pair = { KeyId, KeyPairSpec: 'RSA_4096' };
      for (let i = 0; i < 5; i++) await mint('GenerateDataKeyPair', pair);
      minting = false;
    })();
    const times: number[] = [];
    while (minting) times.push((await describeKey('DescribeKey', { KeyId })).milliseconds);
    await minted;
    times.sort((a, b) => a - b);
    expect(times.length).toBeGreaterThan(20);
    expect(times[Math.floor(times.length / 2)]).toBeLessThan(50);
    process.kill(still, 'SIGSTOP');
    for (let i = 0; i < 20; i++) await describeKey('DescribeKey', { KeyId });
    for (let i = 0; i < 5; i++) await client(server.url)('DescribeKey', { KeyId });
    process.kill(still, 'SIGCONT');
  });

  it('take certificates all together', async () => {
    const [cert, key] = [`${home}/cert.pem`, `${home}/key.pem`];
    const certify = (name: string) => {
      const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      const rest = ['-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`];
      execFileSync('openssl', ['req', ...kind, ...rest], { stdio: 'pipe' });
    };
    certify('one');
    const server = await serve('--workers', '2', '--tls-cert', cert, '--tls-key', key);
    const port = Number(new URL(server.url).port);
    const nameOf = async () => {
      const socket = tls.connect({ port, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    expect([await nameOf(), await nameOf()]).toEqual(['one', 'one']);
    certify('two');
    server.child.kill('SIGHUP');
    const reloads = () => logOf(server).filter(({ msg }) => msg.includes('was read again'));
    await vi.waitFor(() => expect(reloads()).toHaveLength(2), soon);
    expect([await nameOf(), await nameOf()]).toEqual(['two', 'two']);
  });
});

describe('a process that is killed', () => {
  it('takes its own requests with it and no others, and is replaced', async () => {
    const server = await serve('--workers', '2', '--metrics-port', '0');
    const metrics = await metricsUrl(server);
    const KeyId = await newKey(server.url);
    const [victim = 0] = workersOf(server);
    const count = { done: 0, lost: 0 };
    let killed = false;
    let over = false;
    const load = Array.from({ length: 12 }, async () => {
      while (!over) {
        const before = killed;
        const statuses = answered(await call(server.url, 'DescribeKey', { KeyId }));
        if (statuses[0] === '200') count.done++;
        else if (before) count.lost += 100;
        else count.lost++;
      }
    });
    await vi.waitFor(() => expect(count.done).toBeGreaterThan(50), soon);
    await fetch(metrics);
    process.kill(victim, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(victim)).toBe(false), soon);
    killed = true;
    const log = () => logOf(server).map(({ msg }) => msg);
    await vi.waitFor(() => expect(log()).toContain('a worker was replaced'), soon);
    const { done } = count;
    await vi.waitFor(() => expect(count.done).toBeGreaterThan(done + 50), soon);
    over = true;
    await Promise.all(load);
    // As many as it can have had at the moment, and none that was sent when it was gone.
    expect(count.lost).toBeLessThanOrEqual(12);
    expect(logOf(server)).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        msg: 'a worker ended',
        worker: victim,
        signal: 'SIGKILL',
        nextIn: 100,
      }),
    );
    const text = await (await fetch(metrics)).text();
    expect(sampleOf(text, 'pairmint_worker_restarts_total')).toBe(1);
    const labels = { operation: 'DescribeKey', error: '' };
    const counted = sampleOf(text, 'pairmint_requests_total', labels) ?? 0;
    expect(counted).toBeGreaterThan(count.done / 2);
  });

  it('comes back on the same port, though all of them are killed at once', async () => {
    const server = await serve('--workers', '2');
    const { url } = server;
    const KeyId = await newKey(url);
    for (const pid of workersOf(server)) process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => {
      expect(await call(url, 'DescribeKey', { KeyId })).toMatch(/^HTTP\/1.1 200 /);
    }, soon);
  });

  it('takes no count back, whenever it is asked', async () => {
    const server = await serve('--workers', '2', '--metrics-port', '0');
    const metrics = await metricsUrl(server);
    for (const request of (await clientOfEach(server, 2)).values()) await request('ListKeys');
    const labels = { operation: 'ListKeys', error: '' };
    const counted = async () =>
      sampleOf(await (await fetch(metrics)).text(), 'pairmint_requests_total', labels) ?? 0;
    const counts = [await counted()];
    const replaced = () => logOf(server).filter(({ msg }) => msg === 'a worker was replaced');
    let over = false;
    const scrapes = Array.from({ length: 4 }, async () => {
      while (!over) counts.push(await counted());
    });
    for (const worker of workersOf(server)) process.kill(worker, 'SIGKILL');
    await vi.waitFor(() => expect(replaced()).toHaveLength(2), soon);
    over = true;
    await Promise.all(scrapes);
    expect(new Set(counts)).toEqual(new Set([counts[0]]));
  });

  it('again and again is replaced later and later', async () => {
    const server = await serve('--workers', '2');
    const ended = () => logOf(server).filter(({ msg }) => msg === 'a worker ended');
    const replaced = () => logOf(server).filter(({ msg }) => msg === 'a worker was replaced');
    const [first = 0] = workersOf(server);
    process.kill(first, 'SIGKILL');
    for (let i = 1; i < 4; i++) {
      await vi.waitFor(() => expect(replaced()).toHaveLength(i), soon);
      process.kill(replaced().at(-1)?.worker as number, 'SIGKILL');
    }
    await vi.waitFor(() => expect(ended()).toHaveLength(4), soon);
    expect(ended().map(({ nextIn }) => nextIn)).toEqual([100, 200, 400, 800]);
  });

  it('ends the workers that it started', async () => {
    const server = await serve('--workers', '2');
    const workers = workersOf(server);
    server.child.kill('SIGKILL');
    await vi.waitFor(() => expect(workers.filter(isAlive)).toEqual([]), soon);
    const again = await start({ PAIRMINT_HOME: home }, '--no-auth', '--workers', '2');
    expect(answered(await call(again.url, 'ListKeys'))).toEqual(['200']);
  });
});

describe('the end', () => {
  it('comes when all of them have answered', async () => {
    const server = await serve('--workers', '2');
    const slow = [1, 2, 3, 4].map(() =>
      exchange(server.url, bytesOf('ListKeys').slice(0, -1), pause(800), '}'),
    );
    await setTimeout(300);
    server.child.kill('SIGTERM');
    for (const received of await Promise.all(slow)) expect(answered(received)).toEqual(['200']);
    expect(await server.ended).toMatchObject({ code: 0 });
    expect(logOf(server).at(-1)).toMatchObject({ msg: 'stopped' });
  });

  it('comes at once at a second signal', async () => {
    const server = await serve('--workers', '2');
    const workers = workersOf(server);
    const never = connect(server.url);
    never.write(bytesOf('ListKeys').slice(0, -1));
    await setTimeout(300);
    server.child.kill('SIGINT');
    await vi.waitFor(() => expect(logOf(server).at(-1)).toMatchObject({ msg: 'draining' }), soon);
    server.child.kill('SIGINT');
    expect(await server.ended).toMatchObject({ code: 130 });
    await vi.waitFor(() => expect(workers.filter(isAlive)).toEqual([]), soon);
    never.destroy();
  });

  it('comes to one that dies while all drain, and it is not replaced', async () => {
    const server = await serve('--workers', '2');
    const workers = workersOf(server);
    const slow = [1, 2, 3, 4].map(() =>
      exchange(server.url, bytesOf('ListKeys').slice(0, -1), pause(1500), '}'),
    );
    await setTimeout(300);
    server.child.kill('SIGTERM');
    await setTimeout(300);
    // It may have ended already, if it has none of them.
    if (isAlive(workers[0] as number)) process.kill(workers[0] as number, 'SIGKILL');
    await Promise.all(slow);
    expect(await server.ended).toMatchObject({ code: 0 });
    expect(workers.filter(isAlive)).toEqual([]);
    expect(logOf(server).map(({ msg }) => msg)).not.toContain('a worker was replaced');
  });
});

it('does not start if one of them cannot listen, and says why once', async () => {
  const { url } = await serve();
  const { port } = new URL(url);
  const env = { PAIRMINT_HOME: home };
  const other = pairmint(env, 'serve', '--no-auth', '--port', port, '--workers', '3');
  const { code, stdout, stderr } = await other.ended;
  expect({ code, stdout }).toEqual({ code: 253, stdout: '' });
  expect(stderr).toMatch(/^pairmint: cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE.*\n$/);
});
