import { ConfigurationError } from '../core/configuration-error.ts';
import { keySpecs, pairOf } from '../model/key-specs.ts';
import type { DataKeyPairSpec } from '../model/types.ts';
import { throttled } from './admission.ts';
import type { OfferedOperation } from './operation-names.ts';

/** The profiles of quotas of requests per second that can be enforced, for tests of clients. */
export const quotaProfiles = ['aws'] as const;

export type QuotaProfile = (typeof quotaProfiles)[number];

/** @throws ConfigurationError if there is no such profile */
export function requireQuotaProfile(name: unknown): asserts name is QuotaProfile {
  if (quotaProfiles.some((profile) => profile === name)) return;
  throw new ConfigurationError(`there is no quota profile '${name}'`, {
    hint: `name one of ${quotaProfiles.join(', ')}`,
  });
}

type Rate = number | ((region: string) => number);

const largeRegions = /^(us-east-1|us-west-2|eu-west-1)$/;
const mediumRegions =
  /^(us-east-2|ap-southeast-1|ap-southeast-2|ap-northeast-1|eu-central-1|eu-west-2)$/;
const inChina = (china: number, elsewhere: number) => (region: string) =>
  region.startsWith('cn-') ? china : elsewhere;

/** Quotas that several operations share. */
const sharedRates = {
  symmetric: (region) =>
    largeRegions.test(region) ? 100_000 : mediumRegions.test(region) ? 20_000 : 10_000,
  rsa: 1000,
  ecc: 1000,
  mlDsa: 1000,
} as const satisfies Record<string, Rate>;

type PairQuota = `pairsOf${DataKeyPairSpec}`;
type SharedQuota = keyof typeof sharedRates | PairQuota;
type Members = Readonly<Record<string, string | undefined>>;

const byAlgorithm = (algorithm = 'SYMMETRIC_DEFAULT'): SharedQuota =>
  algorithm === 'SYMMETRIC_DEFAULT'
    ? 'symmetric'
    : algorithm.startsWith('RSA')
      ? 'rsa'
      : algorithm.startsWith('ML_DSA')
        ? 'mlDsa'
        : 'ecc';
// Pair specs that pairmint does not mint have no quota.
const pairs = ({ KeyPairSpec }: Members): SharedQuota[] =>
  keySpecs[KeyPairSpec as DataKeyPairSpec].pair === undefined
    ? []
    : [`pairsOf${KeyPairSpec as DataKeyPairSpec}`];
const symmetric = (): SharedQuota[] => ['symmetric'];

/**
 * AWS KMS Developer Guide, Request quotas (requests-per-second), as of 2026: an operation's own
 * requests per second, or the quotas that it shares with others.
 */
export const awsQuotas: Readonly<
  Record<OfferedOperation, number | ((request: Members) => readonly SharedQuota[])>
> = {
  CancelKeyDeletion: 5,
  ConnectCustomKeyStore: 5,
  CreateAlias: 5,
  CreateCustomKeyStore: 5,
  CreateGrant: 50,
  CreateKey: 5,
  // AWS's quotas for these two are not known, and pairmint does not serve them.
  Decapsulate: () => [],
  Decrypt: ({ EncryptionAlgorithm }) => [byAlgorithm(EncryptionAlgorithm)],
  DeleteAlias: 15,
  DeleteCustomKeyStore: 5,
  DeleteImportedKeyMaterial: 15,
  DeriveSharedSecret: () => ['ecc'],
  DescribeCustomKeyStores: 5,
  DescribeKey: 2000,
  DisableKey: 5,
  DisableKeyRotation: 5,
  DisconnectCustomKeyStore: 5,
  EnableKey: 5,
  EnableKeyRotation: 15,
  Encapsulate: () => [],
  Encrypt: ({ EncryptionAlgorithm }) => [byAlgorithm(EncryptionAlgorithm)],
  GenerateDataKey: symmetric,
  GenerateDataKeyPair: pairs,
  GenerateDataKeyPairWithoutPlaintext: pairs,
  GenerateDataKeyWithoutPlaintext: symmetric,
  GenerateMac: symmetric,
  GenerateRandom: symmetric,
  GetKeyLastUsage: 5,
  GetKeyPolicy: 1000,
  GetKeyRotationStatus: 1000,
  GetParametersForImport: 1,
  GetPublicKey: 2000,
  ImportKeyMaterial: 15,
  ListAliases: 500,
  ListGrants: 100,
  ListKeyPolicies: 100,
  ListKeyRotations: 100,
  ListKeys: 500,
  ListResourceTags: 2000,
  ListRetirableGrants: 100,
  PutKeyPolicy: 15,
  ReEncrypt: ({
    SourceEncryptionAlgorithm: source,
    DestinationEncryptionAlgorithm: destination,
  }) => [...new Set([byAlgorithm(source), byAlgorithm(destination)])],
  ReplicateKey: 5,
  RetireGrant: 50,
  RevokeGrant: 50,
  RotateKeyOnDemand: 5,
  ScheduleKeyDeletion: 15,
  Sign: ({ SigningAlgorithm }) => [byAlgorithm(SigningAlgorithm)],
  TagResource: 10,
  UntagResource: 5,
  UpdateAlias: 5,
  UpdateCustomKeyStore: 5,
  UpdateKeyDescription: 5,
  UpdatePrimaryRegion: 5,
  Verify: ({ SigningAlgorithm }) => [byAlgorithm(SigningAlgorithm)],
  VerifyMac: symmetric,
};

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** The parts of a request that its quotas depend on. */
export interface CountedRequest {
  readonly operation: OfferedOperation;
  readonly request: object;
  readonly region: string;
  /** The caller's account: AWS counts requests there even if the key is another account's. */
  readonly accountId: string;
  /** How many requests it counts as. */
  readonly count: number;
}

// More than a hundred accounts need for all quotas in all of AWS's regions.
const mostBuckets = 100_000;

/** Enforces AWS's quotas of requests per second for each account in each region. */
export class RequestQuotas {
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @throws KmsError ThrottlingException if a quota is used up; then no quota is charged */
  admit(counted: CountedRequest): void {
    const draws = drawsOf(counted);
    const buckets = draws.map(({ name, rate }) =>
      this.#filled(`${counted.accountId} ${name}`, rate),
    );
    if (buckets.some(({ tokens }, i) => tokens < (draws[i] as Draw).count)) throw throttled();
    for (const [i, bucket] of buckets.entries()) bucket.tokens -= (draws[i] as Draw).count;
  }

  #filled(name: string, rate: number): Bucket {
    const now = this.#now();
    // A rate below 1, such as one request in ten seconds, must still let one request through.
    const size = Math.max(rate, 1);
    const bucket = this.#buckets.get(name) ?? { tokens: size, filledAt: now };
    // Clients choose the region's name, so the number of buckets must be bounded. Most of those
    // dropped here are full again anyway.
    if (this.#buckets.size > mostBuckets) this.#buckets.clear();
    bucket.tokens = Math.min(size, bucket.tokens + ((now - bucket.filledAt) / 1000) * rate);
    bucket.filledAt = now;
    this.#buckets.set(name, bucket);
    return bucket;
  }
}

/** How much a request takes from one quota. */
interface Draw {
  readonly name: string;
  readonly rate: number;
  readonly count: number;
}

function sharedRate(name: SharedQuota): Rate {
  if (name in sharedRates) return sharedRates[name as keyof typeof sharedRates];
  const { quota } = pairOf(name.slice('pairsOf'.length) as DataKeyPairSpec);
  return typeof quota === 'number' ? quota : inChina(quota.china, quota.elsewhere);
}

function drawsOf({ operation, request, region, count }: CountedRequest): Draw[] {
  const members = request as Members;
  const quota = awsQuotas[operation];
  const draw = (name: string, rate: Rate, at = region, times = 1): Draw => ({
    name: `${at} ${name}`,
    rate: typeof rate === 'number' ? rate : rate(at),
    count: count * times,
  });
  if (typeof quota !== 'number') {
    return quota(members).map((name) => draw(name, sharedRate(name)));
  }
  const own = draw(operation, quota);
  // AWS counts these requests in the other region, too.
  const { ReplicaRegion, PrimaryRegion } = members;
  if (ReplicaRegion !== undefined) {
    return [own, draw('CreateKey', awsQuotas.CreateKey as number, ReplicaRegion, 2)];
  }
  return PrimaryRegion === undefined ? [own] : [own, draw(operation, quota, PrimaryRegion)];
}
