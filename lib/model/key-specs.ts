import { KmsError } from './errors.ts';
import type { StringShape } from './shape.ts';
import { shapes } from './shapes.ts';
import type {
  DataKeyPairSpec,
  EncapsulationAlgorithmSpec,
  EncryptionAlgorithmSpec,
  KeyAgreementAlgorithmSpec,
  KeySpec,
  KeyUsageType,
  MacAlgorithmSpec,
  SigningAlgorithmSpec,
} from './types.ts';

/** AWS has these; pairmint makes neither keys nor pairs of them. */
export type MlKemSpec = 'ML_KEM_512' | 'ML_KEM_768' | 'ML_KEM_1024';

export type OfferedPairSpec = Exclude<DataKeyPairSpec, MlKemSpec>;

/** The algorithms of a KMS key, under the member name that DescribeKey shows them with. */
export type KeyAlgorithms =
  | { readonly EncryptionAlgorithms: readonly EncryptionAlgorithmSpec[] }
  | { readonly SigningAlgorithms: readonly SigningAlgorithmSpec[] }
  | { readonly MacAlgorithms: readonly MacAlgorithmSpec[] }
  | { readonly KeyAgreementAlgorithms: readonly KeyAgreementAlgorithmSpec[] }
  | { readonly EncapsulationAlgorithms: readonly EncapsulationAlgorithmSpec[] };

/** The usages a key spec allows; a key has exactly one of them. */
export type KeyUsages = Readonly<Partial<Record<KeyUsageType, KeyAlgorithms>>>;

/**
 * How much work it is to make one key: an RSA search takes up to seconds of a core, in units of an
 * RSA_2048 search; any other private key takes about a millisecond.
 */
export type Minting =
  | { readonly kind: 'rsa'; readonly units: number }
  | { readonly kind: 'brief'; readonly units: 1 };

/** How data key pairs of a spec are made. */
export interface PairRules {
  /** The most pairs that are sealed together in a pool; an entry of a store holds 16. */
  readonly lot: number;
  /** How many pairs are best minted in one crossing into native code. */
  readonly crossing: number;
  /**
   * Minted in the calling thread, as a pair takes less time than the way to another thread and back:
   * always, or while native code says so (`mintsQuickly`).
   */
  readonly here?: 'always' | 'while-quick';
  /** AWS's quota of pairs a second; some differ in the regions of China. */
  readonly quota: number | { readonly china: number; readonly elsewhere: number };
}

/**
 * All that is decided for a key spec outside of native code, whose own row is in
 * native/keys/spec.cc. Lengths of public keys, private keys and ciphertexts are in neither: they
 * follow from the bytes.
 */
export interface KeySpecRow {
  /** The spec's number in the header of a material record. Never change or reuse one. */
  readonly code: number;
  /** Usages and algorithms, in the order in which DescribeKey lists the algorithms. */
  readonly usages: KeyUsages;
  /** Bytes of a symmetric key's material. Absent if the material is a private key. */
  readonly materialLength?: number;
  /** Bits of the modulus, if the key is an RSA key. */
  readonly modulusBits?: number;
  /** Absent if making the key takes no time worth limiting: its material is random bytes. */
  readonly minting?: Minting;
  /** Absent if pairmint makes no data key pairs of the spec. */
  readonly pair?: PairRules;
  /**
   * The shortest RSA wrapping key that can wrap the material by OAEP alone. Absent if the material
   * is too long for any, so that it needs an AES key in between.
   */
  readonly wrappedBy?: number;
  /**
   * The fewest bytes of EncryptedKeyMaterial that has a key of the spec: PKCS #8 with the shortest
   * private exponent that is allowed, wrapped by RSA_2048. Absent if importing a key takes no longer
   * than using one.
   */
  readonly shortestImport?: number;
  /** Node's name for the private key (`nodeKeyName`). Absent if Node cannot tell the spec. */
  readonly nodeName?: string;
  /** Needs an OpenSSL that has ML-DSA. */
  readonly needsMlDsa?: true;
  /** AWS has the spec, pairmint does not. */
  readonly notOffered?: true;
}

const agrees: KeyAlgorithms = { KeyAgreementAlgorithms: ['ECDH'] };

const rsaUsages: KeyUsages = {
  ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] },
  SIGN_VERIFY: {
    SigningAlgorithms: [
      'RSASSA_PKCS1_V1_5_SHA_256',
      'RSASSA_PKCS1_V1_5_SHA_384',
      'RSASSA_PKCS1_V1_5_SHA_512',
      'RSASSA_PSS_SHA_256',
      'RSASSA_PSS_SHA_384',
      'RSASSA_PSS_SHA_512',
    ],
  },
};

const brief: Minting = { kind: 'brief', units: 1 };

/** The rules of pairs that take about a millisecond or less. */
const briefPair = {
  lot: 16,
  crossing: 16,
  here: 'while-quick',
  quota: 100,
} as const satisfies PairRules;

const mlDsa = {
  usages: signs('ML_DSA_SHAKE_256'),
  minting: brief,
  needsMlDsa: true,
} as const satisfies Partial<KeySpecRow>;

const mlKem = {
  usages: { ENCAPSULATE_DECAPSULATE: { EncapsulationAlgorithms: ['ML_KEM'] } },
  minting: brief,
  notOffered: true,
} as const satisfies Partial<KeySpecRow>;

/**
 * One row for each KMS key spec, in the order in which AWS lists them.
 *
 * Sources: usages and algorithms are those of CreateKey and of DescribeKey's example of an RSA key;
 * `wrappedBy` is from importing-keys-get-public-key-and-token and `quota` from Request quotas, both
 * in the KMS Developer Guide. `units` of RSA: the time of a search grows with a power of the length
 * between three and four, as measured with every kernel.
 */
export const keySpecs: Readonly<Record<KeySpec, KeySpecRow>> = {
  RSA_2048: {
    code: 2,
    ...rsa(2048),
    minting: { kind: 'rsa', units: 1 },
    shortestImport: 1200,
    pair: { lot: 1, crossing: 1, quota: { china: 1, elsewhere: 20 } },
  },
  RSA_3072: {
    code: 3,
    ...rsa(3072),
    minting: { kind: 'rsa', units: 4 },
    shortestImport: 1800,
    pair: { lot: 1, crossing: 1, quota: { china: 0.5, elsewhere: 4 } },
  },
  RSA_4096: {
    code: 4,
    ...rsa(4096),
    minting: { kind: 'rsa', units: 10 },
    shortestImport: 2350,
    pair: { lot: 1, crossing: 1, quota: { china: 0.1, elsewhere: 1 } },
  },
  ECC_NIST_P256: {
    code: 5,
    usages: { ...signs('ECDSA_SHA_256'), KEY_AGREEMENT: agrees },
    minting: brief,
    pair: { ...briefPair, here: 'always' },
    wrappedBy: 2048,
    nodeName: 'ec prime256v1',
  },
  ECC_NIST_P384: {
    code: 6,
    usages: { ...signs('ECDSA_SHA_384'), KEY_AGREEMENT: agrees },
    minting: brief,
    pair: briefPair,
    wrappedBy: 2048,
    nodeName: 'ec secp384r1',
  },
  ECC_NIST_P521: {
    code: 7,
    usages: { ...signs('ECDSA_SHA_512'), KEY_AGREEMENT: agrees },
    minting: brief,
    // A seal takes 6 KB at most (docs/envelope.md), which is 14 of these pairs.
    pair: { ...briefPair, lot: 8 },
    wrappedBy: 3072,
    nodeName: 'ec secp521r1',
  },
  ECC_SECG_P256K1: {
    code: 8,
    usages: signs('ECDSA_SHA_256'),
    minting: brief,
    pair: briefPair,
    wrappedBy: 2048,
    nodeName: 'ec secp256k1',
  },
  ECC_NIST_EDWARDS25519: {
    code: 9,
    usages: signs('ED25519_SHA_512', 'ED25519_PH_SHA_512'),
    minting: brief,
    pair: briefPair,
    wrappedBy: 2048,
    nodeName: 'ed25519',
  },
  SYMMETRIC_DEFAULT: {
    code: 1,
    usages: { ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] } },
    materialLength: 32,
    wrappedBy: 2048,
  },
  HMAC_224: { code: 11, usages: macs('HMAC_SHA_224'), materialLength: 28, wrappedBy: 2048 },
  HMAC_256: { code: 12, usages: macs('HMAC_SHA_256'), materialLength: 32, wrappedBy: 2048 },
  HMAC_384: { code: 13, usages: macs('HMAC_SHA_384'), materialLength: 48, wrappedBy: 2048 },
  HMAC_512: { code: 14, usages: macs('HMAC_SHA_512'), materialLength: 64, wrappedBy: 2048 },
  SM2: {
    code: 10,
    usages: {
      ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['SM2PKE'] },
      ...signs('SM2DSA'),
      KEY_AGREEMENT: agrees,
    },
    minting: brief,
    pair: { ...briefPair, quota: 25 },
    wrappedBy: 2048,
    nodeName: 'ec SM2',
  },
  ML_DSA_44: { code: 15, ...mlDsa },
  ML_DSA_65: { code: 16, ...mlDsa },
  ML_DSA_87: { code: 17, ...mlDsa },
  ML_KEM_512: { code: 18, ...mlKem },
  ML_KEM_768: { code: 19, ...mlKem },
  ML_KEM_1024: { code: 20, ...mlKem },
};

/** The specs of the data key pairs that are minted here, in the order in which AWS lists them. */
export function dataKeyPairSpecs(): OfferedPairSpec[] {
  const { enum: specs = [] } = shapes.DataKeyPairSpec as StringShape;
  return (specs as DataKeyPairSpec[]).filter(
    (spec): spec is OfferedPairSpec => keySpecs[spec].pair !== undefined,
  );
}

/** @throws KmsError UnsupportedOperationException if keys or pairs of the spec are not made here */
export function refuseMlKem(spec: KeySpec): void {
  if (keySpecs[spec].notOffered !== true) return;
  throw new KmsError(
    'UnsupportedOperationException',
    `${spec} is not offered: pairmint makes no ML-KEM keys.`,
  );
}

/** How pairs of the spec are made. @throws KmsError UnsupportedOperationException for ML-KEM */
export function pairOf(spec: DataKeyPairSpec): PairRules {
  refuseMlKem(spec);
  return keySpecs[spec].pair as PairRules;
}

/** How many bytes the material of a symmetric key has; undefined if it is a private key. */
export function materialLength(keySpec: KeySpec): number | undefined {
  return keySpecs[keySpec].materialLength;
}

/** The spec whose private keys Node calls `nodeName`: 'ed25519', 'rsa' and bits, 'ec' and curve. */
export function keySpecCalled(nodeName: string): KeySpec | undefined {
  const specs = Object.keys(keySpecs) as KeySpec[];
  return specs.find((spec) => keySpecs[spec].nodeName === nodeName);
}

function rsa(modulusBits: number) {
  return { usages: rsaUsages, modulusBits, nodeName: `rsa ${modulusBits}` };
}

function signs(...algorithms: SigningAlgorithmSpec[]): KeyUsages {
  return { SIGN_VERIFY: { SigningAlgorithms: algorithms } };
}

function macs(algorithm: MacAlgorithmSpec): KeyUsages {
  return { GENERATE_VERIFY_MAC: { MacAlgorithms: [algorithm] } };
}
