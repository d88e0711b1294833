import os from 'node:os';
import path from 'node:path';
import type { OwnOptions } from './context.ts';

export interface Places {
  readonly store: string;
  /** Where the store is kept on this machine, if it is. */
  readonly folder: string | undefined;
  readonly rootKeyFile: string;
}

/** Where `Pairmint.open` would look. Only for commands that must not make what is not there. */
export function defaultPlaces(own: OwnOptions, env: NodeJS.ProcessEnv = process.env): Places {
  const home = env.PAIRMINT_HOME ?? path.join(os.homedir(), '.pairmint');
  const store = own.store ?? env.PAIRMINT_STORE ?? `lmdb:${path.join(home, 'store')}`;
  const rootKeyFile = own.rootKeyFile ?? env.PAIRMINT_ROOT_KEY_FILE ?? path.join(home, 'root.key');
  const folder = store.startsWith('lmdb:') ? path.resolve(store.slice('lmdb:'.length)) : undefined;
  return { store, folder, rootKeyFile: path.resolve(rootKeyFile) };
}
