import type { Key } from '../keys/key.ts';
import type { KeyChange } from '../keys/key-directory.ts';
import type { KeyRecord } from '../keys/key-record.ts';
import { authorize } from './rules/access.ts';
import type { Services } from './rules/operation.ts';

/**
 * Changes a key that the caller was authorised for. If the key has changed since, the caller is
 * authorised again: a caller that has lost access meanwhile changes nothing.
 */
export function changeKey(
  services: Services,
  authorized: Key,
  change: (key: Key) => KeyRecord | KeyChange | Promise<KeyChange>,
): Promise<Key> {
  return services.keysToChange().change(authorized.record, async (key) => {
    await authorizeChanged(services, key, authorized);
    const changed = await change(key);
    return 'record' in changed ? changed : { record: changed };
  });
}

/** Authorises the caller again if the key has changed since it was authorised. */
export async function authorizeChanged(
  services: Services,
  key: Key,
  authorized: Key,
): Promise<void> {
  if (key.record !== authorized.record) await authorize(services, key);
}
