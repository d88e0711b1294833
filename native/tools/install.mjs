// `npm install` runs this. It uses the prebuilt addon if one fits, otherwise it builds from source.
// Node's headers often lie beside the node binary (official archives, Docker images, most
// packages): then they are used and nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** True when node was started with the module at `url`, also through a symbolic link. */
export function runsAsScript(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);
}

/** True when there is nothing to build. */
function isInstalled() {
  const built = existsSync(path.join(root, 'build/Release'));
  // `npx pairmint` in a checkout of this repository links it as a package, and npm runs this again:
  // a rebuild would take the addon away from running processes for a minute.
  if (built && process.env.npm_command === 'exec') return loads();
  // node-gyp-build prefers build/Release to a prebuild, so an old one there would be what runs:
  // build again after an earlier build from source.
  if (built) return false;
  return existsSync(path.join(root, 'prebuilds', `${process.platform}-${process.arch}`)) && loads();
}

function loads() {
  try {
    createRequire(import.meta.url)('node-gyp-build')(root);
    return true;
  } catch (error) {
    console.error(
      `pairmint: building from source, as the addon that is here fails: ${error.message}`,
    );
    return false;
  }
}

/** The folder above include/node of the running Node, or undefined. */
export function nodeDirectory() {
  const prefix = path.resolve(realpathSync(process.execPath), '../..');
  const has = (file) => existsSync(path.join(prefix, 'include', file));
  // Distributions that link Node to their own OpenSSL keep its headers outside include/node.
  const complete = has('node/node_api.h') && (has('node/openssl/evp.h') || has('openssl/evp.h'));
  return complete ? prefix : undefined;
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
  if (error?.code === 'ENOENT') {
    console.error('pairmint: node-gyp is not in PATH; run this through npm, which brings it');
    process.exit(1);
  }
  const node = nodedir ? '' : ', and the headers of Node, which node-gyp downloads';
  console.error(
    `pairmint: the native addon could not be built${error ? ` (${error.message})` : ''}. ` +
      `It needs a C++20 compiler (g++ 10 or later), make and python3${node}; ` +
      'on Debian and Ubuntu: apt-get install g++ make python3',
  );
  process.exit(status || 1);
}

if (runsAsScript(import.meta.url)) {
  if (process.argv.includes('--from-source') || !isInstalled()) build(root);
}
