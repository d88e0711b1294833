import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { addonFaults, floorFaults } from '../../native/tools/inspect.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every regular entry that may lie at the top of the repository; dotfiles are for tools. */
const rootEntries = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'NOTICE',
  'README.md',
  'binding.gyp',
  'docs',
  'examples',
  'lib',
  'native',
  'package-lock.json',
  'package.json',
  'prebuilds',
  'test',
  'tsconfig.json',
];

function packedFiles(): string[] {
  // --ignore-scripts: `prepare` would compile dist under the other tests' feet.
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }];
  return files.map((file) => file.path);
}

describe('the packed package', () => {
  const files = packedFiles();

  it('holds the files that an installation needs', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'NOTICE',
        'README.md',
        'binding.gyp',
        'native/tools/install.mjs',
        'native/settings.gypi',
        'native/sources.json',
        'native/tools/sources.mjs',
        'package.json',
      ]),
    );
  });

  it('holds every source file that its binding.gyp compiles', () => {
    const groups = JSON.parse(readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
    const { internals: _tests, ...shipped } = groups as Record<string, string[]>;
    expect(files).toEqual(expect.arrayContaining(Object.values(shipped).flat()));
  });

  it('holds no test, no tool of ours and no file that could be a secret', () => {
    const unwanted = files.filter((file) =>
      /(^|\/)(test|build|node_modules)\/|(^|\/)\.|\.(key|pem|db|log|tsbuildinfo|env)$|(lint|sanitize)\.mjs$/.test(
        file,
      ),
    );
    expect(unwanted).toEqual([]);
  });
});

describe('the lock file', () => {
  it('does not name the host that packages came from', () => {
    const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8');
    expect(lock).not.toMatch(/"resolved": "http/);
    expect(lock).toMatch(/"integrity": /);
  });
});

// Only git knows what is committed; an unpacked archive has none to ask.
describe.runIf(existsSync(path.join(root, '.git')))('the repository', () => {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);

  it('has exactly the agreed entries at its root', () => {
    const names = git('ls-tree', '--name-only', 'HEAD').filter((name) => !name.startsWith('.'));
    expect(names.sort()).toEqual(rootEntries);
  });

  it('commits no binary', () => {
    expect(git('ls-files', '*.node', 'dist', 'build')).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('the built addon', () => {
  const built = path.join(root, 'build/Release/pairmint.node');
  const prebuilt = path.join(root, `prebuilds/linux-${process.arch}/pairmint.node`);
  const addon = existsSync(built) ? built : prebuilt;

  it('is bound when loaded, uses public API only and exports what Node looks up', () => {
    expect(addonFaults(addon)).toEqual([]);
  });

  // Elsewhere it was built for the machine at hand, which may be newer than our oldest.
  it.runIf(process.env.CI)('loads on the oldest systems of Node 20', () => {
    expect(floorFaults(addon)).toEqual([]);
  });
});
