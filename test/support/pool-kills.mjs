// Two processes that draw on a pool and one that fills it, all of them killed again and again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./pool-process.mjs', import.meta.url));
const tasks = ['take', 'take', 'fill'];

/**
 * Runs rounds of processes that are killed at random moments.
 *
 * @param open opens the store of `places` (its URL and its root key file)
 * @param {AbortSignal | undefined} signal ends it before so many rounds
 * @param onRound told after each of how many kills and answers there were until then
 * @returns what was answered, what was not as expected, and how many kills that took
 */
export async function killAgainAndAgain({
  open,
  places,
  rounds,
  spec,
  signal = undefined,
  onRound = (_soFar) => {},
}) {
  const kms = await open();
  const { KeyMetadata } = await kms.createKey({});
  const { KeyId } = KeyMetadata;
  await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 600 });
  await kms.close();
  const answered = [];
  const strange = [];
  let kills = 0;
  for (let round = 0; round < rounds && !signal?.aborted; round++) {
    const lines = (
      await Promise.all(
        tasks.map((task) => runAndKill(places, [task, KeyId, spec], 1 + 12 * (round % 2))),
      )
    ).flat();
    kills += tasks.length;
    answered.push(...lines.filter((line) => / /.test(line) && !/^F/.test(line)));
    strange.push(...lines.filter((line) => line.startsWith('FAILED')));
    onRound({ kills, answered: answered.length, strange: strange.length });
  }
  return { kills, strange, ...(await check(open, answered)) };
}

// A process that fills says nothing more if the pool is full; one that takes has much to do before
// its first answer, on a busy machine.
const longestWait = { fill: 500, take: 10_000 };

/** Kills a process at a random moment after it has said so many lines, of which the first is that it is ready. */
async function runAndKill(places, args, lines) {
  const child = spawn(process.execPath, [script, ...places, ...args]);
  let output = '';
  let ready = () => {};
  const said = new Promise((resolve) => {
    ready = resolve;
  });
  child.stdout.on('data', (data) => {
    output += data;
    if (output.split('\n').length > lines) ready();
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  await Promise.race([said, closed, pause(longestWait[args[0]])]);
  await pause(Math.random() * 120);
  child.kill('SIGKILL');
  await closed;
  // A line that the kill cut off is no answer.
  return output.split('\n').slice(0, -1);
}

/** Every public key is unique, every blob opens, and so does the store with what waits in it. */
async function check(open, answered) {
  const kms = await open();
  const broken = [];
  for (const line of answered) {
    const CiphertextBlob = Buffer.from(line.split(' ')[1], 'base64');
    await kms.decrypt({ CiphertextBlob }).catch((error) => broken.push(error.name));
  }
  const seen = new Set(answered.map((line) => line.split(' ')[0]));
  const [pool] = await kms.pools.list();
  const waiting = pool.level;
  let repeated = answered.length - seen.size;
  for (let i = 0; i < waiting; i++) {
    const pair = await kms.generateDataKeyPairWithoutPlaintext(pool);
    const text = Buffer.from(pair.PublicKey).toString('base64');
    if (seen.has(text)) repeated++;
    seen.add(text);
  }
  const [{ skipped }] = await kms.pools.list();
  await kms.close();
  return { answered: answered.length, repeated, broken, waiting, skipped };
}
