import crypto from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../lib/service/audit.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { accountId, bytes, failureText, keyArn, members, newKey } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { publicKeyText, spec, takePair } from './support.ts';

let kms: Pairmint;
let KeyId: string;

function open(options: Parameters<typeof Pairmint.open>[0] = {}): Promise<Pairmint> {
  return Pairmint.open({ store: 'memory:', refillPools: false, ...options });
}

beforeEach(async () => {
  kms = await open();
  ({ KeyId } = await newKey(kms));
});
afterEach(() => kms.close());

async function filledPool(target: number, KeyPairSpec = spec as 'SM2' | typeof spec) {
  const pool = { KeyId, KeyPairSpec };
  await kms.pools.create({ ...pool, target });
  await kms.pools.fill({ pool });
  return pool;
}

const level = async () => (await kms.pools.list())[0]?.level;
async function counts() {
  const [{ hits, misses, skipped } = {}] = await kms.pools.list();
  return { hits, misses, skipped };
}

describe('a pool', () => {
  it('is made empty, filled to its target, and listed', async () => {
    const made = await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 5 });
    const description = {
      KeyId: keyArn(KeyId),
      KeyPairSpec: spec,
      target: 5,
      low: 2,
      level: 0,
      hits: 0,
      misses: 0,
      skipped: 0,
      taken: 0,
      refused: 0,
      minted: 0,
    };
    expect(made).toEqual(description);
    expect(await kms.pools.fill()).toBe(5);
    expect(await kms.pools.list()).toEqual([{ ...description, level: 5, minted: 5 }]);
    expect(await kms.pools.fill()).toBe(0);
  });

  it('gives each of its pairs once, sealed under the context of the request', async () => {
    await filledPool(40);
    const pairs = await Promise.all(
      Array.from({ length: 40 }, (_, i) => takePair(kms, KeyId, { n: `${i}` })),
    );
    expect(await counts()).toEqual({ hits: 40, misses: 0, skipped: 0 });
    expect(new Set(pairs.map(publicKeyText)).size).toBe(40);
    for (const [i, { PrivateKeyCiphertextBlob }] of pairs.entries()) {
      const EncryptionContext = { n: `${i}` };
      await kms.decrypt({ CiphertextBlob: PrivateKeyCiphertextBlob, EncryptionContext });
    }
    const { PrivateKeyCiphertextBlob: CiphertextBlob } = pairs[0] ?? {};
    expect(await failureText(kms.decrypt({ CiphertextBlob }))).toContain('InvalidCiphertext');
  });

  it('answers as minting does, with and without plaintext', async () => {
    await filledPool(8);
    const pooled = await takePair(kms, KeyId);
    const open = await kms.generateDataKeyPair({ KeyId, KeyPairSpec: spec });
    expect((await counts()).hits).toBe(2);
    const minted = await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'SM2' });
    expect(members(open)).toEqual(members(minted));
    expect(members(pooled)).toEqual(members(minted).filter((m) => m !== 'PrivateKeyPlaintext'));
    const format = { format: 'der', type: 'pkcs8' } as const;
    const key = crypto.createPrivateKey({ key: bytes(open.PrivateKeyPlaintext), ...format });
    const spki = crypto.createPublicKey(key).export({ format: 'der', type: 'spki' });
    expect(spki).toEqual(bytes(open.PublicKey));
  });

  it('serves requests of its key and spec only', async () => {
    await filledPool(8);
    const other = await newKey(kms);
    await takePair(kms, other.KeyId);
    await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    expect(await counts()).toEqual({ hits: 0, misses: 0, skipped: 0 });
  });

  it('that is dry lets requests mint and counts them', async () => {
    await filledPool(4);
    const pairs = await Promise.all(Array.from({ length: 7 }, () => takePair(kms, KeyId)));
    expect(new Set(pairs.map(publicKeyText)).size).toBe(7);
    expect(await counts()).toEqual({ hits: 4, misses: 3, skipped: 0 });
  });

  it('that is dry refuses requests if pairs must not be minted instead', async () => {
    const strict = await open({ onDryPool: 'fail' });
    const key = await newKey(strict);
    await strict.pools.create({ KeyId: key.KeyId, KeyPairSpec: spec, target: 1 });
    expect(await failureText(takePair(strict, key.KeyId))).toBe(
      `LimitExceededException: The pool of ${spec} pairs of ${key.Arn} is empty. ` +
        'Fill it, or let requests mint.',
    );
    await strict.pools.fill();
    await takePair(strict, key.KeyId);
    await strict.close();
  });

  it('is not touched by a dry run, by a refusal, or by a batch', async () => {
    await filledPool(4);
    const request = { KeyId, KeyPairSpec: spec } as const;
    const dry = kms.generateDataKeyPair({ ...request, DryRun: true });
    expect(await failureText(dry)).toContain('DryRunOperationException');
    for await (const _ of kms.mintDataKeyPairs(request, { count: 5 }));
    await kms.disableKey({ KeyId });
    expect(await failureText(takePair(kms, KeyId))).toContain('DisabledException');
    expect(await level()).toBe(4);
    await kms.enableKey({ KeyId });
    await takePair(kms, KeyId);
    expect(await level()).toBe(3);
  });

  it('stops with its key', async () => {
    const pool = await filledPool(4);
    await kms.scheduleKeyDeletion({ KeyId });
    expect(await failureText(takePair(kms, KeyId))).toContain('KMSInvalidStateException');
    await kms.pools.drain(pool);
    expect(await failureText(kms.pools.fill({ pool }))).toContain('KMSInvalidStateException');
  });

  it('seals under the material that its key has rotated to', async () => {
    await filledPool(8);
    const before = await takePair(kms, KeyId);
    await kms.rotateKeyOnDemand({ KeyId });
    const after = await takePair(kms, KeyId);
    expect((await counts()).hits).toBe(2);
    const { KeyMaterialId } = await kms.decrypt({ CiphertextBlob: after.PrivateKeyCiphertextBlob });
    expect(KeyMaterialId).toBe(after.KeyMaterialId);
    expect(after.KeyMaterialId).not.toBe(before.KeyMaterialId);
  });

  it('changes its levels when it is made again, and keeps its pairs', async () => {
    const pool = await filledPool(4);
    expect(await kms.pools.create({ ...pool, target: 10, low: 9 })).toMatchObject({
      target: 10,
      low: 9,
      level: 4,
    });
    expect(await kms.pools.fill({ pool, most: 3 })).toBe(3);
    expect(await level()).toBe(7);
  });

  it.each([{ most: 0 }, { most: Number.NaN }, { concurrency: 0 }, { concurrency: 1.5 }])(
    'is not filled with %j',
    async (options) => {
      await filledPool(1);
      await expect(kms.pools.fill(options)).rejects.toThrow(/must be a whole number from 1$/);
    },
  );

  it('makes no key that the audit does not know', async () => {
    let isFailing = true;
    const events: AuditEvent[] = [];
    const audited = await open({
      audit: (event) => {
        if (isFailing) throw new Error('the disk is full');
        events.push(event);
      },
    });
    const pool = { KeyId: 'alias/pairmint/default', KeyPairSpec: spec, target: 4 } as const;
    expect(await failureText(audited.pools.create(pool))).toContain('The audit could not record');
    expect((await audited.listKeys({})).Keys).toEqual([]);
    isFailing = false;
    const { KeyId: arn } = await audited.pools.create(pool);
    const eventName = 'GenerateDataKeyPairWithoutPlaintext';
    const resources = [{ ARN: arn, type: 'AWS::KMS::Key' }];
    expect(events).toEqual([expect.objectContaining({ eventName, resources })]);
    await audited.close();
  });

  it.each(['drained', 'deleted and made again'])(
    'that was %s serves nothing of before',
    async (how) => {
      const pool = await filledPool(20);
      await takePair(kms, KeyId);
      if (how === 'drained') {
        expect(await kms.pools.drain(pool)).toBe(19);
      } else {
        await kms.pools.delete(pool);
        expect(await kms.pools.list()).toEqual([]);
        await kms.pools.create({ ...pool, target: 20 });
      }
      expect(await level()).toBe(0);
      await takePair(kms, KeyId);
      expect(await counts()).toEqual({ hits: 1, misses: 1, skipped: 0 });
    },
  );

  it.each([
    [{ target: 0 }, 'target must be from 1 to 1000000'],
    [{ target: 1.5 }, 'target must be from 1 to 1000000'],
    [{ target: 1_000_001 }, 'target must be from 1 to 1000000'],
    [{ target: 5, low: 5 }, 'low must be from 0 to less than target'],
    [{ target: 5, low: -1 }, 'low must be from 0 to less than target'],
  ])('is not made with %j', async (levels, message) => {
    const made = kms.pools.create({ KeyId, KeyPairSpec: spec, ...levels });
    expect(await failureText(made)).toBe(`ValidationException: ${message}`);
  });

  it('is not made of an unknown spec, or under a key that cannot seal', async () => {
    const bogus = kms.pools.create({ KeyId, KeyPairSpec: 'RSA_1' as typeof spec, target: 1 });
    expect(await failureText(bogus)).toContain('ValidationException: 1 validation error');
    const rsa = await newKey(kms, { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    const asymmetric = kms.pools.create({ KeyId: rsa.KeyId, KeyPairSpec: spec, target: 1 });
    expect(await failureText(asymmetric)).toContain('InvalidKeyUsageException');
    for (const act of ['fill', 'drain', 'delete'] as const) {
      const named = { KeyId, KeyPairSpec: spec } as const;
      const acting = act === 'fill' ? kms.pools.fill({ pool: named }) : kms.pools[act](named);
      expect(await failureText(acting)).toBe(
        `NotFoundException: ${keyArn(KeyId)} has no pool of ${spec} pairs.`,
      );
    }
  });
});

describe('a caller', () => {
  it('needs kms:GenerateDataKeyPairWithoutPlaintext on the key for everything but listing', async () => {
    const pool = await filledPool(4);
    const statement = { Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' };
    const identityPolicy = JSON.stringify({ Version: '2012-10-17', Statement: statement });
    const other = kms.as(`arn:aws:iam::${accountId}:user/other`, { identityPolicy });
    for (const acting of [
      other.pools.create({ ...pool, target: 2 }),
      other.pools.fill({ pool }),
      other.pools.drain(pool),
      other.pools.delete(pool),
    ]) {
      expect(await failureText(acting)).toContain('AccessDeniedException');
    }
    expect(await other.pools.list()).toHaveLength(1);
    expect(await kms.as('arn:aws:iam::111122223333:root').pools.list()).toEqual([]);
  });

  it('hears of pools that cannot be filled, and the others are filled', async () => {
    await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 3 });
    const second = await newKey(kms);
    await kms.pools.create({ KeyId: second.KeyId, KeyPairSpec: spec, target: 3 });
    await kms.disableKey({ KeyId });
    const refused: string[] = [];
    await kms.pools.fill({
      onRefusal: (pool, error) => refused.push(`${pool.KeyId} ${error.name}`),
    });
    expect(refused).toEqual([`${keyArn(KeyId)} DisabledException`]);
    const levels = (await kms.pools.list()).map((pool) => [pool.KeyId, pool.level]);
    expect(Object.fromEntries(levels)).toEqual({ [keyArn(KeyId)]: 0, [second.Arn]: 3 });
  });
});

describe('closing', () => {
  it('ends fillings and waits for them, and no pool is served from then on', async () => {
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await kms.pools.create({ ...pool, target: 1_000_000 });
    const { pools } = kms;
    let closing: Promise<void> | undefined;
    const filling = pools.fill({
      onProgress: () => {
        closing ??= kms.close();
      },
    });
    const closed = 'KMSInternalException: this Pairmint is closed';
    expect(await failureText(filling)).toBe(closed);
    await closing;
    for (const acting of [
      pools.create({ ...pool, target: 2 }),
      pools.list(),
      pools.fill(),
      pools.drain(pool),
      pools.delete(pool),
    ]) {
      expect(await failureText(acting)).toBe(closed);
    }
  });

  it('puts back what was claimed, but not into a pool that was drained or deleted meanwhile', async () => {
    const folder = temporaryFolder();
    const place = { store: `sqlite:${folder}/store.db`, rootKey: { file: `${folder}/root.key` } };
    const first = await open(place);
    const key = await newKey(first);
    const pools = (['ECC_NIST_P256', 'SM2', spec] as const).map((KeyPairSpec) => ({
      KeyId: key.KeyId,
      KeyPairSpec,
    }));
    const [kept, drained, deleted] = pools as [
      (typeof pools)[0],
      (typeof pools)[0],
      (typeof pools)[0],
    ];
    for (const pool of pools) await first.pools.create({ ...pool, target: 64 });
    await first.pools.fill();
    for (const pool of pools) await first.generateDataKeyPairWithoutPlaintext(pool);
    const second = await open(place);
    // 16 are claimed.
    expect((await second.pools.list()).map(({ level }) => level)).toEqual([48, 48, 48]);
    expect(await second.pools.drain(drained)).toBe(48);
    await second.pools.delete(deleted);
    await first.close();
    const levels = (await second.pools.list()).map((pool) => [pool.KeyPairSpec, pool.level]);
    expect(Object.fromEntries(levels)).toEqual({
      [kept.KeyPairSpec]: 63,
      [drained.KeyPairSpec]: 0,
    });
    await second.close();
  });
});
