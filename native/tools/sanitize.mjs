// Builds the tests' addon with AddressSanitizer and UndefinedBehaviorSanitizer through cmake-js and
// runs the native tests against it (npm run test:sanitize). Any finding ends the test process, so
// it fails the run. Needs g++ with its sanitizer libraries, and cmake.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
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

function environment(addon) {
  return {
    ...process.env,
    PAIRMINT_INTERNALS: addon,
    // Node itself is not instrumented, so the sanitizer must be loaded before everything else; and
    // libstdc++ with it, or it finds no __cxa_throw to intercept and gives up.
    LD_PRELOAD: `${library('libasan.so')}:${library('libstdc++.so.6')}`,
    // Node leaves much unfreed when it ends; that is not for us to report.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
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

const out = mkdtempSync(path.join(tmpdir(), 'pairmint-sanitize-'));
try {
  cmake('build', { out, options: ['--target', 'internals', '--CDSANITIZE=ON'] });
  const addon = path.join(out, 'Release/internals.node');
  const { status, signal } = spawnSync(process.execPath, command(addon, process.argv.slice(2)), {
    cwd: root,
    env: environment(addon),
    stdio: 'inherit',
  });
  if (signal) console.error(`ended by ${signal}`);
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
