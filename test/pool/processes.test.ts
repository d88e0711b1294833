import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { failureText, newKey } from '../operations/support.ts';
import { smallDisk, temporaryFolder } from '../support/folders.ts';
import { killAgainAndAgain } from '../support/pool-kills.mjs';
import { fill, newParts, poolWarnings, publicKeyText, spec, take, takePair } from './support.ts';

function open(folder: string): Promise<Pairmint> {
  return Pairmint.open({
    store: `sqlite:${folder}/store.db`,
    rootKey: { file: `${folder}/root.key` },
    refillPools: false,
  });
}

describe('processes that share a pool', () => {
  it('never answer with a pair twice, and lose nothing that was answered, when they are killed', async () => {
    const folder = temporaryFolder();
    const places = [`sqlite:${folder}/store.db`, `${folder}/root.key`];
    const found = await killAgainAndAgain({ open: () => open(folder), places, rounds: 4, spec });
    expect(found).toMatchObject({ kills: 12, repeated: 0, broken: [], strange: [] });
    expect(found.answered).toBeGreaterThan(20);
    expect(found.skipped).toBe(0);
  });

  it('can open the store whatever was filled, drawn and drained', async () => {
    const folder = temporaryFolder();
    const kms = await open(folder);
    const { KeyId } = await newKey(kms);
    // Values larger than a page.
    const pool = { KeyId, KeyPairSpec: 'RSA_2048' } as const;
    await kms.close();
    for (const target of [40, 8, 24]) {
      const steps = [
        ({ pools }: Pairmint) => pools.create({ ...pool, target }),
        ({ pools }: Pairmint) => pools.fill({ pool }),
        (other: Pairmint) => other.generateDataKeyPairWithoutPlaintext(pool),
        ({ pools }: Pairmint) => pools.drain(pool),
      ];
      for (const step of steps) {
        const other = await open(folder);
        await step(other);
        await other.close();
      }
    }
  });

  it('leave three quarters of a small one to the others', async () => {
    const parts = await newParts({ target: 20 });
    const { directory, pool, pools, key } = parts;
    await fill(parts);
    for (let i = 0; i < 3; i++) await take(parts);
    expect(pools.claimed(key.arn, pool)).toBe(2);
    expect(await directory.count(pool, 99)).toBe(15);
  });

  it('see what the others do to it', async () => {
    const folder = temporaryFolder();
    const [first, second] = [await open(folder), await open(folder)];
    const { KeyId } = await newKey(first);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await first.pools.create({ ...pool, target: 200 });
    await second.pools.fill({ pool });
    const requests = [first, second].flatMap((kms) =>
      Array.from({ length: 100 }, () => takePair(kms, KeyId)),
    );
    const keys = (await Promise.all(requests)).map(publicKeyText);
    expect(new Set(keys).size).toBe(200);
    await second.pools.fill({ pool });
    await takePair(second, KeyId);
    const before = (await second.pools.list())[0];
    await first.pools.drain(pool);
    const warnings = poolWarnings();
    await takePair(second, KeyId);
    await new Promise(setImmediate);
    warnings.end();
    // Its claimed pairs are void.
    const after = (await second.pools.list())[0];
    expect(after).toMatchObject({ hits: before?.hits, level: 0 });
    expect(after?.skipped).toBeGreaterThan(0);
    expect(warnings.texts).toEqual([expect.stringMatching(/ was drained or deleted; /)]);
    await first.pools.delete(pool);
    expect(await second.pools.list()).toEqual([]);
    await Promise.all([first.close(), second.close()]);
  });
});

describe('a store that cannot be written', () => {
  it('ends the filling, lets requests mint, and is drawn from again when there is room', async (context) => {
    const disk = smallDisk(context, '4m');
    const kms = await open(disk);
    const { KeyId } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await kms.pools.create({ ...pool, target: 100_000 });
    expect(await failureText(kms.pools.fill({ pool }))).toBe(
      'KMSInternalException: The key store could not complete the request.',
    );
    const [{ level = 0 } = {}] = await kms.pools.list();
    expect(level).toBeGreaterThan(100);
    const fillDisk = () => {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(`${disk}/filler`, Buffer.alloc(bavail * bsize));
    };
    fillDisk();
    // Taking may find room in the file of changes, which is written over; otherwise they are minted.
    const keys = new Set<string>();
    for (let i = 0; i < 3; i++) keys.add(publicKeyText(await takePair(kms, KeyId)));
    expect(keys.size).toBe(3);
    const [{ hits = 0, misses = 0, skipped } = {}] = await kms.pools.list();
    expect([hits + misses, skipped]).toEqual([3, 0]);
    rmSync(`${disk}/filler`);
    execFileSync('mount', ['-o', 'remount,size=8m', disk]);
    await new Promise((done) => setTimeout(done, 1100));
    await takePair(kms, KeyId);
    expect((await kms.pools.list())[0]?.hits).toBe(hits + 1);
    fillDisk();
    // Pairs that cannot be put back are lost, but closing goes on.
    await kms.close();
    rmSync(`${disk}/filler`);
    const again = await open(disk);
    const left = (await again.pools.list())[0]?.level;
    expect(left).toBeGreaterThanOrEqual(level - 16);
    expect(left).toBeLessThanOrEqual(level - hits - 1);
    await again.close();
  });
});
