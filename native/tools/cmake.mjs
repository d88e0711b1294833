// Runs cmake-js on the CMakeLists.txt beside it with the headers of the Node that runs this, so that
// it downloads nothing:  node native/tools/cmake.mjs configure|build [cmake-js options]
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { nodeDirectory, root, runsAsScript } from './install.mjs';

/** Runs a cmake-js command; `out` is the build folder. Ends the process when cmake-js fails. */
export function cmake(command, { out = path.join(root, 'build/cmake'), options = [] } = {}) {
  if (spawnSync('cmake', ['--version']).status !== 0) {
    console.error('cmake is missing. On Debian and Ubuntu: apt-get install cmake make g++');
    process.exit(1);
  }
  const nodedir = nodeDirectory();
  const { status } = spawnSync(
    process.execPath,
    [
      createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js'),
      command,
      ...['--directory', path.join(root, 'native/tools'), '--out', out, '--log-level', 'warn'],
      ...['--parallel', String(availableParallelism()), ...options],
    ],
    {
      cwd: root,
      env: { ...process.env, ...(nodedir && { npm_config_nodedir: nodedir }) },
      stdio: 'inherit',
    },
  );
  if (status !== 0) process.exit(status || 1);
}

if (runsAsScript(import.meta.url)) {
  const [command = 'build', ...options] = process.argv.slice(2);
  cmake(command, { options });
}
