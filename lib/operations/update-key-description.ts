import { requireNotPendingDeletion } from '../keys/key-checks.ts';
import { changeKey } from './key-change.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';

/** KMS API Reference, UpdateKeyDescription. */
export const updateKeyDescription: Operation<'UpdateKeyDescription'> = {
  name: 'UpdateKeyDescription',
  async run(services, { KeyId, Description }) {
    const key = await findOwnKey(services, KeyId);
    await changeKey(services, key, (current) => {
      requireNotPendingDeletion(current);
      return { ...current.record, description: Description };
    });
    return {};
  },
};
