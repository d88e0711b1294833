import { afterEach, expect, it, vi } from 'vitest';
import { removeExpiredSessions } from '../../lib/http/expired-sessions.ts';
import type { Log } from '../../lib/http/log.ts';
import { openKms } from '../operations/support.ts';

const hour = 3_600_000;

afterEach(() => {
  vi.useRealTimers();
});

it('removes sessions a day after they have ended, hour by hour, until it is stopped', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const kms = await openKms();
  const principal = 'arn:aws:iam::000000000000:user/alice';
  const create = () => kms.credentials.create({ principal, durationSeconds: 900 });
  const lines: object[] = [];
  const log = {
    info: (line: object) => lines.push(line),
    warn: (line: object) => lines.push(line),
  };
  await create();
  await create();
  const stop = removeExpiredSessions(kms.credentials, log as unknown as Log);
  await vi.advanceTimersByTimeAsync(24 * hour);
  expect(lines).toEqual([]);
  await vi.advanceTimersByTimeAsync(hour);
  await vi.waitFor(() => expect(lines).toEqual([{ removed: 2 }]));
  await create();
  stop();
  await vi.advanceTimersByTimeAsync(48 * hour);
  expect(lines).toHaveLength(1);
  expect(await kms.credentials.list({ limit: 9 })).toHaveLength(1);
  await kms.close();
});

it('logs a failure to remove them, unless it was stopped before', async () => {
  const warned: object[] = [];
  const log = { warn: (line: object) => warned.push(line) } as unknown as Log;
  const failing = {
    now: () => Date.now(),
    takeSweep: async () => true,
    removeExpired: () => Promise.reject(new Error('the store was closed')),
  };
  removeExpiredSessions(failing, log)();
  await new Promise(setImmediate);
  expect(warned).toEqual([]);
  const stop = removeExpiredSessions(failing, log);
  await new Promise(setImmediate);
  expect(warned).toEqual([{ reason: 'the store was closed' }]);
  stop();
});
