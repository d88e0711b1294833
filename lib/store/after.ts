import type { KeyStore } from './key-store.ts';
import type { LotStore } from './lot-store.ts';

/** The methods that change entries of a store. */
export interface StoreChanges extends Pick<KeyStore, 'commit' | 'removeAll'> {
  readonly lots: Pick<LotStore, 'clear'>;
}

/** Called before a change is made, which is not made if it throws. */
export type BeforeChange = () => Promise<void>;

/** The same store; every change is made only after `hook`. */
export function after(hook: BeforeChange, store: StoreChanges): StoreChanges {
  return {
    async commit(changes) {
      await hook();
      return store.commit(changes);
    },
    async removeAll(prefix) {
      await hook();
      return store.removeAll(prefix);
    },
    lots: {
      async clear(prefix, changes) {
        await hook();
        return store.lots.clear(prefix, changes);
      },
    },
  };
}
