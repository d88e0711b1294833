// Makes prebuilds/<platform>-<arch>/pairmint.node and refuses to leave one there that would not load
// where Node 20 runs (npm run prebuild). With --matrix it is also loaded by newer versions of Node,
// which npm fetches for the occasion (200 MB each).
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { addonFaults, floorFaults, muslFaults } from './inspect.mjs';
import { nodeDirectory, root } from './install.mjs';

const require = createRequire(import.meta.url);
const tuple = `${process.platform}-${process.arch}`;
const matrix = ['22', '24'];

/**
 * True when npm runs this as the hook of `npm run build`: npm takes every script called pre<name>
 * for one, and does not say which command was typed except in the title of its own process.
 */
function isHookOfBuild() {
  if (process.env.npm_lifecycle_event !== 'prebuild') return false;
  for (let pid = process.ppid, depth = 0; depth < 3 && pid > 1; depth += 1) {
    const { stdout } = spawnSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], {
      encoding: 'utf8',
    });
    const [parent, ...words] = stdout?.trim().split(/\s+/) ?? [];
    if (words[0] === 'npm') return !words.includes('prebuild');
    pid = Number(parent);
  }
  return false;
}

function fail(message) {
  throw new Error(`prebuild: ${message}`);
}

/** Builds a copy of the sources in the new directory `folder` and returns the addon's path. */
function buildIn(folder) {
  for (const part of ['binding.gyp', 'package.json', 'native', 'node_modules/node-addon-api']) {
    cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  }
  const options = ['--napi', '--strip', '--name', 'pairmint', '--target', process.versions.node];
  const { status } = spawnSync(
    process.execPath,
    [require.resolve('prebuildify/bin.js'), ...options, '--cwd', folder],
    {
      cwd: folder,
      env: {
        ...process.env,
        // prebuildify asks node-gyp for another version's headers, which it would download.
        npm_config_nodedir: nodeDirectory(),
        PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`,
      },
      stdio: 'inherit',
    },
  );
  if (status !== 0) fail('prebuildify failed');
  return path.join(folder, 'prebuilds', tuple, 'pairmint.node');
}

function check(addon) {
  const faults = [...addonFaults(addon), ...floorFaults(addon)];
  const musl = muslFaults(addon);
  console.log(musl ? "prebuild: asked musl's loader too" : 'prebuild: no musl here to ask');
  if (faults.length > 0 || musl?.length > 0) {
    fail(`the addon is not fit for others:\n  ${[...faults, ...(musl ?? [])].join('\n  ')}`);
  }
}

function load(node, addon) {
  const program = 'process.stdout.write(Object.keys(require(process.argv[1])).join())';
  const { status, stdout, stderr } = spawnSync(node, ['-e', program, addon], { encoding: 'utf8' });
  if (status !== 0) fail(`${node} does not load the addon: ${stderr}`);
  return stdout;
}

/** Loads the addon with each version of Node in the matrix. */
function checkMatrix(addon, scratch) {
  const here = load(process.execPath, addon);
  for (const version of matrix) {
    const folder = path.join(scratch, `node-${version}`);
    mkdirSync(folder);
    const name = `node-${tuple}`;
    const options = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder];
    const { status } = spawnSync('npm', [...options, `${name}@${version}`], { stdio: 'inherit' });
    if (status !== 0) fail(`npm could not install ${name}@${version}`);
    const there = load(path.join(folder, 'node_modules', name, 'bin/node'), addon);
    if (there !== here) fail(`Node ${version} sees other exports: ${there}`);
    console.log(`prebuild: Node ${version} loads it`);
  }
}

function main() {
  if (process.version.split('.')[0] !== 'v20') {
    fail(
      `build with Node 20, whose headers every later Node can serve; this is ${process.version}`,
    );
  }
  if (nodeDirectory() === undefined) fail('this Node has no headers beside it (include/node)');
  const scratch = mkdtempSync(path.join(tmpdir(), 'pairmint-prebuild-'));
  try {
    const addon = buildIn(path.join(scratch, 'one'));
    const again = buildIn(path.join(scratch, 'another/and/deeper'));
    if (!readFileSync(addon).equals(readFileSync(again))) {
      fail('two builds in two directories differ: something of the path got into the addon');
    }
    if (process.platform === 'linux') check(addon);
    load(process.execPath, addon);
    if (process.argv.includes('--matrix')) checkMatrix(addon, scratch);
    const target = path.join(root, 'prebuilds', tuple, 'pairmint.node');
    cpSync(addon, target, { force: true });
    console.log(`prebuild: ${path.relative(root, target)}, ${readFileSync(target).length} bytes`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (isHookOfBuild()) {
  console.log('prebuild: nothing to do before `build`; the addon is made by `npm run prebuild`');
} else {
  try {
    main();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
