import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sourceFiles } from './support/import-graph.ts';

// Programs that people start by hand, the benchmarks and soaks above all: nobody sees them break
// when what they import is renamed, because TypeScript does not read them.

const programs = ['test', 'lib', 'native'].flatMap((folder) => sourceFiles(folder, /\.mjs$/));
const imported = [
  /import \{([^}]*)\} from '(\.[^']+)'/g,
  /const \{([^}]*)\} =\s+await import\('(\.[^']+)'\)/g,
];

interface Import {
  readonly names: readonly string[];
  /** A path from the root of the project, in lib if the program imports what is compiled from it. */
  readonly from: string;
}

function importsOf(text: string, folder: string): Import[] {
  return imported
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map(([, list = '', from = '']) => ({
      names: list
        .split(',')
        .map((name) => name.trim().split(/ as |: /)[0] as string)
        .filter((name) => name !== ''),
      from: path.join(folder, from).replace(/^dist\/(.*)\.js$/, 'lib/$1.ts'),
    }));
}

async function exportsOf(file: string): Promise<string[]> {
  // Importing another program would start it.
  if (!file.endsWith('.mjs')) return Object.keys(await import(path.resolve(file)));
  const declared = /^export (?:async )?(?:function\*?|class|const|let) (\w+)/gm;
  return [...readFileSync(file, 'utf8').matchAll(declared)].map(([, name]) => name as string);
}

async function missingFrom(text: string, folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (const { names, from } of importsOf(text, folder)) {
    const exported = await exportsOf(from);
    missing.push(...names.filter((name) => !exported.includes(name)).map((n) => `${from}: ${n}`));
  }
  return missing;
}

describe('a program', () => {
  test.each(programs)('imports only names that exist: %s', async (file) => {
    expect(await missingFrom(readFileSync(file, 'utf8'), path.dirname(file))).toEqual([]);
  });

  test('that imports a renamed function is found', async () => {
    const text = `
      import { Pairmint, Pairmunt } from '../dist/index.js';
      const { createServer: make, createSever } = await import('../dist/server.js');
      import { openLode } from './bench/load.mjs';`;
    expect(await missingFrom(text, 'test')).toEqual([
      'lib/index.ts: Pairmunt',
      'test/bench/load.mjs: openLode',
      'lib/server.ts: createSever',
    ]);
  });
});

describe("the server's benchmark", () => {
  test('runs, with every figure above nothing', () => {
    const args = ['test/bench/bench.mjs', '--server', '--smoke'];
    const out = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
    for (const title of ['DescribeKey', 'GenerateDataKey', 'ECC_NIST_P256', 'RSA_4096']) {
      expect(out).toMatch(new RegExp(`${title}: [1-9][\\d.]* us .*, bare [1-9]`));
    }
    expect(out).toMatch(/^Signatures verified: [1-9]/m);
  });
});

describe('the benchmark', () => {
  const bench = (...options: string[]) =>
    execFileSync(process.execPath, ['test/bench/bench.mjs', '--smoke', ...options], {
      encoding: 'utf8',
      stdio: 'pipe',
    });

  test('measures the kernel that it is told to, beside node:crypto', () => {
    const out = bench('--only', 'ECC_NIST_P256', '--kernel', 'openssl');
    expect(out).toMatch(/pairmint: kernel openssl, Node\.js .*; node:crypto: Node\.js \d/);
    expect(out).toMatch(/^ECC_NIST_P256, 1 thread +[1-9]/m);
    expect(out).toMatch(/^ECC_NIST_P256, batch, 1 thread +[1-9]/m);
  });

  test('measures lone requests beside eight at a time, and the first of a process', () => {
    const out = bench('--lone');
    for (const title of ['GenerateDataKey', 'a pair of SM2']) {
      expect(out).toMatch(
        new RegExp(`^${title}: one at a time [1-9][\\d.]* us .*, eight [1-9]`, 'm'),
      );
    }
    expect(out).toMatch(/^Decrypt: first 200 of a process [1-9][\d.]* us .*, warm [1-9]/m);
  });

  test('refuses a Node.js that is not a version, and a kernel that is not there', () => {
    expect(() => bench('--node', '../node')).toThrow('--node ../node is not a version');
    expect(() => bench('--kernel', 'abacus')).toThrow('abacus');
  });
});
