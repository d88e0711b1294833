import { BatchDirectory } from '../batch/batch-directory.ts';
import { CredentialDirectory } from '../keys/credential-directory.ts';
import { GrantDirectory } from '../keys/grant-directory.ts';
import { KeyDirectory } from '../keys/key-directory.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
import { Drawn } from '../pool/drawn.ts';
import { PoolDirectory } from '../pool/pool-directory.ts';
import { Fence } from '../store/fence.ts';
import type { KeyStore } from '../store/key-store.ts';
import type { StoreIdentity } from '../store/store-identity.ts';

/** The directories of a store that serves nobody, for those who check or copy it. */
export function readersOf(
  store: KeyStore,
  {
    drawnFile,
    ...keys
  }: {
    native: Native;
    rootKey: RootKey;
    identity: StoreIdentity;
    /** Where it stands how far pools were drawn, if they are. */
    drawnFile?: string | undefined;
  },
) {
  const options = { store, ...keys };
  const now = () => Date.now();
  const fence = new Fence(options);
  const storeId = keyIdBytes(keys.identity.storeId);
  const drawn = new Drawn(drawnFile, { storeId, fence: () => fence.last });
  const pools = new PoolDirectory({ ...options, drawn });
  return {
    ...options,
    fence,
    drawn,
    pools,
    keys: new KeyDirectory({ ...options, now }),
    grants: new GrantDirectory(options),
    credentials: new CredentialDirectory({ ...options, now, check: () => {} }),
    batches: new BatchDirectory({ ...options, needsFence: () => pools.needsFence }),
  };
}
