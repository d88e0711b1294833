// Threads of users that have a store open and are ended in the middle of commits, and the process that
// starts them. Arguments: the store's URL, the root key file, what to do, and how often.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Pairmint } from '../../dist/index.js';

const [store, file, task, count = '1'] = isMainThread ? process.argv.slice(2) : workerData;
const open = () => Pairmint.open({ store, rootKey: { file }, refillPools: false });

/** @param onFirst told when the first keys are there */
async function commitForEver(say, onFirst = () => {}) {
  const kms = await open();
  for (let i = 0; ; i++) {
    if (i === 1) onFirst();
    const made = await Promise.all(Array.from({ length: 3 }, () => kms.createKey({})));
    for (const { KeyMetadata } of made) say(`K ${KeyMetadata.KeyId}`);
  }
}

function exitSoon() {
  setTimeout(() => process.exit(0), 60 * Math.random());
}

function startThread() {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: [store, file, task] });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const first = new Promise((resolve) => {
    worker.on('message', (line) => {
      process.stdout.write(`${line}\n`);
      resolve();
    });
  });
  worker.on('error', (error) => process.stdout.write(`F ${error.message}\n`));
  return { worker, first, ended };
}

if (isMainThread) {
  if (task === 'exitProcess') {
    await commitForEver((line) => process.stdout.write(`${line}\n`), exitSoon);
  } else {
    // Three at a time: each opens the store anew.
    for (let i = 0; i < Number(count); i += 3) {
      const threads = [startThread(), startThread(), startThread()];
      await Promise.all(threads.map(({ first, ended }) => Promise.race([first, ended])));
      for (const { worker } of threads) {
        await pause(30 * Math.random());
        if (task === 'terminate') await worker.terminate();
      }
      await Promise.all(threads.map(({ ended }) => ended));
    }
    // This process works on.
    const kms = await open();
    await kms.createKey({});
    await kms.close();
    process.stdout.write('DONE\n');
  }
} else {
  const say = (line) => parentPort.postMessage(line);
  await commitForEver(say, task === 'exitThread' ? exitSoon : undefined);
}
