import { describe, expect, it, vi } from 'vitest';
import { countPairs } from '../../lib/pool/lots.ts';
import { Refill } from '../../lib/pool/refill.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { PoolWorker } from '../../lib/service/pool-worker.ts';
import type { Change } from '../../lib/store/change.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { StoreError, unavailable } from '../../lib/store/store-errors.ts';
import { newKey } from '../operations/support.ts';
import { internals } from '../support/internals.ts';
import { fill, newParts, poolWarnings, present, spec, take, takePair } from './support.ts';

/** A store whose disk is mounted anew as one that cannot be written. */
class ReadOnlyAtTimes extends MemoryStore {
  isReadOnly = false;

  constructor() {
    super();
    const writing = ['add', 'take', 'reserve', 'clear'] as const;
    for (const name of writing) {
      const write = this.lots[name] as (...args: unknown[]) => Promise<never>;
      const refusing = async (...args: unknown[]) =>
        this.isReadOnly ? readOnly() : write.apply(this.lots, args);
      Object.assign(this.lots, { [name]: refusing });
    }
  }

  override async commit(changes: readonly Change[]): Promise<boolean> {
    return this.isReadOnly ? readOnly() : super.commit(changes);
  }
}

function readOnly(): never {
  return unavailable(new StoreError('read-only', 'attempt to write a readonly database'));
}

const minute = { timeout: 60_000, interval: 20 };

describe('filling in the background', () => {
  it('begins when requests have drawn a pool to its low level, and ends at the target', async () => {
    const parts = await newParts({ background: true, target: 40, low: 20 });
    const { directory, pool, pools, key } = parts;
    await fill(parts);
    const level = async () => (await directory.count(pool, 99)) + pools.claimed(key.arn, pool);
    for (let i = 0; i < 5; i++) await take(parts);
    await new Promise((done) => setTimeout(done, 100));
    expect(await level()).toBe(35);
    for (let i = 0; i < 20; i++) await take(parts);
    await vi.waitFor(async () => expect(await directory.count(pool, 99)).toBe(40), minute);
    expect(pools.countsOf(key.arn, spec)).toEqual({ hits: 25, misses: 0, skipped: 0 });
    await pools.close();
    expect(await directory.count(pool, 99)).toBeGreaterThan(40);
  });

  it('begins no pair while a request waits for a pair', async () => {
    const parts = await newParts({ background: true, target: 40 });
    const { directory, pool, pools } = parts;
    let finish = () => {};
    const foreground = pools.mint(() => new Promise<void>((resolve) => (finish = resolve)));
    expect(await take(parts)).toBeUndefined();
    await new Promise((done) => setTimeout(done, 200));
    expect(await directory.count(pool, 99)).toBe(0);
    finish();
    await foreground;
    await vi.waitFor(async () => expect(await directory.count(pool, 99)).toBe(40), minute);
    await pools.close();
  });

  it('stops at once when the service closes, even while it waits', async () => {
    const parts = await newParts({ background: true, target: 1_000_000 });
    const { directory, pool, pools } = parts;
    await take(parts);
    await vi.waitFor(async () => expect(await directory.count(pool, 9)).toBe(9), minute);
    void pools.mint(() => new Promise(() => {}));
    await new Promise((done) => setTimeout(done, 50));
    const began = performance.now();
    await pools.close();
    expect(performance.now() - began).toBeLessThan(500);
    const left = await directory.count(pool, 1_000_000);
    await new Promise((done) => setTimeout(done, 100));
    expect(await directory.count(pool, 1_000_000)).toBe(left);
  });

  it('that fails says so once, and requests go on', async () => {
    const parts = await newParts({ background: true, native: internals, target: 40 });
    const { pools } = parts;
    const warnings = poolWarnings();
    internals.failRandomAfter(0);
    for (let i = 0; i < 5; i++) expect(await take(parts)).toBeUndefined();
    await vi.waitFor(() => expect(warnings.texts).toHaveLength(1), minute);
    internals.failRandomAfter(-1);
    warnings.end();
    expect(warnings.texts[0]).toMatch(/^the pool of .* is not filled: /);
    await pools.close();
  });

  it('goes by levels that were changed since', async () => {
    const parts = await newParts({ background: true, target: 40, low: 4 });
    const { directory, pool, pools } = parts;
    await fill(parts);
    await take(parts);
    await directory.put({ ...pool, target: 400, low: 390 });
    for (let i = 0; i < 20; i++) await take(parts);
    await vi.waitFor(async () => expect(await directory.count(pool, 999)).toBe(400), minute);
    await pools.close();
  });

  it('of one pool goes on while another cannot be filled', async () => {
    const parts = await newParts({ background: true, target: 40, low: 4 });
    const { directory, keys, refill, key, pool } = parts;
    const second = await directory.put({ ...pool, spec: 'SM2' });
    const third = await directory.put({ ...pool, spec: 'ECC_NIST_P256' });
    const findById = vi.spyOn(keys, 'findById').mockResolvedValue(undefined);
    const warnings = poolWarnings();
    for (const failing of [pool, second, pool]) refill?.claimed(failing, 0, { dry: true });
    await vi.waitFor(() => expect(warnings.texts).toHaveLength(2), minute);
    warnings.end();
    findById.mockResolvedValue(key);
    refill?.claimed(third, 0, { dry: true });
    await vi.waitFor(async () => expect(await directory.count(third, 99)).toBe(40), minute);
    await refill?.close();
  });

  it('is not forgotten if it is asked for just when it ends', async () => {
    const { directory, keys, filler, pool } = await newParts();
    const counted = vi.spyOn(directory, 'count').mockResolvedValue(99);
    for (let turns = 0; turns < 20; turns++) {
      const refill = new Refill({ directory, keys, filler });
      refill.claimed(pool, 0, { dry: true });
      for (let i = 0; i < turns; i++) await Promise.resolve();
      const late = { ...pool, poolId: `late ${turns}` };
      refill.claimed(late, 0, { dry: true });
      await new Promise(setImmediate);
      expect(counted, `after ${turns} turns`).toHaveBeenCalledWith(late, pool.low + 1);
      await refill.close();
    }
  });

  it('is on by default', async () => {
    for (const refillPools of [undefined, false]) {
      const kms = await Pairmint.open({ store: 'memory:', refillPools });
      const { KeyId } = await newKey(kms);
      await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 10 });
      await takePair(kms, KeyId);
      const level = async () => (await kms.pools.list())[0]?.level;
      if (refillPools === false) {
        await new Promise((done) => setTimeout(done, 200));
        expect(await level()).toBe(0);
      } else {
        await vi.waitFor(async () => expect(await level()).toBe(10), minute);
      }
      await kms.close();
    }
  });
});

describe('filling', () => {
  it('keeps what was minted when the random generator fails, and mints nothing without it', async () => {
    const parts = await newParts({ native: internals, target: 200 });
    await fill(parts, 16);
    internals.failRandomAfter(60);
    await expect(fill(parts)).rejects.toThrow('the random number generator failed');
    internals.failRandomAfter(-1);
    const { lots, skipped } = await parts.directory.claim(parts.pool, 200);
    const pairs = countPairs(lots);
    expect(skipped).toBe(0);
    expect(pairs).toBeGreaterThanOrEqual(16);
    await parts.directory.add(parts.pool, lots);
    const keys = new Set<string>();
    for (let i = 0; i < pairs; i++)
      keys.add(Buffer.from(present(await take(parts)).publicKey).toString('hex'));
    expect(keys.size).toBe(pairs);
  });

  it('refuses a request rather than answer without fresh random numbers', async () => {
    const parts = await newParts({ native: internals });
    await fill(parts, 3);
    internals.failRandomAfter(0);
    await expect(take(parts)).rejects.toThrow('the random number generator failed');
    internals.failRandomAfter(-1);
    expect(await take(parts)).toBeDefined();
  });

  it('and taking stop while the store takes no writes, and go on when it does again', async () => {
    const store = new ReadOnlyAtTimes();
    const parts = await newParts({ store, target: 40 });
    await fill(parts, 5);
    store.isReadOnly = true;
    const failed = 'The key store could not complete the request.';
    await expect(fill(parts)).rejects.toThrow(failed);
    const warnings = poolWarnings();
    expect(await take(parts)).toBeUndefined();
    await new Promise(setImmediate);
    warnings.end();
    expect(warnings.texts).toEqual([expect.stringContaining(`cannot be drawn from: ${failed}`)]);
    expect(parts.pools.countsOf(parts.key.arn, spec)).toEqual({ hits: 0, misses: 1, skipped: 0 });
    store.isReadOnly = false;
    expect(await fill(parts)).toBe(35);
    await vi.waitFor(async () => expect(await take(parts)).toBeDefined(), minute);
  });

  it('ends when its key is disabled under way, and keeps what was minted', async () => {
    const kms = await Pairmint.open({ store: 'memory:', refillPools: false });
    const { KeyId } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await kms.pools.create({ ...pool, target: 100_000 });
    let disabled: Promise<unknown> | undefined;
    const onProgress = () => {
      disabled ??= kms.disableKey({ KeyId });
    };
    await expect(kms.pools.fill({ pool, onProgress })).rejects.toThrow('is disabled');
    await disabled;
    const [{ level = 0 } = {}] = await kms.pools.list();
    expect(level).toBeGreaterThan(0);
    expect(level).toBeLessThan(100_000);
    await kms.close();
  });

  it('ends when the pool is drained or deleted under way', async () => {
    const kms = await Pairmint.open({ store: 'memory:', refillPools: false });
    const { KeyId } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    for (const act of ['drain', 'delete'] as const) {
      await kms.pools.create({ ...pool, target: 100_000 });
      let acted: Promise<unknown> | undefined;
      const onProgress = () => {
        acted ??= kms.pools[act](pool);
      };
      expect(await kms.pools.fill({ pool, onProgress })).toBeLessThan(100_000);
      await acted;
    }
    expect(await kms.pools.list()).toEqual([]);
    await kms.close();
  });

  it('takes no notice of a clock that jumps', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const kms = await Pairmint.open({ store: 'memory:', refillPools: false });
    const { KeyId } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await kms.pools.create({ ...pool, target: 300 });
    let jumps = 0;
    const onProgress = () => vi.setSystemTime(++jumps % 2 === 0 ? 0 : Date.UTC(2200, 0));
    expect(await kms.pools.fill({ pool, onProgress })).toBe(300);
    vi.setSystemTime(0);
    await takePair(kms, KeyId);
    expect((await kms.pools.list())[0]).toMatchObject({ hits: 1, misses: 0, skipped: 0 });
    await kms.close();
    vi.useRealTimers();
  });
});

describe('a worker', () => {
  it('keeps every pool at its target, and passes over one whose key is disabled', async () => {
    const kms = await Pairmint.open({ store: 'memory:', refillPools: false });
    const [first, second] = [await newKey(kms), await newKey(kms)];
    for (const { KeyId } of [first, second]) {
      await kms.pools.create({ KeyId, KeyPairSpec: spec, target: 30 });
    }
    await kms.disableKey({ KeyId: second.KeyId });
    const stop = new AbortController();
    const troubles: string[] = [];
    const working = new PoolWorker({
      pools: kms.pools,
      signal: stop.signal,
      pollEvery: 10,
      firstPause: 10,
      onTrouble: (sentence) => troubles.push(sentence),
    }).run();
    const waitFor = (...least: number[]) =>
      vi.waitFor(async () => {
        const levels = new Map((await kms.pools.list()).map(({ KeyId, level }) => [KeyId, level]));
        expect(levels.get(first.Arn)).toBeGreaterThanOrEqual(least[0] ?? 0);
        expect(levels.get(second.Arn)).toBeGreaterThanOrEqual(least[1] ?? 0);
      }, minute);
    await waitFor(30);
    await vi.waitFor(() => expect(troubles).toHaveLength(1), minute);
    for (let i = 0; i < 20; i++) await takePair(kms, first.KeyId);
    await kms.enableKey({ KeyId: second.KeyId });
    await waitFor(30, 30);
    stop.abort();
    await working;
    expect(troubles).toEqual([
      `the pool of ${spec} pairs of ${second.Arn} cannot be filled: ${second.Arn} is disabled.`,
    ]);
    await kms.close();
  });

  it('ends soon when it is told to', async () => {
    const kms = await Pairmint.open({ store: 'memory:', refillPools: false });
    const { pools } = kms;
    const { KeyId } = await newKey(kms);
    await pools.create({ KeyId, KeyPairSpec: 'RSA_4096', target: 1000 });
    const stop = new AbortController();
    const working = new PoolWorker({ pools, signal: stop.signal }).run();
    await new Promise((done) => setTimeout(done, 200));
    const began = performance.now();
    stop.abort();
    await working;
    expect(performance.now() - began).toBeLessThan(1000);
    await kms.close();
  });
});
