import { execFileSync } from 'node:child_process';
import { openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { judge, makeStore, spec, start } from '../../support/attacks.mjs';
import { smallDisk, temporaryFolder } from '../../support/folders.ts';

const rounds = Number(process.env.PAIRMINT_ATTACK_ROUNDS ?? 6);

/** Builds faults.c, and gives the environment of a process that is under it. */
function faults(folder: string) {
  const source = fileURLToPath(new URL('../../support/faults.c', import.meta.url));
  const library = `${folder}/faults.so`;
  execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl']);
  const control = `${folder}/faults`;
  writeFileSync(control, Buffer.alloc(64));
  const file = openSync(control, 'r+');
  return {
    env: { LD_PRELOAD: library, FAULT_CONTROL: control, FAULT_PREFIX: `${folder}/store.db` },
    setClock: (seconds: number) => writeSync(file, Int32Array.of(seconds), 0, 4, 20),
  };
}

describe.runIf(process.platform === 'linux')('a store on a disk that fails', () => {
  it('loses nothing that was acknowledged, whichever write or sync fails, and is used again by the same process', async () => {
    const folder = temporaryFolder();
    const KeyId = await makeStore(folder, { target: 64 });
    const { env } = faults(folder);
    const process = start(folder, ['faults', KeyId, spec, `${rounds}`], { env });
    await process.said(/^(DONE|FAILED)/, { within: 600_000 });
    const { code, signal } = await process.ended;
    const { lines } = process;
    expect([code, signal, lines.at(-1)]).toEqual([0, null, 'DONE']);
    expect(lines.filter((line) => line === 'STUCK')).toEqual([]);
    const failed = lines.filter((line) => line.startsWith('F '));
    const strange = failed.filter((line) => !/KMSInternalException|ConfigurationError/.test(line));
    expect(strange).toEqual([]);
    const { changes, pairs, ...found } = await judge(folder, lines);
    console.log(`${failed.length} failures, ${changes} changes, ${pairs} pairs`);
    expect(found).toEqual({ lost: [], twice: 0, faults: [] });
    expect(failed.length).toBeGreaterThan(50);
  }, 660_000);

  it('loses nothing on one that others fill and empty, and goes on by itself', async (context) => {
    const disk = smallDisk(context, '8m');
    const KeyId = await makeStore(disk);
    const tasks = [['commit'], ['take', KeyId, spec], ['fill', KeyId, spec], ['seal', KeyId]];
    const running = tasks.map((task) => start(disk, task));
    const [committing, , , sealing] = running;
    for (const process of running) await process.said(/^READY/);
    for (let i = 0; i < 3; i++) {
      await committing?.said(/^K /, { from: committing.lines.length });
      // As much as is left, whatever is written meanwhile.
      for (let tries = 0; tries < 5; tries++) {
        const { bavail, bsize } = statfsSync(disk);
        try {
          writeFileSync(`${disk}/filler${tries}`, Buffer.alloc(bavail * bsize));
        } catch {
          // They were quicker.
        }
      }
      await committing?.said(/^F .*(full|space)/, { from: committing.lines.length });
      await sealing?.said(/^S /, { from: sealing.lines.length });
      for (let tries = 0; tries < 5; tries++) rmSync(`${disk}/filler${tries}`, { force: true });
      await committing?.said(/^K /, { from: committing.lines.length });
    }
    await pause(200);
    const ends = await Promise.all(running.map((process) => process.kill()));
    expect(ends.map(({ signal }) => signal)).toEqual(ends.map(() => 'SIGKILL'));
    const lines = running.flatMap((process) => process.lines);
    const { lost, twice, faults: damage } = await judge(disk, lines);
    expect([lost, twice, damage]).toEqual([[], 0, []]);
    expect(lines.filter((line) => line.startsWith('F S'))).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('a store while the clock jumps', () => {
  it('loses nothing, answers nothing twice, and has its pools filled', async () => {
    const folder = temporaryFolder();
    const KeyId = await makeStore(folder);
    const { env, setClock } = faults(folder);
    const tasks = [['commit'], ['take', KeyId, spec], ['take', KeyId, spec], ['fill', KeyId, spec]];
    const running = tasks.map((task) => start(folder, task, { env }));
    for (const process of running) await process.said(/^READY/);
    const year = 31_536_000;
    for (const seconds of [year, -year, 3600, 0, -3600, 30 * year, 0]) {
      setClock(seconds);
      await pause(500);
    }
    const goOn = running.map((process) =>
      process.said(/^[KP] |^N [1-9]/, { from: process.lines.length }),
    );
    await Promise.all(goOn);
    for (const process of running) await process.kill();
    const lines = running.flatMap((process) => process.lines);
    expect(lines.filter((line) => line.startsWith('F'))).toEqual([]);
    const { changes, pairs, ...found } = await judge(folder, lines);
    expect(found).toEqual({ lost: [], twice: 0, faults: [] });
    expect(Math.min(changes, pairs)).toBeGreaterThan(30);
  });
});
