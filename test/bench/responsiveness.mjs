// How the process feels while RSA_4096 pairs are minted on all cores, and what stays behind.
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';
import { quantile } from './statistics.mjs';

const kms = await Pairmint.open({ store: 'memory:' });
const mint = (KeyPairSpec) =>
  kms.generateDataKeyPairWithoutPlaintext({ KeyId: 'alias/pairmint/default', KeyPairSpec });

async function inParallel(count, spec) {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await mint(spec);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

const first = performance.now();
await mint('RSA_4096');
const firstRequest = performance.now() - first;

const lone = [];
for (let i = 0; i < 100; i++) {
  const start = performance.now();
  await mint('RSA_4096');
  lone.push(performance.now() - start);
}

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const reads = [];
let minting = true;
const batch = inParallel(150, 'RSA_4096').then(() => {
  minting = false;
});
while (minting) {
  const start = performance.now();
  await readFile(fileURLToPath(import.meta.url));
  reads.push(performance.now() - start);
  await new Promise((done) => setTimeout(done, 5));
}
await batch;
delay.disable();

await inParallel(200, 'RSA_2048');
const before = process.memoryUsage().rss;
await inParallel(1000, 'RSA_2048');
const grown = process.memoryUsage().rss - before;

process.send(
  {
    firstRequest,
    loneMedian: quantile(lone, 0.5),
    loneP90: quantile(lone, 0.9),
    loneCount: lone.length,
    // The resolution of 1 ms is part of what is measured.
    loopDelayP99: delay.percentile(99) / 1e6 - 1,
    readFileP99: quantile(reads, 0.99),
    readCount: reads.length,
    grownMegabytes: grown / 2 ** 20,
  },
  () => process.exit(0),
);
