// A server that counts its garbage collections: how many were of all memory is told when asked.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { Pairmint } from '../../dist/index.js';
import { createServer } from '../../dist/server.js';

let full = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) {
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++;
  }
}).observe({ entryTypes: ['gc'] });

const kms = await Pairmint.open({ store: 'memory:' });
const { KeyMetadata } = await kms.createKey({});
const url = await createServer(kms, { auth: false }).listen({ port: 0 });
process.on('message', () => process.send(full));
process.send({ port: Number(new URL(url).port), keyId: KeyMetadata.KeyId });
