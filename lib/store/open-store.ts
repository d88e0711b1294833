import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { ConfigurationError } from '../core/configuration-error.ts';
import { isRegionName, noRegion } from '../model/region-name.ts';
import { isNativeError, type Native, type RootKey } from '../native/addon.ts';
import { makeWithKey, makeWithNewKey } from './first-start.ts';
import type { KeyStore } from './key-store.ts';
import { MovableStore } from './movable-store.ts';
import { adviceOf, openMark, reasonOf } from './move-mark.ts';
import { type Places, placesOf, realPathOf } from './places.ts';
import { StoreError } from './store-errors.ts';
import { createIdentity, readIdentity, type StoreIdentity, storeExists } from './store-identity.ts';
import { isPostgresUrl } from './store-url.ts';

/** Where the root key comes from; `bytes` are 32 and are copied into native memory. */
export type RootKeySource = { readonly file: string } | { readonly bytes: Uint8Array };

export interface StoreOptions {
  /**
   * `sqlite:FILE`, `postgres://…` or `memory:`; by default PAIRMINT_STORE, or `store.db` in
   * PAIRMINT_HOME.
   */
  readonly store?: string | undefined;
  /**
   * Gives the password of each connection to PostgreSQL that is made, such as a token of a cloud's
   * IAM; without it, the URL, PGPASSWORD or PGPASSFILE has it.
   */
  readonly storePassword?: (() => string | Promise<string>) | undefined;
  /**
   * Whether a store that is not there is made: by default yes, but not on PostgreSQL, where a
   * mistaken name would make one beside the store of other machines.
   */
  readonly create?: boolean | undefined;
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
  /** Whether the root key outlives the process. */
  readonly keepsRootKey: boolean;
  /** The file that says how far pools were drawn; undefined if the store has none. */
  readonly drawnFile: string | undefined;
  /** Whether this call made the store. */
  readonly created: boolean;
}

/**
 * Opens a store, and makes it, with its root key, if there is none.
 *
 * @param beforeMaking told of `drawnFile` and the id that the store will have, while there is no store
 *   yet: a process that is killed afterwards leaves a store to make
 * @throws ConfigurationError if the store or the root key cannot be used
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
  checkMaking(places, options);
  const store = await connect(places, native, options);
  try {
    const exists = await storeExists(store);
    const { accountId = '000000000000', region = 'us-east-1' } = options;
    const storeId = randomUUID();
    const own = { storeId, accountId, region };
    if (!exists && isPostgresUrl(places.given)) {
      return await makeShared(store, native, { places, options, own });
    }
    const { rootKey, rootKeyFile } = openRootKey(native, places, source, { made: exists });
    const drawnFile = places.file && `${places.file}-drawn`;
    if (!exists) beforeMaking(drawnFile, storeId);
    const created = !exists && (await createIdentity(store, native, rootKey, own));
    const identity = await readIdentity(store, native, rootKey);
    // Another process that was about to make it may have spoilt the file.
    if (created) beforeMaking(drawnFile, storeId);
    return {
      store: await movable(store, { native, rootKey, identity }),
      rootKey,
      identity: placed(store, identity, options),
      rootKeyFile,
      keepsRootKey: rootKeyFile !== undefined || source !== undefined,
      drawnFile,
      created,
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** @throws ConfigurationError if the store was moved, or is being moved */
async function movable(
  store: KeyStore,
  keys: { native: Native; rootKey: RootKey; identity: StoreIdentity },
): Promise<KeyStore> {
  const guarded = new MovableStore(store, (bytes) => openMark(keys, bytes));
  const mark = await guarded.mark();
  if (mark === undefined) return guarded;
  const reason = reasonOf(store.url, mark);
  throw new ConfigurationError(reason, {
    hint: adviceOf(store.url, mark),
    cause: new StoreError('moved', reason),
  });
}

/** Makes a store on PostgreSQL, if that is asked for. @throws ConfigurationError */
async function makeShared(
  store: KeyStore,
  native: Native,
  { places, options, own }: { places: Places; options: StoreOptions; own: StoreIdentity },
): Promise<OpenedStore> {
  if (options.create !== true) throw notThere(places);
  const { rootKey: source } = options;
  const isGiven = source !== undefined && 'bytes' in source;
  const rootKeyFile = isGiven ? undefined : places.rootKeyFile;
  let rootKey: RootKey;
  if (rootKeyFile === undefined || existsSync(rootKeyFile)) {
    rootKey = openRootKey(native, places, source, { made: true }).rootKey;
    await makeWithKey(store, native, rootKey, own);
  } else {
    rootKey = await makeWithNewKey(store, rootKeyFile, own, { native, refusing });
  }
  const identity = await readIdentity(store, native, rootKey);
  return {
    store: await movable(store, { native, rootKey, identity }),
    rootKey,
    identity: placed(store, identity, options),
    rootKeyFile,
    keepsRootKey: true,
    drawnFile: undefined,
    created: true,
  };
}

/** @throws ConfigurationError if an option does not go with the store */
function checkMaking({ given, file, store }: Places, { create, storePassword }: StoreOptions) {
  if (storePassword !== undefined && typeof storePassword !== 'function') {
    throw new ConfigurationError('storePassword must be a function');
  }
  if (storePassword !== undefined && !isPostgresUrl(given)) {
    throw new ConfigurationError(`storePassword is of no use to the store ${store}`);
  }
  if (create !== undefined && typeof create !== 'boolean') {
    throw new ConfigurationError(`create must be true or false, not ${create}`);
  }
  const isAbsent = given === 'memory:' || (file !== undefined && !existsSync(file));
  if (create === false && isAbsent) throw notThere({ store });
}

function notThere({ store }: Pick<Places, 'store'>): ConfigurationError {
  return new ConfigurationError(`there is no store at ${store}`, {
    hint: 'make it, once, on one machine: pairmint init',
  });
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

/** Opens what is at a place, whether it was made a store or not. @throws ConfigurationError */
export async function connect(
  { store: url, given, file }: Places,
  native: Native,
  { storePassword: password, create: makeSchema }: Pick<StoreOptions, 'storePassword' | 'create'>,
): Promise<KeyStore> {
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
  if (isPostgresUrl(given)) {
    const { PostgresStore } = await import('./postgres/postgres-store.ts');
    return PostgresStore.open(given, { password, makeSchema });
  }
  if (url.startsWith('lmdb:')) throw oldStore(url);
  throw new ConfigurationError(`'${url}' is not a store`, {
    hint: 'a store is sqlite:FILE, postgres://USER@HOST/DATABASE or memory:',
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
  if (source === undefined && places.given === 'memory:') {
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
