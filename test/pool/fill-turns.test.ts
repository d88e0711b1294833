import { afterEach, describe, expect, it, vi } from 'vitest';
import { FillTurns } from '../../lib/pool/fill-turns.ts';
import { Refill } from '../../lib/pool/refill.ts';
import { newParts } from './support.ts';

const soon = { timeout: 60_000, interval: 20 };

afterEach(() => {
  vi.useRealTimers();
});

/** What a turn is taken for, which ends when the test says so. */
function endless() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { work: () => ended, end: () => end() };
}

describe('processes that share a store', () => {
  it('fill a pool once, whoever of them finds it low', async () => {
    const parts = await newParts({ target: 400, low: 200 });
    const { directory, pool } = parts;
    const others = [1, 2, 3].map(() => new Refill(parts));
    for (const refill of others) refill.claimed(pool, 0, { dry: true });
    await vi.waitFor(
      async () => expect(await directory.count(pool, 9999)).toBeGreaterThanOrEqual(400),
      soon,
    );
    await new Promise((done) => setTimeout(done, 300));
    expect(await directory.count(pool, 9999)).toBe(400);
    await Promise.all(others.map((refill) => refill.close()));
  });

  it('take a turn one after the other', async () => {
    const { directory, pool } = await newParts();
    const [first, second] = [new FillTurns(directory), new FillTurns(directory)];
    const { work, end } = endless();
    const taken = first.take(pool, work);
    await vi.waitFor(async () => expect(await directory.turnOf(pool)).toBeDefined(), soon);
    expect(await second.take(pool, work)).toBe(false);
    end();
    expect(await taken).toBe(true);
    expect(await second.take(pool, async () => {})).toBe(true);
    expect(await directory.turnOf(pool)).toBeUndefined();
  });

  it('give a turn up when the work fails', async () => {
    const { directory, pool } = await newParts();
    const failing = new FillTurns(directory).take(pool, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await directory.turnOf(pool)).toBeUndefined();
  });

  it('take over from one that was killed, but not from one that is at it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { directory, pool } = await newParts();
    const [first, second] = [new FillTurns(directory), new FillTurns(directory)];
    const { work, end } = endless();
    const taken = first.take(pool, work);
    await vi.waitFor(async () => expect(await directory.turnOf(pool)).toBeDefined(), soon);
    for (let seconds = 0; seconds < 100; seconds += 10) {
      expect(await second.take(pool, async () => {})).toBe(false);
      await vi.advanceTimersByTimeAsync(10_000);
    }
    end();
    await taken;
    // What a process leaves that is killed.
    await directory.changeTurn(pool, undefined);
    expect(await second.take(pool, async () => {})).toBe(false);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(await second.take(pool, async () => {})).toBe(false);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await second.take(pool, async () => {})).toBe(true);
    expect(await directory.turnOf(pool)).toBeUndefined();
  });
});
