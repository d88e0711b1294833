import type { BatchDirectory } from '../batch/batch-directory.ts';
import { messageOf } from '../core/error-message.ts';
import { type CredentialDirectory, sweepPath } from '../keys/credential-directory.ts';
import type { GrantDirectory } from '../keys/grant-directory.ts';
import type { KeyDirectory } from '../keys/key-directory.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { PoolDirectory } from '../pool/pool-directory.ts';
import { entriesOf } from '../store/entries.ts';
import type { Fence } from '../store/fence.ts';
import { historyPath } from '../store/history.ts';
import type { Entry, KeyStore } from '../store/key-store.ts';
import { movePath, openMark } from '../store/move-mark.ts';
import { openState } from '../store/sealed-state.ts';
import { readIdentity, type StoreIdentity } from '../store/store-identity.ts';

/** The directories that read a store's records. */
export interface Readers {
  readonly store: KeyStore;
  readonly native: Native;
  readonly rootKey: RootKey;
  readonly identity: StoreIdentity;
  readonly fence: Fence;
  readonly keys: KeyDirectory;
  readonly grants: GrantDirectory;
  readonly credentials: CredentialDirectory;
  readonly pools: PoolDirectory;
  readonly batches: BatchDirectory;
}

export interface CheckReport {
  /** How many records were checked. */
  readonly records: number;
  /** How many pairs wait. */
  readonly pairs: number;
  /** One sentence for each entry that is not as pairmint wrote it. */
  readonly faults: readonly string[];
}

/** For each kind of record, the paths that it has and the check that returns its faults. */
type Kinds = readonly (readonly [RegExp, (entry: Entry) => Promise<readonly string[]>])[];

/**
 * Checks every record of a store: that it is authentic, that the records it names exist and, for
 * pools and batches, every lot and chunk. Changes nothing.
 */
export async function checkStore(readers: Readers): Promise<CheckReport> {
  const { store, native, rootKey, identity, fence, keys, grants, credentials, pools, batches } =
    readers;
  const faults: string[] = [];
  const materials = new Set<string>();
  let records = 0;
  let pairs = 0;
  const attempt = async (check: () => Promise<readonly string[]>) => {
    try {
      faults.push(...(await check()));
    } catch (error) {
      faults.push(describe(error));
    }
  };
  const kinds: Kinds = [
    [/^(?:format|identity)$/, () => nothingWrong(readIdentity(store, native, rootKey))],
    [
      new RegExp(`^${movePath}$`),
      async ({ value }) => {
        openMark(readers, value);
        return [];
      },
    ],
    // A time, and no secret: another one in its place has sessions looked for earlier or later.
    [new RegExp(`^${sweepPath}$`), async () => []],
    [
      new RegExp(`^${historyPath}$`),
      async ({ path, value }) =>
        openState(native, rootKey, keyIdBytes(identity.storeId), value) === undefined
          ? [`${path} is not as pairmint wrote it`]
          : [],
    ],
    [/^fence$/, () => nothingWrong(fence.read())],
    [
      /^backup$/,
      async ({ path, value }) =>
        openState(native, rootKey, keyIdBytes(identity.storeId), value) === undefined
          ? [`${path} is not as pairmint wrote it`]
          : [],
    ],
    [/^[^/]*:key\//, async (entry) => keys.check(entry, materials)],
    [/^[^/]*:alias\//, async (entry) => keys.checkAlias(entry)],
    [/^[^/]*:grant\//, async (entry) => grants.check(keys, entry)],
    // Indexes of grants: readers check what they find there, so entries may outlive their grants.
    [/^[^/]*:(?:grant-name|retirable)\//, async () => []],
    [/^credential\//, async (entry) => credentials.check(entry)],
    [
      /^[^/]*:pool-record\//,
      async (entry) => {
        const found = await pools.check(keys, entry);
        pairs += found.pairs;
        return found.faults;
      },
    ],
    [/^[^/]*:batch\//, async (entry) => batches.check(entry)],
    // Last: by now the keys have said which materials are theirs.
    [/^material\//, async ({ path }) => (materials.has(path) ? [] : [`${path} is of no key`])],
  ];
  const kindOf = (path: string) => kinds.find(([pattern]) => pattern.test(path));
  await attempt(async () => (await store.copies?.faults()) ?? []);
  for (const isLast of [false, true]) {
    await attempt(async () => {
      for await (const entry of entriesOf(store)) {
        const [, check] = kindOf(entry.path) ?? [];
        if ((check === kinds.at(-1)?.[1]) !== isLast) continue;
        records++;
        if (check === undefined) faults.push(`${entry.path} is no record that pairmint writes`);
        else await attempt(() => check(entry));
      }
      return [];
    });
  }
  await attempt(() => pools.strayLots());
  await attempt(() => batches.strays());
  return { records, pairs, faults };
}

/** A check that the read itself makes: if it succeeds, there are no faults. */
async function nothingWrong(read: Promise<unknown>): Promise<string[]> {
  await read;
  return [];
}

function describe(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? messageOf(error) : `${messageOf(error)} ${messageOf(cause)}`;
}
