import os from 'node:os';
import path from 'node:path';

export interface Places {
  /** The store's URL. */
  readonly store: string;
  /** The folder of an lmdb store. */
  readonly folder: string | undefined;
  readonly rootKeyFile: string;
}

/**
 * Where a store and its root key file are: where it is said, or where PAIRMINT_STORE and
 * PAIRMINT_ROOT_KEY_FILE say, or in PAIRMINT_HOME, which is `~/.pairmint` by default.
 */
export function placesOf(
  given: { store?: string | undefined; rootKeyFile?: string | undefined },
  env: NodeJS.ProcessEnv = process.env,
): Places {
  // `||`: a variable that is set to nothing, as in `PAIRMINT_HOME= pairmint …`, says nothing.
  const home = env.PAIRMINT_HOME || path.join(os.homedir(), '.pairmint');
  const store = given.store ?? (env.PAIRMINT_STORE || `lmdb:${path.join(home, 'store')}`);
  const file = given.rootKeyFile ?? (env.PAIRMINT_ROOT_KEY_FILE || path.join(home, 'root.key'));
  const folder = store.startsWith('lmdb:') ? path.resolve(store.slice('lmdb:'.length)) : undefined;
  return { store, folder, rootKeyFile: path.resolve(file) };
}
