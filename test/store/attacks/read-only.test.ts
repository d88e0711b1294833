import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import type { Pairmint } from '../../../dist/index.js';
import { makeStore, openIn, start } from '../../support/attacks.mjs';
import { temporaryFolder } from '../../support/folders.ts';

/** A folder, and a second path to it through which nothing can be written. */
function twoWays(context: TestContext): { folder: string; readOnly: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return context.skip();
  const base = temporaryFolder();
  const [folder, readOnly] = [`${base}/rw`, `${base}/ro`];
  for (const each of [folder, readOnly]) mkdirSync(each);
  try {
    execFileSync('mount', ['--bind', folder, readOnly], { stdio: 'pipe' });
    onTestFinished(() => {
      execFileSync('umount', ['-l', readOnly]);
    });
    execFileSync('mount', ['-o', 'remount,bind,ro', readOnly], { stdio: 'pipe' });
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    return context.skip('this user may not mount');
  }
  return { folder, readOnly };
}

async function keysAfterSealing(kms: Pairmint, KeyId: string): Promise<number> {
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
  const { Plaintext } = await kms.decrypt({ CiphertextBlob });
  expect(Buffer.from(Plaintext as Uint8Array).toString()).toBe('x');
  return ((await kms.listKeys({})).Keys ?? []).length;
}

describe('a store on a read-only file system', () => {
  it('is opened, read and sealed with, and says why it cannot be written', async (context) => {
    const { folder, readOnly } = twoWays(context);
    const KeyId = await makeStore(folder);
    const kms = await openIn(readOnly);
    expect(await keysAfterSealing(kms, KeyId)).toBe(1);
    await expect(kms.createKey({})).rejects.toMatchObject({
      name: 'KMSInternalException',
      cause: { fault: 'read-only' },
    });
    expect(await keysAfterSealing(kms, KeyId)).toBe(1);
    // As ready as it was when it was opened.
    await kms.checkStore();
    await kms.close();
  });

  it('shows what others write to it by another way, in either order', async (context) => {
    const { folder, readOnly } = twoWays(context);
    const KeyId = await makeStore(folder);
    const early = await openIn(readOnly);
    expect(await keysAfterSealing(early, KeyId)).toBe(1);
    const writer = await openIn(folder);
    const { KeyMetadata } = await writer.createKey({});
    const late = await openIn(readOnly);
    expect(await keysAfterSealing(early, KeyId)).toBe(2);
    expect(await keysAfterSealing(late, KeyId)).toBe(2);
    await writer.disableKey({ KeyId: KeyMetadata?.KeyId as string });
    await writer.close();
    for (const kms of [early, late]) {
      const request = { KeyId: KeyMetadata?.KeyId as string, Plaintext: Buffer.from('x') };
      await expect(kms.encrypt(request)).rejects.toThrow('is disabled');
      await kms.close();
    }
  });

  it('is opened with the changes of a writer that was killed', async (context) => {
    const { folder, readOnly } = twoWays(context);
    const KeyId = await makeStore(folder);
    const writer = start(folder, ['commit', '1']);
    await writer.said(/^G /);
    await writer.kill();
    const made = writer.lines.filter((line) => line.startsWith('K ')).length;
    const kms = await openIn(readOnly);
    expect(await keysAfterSealing(kms, KeyId)).toBeGreaterThanOrEqual(1 + made);
    await kms.close();
  });
});
