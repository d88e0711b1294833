import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { judge, makeStore, openIn, placesIn, waitFor } from '../../support/attacks.mjs';
import { temporaryFolder } from '../../support/folders.ts';

const endings = Number(process.env.PAIRMINT_ATTACK_ENDINGS ?? 18);
// Other builds of Node.js to try, such as newer ones.
const nodes = [process.execPath, ...(process.env.PAIRMINT_ATTACK_NODES?.split(':') ?? [])];
const script = fileURLToPath(new URL('../../support/ending-threads.mjs', import.meta.url));

async function run(node: string, folder: string, task: string, count = 1) {
  const { store, file } = placesIn(folder);
  const args = [script, store, file, task, `${count}`];
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let trouble = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    trouble += data;
  });
  const tooLong = setTimeout(() => child.kill('SIGABRT'), 30_000 + 3000 * count);
  const [code, signal] = await once(child, 'close');
  clearTimeout(tooLong);
  return { code, signal, trouble, lines: output.split('\n').slice(0, -1) };
}

/** The processes that have files of a folder in their arguments. */
function usersOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/store.db`);
      } catch {
        return false;
      }
    });
}

for (const node of nodes) {
  describe(`threads and processes that end in the middle of commits (${node})`, () => {
    const cases = [
      { what: 'threads are terminated', task: 'terminate', runs: 1, count: endings },
      { what: 'threads call process.exit', task: 'exitThread', runs: 1, count: endings },
      {
        what: 'processes call process.exit',
        task: 'exitProcess',
        runs: Math.ceil(endings / 3),
        count: 1,
      },
    ];
    for (const { what, task, runs, count } of cases) {
      it(
        `leave nothing held and lose nothing when ${what}`,
        async () => {
          const folder = temporaryFolder();
          await makeStore(folder);
          const ends: Awaited<ReturnType<typeof run>>[] = [];
          for (let i = 0; i < runs; i++) ends.push(await run(node, folder, task, count));
          expect(ends.map(({ code, signal, trouble }) => [code, signal, trouble])).toEqual(
            ends.map(() => [0, null, '']),
          );
          const lines = ends.flatMap((end) => end.lines);
          expect(lines.filter((line) => line.startsWith('F'))).toEqual([]);
          // An engine ends with the process that it works for.
          await waitFor(() => process.platform !== 'linux' || usersOf(folder).length === 0);
          const from = performance.now();
          const kms = await openIn(folder);
          await kms.createKey({});
          await kms.close();
          expect(performance.now() - from).toBeLessThan(5000);
          const { changes, lost, faults } = await judge(folder, lines);
          expect([lost, faults]).toEqual([[], []]);
          expect(changes).toBeGreaterThan(endings / 3);
        },
        60_000 + 5000 * endings,
      );
    }
  });
}
