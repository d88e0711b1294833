// A process in which threads share RSA searches, as test/native/rsa.test.ts has them, without
// vitest: sanitizers for threads watch it.
import { createRequire } from 'node:module';

const internals = createRequire(import.meta.url)(process.env.PAIRMINT_INTERNALS);

function search(name, abortAfterMs) {
  const { keys, statuses } = internals.searchRsaInThreads(2048, 4, abortAfterMs);
  const failed = statuses.filter((status) => status !== 0).length;
  // After an abort threads fail, except those that left the last parts of a key to the others.
  const isRight = keys.length === 1 ? failed === 0 : abortAfterMs !== undefined && failed > 0;
  console.log(`${name}: ${keys.length} key, ${failed} of ${statuses.length} threads failed`);
  if (!isRight) process.exitCode = 1;
}

const { kernels } = internals.kernelReport();
for (const { name } of kernels.filter(({ capable }) => capable)) {
  internals.chooseKernel(name);
  search(name);
  for (const milliseconds of [0, 5, 20]) search(`${name}, aborted`, milliseconds);
}
// One thread finds the fault, and the others change over to OpenSSL in the middle of the search.
for (const fault of ['wrong limb', 'wrong lane', 'always true']) {
  internals.plantFault(fault, true);
  search(fault);
  if (internals.kernelReport().switchedOff === '') process.exitCode = 1;
}
