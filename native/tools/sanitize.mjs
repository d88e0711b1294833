// Builds addons under sanitizers through cmake-js and runs native tests against them. Any finding
// ends the test process, so it fails the run. Needs g++ with its sanitizer libraries, and cmake.
//
//   npm run test:sanitize                  AddressSanitizer and UBSan, on all native tests
//   npm run test:sanitize -- --thread      ThreadSanitizer, on the crew and the prime search
//
// Further words go to vitest.
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

// It searches a process's whole memory for secrets. Under AddressSanitizer that is terabytes of
// shadow, and freed blocks are kept there on purpose.
const excluded = 'test/native/secrets.test.ts';

// Node itself is not instrumented, so the sanitizer must be loaded before everything else.
const kinds = {
  memory: {
    sanitizers: 'address,undefined',
    targets: ['internals'],
    tests: ['test/native/', '--exclude', excluded],
    notice: `not run: ${excluded}, which reads all of a process's memory`,
    environment: () => ({
      // libstdc++ with it, or it finds no __cxa_throw to intercept and gives up.
      LD_PRELOAD: `${library('libasan.so')}:${library('libstdc++.so.6')}`,
      // Node leaves much unfreed when it ends; that is not for us to report.
      ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    }),
  },
  thread: {
    sanitizers: 'thread',
    // The tests of the crew start processes with the product's addon.
    targets: ['internals', 'pairmint'],
    tests: [
      ...['test/native/crew.test.ts', 'test/native/rsa.test.ts', 'test/native/masks.test.ts'],
      // Everything takes five to fifteen times as long, RSA above all.
      ...['--testTimeout', '600000', '--hookTimeout', '600000'],
    ],
    environment: (folder) => ({
      PAIRMINT_PREBUILD: folder,
      LD_PRELOAD: library('libtsan.so'),
      TSAN_OPTIONS: [
        'halt_on_error=1',
        // What Node and V8 hand from thread to thread through atomics is unseen: their own accesses
        // would be findings.
        'ignore_noninstrumented_modules=1',
        `suppressions=${path.join(folder, 'suppressions')}`,
        // vitest's and Node's threads are not all joined when a process ends.
        'report_thread_leaks=0',
        // Otherwise every process waits a second at its end for threads that may still race.
        'atexit_sleep_ms=0',
      ].join(' '),
    }),
  },
};

function hasTests() {
  return readdirSync(path.join(root, 'test/native'), { recursive: true }).some((file) =>
    file.endsWith('.test.ts'),
  );
}

/** The command to run under the sanitizers: the tests or, without any, just loading. */
function command(addon, tests, extra) {
  if (!hasTests()) return ['-e', `console.log(require(${JSON.stringify(addon)}))`];
  const vitest = path.join(
    path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
    'vitest.mjs',
  );
  const options = ['--config', 'test/vitest.config.ts', '--root', '.'];
  return [vitest, 'run', ...options, ...tests, ...extra];
}

const extra = process.argv.slice(2);
const kind = extra[0] === '--thread' ? kinds.thread : kinds.memory;
if (kind === kinds.thread) extra.shift();

const folder = mkdtempSync(path.join(tmpdir(), 'pairmint-sanitize-'));
try {
  // Where node-gyp-build looks for the product's addon in PAIRMINT_PREBUILD.
  const out = path.join(folder, 'build');
  for (const target of kind.targets) {
    cmake('build', { out, options: ['--target', target, `--CDSANITIZE=${kind.sanitizers}`] });
  }
  writeFileSync(path.join(folder, 'suppressions'), 'race:^v8::platform::\n');
  const addon = path.join(out, 'Release/internals.node');
  if (kind.notice !== undefined) console.log(`sanitize: ${kind.notice}`);
  const { status, signal } = spawnSync(process.execPath, command(addon, kind.tests, extra), {
    cwd: root,
    env: { ...process.env, PAIRMINT_INTERNALS: addon, ...kind.environment(folder) },
    stdio: 'inherit',
  });
  if (signal) console.error(`ended by ${signal}`);
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
