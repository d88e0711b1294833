import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { removeExpiredSessions } from '../../lib/http/expired-sessions.ts';
import type { Log } from '../../lib/http/log.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';

const day = 86_400_000;
const principal = 'arn:aws:iam::000000000000:user/alice';

let cluster: Cluster;
beforeAll(async () => {
  if (hasPostgres) cluster = await Cluster.start();
});
afterAll(() => cluster?.remove());
afterEach(() => {
  vi.useRealTimers();
});

const places: Record<string, () => Promise<string>> = {
  'sqlite:': async () => `sqlite:${temporaryFolder()}/store.db`,
  ...(hasPostgres && { 'postgres:': async () => cluster.url(await cluster.database()) }),
};

async function openAll(store: string, onNotice = (_text: string) => {}) {
  const options = { store, rootKey: { bytes: randomBytes(32) }, refillPools: false };
  const first = await Pairmint.open({ ...options, create: true });
  const second = await Pairmint.open({ ...options, onNotice });
  onTestFinished(async () => {
    await Promise.all([first.close(), second.close()]);
  });
  return [first, second] as const;
}

describe.each(Object.entries(places))('on %s', (_kind, place) => {
  it('of the processes that share a store one looks for expired sessions, once an hour', async () => {
    const services = await openAll(await place());
    for (let i = 0; i < 3; i++) {
      await services[0].credentials.create({ principal, durationSeconds: 900 });
    }
    const lines: unknown[] = [];
    const write = (line: unknown) => lines.push(line);
    const log = { info: write, warn: write } as unknown as Log;
    const looked: boolean[] = [];
    const all = services.map(({ credentials }) => ({
      now: () => credentials.now() + 2 * day,
      removeExpired: (time: number) => credentials.removeExpired(time),
      takeSweep: async (every: number) => {
        const isOurs = await credentials.takeSweep(every);
        looked.push(isOurs);
        return isOurs;
      },
    }));
    for (const credentials of all) onTestFinished(removeExpiredSessions(credentials, log));
    await vi.waitFor(() => expect(looked).toHaveLength(2), 10_000);
    expect(looked.sort()).toEqual([false, true]);
    await vi.waitFor(() => expect(lines).toEqual([{ removed: 3 }]), 10_000);
    expect(await services[1].credentials.takeSweep(3_600_000)).toBe(false);
    expect(await services[1].credentials.takeSweep(0)).toBe(true);
  }, 30_000);
});

describe.skipIf(!hasPostgres)('a process whose clock is a week ahead', () => {
  it('lets nothing fall due before its time, and says that its clock is off', async () => {
    const notices: string[] = [];
    const store = cluster.url(await cluster.database());
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 8 * day);
    const [, kms] = await openAll(store, (text) => notices.push(text));
    const { accessKeyId } = await kms.credentials.create({ principal, durationSeconds: 900 });
    const { KeyMetadata } = await kms.createKey({});
    const KeyId = KeyMetadata?.KeyId as string;
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    const { KeyMetadata: after } = await kms.describeKey({ KeyId });
    expect(after?.KeyState).toBe('PendingDeletion');
    const due = after?.DeletionDate?.getTime() ?? 0;
    vi.useRealTimers();
    expect(due).toBeLessThan(Date.now() + 7.1 * day);
    expect(due).toBeGreaterThan(Date.now() + 6.9 * day);
    const found = await kms.credentials.find(accessKeyId);
    expect(found?.record.session?.expirationDate).toBeLessThan(Date.now() + 1_000_000);
    expect(notices).toEqual([
      expect.stringMatching(
        /^this machine's clock is 69\d{4} s ahead of the database's: what falls due goes by the latter$/,
      ),
    ]);
    const clock = async () => (await kms.store.facts()).find(({ subject }) => subject === 'clock');
    expect(await clock()).toMatchObject({ text: expect.stringMatching(/^\d+ ms/) });
    expect(await clock()).not.toHaveProperty('advice');
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() - day);
    expect(await clock()).toMatchObject({
      advice: expect.stringMatching(
        /^this machine's clock is 86\d{3} s behind the database's: set it/,
      ),
    });
  }, 30_000);
});

describe.skipIf(!hasPostgres)('a machine that was suspended', () => {
  it('serves nothing from memory before it has asked for changes again', async () => {
    const store = await PostgresStore.open(cluster.url(await cluster.database()), {
      makeSchema: true,
    });
    onTestFinished(() => store.close());
    // As performance.now() does on Linux, timers stand still meanwhile.
    vi.useFakeTimers({ toFake: ['Date'] });
    await vi.waitFor(() => expect(store.stamp()).toBeDefined(), 5000);
    const stamp = store.stamp() as number;
    expect(store.holds('a', stamp)).toBe(true);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(store.stamp()).toBeUndefined();
    expect(store.holds('a', stamp)).toBe(false);
    await vi.waitFor(() => expect(store.stamp()).toBeDefined(), 5000);
    // Notes of what was removed meanwhile may be gone.
    expect(store.holds('a', stamp)).toBe(false);
  }, 30_000);
});
