import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isBuiltIn } from '../../../lib/store/sqlite/engine.ts';
import { judge, makeStore, openIn, placesIn, spec, start } from '../../support/attacks.mjs';
import { temporaryFolder } from '../../support/folders.ts';
import { killMany } from '../../support/kills.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const kills = Number(process.env.PAIRMINT_ATTACK_KILLS ?? 100);

/** Fills a pool and takes a pair; says how many the pool has served. */
async function drawOne(folder: string, KeyId: string): Promise<number | undefined> {
  const kms = await openIn(folder);
  const pool = { KeyId, KeyPairSpec: spec } as const;
  await kms.pools.fill({ pool });
  await kms.generateDataKeyPairWithoutPlaintext(pool);
  const [found] = await kms.pools.list();
  await kms.close();
  return found?.hits;
}

describe('processes that are killed', () => {
  it(
    'lose no change, and no pair is answered twice',
    async () => {
      const folder = temporaryFolder();
      const { lines, ...found } = await killMany({ folder, kills });
      expect(found).toMatchObject({ lost: [], twice: 0, faults: [] });
      expect(found.processesKilled + found.enginesKilled).toBeGreaterThanOrEqual(kills);
      expect(found.enginesKilled > 0).toBe(!isBuiltIn);
      // The failures are requests to an engine that was killed.
      const strange = lines.filter((line) => line.startsWith('F') && !/has ended/.test(line));
      expect(strange).toEqual([]);
      expect(found.changes).toBeGreaterThan(100);
      expect(found.pairs).toBeGreaterThan(100);
    },
    1000 * kills + 60_000,
  );

  it('leave a store that can be drawn from, when they had yet to say where drawing begins', async () => {
    const folder = temporaryFolder();
    const { store, file } = placesIn(folder);
    const program = `
      import { Drawn } from '${root}/dist/pool/drawn.js';
      import { Pairmint } from '${root}/dist/index.js';
      Drawn.prototype.reset = () => process.kill(process.pid, 'SIGKILL');
      await Pairmint.open({ store: '${store}', rootKey: { file: '${file}' } });`;
    const args = ['--input-type=module', '-e', program];
    const [, signal] = await once(spawn(process.execPath, args), 'close');
    expect(signal).toBe('SIGKILL');
    const KeyId = await makeStore(folder);
    expect(await drawOne(folder, KeyId)).toBe(1);
  });

  it('leave a store that can be opened and drawn from, when they were making it', async () => {
    const script = fileURLToPath(new URL('../../support/attack-process.mjs', import.meta.url));
    const broken: string[] = [];
    for (let i = 0; i < 10; i++) {
      const folder = temporaryFolder();
      const { store, file } = placesIn(folder);
      const child = spawn(process.execPath, [script, store, file, 'commit'], { stdio: 'ignore' });
      const closed = once(child, 'close');
      await pause(300 + 80 * i);
      child.kill('SIGKILL');
      await closed;
      const KeyId = await makeStore(folder).catch((error) => broken.push(error.message));
      const drawn = await drawOne(folder, `${KeyId}`);
      if (drawn !== 1) broken.push(`after ${300 + 80 * i} ms: a pool cannot be drawn from`);
    }
    expect(broken).toEqual([]);
  }, 180_000);
});

describe('processes in namespaces of their own', () => {
  it('lose nothing and answer nothing twice, though their process ids are the same', async (context) => {
    const under = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
    const trial = spawn('unshare', [...under.slice(1), 'true'], { stdio: 'ignore' });
    const [code] = await once(trial, 'close').catch(() => [1]);
    if (code !== 0) context.skip('this user may not make namespaces of process ids');
    const folder = temporaryFolder();
    const KeyId = await makeStore(folder);
    const tasks = [['commit'], ['take', KeyId, spec], ['fill', KeyId, spec]];
    const running = [...tasks, ['commit'], ['take', KeyId, spec], ['open']].map((task) =>
      start(folder, task, { under }),
    );
    for (const process of running) await process.said(/^READY/);
    await pause(3000);
    for (const process of running) await process.kill();
    const lines = running.flatMap((process) => process.lines);
    const { changes, pairs, ...found } = await judge(folder, lines);
    expect(found).toEqual({ lost: [], twice: 0, faults: [] });
    expect(lines.filter((line) => line.startsWith('F'))).toEqual([]);
    expect(Math.min(changes, pairs)).toBeGreaterThan(10);
  });
});
