import { changeKey } from './key-change.ts';
import { requireNotPendingDeletion } from './key-checks.ts';
import { findOwnKey } from './key-lookup.ts';
import type { Operation } from './operation.ts';

/** KMS API Reference, UpdateKeyDescription. */
export const updateKeyDescription: Operation<'UpdateKeyDescription'> = {
  name: 'UpdateKeyDescription',
  async run(services, { KeyId, Description }) {
    const found = await findOwnKey(services, KeyId);
    await changeKey(services, found, (key) => {
      requireNotPendingDeletion(key);
      return { ...key.record, description: Description };
    });
    return {};
  },
};
