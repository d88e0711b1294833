import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { judge, makeStore, spec, start } from '../../support/attacks.mjs';
import { temporaryFolder } from '../../support/folders.ts';

const seconds = Number(process.env.PAIRMINT_ATTACK_SECONDS ?? 12);

describe('processes that share a store', () => {
  it(
    'lose no change and answer no pair twice while others open and close it',
    async () => {
      const folder = temporaryFolder();
      const KeyId = await makeStore(folder);
      const tasks = [
        ['commit'],
        ['commit'],
        ['take', KeyId, spec],
        ['take', KeyId, spec],
        ['fill', KeyId, spec],
        ['open'],
        ['open'],
      ];
      const processes = tasks.map((task) => start(folder, task));
      await Promise.all(processes.map((process) => process.said(/^READY/)));
      await pause(1000 * seconds);
      const ends = await Promise.all(processes.map((process) => process.kill()));
      expect(ends.map(({ signal, trouble }) => [signal, trouble])).toEqual(
        ends.map(() => ['SIGKILL', '']),
      );
      const lines = processes.flatMap((process) => process.lines);
      expect(lines.filter((line) => line.startsWith('F'))).toEqual([]);
      expect(lines.filter((line) => line.startsWith('O ')).length).toBeGreaterThan(5);
      const { changes, pairs, ...found } = await judge(folder, lines);
      expect(found).toEqual({ lost: [], twice: 0, faults: [] });
      expect(changes).toBeGreaterThan(50);
      expect(pairs).toBeGreaterThan(50);
      console.log(`${changes} changes, ${pairs} pairs`);
    },
    60_000 + 2000 * seconds,
  );
});
