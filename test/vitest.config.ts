import { defineConfig } from 'vitest/config';

// CI counts the tests in this file's JSON; people read the default reporter.
const report = process.env.PAIRMINT_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Every file gets a process of its own: a crash in native code costs one file, and the addon is
    // loaded as users load it, not into a worker thread.
    pool: 'forks',
    // An RSA_4096 pair usually takes under a second, but the search has a long tail, on a busy
    // machine and under the sanitizers above all.
    testTimeout: 60_000,
    // Making a PostgreSQL server takes seconds, on a busy machine a minute.
    hookTimeout: 180_000,
    reporters: report === undefined ? ['default'] : ['default', 'json'],
    ...(report !== undefined && { outputFile: { json: report } }),
  },
});
