// A process that mints and ends in a way that a test names.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Pairmint } from '../../dist/index.js';

const kms = await Pairmint.open({ store: 'memory:' });
const mint = (KeyPairSpec = 'RSA_4096') =>
  kms.generateDataKeyPairWithoutPlaintext({ KeyId: 'alias/pairmint/default', KeyPairSpec });
const say = (line) => process.stdout.write(`${line}\n`);

const tasks = {
  // The event loop has nothing else to wait for.
  async finish() {
    await mint();
    say('minted');
  },
  async exitWhileMinting() {
    for (let i = 0; i < 8; i++) mint();
    await new Promise((done) => setTimeout(done, 30));
    say('leaving');
    process.exit(0);
  },
  // Lone pairs and batches: the brief ones of the first are minted by this thread itself.
  async exitInMidMint(spec, milliseconds) {
    const KeyId = 'alias/pairmint/default';
    await mint(spec);
    const lane = async () => {
      for (;;) await mint(spec);
    };
    const batches = async () => {
      const request = { KeyId, KeyPairSpec: spec };
      for await (const _ of kms.mintDataKeyPairs(request, { count: 1e6 }));
    };
    for (let i = 0; i < 4; i++) void lane();
    void batches();
    await new Promise((done) => setTimeout(done, Number(milliseconds)));
    say('leaving');
    process.exit(0);
  },
  async exitWhileKeysAreMade(KeySpec, milliseconds) {
    const lane = async () => {
      for (;;) await kms.createKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
    };
    for (let i = 0; i < 8; i++) void lane();
    await new Promise((done) => setTimeout(done, Number(milliseconds)));
    say('leaving');
    process.exit(0);
  },
  async readWhileMinting() {
    let minted = 0;
    const all = Array.from({ length: 12 }, () => mint().then(() => minted++));
    for (let i = 0; i < 5; i++) await readFile(fileURLToPath(import.meta.url));
    say(`read 5 times while ${minted} of ${all.length} were minted`);
    await Promise.all(all);
  },
  async terminateWorkers() {
    for (let round = 0; round < 6; round++) {
      const worker = new Worker(fileURLToPath(import.meta.url), { argv: ['mintUntilTerminated'] });
      await new Promise((done) => worker.once('message', done));
      await new Promise((done) => setTimeout(done, 10 * round));
      await worker.terminate();
    }
    const before = process.cpuUsage();
    await new Promise((done) => setTimeout(done, 400));
    const { user, system } = process.cpuUsage(before);
    say(`idle ${user + system < 200_000}`);
    await mint('RSA_2048');
    say('minted');
  },
  // The environment may end at any moment of reading a request and of making its answer.
  async terminateWhileAnswering() {
    for (let round = 0; round < 16; round++) {
      const argv = [round % 2 === 0 ? 'answerFromThreads' : 'answerAtOnce'];
      const worker = new Worker(fileURLToPath(import.meta.url), { argv });
      await new Promise((done) => worker.once('message', done));
      await new Promise((done) => setTimeout(done, round));
      await worker.terminate();
    }
    say('survived');
  },
  async answerFromThreads() {
    parentPort.postMessage('answering');
    const lane = async () => {
      for (;;) await mint('ECC_NIST_P256');
    };
    await Promise.all(Array.from({ length: 50 }, lane));
  },
  async answerAtOnce() {
    parentPort.postMessage('answering');
    const request = { KeyId: 'alias/pairmint/default', Plaintext: Buffer.alloc(4096) };
    for (;;) await Promise.all(Array.from({ length: 50 }, () => kms.encrypt(request)));
  },
  async mintInWorkers() {
    const minted = Array.from({ length: 3 }, () => {
      const worker = new Worker(fileURLToPath(import.meta.url), { argv: ['finish'] });
      return new Promise((done) => worker.once('exit', done));
    });
    say(`workers ended with ${(await Promise.all(minted)).join()}`);
  },
  async mintUntilTerminated() {
    parentPort.postMessage('minting');
    for (;;) await Promise.all(Array.from({ length: 4 }, () => mint()));
  },
};

await tasks[process.argv[2]](...process.argv.slice(3));
if (isMainThread) await kms.close();
