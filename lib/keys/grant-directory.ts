import { createHash, randomBytes } from 'node:crypto';
import { RecentlyUsed } from '../core/recently-used.ts';
import { KmsError } from '../model/errors.ts';
import { keyIdBytes } from '../model/key-id.ts';
import type { GrantConstraints, GrantOperation } from '../model/types.ts';
import type { Native, RootKey } from '../native/addon.ts';
import { principalName } from '../policy/principal.ts';
import type { Change } from '../store/change.ts';
import { collect } from '../store/entries.ts';
import type { Entry, KeyStore } from '../store/key-store.ts';
import { retry } from '../store/retry.ts';
import { openState, sealState } from '../store/sealed-state.ts';
import { removal, SealedTable, unchanged } from '../store/sealed-table.ts';
import type { Key } from './key.ts';
import type { KeyDirectory } from './key-directory.ts';
import {
  grantNamesPrefix,
  grantsPrefix,
  type KeyPlace,
  type Place,
  retirablePrefix,
} from './paths.ts';

/** A grant as it was made; it never changes. */
export interface GrantRecord {
  readonly grantId: string;
  readonly keyId: string;
  readonly region: string;
  readonly accountId: string;
  /** Milliseconds since the epoch. */
  readonly creationDate: number;
  readonly name?: string;
  /** Undefined if it is `granteeServicePrincipal`. */
  readonly granteePrincipal?: string;
  readonly granteeServicePrincipal?: string;
  readonly retiringPrincipal?: string;
  readonly retiringServicePrincipal?: string;
  readonly issuingAccount: string;
  readonly operations: readonly GrantOperation[];
  readonly constraints?: GrantConstraints;
}

export type NewGrant = Omit<GrantRecord, 'grantId'>;

// A grant's id begins with what its grantee's do, so that the grants of one grantee are found
// without reading those of all others, and a path has nothing that its grant's id has not.
const granteeLength = 16;

// One of them allows what is asked nearly always; the others are read again then.
const rememberedOfGrantee = 100;

// AWS's quota: grants per KMS key.
const usualQuota = 50_000;

/** The grants of a store. Everything read is authenticated, as with keys. */
export class GrantDirectory {
  readonly #store: KeyStore;
  readonly #native: Native;
  readonly #rootKey: RootKey;
  readonly #table: SealedTable<GrantRecord>;
  readonly #quota: number;
  /** The paths of grants that were read, by what the grants of their key and grantee begin with. */
  readonly #remembered = new RecentlyUsed<readonly string[]>();

  constructor(options: { store: KeyStore; native: Native; rootKey: RootKey; quota?: number }) {
    this.#store = options.store;
    this.#native = options.native;
    this.#rootKey = options.rootKey;
    this.#table = new SealedTable<GrantRecord>(options, {
      member: 'grant',
      pathOf: grantPath,
      sealingId: (path) => keyIdBytes(/grant\/([^/]+)\//.exec(path)?.[1] ?? ''),
      rowOf: (row) => row,
    });
    this.#quota = options.quota ?? usualQuota;
  }

  /**
   * Makes a grant, or finds the one that was made under the same name on the same terms. `check`
   * gets the key as it is then, and may refuse, or name what must not have changed either.
   */
  async create(
    keys: KeyDirectory,
    first: Key,
    grant: NewGrant,
    check?: (key: Key) => Promise<readonly Change[]>,
  ): Promise<GrantRecord> {
    let keyAsRead: Key | undefined = first;
    return retry(async () => {
      const key = keyAsRead ?? (await keys.find({ kind: 'key', ...grant }));
      keyAsRead = undefined;
      const others = (await check?.(key)) ?? [];
      const tail = randomBytes(32).toString('hex').slice(granteeLength);
      const record = { ...grant, grantId: nameHash(granteeOf(grant)) + tail };
      const namePath = namePathOf(grant);
      const namesake = namePath === undefined ? undefined : await this.#store.get(namePath);
      if (namesake) {
        const existing = await this.find(grant, Buffer.from(namesake).toString('latin1'));
        // The note is not authenticated, the grant's own terms are.
        if (existing !== undefined && namePathOf(existing) === namePath) return existing;
      }
      await this.#requireRoom(key);
      const note = { expected: namesake, next: Buffer.from(record.grantId, 'latin1') };
      const committed = await keys.commit([
        keys.unchanged(key),
        ...others,
        this.#table.insertion(record),
        ...indexChanges(record, undefined, Buffer.from(record.keyId, 'latin1')),
        ...(namePath === undefined ? [] : [{ path: namePath, ...note }]),
      ]);
      return committed && record;
    });
  }

  async #requireRoom({ arn, record }: Key): Promise<void> {
    const count = await this.#store.count(grantsPrefix(record), this.#quota);
    if (count < this.#quota) return;
    throw new KmsError(
      'LimitExceededException',
      `${arn} has ${this.#quota} grants, the most it can have.`,
    );
  }

  async find(key: KeyPlace, grantId: string): Promise<GrantRecord | undefined> {
    const row = await this.#table.read(grantPath({ ...key, grantId }));
    return row?.record;
  }

  /** A no-op change: the commit fails if the grant is gone. Undefined if it is already. */
  async unchanged(grant: GrantRecord): Promise<Change | undefined> {
    const entry = await this.#table.entry(grantPath(grant));
    return entry && unchanged(entry);
  }

  /** Deletes a grant of a key; false if there is none, or if the key or the grant has changed. */
  async delete(keys: KeyDirectory, grant: GrantRecord, key: Key): Promise<boolean> {
    const entry = await this.#table.entry(grantPath(grant));
    if (entry === undefined) return false;
    return keys.commit([
      keys.unchanged(key),
      removal(entry),
      ...indexChanges(grant, Buffer.from(grant.keyId, 'latin1'), undefined),
      ...(await this.#forgetName(grant)),
    ]);
  }

  async #forgetName(grant: GrantRecord): Promise<Change[]> {
    const path = namePathOf(grant);
    const value = path === undefined ? undefined : await this.#store.get(path);
    if (path === undefined || value === undefined) return [];
    // If it is another id, another grant has the name by now.
    const isOurs = Buffer.from(value).toString('latin1') === grant.grantId;
    return isOurs ? [removal({ path, value })] : [];
  }

  /** The grants of a key, or those of one grantee, in the order of their ids. */
  async list(
    key: KeyPlace,
    options: { grantee?: string | undefined; after?: string | undefined; limit: number },
  ): Promise<GrantRecord[]> {
    const prefix = grantsPrefix(key);
    const { grantee, after, limit } = options;
    const range = prefix + (grantee === undefined ? '' : nameHash(grantee));
    const stamp = this.#store.stamp();
    const entries = await this.#store.list(range, { after: after && prefix + after, limit });
    if (grantee === undefined) return entries.map((entry) => this.#table.open(entry).record);
    const paths = entries.slice(0, rememberedOfGrantee).map(({ path }) => path);
    if (after === undefined) this.#remembered.set(range, paths);
    return entries.map((entry) => this.#table.take(entry, stamp).record);
  }

  /** Grants of one grantee that were read before and still hold; others may have been made since. */
  remembered(key: KeyPlace, grantee: string): GrantRecord[] {
    const paths = this.#remembered.get(grantsPrefix(key) + nameHash(grantee)) ?? [];
    return paths.flatMap((path) => this.#table.peek(path)?.record?.record ?? []);
  }

  /** The grants over keys of an account that a principal may retire. */
  async listRetirable(
    place: Place,
    principal: string,
    options: { after?: string | undefined; limit: number },
  ): Promise<GrantRecord[]> {
    const prefix = retirablePrefix(place, nameHash(principal));
    return collect(this.#store, prefix, options, async (entries) => {
      const grants: GrantRecord[] = [];
      for (const { path, value } of entries) {
        const keyId = Buffer.from(value).toString('latin1');
        const grant = await this.find({ ...place, keyId }, path.slice(prefix.length));
        // The index outlives a key whose grants were destroyed with it.
        if (grant?.retiringPrincipal === principal) grants.push(grant);
      }
      return grants;
    });
  }

  /** What is wrong with the record of a grant. @throws KmsError */
  async check(keys: KeyDirectory, entry: Entry): Promise<string[]> {
    const grant = this.#table.open(entry).record;
    return (await keys.has(grant)) ? [] : [`${entry.path} is of a key that is not there`];
  }

  /** Makes a token of a grant: opaque, another one each time, and worth nothing once it is gone. */
  newToken({ keyId, region, accountId, grantId }: GrantRecord): string {
    const id = keyIdBytes(keyId);
    const sequence = randomBytes(8).readBigUInt64BE();
    const state = { token: { keyId, region, accountId, grantId } };
    const sealed = sealState(this.#native, this.#rootKey, id, { sequence, state });
    return Buffer.concat([id, sealed]).toString('base64url');
  }

  /** The grant of a token; undefined if it is not one of this store or the grant is gone. */
  async ofToken(token: string): Promise<GrantRecord | undefined> {
    const bytes = Buffer.from(token, 'base64url');
    // Two spellings of the same bytes would be two tokens.
    if (bytes.toString('base64url') !== token) return undefined;
    const [id, sealed] = [bytes.subarray(0, 16), bytes.subarray(16)];
    if (id.length < 16) return undefined;
    const opened = openState(this.#native, this.#rootKey, id, sealed)?.state;
    const named = (opened as { token?: KeyPlace & { grantId: string } } | undefined)?.token;
    return named && this.find(named, named.grantId);
  }
}

function grantPath(grant: KeyPlace & { grantId: string }): string {
  return grantsPrefix(grant) + grant.grantId;
}

/** Where a grant is noted under its name and terms, so that a request that is repeated makes none. */
function namePathOf({ creationDate: _, ...terms }: NewGrant): string | undefined {
  if (terms.name === undefined) return undefined;
  const pairs = (context: Readonly<Record<string, string>> | undefined) =>
    context && Object.entries(context).sort();
  const { EncryptionContextEquals, EncryptionContextSubset, SourceArn } = terms.constraints ?? {};
  // Added behind the others, and only if given: what was noted before is found as before.
  const added = [terms.granteeServicePrincipal, terms.retiringServicePrincipal, SourceArn];
  const text = JSON.stringify([
    terms.name,
    terms.granteePrincipal,
    terms.retiringPrincipal,
    terms.issuingAccount,
    [...terms.operations].sort(),
    pairs(EncryptionContextEquals),
    pairs(EncryptionContextSubset),
    ...(added.some((term) => term !== undefined) ? added : []),
  ]);
  const digest = createHash('sha256').update(text, 'utf8').digest('hex');
  return `${grantNamesPrefix(terms)}${digest}`;
}

function indexChanges(
  grant: GrantRecord,
  expected: Uint8Array | undefined,
  next: Uint8Array | undefined,
): Change[] {
  if (grant.retiringPrincipal === undefined) return [];
  const path = retirablePrefix(grant, nameHash(grant.retiringPrincipal)) + grant.grantId;
  return [{ path, expected, next }];
}

function granteeOf({ granteePrincipal, granteeServicePrincipal }: NewGrant): string {
  return (granteePrincipal ?? granteeServicePrincipal) as string;
}

function nameHash(principal: string): string {
  const name = principalName(principal) ?? principal;
  return createHash('sha256').update(name, 'utf8').digest('hex').slice(0, granteeLength);
}
