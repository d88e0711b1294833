import { requireNotPendingDeletion } from './key-checks.ts';
import { keyReference } from './key-lookup.ts';
import type { Operation, Services } from './operation.ts';

/** KMS API Reference, EnableKey. */
export const enableKey: Operation<'EnableKey'> = {
  name: 'EnableKey',
  async run(services, { KeyId }) {
    await setEnabled(services, 'EnableKey', KeyId, { enabled: true });
    return {};
  },
};

/** KMS API Reference, DisableKey. */
export const disableKey: Operation<'DisableKey'> = {
  name: 'DisableKey',
  async run(services, { KeyId }) {
    await setEnabled(services, 'DisableKey', KeyId, { enabled: false });
    return {};
  },
};

async function setEnabled(
  services: Services,
  operation: 'EnableKey' | 'DisableKey',
  keyId: string,
  { enabled }: { enabled: boolean },
): Promise<void> {
  await services.keys.change(keyReference(services, operation, keyId), (key) => {
    requireNotPendingDeletion(key);
    return key.record.enabled === enabled ? key.record : { ...key.record, enabled };
  });
}
