import { requireState } from '../keys/key-checks.ts';
import { withRotationResumed } from '../keys/settlement.ts';
import { changeKey } from './key-change.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';

/** KMS API Reference, EnableKey. */
export const enableKey: Operation<'EnableKey'> = {
  name: 'EnableKey',
  async run(services, { KeyId }) {
    await setEnabled(services, KeyId, { enabled: true });
    return {};
  },
};

/** KMS API Reference, DisableKey. */
export const disableKey: Operation<'DisableKey'> = {
  name: 'DisableKey',
  async run(services, { KeyId }) {
    await setEnabled(services, KeyId, { enabled: false });
    return {};
  },
};

async function setEnabled(
  services: Services,
  keyId: string,
  { enabled }: { enabled: boolean },
): Promise<void> {
  const key = await findOwnKey(services, keyId);
  await changeKey(services, key, (current) => {
    requireState(current, 'Disabled');
    if (current.record.enabled === enabled) return current.record;
    const record = { ...current.record, enabled };
    return enabled ? withRotationResumed(record, services.now()) : record;
  });
}
