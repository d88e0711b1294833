import crypto from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { MintedPair } from '../../lib/native.ts';
import { countPairs } from '../../lib/pool/lots.ts';
import { PoolDirectory, poolContext } from '../../lib/pool/pool-directory.ts';
import { flipped } from '../operations/support.ts';
import { entriesOf, fill, newParts, type Parts, poolWarnings, present, take } from './support.ts';

/** Puts another value where one waits, behind pairmint's back. */
async function replace({ store }: Parts, path: string, next: Uint8Array): Promise<void> {
  const expected = await store.get(path);
  await store.commit([{ path, expected: expected && Uint8Array.from(expected), next }]);
}

function publicKeyOf(pair: MintedPair | undefined): string {
  return Buffer.from(present(pair).publicKey).toString('hex');
}

describe('an entry of a pool', () => {
  it('is never served with a bit of any byte flipped, but removed and counted', async () => {
    const parts = await newParts({ target: 2000 });
    await fill(parts, 1);
    const [original] = await entriesOf(parts);
    const { path, value } = present(original);
    const sound = Buffer.from(value);
    const warnings = poolWarnings();
    for (let byte = 0; byte < sound.length; byte++) {
      await replace(parts, path, flipped(sound, 8 * byte + (byte % 8)));
      expect(await take(parts), `byte ${byte}`).toBeUndefined();
      expect(await entriesOf(parts)).toEqual([]);
    }
    expect(parts.pools.countsOf(parts.key.arn, parts.pool.spec).skipped).toBe(sound.length);
    await replace(parts, path, sound);
    expect(await take(parts)).toBeDefined();
    await new Promise(setImmediate);
    warnings.end();
    expect(warnings.texts).toHaveLength(1);
    expect(warnings.texts[0]).toMatch(/has pairs that cannot be used/);
  });

  it.each([0, 1, 4, 37, 38])('is never served where %d bytes are left of it', async (length) => {
    const parts = await newParts();
    await fill(parts, 1);
    const { path, value } = present((await entriesOf(parts))[0]);
    await replace(parts, path, Buffer.from(value.subarray(0, length)));
    expect(await take(parts)).toBeUndefined();
  });

  it('is served nowhere but at its own place', async () => {
    const parts = await newParts();
    const { directory, pool, key, store } = parts;
    const other = await directory.put({ ...pool, spec: 'SM2' });
    await fill(parts, 1);
    const { path, value } = present((await entriesOf(parts))[0]);
    const copy = Uint8Array.from(value);
    const id = crypto.randomUUID();
    const beside = path.slice(0, -id.length) + id;
    const elsewhere = path.replace(`${pool.spec}/${pool.poolId}`, `SM2/${other.poolId}`);
    for (const place of [beside, elsewhere]) {
      await store.commit([{ path: place, expected: undefined, next: copy }]);
    }
    expect(await directory.claim(other, 10)).toMatchObject({ lots: [], skipped: 1 });
    const { lots, skipped } = await directory.claim(pool, 10);
    expect([countPairs(lots), skipped]).toEqual([1, 1]);
    expect(key.record.keyId).toBe(pool.keyId);
  });

  it('is never served that was made with another root key', async () => {
    const parts = await newParts();
    const { native, store, pool } = parts;
    await fill(parts, 3);
    const rootKey = native.openRootKey(crypto.randomBytes(32));
    const foreign = new PoolDirectory({ store, native, rootKey });
    expect(await foreign.claim(pool, 10)).toMatchObject({ lots: [], skipped: 3 });
    await expect(foreign.find(pool)).rejects.toThrow('The key store is damaged');
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
  async function addSingly({ directory, pool, native, material }: Parts, count: number) {
    for (let i = 0; i < count; i++) {
      const args = { material: await material(), spec: pool.spec, count: 1 };
      const sealed = await native.mintLot({ ...args, context: poolContext(pool.spec) });
      await directory.add(pool, [{ sealed, first: 0, end: 1 }]);
    }
  }

  const level = ({ directory, pool }: Parts) => directory.count(pool, 1000);

  it('are gathered in entries of sixteen, each of them durable at once', async () => {
    const parts = await newParts({ target: 1000 });
    for (let pairs = 1; pairs <= 35; pairs++) {
      await addSingly(parts, 1);
      expect(await level(parts)).toBe(pairs);
      expect(await entriesOf(parts)).toHaveLength(Math.ceil(pairs / 16));
    }
    const keys = new Set<string>();
    for (let i = 0; i < 35; i++) keys.add(publicKeyOf(await take(parts)));
    expect(keys.size).toBe(35);
    expect(await take(parts)).toBeUndefined();
  });

  it('are never added to what another process has claimed meanwhile', async () => {
    const parts = await newParts({ target: 1000 });
    const other = new PoolDirectory(parts);
    await addSingly(parts, 5);
    expect(countPairs((await other.claim(parts.pool, 16)).lots)).toBe(5);
    await addSingly(parts, 3);
    expect(await level(parts)).toBe(3);
    await other.add(parts.pool, [{ sealed: Buffer.from('x'), first: 0, end: 1 }]);
    await addSingly(parts, 3);
    expect(await level(parts)).toBe(7);
  });
});

describe('an entry as pairmint wrote it before lots', () => {
  it('is passed over, counted and removed, and what was added since is served', async () => {
    const parts = await newParts({ target: 1000 });
    const { store, pool, pools, key } = parts;
    await fill(parts, 1);
    const { path } = present((await entriesOf(parts))[0]);
    const old = path.replace(/[0-9a-f-]{36}\.1$/, '00000000-0000-4000-8000-000000000000');
    const next = Buffer.concat([Buffer.from('DKQ\x01', 'latin1'), crypto.randomBytes(400)]);
    await store.commit([{ path: old, expected: undefined, next }]);
    expect(await parts.directory.count(pool, 10)).toBe(2);
    expect(await take(parts)).toBeDefined();
    expect(pools.countsOf(key.arn, pool.spec)).toEqual({ hits: 1, misses: 0, skipped: 1 });
    expect(await entriesOf(parts)).toEqual([]);
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
  it('that a kill left behind are neither counted nor served, and are removed with the next', async () => {
    const parts = await newParts();
    const { directory, store, pool } = parts;
    await fill(parts, 5);
    const path = `us-east-1:000000000000:pool-record/${pool.keyId}/${pool.spec}`;
    const record = Uint8Array.from(present(await store.get(path)));
    // As when a process is killed after the first commit of a deletion.
    await store.commit([{ path, expected: record, next: undefined }]);
    const again = await directory.put(pool);
    expect(await directory.count(again, 10)).toBe(0);
    expect(await take(parts)).toBeUndefined();
    expect(await entriesOf(parts)).toHaveLength(1);
    expect(await directory.drain(again)).toBe(5);
    expect(await entriesOf(parts)).toEqual([]);
  });

  it.each(['delete', 'drain'] as const)('are all that a %s removes', async (act) => {
    const parts = await newParts();
    const { directory, store, pool } = parts;
    await fill(parts, 2);
    // Another process is quick: between the commit that makes the pairs void and their removal.
    const list = store.list.bind(store);
    vi.spyOn(store, 'list').mockImplementationOnce(async (...args) => {
      await directory.delete(pool);
      const next = await directory.put(pool);
      await fill(parts, 5, next);
      return list(...args);
    });
    await directory[act](pool);
    const next = present(await directory.find(pool));
    expect(await directory.count(next, 10)).toBe(5);
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
    expect(await entriesOf(parts)).toEqual([]);
  });
});
