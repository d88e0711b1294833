import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadNative } from '../../../lib/native/addon.ts';
import { temporaryFolder } from '../../support/folders.ts';
import { makeSmallStore, mergeChanges, tryAll } from '../../support/spoil.mjs';

// Every byte takes minutes: here a few from each page, elsewhere each time.
const isLong = process.env.PAIRMINT_ATTACK_BYTES === 'all';
const random = (step: number) => Math.floor(step * Math.random());

async function newFolder({ isMerged }: { isMerged: boolean }): Promise<string> {
  const folder = temporaryFolder();
  await makeSmallStore(folder);
  if (isMerged) mergeChanges(folder);
  return folder;
}

const fine = { wrong: [], ended: [], hung: [] };
const cases = [
  { what: 'a bit of its file is flipped', kind: 'flips', step: 293, isMerged: true },
  { what: 'a byte of its file is another', kind: 'bytes', step: 307, isMerged: true },
  { what: 'a bit of its file of changes is flipped', kind: 'flips', step: 701, isMerged: false },
  { what: 'there is garbage in a page', kind: 'pages', step: 3, isMerged: true },
  { what: 'a page is in the place of another', kind: 'swaps', step: 13, isMerged: true },
  { what: 'its files are cut short', kind: 'cuts', step: 5, isMerged: false },
  { what: 'its file is cut short', kind: 'cuts', step: 1, isMerged: true },
];

describe('a spoilt store', () => {
  for (const { what, kind, step, isMerged } of cases) {
    it(
      `gives an error or what it held when ${what}`,
      async () => {
        const folder = await newFolder({ isMerged });
        const steps = isLong ? { step: 1 } : { from: random(step), step };
        const { tried, noEffect, errors, drawn, ...found } = await tryAll(folder, kind, steps);
        expect(found).toEqual(fine);
        console.log(`${kind}: ${tried} tried, ${errors} errors, ${noEffect} without effect`);
        expect([errors > 0, drawn > 0]).toEqual([true, true]);
      },
      isLong ? 3_600_000 : 60_000,
    );
  }

  it(
    'does so through a whole engine',
    async () => {
      const folder = await newFolder({ isMerged: true });
      const step = isLong ? 97 : 1501;
      const { tried, noEffect, errors, drawn, ...found } = await tryAll(folder, 'whole', {
        from: random(step),
        step,
      });
      expect(found).toEqual(fine);
      expect(tried).toBeGreaterThan(5);
    },
    isLong ? 3_600_000 : 60_000,
  );
});

describe('key material that does not open', () => {
  it('leaves nothing behind that Node.js takes for an error of its own', () => {
    const native = loadNative();
    const rootKey = native.openRootKey(undefined);
    const { header, wrapped } = native.createKeyMaterial(
      rootKey,
      Buffer.alloc(16, 1),
      Buffer.alloc(0),
      32,
    );
    const { privateKey } = generateKeyPairSync('ed25519');
    const key = privateKey.export({ format: 'der', type: 'pkcs8' });
    const spoilt = Buffer.from(wrapped);
    spoilt[5] = (spoilt[5] as number) ^ 1;
    expect(() => native.openKeyMaterial(rootKey, header, spoilt)).toThrow();
    createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  });
});
