import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ConfigurationError } from '../core/configuration-error.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { KeyStore } from './key-store.ts';
import { StoreError } from './store-errors.ts';
import { createIdentity, type StoreIdentity } from './store-identity.ts';

/** Makes root keys; `refusing` turns its failures into a ConfigurationError. */
interface Means {
  readonly native: Native;
  readonly refusing: <T>(open: () => T) => T;
}

/**
 * Makes a store that machines share, with a new root key, which gets its name only when the store is
 * made: of two that begin at once one makes it, and the other leaves no key that opens nothing.
 *
 * @throws ConfigurationError if another process made it first
 */
export async function makeWithNewKey(
  store: KeyStore,
  rootKeyFile: string,
  identity: StoreIdentity,
  { native, refusing }: Means,
): Promise<RootKey> {
  mkdirSync(path.dirname(rootKeyFile), { recursive: true, mode: 0o700 });
  const made = `${rootKeyFile}.${randomBytes(4).toString('hex')}.new`;
  refusing(() => native.createRootKey(made));
  const rootKey = refusing(() => native.openRootKey(made));
  try {
    await makeWithKey(store, native, rootKey, identity);
  } catch (error) {
    if (!isUnknown(error)) {
      rmSync(made);
      throw error;
    }
    throw new ConfigurationError(
      `whether the store ${store.url} was made is not known: the connection was lost`,
      { hint: `try again; if there is a store then, its root key is ${made}`, cause: error },
    );
  }
  giveName(made, rootKeyFile, store);
  return rootKey;
}

/** Makes a store with a root key that exists already. @throws ConfigurationError */
export async function makeWithKey(
  store: KeyStore,
  native: Native,
  rootKey: RootKey,
  identity: StoreIdentity,
): Promise<void> {
  if (await createIdentity(store, native, rootKey, identity)) return;
  throw new ConfigurationError(`another process has just made the store ${store.url}`, {
    hint: 'bring its root key file here, and go on without init',
  });
}

/** Not by renaming, which would replace a key that another process made meanwhile. */
function giveName(made: string, rootKeyFile: string, { url }: KeyStore): void {
  try {
    linkSync(made, rootKeyFile);
  } catch (cause) {
    const reason = existsSync(rootKeyFile) ? 'there is one by now' : (cause as Error).message;
    throw new ConfigurationError(
      `the store ${url} was made, but its root key could not be named ${rootKeyFile}: ${reason}`,
      { hint: `its root key is ${made}: name it with PAIRMINT_ROOT_KEY_FILE`, cause },
    );
  }
  rmSync(made);
}

function isUnknown(error: unknown): boolean {
  if (error instanceof StoreError) return error.fault === 'outcome unknown';
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause !== undefined && isUnknown(cause);
}
