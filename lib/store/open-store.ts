import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { ConfigurationError } from '../configuration-error.ts';
import { isNativeError, type Native, type RootKey } from '../native.ts';
import type { KeyStore } from './key-store.ts';
import { type Places, placesOf } from './places.ts';
import { isRegionName, noRegion } from './region-name.ts';
import { createIdentity, readIdentity, type StoreIdentity, storeExists } from './store-identity.ts';

/** Where the root key comes from; `bytes` are 32 and are copied into native memory. */
export type RootKeySource = { readonly file: string } | { readonly bytes: Uint8Array };

export interface StoreOptions {
  /** `lmdb:FOLDER` or `memory:`; by default PAIRMINT_STORE, or the folder `store` in PAIRMINT_HOME. */
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
  /** Whether this call made the store. */
  readonly created: boolean;
}

/**
 * Opens a store, and makes it, with its root key, where there is none.
 *
 * @throws ConfigurationError where the store or the root key cannot be used
 */
export async function openStore(native: Native, options: StoreOptions): Promise<OpenedStore> {
  checkPlace(options);
  const { rootKey: source } = options;
  const places = placesOf({
    store: options.store,
    rootKeyFile: source !== undefined && 'file' in source ? source.file : undefined,
  });
  const store = await connect(places.store, native);
  try {
    const made = await storeExists(store);
    const { rootKey, rootKeyFile } = openRootKey(native, places, source, { made });
    if (!made) {
      const { accountId = '000000000000', region = 'us-east-1' } = options;
      await createIdentity(store, native, rootKey, { accountId, region });
    }
    const identity = await readIdentity(store, native, rootKey);
    return {
      store,
      rootKey,
      identity: placed(store, identity, options),
      rootKeyFile,
      created: !made,
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

async function connect(url: string, native: Native): Promise<KeyStore> {
  const [, scheme, rest = ''] = /^([a-z]+):(.*)$/s.exec(url) ?? [];
  if (scheme === 'memory' && rest === '') {
    const { MemoryStore } = await import('./memory-store.ts');
    return new MemoryStore();
  }
  if (scheme === 'lmdb' && rest !== '') {
    // Loaded here, so that a memory store works without it.
    const { LmdbStore } = await import('./lmdb-store.ts');
    return LmdbStore.open(path.resolve(rest), native.viewFile);
  }
  throw new ConfigurationError(`'${url}' is not a store`, {
    hint: 'a store is lmdb:FOLDER or memory:',
  });
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
  if (source === undefined && places.folder === undefined) {
    // Nothing of a memory store outlives it, so neither need its root key.
    return { rootKey: native.openRootKey(undefined), rootKeyFile: undefined };
  }
  return { rootKey: openRootKeyFile(native, places, { made }), rootKeyFile: places.rootKeyFile };
}

function openRootKeyFile(
  native: Native,
  { store, folder, rootKeyFile }: Places,
  { made }: { made: boolean },
): RootKey {
  if (folder !== undefined && liesInside(folder, rootKeyFile)) {
    throw new ConfigurationError(`the root key file ${rootKeyFile} lies inside the store`, {
      hint: 'whoever copies the store would copy its key: keep them apart',
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

function liesInside(folder: string, file: string): boolean {
  const way = path.relative(realPathOf(folder), realPathOf(file));
  // The first part, not the first characters: a name may begin with two dots.
  return way.split(path.sep)[0] !== '..' && !path.isAbsolute(way);
}

/** Resolves the symbolic links of the part of a path that exists. */
function realPathOf(file: string): string {
  if (existsSync(file)) return realpathSync(file);
  const parent = path.dirname(file);
  return parent === file ? file : path.join(realPathOf(parent), path.basename(file));
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
