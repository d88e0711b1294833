import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCurves, curves, equationOf } from '../support/curves.ts';
import { internals } from '../support/internals.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const hasValgrind =
  existsSync('/usr/include/valgrind/memcheck.h') &&
  spawnSync('valgrind', ['--version']).status === 0;
// With the names of its inner functions, which the shared library and Node lack.
const libcrypto = spawnSync('g++', ['-print-file-name=libcrypto.a'], { encoding: 'utf8' });
const hasLibcrypto = existsSync(libcrypto.stdout?.trim() ?? '');
const counts = process.env.CI !== undefined;

/** Compiles the program before the tests, and gives a function that runs it in valgrind. */
function inValgrind(name: string, sources: string[], options: string[] = []) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
  const program = path.join(folder, name);

  beforeAll(() => {
    const words = ['-std=c++20', '-O3', '-Inative', '-o', program, `test/native/${name}.cc`];
    execFileSync('g++', [...words, ...sources, ...options], { cwd: root });
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  return (words: string[], ...flags: string[]) => {
    // Not with what the tests themselves run under: a sanitizer and valgrind exclude each other.
    const env = { ...process.env, LD_PRELOAD: '' };
    const all = ['--quiet', ...flags, program, ...words];
    return spawnSync('valgrind', all, { cwd: root, encoding: 'utf8', env }).stdout;
  };
}

// Debian's package valgrind has both. Where tests count, it must be there.
describe.runIf(hasValgrind || counts)(
  'the comb, run with scalars that a memory checker follows,',
  () => {
    const valgrind = inValgrind('constant_time', ['native/ec/comb.cc']);

    function run(curve: (typeof curves)[number], ...first: string[]) {
      const { a, b, x, y } = equationOf(curve);
      const numbers = [curve.p, b, x, y].map((number) => number.toString(16));
      return valgrind([...first, String(curve.limbs), String(a === 0n), ...numbers]);
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

// valgrind knows AVX2, and not AVX-512: the disassembly is all there is for the other kernel.
const hasAvx2 = internals.capabilities().kernels.includes('avx2');

describe.runIf((hasValgrind || counts) && hasAvx2)(
  'the AVX2 kernel, run with numbers that a memory checker follows,',
  () => {
    const valgrind = inValgrind('constant_time_mont', ['native/mont/avx2.cc'], ['-mavx2']);

    it.each(['1024', '1536', '2048'])(
      'has no jump and no address that depends on one: %s bits',
      (bits) => {
        expect(valgrind([bits])).toBe('nothing depends on the numbers but the results\n');
      },
      240_000,
    );

    it('is not let pass with a jump that does', () => {
      expect(valgrind(['leaky', '1024'])).toMatch(/something depends on the numbers\n$/);
    }, 240_000);
  },
);

describe.runIf(hasValgrind || counts)(
  'the inversion of what lanes compute, run with points that a memory checker follows,',
  () => {
    const valgrind = inValgrind('constant_time_affine', ['native/ec/plain.cc']);

    function run(curve: (typeof allCurves)[number], ...first: string[]) {
      const { a, b, x, y } = equationOf(curve);
      const numbers = [curve.p, b, x, y].map((number) => number.toString(16));
      return valgrind([...first, String(curve.limbs), String(a === 0n), ...numbers]);
    }

    it.each(allCurves)(
      'has no jump and no address that depends on one: $name',
      (curve) => {
        expect(run(curve)).toBe('nothing depends on the points but affine ones\n');
      },
      240_000,
    );

    it('is not let pass with a jump that does', () => {
      expect(run(allCurves[0] as (typeof allCurves)[number], 'leaky')).toMatch(
        /something depends on the points\n$/,
      );
    }, 240_000);
  },
);

// OpenSSL adds; libssl-dev has it as a static library.
describe.runIf((hasValgrind && hasLibcrypto) || counts)(
  'the sum of a key and a mask, run with numbers that a memory checker follows,',
  () => {
    const valgrind = inValgrind(
      'constant_time_mask',
      [
        'native/ec/verify.cc',
        'native/ec/curve.cc',
        ...['der', 'random', 'secret_bytes'].map((name) => `native/core/${name}.cc`),
      ],
      // The rest of verify.cc needs more, and is not called.
      ['-ffunction-sections', '-Wl,--gc-sections', '-l:libcrypto.a'],
    );
    const run = (...words: string[]) =>
      valgrind(words, '--suppressions=test/native/constant_time_mask.supp');

    it.each(curves)('has no jump and no address that depends on one: $name', ({ name }) => {
      expect(run(name)).toBe('nothing depends on the numbers but their sum\n');
    });

    it('is not let pass with a jump that does', () => {
      expect(run('leaky', 'P-384')).toMatch(/something depends on the numbers\n$/);
    });
  },
);
