// Feeds spoilt input to everything that reads some: `npm run fuzz`, or
// node test/fuzz/fuzz.mjs [seconds for each target] [seed]. A finding is printed with its seed and
// made as small as it goes.
import fc from 'fast-check';
import { Pairmint } from '../../dist/index.js';
import { targets } from './targets.mjs';

const seconds = Number(process.argv[2] ?? 60);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);

let findings = 0;
for (const [name, begin] of Object.entries(targets)) {
  const kms = await Pairmint.open({ store: 'memory:' });
  const details = await fc.check(await begin(kms), {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    maxSkipsPerRun: 0,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
  });
  await kms.close();
  console.log(
    `${name}: ${details.numRuns} inputs, seed ${seed}, ${details.failed ? 'FAILED' : 'ok'}`,
  );
  if (details.failed) {
    findings += 1;
    console.error(fc.defaultReportMessage(details));
  }
}
process.exit(findings === 0 ? 0 : 1);
