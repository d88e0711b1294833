import { type Change, type Entry, type KeyStore, sameValue } from './key-store.ts';

/** Keys that end with the process: for tests and for services that need no key twice. */
export class MemoryStore implements KeyStore {
  readonly url = 'memory:';
  readonly #values = new Map<string, Uint8Array>();
  #commits = 0;

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.#values.get(path);
  }

  async list(
    prefix: string,
    { after, limit }: { after?: string | undefined; limit: number },
  ): Promise<Entry[]> {
    const paths = [...this.#values.keys()]
      .filter((path) => path.startsWith(prefix) && (after === undefined || path > after))
      .sort();
    return paths
      .slice(0, limit)
      .map((path) => ({ path, value: this.#values.get(path) as Uint8Array }));
  }

  async count(prefix: string, most: number, weigh = (_path: string) => 1): Promise<number> {
    let count = 0;
    for (const path of this.#values.keys()) {
      if (count >= most) break;
      if (path.startsWith(prefix)) count += weigh(path);
    }
    return count;
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    if (!changes.every(({ path, expected }) => sameValue(this.#values.get(path), expected))) {
      return false;
    }
    for (const { path, next } of changes) {
      if (next === undefined) this.#values.delete(path);
      else this.#values.set(path, Uint8Array.from(next));
    }
    this.#commits++;
    return true;
  }

  generation(): number {
    return this.#commits;
  }

  async close(): Promise<void> {
    this.#values.clear();
  }
}
