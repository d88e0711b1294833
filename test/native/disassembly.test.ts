import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';

const script = fileURLToPath(new URL('disassembly.mjs', import.meta.url));
const build = fileURLToPath(new URL('build/Release', import.meta.url));
const kernels = ['mont/avx512ifma', 'ec/lanes_avx512ifma'];

const check = (folder: string) =>
  spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });

/** A build whose kernel is ours and that has one more object, compiled from `source`. */
function buildWith(name: string, source: string, flags: string[]): string {
  const folder = temporaryFolder();
  mkdirSync(`${folder}/mont`);
  mkdirSync(`${folder}/ec`);
  for (const each of kernels.filter((each) => each !== name)) {
    copyFileSync(path.join(build, `native/${each}.o`), `${folder}/${each}.o`);
  }
  writeFileSync(`${folder}/source.cc`, source);
  execFileSync('g++', ['-O2', '-c', ...flags, `${folder}/source.cc`, '-o', `${folder}/${name}.o`]);
  return folder;
}

describe.runIf(process.arch === 'x64' && process.platform === 'linux')('the machine code', () => {
  it('has no jump and no address that depends on a lane, and 512 bits in two files only', () => {
    expect(check(build)).toMatchObject({ status: 0, stderr: '' });
  });

  it('is not let pass with a 512-bit instruction elsewhere', () => {
    const source = `#include <immintrin.h>
      void f(long *p) { _mm512_storeu_si512(p, _mm512_set1_epi64(p[0])); }`;
    const { status, stderr } = check(buildWith('other', source, ['-mavx512f']));
    expect([status, stderr]).toEqual([1, expect.stringContaining('512 bits')]);
  });

  it('is not let pass with a branch in field arithmetic', () => {
    const source = `int reduce(int);
      namespace ec { template <int N> struct Field { int Add(int a, int b); };
      template <> int Field<4>::Add(int a, int b) { return a > b ? reduce(b) + 1 : 7; } }`;
    const folder = buildWith('ec/comb', source, []);
    const { status, stderr } = check(folder);
    expect([status, stderr]).toEqual([1, expect.stringContaining('a jump in field arithmetic')]);
  });

  it.each(kernels)('is not let pass with a branch on what a lane computed: %s', (name) => {
    const source = `#include <immintrin.h>
      int f(__m512i a, __m512i b) {
        a = _mm512_madd52lo_epu64(a, a, b);
        return _mm512_cmpeq_epi64_mask(a, b) ? f(b, a) + 1 : 7;
      }`;
    const folder = buildWith(name, source, ['-mavx512f', '-mavx512ifma']);
    const { status, stderr } = check(folder);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`${name}.o`)]);
  });

  it('is not let pass without the lanes of curves', () => {
    const folder = buildWith('other', '', []);
    rmSync(`${folder}/ec/lanes_avx512ifma.o`);
    const { status, stderr } = check(folder);
    expect([status, stderr]).toEqual([1, 'lanes_avx512ifma.o was not found\n']);
  });
});
