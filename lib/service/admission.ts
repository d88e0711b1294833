import { KmsError } from '../model/errors.ts';
import { keySpecs } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { KeySpec } from '../model/types.ts';
import type { OfferedOperation } from './operation-names.ts';

/**
 * How long a request keeps a minting thread busy. `rsa`: an RSA pair is minted or imported, up to
 * seconds. `brief`: a pair of another spec, about a millisecond. `step`: an asymmetric key is used,
 * some milliseconds.
 */
export type WorkKind = 'rsa' | 'brief' | 'step';

/** The work of a request, in units of its kind. */
export interface Work {
  readonly kind: WorkKind;
  readonly units: number;
}

/** The work that was admitted and is not answered yet, and the requests refused so far. */
export interface Load {
  readonly underWay: Readonly<Record<WorkKind, number>>;
  readonly refused: Readonly<Record<WorkKind | 'quota', number>>;
}

/** AWS's text, from its Developer Guide (Throttling). */
const rateExceeded =
  'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.';

/** The error for a request that comes too early; `retryAfter` is in seconds. */
export function throttled(retryAfter?: number): KmsError {
  return new KmsError('ThrottlingException', rateExceeded, { retryAfter });
}

// Per thread. A processor with one of our kernels works off one caller's full queue in about 15
// seconds, OpenSSL in about a minute; clients give up after that. All callers together may have
// four times as much, which bounds the memory that their requests hold.
const ofOneCaller: Readonly<Record<WorkKind, number>> = { rsa: 512, brief: 4096, step: 2048 };
const shares = 4;

// How long a unit takes a thread, for Retry-After. Rounded up: a client that retries too early is
// refused again.
const millisecondsOf: Readonly<Record<WorkKind, number>> = { rsa: 30, brief: 1, step: 3 };
const longestRetry = 60;

/** Limits the work that waits, for each caller and for all together. */
export class Admission {
  readonly #threads: number;
  readonly #scale: number;
  readonly #units: Record<WorkKind, number> = { rsa: 0, brief: 0, step: 0 };
  readonly #unitsOf = new Map<string, number>();
  readonly #underWay: Record<WorkKind, number> = { rsa: 0, brief: 0, step: 0 };
  readonly #refused = { rsa: 0, brief: 0, step: 0, quota: 0 };

  /** @param options.scale multiplies the limits; Infinity lifts them */
  constructor({ threads, scale = 1 }: { threads: number; scale?: number | undefined }) {
    this.#threads = threads;
    this.#scale = scale;
  }

  /**
   * Admits work, which counts until the returned function is called.
   *
   * @throws KmsError ThrottlingException if too much work waits already
   */
  enter(caller: string, { kind, units }: Work): () => void {
    const name = `${kind} ${caller}`;
    const own = this.#unitsOf.get(name) ?? 0;
    const limit = ofOneCaller[kind] * this.#threads * this.#scale;
    const all = this.#units[kind];
    // An idle queue admits everything: a request above the limit could never be served otherwise.
    if ((own > 0 && own + units > limit) || (all > 0 && all + units > shares * limit)) {
      this.#refused[kind]++;
      throw throttled(this.#retryAfter(kind, own));
    }
    this.#change(name, kind, units);
    const leave = this.count(kind);
    return () => {
      this.#change(name, kind, -units);
      leave();
    };
  }

  /**
   * Counts work that has a limit of its own as under way until the returned function is called. It
   * is never refused and uses up no caller's limit.
   */
  count(kind: WorkKind): () => void {
    this.#underWay[kind]++;
    return () => {
      this.#underWay[kind]--;
    };
  }

  /** Counts a request that was refused by a quota of requests per second. */
  countQuota(): void {
    this.#refused.quota++;
  }

  load(): Load {
    return { underWay: { ...this.#underWay }, refused: { ...this.#refused } };
  }

  #change(name: string, kind: WorkKind, units: number): void {
    const own = (this.#unitsOf.get(name) ?? 0) + units;
    if (own === 0) this.#unitsOf.delete(name);
    else this.#unitsOf.set(name, own);
    this.#units[kind] += units;
  }

  /** Seconds until half of the caller's queue is done, if no other caller has work queued. */
  #retryAfter(kind: WorkKind, own: number): number {
    const seconds = (own * millisecondsOf[kind]) / this.#threads / 2 / 1000;
    return Math.min(Math.max(Math.ceil(seconds), 1), longestRetry);
  }
}

function mintingOf(spec: string | undefined): Work | undefined {
  return spec === undefined ? undefined : keySpecs[spec as KeySpec].minting;
}

function stepOf(algorithm: string | undefined): Work | undefined {
  return algorithm === undefined || algorithm === 'SYMMETRIC_DEFAULT'
    ? undefined
    : { kind: 'step', units: 1 };
}

// The longest first, which the shorter ones are part of.
const importedSpecs = Object.values(keySpecs)
  .filter(({ shortestImport }) => shortestImport !== undefined)
  .sort((one, other) => (other.shortestImport ?? 0) - (one.shortestImport ?? 0));

/**
 * What an import takes. The request does not name the key spec, but how long the wrapped key is tells
 * an RSA key, whose factors are proved prime; any other is used once. A usual RSA key, wrapped by
 * RSA_4096, is shorter than the shortest of the next larger spec. An ML-DSA key in its expanded form
 * counts as RSA here, and is still imported on the threads of short work.
 */
function importOf({ length }: Uint8Array): Work {
  const row = importedSpecs.find(({ shortestImport = 0 }) => length >= shortestImport);
  return row?.minting ?? { kind: 'step', units: 1 };
}

const workOfOperations: {
  readonly [O in OfferedOperation]?: (request: CheckedRequest<O>) => Work | undefined;
} = {
  CreateKey: ({ Origin, KeySpec, CustomerMasterKeySpec }) =>
    Origin === 'EXTERNAL' ? undefined : mintingOf(KeySpec ?? CustomerMasterKeySpec),
  Decrypt: ({ EncryptionAlgorithm }) => stepOf(EncryptionAlgorithm),
  DeriveSharedSecret: ({ KeyAgreementAlgorithm }) => stepOf(KeyAgreementAlgorithm),
  Encrypt: ({ EncryptionAlgorithm }) => stepOf(EncryptionAlgorithm),
  GenerateDataKeyPair: ({ KeyPairSpec }) => mintingOf(KeyPairSpec),
  GenerateDataKeyPairWithoutPlaintext: ({ KeyPairSpec }) => mintingOf(KeyPairSpec),
  GetParametersForImport: ({ WrappingKeySpec }) => mintingOf(WrappingKeySpec),
  ImportKeyMaterial: ({ EncryptedKeyMaterial }) => importOf(EncryptedKeyMaterial),
  ReEncrypt: ({ SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm }) =>
    stepOf(SourceEncryptionAlgorithm) ?? stepOf(DestinationEncryptionAlgorithm),
  Sign: ({ SigningAlgorithm }) => stepOf(SigningAlgorithm),
  Verify: ({ SigningAlgorithm }) => stepOf(SigningAlgorithm),
};

/** The work of a checked request; undefined if it is next to nothing. */
export function workOf(operation: OfferedOperation, request: object): Work | undefined {
  return workOfOperations[operation]?.(request as never);
}
