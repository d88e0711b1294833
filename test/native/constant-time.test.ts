import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { curves, equationOf } from '../support/curves.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const hasValgrind =
  existsSync('/usr/include/valgrind/memcheck.h') &&
  spawnSync('valgrind', ['--version']).status === 0;

// Debian's package valgrind has both. Where tests count, it must be there.
describe.runIf(hasValgrind || process.env.CI !== undefined)(
  'the comb, run with scalars that a memory checker follows,',
  () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
    const program = path.join(folder, 'constant_time');

    beforeAll(() => {
      const sources = ['test/native/constant_time.cc', 'native/ec/comb.cc'];
      const options = ['-std=c++20', '-O3', '-Inative', '-o', program, ...sources];
      execFileSync('g++', options, { cwd: root });
    }, 120_000);

    afterAll(() => rmSync(folder, { recursive: true }));

    function run(curve: (typeof curves)[number], ...first: string[]) {
      const { a, b, x, y } = equationOf(curve);
      const numbers = [curve.p, b, x, y].map((number) => number.toString(16));
      const words = [...first, String(curve.limbs), String(a === 0n), ...numbers];
      // Not with what the tests themselves run under: a sanitizer and valgrind exclude each other.
      const env = { ...process.env, LD_PRELOAD: '' };
      return spawnSync('valgrind', ['--quiet', program, ...words], { encoding: 'utf8', env })
        .stdout;
    }

    it.each(curves)(
      'has no jump and no address that depends on one: $name',
      (curve) => {
        expect(run(curve)).toBe('nothing depends on the scalars but the points\n');
      },
      240_000,
    );

    it('is not let pass with a jump that does', () => {
      expect(run(curves[0] as (typeof curves)[number], 'leaky')).toMatch(
        /something depends on the scalars\n$/,
      );
    }, 240_000);
  },
);
