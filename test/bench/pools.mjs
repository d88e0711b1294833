// What pools and batches are worth: `npm run bench -- --pools`, or node test/bench/pools.mjs. A few
// minutes on an idle machine; everything is compared within the run.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';
import { quantile } from './statistics.mjs';
import { stock } from './stock.mjs';

const script = fileURLToPath(import.meta.url);
const median = (values) => quantile(values, 0.5);

const shown = { answers, batch, filling, memory, stopping, yielding, waiting };
const parts = { ...shown, drawing };
const [part, ...rest] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
if (part === undefined) {
  const { node, openssl } = process.versions;
  console.log(
    `${os.cpus()[0].model}, ${os.availableParallelism()} cores, ${os.type()} ${os.release()}, ` +
      `Node.js ${node}, OpenSSL ${openssl}`,
  );
  // Each in a process of its own, for its memory and its garbage are its own.
  for (const name of Object.keys(shown)) {
    execFileSync(process.execPath, ['--expose-gc', script, name], { stdio: 'inherit' });
  }
} else {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-bench-'));
  const places = { store: `sqlite:${folder}/store.db`, rootKey: { file: `${folder}/root.key` } };
  await parts[part](places, ...rest);
  rmSync(folder, { recursive: true });
}

async function opened(places) {
  const kms = await Pairmint.open({ ...places, refillPools: false });
  const { KeyMetadata } = await kms.createKey({});
  return { kms, KeyId: KeyMetadata.KeyId };
}

/** How long a pooled answer takes, and how many a core gives. */
async function answers(places) {
  const { kms, KeyId } = await opened(places);
  const request = { KeyId, KeyPairSpec: 'RSA_4096' };
  await kms.pools.create({ ...request, target: 100_000 });
  await kms.pools.fill({ pool: request, most: 1 });
  await stock(places, { ...request, count: 16_000 });
  const take = () => kms.generateDataKeyPairWithoutPlaintext(request);
  // Until V8 has compiled what serves a request, and claims are as large as under load.
  for (let i = 0; i < 5000; i++) await take();
  const times = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  for (let i = 0; i < 10_000; i++) {
    const start = performance.now();
    await take();
    times.push(1000 * (performance.now() - start));
  }
  const wall = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const [{ hits, misses }] = await kms.pools.list();
  console.log(
    `Pooled RSA_4096, sqlite: p50 ${quantile(times, 0.5).toFixed(0)} us, p99 ${quantile(times, 0.99).toFixed(0)} us, ` +
      `${(1e7 / wall).toFixed(0)}/s, ${(1e10 / (user + system)).toFixed(0)} per second of CPU; ` +
      `${hits} hits, ${misses} misses`,
  );
  await kms.close();
}

/** 2,000 pairs as a batch against 2,000 requests, one after another, in turns. */
async function batch(places) {
  const { kms, KeyId } = await opened(places);
  const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' };
  const count = 2000;
  const sides = {
    async requests() {
      for (let i = 0; i < count; i++) await kms.generateDataKeyPairWithoutPlaintext(request);
    },
    async batch() {
      for await (const _ of kms.mintDataKeyPairs(request, { count }));
    },
  };
  const times = { requests: [], batch: [] };
  for (let round = 0; round < 12; round++) {
    for (const [name, run] of Object.entries(sides)) {
      const start = performance.now();
      await run();
      if (round > 0) times[name].push(performance.now() - start);
    }
  }
  const ratios = times.requests.map((time, i) => time / times.batch[i]);
  const rates = Object.entries(times).map(
    ([name, all]) => `${name} ${((1000 * count) / median(all)).toFixed(0)}/s`,
  );
  console.log(
    `2,000 ECC_NIST_P256: ${rates.join(', ')}; ${median(ratios).toFixed(2)} times (median of ${ratios.length})`,
  );
  await kms.close();
}

/** The CPU time of pairs for a pool against that of the same pairs in a batch. */
async function filling(places) {
  const { kms, KeyId } = await opened(places);
  for (const [KeyPairSpec, count, rounds] of [
    ['ECC_NIST_P256', 4096, 8],
    ['RSA_2048', 100, 12],
  ]) {
    const request = { KeyId, KeyPairSpec };
    await kms.pools.create({ ...request, target: count });
    const ratios = [];
    let [above, below] = [0, 0];
    for (let round = 0; round <= rounds; round++) {
      const batchCpu = await cpuOf(async () => {
        for await (const _ of kms.mintDataKeyPairs(request, { count }));
      });
      const fillCpu = await cpuOf(() => kms.pools.fill({ pool: request }));
      await kms.pools.drain(request);
      if (round === 0) continue;
      ratios.push(fillCpu / batchCpu);
      above += fillCpu;
      below += batchCpu;
    }
    console.log(
      `CPU of ${KeyPairSpec} for a pool against a batch: ${(above / below).toFixed(3)} of all, ` +
        `${median(ratios).toFixed(3)} in the median of ${rounds}`,
    );
  }
  await kms.close();
}

async function cpuOf(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function megabytes() {
  globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
}

/** Resident memory as the kernel counts it: RssAnon is the process's own, RssFile what is mapped. */
function resident(name) {
  const status = readFileSync('/proc/self/status', 'utf8');
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status) ?? [];
  return `${name} ${(Number(kilobytes) / 1024).toFixed(0)} MB`;
}

/** What 10,000 pairs of a batch leave behind that 100 did not. */
async function memory(places) {
  const { kms, KeyId } = await opened(places);
  const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' };
  const read = async (count) => {
    let most = 0;
    let n = 0;
    for await (const _ of kms.mintDataKeyPairs(request, { count })) {
      if (++n % 100 === 0) most = Math.max(most, process.memoryUsage().rss / 2 ** 20);
    }
    return most;
  };
  await read(20_000);
  megabytes();
  const few = await read(100);
  const many = await read(10_000);
  console.log(
    `Resident at most: ${few.toFixed(0)} MB in 100 pairs, ${many.toFixed(0)} MB in 10,000`,
  );
  await kms.close();
}

/** How long a batch takes to stop after its signal. */
async function stopping(places) {
  const { kms, KeyId } = await opened(places);
  const times = [];
  for (let round = 0; round < 20; round++) {
    const stop = new AbortController();
    const request = { KeyId, KeyPairSpec: 'RSA_4096' };
    const reading = (async () => {
      for await (const _ of kms.mintDataKeyPairs(request, { count: 1000, signal: stop.signal }));
    })();
    await new Promise((done) => setTimeout(done, 100 + Math.random() * 100));
    const began = performance.now();
    stop.abort();
    await reading.catch(() => {});
    times.push(performance.now() - began);
  }
  console.log(
    `A batch of RSA_4096 stops ${median(times).toFixed(1)} ms after its signal (median of 20), ` +
      `${Math.max(...times).toFixed(1)} ms at most`,
  );
  await kms.close();
}

/** How long a request waits that must mint, while a pool is filled in the background and while none is. */
async function yielding(places) {
  const kms = await Pairmint.open(places);
  const { KeyMetadata } = await kms.createKey({});
  const { KeyId } = KeyMetadata;
  const pool = { KeyId, KeyPairSpec: 'RSA_4096' };
  const cold = { KeyId, KeyPairSpec: 'RSA_2048' };
  const times = { idle: [], filling: [] };
  for (let round = 0; round < 8; round++) {
    for (const side of Object.keys(times)) {
      if (side === 'filling') {
        await kms.pools.create({ ...pool, target: 100_000 });
        await kms.generateDataKeyPairWithoutPlaintext(pool);
      }
      for (let i = 0; i < 25; i++) {
        await new Promise((done) => setTimeout(done, 20));
        const start = performance.now();
        await kms.generateDataKeyPairWithoutPlaintext(cold);
        if (round > 0) times[side].push(performance.now() - start);
      }
      if (side === 'filling') {
        // A pool that is gone ends its filling.
        await kms.pools.delete(pool);
        await new Promise((done) => setTimeout(done, 1000));
      }
    }
  }
  const texts = Object.entries(times).map(
    ([side, all]) =>
      `${side} p50 ${median(all).toFixed(1)} ms, p90 ${quantile(all, 0.9).toFixed(1)} ms`,
  );
  console.log(`RSA_2048 that must be minted, one at a time: ${texts.join('; ')}`);
  await kms.close();
}

/** What a process needs that opens, counts and draws on a pool of 100,000 waiting pairs, to the last. */
async function waiting(places) {
  for (const KeyPairSpec of ['RSA_4096', 'ECC_NIST_P256']) {
    const { kms, KeyId } = await opened(places);
    const request = { KeyId, KeyPairSpec };
    await kms.pools.create({ ...request, target: 100_000 });
    await kms.pools.fill({ pool: request, most: 16 });
    await kms.close();
    await stock(places, { ...request, count: 100_000 });
    execFileSync(
      process.execPath,
      ['--expose-gc', script, 'drawing', JSON.stringify(places), KeyId, KeyPairSpec],
      { stdio: 'inherit' },
    );
  }
}

async function drawing(_places, placesText, KeyId, KeyPairSpec) {
  const kms = await Pairmint.open({ ...JSON.parse(placesText), refillPools: false });
  const before = megabytes();
  const level = (await kms.pools.list()).find((pool) => pool.KeyPairSpec === KeyPairSpec)?.level;
  const parts = () => ['RssAnon', 'RssFile'].map(resident).join(', ');
  const counted = `${megabytes().toFixed(0)} MB (${parts()})`;
  // A tenth; what was read of the store stays mapped.
  for (let i = 0; i < level / 10; i++) {
    await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec });
  }
  const drawn = `${megabytes().toFixed(0)} MB (${parts()})`;
  for (let i = level / 10; i < level; i++) {
    await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec });
  }
  const { size } = statSync(fileOf(placesText));
  console.log(
    `A pool of ${level} ${KeyPairSpec} pairs, resident: ${before.toFixed(0)} MB before, ${counted} counted, ` +
      `${drawn} when a tenth was taken, ${megabytes().toFixed(0)} MB (${parts()}) when all were; ` +
      `the store's file has ${(size / 2 ** 20).toFixed(0)} MB`,
  );
  await kms.close();
}

function fileOf(placesText) {
  return JSON.parse(placesText).store.slice('sqlite:'.length);
}
