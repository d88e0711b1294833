// `npm run bench`: pairmint beside node:crypto doing the same job, in one run on one machine.
//
//   npm run bench                      a table, about twelve minutes
//   npm run bench -- --quick           a tenth of the pairs: for a look, not for a claim
//   npm run bench -- --json FILE       all figures for machines
//   npm run bench -- --svg FILE        the chart of the README
//   npm run bench -- --only RSA_4096   some specs only, separated by commas
//   npm run bench -- --node 26         node:crypto in that Node.js, of the npm package `node`
//   npm run bench -- --kernel avx2     pairmint as on a processor that has only that (PAIRMINT_KERNEL)
//   npm run bench -- --pools           batches and pools instead
//   npm run bench -- --server          the HTTP door instead
//   npm run bench -- --lone            requests one at a time, and the first of a process, instead
import { execFileSync, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chart, milliseconds } from './chart.mjs';
import { mean, ratioOf, standardError, sum } from './statistics.mjs';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'string' },
    only: { type: 'string' },
    node: { type: 'string' },
    kernel: { type: 'string' },
    pools: { type: 'boolean', default: false },
    server: { type: 'boolean', default: false },
    lone: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
  },
});
if (options.pools) {
  await import('./pools.mjs');
  process.exit();
}

if (options.server) {
  const { benchServer } = await import('./server.mjs');
  await benchServer(options);
  process.exit();
}

if (options.lone) {
  const { benchLone } = await import('./lone.mjs');
  await benchLone(options);
  process.exit();
}

// Before the addon is loaded; the sides' processes inherit it.
if (options.kernel !== undefined) process.env.PAIRMINT_KERNEL = options.kernel;
const { Pairmint } = await import('../../dist/index.js');

/** The Node.js that node:crypto's side runs in. */
const theirNode = options.node === undefined ? process.execPath : nodeOf(options.node);

function nodeOf(version) {
  if (!/^\d+(\.\d+){0,2}$/.test(version)) throw new Error(`--node ${version} is not a version`);
  const run = ['--yes', '--package', `node@${version}`, '--', 'node', '-p', 'process.execPath'];
  return execFileSync('npx', run, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

// Every side of a spec makes a block of pairs in each round, one side after the other, so that
// whatever else the machine does, or its host, meets all of them alike.
const rounds = options.smoke ? 1 : options.quick ? 4 : 30;
// The sides with all cores take part in every fifth round only, with larger blocks, because a block
// ends with idle cores.
const isWide = (round) => round % (options.quick ? 2 : 5) === 0;

// `batch` is pairmint's mintDataKeyPairs, which mints pairs on curves 16 at a time; the others are
// requests for one pair.
//
// Pairs of a block. RSA times vary like a geometric distribution: the error of a mean of n is about
// 0.6 / sqrt(n) of it.
const blocks = {
  RSA_4096: { pairmint: 13, openssl: 4, 'node:crypto': 3 },
  RSA_3072: { pairmint: 20, openssl: 6, 'node:crypto': 3 },
  RSA_2048: { pairmint: 40, openssl: 8, 'node:crypto': 5 },
  ECC_NIST_P256: { pairmint: 600, batch: 640, 'node:crypto': 150 },
  ECC_NIST_P384: { pairmint: 40, batch: 160, 'node:crypto': 40 },
  ECC_NIST_P521: { pairmint: 30, batch: 80, 'node:crypto': 30 },
  ECC_SECG_P256K1: { pairmint: 50, batch: 320, 'node:crypto': 50 },
  SM2: { pairmint: 50, batch: 320, 'node:crypto': 50 },
  ECC_NIST_EDWARDS25519: { pairmint: 400, 'node:crypto': 150 },
};

const wanted = options.only?.split(',') ?? Object.keys(blocks);

function start(script, argument, { env = {}, execPath = process.execPath } = {}) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  return fork(file, [argument], { env: { ...process.env, ...env }, execPath });
}

function answerOf(child) {
  return new Promise((done, failed) => {
    const ended = (code) => failed(new Error(`a process of the benchmark ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      done(message);
    });
  });
}

async function openSide(side, spec, threads) {
  const [makers, env] = side === 'openssl' ? ['pairmint', { PAIRMINT_KERNEL: 'openssl' }] : [side];
  const argument = JSON.stringify({ side: makers, spec, threads });
  const execPath = side === 'node:crypto' ? theirNode : process.execPath;
  const child = start('./cell.mjs', argument, { env, execPath });
  await answerOf(child);
  return { side, threads, child, turns: new Map() };
}

async function takeTurn({ child, turns }, round, pairs) {
  child.send(pairs);
  const { cpu, wall } = await answerOf(child);
  turns.set(round, { pairs, cpu: cpu / pairs, wall: wall / pairs });
}

/** What a side's pairs took: means, the standard error of the CPU time, and all of its turns. */
function summary({ turns }) {
  const all = [...turns.values()];
  const cpu = all.map((turn) => turn.cpu);
  return {
    count: sum(all.map(({ pairs }) => pairs)),
    cpu: mean(cpu),
    error: standardError(cpu),
    wall: mean(all.map(({ wall }) => wall)),
    turns: all,
  };
}

/** How many times `measure` of `above` is that of `below`, in the rounds in which both took part. */
function compare(above, below, measure) {
  const shared = [...above.turns.keys()].filter((round) => below.turns.has(round));
  return ratioOf(
    ...[above, below].map(({ turns }) => shared.map((round) => turns.get(round)[measure])),
  );
}

/** All sides of a spec against each other: the rows of the table, and what all cores gain. */
async function contest(spec, threads) {
  const names = Object.keys(blocks[spec]).filter((side) => side !== kernel);
  const narrow = await Promise.all(names.map((side) => openSide(side, spec, 1)));
  const wide =
    threads > 1
      ? await Promise.all(
          names.filter((side) => side !== 'openssl').map((side) => openSide(side, spec, threads)),
        )
      : [];
  for (let round = 0; round < rounds; round++) {
    for (const side of narrow) await takeTurn(side, round, blocks[spec][side.side]);
    for (const side of isWide(round) ? wide : []) {
      await takeTurn(side, round, blocks[spec][side.side] * threads);
    }
  }
  const sides = [...narrow, ...wide];
  for (const { child } of sides) child.kill();
  const rows = sides
    .filter(({ side }) => side !== 'node:crypto')
    .map((ours) => {
      const theirs = sides.find(
        ({ side, threads: others }) => side === 'node:crypto' && others === ours.threads,
      );
      return {
        spec,
        side: ours.side,
        threads: ours.threads,
        ours: summary(ours),
        theirs: summary(theirs),
        ...compare(theirs, ours, 'cpu'),
      };
    });
  return { spec, rows, gain: wide.length > 0 ? compare(narrow[0], wide[0], 'wall') : undefined };
}

const withError = ({ cpu, error }) => `${milliseconds(cpu)} ± ${milliseconds(error)}`;
const times = ({ ratio, error }) => `${ratio.toFixed(2)}x ± ${error.toFixed(2)}`;

function print(cells) {
  const widths = [33, 20, 9, 7, 20, 9, 7, 16];
  const line = cells.map((text, i) => (i === 0 ? text.padEnd(33) : text.padStart(widths[i])));
  process.stdout.write(`${line.join('')}\n`);
}

function printRow({ spec, side, threads, ours, theirs, ...ratio }) {
  const how = {
    openssl: 'kernel openssl',
    pairmint: `${threads} thread${threads > 1 ? 's' : ''}`,
    batch: `batch, ${threads} thread${threads > 1 ? 's' : ''}`,
  };
  print([
    `${spec}, ${how[side]}`,
    withError(ours),
    milliseconds(ours.wall),
    String(ours.count),
    withError(theirs),
    milliseconds(theirs.wall),
    String(theirs.count),
    times(ratio),
  ]);
}

const kms = await Pairmint.open({ store: 'memory:' });
const { kernel, openssl, node, cpu, threads } = kms.capabilities();
await kms.close();
const [theirs, theirOpenssl] = JSON.parse(
  execFileSync(theirNode, [
    '-p',
    'JSON.stringify([process.versions.node, process.versions.openssl])',
  ]),
);
const machine =
  `${cpu}, ${threads} cores, ${os.type()} ${os.release()}; pairmint: kernel ${kernel}, Node.js ${node}, ` +
  `OpenSSL ${openssl}; node:crypto: Node.js ${theirs}, OpenSSL ${theirOpenssl}`;
process.stdout.write(
  `${machine}\n\nCPU and wall time per sealed pair, eight requests a thread under way; mean ± standard error\n`,
);
print(['', 'pairmint CPU', 'wall', 'pairs', 'node:crypto CPU', 'wall', 'pairs', 'CPU ratio']);

const contests = [];
for (const spec of wanted) {
  contests.push(await contest(spec, threads));
  for (const row of contests.at(-1).rows) printRow(row);
}
const gains = contests
  .filter(({ gain }) => gain !== undefined)
  .map(({ spec, gain }) => `${spec} ${times(gain)}`);
process.stdout.write(`\nAll cores against one thread, pairs in a time: ${gains.join(', ')}\n`);

if (options.smoke) process.exit();

const fixed = await answerOf(start('./fixed-candidates.mjs', options.quick ? '6' : '60'));
for (const { bits, cpu: time, error, rounds: runs } of fixed) {
  process.stdout.write(
    `RSA_${bits} from a fixed list of candidates, 1 thread: ${milliseconds(time)} ± ${milliseconds(error)} CPU, ${runs} runs\n`,
  );
}
const feel = await answerOf(start('./responsiveness.mjs'));
process.stdout.write(
  `One RSA_4096 request on all cores: median ${milliseconds(feel.loneMedian)}, p90 ${milliseconds(feel.loneP90)} of ${feel.loneCount}; first of the process ${milliseconds(feel.firstRequest)}\n` +
    `While RSA_4096 pairs are minted on all cores: event loop delay p99 ${milliseconds(feel.loopDelayP99)}, readFile p99 ${milliseconds(feel.readFileP99)} of ${feel.readCount}\n` +
    `Memory after 1000 more RSA_2048 pairs: ${feel.grownMegabytes.toFixed(1)} MB more\n`,
);

if (options.json !== undefined) {
  const all = { machine, quick: options.quick, contests, fixed, feel };
  writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
}
if (options.svg !== undefined) {
  const oneThread = contests.map(({ rows }) => rows[0]);
  writeFileSync(options.svg, chart(oneThread, machine));
}
