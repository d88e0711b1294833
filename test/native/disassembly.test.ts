import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';

const script = fileURLToPath(new URL('disassembly.mjs', import.meta.url));
const build = fileURLToPath(new URL('build/Release', import.meta.url));
const kernels = ['mont/avx2', 'mont/avx512ifma', 'ec/edwards_avx512ifma', 'ec/lanes_avx512ifma'];

const check = (folder: string) =>
  spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });

/** A build whose kernels are ours and that has one more object, compiled from `source`. */
function buildWith(name: string, source: string, flags: string[]): string {
  const folder = temporaryFolder();
  mkdirSync(`${folder}/mont`);
  mkdirSync(`${folder}/ec`);
  for (const kernel of kernels) {
    if (kernel !== name) copyFileSync(`${build}/native/${kernel}.o`, `${folder}/${kernel}.o`);
  }
  writeFileSync(`${folder}/source.cc`, source);
  execFileSync('g++', ['-O2', '-c', ...flags, `${folder}/source.cc`, '-o', `${folder}/${name}.o`]);
  return folder;
}

describe.runIf(process.arch === 'x64' && process.platform === 'linux')('the machine code', () => {
  it('has no jump and no address that depends on a lane, and wide registers in kernels only', () => {
    expect(check(build)).toMatchObject({ status: 0, stderr: '' });
  });

  it('is not let pass with a 512-bit instruction elsewhere', () => {
    const source = `#include <immintrin.h>
      void f(long *p) { _mm512_storeu_si512(p, _mm512_set1_epi64(p[0])); }`;
    const { status, stderr } = check(buildWith('other', source, ['-mavx512f']));
    expect([status, stderr]).toEqual([1, expect.stringContaining('512 bits')]);
  });

  it('is not let pass with a 256-bit instruction outside the kernels', () => {
    const source = `#include <immintrin.h>
      void f(__m256i *p) { _mm256_storeu_si256(p, _mm256_set1_epi64x(7)); }`;
    const { status, stderr } = check(buildWith('other', source, ['-mavx2']));
    expect([status, stderr]).toEqual([1, expect.stringContaining('256 bits')]);
  });

  it.each(kernels)('is not let pass without its kernel %s', (name) => {
    const folder = buildWith('other', 'int f() { return 7; }', []);
    rmSync(`${folder}/${name}.o`);
    const { status, stderr } = check(folder);
    expect([status, stderr]).toEqual([1, `${folder}: no ${path.basename(name)}.o\n`]);
  });

  it('is not let pass with a branch in field arithmetic', () => {
    const source = `int reduce(int);
      namespace ec { template <int N> struct Field { int Add(int a, int b); };
      template <> int Field<4>::Add(int a, int b) { return a > b ? reduce(b) + 1 : 7; } }`;
    const folder = buildWith('ec/comb', source, []);
    const { status, stderr } = check(folder);
    expect([status, stderr]).toEqual([1, expect.stringContaining('a jump in field arithmetic')]);
  });

  const ifma = `int f(__m512i a, __m512i b) {
        a = _mm512_madd52lo_epu64(a, a, b);
        return _mm512_cmpeq_epi64_mask(a, b) ? f(b, a) + 1 : 7;
      }`;
  const ifmaFlags = ['-mavx512f', '-mavx512ifma'];

  it.each([
    ['mont/avx512ifma', ifma, ifmaFlags],
    ['ec/edwards_avx512ifma', ifma, ifmaFlags],
    ['ec/lanes_avx512ifma', ifma, ifmaFlags],
    [
      'mont/avx2',
      `int f(__m256i a, __m256i b) {
        a = _mm256_mul_epu32(a, b);
        return _mm256_movemask_epi8(_mm256_cmpeq_epi64(a, b)) ? f(b, a) + 1 : 7;
      }`,
      ['-mavx2'],
    ],
  ])('is not let pass with a branch on what a lane of %s computed', (name, code, flags) => {
    const folder = buildWith(name, `#include <immintrin.h>\n${code}`, flags);
    const { status, stderr } = check(folder);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`${name}.o: `)]);
  });
});
