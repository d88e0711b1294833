// What a request costs that has the process to itself: `npm run bench -- --lone`, some minutes. Each
// operation is asked for one at a time and eight at a time, in turns, in this process; then fresh
// processes tell what their first 200 requests cost, beside the 5,000th to 10,000th.
//
//   npm run bench -- --lone --quick    a fifth of the turns: for a look, not for a claim
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';
import { mean, ratioOf, standardError } from './statistics.mjs';

const limits = { oneToEight: 1.4, firstToWarm: 2 };
const first = 200;
const warm = { from: 5000, count: 5000 };

async function openOperations() {
  const kms = await Pairmint.open({ store: 'memory:' });
  const create = async (request) => (await kms.createKey(request)).KeyMetadata.KeyId;
  const KeyId = await create({});
  const signing = await create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const mac = await create({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  const Message = new Uint8Array(32);
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Message });
  const SigningAlgorithm = 'ECDSA_SHA_256';
  const { Signature } = await kms.sign({ KeyId: signing, Message, SigningAlgorithm });
  const pair = (KeyPairSpec) => () =>
    kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec });
  const operations = {
    GenerateDataKey: () => kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }),
    Encrypt: () => kms.encrypt({ KeyId, Plaintext: Message }),
    Decrypt: () => kms.decrypt({ CiphertextBlob }),
    ReEncrypt: () => kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId }),
    GenerateRandom: () => kms.generateRandom({ NumberOfBytes: 32 }),
    GenerateMac: () => kms.generateMac({ KeyId: mac, Message, MacAlgorithm: 'HMAC_SHA_256' }),
    DescribeKey: () => kms.describeKey({ KeyId }),
    'Sign with P-256': () => kms.sign({ KeyId: signing, Message, SigningAlgorithm }),
    'Verify with P-256': () => kms.verify({ KeyId: signing, Message, Signature, SigningAlgorithm }),
    'a pair of ECC_NIST_P256': pair('ECC_NIST_P256'),
    'a pair of ECC_NIST_P384': pair('ECC_NIST_P384'),
    'a pair of ECC_NIST_P521': pair('ECC_NIST_P521'),
    'a pair of ECC_SECG_P256K1': pair('ECC_SECG_P256K1'),
    'a pair of SM2': pair('SM2'),
    'a pair of ECC_NIST_EDWARDS25519': pair('ECC_NIST_EDWARDS25519'),
  };
  return { kms, operations };
}

/** CPU time of a request, in microseconds. */
async function costOf(operation, { count, together }) {
  const started = process.cpuUsage();
  let left = count;
  const lane = async () => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: together }, lane));
  const { user, system } = process.cpuUsage(started);
  return (user + system) / count;
}

export async function benchLone({ quick, smoke }) {
  const turns = smoke ? 1 : quick ? 5 : 25;
  const count = smoke ? 20 : 2000;
  const { kms, operations } = await openOperations();
  const { cpu, kernel, node, openssl } = kms.capabilities();
  process.stdout.write(
    `${cpu}, kernel ${kernel}, Node ${node}, OpenSSL ${openssl}\n` +
      `CPU time per request, mean ± standard error of ${turns} turns of ${count} requests\n`,
  );
  for (const [title, operation] of Object.entries(operations)) {
    const one = [];
    const eight = [];
    for (let turn = -1; turn < turns; turn++) {
      const alone = await costOf(operation, { count, together: 1 });
      const shared = await costOf(operation, { count, together: 8 });
      if (turn < 0) continue;
      one.push(alone);
      eight.push(shared);
    }
    printRow(title, ['one at a time', one], ['eight', eight], limits.oneToEight);
  }
  await kms.close();
  for (const title of ['GenerateDataKey', 'Decrypt', 'a pair of ECC_NIST_P256']) {
    const measured = [];
    for (let turn = 0; turn < turns; turn++) measured.push(await inFreshProcess(title, smoke));
    const [early, late] = ['early', 'late'].map((name) => measured.map((each) => each[name]));
    printRow(title, [`first ${first} of a process`, early], ['warm', late], limits.firstToWarm);
  }
}

function printRow(title, [above, numerators], [below, denominators], limit) {
  const { ratio, error } = ratioOf(numerators, denominators);
  const text = (values) => `${mean(values).toFixed(1)} us ± ${standardError(values).toFixed(1)}`;
  process.stdout.write(
    `${title}: ${above} ${text(numerators)}, ${below} ${text(denominators)}; ` +
      `${ratio.toFixed(2)}x ± ${error.toFixed(2)}, at most ${limit} is the aim\n`,
  );
}

function inFreshProcess(title, smoke) {
  return new Promise((done, failed) => {
    fork(fileURLToPath(import.meta.url), [title, smoke ? 'smoke' : 'whole'])
      .once('message', done)
      .once('error', failed);
  });
}

// The fresh process.
if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , title, length] = process.argv;
  const { kms, operations } = await openOperations();
  const operation = operations[title];
  const early = await costOf(operation, { count: first, together: 1 });
  const { from, count } = length === 'smoke' ? { from: 300, count: 100 } : warm;
  await costOf(operation, { count: from - first, together: 1 });
  const late = await costOf(operation, { count, together: 1 });
  await kms.close();
  process.send({ early, late }, () => process.disconnect());
}
