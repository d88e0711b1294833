import crypto from 'node:crypto';
import { copyFileSync, renameSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { MintedPair } from '../../lib/native/addon.ts';
import { Drawn } from '../../lib/pool/drawn.ts';
import { Filler } from '../../lib/pool/filler.ts';
import { countPairs, type Lot } from '../../lib/pool/lots.ts';
import { PoolDirectory, poolContext } from '../../lib/pool/pool-directory.ts';
import { flipped } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  fill,
  lotsIn,
  lotsName,
  newParts,
  type Parts,
  plant,
  poolWarnings,
  present,
  take,
} from './support.ts';

/** Replaces the value of a record behind pairmint's back. */
async function replace({ store }: Parts, path: string, next: Uint8Array): Promise<void> {
  await store.commit([{ path, expected: await store.get(path), next }]);
}

function publicKeyOf(pair: MintedPair | undefined): string {
  return Buffer.from(present(pair).publicKey).toString('hex');
}

/** Checks the record of the pool and its lots. */
async function check(
  { store, keys, pool }: Pick<Parts, 'store' | 'keys' | 'pool'>,
  directory: PoolDirectory,
) {
  const path = `us-east-1:000000000000:pool-record/${pool.keyId}/${pool.spec}`;
  return directory.check(keys, { path, value: present(await store.get(path)) });
}

/** Has no note of what was drawn, so that nothing but its MAC keeps a lot from being served. */
class Forgetful extends Drawn {
  override of(): number {
    return 0;
  }
}

const forgetful = () => new Forgetful(undefined);

describe('a lot of a pool', () => {
  it('is never served with a bit of any byte flipped, but removed and counted', async () => {
    const parts = await newParts({ target: 2000, drawn: forgetful() });
    await fill(parts, 1);
    const sound = present((await lotsIn(parts))[0]);
    const warnings = poolWarnings();
    for (let byte = 0; byte < sound.value.length; byte++) {
      const value = flipped(Buffer.from(sound.value), 8 * byte + (byte % 8));
      await plant(parts, [{ ...sound, value }]);
      expect(await take(parts), `byte ${byte}`).toBeUndefined();
      expect(await lotsIn(parts)).toEqual([]);
    }
    expect(parts.pools.countsOf(parts.key.arn, parts.pool.spec).skipped).toBe(sound.value.length);
    await plant(parts, [sound]);
    expect(await take(parts)).toBeDefined();
    await new Promise(setImmediate);
    warnings.end();
    expect(warnings.texts).toHaveLength(1);
    expect(warnings.texts[0]).toMatch(/has pairs that cannot be used/);
  });

  it.each([0, 1, 4, 35, 36, 37])(
    'is never served where %d bytes are left of it',
    async (length) => {
      const parts = await newParts({ drawn: forgetful() });
      await fill(parts, 1);
      const sound = present((await lotsIn(parts))[0]);
      await plant(parts, [{ ...sound, value: sound.value.subarray(0, length) }]);
      expect(await take(parts)).toBeUndefined();
      expect(await lotsIn(parts)).toEqual([]);
    },
  );

  it('is served nowhere but at its own place', async () => {
    const parts = await newParts({ drawn: forgetful() });
    const { directory, pool } = parts;
    const other = await directory.put({ ...pool, spec: 'SM2' });
    await fill(parts, 1);
    const sound = present((await lotsIn(parts))[0]);
    await plant(parts, [sound], lotsName(other));
    expect(await directory.claim(other, 10)).toMatchObject({ lots: [], skipped: 1 });
    const forged = [
      { ...sound, serial: sound.serial + 1 },
      { ...sound, serial: 2 ** 40 },
      { ...sound, pairs: sound.pairs + 1 },
    ];
    for (const lot of forged) {
      await plant(parts, [lot]);
      const claim = await directory.claim(pool, 10);
      expect(claim).toMatchObject({ lots: [], skipped: lot.pairs });
    }
    await plant(parts, [sound]);
    expect(countPairs((await directory.claim(pool, 10)).lots)).toBe(1);
  });

  it('is never served that was made with another root key', async () => {
    const parts = await newParts({ drawn: forgetful() });
    const { native, store, pool, drawn } = parts;
    await fill(parts, 3);
    const rootKey = native.openRootKey(crypto.randomBytes(32));
    const foreign = new PoolDirectory({ store, native, rootKey, drawn });
    await expect(check(parts, foreign)).rejects.toThrow('The key store is damaged');
    expect(await foreign.claim(pool, 10)).toMatchObject({ lots: [], skipped: 3 });
    await expect(foreign.find(pool)).rejects.toThrow('The key store is damaged');
  });

  it('is found by a check if it is spoilt, and left there', async () => {
    const parts = await newParts({ target: 64 });
    await fill(parts);
    const lots = await lotsIn(parts);
    expect(await check(parts, parts.directory)).toEqual({ faults: [], pairs: 64 });
    const spoilt = lots.map((lot, i) =>
      i === 1 ? { ...lot, value: flipped(Buffer.from(lot.value), 99) } : lot,
    );
    await plant(parts, spoilt);
    expect(await check(parts, parts.directory)).toEqual({
      faults: [expect.stringMatching(/ has 1 lots that cannot be used$/)],
      pairs: 48,
    });
    expect((await lotsIn(parts)).map(({ serial }) => serial)).toEqual([1, 2, 3, 4]);
  });

  it('is never served that is sealed under material that is gone', async () => {
    const parts = await newParts();
    const { directory, pool, pools, key } = parts;
    await fill(parts, 1);
    const { lots } = await directory.claim(pool, 1);
    const sealed = flipped(present(lots[0]).sealed, 8 * 30);
    await directory.add(pool, [{ ...present(lots[0]), sealed }]);
    expect(await take(parts)).toBeUndefined();
    expect(pools.countsOf(key.arn, pool.spec)).toEqual({ hits: 0, misses: 1, skipped: 1 });
  });

  it('of a request is opened by no request as it waits', async () => {
    const parts = await newParts();
    await fill(parts, 1);
    const { lots } = await parts.directory.claim(parts.pool, 1);
    const ciphertext = present(lots[0]).sealed;
    const material = await parts.material();
    const open = () => parts.native.decrypt({ material, context: Buffer.alloc(4), ciphertext });
    expect(open).toThrow();
  });
});

describe('pairs that come one by one', () => {
  // As those of RSA do: a lot of one pair each.
  async function mintedSingly({ pool, native, material }: Parts, count: number) {
    const lots: Lot[] = [];
    for (let i = 0; i < count; i++) {
      const args = { material: await material(), spec: pool.spec, count: 1 };
      const sealed = await native.mintLot({ ...args, context: poolContext(pool.spec) });
      lots.push({ sealed, first: 0, end: 1 });
    }
    return { lots };
  }
  async function addSingly(parts: Parts, count: number) {
    const { lots } = await mintedSingly(parts, count);
    for (const lot of lots) await parts.directory.add(parts.pool, [lot]);
  }

  const level = ({ directory, pool }: Parts) => directory.count(pool, 1000);

  it('are durable at once, each of them', async () => {
    const parts = await newParts({ target: 1000 });
    for (let pairs = 1; pairs <= 35; pairs++) {
      await addSingly(parts, 1);
      expect(await level(parts)).toBe(pairs);
    }
    expect((await lotsIn(parts)).map(({ serial }) => serial)).toEqual(
      Array.from({ length: 35 }, (_, i) => i + 1),
    );
    const keys = new Set<string>();
    for (let i = 0; i < 35; i++) keys.add(publicKeyOf(await take(parts)));
    expect(keys.size).toBe(35);
    expect(await take(parts)).toBeUndefined();
  });

  it('share lots of sixteen if they are added together', async () => {
    const parts = await newParts({ target: 1000 });
    const { directory, pool } = parts;
    const { lots } = await mintedSingly(parts, 35);
    expect(await directory.add(pool, lots)).toBe(true);
    expect((await lotsIn(parts)).map(({ pairs }) => pairs)).toEqual([16, 16, 3]);
    expect(await directory.add(pool, [])).toBe(true);
  });

  it('go on counting from what another process has added and claimed meanwhile', async () => {
    const parts = await newParts({ target: 1000 });
    const other = new PoolDirectory(parts);
    await addSingly(parts, 5);
    expect(countPairs((await other.claim(parts.pool, 16)).lots)).toBe(5);
    await addSingly(parts, 3);
    expect(await level(parts)).toBe(3);
    await other.add(parts.pool, [{ sealed: Buffer.from('x'), first: 0, end: 1 }]);
    await addSingly(parts, 3);
    expect(await level(parts)).toBe(7);
    expect((await lotsIn(parts)).map(({ serial }) => serial)).toEqual([6, 7, 8, 9, 10, 11, 12]);
  });

  it('have numbers of their own if processes add at once', async () => {
    const parts = await newParts({ target: 1000 });
    const others = [1, 2, 3, 4].map(() => new PoolDirectory(parts));
    const { lots } = await mintedSingly(parts, 20);
    const added = lots.map((lot, i) => present(others[i % 4]).add(parts.pool, [lot]));
    expect(await Promise.all(added)).toEqual(lots.map(() => true));
    const serials = (await lotsIn(parts)).map(({ serial }) => serial);
    expect(serials).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });
});

describe('a lot that was put back after it was taken', () => {
  it('is never served again, by this process or another', async () => {
    const parts = await newParts({ target: 64 });
    await fill(parts);
    const lots = await lotsIn(parts);
    const { lots: claimed } = await parts.directory.claim(parts.pool, 32);
    expect(countPairs(claimed)).toBe(32);
    await plant(parts, lots);
    const other = new PoolDirectory(parts);
    const first = await other.claim(parts.pool, 16);
    expect([countPairs(first.lots), first.skipped]).toEqual([0, 16]);
    const second = await parts.directory.claim(parts.pool, 16);
    expect([countPairs(second.lots), second.skipped]).toEqual([0, 16]);
    // Those that were never taken are as good as before.
    const third = await other.claim(parts.pool, 64);
    expect([countPairs(third.lots), third.skipped, third.dry]).toEqual([32, 0, true]);
    expect(await check(parts, parts.directory)).toEqual({ faults: [], pairs: 0 });
  });

  it('is passed over by requests, counted, and said once', async () => {
    const parts = await newParts({ target: 16 });
    await fill(parts);
    const lots = await lotsIn(parts);
    const keys = new Set<string>();
    for (let i = 0; i < 16; i++) keys.add(publicKeyOf(await take(parts)));
    expect(keys.size).toBe(16);
    const warnings = poolWarnings();
    await plant(parts, lots);
    for (let i = 0; i < 16; i++) expect(await take(parts)).toBeUndefined();
    await new Promise(setImmediate);
    warnings.end();
    expect(warnings.texts).toEqual([expect.stringMatching(/has pairs that cannot be used/)]);
    expect(parts.pools.countsOf(parts.key.arn, parts.pool.spec)).toMatchObject({
      hits: 16,
      skipped: 16,
    });
  });

  it('is not served by a process that starts later, nor by one that ran all the while', async () => {
    const path = `${temporaryFolder()}/store.db-drawn`;
    const first = new Drawn(path);
    first.reset();
    const parts = await newParts({ target: 64, drawn: first });
    const running = new Drawn(path);
    await fill(parts);
    const lots = await lotsIn(parts);
    await parts.directory.claim(parts.pool, 32);
    first.close();
    for (const drawn of [new Drawn(path), running]) {
      await plant(parts, lots.slice(0, 2));
      const other = new PoolDirectory({ ...parts, drawn });
      expect(await other.claim(parts.pool, 64)).toMatchObject({ lots: [], skipped: 32 });
      drawn.close();
    }
  });

  it('takes no number from lots that come later, though the store has forgotten its count', async () => {
    const parts = await newParts({ target: 64 });
    await fill(parts);
    await parts.directory.claim(parts.pool, 64);
    await parts.store.lots.clear(lotsName(parts.pool), []);
    expect(await parts.store.lots.lastSerial(lotsName(parts.pool))).toBe(0);
    await fill(parts);
    const { lots, skipped } = await parts.directory.claim(parts.pool, 64);
    expect([countPairs(lots), skipped]).toEqual([64, 0]);
  });

  it('may be put back by this process itself, once, under a new number', async () => {
    const parts = await newParts({ target: 64 });
    await fill(parts);
    const { lots } = await parts.directory.claim(parts.pool, 16);
    expect(await parts.directory.add(parts.pool, lots)).toBe(true);
    const again = await parts.directory.claim(parts.pool, 64);
    expect([countPairs(again.lots), again.skipped]).toEqual([64, 0]);
  });
});

describe('a store that was copied', () => {
  async function copied() {
    const path = `${temporaryFolder()}/store.db-drawn`;
    const original = new Drawn(path);
    original.reset();
    const parts = await newParts({ target: 64, drawn: original });
    await fill(parts);
    await parts.directory.claim(parts.pool, 16);
    original.close();
    copyFileSync(path, `${path}.copy`);
    const drawn = new Drawn(`${path}.copy`);
    onTestFinished(() => drawn.close());
    return { ...parts, drawn, directory: new PoolDirectory({ ...parts, drawn }), path };
  }
  const refusal =
    "The store was copied or restored, so its waiting pairs may be answered elsewhere: run 'pairmint store fence'.";

  it('refuses its pools, without taking anything, until it is fenced', async () => {
    const { directory, pool, ...parts } = await copied();
    expect(directory.needsFence).toBe(true);
    for (const act of [
      directory.claim(pool, 16),
      directory.reserve(pool, { filler: 'me', most: 16 }),
    ]) {
      const error = await act.catch((reason) => reason);
      expect([error.name, error.message]).toEqual(['KMSInternalException', refusal]);
    }
    expect(await directory.count(pool, 99)).toBe(48);
    expect(await check({ ...parts, pool }, directory)).toEqual({ faults: [], pairs: 48 });
    await directory.voidAll();
    await directory.acceptStore();
    expect(directory.needsFence).toBe(false);
    // The waiting pairs are void.
    const next = present(await directory.find(pool));
    expect(next.poolId).not.toBe(pool.poolId);
    expect([await directory.count(next, 99), await directory.count(pool, 99)]).toEqual([0, 0]);
    expect(await directory.add(pool, [])).toBe(true);
    const filler = new Filler({ directory, native: parts.native });
    expect(await filler.fill(next, { material: parts.material, concurrency: 1 })).toBe(64);
    expect(countPairs((await directory.claim(next, 16)).lots)).toBe(16);
    expect(new Drawn(`${parts.path}.copy`).isTrusted).toBe(true);
  });

  it('is still the original if only its name was changed', async () => {
    const { path, ...parts } = await copied();
    const drawn = new Drawn(path);
    onTestFinished(() => drawn.close());
    expect(drawn.isTrusted).toBe(true);
    const original = new PoolDirectory({ ...parts, drawn });
    expect(countPairs((await original.claim(parts.pool, 16)).lots)).toBe(16);
    renameSync(path, `${path}.moved`);
    expect(new Drawn(`${path}.moved`).isTrusted).toBe(true);
  });

  it('is fenced for all processes that have it open', async () => {
    const { path, directory, pool, ...parts } = await copied();
    const other = new PoolDirectory({ ...parts, drawn: new Drawn(`${path}.copy`) });
    expect(other.needsFence).toBe(true);
    await directory.voidAll();
    await directory.acceptStore();
    expect(other.needsFence).toBe(false);
    const next = present(await other.find(pool));
    expect(await other.reserve(next, { filler: 'me', most: 16 })).toBe(16);
    // Again, while both have it open.
    await other.voidAll();
    await other.acceptStore();
    expect([directory.needsFence, other.needsFence]).toEqual([false, false]);
    expect(await directory.find(pool)).not.toEqual(next);
  });

  it('lets requests mint, or refuses them if they must not', async () => {
    for (const onDryPool of ['mint', 'fail'] as const) {
      const drawn = new Drawn(`${temporaryFolder()}/none`);
      const parts = await newParts({ drawn, onDryPool });
      const warnings = poolWarnings();
      const taking = take(parts);
      if (onDryPool === 'mint') expect(await taking).toBeUndefined();
      else await expect(taking).rejects.toThrow('is empty');
      await new Promise(setImmediate);
      warnings.end();
      expect(warnings.texts).toEqual([expect.stringContaining(refusal)]);
    }
  });
});

describe('a record of a pool', () => {
  it('is refused with a bit of any byte flipped', async () => {
    const parts = await newParts();
    const path = `us-east-1:000000000000:pool-record/${parts.pool.keyId}/${parts.pool.spec}`;
    const sound = Buffer.from(present(await parts.store.get(path)));
    for (let byte = 0; byte < sound.length; byte++) {
      await replace(parts, path, flipped(sound, 8 * byte));
      await expect(parts.directory.find(parts.pool), `byte ${byte}`).rejects.toThrow(
        'The key store is damaged',
      );
    }
  });
});

describe('pairs of an earlier pool', () => {
  it('that its record alone was taken from are neither counted nor served, and are removed with the next', async () => {
    const parts = await newParts();
    const { directory, store, pool } = parts;
    await fill(parts, 5);
    const path = `us-east-1:000000000000:pool-record/${pool.keyId}/${pool.spec}`;
    await store.commit([{ path, expected: await store.get(path), next: undefined }]);
    const again = await directory.put(pool);
    expect(await directory.count(again, 10)).toBe(0);
    expect(await take(parts)).toBeUndefined();
    expect(await lotsIn(parts)).toHaveLength(1);
    expect(await directory.drain(again)).toBe(5);
    expect(await lotsIn(parts)).toEqual([]);
  });

  it.each(['delete', 'drain'] as const)('are all that a %s removes', async (act) => {
    const parts = await newParts();
    const { directory, store, pool } = parts;
    await fill(parts, 2);
    // Another process is quick: between the reading of the record and the commit that removes.
    const { clear } = store.lots;
    vi.spyOn(store.lots, 'clear').mockImplementationOnce(async (...args) => {
      await directory.delete(pool);
      const next = await directory.put(pool);
      await fill(parts, 5, next);
      return clear.apply(store.lots, args);
    });
    const after = vi.spyOn(store.lots, 'clear');
    await directory[act](pool);
    // It met the change, and looked again: what it removes is what is there then, all at once.
    expect(after).toHaveBeenCalledTimes(3);
    const next = await directory.find(pool);
    expect(next === undefined).toBe(act === 'delete');
    expect(next && (await directory.count(next, 10))).toBe(act === 'delete' ? undefined : 0);
    expect(await directory.count(pool, 10)).toBe(0);
  });

  it('are not added to the one that came after', async () => {
    const parts = await newParts();
    const { directory, pool } = parts;
    await fill(parts, 2);
    const { lots } = await directory.claim(pool, 2);
    await directory.drain(pool);
    expect(await directory.add(pool, lots)).toBe(false);
    await directory.delete(pool);
    expect(await directory.add(pool, lots)).toBe(false);
    expect(await lotsIn(parts)).toEqual([]);
  });
});
