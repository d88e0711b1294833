import { readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { judge, makeStore, openIn, spec, start } from '../../support/attacks.mjs';
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
        ['visit'],
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
      expect(lines.filter((line) => line.startsWith('O ')).length).toBeGreaterThan(1);
      const { changes, pairs, ...found } = await judge(folder, lines);
      expect(found).toEqual({ lost: [], twice: 0, faults: [] });
      expect(changes).toBeGreaterThan(50);
      expect(pairs).toBeGreaterThan(50);
      console.log(`${changes} changes, ${pairs} pairs`);
    },
    60_000 + 2000 * seconds,
  );

  // Programs with an SQLite before 3.51 remove the file of changes when they close a store that nobody
  // seems to have open.
  it.runIf(process.platform === 'linux')(
    'keep their lock on its file when they write',
    async () => {
      const folder = temporaryFolder();
      await makeStore(folder);
      const kms = await openIn(folder);
      const { ino } = statSync(`${folder}/store.db`);
      const locks = () =>
        readFileSync('/proc/locks', 'utf8')
          .split('\n')
          .filter((line) => line.includes(`:${ino} `));
      await kms.listKeys({});
      expect(locks()).toHaveLength(1);
      await kms.createKey({});
      expect(locks()).toHaveLength(1);
      await kms.close();
    },
  );
});
