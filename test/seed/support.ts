import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { temporaryFolder } from '../support/folders.ts';

export const keyId = 'bc436485-5092-42b8-92a3-0aa8b93536dc';
export const otherKeyId = '0f5c1a52-3b07-4c3f-9d5e-2a4a1b7d9c11';

/** A seed of one key, or of several, in our own format. */
export function seedOf(...keys: object[]): { version: 1; keys: object[] } {
  return { version: 1, keys: keys.map((key) => ({ KeyId: keyId, ...key })) };
}

/** Opens a store in memory of its own, with a root key of its own. */
export function openSeeded(
  seed: string | object,
  options: Parameters<typeof Pairmint.open>[0] = {},
): Promise<Pairmint> {
  return Pairmint.open({ store: 'memory:', rootKey: { bytes: randomBytes(32) }, seed, ...options });
}

/** What opening a store with a seed fails with: its message, and its hint in a second line. */
export async function refusalOf(seed: string | object, options = {}): Promise<string> {
  try {
    await (await openSeeded(seed, options)).close();
  } catch (error) {
    const { name, message, hint } = error as Error & { hint?: string };
    if (name !== 'ConfigurationError') throw error;
    return hint === undefined ? message : `${message}\n${hint}`;
  }
  throw new Error('expected a refusal');
}

/** Writes a seed file that the end of the test removes. */
export function seedFile(text: string | Uint8Array, name = 'seed.yaml'): string {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}

/** A store in a folder with its root key file, as options of `open`. */
export function storeIn(folder: string): { store: string; rootKey: { file: string } } {
  return {
    store: `sqlite:${path.join(folder, 'store.db')}`,
    rootKey: { file: path.join(folder, 'root.key') },
  };
}
