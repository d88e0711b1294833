import { loadNative } from '../../dist/native/addon.js';
import { Drawn } from '../../dist/pool/drawn.js';
import { PoolDirectory } from '../../dist/pool/pool-directory.js';
import { openStore } from '../../dist/store/open-store.js';

/** Puts copies of one sealed pair into a pool: minting so many would take hours. */
export async function stock(places, { KeyId, KeyPairSpec, count }) {
  const { store, rootKey, identity } = await openStore(loadNative(), places);
  const drawn = new Drawn(undefined);
  const directory = new PoolDirectory({ store, native: loadNative(), rootKey, drawn });
  const { region, accountId } = identity;
  const pool = await directory.find({ keyId: KeyId, region, accountId, spec: KeyPairSpec });
  const {
    lots: [lot],
  } = await directory.claim(pool, 1);
  // Entries as full as a filler makes them.
  const several = lot.end - lot.first;
  for (let left = count; left > 0; left -= 512) {
    await directory.add(pool, Array(Math.min(left, 512) / several).fill(lot));
  }
  await store.close();
}
