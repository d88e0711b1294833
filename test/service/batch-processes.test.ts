import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';

const KeyId = 'alias/pairmint/default';
const KeyPairSpec = 'ECC_NIST_P256';
const count = 20_000;

async function openAt(home: string): Promise<Pairmint> {
  return Pairmint.open({
    store: `sqlite:${home}/store.db`,
    rootKey: { file: `${home}/root.key` },
    refillPools: false,
  });
}

async function publicKeys(kms: Pairmint, batchId: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const pairs of kms.batches.results(batchId)) {
    for (const { PublicKey = '' } of pairs) keys.push(Buffer.from(PublicKey).toString('base64'));
  }
  return keys;
}

it('a batch has each pair once, though one of three workers is killed and one frozen and thawed', async () => {
  const home = temporaryFolder();
  const kms = await openAt(home);
  const commands = new Commands(home);
  const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count, chunk: 100 });
  const done = async () => (await kms.batches.status(batchId)).done;
  const until = (pairs: number) =>
    vi.waitFor(async () => expect(await done()).toBeGreaterThanOrEqual(pairs), {
      timeout: 60_000,
      interval: 5,
    });
  const [killed, frozen] = [commands.start('worker'), commands.start('worker', '--batches')];
  await until(1500);
  // In the middle of chunks, which are still theirs.
  killed.child.kill('SIGKILL');
  frozen.child.kill('SIGSTOP');
  const stoppedAt = performance.now();
  const third = commands.start('worker', '--batches');
  await until(count);
  // Nothing is left to mint but what the two had: the third took it over when their leases ran out.
  const took = performance.now() - stoppedAt;
  const { workers, state } = await kms.batches.status(batchId);
  expect(state).toBe('done');
  const before = await publicKeys(kms, batchId);
  expect(new Set(before).size).toBe(count);
  frozen.child.kill('SIGCONT');
  await pause(3000);
  expect(await publicKeys(kms, batchId)).toEqual(before);
  expect(await done()).toBe(count);
  for (const { child, ended } of [frozen, third]) {
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  }
  expect(workers.reduce((sum, worker) => sum + worker.done, 0)).toBe(count);
  expect((await kms.store.check()).faults).toEqual([]);
  await kms.close();
  // Time to start the third and to mint the rest, on a busy machine, on top of eight seconds.
  expect(took).toBeLessThan(30_000);
});

it('a chunk whose worker was killed is claimed by another within eight seconds', async () => {
  const home = temporaryFolder();
  const kms = await openAt(home);
  const commands = new Commands(home);
  // One chunk, which takes the worker long enough to be killed in the middle of it.
  const submission = { KeyId, KeyPairSpec: 'RSA_4096', count: 400, chunk: 400 } as const;
  const { batchId } = await kms.batches.submit(submission);
  const worker = commands.start('worker');
  await vi.waitFor(async () => expect((await kms.batches.status(batchId)).state).toBe('running'), {
    timeout: 30_000,
    interval: 10,
  });
  // Past the first renewal.
  await pause(3000);
  const stop = new AbortController();
  let isTaken = false;
  const work = kms.batches.work({ signal: stop.signal });
  await pause(1000);
  const mine = async () =>
    (await kms.batches.status(batchId)).workers.some(({ worker: name }) =>
      name.includes(`-${process.pid}-`),
    );
  expect(await mine()).toBe(false);
  worker.child.kill('SIGKILL');
  const killedAt = performance.now();
  while (!isTaken && performance.now() - killedAt < 20_000) {
    isTaken = await mine();
    await pause(20);
  }
  expect(performance.now() - killedAt).toBeLessThan(8000);
  stop.abort();
  await work;
  await kms.close();
});

it('processes that are killed again and again lose nothing that was stored, and add nothing twice', async () => {
  const home = temporaryFolder();
  const kms = await openAt(home);
  const commands = new Commands(home);
  const { batchId } = await kms.batches.submit({ KeyId, KeyPairSpec, count: 8000, chunk: 50 });
  const done = async () => (await kms.batches.status(batchId)).done;
  for (let kills = 0; kills < 2; kills++) {
    const before = await done();
    const { child, ended } = commands.start('worker', '--batches');
    await vi.waitFor(async () => expect(await done()).toBeGreaterThan(before), {
      timeout: 30_000,
      interval: 2,
    });
    child.kill('SIGKILL');
    await ended;
    const settled = await publicKeys(kms, batchId);
    expect(new Set(settled).size).toBe(settled.length);
  }
  // The chunks of those that were killed are free again after their leases.
  const stop = new AbortController();
  const work = kms.batches.work({ signal: stop.signal });
  await vi.waitFor(async () => expect(await done()).toBe(8000), { timeout: 60_000, interval: 50 });
  stop.abort();
  await work;
  expect(new Set(await publicKeys(kms, batchId)).size).toBe(8000);
  expect((await kms.store.check()).faults).toEqual([]);
  await kms.close();
});
