import type { Key, KeyChange } from '../keys/key-directory.ts';
import type { KeyRecord } from '../keys/key-record.ts';
import { authorize } from './rules/access.ts';
import type { Services } from './rules/operation.ts';

/**
 * Changes a key that the caller was authorised for, and authorises again if it is no longer as it was
 * then: a caller that was denied it meanwhile changes nothing.
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

/** Authorises for a key again unless it is as it was when the caller was authorised. */
export async function authorizeChanged(
  services: Services,
  key: Key,
  authorized: Key,
): Promise<void> {
  if (key.record !== authorized.record) await authorize(services, key);
}
