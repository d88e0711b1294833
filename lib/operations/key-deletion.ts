import { KmsError } from '../model/errors.ts';
import { requireNotPendingDeletion } from './key-checks.ts';
import { keyReference } from './key-lookup.ts';
import type { Operation } from './operation.ts';

const dayInMilliseconds = 86_400_000;
const shortestWindow = 7;
const longestWindow = 30;

/** KMS API Reference, ScheduleKeyDeletion. */
export const scheduleKeyDeletion: Operation<'ScheduleKeyDeletion'> = {
  name: 'ScheduleKeyDeletion',
  async run(services, { KeyId, PendingWindowInDays = longestWindow }) {
    const reference = keyReference(services, 'ScheduleKeyDeletion', KeyId);
    const deletionDate = services.now() + PendingWindowInDays * dayInMilliseconds;
    const key = await services.keys.change(reference, (found) => {
      requireWindow(PendingWindowInDays);
      requireNotPendingDeletion(found);
      return { ...found.record, deletionDate };
    });
    return {
      KeyId: key.arn,
      DeletionDate: new Date(deletionDate),
      KeyState: 'PendingDeletion',
      PendingWindowInDays,
    };
  },
};

/** KMS API Reference, CancelKeyDeletion. The key is disabled afterwards. */
export const cancelKeyDeletion: Operation<'CancelKeyDeletion'> = {
  name: 'CancelKeyDeletion',
  async run(services, { KeyId }) {
    const reference = keyReference(services, 'CancelKeyDeletion', KeyId);
    const key = await services.keys.change(reference, ({ arn, record }) => {
      const { deletionDate, ...kept } = record;
      if (deletionDate === undefined) {
        throw new KmsError('KMSInvalidStateException', `${arn} is not pending deletion.`);
      }
      return { ...kept, enabled: false };
    });
    return { KeyId: key.arn };
  },
};

// AWS's model says 1 to 365, its reference 7 to 30.
function requireWindow(days: number): void {
  if (days >= shortestWindow && days <= longestWindow) return;
  throw new KmsError(
    'ValidationException',
    `PendingWindowInDays must be between ${shortestWindow} and ${longestWindow} days, inclusive.`,
  );
}
