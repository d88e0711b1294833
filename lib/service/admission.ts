import { KmsError } from '../model/errors.ts';
import { keySpecs } from '../model/key-specs.ts';
import type { CheckedRequest } from '../model/request.ts';
import type { KeySpec } from '../model/types.ts';
import type { OfferedOperation } from './operation-names.ts';

/**
 * What a request takes of the threads that mint: an RSA pair that is minted or imported, up to
 * seconds of a core; another pair, about a millisecond; or the use of an asymmetric key, some
 * milliseconds.
 */
export type WorkKind = 'rsa' | 'brief' | 'step';

/** What a request takes, in units of its kind. */
export interface Work {
  readonly kind: WorkKind;
  readonly units: number;
}

/** What was admitted and is not answered, and what was refused so far. */
export interface Load {
  readonly underWay: Readonly<Record<WorkKind, number>>;
  readonly refused: Readonly<Record<WorkKind | 'quota', number>>;
}

/** AWS's text, of its Developer Guide (Throttling). */
const rateExceeded =
  'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.';

/** What a request is refused with that comes too early; `retryAfter` is in seconds. */
export function throttled(retryAfter?: number): KmsError {
  return new KmsError('ThrottlingException', rateExceeded, { retryAfter });
}

// Per thread, so that the queue of one caller is worked off in about 15 seconds by a processor with a
// kernel of ours, and in about a minute by OpenSSL's: longer than that, clients give up. Four times
// as much is for all callers together, to bound what their requests take of memory.
const ofOneCaller: Readonly<Record<WorkKind, number>> = { rsa: 512, brief: 4096, step: 2048 };
const shares = 4;

// How long a unit takes a thread, for Retry-After: rounded up, as it is told to those who were early.
const millisecondsOf: Readonly<Record<WorkKind, number>> = { rsa: 30, brief: 1, step: 3 };
const longestRetry = 60;

/** Limits the work that waits, of each caller and of all together. */
export class Admission {
  readonly #threads: number;
  readonly #scale: number;
  readonly #units: Record<WorkKind, number> = { rsa: 0, brief: 0, step: 0 };
  readonly #unitsOf = new Map<string, number>();
  readonly #underWay: Record<WorkKind, number> = { rsa: 0, brief: 0, step: 0 };
  readonly #refused = { rsa: 0, brief: 0, step: 0, quota: 0 };

  /** @param options.scale what the limits are multiplied with; Infinity lifts them */
  constructor({ threads, scale = 1 }: { threads: number; scale?: number | undefined }) {
    this.#threads = threads;
    this.#scale = scale;
  }

  /**
   * Admits work, until the function that comes back is called.
   *
   * @throws KmsError ThrottlingException if too much waits already
   */
  enter(caller: string, { kind, units }: Work): () => void {
    const name = `${kind} ${caller}`;
    const own = this.#unitsOf.get(name) ?? 0;
    const limit = ofOneCaller[kind] * this.#threads * this.#scale;
    const all = this.#units[kind];
    // Whatever it takes, what comes to an idle queue is admitted.
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
   * Counts work as under way that has a bound of its own, until the function that comes back is
   * called. It is never refused, and takes nothing of anybody's limit.
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

  /** Until half of what the caller has queued is done, if no other caller has any. */
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

// A request to import does not name the key spec, but how long the wrapped key is tells an RSA key.
// It is no shorter than this: PKCS #8 with the shortest private exponent that is allowed, wrapped by
// RSA_2048. A usual key of the next smaller spec, wrapped by RSA_4096, is shorter than that. An ML-DSA
// key with its expanded form counts as RSA here, and is still imported on the threads of short work.
const shortestImports = [
  [2350, 'RSA_4096'],
  [1800, 'RSA_3072'],
  [1200, 'RSA_2048'],
] as const;

/** Unwrapping is the use of a key; to prove the factors of an RSA key prime takes as long as to mint it. */
function importOf({ length }: Uint8Array): Work {
  const [, spec] = shortestImports.find(([shortest]) => length >= shortest) ?? [];
  return mintingOf(spec) ?? { kind: 'step', units: 1 };
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

/** What a request, which was checked, takes; undefined if that is next to nothing. */
export function workOf(operation: OfferedOperation, request: object): Work | undefined {
  return workOfOperations[operation]?.(request as never);
}
