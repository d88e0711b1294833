import { existsSync, realpathSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { withoutPassword } from './store-url.ts';

export interface Places {
  /** The store's URL as it may be shown, without a password. */
  readonly store: string;
  /** The same as it was given. */
  readonly given: string;
  /** The file of a `sqlite:` store, by its real name: others are named after it. */
  readonly file: string | undefined;
  readonly rootKeyFile: string;
}

const scheme = 'sqlite:';

/** Suffixes of the names of the files beside a store's. */
export const companions = ['-wal', '-shm', '-commits', '-drawn'];

/**
 * Where a store and its root key file are: as given, or as PAIRMINT_STORE and PAIRMINT_ROOT_KEY_FILE
 * say, or in PAIRMINT_HOME, which is `~/.pairmint` by default.
 */
export function placesOf(
  given: { store?: string | undefined; rootKeyFile?: string | undefined },
  env: NodeJS.ProcessEnv = process.env,
): Places {
  // `||`: a variable that is set to nothing, as in `PAIRMINT_HOME= pairmint …`, says nothing.
  const home = env.PAIRMINT_HOME || path.join(os.homedir(), '.pairmint');
  const store = given.store ?? (env.PAIRMINT_STORE || `${scheme}${path.join(home, 'store.db')}`);
  const key = given.rootKeyFile ?? (env.PAIRMINT_ROOT_KEY_FILE || path.join(home, 'root.key'));
  const file = store.startsWith(scheme) ? path.resolve(store.slice(scheme.length)) : undefined;
  return {
    store: withoutPassword(store),
    given: store,
    file: file && realPathOf(file),
    rootKeyFile: path.resolve(key),
  };
}

/** What is at the path of a store's file; `emptied` is one that lost its contents. */
export type StoreState = 'none' | 'some' | 'emptied';

/**
 * An empty file is no store yet. But the files beside a store are made after its own has contents,
 * so if one of them is there, the contents were lost.
 */
export function storeStateAt(file: string): StoreState {
  const size = sizeOf(file);
  if (size === undefined) return 'none';
  if (size > 0) return 'some';
  return companions.some((end) => (sizeOf(file + end) ?? 0) > 0) ? 'emptied' : 'none';
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

/** Resolves the symbolic links of the part of a path that exists. */
export function realPathOf(file: string): string {
  if (existsSync(file)) return realpathSync(file);
  const parent = path.dirname(file);
  return parent === file ? file : path.join(realPathOf(parent), path.basename(file));
}
