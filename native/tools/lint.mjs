// Checks the C++ of native/ and test/native/ with clang-format and clang-tidy. clang-tidy reads the
// compile commands that cmake-js writes into a temporary folder; nothing is kept between runs.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { cmake } from './cmake.mjs';
import { root } from './install.mjs';

// Another version lays code out differently and knows other checks.
const version = 14;
const run = promisify(execFile);

/** The command of LLVM's `tool` in the version we use; ends the process if it is missing. */
function find(tool) {
  for (const command of [`${tool}-${version}`, tool]) {
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (stdout?.includes(`version ${version}.`)) return command;
  }
  console.error(
    `${tool} ${version} is missing. On Debian and Ubuntu: apt-get install ${tool}-${version}`,
  );
  return process.exit(1);
}

function sources() {
  return ['native', 'test/native']
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true }).map((file) =>
        path.join(folder, file),
      ),
    )
    .filter((file) => /\.(cc|h)$/.test(file) && !file.split(path.sep).includes('build'))
    .sort();
}

function checkFormat(clangFormat, files) {
  const style = `--style=file:${path.join(root, 'native/.clang-format')}`;
  const { status } = spawnSync(clangFormat, ['--dry-run', '-Werror', style, ...files], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`Mend it with: ${clangFormat} -i --style=file:native/.clang-format FILE`);
  }
  return status === 0;
}

/**
 * Writes the compile commands into `folder` and returns the files in them. Most files are compiled
 * twice, for the addon and for the tests; the tests' command is kept, because it sees more code.
 */
function compileCommands(folder) {
  cmake('configure', { out: folder });
  const file = path.join(folder, 'compile_commands.json');
  const commands = new Map();
  for (const entry of JSON.parse(readFileSync(file, 'utf8'))) {
    if (!commands.has(entry.file) || entry.command.includes('PAIRMINT_TESTING')) {
      commands.set(entry.file, entry);
    }
  }
  writeFileSync(file, JSON.stringify([...commands.values()]));
  return [...commands.keys()];
}

async function tidy(clangTidy, folder, file) {
  // In the glue the analyzer spends half a minute a file on paths through napi.h; the sanitizers
  // watch that code when the tests run.
  const glue = ['native/addon/', 'test/native/'].some((part) => file.startsWith(root + part));
  const options = [
    ...(glue ? ['--checks=-clang-analyzer-*'] : []),
    `-p=${folder}`,
    '--quiet',
    `--config-file=${path.join(root, 'native/.clang-tidy')}`,
    `--header-filter=^${root}(native|test/native)/`,
  ];
  try {
    await run(clangTidy, [...options, file], { cwd: root, maxBuffer: 1 << 26 });
    return true;
  } catch (error) {
    console.error(error.stdout || error.message);
    // With findings stderr only counts the warnings it suppressed; alone it is the whole story.
    if (!error.stdout) console.error(error.stderr);
    return false;
  }
}

async function checkTidy(clangTidy) {
  const folder = mkdtempSync(path.join(tmpdir(), 'pairmint-lint-'));
  try {
    const queue = compileCommands(folder);
    let clean = true;
    const worker = async () => {
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
        clean = (await tidy(clangTidy, folder, file)) && clean;
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    return clean;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [clangFormat, clangTidy] = [find('clang-format'), find('clang-tidy')];
const files = sources();
const formatted = checkFormat(clangFormat, files);
const tidied = await checkTidy(clangTidy);
if (!formatted || !tidied) process.exit(1);
console.log(`${files.length} C++ files are well laid out and clang-tidy has nothing to say.`);
