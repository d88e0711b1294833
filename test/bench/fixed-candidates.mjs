// Searches through the candidate lists of C2SP CCTV, which are of average length: what is left of
// the time is the search, without the luck. One thread, the tests' addon.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { mean, standardError } from './statistics.mjs';

const internals = createRequire(import.meta.url)('../native/build/Release/internals.node');
const rounds = Number(process.argv[2]);

function candidates(bits) {
  const file = new URL(`../vectors/c2sp/rsa.bench.${bits}.txt`, import.meta.url);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^[0-9a-f]+$/.test(line))
    .map((line) => Buffer.from(line, 'hex'));
}

const rows = [2048, 3072, 4096].map((bits) => {
  const list = candidates(bits);
  const times = Array.from({ length: rounds }, () => {
    let at = 0;
    // Around again: candidates are drawn in groups, and the last prime is the last of the list.
    return internals.searchRsa(bits, () => list[at++ % list.length], {}).cpuMs;
  });
  return { bits, candidates: list.length, cpu: mean(times), error: standardError(times), rounds };
});
process.send(rows, () => process.exit(0));
