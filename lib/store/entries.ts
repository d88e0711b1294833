import type { Entry, KeyStore } from './key-store.ts';

const atOnce = 500;

/** All entries of a store, a page at a time: those that are added meanwhile may be among them or not. */
export async function* entriesOf(store: KeyStore): AsyncGenerator<Entry> {
  let after: string | undefined;
  do {
    const entries = await store.list('', { after, limit: atOnce });
    yield* entries;
    after = entries.at(-1)?.path;
  } while (after !== undefined);
}
