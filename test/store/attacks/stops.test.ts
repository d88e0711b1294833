import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isBuiltIn } from '../../../lib/store/sqlite/engine.ts';
import {
  childrenOf,
  judge,
  makeStore,
  openIn,
  placesIn,
  spec,
  start,
  waitFor,
} from '../../support/attacks.mjs';
import { temporaryFolder } from '../../support/folders.ts';
import { serve } from '../../support/pairmint-process.ts';

const stops = Number(process.env.PAIRMINT_ATTACK_STOPS ?? 12);

/** Has a process take the lock on writing of the store in a folder, and stop. */
async function holdLock(folder: string) {
  const script = fileURLToPath(new URL('../../support/lock-holder.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, `${folder}/store.db`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  return {
    async release() {
      child.kill('SIGCONT');
      expect(await closed).toEqual([0, null]);
    },
  };
}

async function took<T>(run: Promise<T>): Promise<{ result: T; ms: number }> {
  const from = performance.now();
  const result = await run;
  return { result, ms: performance.now() - from };
}

const failure = (run: Promise<unknown>) =>
  run.then(
    () => undefined,
    (error) => ({ name: error.name, fault: error.cause?.fault, why: error.cause?.message }),
  );

const isBusy = {
  name: 'KMSInternalException',
  fault: 'busy',
  why: 'another process holds the lock on writing',
};

describe('a store whose lock a process that was stopped holds', () => {
  it('is read, and sealed with, and fails to be written after five seconds, saying why', async () => {
    const folder = temporaryFolder();
    const KeyId = await makeStore(folder);
    const kms = await openIn(folder);
    await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    await kms.pools.fill({ pool: { KeyId, KeyPairSpec: spec } });
    await kms.checkStore();
    const holder = await holdLock(folder);
    const other = await openIn(folder);
    for (const each of [kms, other]) {
      const { result, ms } = await took(
        each
          .encrypt({ KeyId, Plaintext: Buffer.from('x') })
          .then(({ CiphertextBlob }) => each.decrypt({ CiphertextBlob })),
      );
      expect(Buffer.from(result.Plaintext as Uint8Array).toString()).toBe('x');
      expect(ms).toBeLessThan(1000);
      await each.listKeys({});
    }
    // Several wait together, not behind each other.
    const writes = await took(
      Promise.all([
        ...Array.from({ length: 8 }, () => failure(kms.createKey({}))),
        failure(other.disableKey({ KeyId })),
      ]),
    );
    expect(writes.result).toEqual(Array.from({ length: 9 }, () => isBusy));
    expect(writes.ms).toBeGreaterThan(4900);
    expect(writes.ms).toBeLessThan(13_000);
    const check = await took(failure(kms.checkStore()));
    expect(check.result).toMatchObject({ name: 'KMSInternalException', fault: 'busy' });
    expect(check.ms).toBeLessThan(2500);
    // Minted, since the pool cannot be drawn from.
    await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: spec });
    await holder.release();
    await kms.checkStore();
    await kms.createKey({});
    await other.disableKey({ KeyId });
    await Promise.all([kms.close(), other.close()]);
  });

  it('is not ready for a server, which SIGTERM ends all the same', async () => {
    const folder = temporaryFolder();
    await makeStore(folder);
    const { store, file } = placesIn(folder);
    const env = { PAIRMINT_STORE: store, PAIRMINT_ROOT_KEY_FILE: file };
    const server = await serve(env, '--no-auth');
    const status = async (path: string) => (await fetch(server.url + path)).status;
    const call = (operation: string, body: object) =>
      fetch(server.url, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-amz-json-1.1',
          'X-Amz-Target': `TrentService.${operation}`,
        },
        body: JSON.stringify(body),
      });
    expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 200]);
    const holder = await holdLock(folder);
    const ready = await took(status('/readyz'));
    expect(ready.result).toBe(503);
    expect(ready.ms).toBeLessThan(2500);
    expect(await status('/healthz')).toBe(200);
    expect((await call('ListKeys', {})).status).toBe(200);
    const created = await call('CreateKey', {});
    expect(created.status).toBe(500);
    expect(await created.json()).toMatchObject({ __type: 'KMSInternalException' });
    await holder.release();
    await waitFor(async () => (await status('/readyz')) === 200);
    expect((await call('CreateKey', {})).status).toBe(200);
    const again = await holdLock(folder);
    const underWay = call('CreateKey', {}).then(({ status }) => status);
    await pause(300);
    server.child.kill('SIGTERM');
    const ended = await took(server.ended);
    expect([ended.result.code, ended.result.signal]).toEqual([0, null]);
    expect(ended.ms).toBeLessThan(25_000);
    expect(await underWay).toBe(500);
    await again.release();
  });
});

describe('processes that are stopped at random moments', () => {
  it(
    'lose nothing, and keep no process from reading',
    async () => {
      const folder = temporaryFolder();
      const KeyId = await makeStore(folder);
      const tasks = [['commit'], ['commit'], ['take', KeyId, spec], ['fill', KeyId, spec]];
      const running = tasks.map((task) => start(folder, task));
      const sealing = start(folder, ['seal', KeyId]);
      for (const process of [...running, sealing]) await process.said(/^READY/);
      let waited = 0;
      for (let i = 0; i < stops; i++) {
        const process = running[i % running.length] as (typeof running)[number];
        await pause(60 * Math.random());
        process.signal('SIGSTOP');
        const from = sealing.lines.length;
        await sealing.said(/^S /, { from, within: 5000 });
        await pause(150 * Math.random());
        process.signal('SIGCONT');
        waited++;
      }
      const marks = running.map(({ lines }) => lines.length);
      for (const [i, process] of running.slice(0, 3).entries()) {
        await process.said(/^[KP] /, { from: marks[i] as number });
      }
      for (const process of [...running, sealing]) await process.kill();
      const lines = [...running, sealing].flatMap((process) => process.lines);
      expect(lines.filter((line) => line.startsWith('F'))).toEqual([]);
      const { changes, pairs, ...found } = await judge(folder, lines);
      expect(found).toEqual({ lost: [], twice: 0, faults: [] });
      expect([waited, changes > 30, pairs > 30]).toEqual([stops, true, true]);
    },
    60_000 + 2000 * stops,
  );

  it.skipIf(isBuiltIn)(
    'are left by those who use them: an engine that stops alone is ended',
    async () => {
      const folder = temporaryFolder();
      await makeStore(folder);
      const committing = start(folder, ['commit']);
      await committing.said(/^K /);
      const [engine = 0] = childrenOf(committing.pid as number);
      process.kill(engine, 'SIGSTOP');
      await committing.said(/^F .* has ended/, { within: 30_000 });
      await committing.said(/^K /, { from: committing.lines.length });
      await committing.kill();
      const { lost, faults } = await judge(folder, committing.lines);
      expect([lost, faults]).toEqual([[], []]);
    },
  );
});
