import { randomUUID } from 'node:crypto';
import { ConfigurationError } from '../configuration-error.ts';
import type { Native, RootKey } from '../native.ts';
import { keyIdBytes } from './key-record.ts';
import type { KeyStore } from './key-store.ts';
import { openState, sealState } from './sealed-state.ts';

/** What a store was made with. */
export interface StoreIdentity {
  readonly storeId: string;
  readonly accountId: string;
  readonly region: string;
}

// Not authenticated: a newer format must be recognised before its root key is asked for, and the
// id must be known before the MAC can be checked.
const formatPath = 'format';
const identityPath = 'identity';
const currentFormat = 1;

/** Tells whether the store has been made; refuses one that a newer pairmint made. */
export async function storeExists(store: KeyStore): Promise<boolean> {
  const bytes = await store.get(formatPath);
  if (bytes === undefined) return false;
  const { format } = readFormat(store, bytes);
  if (format > currentFormat) {
    throw new ConfigurationError(
      `the store ${store.url} has format ${format}, made by a newer pairmint; this one reads ` +
        `format ${currentFormat}`,
      { hint: 'update pairmint: npm install pairmint@latest' },
    );
  }
  return true;
}

/** Makes the store; of two processes that make it at once one does and both go on with its work. */
export async function createIdentity(
  store: KeyStore,
  native: Native,
  rootKey: RootKey,
  place: { accountId: string; region: string },
): Promise<void> {
  const storeId = randomUUID();
  const identity: StoreIdentity = { storeId, ...place };
  const format = Buffer.from(JSON.stringify({ format: currentFormat, storeId }), 'utf8');
  const sealed = sealState(native, rootKey, keyIdBytes(storeId), { sequence: 0n, state: identity });
  await store.commit([
    { path: formatPath, expected: undefined, next: format },
    { path: identityPath, expected: undefined, next: sealed },
  ]);
}

/** Reads what the store was made with. @throws ConfigurationError where the root key is another */
export async function readIdentity(
  store: KeyStore,
  native: Native,
  rootKey: RootKey,
): Promise<StoreIdentity> {
  const format = await store.get(formatPath);
  const sealed = await store.get(identityPath);
  if (format === undefined || sealed === undefined) throw damaged(store);
  const { storeId } = readFormat(store, format);
  const opened = openState(native, rootKey, keyIdBytes(storeId), sealed);
  if (opened === undefined) {
    throw new ConfigurationError(
      `the root key is not the one that the store ${store.url} was made with`,
      { hint: 'name its root key file with PAIRMINT_ROOT_KEY_FILE or --root-key-file' },
    );
  }
  return opened.state as StoreIdentity;
}

function readFormat(store: KeyStore, bytes: Uint8Array): { format: number; storeId: string } {
  try {
    const read = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (Number.isInteger(read.format)) return read;
  } catch {
    // Not ours.
  }
  throw damaged(store);
}

function damaged(store: KeyStore): ConfigurationError {
  return new ConfigurationError(`${store.url} holds something that is not a pairmint store`, {
    hint: 'name another folder with PAIRMINT_STORE=lmdb:FOLDER or --store',
  });
}
