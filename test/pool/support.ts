import crypto from 'node:crypto';
import { KeyDirectory } from '../../lib/keys/key-directory.ts';
import { loadNative } from '../../lib/native/addon.ts';
import { Drawn } from '../../lib/pool/drawn.ts';
import { Filler } from '../../lib/pool/filler.ts';
import { PoolDirectory, type PoolRecord } from '../../lib/pool/pool-directory.ts';
import { Pools } from '../../lib/pool/pools.ts';
import { Refill } from '../../lib/pool/refill.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import type { KeyStore } from '../../lib/store/key-store.ts';
import type { StoredLot } from '../../lib/store/lot-store.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { bytes } from '../operations/support.ts';

/** Quick to mint. */
export const spec = 'ECC_NIST_EDWARDS25519';

export const place = { region: 'us-east-1', accountId: '000000000000' };

/** The parts of the service, for tests that must get between them. */
export async function newParts({
  native = loadNative(),
  store = new MemoryStore() as KeyStore,
  onDryPool = 'mint' as 'mint' | 'fail',
  background = false,
  target = 20,
  low = 10,
  drawn = new Drawn(undefined),
} = {}) {
  const rootKey = native.openRootKey(crypto.randomBytes(32));
  const options = { store, native, rootKey };
  const keys = new KeyDirectory({ ...options, now: () => Date.now() });
  const directory = new PoolDirectory({ ...options, drawn });
  const filler = new Filler({ directory, native });
  const refill = background ? new Refill({ directory, keys, filler }) : undefined;
  const pools = new Pools({ directory, keys, native, onDryPool, refill });
  const key = await newKey(keys);
  const pool = await directory.put({ ...key.record, spec, target, low, creationDate: 0 });
  const material = async () => present(await keys.material(key.record));
  return { ...options, drawn, keys, directory, filler, refill, pools, key, pool, material };
}

export type Parts = Awaited<ReturnType<typeof newParts>>;

async function newKey(keys: KeyDirectory) {
  const record = {
    ...place,
    keyId: crypto.randomUUID(),
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    multiRegion: false,
    creationDate: 0,
    description: '',
    enabled: true,
    aliases: [],
    tags: [],
  } as const;
  return present(await keys.create(record, keys.vault.makeSymmetric(record)));
}

/** Mints pairs into the pool. */
export async function fill(
  { filler, pool, material }: Parts,
  most?: number,
  record: PoolRecord = pool,
): Promise<number> {
  return filler.fill(record, { material, concurrency: 1, most });
}

/** Takes a pair as a request without an encryption context does. */
export async function take({ pools, key, material }: Parts) {
  const demand = { key, spec, material: await material(), context: Buffer.alloc(4) } as const;
  return pools.take({ ...demand, plaintext: false });
}

/** The name that the pairs of a pool wait under. */
export function lotsName({ keyId, spec, poolId }: PoolRecord): string {
  return `${place.region}:${place.accountId}:pool/${keyId}/${spec}/${poolId}/`;
}

/** The lots that wait in a pool. */
export async function lotsIn({ store, pool }: Parts, record = pool): Promise<StoredLot[]> {
  return store.lots.list(lotsName(record), { after: -1, limit: 10_000 });
}

/** Puts lots into a pool, behind pairmint's back: in the place of all that wait there. */
export async function plant(
  { store, pool }: Parts,
  lots: readonly StoredLot[],
  name = lotsName(pool),
): Promise<void> {
  await store.lots.clear(name, []);
  const path = 'planted';
  const value = Buffer.from('x');
  await store.commit([{ path, expected: await store.get(path), next: value }]);
  const unchanged = { path, value };
  const outcome = await store.lots.add({ pool: name, lots, unchanged, filler: 'nobody' });
  if (outcome !== 'added') throw new Error(outcome);
}

export async function takePair(kms: Pairmint, KeyId: string, context: Record<string, string> = {}) {
  return kms.generateDataKeyPairWithoutPlaintext({
    KeyId,
    KeyPairSpec: spec,
    EncryptionContext: context,
  });
}

export function publicKeyText(pair: { PublicKey?: Uint8Array | undefined }): string {
  return bytes(pair.PublicKey).toString('base64');
}

export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected a value, got none');
  return value;
}

/** Collects warnings of pools until the returned function is called. */
export function poolWarnings(): { readonly texts: string[]; end(): void } {
  const texts: string[] = [];
  const listener = (warning: Error & { code?: string }) => {
    if (warning.code === 'PAIRMINT_POOL') texts.push(warning.message);
  };
  process.on('warning', listener);
  return { texts, end: () => process.off('warning', listener) };
}
