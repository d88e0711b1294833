// `npm run bench`: pairmint beside node:crypto doing the same job, in one run on one machine.
//
//   npm run bench                      a table, some minutes
//   npm run bench -- --quick           a tenth of the pairs: for a look, not for a claim
//   npm run bench -- --json FILE       all figures for machines
//   npm run bench -- --svg FILE        the chart of the README
//   npm run bench -- --only RSA_4096   some specs only, separated by commas
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Pairmint } from '../../dist/index.js';
import { chart, milliseconds } from './chart.mjs';
import { standardError } from './statistics.mjs';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'string' },
    only: { type: 'string' },
  },
});

// Pairs by us and by node:crypto. RSA times vary like a geometric distribution: the error of a mean
// of n is about 0.7 / sqrt(n) of it.
const counts = {
  RSA_4096: [400, 40],
  RSA_3072: [600, 80],
  RSA_2048: [1500, 200],
  ECC_NIST_P256: [4000, 2000],
  ECC_NIST_P384: [1500, 1000],
  ECC_NIST_P521: [800, 500],
  ECC_SECG_P256K1: [2000, 1500],
  SM2: [2000, 1500],
  ECC_NIST_EDWARDS25519: [4000, 2000],
};

const wanted = options.only?.split(',') ?? Object.keys(counts);
const scaled = (count) => Math.max(5, Math.round(count / (options.quick ? 10 : 1)));

function child(script, argument, env = {}) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const started = fork(file, [argument], { env: { ...process.env, ...env } });
  return new Promise((done, failed) => {
    started.once('message', done);
    started.once('exit', (code) => code !== 0 && failed(new Error(`${script} ended with ${code}`)));
  });
}

async function cell(side, spec, threads, count, env) {
  const { samples, ...means } = await child(
    './cell.mjs',
    JSON.stringify({ side, spec, threads, count: scaled(count) }),
    env,
  );
  return { ...means, error: samples.length > 1 ? standardError(samples) : undefined };
}

async function row(spec, threads, env = {}) {
  const [ourCount, theirCount] = counts[spec];
  const ours = await cell('pairmint', spec, threads, ourCount, env);
  const theirs = await cell('node:crypto', spec, threads, theirCount);
  return { spec, threads, ours, theirs, ratio: theirs.cpu / ours.cpu };
}

const withError = ({ cpu, error }) =>
  error === undefined ? milliseconds(cpu) : `${milliseconds(cpu)} ± ${milliseconds(error)}`;

function print(cells) {
  const widths = [24, 22, 10, 7, 22, 10, 7];
  const line = cells.map((text, i) => (i === 0 ? text.padEnd(24) : text.padStart(widths[i] ?? 8)));
  process.stdout.write(`${line.join('')}\n`);
}

function printRow(label, { ours, theirs, ratio }) {
  print([
    label,
    withError(ours),
    milliseconds(ours.wall),
    String(ours.count),
    withError(theirs),
    milliseconds(theirs.wall),
    String(theirs.count),
    `${ratio.toFixed(1)}x`,
  ]);
}

const kms = await Pairmint.open({ store: 'memory:' });
const { kernel, openssl, node, cpu, threads } = kms.capabilities();
await kms.close();
const machine = `${cpu}, ${threads} cores, kernel ${kernel}, Node ${node}, OpenSSL ${openssl}, ${os.type()} ${os.release()}`;
process.stdout.write(`${machine}\n\nCPU and wall time per sealed pair, mean ± standard error\n`);
print(['', 'pairmint CPU', 'wall', 'pairs', 'node:crypto CPU', 'wall', 'pairs', 'CPU']);

const oneThread = [];
for (const spec of wanted) {
  oneThread.push(await row(spec, 1));
  printRow(`${spec}, 1 thread`, oneThread.at(-1));
}
const fallback = [];
for (const spec of wanted.filter((name) => name.startsWith('RSA') && kernel !== 'openssl')) {
  const ours = await cell('pairmint', spec, 1, counts[spec][0] / 4, { PAIRMINT_KERNEL: 'openssl' });
  const { theirs } = oneThread.find((other) => other.spec === spec);
  fallback.push({ spec, ours, theirs, ratio: theirs.cpu / ours.cpu });
  printRow(`${spec}, openssl`, fallback.at(-1));
}
const allCores = [];
for (const spec of wanted.filter(() => threads > 1)) {
  allCores.push(await row(spec, threads));
  printRow(`${spec}, ${threads} threads`, allCores.at(-1));
}

const gains = allCores.map(({ spec, ours }) => {
  const one = oneThread.find((other) => other.spec === spec);
  return `${spec} ${(one.ours.wall / ours.wall).toFixed(2)}x`;
});
process.stdout.write(`\nAll cores against one thread, pairs in a time: ${gains.join(', ')}\n`);

const fixed = await child('./fixed-candidates.mjs', String(scaled(60)));
for (const { bits, cpu: time, error, rounds } of fixed) {
  process.stdout.write(
    `RSA_${bits} from a fixed list of candidates, 1 thread: ${milliseconds(time)} ± ${milliseconds(error)} CPU, ${rounds} runs\n`,
  );
}
const feel = await child('./responsiveness.mjs');
process.stdout.write(
  `One RSA_4096 request on all cores: median ${milliseconds(feel.loneMedian)}, p90 ${milliseconds(feel.loneP90)} of ${feel.loneCount}; first of the process ${milliseconds(feel.firstRequest)}\n` +
    `While RSA_4096 pairs are minted on all cores: event loop delay p99 ${milliseconds(feel.loopDelayP99)}, readFile p99 ${milliseconds(feel.readFileP99)} of ${feel.readCount}\n` +
    `Memory after 1000 more RSA_2048 pairs: ${feel.grownMegabytes.toFixed(1)} MB more\n`,
);

if (options.json !== undefined) {
  const all = { machine, quick: options.quick, oneThread, fallback, allCores, fixed, feel };
  writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
}
if (options.svg !== undefined) writeFileSync(options.svg, chart(oneThread, machine));
