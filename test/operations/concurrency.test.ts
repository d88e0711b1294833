import { beforeEach, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { bytes, type MadeKey, newBlob, newKey, openKms, outcomeOf } from './support.ts';

let kms: Pairmint;
let keys: MadeKey[];

beforeEach(async () => {
  kms = await openKms();
  keys = [await newKey(kms), await newKey(kms), await newKey(kms)];
});

const keyAt = (index: number) => keys[index % keys.length] as MadeKey;
const parallel = <T>(count: number, run: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => run(index)));

/** Resolves after `turns` turns of the microtask queue, so that runs start out of step. */
async function later(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await undefined;
}

const pairsOf = (
  aliases: { AliasName?: string | undefined; TargetKeyId?: string | undefined }[] = [],
) => aliases.map(({ AliasName, TargetKeyId }) => `${AliasName} ${TargetKeyId}`).sort();

/** What all aliases say, what each key says and what DescribeKey says must be one thing. */
async function expectConsistent(): Promise<string[]> {
  const all = pairsOf((await kms.listAliases({})).Aliases);
  const ofKeys: string[] = [];
  for (const { KeyId } of keys) {
    ofKeys.push(...pairsOf((await kms.listAliases({ KeyId })).Aliases));
  }
  expect(ofKeys.sort()).toEqual(all);
  for (const pair of all) {
    const [alias = '', target] = pair.split(' ');
    expect((await kms.describeKey({ KeyId: alias })).KeyMetadata?.KeyId).toBe(target);
  }
  return all;
}

const countOf = (outcomes: string[], start: string) =>
  outcomes.filter((outcome) => outcome.startsWith(start)).length;

describe('requests at the same time', () => {
  test('50 makers of one alias: one wins, the others are told it exists', async () => {
    const AliasName = 'alias/contested';
    const outcomes = await parallel(50, (i) =>
      outcomeOf(kms.createAlias({ AliasName, TargetKeyId: keyAt(i).KeyId })),
    );
    expect(countOf(outcomes, 'ok')).toBe(1);
    expect(countOf(outcomes, 'AlreadyExistsException: ')).toBe(49);
    expect(await expectConsistent()).toHaveLength(1);
  });

  test('40 aliases of one key: all are made', async () => {
    const { KeyId: TargetKeyId } = keyAt(0);
    await parallel(40, (i) => kms.createAlias({ AliasName: `alias/${i}`, TargetKeyId }));
    expect(await expectConsistent()).toHaveLength(40);
  });

  test('60 aliases of one key: 50 are made, the others are over the limit', async () => {
    const { KeyId: TargetKeyId } = keyAt(0);
    const outcomes = await parallel(60, (i) =>
      outcomeOf(kms.createAlias({ AliasName: `alias/${i}`, TargetKeyId })),
    );
    expect(countOf(outcomes, 'ok')).toBe(50);
    expect(countOf(outcomes, 'LimitExceededException: ')).toBe(10);
    expect(await expectConsistent()).toHaveLength(50);
  });

  test('an alias that is moved in all directions is found all the while', async () => {
    const AliasName = 'alias/moving';
    await kms.createAlias({ AliasName, TargetKeyId: keyAt(0).KeyId });
    for (let round = 0; round < 60; round++) {
      const outcomes = await parallel(12, async (i) => {
        await later((i * (round + 1)) % 23);
        const TargetKeyId = keyAt(i + round).KeyId;
        if (i % 4 < 3) return outcomeOf(kms.updateAlias({ AliasName, TargetKeyId }));
        return outcomeOf(kms.describeKey({ KeyId: AliasName }));
      });
      expect(outcomes).toEqual(outcomes.map(() => 'ok'));
      expect(await expectConsistent()).toHaveLength(1);
    }
  });

  test('an alias that is made, moved and deleted at once is of one key or of none', async () => {
    const AliasName = 'alias/contested';
    const allowed = /^ok$|^AlreadyExistsException: |^NotFoundException: Alias /;
    for (let round = 0; round < 40; round++) {
      const outcomes = await parallel(18, async (i) => {
        await later((i * (round + 3)) % 29);
        const TargetKeyId = keyAt(i + round).KeyId;
        if (i % 3 === 0) return outcomeOf(kms.createAlias({ AliasName, TargetKeyId }));
        if (i % 3 === 1) return outcomeOf(kms.updateAlias({ AliasName, TargetKeyId }));
        return outcomeOf(kms.deleteAlias({ AliasName }));
      });
      for (const outcome of outcomes) expect(outcome).toMatch(allowed);
      expect((await expectConsistent()).length).toBeLessThanOrEqual(1);
    }
  });

  test('a key that is switched on and off ends in one state and loses no alias', async () => {
    const { KeyId } = keyAt(0);
    const outcomes = await parallel(60, (i) => {
      if (i % 3 === 0) return outcomeOf(kms.enableKey({ KeyId }));
      if (i % 3 === 1) return outcomeOf(kms.disableKey({ KeyId }));
      return outcomeOf(kms.createAlias({ AliasName: `alias/${i}`, TargetKeyId: KeyId }));
    });
    expect(outcomes).toEqual(outcomes.map(() => 'ok'));
    expect(await expectConsistent()).toHaveLength(20);
    const { KeyMetadata } = await kms.describeKey({ KeyId });
    expect(KeyMetadata?.Enabled).toBe(KeyMetadata?.KeyState === 'Enabled');
  });

  test('of deletions scheduled at once one is accepted, and of cancellations one', async () => {
    const { KeyId, Arn } = keyAt(0);
    const scheduled = await parallel(20, () => outcomeOf(kms.scheduleKeyDeletion({ KeyId })));
    expect(countOf(scheduled, 'ok')).toBe(1);
    expect(countOf(scheduled, `KMSInvalidStateException: ${Arn} is pending deletion.`)).toBe(19);
    const cancelled = await parallel(20, () => outcomeOf(kms.cancelKeyDeletion({ KeyId })));
    expect(countOf(cancelled, 'ok')).toBe(1);
    expect(countOf(cancelled, `KMSInvalidStateException: ${Arn} is not pending`)).toBe(19);
  });

  test('keys made at the same time are all different and all listed', async () => {
    const keys = await parallel(50, () => newKey(kms));
    const ids = new Set(keys.map(({ KeyId }) => KeyId));
    expect(ids.size).toBe(50);
    expect(new Set(keys.map(({ materialId }) => materialId)).size).toBe(50);
    expect((await kms.listKeys({})).Keys).toHaveLength(53);
  });

  test('many pairs are minted at once under many contexts and none is mixed up', async () => {
    const { KeyId } = keyAt(0);
    await parallel(24, async (i) => {
      const EncryptionContext = { i: String(i) };
      const KeyPairSpec = i % 2 ? 'ECC_NIST_EDWARDS25519' : 'ECC_NIST_P256';
      const pair = await kms.generateDataKeyPair({ KeyId, KeyPairSpec, EncryptionContext });
      expect(pair.KeyPairSpec).toBe(KeyPairSpec);
      const CiphertextBlob = pair.PrivateKeyCiphertextBlob;
      const { Plaintext } = await kms.decrypt({ CiphertextBlob, EncryptionContext });
      expect(bytes(Plaintext).equals(bytes(pair.PrivateKeyPlaintext))).toBe(true);
    });
  });

  test('a blob made while its key was being disabled opens when it is enabled again', async () => {
    const { KeyId } = keyAt(0);
    const sealing = parallel(20, async (i) => {
      await later(i);
      return newBlob(kms, KeyId).catch(() => undefined);
    });
    await kms.disableKey({ KeyId });
    const blobs = await sealing;
    await kms.enableKey({ KeyId });
    for (const CiphertextBlob of blobs) {
      if (CiphertextBlob !== undefined) await kms.decrypt({ CiphertextBlob });
    }
    expect(blobs.length).toBe(20);
  });
});
