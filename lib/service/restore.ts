import { randomBytes } from 'node:crypto';
import { constants, copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { ConfigurationError } from '../core/configuration-error.ts';
import { messageOf } from '../core/error-message.ts';
import { keyIdBytes } from '../model/key-id.ts';
import { loadNative, type Native, type RootKey } from '../native/addon.ts';
import { Drawn } from '../pool/drawn.ts';
import { PoolDirectory } from '../pool/pool-directory.ts';
import { Fence } from '../store/fence.ts';
import { isAway, movePath, openMark, reasonOf } from '../store/move-mark.ts';
import { openExistingRootKey } from '../store/open-store.ts';
import { companions, type Places, placesOf } from '../store/places.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { StoreError } from '../store/store-errors.ts';
import { readIdentity } from '../store/store-identity.ts';
import { checkStore } from './check.ts';
import { readersOf } from './readers.ts';

export interface Restored {
  readonly url: string;
  /** The new path of the store that could not be opened. */
  readonly movedTo: string | undefined;
}

/**
 * Replaces a store by a backup, which must be sound and made under the same root key; otherwise
 * nothing is changed. Processes that use the store go on with the backup's records. Its pools are
 * empty.
 *
 * @throws ConfigurationError if the backup or the root key cannot be used
 */
export async function restoreBackup(
  backup: string,
  options: { store?: string | undefined; rootKeyFile?: string | undefined },
): Promise<Restored> {
  const places = placesOf(options);
  const file = requireFile(places);
  const native = loadNative();
  const rootKey = openExistingRootKey(native, places);
  requireBackup(backup, file);
  const copy = `${file}.${randomBytes(8).toString('hex')}.restoring`;
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

/** Checks a backup and returns the id of its store. */
async function examine(copy: string, backup: string, { native, rootKey }: Keys): Promise<string> {
  const store = await SqliteStore.open(copy).catch((error) => {
    const reason = messageOf(((error as Error).cause as Error | undefined) ?? error);
    throw new ConfigurationError(`${backup} is not a backup: ${reason}`, { cause: error });
  });
  try {
    const identity = await readIdentity(store, native, rootKey).catch((error) => {
      throw namedAfter(backup, store.url, error);
    });
    const { faults } = await checkStore(readersOf(store, { native, rootKey, identity }));
    const [first] = faults;
    if (first === undefined) return identity.storeId;
    const others = faults.length === 1 ? '' : `, and ${faults.length - 1} more`;
    throw new ConfigurationError(`${backup} is damaged: ${first}${others}`);
  } finally {
    await store.close();
  }
}

/** A refusal of the copy as one of the backup itself. */
function namedAfter(backup: string, url: string, error: unknown): unknown {
  if (!(error instanceof ConfigurationError)) return error;
  const { message, hint, cause } = error;
  return new ConfigurationError(
    message.replace(`the store ${url}`, `the backup ${backup}`).replace(url, backup),
    { cause, ...(hint !== undefined && { hint }) },
  );
}

/** Restores the copy; returns the new path of a store that could not be opened. */
async function putInPlace(
  copy: string,
  file: string,
  { native, rootKey, storeId }: Keys & { storeId: string },
): Promise<string | undefined> {
  // A log of changes without its store belongs to another store, but SQLite would apply it here.
  if (!existsSync(file)) return replaceDamaged(copy, file);
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
    const identity = await readIdentity(store, native, rootKey);
    if (identity.storeId !== storeId) {
      throw new ConfigurationError(`the store ${store.url} is not the one of the backup`, {
        hint: 'restore it to a file that is not there yet: --store sqlite:FILE',
      });
    }
    const mark = openMark({ native, rootKey, identity }, await store.get(movePath));
    if (isAway(mark)) throw new ConfigurationError(reasonOf(store.url, mark));
    await store.copies.restore(copy);
  } finally {
    await store.close();
  }
}

/** Whether a store failed because its file is damaged. */
function isDamage(error: unknown): boolean {
  if (error instanceof StoreError) return error.fault === 'corrupt';
  const { cause } = error as { cause?: unknown };
  return cause !== undefined && isDamage(cause);
}

/** Moves the remains of a store aside, if there are any, and puts the copy in its place. */
function replaceDamaged(copy: string, file: string): string | undefined {
  const movedTo = `${file}.damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  const left = ['', ...companions].filter((end) => existsSync(file + end));
  for (const end of left) renameSync(file + end, movedTo + end);
  renameSync(copy, file);
  return left.length === 0 ? undefined : movedTo;
}

/** @throws ConfigurationError if the file is missing, is the store itself, or is a store in use */
function requireBackup(backup: string, file: string): void {
  const found = statSync(backup, { throwIfNoEntry: false });
  if (found === undefined) throw new ConfigurationError(`there is no file ${backup}`);
  // Reading a pipe or a device might never end, and an empty file would be made a store.
  if (!found.isFile() || found.size === 0) {
    throw new ConfigurationError(`${backup} is not a backup`);
  }
  if (found.ino === statSync(file, { throwIfNoEntry: false })?.ino) {
    throw new ConfigurationError(`${backup} is the store itself`);
  }
  if ((statSync(`${backup}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  throw new ConfigurationError(`${backup} is a store in use, not a backup`, {
    hint: "make one of it: 'pairmint store backup FILE'",
  });
}

async function fence(file: string, { native, rootKey }: Keys): Promise<void> {
  const store = await SqliteStore.open(file, native.viewFile);
  try {
    const identity = await readIdentity(store, native, rootKey);
    const fence = new Fence({ store, native, rootKey, identity });
    const storeId = keyIdBytes(identity.storeId);
    const drawn = new Drawn(`${file}-drawn`, { storeId, fence: () => fence.last });
    const pools = new PoolDirectory({ store, native, rootKey, drawn });
    await pools.voidAll();
    await fence.raise();
    await pools.acceptStore();
    drawn.close();
  } finally {
    await store.close();
  }
}

function requireFile({ store, file }: Places): string {
  if (file !== undefined) return path.resolve(file);
  throw new ConfigurationError(`a backup cannot be restored to ${store}`, {
    hint: 'name a file: --store sqlite:FILE',
  });
}
