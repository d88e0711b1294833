import type { Change } from './change.ts';
import { type KeyStore, sameValue } from './key-store.ts';
import { guardedParts } from './movable-store.ts';
import { movePath } from './move-mark.ts';

/** The mark that one run of a copy has set in a store, and that nobody else sets in these bytes. */
export interface OwnMark {
  readonly store: KeyStore;
  readonly bytes: Uint8Array;
  /** Says why the run cannot go on once something else is there. */
  readonly lost: () => Error;
}

/** @throws what `lost` makes, if the mark is not there any more */
export async function requireMark({ store, bytes, lost }: OwnMark): Promise<void> {
  if (!sameValue(await store.get(movePath), bytes)) throw lost();
}

/**
 * A store as one run of a copy may use it: until another run has begun or finished, or the copy was given
 * up. Each commit depends on the run's own mark. Where lots and chunks are changed without one, the
 * mark is looked at just before.
 */
export function whileMarked(mark: OwnMark): KeyStore {
  const { store, bytes } = mark;
  const check = () => requireMark(mark);
  const depending = (changes: readonly Change[]) => [
    ...changes,
    { path: movePath, expected: bytes, next: bytes },
  ];
  const own: Partial<KeyStore> = {
    ...guardedParts(store, { check, look: check, depending }),
    async commit(changes) {
      if (await store.commit(depending(changes))) return true;
      await check();
      return false;
    },
    async removeAll(prefix) {
      await check();
      return store.removeAll(prefix);
    },
  };
  return new Proxy(store, {
    get(_store, name) {
      const given = own[name as keyof KeyStore];
      if (given !== undefined) return given;
      const value = store[name as keyof KeyStore];
      return typeof value === 'function' ? value.bind(store) : value;
    },
  });
}
