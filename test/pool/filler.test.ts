import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { Filler } from '../../lib/pool/filler.ts';
import { PoolDirectory } from '../../lib/pool/pool-directory.ts';
import { Refill } from '../../lib/pool/refill.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { newKey } from '../operations/support.ts';
import { temporaryFolder } from '../support/folders.ts';
import { fill, lotsName, newParts, type Parts, present, spec } from './support.ts';

const minute = { timeout: 60_000, interval: 20 };
const script = fileURLToPath(new URL('../support/pool-process.mjs', import.meta.url));

/** As another process fills, on the same store. */
function another(parts: Parts): Parts {
  const directory = new PoolDirectory(parts);
  return { ...parts, directory, filler: new Filler({ directory, native: parts.native }) };
}

const level = ({ directory, pool }: Parts) => directory.count(pool, 9999);

/** Reserves for one that is killed before it mints anything. */
const reserveAndDie = ({ store, pool }: Parts, most: number, seconds: number) =>
  store.lots.reserve({ pool: lotsName(pool), filler: 'killed', target: 400, most, seconds });

describe('fillings of one pool', () => {
  it('end at its target together, however many begin at once', async () => {
    const parts = await newParts({ target: 400 });
    const all = [parts, another(parts), another(parts)];
    const added = await Promise.all(all.map((each) => fill(each)));
    expect(added.reduce((sum, pairs) => sum + pairs, 0)).toBe(400);
    await vi.waitFor(async () => expect(await level(parts)).toBe(400), minute);
  });

  it('end at its target together in one process, too', async () => {
    const parts = await newParts({ target: 400 });
    const added = await Promise.all([1, 2, 3].map(() => fill(parts)));
    expect(added.reduce((sum, pairs) => sum + pairs, 0)).toBe(400);
    expect(await level(parts)).toBe(400);
  });

  it('share the missing pairs if each mints some', async () => {
    const parts = await newParts({ target: 400 });
    const added = await Promise.all([parts, another(parts)].map((each) => fill(each, 150)));
    expect(added).toEqual([150, 150]);
    expect(await level(parts)).toBe(300);
    const rest = await Promise.all([parts, another(parts)].map((each) => fill(each, 150)));
    expect(rest.reduce((sum, pairs) => sum + pairs, 0)).toBe(100);
    expect(await level(parts)).toBe(400);
  });

  it('in the background happen once, even if several processes find the pool low', async () => {
    const parts = await newParts({ target: 400, low: 200 });
    const others = [1, 2, 3].map(() => new Refill(another(parts)));
    for (const refill of others) refill.claimed(parts.pool, 0, { dry: true });
    await vi.waitFor(async () => expect(await level(parts)).toBeGreaterThanOrEqual(400), minute);
    await new Promise((done) => setTimeout(done, 300));
    expect(await level(parts)).toBe(400);
    await Promise.all(others.map((refill) => refill.close()));
  });

  it('give back what they reserved when they fail or are ended', async () => {
    const parts = await newParts({ target: 400 });
    const failing = parts.filler.fill(parts.pool, {
      material: () => Promise.reject(new Error('no')),
      concurrency: 1,
    });
    await expect(failing).rejects.toThrow('no');
    expect(await fill(another(parts), 100)).toBe(100);
    const stop = new AbortController();
    const ended = parts.filler.fill(parts.pool, {
      material: parts.material,
      concurrency: 1,
      signal: stop.signal,
      onAdded: () => stop.abort(new Error('ended')),
      turn: () => new Promise(setImmediate),
    });
    await expect(ended).rejects.toThrow('ended');
    const before = await level(parts);
    expect(await fill(another(parts))).toBe(400 - before);
  });

  it('leave to another one what it has reserved, and wait for it if they are patient', async () => {
    const parts = await newParts({ target: 400 });
    expect(await reserveAndDie(parts, 300, 30)).toBe(300);
    expect(await fill(parts)).toBe(100);
    expect(await fill(parts)).toBe(0);
    let added = 0;
    const { filler, pool, material } = parts;
    const waiting = filler.fill(pool, {
      material,
      concurrency: 1,
      isPatient: true,
      onAdded: (pairs) => {
        added += pairs;
      },
    });
    await new Promise((done) => setTimeout(done, 600));
    expect(added).toBe(0);
    // It has given it back.
    await reserveAndDie(parts, 0, 30);
    expect(await waiting).toBe(300);
    expect(await level(parts)).toBe(400);
  });

  it('take over from one that was killed, once its time is over', async () => {
    const parts = await newParts({ target: 400 });
    expect(await reserveAndDie(parts, 400, 1)).toBe(400);
    const began = performance.now();
    const { filler, pool, material } = parts;
    expect(await fill(parts)).toBe(0);
    expect(await filler.fill(pool, { material, concurrency: 1, isPatient: true })).toBe(400);
    expect(performance.now() - began).toBeGreaterThan(700);
  });

  it('of a pool whose target was lowered end there', async () => {
    const parts = await newParts({ target: 400 });
    await fill(parts, 100);
    const lowered = await parts.directory.put({ ...parts.pool, target: 120, low: 10 });
    expect(await fill(parts, undefined, lowered)).toBe(20);
    expect(await fill(parts)).toBe(0);
  });
});

describe('processes that fill a pool at once', () => {
  it('do not go beyond its target, and take over from one that is killed', async () => {
    const folder = temporaryFolder();
    const store = `sqlite:${folder}/store.db`;
    const file = `${folder}/root.key`;
    const kms = await Pairmint.open({ store, rootKey: { file }, refillPools: false });
    const { KeyId } = await newKey(kms);
    const pool = { KeyId, KeyPairSpec: spec } as const;
    await kms.pools.create({ ...pool, target: 2000 });
    const start = () => {
      const child = spawn(process.execPath, [script, store, file, 'fill', KeyId, spec]);
      const output: string[] = [];
      child.stdout.on('data', (data) => output.push(`${data}`));
      return { child, text: () => output.join('') };
    };
    const processes = [start(), start(), start()];
    const full = async () => present((await kms.pools.list())[0]).level;
    await vi.waitFor(async () => expect(await full()).toBeGreaterThan(0), minute);
    present(processes[0]).child.kill('SIGKILL');
    // The killed one's reservations are free after half a minute.
    await vi.waitFor(async () => expect(await full()).toBeGreaterThanOrEqual(2000), {
      timeout: 90_000,
      interval: 100,
    });
    await new Promise((done) => setTimeout(done, 500));
    expect(await full()).toBe(2000);
    for (const { child, text } of processes) {
      expect(text()).not.toContain('FAILED');
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    await kms.close();
  }, 150_000);
});
