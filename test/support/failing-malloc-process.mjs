// Has allocations of OpenSSL fail in turn while pairs are minted, and tells how many did and what is
// in use afterwards. Runs with the library of test/native/failing_malloc.c preloaded.
import { createRequire } from 'node:module';

const [, , file, what, curve, step] = process.argv;
const internals = createRequire(import.meta.url)(file);

const steps = {
  // One pair, by the comb and under a mask that is in stock.
  alone: () => {
    if (internals.masksInStock(curve).length === 0) internals.mintAlone(curve, 1);
  },
  // One pair, for which masks are made.
  masks: () => internals.useMasks(curve, true),
  // Eight pairs together.
  several: () => {},
  // The comparison of kernels before their first use.
  kernel: () => internals.chooseKernel(),
};

if (what !== 'kernel') {
  internals.plantCombFault(curve, 'nothing', true);
  internals.useMasks(curve, true);
  internals.mintAlone(curve, 1);
}
let failed = 0;
for (let n = 0; ; n += Number(step)) {
  steps[what]();
  const reached = internals.withFailingAllocation(n, what, curve);
  const { curvesSwitchedOff, kernelSwitchedOff } = internals.capabilities();
  if (curvesSwitchedOff || kernelSwitchedOff) {
    process.stdout.write(`allocation ${n}: ${curvesSwitchedOff}${kernelSwitchedOff}\n`);
    process.exit(0);
  }
  if (!reached) break;
  failed++;
}
const inUse =
  what === 'kernel'
    ? [1024, 1536, 2048].map((bits) => internals.kernelFor(bits)).join()
    : internals.multiplyByComb(curve, [1n]) !== undefined;
process.stdout.write(`${failed > 5} ${inUse}\n`);
