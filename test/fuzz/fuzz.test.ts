import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Pairmint } from '../../dist/index.js';
import { targets } from './targets.mjs';

describe('spoilt input is refused, each in its own way', () => {
  let kms: Pairmint;
  beforeAll(async () => {
    kms = await Pairmint.open({ store: 'memory:' });
  });
  afterAll(() => kms.close());

  it.each(Object.entries(targets))('%s', async (_, begin) => {
    await fc.assert<unknown[]>(await begin(kms), { numRuns: 300 });
  });
});
