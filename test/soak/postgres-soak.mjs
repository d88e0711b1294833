// Processes that draw on a pool, fill it and mint batches on one store on PostgreSQL: all of them are killed
// again and again, and the database is stopped at once and started. Looks for a pair that is there twice, and
// counts what batches have: `npm run soak`, or node test/soak/postgres-soak.mjs [pairs] [kills] [restarts].
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';

const [pairs = 100_000, kills = 1000, restarts = 20] = process.argv.slice(2).map(Number);
const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const spec = 'ECC_NIST_P256';
const batchSize = Math.ceil(pairs / 25);
// So many that kills hit chunks in all their states.
const chunk = Math.min(500, Math.ceil(batchSize / 10));

const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-soak-'));
const home = `${folder}/home`;
const rootKey = { file: `${folder}/root.key` };
const database = await startDatabase();
const store = `postgres://soak@127.0.0.1:${database.port}/postgres`;

const done = { kills: 0, restarts: 0, answered: 0, minted: 0, refused: 0 };
const seen = new Set();
const faults = [];
try {
  const maker = await open({ create: true });
  const { KeyId } = (await maker.createKey({})).KeyMetadata;
  await maker.pools.create({ KeyId, KeyPairSpec: spec, target: 2000 });
  await maker.close();
  const isEnough = () =>
    done.kills >= kills &&
    done.restarts >= restarts &&
    Math.min(done.answered, done.minted) >= pairs / 2;
  while (!isEnough() && faults.length === 0) {
    await draw(KeyId);
    await mintBatch(KeyId);
    const { answered, minted } = done;
    console.log(
      `${done.kills} kills, ${done.restarts} restarts, ${answered} drawn, ${minted} minted`,
    );
  }
  await drawTheRest(KeyId);
} finally {
  await database.stop('SIGINT');
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults.slice(0, 20)) console.error(fault);
console.log(
  `${done.kills} kills, ${done.restarts} restarts of the database, ${done.answered} pairs drawn, ` +
    `${done.minted} minted in batches, ${seen.size} different ones, ${done.refused} refusals`,
);
process.exit(faults.length === 0 ? 0 : 1);

function open(more = {}) {
  return Pairmint.open({ store, rootKey, refillPools: false, ...more });
}

/** Opens the store and closes it when `work` is done. */
async function withStore(work) {
  const kms = await open();
  try {
    return await work(kms);
  } finally {
    await kms.close();
  }
}

function note(publicKey, whose) {
  if (seen.has(publicKey)) faults.push(`a pair of ${whose} was there before: ${publicKey}`);
  seen.add(publicKey);
}

/** The database restarts in the share of rounds that makes as many as are wanted. */
function maybeRestart() {
  const isDue = done.restarts * kills <= restarts * done.kills;
  return isDue && done.restarts < restarts ? restart() : undefined;
}

async function restart() {
  await pause(500 + 1500 * Math.random());
  await database.stop('SIGQUIT');
  await database.start();
  done.restarts++;
}

/** Two processes draw and one fills, until they are killed. */
async function draw(KeyId) {
  const tasks = ['take', 'take', 'fill'];
  const script = pathOf('../support/pool-process.mjs');
  const running = tasks.map((task) =>
    run([script, store, rootKey.file, task, KeyId, spec], (text) => {
      // A process that fills says nothing more if the pool is full.
      return text.split('\n').length > (task === 'take' ? pairs / 200 : 2);
    }),
  );
  const restarting = maybeRestart();
  const texts = await Promise.all(running);
  await restarting;
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  const answers = lines.filter((line) => / /.test(line) && !/^F/.test(line));
  // Without a restart nothing is refused.
  const failed = lines.filter((line) => line.startsWith('FAILED'));
  done.refused += failed.length;
  if (restarting === undefined) faults.push(...failed);
  done.answered += answers.length;
  for (const line of answers) note(line.split(' ')[0], 'a pool');
  const blobs = answers.map((line) => Buffer.from(line.split(' ')[1], 'base64'));
  await withStore(async (kms) => {
    for (const CiphertextBlob of blobs) {
      await kms.decrypt({ CiphertextBlob }).catch((error) => faults.push(`${error}`));
    }
  });
}

/** Workers mint a batch, each of them killed some time after it has stored something. */
async function mintBatch(KeyId) {
  const batch = { KeyId, KeyPairSpec: spec, count: batchSize, chunk };
  const { batchId } = await withStore((kms) => kms.batches.submit(batch));
  const bin = pathOf('../../dist/cli/bin.js');
  const args = [bin, 'worker', '--batches', '--store', store, '--root-key-file', rootKey.file];
  let isDone = false;
  const replaceWorkers = async () => {
    while (!isDone)
      await run(
        args,
        (text) => /pairs of batches minted/.test(text),
        () => isDone,
      );
  };
  const workers = Array.from({ length: 3 }, replaceWorkers);
  await maybeRestart();
  while (!isDone) {
    await pause(200);
    // The database may be starting.
    const status = await withStore((kms) => kms.batches.status(batchId)).catch(() => undefined);
    isDone = status?.state === 'done';
  }
  await Promise.all(workers);
  let count = 0;
  await withStore(async (kms) => {
    for await (const some of kms.batches.results(batchId)) {
      count += some.length;
      for (const { PublicKey } of some) note(Buffer.from(PublicKey).toString('base64'), batchId);
    }
    await kms.batches.delete(batchId);
  });
  if (count !== batchSize) faults.push(`${batchId} has ${count} pairs, not ${batchSize}`);
  done.minted += count;
}

/** What still waits in the pool was answered by nobody. */
async function drawTheRest(KeyId) {
  await withStore(async (kms) => {
    const [{ level }] = await kms.pools.list();
    for (let i = 0; i < level; i++) {
      const pair = await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: spec });
      note(Buffer.from(pair.PublicKey).toString('base64'), 'what waited');
    }
    const report = await kms.store.check();
    faults.push(...report.faults);
  });
}

/** Kills a process up to a second after it has said what it was waited for; returns its standard output. */
async function run(args, isSaid, isOver = () => false) {
  const env = { ...process.env, PAIRMINT_HOME: home };
  const child = spawn(process.execPath, args, { env });
  let text = '';
  let complaints = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  child.stderr.on('data', (data) => {
    complaints += data;
  });
  const closed = once(child, 'close');
  let hasEnded = false;
  void closed.then(() => {
    hasEnded = true;
  });
  const until = performance.now() + 20_000;
  while (!isSaid(text + complaints) && !hasEnded && !isOver() && performance.now() < until)
    await pause(20);
  await pause(1000 * Math.random());
  if (!hasEnded) done.kills++;
  child.kill('SIGKILL');
  await closed;
  // Of our own warnings: a pool cannot be drawn from while the database restarts.
  if (/\(node:\d+\) (?!\[PAIRMINT_POOL\])/.test(complaints)) faults.push(complaints);
  return text;
}

/** A server of PostgreSQL of its own. */
async function startDatabase() {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).map(Number) : [];
  const [newest] = versions.filter((version) => version >= 15).sort((a, b) => b - a);
  if (newest === undefined) {
    console.error('This needs PostgreSQL 15 or later: apt-get install postgresql');
    process.exit(1);
  }
  const bin = `${root}/${newest}/bin`;
  // PostgreSQL refuses to run as root.
  const id = (option) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  const user = process.getuid() === 0 ? { uid: id('-u'), gid: id('-g') } : {};
  const place = mkdtempSync(path.join(folder, 'database-'));
  chmodSync(folder, 0o755);
  if (user.uid !== undefined) chownSync(place, user.uid, user.gid);
  const data = `${place}/data`;
  execFileSync(`${bin}/initdb`, ['-D', data, '-U', 'soak', '-A', 'trust', '-N'], {
    ...user,
    stdio: 'pipe',
  });
  const port = await freePort();
  let server;
  const start = async () => {
    const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
    server = spawn(`${bin}/postgres`, ['-D', data, '-p', `${port}`, ...settings], {
      ...user,
      stdio: 'ignore',
    });
    const ready = ['-h', '127.0.0.1', '-p', `${port}`];
    for (;;) {
      const asked = spawn(`${bin}/pg_isready`, ready, { stdio: 'ignore' });
      const [code] = await once(asked, 'close');
      if (code === 0) return;
      await pause(100);
    }
  };
  const stop = async (signal) => {
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  };
  await start();
  return { port, start, stop };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}
