import crypto from 'node:crypto';
import { expect, it } from 'vitest';
import { faultOf } from '../../lib/store/lmdb-file.ts';
import { LmdbStore } from '../../lib/store/lmdb-store.ts';
import { temporaryFolder } from '../support/folders.ts';

/** Numbers from 0 that are the same in every run of the test. */
function numbers(seed: number): (below: number) => number {
  let drawn = 0;
  return (below) => {
    const digest = crypto.createHash('sha256').update(`${seed} ${drawn++}`).digest();
    return Math.floor((below * digest.readUInt32BE()) / 2 ** 32);
  };
}

// LMDB does not write the last pages of a file where a commit took them and gave them back, as the
// second or third removal of these does.
it.each([1, 5, 6, 17])(
  'a file is sound after any commit, whatever pages LMDB took for it (%d)',
  async (seed) => {
    const next = numbers(seed);
    const folder = temporaryFolder();
    const store = LmdbStore.open(folder);
    for (let i = 0; i < 12; i++) {
      const size = 500 + next(3500);
      const added = Array.from({ length: 1 + next(60) }, () => ({
        path: `p/${next(2 ** 32)}${'x'.repeat(100)}`,
        expected: undefined,
        next: Buffer.alloc(size),
      }));
      await store.commit(added);
      expect(faultOf(`${folder}/data.mdb`)).toBeUndefined();
      if (next(2) === 0) continue;
      const entries = await store.list('p/', { limit: 1 + next(100) });
      const removed = entries.map(({ path, value }) => ({
        path,
        expected: Uint8Array.from(value),
        next: undefined,
      }));
      await store.commit(removed);
      expect(faultOf(`${folder}/data.mdb`)).toBeUndefined();
    }
    await store.close();
  },
);
