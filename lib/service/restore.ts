import { constants, copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ConfigurationError } from '../configuration-error.ts';
import { messageOf } from '../error-message.ts';
import { loadNative, type Native, type RootKey } from '../native.ts';
import { Drawn } from '../pool/drawn.ts';
import { PoolDirectory } from '../pool/pool-directory.ts';
import { CredentialDirectory } from '../store/credential-directory.ts';
import { Fence } from '../store/fence.ts';
import { GrantDirectory } from '../store/grant-directory.ts';
import { KeyDirectory } from '../store/key-directory.ts';
import type { KeyStore } from '../store/key-store.ts';
import { openExistingRootKey } from '../store/open-store.ts';
import { type Places, placesOf } from '../store/places.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { StoreError } from '../store/store-errors.ts';
import { readIdentity } from '../store/store-identity.ts';
import { checkStore } from './check.ts';

export interface Restored {
  readonly url: string;
  /** Where a store that could not be opened was put. */
  readonly movedTo: string | undefined;
}

const companions = ['-wal', '-shm', '-commits', '-drawn'];

/**
 * Puts a backup in the place of a store. Nothing is changed unless the backup is sound and was made
 * under the same root key. Processes that use the store go on with the backup's records. Pools are
 * empty.
 *
 * @throws ConfigurationError if the backup or the root key cannot be used
 */
export async function restoreBackup(
  backup: string,
  given: { store?: string | undefined; rootKeyFile?: string | undefined },
): Promise<Restored> {
  const places = placesOf(given);
  const file = requireFile(places);
  const native = loadNative();
  const rootKey = openExistingRootKey(native, places);
  const copy = `${file}.${process.pid}.restoring`;
  try {
    copyFileSync(backup, copy, constants.COPYFILE_EXCL);
    const storeId = await examine(copy, backup, { native, rootKey });
    const movedTo = await putInPlace(copy, file, { native, rootKey, storeId });
    await fence(file, { native, rootKey });
    return { url: places.store, movedTo };
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const { cause = error } = error as { cause?: unknown };
    throw new ConfigurationError(`${backup} cannot be restored: ${messageOf(cause)}`, { cause });
  } finally {
    for (const end of ['', ...companions]) rmSync(copy + end, { force: true });
  }
}

interface Keys {
  readonly native: Native;
  readonly rootKey: RootKey;
}

/** The store's id in a backup that is sound. */
async function examine(copy: string, backup: string, { native, rootKey }: Keys): Promise<string> {
  const store = await SqliteStore.open(copy);
  try {
    const { storeId } = await readIdentity(store, native, rootKey);
    const { faults } = await checkStore(readersOf(store, { native, rootKey }));
    const [first] = faults;
    if (first === undefined) return storeId;
    throw new ConfigurationError(`${backup} is damaged: ${first}`, {
      hint: `it has ${faults.length} faults; pairmint store check --store sqlite:${backup} lists them`,
    });
  } finally {
    await store.close();
  }
}

/** Where what was in the place went, if it could not be used. */
async function putInPlace(
  copy: string,
  file: string,
  { native, rootKey, storeId }: Keys & { storeId: string },
): Promise<string | undefined> {
  if (!existsSync(file)) {
    renameSync(copy, file);
    return undefined;
  }
  try {
    await takeOver(copy, file, { native, rootKey, storeId });
    return undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return replaceDamaged(copy, file);
  }
}

async function takeOver(
  copy: string,
  file: string,
  { native, rootKey, storeId }: Keys & { storeId: string },
): Promise<void> {
  const store = await SqliteStore.open(file);
  try {
    const there = await readIdentity(store, native, rootKey);
    if (there.storeId !== storeId) {
      throw new ConfigurationError(`the store ${store.url} is not the one of the backup`, {
        hint: 'restore it to a file that is not there yet: --store sqlite:FILE',
      });
    }
    await store.copies.restore(copy);
  } finally {
    await store.close();
  }
}

/** Whether a store failed because its file is not as SQLite wrote it. */
function isDamage(error: unknown): boolean {
  if (error instanceof StoreError) return error.fault === 'corrupt';
  const { cause } = error as { cause?: unknown };
  return cause !== undefined && isDamage(cause);
}

function replaceDamaged(copy: string, file: string): string {
  const movedTo = `${file}.damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  for (const end of ['', ...companions]) {
    if (existsSync(file + end)) renameSync(file + end, movedTo + end);
  }
  renameSync(copy, file);
  return movedTo;
}

async function fence(file: string, { native, rootKey }: Keys): Promise<void> {
  const store = await SqliteStore.open(file, native.viewFile);
  try {
    const identity = await readIdentity(store, native, rootKey);
    await new Fence({ store, native, rootKey, identity }).raise();
    const drawn = new Drawn(`${file}-drawn`);
    await new PoolDirectory({ store, native, rootKey, drawn }).fence();
    drawn.close();
  } finally {
    await store.close();
  }
}

function readersOf(store: KeyStore, { native, rootKey }: Keys) {
  const options = { store, native, rootKey };
  const now = () => Date.now();
  return {
    store,
    keys: new KeyDirectory({ ...options, now }),
    grants: new GrantDirectory(options),
    credentials: new CredentialDirectory({ ...options, now, check: () => {} }),
    pools: new PoolDirectory({ ...options, drawn: new Drawn(undefined) }),
  };
}

function requireFile({ store, file }: Places): string {
  if (file !== undefined) return path.resolve(file);
  throw new ConfigurationError(`a backup cannot be restored to ${store}`, {
    hint: 'name a file: --store sqlite:FILE',
  });
}
