// `npm run soak`: our own arithmetic on curves against OpenSSL, in random scalars.
//
//   node test/soak/ec-soak.mjs [scalars]     on each curve; 1,000,000 unless told otherwise
//
// In lots of 16 and one by one in turn. OpenSSL has its word on every point: on all points of a lot
// at once with random factors (a wrong one passes with probability 2^-128), and on one point in
// each lot in full, as node:crypto computes it. Of Ed25519, OpenSSL computes every public key.
import crypto from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const total = Number(process.argv[2] ?? 1_000_000);
const internals = createRequire(import.meta.url)(
  fileURLToPath(new URL('../native/build/Release/internals.node', import.meta.url)),
);
const curves = {
  'P-256': ['prime256v1', 32],
  'P-384': ['secp384r1', 48],
  'P-521': ['secp521r1', 66],
  secp256k1: ['secp256k1', 32],
  SM2: ['SM2', 32],
};

/** Below the order of every curve of that length, of any size and with long runs of equal bits. */
function scalar(length) {
  const bytes = crypto.randomBytes(length);
  // P-521 has 521 bits; the orders of all begin with ones.
  bytes[0] = length === 66 ? 0 : bytes[0] & 0x7f;
  const [kind, at] = crypto.randomBytes(2);
  const begin = at % length;
  if (kind < 64)
    bytes.fill(kind < 32 ? 0 : 0xff, begin === 0 ? 1 : begin, Math.min(length, begin + 9));
  if (bytes.every((byte) => byte === 0)) bytes[length - 1] = 1;
  return bytes;
}

let isGood = true;
for (const [name, [ecdhName, length]] of Object.entries(curves)) {
  if (internals.capabilities().curveKernels[name] === 'openssl') {
    console.log(`${name}: left to OpenSSL here`);
    continue;
  }
  const begun = Date.now();
  const size = 1 + 2 * length;
  let wrong = 0;
  for (let done = 0; done < total; done += 16) {
    const scalars = Array.from({ length: 16 }, () => scalar(length));
    const keys = scalars.map((bytes) => BigInt(`0x${bytes.toString('hex')}`));
    const isAlone = (done / 16) % 2 === 1;
    const lots = isAlone ? keys.map((key) => [key]) : [keys];
    const points = Buffer.concat(
      lots.map((lot) => internals.multiplyByComb(name, lot) ?? Buffer.alloc(size * lot.length)),
    );
    const i = crypto.randomInt(16);
    const ecdh = crypto.createECDH(ecdhName);
    ecdh.setPrivateKey(scalars[i]);
    const isRight =
      ecdh.getPublicKey().equals(points.subarray(size * i, size * (i + 1))) &&
      internals.verifyPoints(name, keys, points);
    if (!isRight) {
      wrong++;
      console.log(`${name}: wrong for one of ${keys.map((key) => key.toString(16)).join(' ')}`);
    }
  }
  isGood &&= wrong === 0 && internals.combSwitchedOff() === '';
  const seconds = Math.round((Date.now() - begun) / 1000);
  console.log(`${name}: ${total} scalars, ${wrong} lots wrong, ${seconds} s`);
}
isGood &&= soakEd25519();
process.exit(isGood ? 0 : 1);

/**
 * Public keys in lots of 16 and one by one in turn, each beside OpenSSL's; and scalars with long runs
 * of equal bits, which no private key has, by both tables in both ways, one of each lot beside
 * OpenSSL's.
 */
function soakEd25519() {
  if (internals.capabilities().curveKernels.Ed25519 === 'openssl') {
    console.log('Ed25519: left to OpenSSL here');
    return true;
  }
  const begun = Date.now();
  const ways = [
    [5, false],
    [4, false],
    [5, true],
    [4, true],
  ];
  let wrong = 0;
  for (let done = 0; done < total; done += 16) {
    const seeds = Array.from({ length: 16 }, () => crypto.randomBytes(32));
    const isAlone = (done / 16) % 2 === 1;
    const lots = isAlone ? seeds : [Buffer.concat(seeds)];
    const keys = lots.map((lot) => internals.ed25519ByLanes(lot) ?? Buffer.alloc(lot.length));
    const expected = seeds.map((seed) => internals.encodeEd25519(seed).spki.subarray(-32));
    const scalars = seeds.map(() => BigInt(`0x${scalar(32).toString('hex')}`));
    const points = ways.map(([bits, isSplit]) => internals.multiplyEdwards(bits, isSplit, scalars));
    const i = crypto.randomInt(16);
    const isRight =
      Buffer.concat(keys).equals(Buffer.concat(expected)) &&
      points.every((each) => each.equals(points[0])) &&
      internals.compareEdwards(scalars[i], points[0].subarray(32 * i, 32 * (i + 1)));
    if (!isRight) {
      wrong++;
      const names = [...seeds.map((seed) => seed.toString('hex')), ...scalars.map(String)];
      console.log(`Ed25519: wrong for one of ${names.join(' ')}`);
    }
  }
  const seconds = Math.round((Date.now() - begun) / 1000);
  console.log(`Ed25519: ${total} keys and scalars, ${wrong} lots wrong, ${seconds} s`);
  return wrong === 0 && internals.combSwitchedOff() === '';
}
