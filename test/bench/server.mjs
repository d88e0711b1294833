// What the HTTP door costs: `npm run bench -- --server`, some minutes on an idle machine. Everything
// is compared with a bare node:http server that reads the same requests and answers the same bytes,
// in turns; requests are AWS's JavaScript SDK's own, signed. Where there is taskset (util-linux), the
// servers have one core and the client another.
//
//   npm run bench -- --server --quick        a fifth of the turns: for a look, not for a claim
//   npm run bench -- --server --smoke        whether it still runs, within seconds; the tests do so
//   npm run bench -- --server --json FILE    all figures for machines
import { execFileSync, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { KMS } from '@aws-sdk/client-kms';
import { signatureGate } from '../../dist/http/authentication.js';
import { headerFields } from '../../dist/http/message.js';
import { Pairmint } from '../../dist/index.js';
import { openLoad } from './load.mjs';
import { mean, quantile, ratioOf, standardError } from './statistics.mjs';

const region = 'us-east-1';
const connections = 16;
// A tenth of them are different, and signed anew for every turn.
const requestsToATurn = 3000;
const pooledToATurn = 1000;

const lengths = {
  whole: { turns: 30, warmUpTurns: 4, seconds: 30, verifications: 25 },
  quick: { turns: 6, warmUpTurns: 4, seconds: 15, verifications: 5 },
  smoke: { turns: 1, warmUpTurns: 1, seconds: 1, verifications: 1 },
};

export async function benchServer({ quick, smoke, json }) {
  const length = lengths[smoke ? 'smoke' : quick ? 'quick' : 'whole'];
  // The pairs that wait have to last for the turns and those that warm up.
  const pooled = (length.turns + length.warmUpTurns + 2) * pooledToATurn;
  const pinned = canPin();
  if (pinned) execFileSync('taskset', ['-cap', '1', process.pid], { stdio: 'ignore' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-bench-'));
  const places = {
    store: `sqlite:${folder}/store.db`,
    rootKey: { file: `${folder}/root.key` },
    region,
  };
  const pairmint = await startSide({ side: 'pairmint', places, pooled }, pinned);
  const bare = await startSide({ side: 'bare' }, pinned);
  const { node, openssl, cpu, kernel } = pairmint.ready.capabilities;
  const machine = `${cpu}, ${os.cpus().length} cores, kernel ${kernel}, Node ${node}, OpenSSL ${openssl}, ${os.type()} ${os.release()}`;
  process.stdout.write(
    `${machine}\n${pinned ? 'servers on one core, client on another' : 'not pinned: no taskset'}; ` +
      `CPU time per request of all threads of the server; mean ± standard error\n`,
  );
  const rows = [];
  for (const [title, one] of Object.entries(cases(pairmint.ready))) {
    rows.push({ title, ...(await contest(one, { pairmint, bare, ...length })) });
    printRow(rows.at(-1));
  }
  const latencies = {};
  for (const [title, load] of Object.entries(loads(pairmint.ready))) {
    latencies[title] = await latencyWhile(pairmint, load, length.seconds);
    printLatency(title, latencies[title]);
  }
  const verification = await verifications({ places, ready: pairmint.ready }, length.verifications);
  process.stdout.write(
    `Signatures verified: ${verification.rate.toFixed(0)}/s of one core ± ${verification.error.toFixed(0)}\n`,
  );
  for (const { child } of [pairmint, bare]) child.kill();
  rmSync(folder, { recursive: true });
  if (json !== undefined) {
    const all = { machine, pinned, quick, rows, latencies, verification };
    writeFileSync(json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
}

function cases({ keyId, pooledKeyId }) {
  const pair = 'GenerateDataKeyPairWithoutPlaintext';
  return {
    DescribeKey: ['DescribeKey', { KeyId: keyId }],
    GenerateDataKey: ['GenerateDataKey', { KeyId: keyId, KeySpec: 'AES_256' }],
    'a pair of ECC_NIST_P256': [pair, { KeyId: keyId, KeyPairSpec: 'ECC_NIST_P256' }],
    'a pooled pair of RSA_4096': [
      pair,
      { KeyId: pooledKeyId, KeyPairSpec: 'RSA_4096' },
      pooledToATurn,
    ],
  };
}

function canPin() {
  try {
    execFileSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function startSide(argument, pinned) {
  const file = fileURLToPath(new URL('./server-side.mjs', import.meta.url));
  const through = pinned
    ? { execPath: 'taskset', execArgv: ['-c', '0', process.execPath] }
    : { execArgv: [] };
  const child = fork(file, [JSON.stringify(argument)], through);
  const side = {
    child,
    ready: await answerOf(child),
    async ask(message) {
      child.send(message);
      return answerOf(child);
    },
  };
  return { ...side, load: await openLoad(new URL(side.ready.url).port, connections) };
}

function answerOf(child) {
  return new Promise((done, failed) => {
    const ended = (code) => failed(new Error(`a server of the benchmark ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      done(message);
    });
  });
}

/** The bytes of requests as AWS's client sends them. */
async function signedRequests({ url, credentials }, [operation, input], count) {
  const kept = [];
  const client = new KMS({
    region,
    endpoint: url,
    credentials,
    requestHandler: {
      async handle(request) {
        kept.push(request);
        throw new Error('kept');
      },
    },
    maxAttempts: 1,
  });
  const method = operation.charAt(0).toLowerCase() + operation.slice(1);
  for (let i = 0; i < count; i++) await client[method](input).catch(() => {});
  return kept;
}

function bytesOf({ method, path, headers, body }) {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${fields.join('')}\r\n${Buffer.from(body)}`);
}

async function contest(one, { pairmint, bare, turns, warmUpTurns }) {
  const sides = { pairmint, bare };
  const [, , requestCount = requestsToATurn] = one;
  const cpu = { pairmint: [], bare: [] };
  const wall = { pairmint: [], bare: [] };
  for (let turn = -warmUpTurns; turn < turns; turn++) {
    const requests = (await signedRequests(pairmint.ready, one, requestCount / 10)).map(bytesOf);
    if (turn === -warmUpTurns) await bare.ask(answerIn(await pairmint.load.ask(requests[0])));
    for (const [name, side] of Object.entries(sides)) {
      const before = await side.ask('cpu');
      const took = await side.load.run(requests, requestCount);
      if (turn < 0) continue;
      cpu[name].push(((await side.ask('cpu')) - before) / requestCount);
      wall[name].push(took.wall / requestCount);
    }
  }
  return {
    requestCount,
    cpu,
    wall,
    times: ratioOf(cpu.pairmint, cpu.bare),
    rate: ratioOf(wall.bare, wall.pairmint),
  };
}

/** What the bare server is to answer: what Node.js adds to answers itself is left out. */
function answerIn(text) {
  const [head, body] = text.split('\r\n\r\n');
  const fields = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(': '));
  const own = fields.filter(([name]) => !['Date', 'Connection', 'Keep-Alive'].includes(name));
  return { headers: Object.fromEntries(own), body };
}

/** What else the server does while DescribeKey is timed, in lanes of one request at a time. */
function loads(ready) {
  const pair = { KeyId: ready.keyId, KeyPairSpec: 'RSA_4096' };
  return {
    'nothing else runs': [undefined, 0],
    'two RSA_4096 pairs are minted all the time': [
      ['GenerateDataKeyPairWithoutPlaintext', pair],
      2,
    ],
    'one client creates keys without pause': [['CreateKey', {}], 1],
  };
}

/** How long DescribeKey takes while the server does something else. */
async function latencyWhile({ ready, load }, [work, lanes], seconds) {
  const { DescribeKey: describe } = cases(ready);
  const others = await openLoad(new URL(ready.url).port, Math.max(1, lanes));
  const [otherRequest] =
    work === undefined ? [] : (await signedRequests(ready, work, 1)).map(bytesOf);
  const times = [];
  let ended = work === undefined;
  let answered = 0;
  const workOn = async () => {
    while (!ended) answered += (await others.run([otherRequest], lanes)).times.length;
  };
  const working = workOn();
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    const requests = (await signedRequests(ready, describe, 20)).map(bytesOf);
    for (const request of requests) times.push(...(await load.run([request], 1)).times);
  }
  ended = true;
  await working;
  others.close();
  return {
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    most: Math.max(...times),
    count: times.length,
    answered,
  };
}

/** Signatures alone, as the door checks them: in this process, without a socket. */
async function verifications({ places, ready }, turns) {
  const kms = await Pairmint.open(places);
  const gate = signatureGate(kms, { region, now: Date.now });
  const sent = await signedRequests(ready, cases(ready).DescribeKey, 500);
  const requests = sent.map(({ method, path, headers, body }) => ({
    method,
    path,
    headers: headerFields(Object.entries(headers).flat()),
    body: Buffer.from(body),
  }));
  const rates = [];
  for (let turn = -3; turn < turns; turn++) {
    const started = process.cpuUsage();
    for (let i = 0; i < 10_000; i++) {
      const request = requests[i % requests.length];
      const callerOf = await gate(request);
      await callerOf(request);
    }
    const { user, system } = process.cpuUsage(started);
    if (turn >= 0) rates.push((10_000 * 1e6) / (user + system));
  }
  await kms.close();
  return { rate: mean(rates), error: standardError(rates), turns };
}

const withError = (values) =>
  `${(1000 * mean(values)).toFixed(1)} us ± ${(1000 * standardError(values)).toFixed(1)}`;
const times = ({ ratio, error }) => `${ratio.toFixed(2)}x ± ${error.toFixed(2)}`;

function printRow({ title, requestCount, cpu, times: ratio, rate }) {
  process.stdout.write(
    `${title}: ${withError(cpu.pairmint)}, bare ${withError(cpu.bare)}; ${times(ratio)}, ` +
      `${times(rate)} the rate, ${cpu.pairmint.length} turns of ${requestCount}\n`,
  );
}

function printLatency(title, { p50, p99, most, count, answered }) {
  process.stdout.write(
    `DescribeKey while ${title}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, ` +
      `at most ${most.toFixed(1)} ms, of ${count}; ${answered} of the others answered\n`,
  );
}
