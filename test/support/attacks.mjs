// Processes on one store, for attacks on it, and what must be true of it afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';

const script = fileURLToPath(new URL('./attack-process.mjs', import.meta.url));
export const spec = 'ECC_NIST_EDWARDS25519';

export function placesIn(folder) {
  return { store: `sqlite:${folder}/store.db`, file: `${folder}/root.key` };
}

export function openIn(folder) {
  const { store, file } = placesIn(folder);
  return Pairmint.open({ store, rootKey: { file }, refillPools: false });
}

/** Makes a store with a key and a pool for it. */
export async function makeStore(folder, { target = 600 } = {}) {
  const kms = await openIn(folder);
  const { KeyMetadata } = await kms.createKey({});
  const { KeyId } = KeyMetadata;
  await kms.pools.create({ KeyId, KeyPairSpec: spec, target });
  await kms.close();
  return KeyId;
}

/**
 * Starts a process on the store in `folder` that does a task of attack-process.mjs until it is killed.
 * `lines` has what it has said until now.
 *
 * @param {string} folder
 * @param {string[]} task
 * @param {{ under?: string[], env?: Record<string, string> }} [options] `under`: a command that runs it
 */
export function start(folder, task, { under = [], env = {} } = {}) {
  const { store, file } = placesIn(folder);
  const [command, ...args] = [...under, process.execPath, script, store, file, ...task];
  const child = spawn(command, args, {
    // With a process of the engine, if it has one, in a group of its own.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const lines = [];
  let rest = '';
  child.stdout.on('data', (data) => {
    // A line that a kill cuts off is no acknowledgement.
    const parts = `${rest}${data}`.split('\n');
    rest = parts.pop();
    lines.push(...parts);
  });
  let trouble = '';
  child.stderr.on('data', (data) => {
    trouble += data;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, trouble }));
  return {
    task,
    lines,
    ended,
    pid: child.pid,
    said: (pattern, { from = 0, within = 60_000 } = {}) =>
      waitFor(() => lines.slice(from).some((line) => pattern.test(line)), { within }),
    signal: (name) => process.kill(-child.pid, name),
    async kill() {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
      return ended;
    },
  };
}

/** Waits until something is true. @throws Error if it is not within the limit */
export async function waitFor(isTrue, { within = 60_000 } = {}) {
  const end = performance.now() + within;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`not within ${within} ms: ${isTrue}`);
    await pause(5);
  }
}

/** The processes that a process has started. Linux only. */
export function childrenOf(pid) {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks
      .flatMap((task) =>
        readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
      )
      .map(Number);
  } catch {
    return [];
  }
}

/** Which of the acknowledged changes are not in the store, and which pairs were answered twice. */
export async function judge(folder, lines) {
  const kms = await openIn(folder);
  try {
    return {
      changes: lines.filter((line) => /^[KGRD] /.test(line)).length,
      pairs: lines.filter((line) => line.startsWith('P ')).length,
      lost: await lostChanges(kms, lines),
      twice: await answeredTwice(kms, lines),
      faults: await faultsOf(folder),
    };
  } finally {
    await kms.close();
  }
}

async function lostChanges(kms, lines) {
  const of = (mark) => lines.filter((line) => line.startsWith(`${mark} `)).map((l) => l.slice(2));
  // What was asked for before the process ended may have happened or not.
  const asked = new Set(of('?'));
  const revoked = new Set(of('R'));
  const disabled = new Set(of('D'));
  const grantsOf = new Map();
  for (const grant of of('G')) grantsOf.set(grant.split(' ')[0], grant);
  const lost = [];
  for (const KeyId of of('K')) {
    try {
      const { KeyMetadata } = await kms.describeKey({ KeyId });
      const isWrong = KeyMetadata.Enabled ? disabled.has(KeyId) : !asked.has(KeyId);
      if (isWrong) lost.push(`${KeyId} is ${KeyMetadata.KeyState}`);
      const grant = grantsOf.get(KeyId);
      if (grant === undefined) continue;
      const { Grants } = await kms.listGrants({ KeyId });
      const isThere = Grants.some(({ GrantId }) => grant === `${KeyId} ${GrantId}`);
      if (isThere ? revoked.has(grant) : !asked.has(grant)) lost.push(`grant ${grant}: ${isThere}`);
      if (!KeyMetadata.Enabled) continue;
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
      await kms.decrypt({ CiphertextBlob });
    } catch (error) {
      lost.push(`${KeyId}: ${error.name} ${error.message}`);
    }
  }
  return lost;
}

/** Answered pairs, and those that wait, of which each must be another one. */
async function answeredTwice(kms, lines) {
  const answered = lines.filter((line) => line.startsWith('P '));
  const seen = new Set(answered);
  let twice = answered.length - seen.size;
  for (const pool of await kms.pools.list()) {
    for (let i = pool.level; i > 0; i--) {
      const pair = await kms.generateDataKeyPairWithoutPlaintext(pool);
      const line = `P ${Buffer.from(pair.PublicKey).toString('base64')}`;
      if (seen.has(line)) twice++;
      seen.add(line);
    }
  }
  return twice;
}

/** What the engine finds wrong with the file. */
export async function faultsOf(folder) {
  const { SqliteStore } = await import('../../dist/store/sqlite/sqlite-store.js');
  const store = await SqliteStore.open(`${folder}/store.db`);
  const faults = await store.copies.faults();
  await store.close();
  return faults;
}
