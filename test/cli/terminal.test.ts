import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const naming = ['--key-id', 'alias/pairmint/default', '--key-pair-spec', 'ECC_NIST_EDWARDS25519'];
// util-linux's: the script of other systems takes other options.
const hasTerminal =
  process.platform === 'linux' && /util-linux/.test(`${spawnSync('script', ['--version']).stdout}`);
if (!hasTerminal && process.platform === 'linux' && process.env.CI !== undefined) {
  throw new Error('a terminal of its own needs util-linux’s script: install util-linux');
}

function environment(home: string): NodeJS.ProcessEnv {
  const { PAIRMINT_STORE: _, PAIRMINT_ROOT_KEY_FILE: __, ...rest } = process.env;
  return { ...rest, PAIRMINT_HOME: home };
}

function run(home: string, ...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [bin, ...args], {
    env: environment(home),
  });
  if (status !== 0) throw new Error(`exit code ${status}: ${stderr}`);
}

/** Runs pairmint on a terminal of its own, with its standard output elsewhere. */
function onTerminal(home: string, ...args: string[]) {
  const words = [process.execPath, bin, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', `exec ${words} > /dev/null`, '/dev/null'], {
    env: environment(home),
  });
  onTestFinished(() => {
    child.kill();
  });
  const ended = Promise.all([once(child, 'close'), text(child.stdout)]);
  return { child, ended: ended.then(([[code], shown]) => ({ code: code as number, shown })) };
}

/** The text that is left on a terminal's line after carriage returns have redrawn it. */
function drawings(shown: string): string[] {
  return shown.split('\r').map((drawing) => drawing.replaceAll('\x1b[K', ''));
}

describe.skipIf(!hasTerminal)('on a terminal', () => {
  it.each([
    ['pool fill', (_out: string) => ['pool', 'fill', ...naming]],
    ['pregenerate', (out: string) => ['pregenerate', ...naming, '--count', '6000', '--out', out]],
  ])('%s draws a bar with rate and time left on one line, and removes it', async (_, command) => {
    const home = temporaryFolder();
    run(home, 'pool', 'create', ...naming, '--target', '6000');
    const { code, shown } = await onTerminal(home, ...command(`${home}/out`)).ended;
    expect(code).toBe(0);
    const bars = drawings(shown).filter((line) => line.startsWith('['));
    expect(bars.length).toBeGreaterThan(1);
    for (const bar of bars) {
      expect(bar).toMatch(/^\[#*-*\] \d+ of 6000 pairs, [\d.]+\/s(, [\d:]+ left)?$/);
      expect(bar.indexOf(']')).toBe(25);
    }
    const done = bars.map((bar) => Number(/(\d+) of/.exec(bar)?.[1]));
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(shown.endsWith('\r\x1b[K')).toBe(true);
    expect(shown).not.toContain('\n');
  });

  it('the worker draws its status on one line, and leaves a line of its own', async () => {
    const home = temporaryFolder();
    run(home, 'pool', 'create', ...naming, '--target', '50');
    const { child, ended } = onTerminal(home, 'worker');
    let seen = '';
    child.stdout.on('data', (data) => {
      seen += data;
    });
    const until = async (words: string) => {
      while (!seen.includes(words)) await new Promise((done) => setTimeout(done, 20));
    };
    await until('50 of 50');
    child.stdin.write('\x03');
    const { code, shown } = await ended;
    expect(code).toBe(0);
    const status = drawings(shown).filter((line) => / pools, /.test(line));
    expect(status.length).toBeGreaterThan(1);
    for (const line of status) {
      expect(line).toMatch(/^pairmint: 1 pools, \d+ of 50 pairs wait(, [\d.]+\/s)?(\^C)?$/);
    }
    // Nothing is left on the line of the prompt.
    expect(shown.endsWith('\r\x1b[Kpairmint: the worker has stopped\r\n')).toBe(true);
  });
});
