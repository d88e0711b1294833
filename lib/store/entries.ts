import { setImmediate as turn } from 'node:timers/promises';
import type { Entry, KeyStore, ListOptions, Stamp } from './key-store.ts';

const atOnce = 500;
// Some milliseconds' work where each is opened; then others have their turn.
const readAtOnce = 100;

/** All entries of a store, a page at a time. Entries that are added meanwhile may be missing. */
export async function* entriesOf(store: KeyStore): AsyncGenerator<Entry> {
  let after: string | undefined;
  do {
    const entries = await store.list('', { after, limit: atOnce });
    yield* entries;
    after = entries.at(-1)?.path;
  } while (after !== undefined);
}

/**
 * Pages through the entries whose paths begin with `prefix`, after the path `after`, until `read` has
 * made `limit` values of them. `read` gets the stamp from before the entries were listed.
 */
export async function collect<T>(
  store: KeyStore,
  prefix: string,
  { after, limit }: ListOptions,
  read: (entries: Entry[], stamp: Stamp | undefined) => Promise<(T | undefined)[]>,
): Promise<T[]> {
  const found: T[] = [];
  let last = after === undefined ? undefined : prefix + after;
  for (;;) {
    const wanted = Math.min(limit - found.length, readAtOnce);
    const stamp = store.stamp();
    const entries = await store.list(prefix, { after: last, limit: wanted });
    for (const value of await read(entries, stamp)) if (value !== undefined) found.push(value);
    if (entries.length < wanted || found.length >= limit) return found;
    last = entries.at(-1)?.path;
    await turn();
  }
}
