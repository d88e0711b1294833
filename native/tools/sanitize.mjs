// Builds addons under sanitizers through cmake-js and runs native tests against them. Any finding
// ends the test process, so it fails the run. Needs g++ with its sanitizer libraries, and cmake.
//
//   npm run test:sanitize [-- WORDS]       AddressSanitizer and UBSan, on the native tests; words go
//                                          to vitest
//   npm run test:sanitize -- --thread      ThreadSanitizer, on the processes of the crew's tests and
//                                          on RSA searches that threads share; needs npm run build
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cmake } from './cmake.mjs';
import { root } from './install.mjs';

/** The path of one of the compiler's run-time libraries; ends the process when it is not there. */
function library(name) {
  const { stdout } = spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' });
  // g++ answers with the bare name when it has no such file.
  if (stdout && path.isAbsolute(stdout.trim())) return stdout.trim();
  console.error(`${name} is missing. On Debian and Ubuntu: apt-get install g++`);
  return process.exit(1);
}

// Node itself is not instrumented, so the sanitizer must be loaded before everything else.
function memoryEnvironment(addon) {
  return {
    PAIRMINT_INTERNALS: addon,
    // libstdc++ with it, or the sanitizer finds no __cxa_throw to intercept and gives up.
    LD_PRELOAD: `${library('libasan.so')}:${library('libstdc++.so.6')}`,
    // Node leaves much unfreed when it ends; that is not for us to report.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
}

function threadEnvironment(folder, internals) {
  const suppressions = path.join(folder, 'suppressions');
  // What Node and V8 hand from thread to thread through atomics is unseen, so that their own accesses
  // look like races: those of V8's jobs have been reported.
  writeFileSync(suppressions, 'race:v8::platform::\n');
  return {
    PAIRMINT_PREBUILD: folder,
    PAIRMINT_INTERNALS: internals,
    LD_PRELOAD: library('libtsan.so'),
    TSAN_OPTIONS: [
      'halt_on_error=1',
      'ignore_noninstrumented_modules=1',
      `suppressions=${suppressions}`,
      // Node's own threads are not all joined when a process ends.
      'report_thread_leaks=0',
      // Otherwise every process waits a second at its end for threads that may still race.
      'atexit_sleep_ms=0',
    ].join(' '),
  };
}

function hasTests() {
  return readdirSync(path.join(root, 'test/native'), { recursive: true }).some((file) =>
    file.endsWith('.test.ts'),
  );
}

// It searches a process's whole memory for secrets. Under AddressSanitizer that is terabytes of
// shadow, and freed blocks are kept there on purpose.
const excluded = 'test/native/secrets.test.ts';

/** The command to run under the sanitizers: the native tests or, without any, just loading. */
function command(addon, extra) {
  if (!hasTests()) return ['-e', `console.log(require(${JSON.stringify(addon)}))`];
  const vitest = path.join(
    path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
    'vitest.mjs',
  );
  console.log(`sanitize: not run: ${excluded}, which reads all of a process's memory`);
  const options = ['--config', 'test/vitest.config.ts', '--root', '.', '--exclude', excluded];
  return [vitest, 'run', ...options, 'test/native/', ...extra];
}

// Without vitest, which stands still under ThreadSanitizer. Together they have threads share a
// search, take turns, abort, abandon, and end in the middle of it.
const crewTasks = [
  'finish',
  'exitWhileMinting',
  'terminateWorkers',
  'terminateWhileAnswering',
  'mintInWorkers',
];
const threadProcesses = [
  ['test/support/search-process.mjs'],
  ...crewTasks.map((task) => ['test/support/crew-process.mjs', task]),
];

/** Runs Node under the sanitizers and says whether it ended with 0. */
function runs(words, env) {
  const { status, signal } = spawnSync(process.execPath, words, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (signal) console.error(`ended by ${signal}`);
  return status === 0;
}

function build(out, target, sanitizers) {
  cmake('build', { out, options: ['--target', target, `--CDSANITIZE=${sanitizers}`] });
  return path.join(out, `Release/${target}.node`);
}

const extra = process.argv.slice(2);
const folder = mkdtempSync(path.join(tmpdir(), 'pairmint-sanitize-'));
// Where node-gyp-build looks for the product's addon in PAIRMINT_PREBUILD.
const out = path.join(folder, 'build');
try {
  let isGood = false;
  if (extra[0] === '--thread') {
    build(out, 'pairmint', 'thread');
    const env = threadEnvironment(folder, build(out, 'internals', 'thread'));
    isGood = threadProcesses.every((words) => {
      console.log(`sanitize: ${words.join(' ')}`);
      return runs(words, env);
    });
  } else {
    const addon = build(out, 'internals', 'address,undefined');
    isGood = runs(command(addon, extra), memoryEnvironment(addon));
  }
  process.exitCode = isGood ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
