import { createHash, randomBytes } from 'node:crypto';
import type { KeyMaterial, Native, RootKey } from '../native/addon.ts';
import type { Entry, KeyStore } from '../store/key-store.ts';
import { type Row, removal, SealedTable } from '../store/sealed-table.ts';
import { StoreError } from '../store/store-errors.ts';
import { credentialsPrefix } from './paths.ts';

/** An access key's principal and policy; all of it is authenticated at rest. */
export interface CredentialRecord {
  readonly accessKeyId: string;
  /** The ARN that requests are made as. */
  readonly principal: string;
  /** The text of the principal's identity policy. */
  readonly identityPolicy?: string;
  /** Milliseconds since the epoch, as are all times here. */
  readonly creationDate: number;
  readonly session?: {
    /** SHA-256 of the session token, base64. */
    readonly tokenHash: string;
    readonly expirationDate: number;
  };
  /** The secret access key as a material record, base64. */
  readonly secret: { readonly header: string; readonly wrapped: string };
}

export interface NewCredential {
  readonly principal: string;
  readonly identityPolicy?: string | undefined;
  /** Makes a session, whose requests carry a token, and which ends. */
  readonly durationSeconds?: number | undefined;
}

/** The secrets of a credential, which its holder is told once. */
export interface CredentialSecrets {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expirationDate?: number;
}

/** A credential as it was when it was read; the same object as long as the record is the same. */
export interface Credential {
  readonly record: CredentialRecord;
  /** HMAC-SHA-256 of a date under "AWS4" and the secret: what a day's signing keys derive from. */
  dateKey(date: string): Uint8Array;
  /** As the native function does; the signing key derives from `dateKey`. */
  readonly verifyRequest: Native['verifyRequest'];
}

type CredentialRow = Credential & Row<CredentialRecord>;

interface Options {
  readonly store: KeyStore;
  readonly native: Native;
  readonly rootKey: RootKey;
  readonly now: () => number;
  /** Refuses a principal that cannot be a caller, and a malformed policy. */
  readonly check: (credential: NewCredential) => void;
}

const pageSize = 100;
/** Path of the time at which a process last looked for expired sessions. */
export const sweepPath = 'sweep';
const accessKeyIdPattern = /^A[KS]IA[A-Z2-7]{16}$/;
const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
// A block of SHA-256, to which HMAC pads shorter keys with zeros: the padded key gives the same.
const secretLength = 64;
// No spec of a KMS key has the code 0, so that no KMS key's record passes for this one.
const attributes = new Uint8Array(20);

/**
 * The access keys of a store. Secrets are sealed like key material and never come back: only what a
 * day's signatures are checked with does. What is deleted is refused by every process that shares
 * the store when `delete` has returned: no request is served by what was read before a commit.
 */
export class CredentialDirectory {
  readonly #options: Options;
  readonly #table: SealedTable<CredentialRecord, CredentialRow>;

  constructor(options: Options) {
    this.#options = options;
    this.#table = new SealedTable(options, {
      member: 'credential',
      pathOf: ({ accessKeyId }) => credentialsPrefix + accessKeyId,
      sealingId: (path) => sealingId(path.slice(credentialsPrefix.length)),
      rowOf: (row) => this.#withSecret(row),
    });
  }

  /** Makes a credential. @throws ConfigurationError if the principal or the policy is malformed */
  async create(given: NewCredential): Promise<CredentialSecrets> {
    const { native, rootKey, now, check } = this.#options;
    check(given);
    const { principal, identityPolicy, durationSeconds } = given;
    const isSession = durationSeconds !== undefined;
    const accessKeyId = (isSession ? 'ASIA' : 'AKIA') + randomText(16);
    const secretAccessKey = randomBytes(30).toString('base64');
    const sessionToken = randomBytes(96).toString('base64');
    const creationDate = now();
    const expirationDate = creationDate + (durationSeconds ?? 0) * 1000;
    const plaintext = Buffer.alloc(secretLength);
    plaintext.write(`AWS4${secretAccessKey}`, 'latin1');
    const secret = await native
      .importPlainKeyMaterial({
        rootKey,
        keyId: sealingId(accessKeyId),
        attributes,
        spec: 'HMAC_512',
        plaintext,
      })
      .finally(() => plaintext.fill(0));
    const record: CredentialRecord = {
      accessKeyId,
      principal,
      ...(identityPolicy !== undefined && { identityPolicy }),
      creationDate,
      ...(isSession && { session: { tokenHash: digest(sessionToken), expirationDate } }),
      secret: { header: base64(secret.header), wrapped: base64(secret.wrapped) },
    };
    await this.#options.store.commit([this.#table.insertion(record)]);
    return {
      accessKeyId,
      secretAccessKey,
      ...(isSession && { sessionToken, expirationDate }),
    };
  }

  /** Undefined if there is none of this id. @throws KmsError KMSInternalException */
  async find(accessKeyId: string): Promise<Credential | undefined> {
    if (!accessKeyIdPattern.test(accessKeyId)) return undefined;
    return this.#table.get(credentialsPrefix + accessKeyId);
  }

  /** The same at once, if it was found before and nothing has been committed since. */
  known(accessKeyId: string): Credential | undefined {
    return this.#table.peek(credentialsPrefix + accessKeyId)?.record;
  }

  /** The credentials in the order of their ids, from the one after `after`. */
  async list(options: { after?: string | undefined; limit: number }): Promise<CredentialRecord[]> {
    const rows = await this.#table.list(credentialsPrefix, options);
    return rows.map(({ record }) => record);
  }

  /** What is wrong with the record of a credential. @throws KmsError */
  check(entry: Entry): string[] {
    this.#table.open(entry).dateKey('20000101');
    return [];
  }

  /** Deletes a credential; false if there is none, or it was deleted meanwhile. */
  async delete(accessKeyId: string): Promise<boolean> {
    const entry = await this.#table.entry(credentialsPrefix + accessKeyId);
    return entry !== undefined && this.#options.store.commit([removal(entry)]);
  }

  /** The time that sessions end by, in milliseconds since the epoch. */
  now(): number {
    return this.#options.now();
  }

  /**
   * Whether it is this process's turn to look for expired sessions: of all that share the store, one gets
   * it, and none for `every` milliseconds after that. False, too, if the store cannot be written to.
   */
  async takeSweep(every: number): Promise<boolean> {
    const { store } = this.#options;
    const now = this.now();
    const expected = await store.get(sweepPath);
    const last = Number(expected && Buffer.from(expected).toString('latin1'));
    // One in the future was noted by a clock that was ahead.
    if (last > now - every && last <= now) return false;
    const next = Buffer.from(`${now}`, 'latin1');
    try {
      return await store.commit([{ path: sweepPath, expected, next }]);
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      if (cause instanceof StoreError && cause.fault === 'read-only') return false;
      throw error;
    }
  }

  /** Deletes the sessions that had ended by `time`, and says how many they were. */
  async removeExpired(time: number): Promise<number> {
    let removed = 0;
    for (let after: string | undefined; ; ) {
      const rows = await this.#table.list(credentialsPrefix, { after, limit: pageSize });
      const over = rows.filter(
        ({ record: { session } }) => session !== undefined && session.expirationDate <= time,
      );
      if (await this.#options.store.commit(over.map(removal))) removed += over.length;
      else {
        // Somebody has deleted one of them meanwhile.
        for (const { record } of over) if (await this.delete(record.accessKeyId)) removed++;
      }
      if (rows.length < pageSize) return removed;
      after = rows.at(-1)?.record.accessKeyId;
    }
  }

  #withSecret(row: Row<CredentialRecord>): CredentialRow {
    const { native, rootKey } = this.#options;
    const { header, wrapped } = row.record.secret;
    let material: KeyMaterial | undefined;
    return {
      ...row,
      verifyRequest: native.verifyRequest,
      dateKey(date) {
        material ??= native.openKeyMaterial(
          rootKey,
          Buffer.from(header, 'base64'),
          Buffer.from(wrapped, 'base64'),
        );
        const message = Buffer.from(date, 'latin1');
        return native.generateMac({ material, algorithm: 'AWS4_HMAC_SHA_256', message });
      },
    };
  }
}

/** The 16 characters that tell an access key from others. No key id has such bytes: UUIDs have one
 * above 127. */
function sealingId(accessKeyId: string): Buffer {
  return Buffer.from(accessKeyId.slice(-16).padStart(16), 'latin1');
}

function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => base32[byte & 31]).join('');
}

function digest(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('base64');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
