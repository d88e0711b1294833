// The long form of test/native/rsa.test.ts: 2,000 RSA_2048 and 200 RSA_4096 pairs, each prime through
// OpenSSL's 64 rounds, no factor shared, residues and bits as they fall. About four minutes.
//
// usage: node test/soak/rsa-soak.mjs [RSA_2048 pairs] [RSA_4096 pairs]
import { checkPrimeSync } from 'node:crypto';
import { createRequire } from 'node:module';

const internals = createRequire(import.meta.url)('../native/build/Release/internals.node');
const counts = { 2048: Number(process.argv[2] ?? 2000), 4096: Number(process.argv[3] ?? 200) };

function gcd(first, second) {
  let [a, b] = [first, second];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** n mod each of the others' product, by a tree: n log n instead of n^2 divisions. */
function sharedFactors(moduli) {
  const levels = [moduli];
  while (levels.at(-1).length > 1) {
    const last = levels.at(-1);
    const next = [];
    for (let i = 0; i < last.length; i += 2) next.push(last[i] * (last[i + 1] ?? 1n));
    levels.push(next);
  }
  let rests = levels.pop();
  while (levels.length > 0) {
    const level = levels.pop();
    rests = level.map((product, i) => rests[i >> 1] % (product * product));
  }
  return moduli.filter((n, i) => gcd(n, rests[i] / n) !== 1n);
}

const complaints = [];
function check(holds, complaint) {
  if (!holds) complaints.push(complaint);
}

for (const [bits, count] of Object.entries(counts).map(([a, b]) => [Number(a), b])) {
  const begun = process.cpuUsage();
  const keys = Array.from({ length: count }, () => internals.generateRsa(bits));
  const primes = keys.flatMap(({ p, q }) => [p, q]);
  const times = keys.map(({ cpuMs }) => cpuMs);
  const mean = times.reduce((sum, time) => sum + time, 0) / count;
  const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (count - 1);
  console.log(`RSA_${bits}: ${mean.toFixed(2)} ± ${Math.sqrt(variance / count).toFixed(2)} ms CPU`);

  for (const prime of primes) {
    const bytes = Buffer.from(prime.toString(16), 'hex');
    check(checkPrimeSync(bytes, { checks: 64 }), `RSA_${bits}: not a prime: ${prime}`);
    check(bytes.length === bits / 16 && bytes[0] >= 0xc0, `RSA_${bits}: out of range: ${prime}`);
    check(prime % 8n === 7n && prime % 65537n !== 1n, `RSA_${bits}: wrong residue: ${prime}`);
  }
  check(sharedFactors(keys.map(({ n }) => n)).length === 0, `RSA_${bits}: a factor is shared`);

  // Within 5 standard deviations: with 3,000 shares looked at, chance says so once in 600 runs.
  const share = (name, expected, holds) => {
    const seen = primes.filter(holds).length;
    const deviation = Math.sqrt(primes.length * expected * (1 - expected));
    check(
      Math.abs(seen - primes.length * expected) < 5 * deviation,
      `RSA_${bits}: ${name}: ${seen} of ${primes.length}, expected ${expected}`,
    );
  };
  for (const modulus of [3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n]) {
    for (let rest = 1n; rest < modulus; rest++) {
      share(`${rest} mod ${modulus}`, 1 / Number(modulus - 1n), (p) => p % modulus === rest);
    }
  }
  for (let bit = 3n; bit < bits / 2 - 2; bit++) {
    share(`bit ${bit}`, 0.5, (prime) => ((prime >> bit) & 1n) === 1n);
  }
  const { user, system } = process.cpuUsage(begun);
  console.log(`RSA_${bits}: ${count} pairs checked, ${((user + system) / 1e6).toFixed(0)} s CPU`);
}

const { chosen, switchedOff, audits } = internals.kernelReport();
console.log(`kernel ${chosen}, ${audits} audits`);
check(switchedOff === '', `a kernel was switched off: ${switchedOff}`);
for (const complaint of complaints.slice(0, 20)) console.error(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
