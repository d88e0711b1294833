import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hardeningFaults } from '../../native/tools/inspect.mjs';
import { curves } from '../support/curves.ts';
import { internals, internalsFile } from '../support/internals.ts';

const script = fileURLToPath(new URL('../support/failing-malloc-process.mjs', import.meta.url));

// A sanitizer has an allocator and checks of its own.
const isPlain = process.platform === 'linux' && !process.env.LD_PRELOAD;

describe.runIf(isPlain)('an allocation that fails inside OpenSSL', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
  const library = path.join(folder, 'failing_malloc.so');

  beforeAll(() => {
    const source = fileURLToPath(new URL('failing_malloc.c', import.meta.url));
    execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const sweep = (...args: string[]) =>
    spawnSync(process.execPath, [script, internalsFile, ...args], {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: library },
    });

  it.each(curves)('is not taken for a wrong public key: $name', ({ name }) => {
    for (const [what, step] of [
      ['alone', '1'],
      ['masks', '13'],
      ['several', '3'],
    ] as const) {
      const { stdout, stderr, signal } = sweep(what, name, step);
      expect({ stdout, stderr, signal }).toEqual({
        stdout: 'true true\n',
        stderr: '',
        signal: null,
      });
    }
  });

  it('is not taken for a kernel that miscalculates', () => {
    const [best] = internals.capabilities().kernels;
    const { stdout } = sweep('kernel', '', '1');
    const kernels = Array.from({ length: 3 }, () => best).join();
    // OpenSSL's own kernel is not compared, and allocates nothing then.
    expect(stdout).toBe(`${best !== 'openssl'} ${kernels}\n`);
  });
});

describe.runIf(isPlain)('the addon', () => {
  it.each(['index', 'copy', 'frame'])('ends the process that goes too far: %s', (what) => {
    const program = 'require(process.argv[1]).overrun(process.argv[2])';
    const { signal } = spawnSync(process.execPath, ['-e', program, internalsFile, what]);
    expect(signal).toBe('SIGABRT');
  });

  it.each(['chunk', 'pages', 'before'])(
    'ends the process that leaves locked memory: %s',
    (what) => {
      const program = 'require(process.argv[1]).overrun(process.argv[2])';
      const { signal } = spawnSync(process.execPath, ['-e', program, internalsFile, what]);
      expect(signal).toBe('SIGSEGV');
    },
  );

  it('is built with the compilers’ protections against faults of memory', () => {
    expect(hardeningFaults(internalsFile)).toEqual([]);
  });

  it('is told apart from a library without them', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const library = path.join(folder, 'bare.so');
    const source = fileURLToPath(new URL('failing_malloc.c', import.meta.url));
    execFileSync('cc', ['-shared', '-fPIC', '-fno-stack-protector', '-o', library, source]);
    expect(hardeningFaults(library)).toContain('it has no stack protector');
    if (process.arch === 'x64') {
      expect(hardeningFaults(library)).toContain('its control flow is not protected');
    }
  });
});

describe('locked memory', () => {
  // A chunk's blocks, the workspace of a kernel, and more than is ever kept.
  it.each([
    [300, 32],
    [3, 40_000],
    [3, 110_000],
    [20, 110_000],
    [2, 300_000],
  ])('is zero where it held other secrets before: %i of %i bytes', (count, size) => {
    expect(internals.areSecretsZero(count, size)).toBe(true);
  });

  it('is taken from the system once for all RSA keys, not for each', () => {
    for (const bits of [2048, 4096]) internals.generateRsa(bits);
    const { mapped } = internals.secretPages();
    for (let i = 0; i < 5; i++) internals.generateRsa(2048);
    internals.generateRsa(4096);
    expect(internals.secretPages().mapped).toBe(mapped);
  });

  it('is given back when more of it waits than eight threads need', () => {
    expect(internals.areSecretsZero(40, 110_000)).toBe(true);
    expect(internals.secretPages().kept).toBe(16);
    const { mapped } = internals.secretPages();
    expect(internals.areSecretsZero(16, 110_000)).toBe(true);
    expect(internals.secretPages().mapped).toBe(mapped);
  });
});
