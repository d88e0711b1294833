// `npm install` runs this: it uses the prebuilt addon where one fits and builds from source
// otherwise, with Node's own headers where they lie beside the node binary (official archives,
// Docker images, most packages), so that nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

function hasPrebuild() {
  if (!existsSync(path.join(root, 'prebuilds', `${process.platform}-${process.arch}`))) return false;
  try {
    createRequire(import.meta.url)('node-gyp-build')(root);
    return true;
  } catch {
    return false;
  }
}

/** The folder above include/node of the running Node, or undefined. */
export function nodeDirectory() {
  const prefix = path.resolve(process.execPath, '../..');
  return existsSync(path.join(prefix, 'include/node/node_api.h')) ? prefix : undefined;
}

/** Runs node-gyp in `directory`; ends the process with its status when it fails. */
export function build(directory) {
  const nodedir = nodeDirectory();
  const env = { ...process.env, ...(nodedir && { npm_config_nodedir: nodedir }) };
  const { status, error } = spawnSync('node-gyp', ['rebuild', '--jobs', 'max'], {
    cwd: directory,
    env,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  console.error(
    `pairmint: the native addon could not be built${error ? ` (${error.message})` : ''}. ` +
      'It needs a C++20 compiler (g++ 10 or later), make and python3; ' +
      'on Debian and Ubuntu: apt-get install g++ make python3',
  );
  process.exit(status || 1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--from-source') || !hasPrebuild()) build(root);
}
