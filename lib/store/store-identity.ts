import { ConfigurationError } from '../core/configuration-error.ts';
import { messageOf } from '../core/error-message.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { KeyStore } from './key-store.ts';
import { movePath } from './move-mark.ts';
import { openState, sealState } from './sealed-state.ts';
import { StoreError } from './store-errors.ts';

/** The id, account and region that a store was made with. */
export interface StoreIdentity {
  readonly storeId: string;
  readonly accountId: string;
  readonly region: string;
}

// Not authenticated: a newer format must be recognised before its root key is asked for, and the
// id must be known before the MAC can be checked.
export const formatPath = 'format';
export const identityPath = 'identity';
const currentFormat = 1;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Tells whether the store has been made.
 *
 * @throws ConfigurationError if a newer pairmint made it, or it has lost its records of itself
 */
export async function storeExists(store: KeyStore): Promise<boolean> {
  const bytes = await readFormatRecord(store);
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

/** Makes the store, with the id `storeId`; false if another process did so, or began a copy to it, first. */
export async function createIdentity(
  store: KeyStore,
  native: Native,
  rootKey: RootKey,
  identity: StoreIdentity,
): Promise<boolean> {
  const { storeId } = identity;
  const format = Buffer.from(JSON.stringify({ format: currentFormat, storeId }), 'utf8');
  const sealed = sealState(native, rootKey, keyIdBytes(storeId), { sequence: 0n, state: identity });
  const changes = [
    { path: formatPath, expected: undefined, next: format },
    { path: identityPath, expected: undefined, next: sealed },
    { path: movePath, expected: undefined, next: undefined },
  ];
  return store.commit(changes).catch((cause) => refuse(store, 'made', cause));
}

/** Reads what the store was made with. @throws ConfigurationError if the root key is another */
export async function readIdentity(
  store: KeyStore,
  native: Native,
  rootKey: RootKey,
): Promise<StoreIdentity> {
  const format = await read(store, formatPath);
  const sealed = await read(store, identityPath);
  if (format === undefined || sealed === undefined) throw await withoutFormat(store);
  const { storeId } = readFormat(store, format);
  const opened = openState(native, rootKey, keyIdBytes(storeId), sealed);
  if (opened === undefined) {
    throw new ConfigurationError(
      `the root key is not the one that the store ${store.url} was made with`,
      { hint: 'name its root key file with PAIRMINT_ROOT_KEY_FILE or --root-key-file' },
    );
  }
  const identity = opened.state as StoreIdentity;
  // A record of a key is authenticated as well, but names no store.
  if (identity.storeId !== storeId) throw damaged(store);
  return identity;
}

/** Undefined only if there is no record at all: one with others was a store, and is not made anew. */
async function readFormatRecord(store: KeyStore): Promise<Uint8Array | undefined> {
  const first = await read(store, formatPath);
  if (first !== undefined) return first;
  const others = await store.list('', { limit: 1 }).catch((cause) => refuse(store, 'read', cause));
  if (others.length === 0) return undefined;
  // Another process may have made it in between.
  const second = await read(store, formatPath);
  if (second === undefined) throw await withoutFormat(store);
  return second;
}

/** A copy becomes a store at its end, when the format is written. */
async function withoutFormat(store: KeyStore): Promise<ConfigurationError> {
  if ((await read(store, movePath)) === undefined) return damaged(store);
  return new ConfigurationError(`the store ${store.url} is an unfinished copy of another`, {
    hint: "finish it: run the same 'pairmint store copy' again",
  });
}

function readFormat(store: KeyStore, bytes: Uint8Array): { format: number; storeId: string } {
  try {
    const { format, storeId } = JSON.parse(Buffer.from(bytes).toString('utf8'));
    // Further members of a newer format are for its own pairmint.
    const newer = Number.isInteger(format) && format > currentFormat;
    const ours = format === currentFormat && typeof storeId === 'string' && uuid.test(storeId);
    if (newer || ours) return { format, storeId };
  } catch {
    // Not ours.
  }
  throw damaged(store);
}

async function read(store: KeyStore, path: string): Promise<Uint8Array | undefined> {
  return store.get(path).catch((cause) => refuse(store, 'read', cause));
}

function refuse(store: KeyStore, what: 'read' | 'made', cause: unknown): never {
  const reason = messageOf((cause as Error).cause ?? cause);
  throw new ConfigurationError(`the store ${store.url} cannot be ${what}: ${reason}`, { cause });
}

function damaged(store: KeyStore): ConfigurationError {
  return new ConfigurationError(`${store.url} holds something that is not a pairmint store`, {
    hint: 'name another file with PAIRMINT_STORE=sqlite:FILE or --store',
    cause: new StoreError('corrupt', 'its records of itself are not as pairmint wrote them'),
  });
}
