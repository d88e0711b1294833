import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { ConfigurationError } from '../core/configuration-error.ts';
import { isRegionName, noRegion } from '../model/region-name.ts';
import { isNativeError, type Native, type RootKey } from '../native/addon.ts';
import type { KeyStore } from './key-store.ts';
import { type Places, placesOf, realPathOf } from './places.ts';
import { createIdentity, readIdentity, type StoreIdentity, storeExists } from './store-identity.ts';

/** Where the root key comes from; `bytes` are 32 and are copied into native memory. */
export type RootKeySource = { readonly file: string } | { readonly bytes: Uint8Array };

export interface StoreOptions {
  /** `sqlite:FILE` or `memory:`; by default PAIRMINT_STORE, or `store.db` in PAIRMINT_HOME. */
  readonly store?: string | undefined;
  /** By default the file PAIRMINT_ROOT_KEY_FILE, or `root.key` in PAIRMINT_HOME (~/.pairmint). */
  readonly rootKey?: RootKeySource | undefined;
  /** The region of a store that is made now; us-east-1 by default. */
  readonly region?: string | undefined;
  /** The account of a store that is made now; 000000000000 by default. */
  readonly accountId?: string | undefined;
}

export interface OpenedStore {
  readonly store: KeyStore;
  readonly rootKey: RootKey;
  readonly identity: StoreIdentity;
  readonly rootKeyFile: string | undefined;
  /** Where it stands how far pools were drawn; undefined for a store that ends with the process. */
  readonly drawnFile: string | undefined;
  /** Whether this call made the store. */
  readonly created: boolean;
}

/**
 * Opens a store, and makes it, with its root key, where there is none.
 *
 * @param beforeMaking told of `drawnFile` and the id that the store will have, while there is no store
 *   yet: a process that is killed afterwards leaves a store to make
 * @throws ConfigurationError where the store or the root key cannot be used
 */
export async function openStore(
  native: Native,
  options: StoreOptions,
  beforeMaking: (drawnFile: string | undefined, storeId: string) => void = () => {},
): Promise<OpenedStore> {
  checkPlace(options);
  const { rootKey: source } = options;
  const places = placesOf({
    store: options.store,
    rootKeyFile: source !== undefined && 'file' in source ? source.file : undefined,
  });
  const store = await connect(places, native);
  try {
    const made = await storeExists(store);
    const { rootKey, rootKeyFile } = openRootKey(native, places, source, { made });
    const { accountId = '000000000000', region = 'us-east-1' } = options;
    const drawnFile = places.file && `${places.file}-drawn`;
    const storeId = randomUUID();
    if (!made) beforeMaking(drawnFile, storeId);
    const own = { storeId, accountId, region };
    const created = !made && (await createIdentity(store, native, rootKey, own));
    const identity = await readIdentity(store, native, rootKey);
    // Another process that was about to make it may have spoilt the file.
    if (created) beforeMaking(drawnFile, storeId);
    return {
      store,
      rootKey,
      identity: placed(store, identity, options),
      rootKeyFile,
      drawnFile,
      created,
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function checkPlace({ region, accountId }: StoreOptions): void {
  if (region !== undefined && !isRegionName(region)) throw noRegion(region);
  if (accountId !== undefined && !/^\d{12}$/.test(accountId)) {
    throw new ConfigurationError(`'${accountId}' is not an account id of 12 digits`);
  }
}

// One store serves any region, as AWS does with one endpoint each; it belongs to one account.
function placed(
  store: KeyStore,
  identity: StoreIdentity,
  { region = identity.region, accountId = identity.accountId }: StoreOptions,
): StoreIdentity {
  if (accountId !== identity.accountId) {
    throw new ConfigurationError(
      `the store ${store.url} belongs to account ${identity.accountId}, not ${accountId}`,
    );
  }
  return { ...identity, region };
}

async function connect({ store: url, file }: Places, native: Native): Promise<KeyStore> {
  if (url === 'memory:') {
    const { MemoryStore } = await import('./memory-store.ts');
    return new MemoryStore();
  }
  if (file !== undefined && url !== 'sqlite:') {
    refuseOldStore(file);
    // Loaded here, so that a memory store works without it.
    const { SqliteStore } = await import('./sqlite/sqlite-store.ts');
    return SqliteStore.open(file, native.viewFile);
  }
  if (url.startsWith('lmdb:')) throw oldStore(url);
  throw new ConfigurationError(`'${url}' is not a store`, {
    hint: 'a store is sqlite:FILE or memory:',
  });
}

/** Refuses to make a new default store beside one that an earlier pairmint made. */
function refuseOldStore(file: string): void {
  const folder = path.join(path.dirname(file), 'store');
  if (!existsSync(file) && existsSync(path.join(folder, 'data.mdb'))) throw oldStore(folder);
}

function oldStore(place: string): ConfigurationError {
  return new ConfigurationError(
    `the store ${place} is of a form that this pairmint does not read`,
    {
      hint: 'go on with the pairmint that made it, or name a new store: --store sqlite:FILE',
    },
  );
}

function openRootKey(
  native: Native,
  places: Places,
  source: RootKeySource | undefined,
  { made }: { made: boolean },
): { rootKey: RootKey; rootKeyFile: string | undefined } {
  if (source !== undefined && 'bytes' in source) {
    return { rootKey: refusing(() => native.openRootKey(source.bytes)), rootKeyFile: undefined };
  }
  if (source === undefined && places.file === undefined) {
    // Nothing of a memory store outlives it, so neither need its root key.
    return { rootKey: native.openRootKey(undefined), rootKeyFile: undefined };
  }
  return { rootKey: openRootKeyFile(native, places, { made }), rootKeyFile: places.rootKeyFile };
}

/** Opens the root key of a store that is there. @throws ConfigurationError if it cannot be used */
export function openExistingRootKey(native: Native, places: Places): RootKey {
  return openRootKeyFile(native, places, { made: true });
}

function openRootKeyFile(
  native: Native,
  { store, file, rootKeyFile }: Places,
  { made }: { made: boolean },
): RootKey {
  if (file !== undefined && realPathOf(rootKeyFile).startsWith(realPathOf(file))) {
    throw new ConfigurationError(`${rootKeyFile} is a file of the store, not for its root key`, {
      hint: 'a copy of the store must not have its key in it: keep them apart',
    });
  }
  if (!made && !existsSync(rootKeyFile)) {
    mkdirSync(path.dirname(rootKeyFile), { recursive: true, mode: 0o700 });
    refusing(() => native.createRootKey(rootKeyFile));
  }
  return refusing(
    () => native.openRootKey(rootKeyFile),
    made ? `the store ${store} was made with a root key and cannot be read without it` : undefined,
  );
}

function refusing<T>(open: () => T, hint?: string): T {
  try {
    return open();
  } catch (cause) {
    if (!isNativeError(cause)) throw cause;
    const missing = cause.code === 'ROOT_KEY_MISSING' && hint !== undefined;
    throw new ConfigurationError(cause.message, { cause, ...(missing && { hint }) });
  }
}
