import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { dataKeyPairSpecs } from '../../lib/model/key-specs.ts';
import { loadNative } from '../../lib/native/addon.ts';

const script = fileURLToPath(new URL('../support/crew-process.mjs', import.meta.url));

async function run(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, output };
}

// Freed memory that is filled with other bytes shows a use after it; without, a table that was
// destroyed is often still there to be read.
const perturbed = [{}, { MALLOC_PERTURB_: '165' }];
// The first pairs of a process, whose tables are being made, and some in the middle.
const moments = ['5', '40', '90', '150'];

async function leave(task: string, spec: string) {
  for (const env of perturbed) {
    for (const milliseconds of moments) {
      expect(await run([task, spec, milliseconds], env)).toEqual({
        code: 0,
        signal: null,
        output: 'leaving\n',
      });
    }
  }
}

describe('a process that leaves in the middle of minting', () => {
  it.each(dataKeyPairSpecs())('ends without a signal: %s', { timeout: 120_000 }, (spec) =>
    leave('exitInMidMint', spec),
  );

  it.skipIf(!loadNative().capabilities().mlDsa).each(['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'])(
    'ends without a signal: %s',
    { timeout: 120_000 },
    (spec) => leave('exitWhileKeysAreMade', spec),
  );
});

/** The object files below a folder. */
function objects(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.o'))
    .map((file) => path.join(folder, file));
}

describe.skipIf(process.platform !== 'linux')('native code', () => {
  // What one of its threads may touch has to outlive the crew, which is joined by its destructor.
  it('destroys nothing when the process exits, except the crew', () => {
    const folder = fileURLToPath(new URL('build/Release/native', import.meta.url));
    const files = objects(folder);
    expect(files.length).toBeGreaterThan(40);
    const destroying = files.filter((file) => {
      const { stdout } = spawnSync('nm', ['--undefined-only', file], { encoding: 'utf8' });
      return /\b__cxa_(thread_)?atexit\b/.test(stdout);
    });
    expect(destroying.map((file) => path.basename(file))).toEqual(['crew.o']);
  });
});
