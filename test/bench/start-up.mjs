// How long the command takes to start, beside Node.js itself: medians of rounds in which all take
// their turn, for a neighbour slows them alike.
//
//     node test/bench/start-up.mjs [ROUNDS]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { quantile } from './statistics.mjs';

const limit = 2.5;
const rounds = Number(process.argv[2] ?? 20);
const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const home = mkdtempSync(path.join(os.tmpdir(), 'pairmint-start-'));
const env = { ...process.env, PAIRMINT_HOME: home };

const commands = {
  'node -e 0': ['-e', '0'],
  'pairmint --version': [bin, '--version'],
  'pairmint describe-key': [bin, 'describe-key', '--key-id', 'alias/pairmint/default'],
};

function time(args) {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env });
  if (status !== 0) throw new Error(String(stderr));
  return performance.now() - begun;
}

const median = (times) => quantile(times, 0.5);

try {
  // Makes the store and its key.
  time(commands['pairmint describe-key']);
  const times = Object.keys(commands).map(() => []);
  for (let round = 0; round < rounds; round++) {
    Object.values(commands).forEach((args, i) => {
      times[i].push(time(args));
    });
  }
  const [node] = times.map(median);
  console.log(`Node.js ${process.versions.node}, ${os.cpus()[0]?.model}, medians of ${rounds}`);
  for (const [i, name] of Object.keys(commands).entries()) {
    const ratio = median(times[i]) / node;
    console.log(`${name}: ${median(times[i]).toFixed(0)} ms, ${ratio.toFixed(2)} times`);
    if (ratio > limit) process.exitCode = 1;
  }
} finally {
  rmSync(home, { recursive: true });
}
