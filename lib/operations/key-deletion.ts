import { requireNotPendingDeletion } from '../keys/key-checks.ts';
import { isPrimary, type KeyRecord, stateOf } from '../keys/key-record.ts';
import { dayInMilliseconds } from '../keys/settlement.ts';
import { KmsError } from '../model/errors.ts';
import { changeKey } from './key-change.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';

const shortestWindow = 7;
const longestWindow = 30;

/** KMS API Reference, ScheduleKeyDeletion. */
export const scheduleKeyDeletion: Operation<'ScheduleKeyDeletion'> = {
  name: 'ScheduleKeyDeletion',
  async run(services, { KeyId, PendingWindowInDays = longestWindow }) {
    const key = await findOwnKey(services, KeyId);
    const changed = await changeKey(services, key, (current) => {
      requireWindow(PendingWindowInDays);
      requireNotPendingDeletion(current);
      return scheduled(current.record, PendingWindowInDays, services.now());
    });
    const { deletionDate } = changed.record;
    return {
      KeyId: key.arn,
      ...(deletionDate !== undefined && { DeletionDate: new Date(deletionDate) }),
      KeyState: stateOf(changed.record),
      PendingWindowInDays,
    };
  },
};

/** KMS API Reference, CancelKeyDeletion. The key is disabled afterwards. */
export const cancelKeyDeletion: Operation<'CancelKeyDeletion'> = {
  name: 'CancelKeyDeletion',
  async run(services, { KeyId }) {
    const key = await findOwnKey(services, KeyId);
    await changeKey(services, key, ({ arn, record }) => {
      const { deletionDate, deletionWindowInDays, overdueSince, ...kept } = record;
      if (deletionDate === undefined && deletionWindowInDays === undefined) {
        throw new KmsError('KMSInvalidStateException', `${arn} is not pending deletion.`);
      }
      return { ...kept, enabled: false };
    });
    return { KeyId: key.arn };
  },
};

// A primary key is deleted after its replicas: its waiting period starts when they are gone.
function scheduled(record: KeyRecord, days: number, now: number): KeyRecord {
  if (isPrimary(record) && (record.regions?.replicas.length ?? 0) > 0) {
    return { ...record, deletionWindowInDays: days };
  }
  // If the clock is behind the key's creation date, counting from now would end the period too
  // soon.
  const from = Math.max(now, record.creationDate);
  return { ...record, deletionDate: from + days * dayInMilliseconds };
}

// AWS's model says 1 to 365, its reference 7 to 30.
function requireWindow(days: number): void {
  if (days >= shortestWindow && days <= longestWindow) return;
  throw new KmsError(
    'ValidationException',
    `PendingWindowInDays must be between ${shortestWindow} and ${longestWindow} days, inclusive.`,
  );
}
