// One side of the benchmark, in a process of its own, so that its threads, its garbage collector and
// its kernel are its own: makes a block of pairs whenever it is asked to, and tells what that took.
// Argument: JSON { side, spec, threads }. Times are milliseconds.
import crypto from 'node:crypto';
import { promisify } from 'node:util';

const { side, spec, threads } = JSON.parse(process.argv[2]);
process.env.PAIRMINT_THREADS = String(threads);

const request = { KeyId: 'alias/pairmint/default', KeyPairSpec: spec };

async function service() {
  const { Pairmint } = await import('../../dist/index.js');
  return Pairmint.open({ store: 'memory:' });
}

// Each side gives a function that makes a block of pairs.
const sides = {
  async pairmint() {
    const kms = await service();
    return inParallel(() => kms.generateDataKeyPairWithoutPlaintext(request));
  },
  async batch() {
    const kms = await service();
    return async (count) => {
      for await (const _ of kms.mintDataKeyPairs(request, { count }));
    };
  },
  // The same job by hand: generate, encode, derive a key, seal.
  async 'node:crypto'() {
    const [type, options] = keyTypes[spec];
    const encodings = {
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    };
    const material = crypto.randomBytes(32);
    const generate = promisify(crypto.generateKeyPair);
    const make =
      threads === 1
        ? async () => crypto.generateKeyPairSync(type, { ...options, ...encodings })
        : async () => generate(type, { ...options, ...encodings });
    return inParallel(async () => {
      const { publicKey, privateKey } = await make();
      return { publicKey, blob: seal(material, privateKey) };
    });
  },
};

const keyTypes = {
  RSA_2048: ['rsa', { modulusLength: 2048 }],
  RSA_3072: ['rsa', { modulusLength: 3072 }],
  RSA_4096: ['rsa', { modulusLength: 4096 }],
  ECC_NIST_P256: ['ec', { namedCurve: 'P-256' }],
  ECC_NIST_P384: ['ec', { namedCurve: 'P-384' }],
  ECC_NIST_P521: ['ec', { namedCurve: 'P-521' }],
  ECC_SECG_P256K1: ['ec', { namedCurve: 'secp256k1' }],
  SM2: ['ec', { namedCurve: 'SM2' }],
  ECC_NIST_EDWARDS25519: ['ed25519', {}],
};

function seal(material, privateKey) {
  const nonce = crypto.randomBytes(32);
  const iv = crypto.randomBytes(12);
  const key = crypto.createHmac('sha256', material).update(nonce).digest();
  const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
  const body = Buffer.concat([cipher.update(privateKey), cipher.final()]);
  return Buffer.concat([nonce, iv, body, cipher.getAuthTag()]);
}

function cpuNow() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Eight requests for each thread under way at any time. */
function inParallel(make) {
  return async (pairs) => {
    let left = pairs;
    await Promise.all(
      Array.from({ length: 8 * threads }, async () => {
        while (left-- > 0) await make();
      }),
    );
  };
}

const makeBlock = await sides[side]();
// Pairs on curves are so quick that an optimised request path shows: two seconds of them first.
const warm = performance.now() + 2000;
do await makeBlock(16);
while (performance.now() < warm);
process.on('message', async (pairs) => {
  const [wall, cpu] = [performance.now(), cpuNow()];
  await makeBlock(pairs);
  process.send({ wall: performance.now() - wall, cpu: cpuNow() - cpu });
});
process.send('ready');
