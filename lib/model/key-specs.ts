import { KmsError } from './errors.ts';
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

/** What a data key pair spec asks for: a modulus length in bits, or a named curve. */
export type DataKeyPair =
  | { readonly kind: 'rsa'; readonly bits: 2048 | 3072 | 4096 }
  | { readonly kind: 'ec'; readonly curve: 'P-256' | 'P-384' | 'P-521' | 'secp256k1' | 'SM2' }
  | { readonly kind: 'edwards'; readonly curve: 'Ed25519' };

/** What AWS has and pairmint does not make: keys and pairs of ML-KEM. */
export type MlKemSpec = 'ML_KEM_512' | 'ML_KEM_768' | 'ML_KEM_1024';

export type OfferedPairSpec = Exclude<DataKeyPairSpec, MlKemSpec>;

/** The data key pairs that are minted here, in the order AWS lists them. */
export const dataKeyPairSpecs: Readonly<Record<OfferedPairSpec, DataKeyPair>> = {
  RSA_2048: { kind: 'rsa', bits: 2048 },
  RSA_3072: { kind: 'rsa', bits: 3072 },
  RSA_4096: { kind: 'rsa', bits: 4096 },
  ECC_NIST_P256: { kind: 'ec', curve: 'P-256' },
  ECC_NIST_P384: { kind: 'ec', curve: 'P-384' },
  ECC_NIST_P521: { kind: 'ec', curve: 'P-521' },
  ECC_SECG_P256K1: { kind: 'ec', curve: 'secp256k1' },
  SM2: { kind: 'ec', curve: 'SM2' },
  ECC_NIST_EDWARDS25519: { kind: 'edwards', curve: 'Ed25519' },
};

/** @throws KmsError UnsupportedOperationException if keys or pairs of the spec are not made here */
export function refuseMlKem(spec: KeySpec): void {
  if (!isMlKem(spec)) return;
  throw new KmsError(
    'UnsupportedOperationException',
    `${spec} is not offered: pairmint makes no ML-KEM keys.`,
  );
}

/** What a pair of the spec is. @throws KmsError UnsupportedOperationException for ML-KEM */
export function pairOf(spec: DataKeyPairSpec): DataKeyPair {
  refuseMlKem(spec);
  return dataKeyPairSpecs[spec as OfferedPairSpec];
}

function isMlKem(spec: KeySpec): spec is MlKemSpec {
  return spec.startsWith('ML_KEM_');
}

/** The algorithms of a KMS key, under the member name that DescribeKey shows them with. */
export type KeyAlgorithms =
  | { readonly EncryptionAlgorithms: readonly EncryptionAlgorithmSpec[] }
  | { readonly SigningAlgorithms: readonly SigningAlgorithmSpec[] }
  | { readonly MacAlgorithms: readonly MacAlgorithmSpec[] }
  | { readonly KeyAgreementAlgorithms: readonly KeyAgreementAlgorithmSpec[] }
  | { readonly EncapsulationAlgorithms: readonly EncapsulationAlgorithmSpec[] };

/** The usages a key spec allows; a key has exactly one of them. */
export type KeyUsages = Readonly<Partial<Record<KeyUsageType, KeyAlgorithms>>>;

const agrees: KeyAlgorithms = { KeyAgreementAlgorithms: ['ECDH'] };

const rsa: KeyUsages = {
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

const mlDsa = signs('ML_DSA_SHAKE_256');
const mlKem: KeyUsages = {
  ENCAPSULATE_DECAPSULATE: { EncapsulationAlgorithms: ['ML_KEM'] },
};

/**
 * The KMS key specs: usages and algorithms as CreateKey and the algorithm members of DescribeKey
 * document them, in the order of AWS's example of an RSA key.
 */
export const keySpecs: Readonly<Record<KeySpec, KeyUsages>> = {
  RSA_2048: rsa,
  RSA_3072: rsa,
  RSA_4096: rsa,
  ECC_NIST_P256: { ...signs('ECDSA_SHA_256'), KEY_AGREEMENT: agrees },
  ECC_NIST_P384: { ...signs('ECDSA_SHA_384'), KEY_AGREEMENT: agrees },
  ECC_NIST_P521: { ...signs('ECDSA_SHA_512'), KEY_AGREEMENT: agrees },
  ECC_SECG_P256K1: signs('ECDSA_SHA_256'),
  ECC_NIST_EDWARDS25519: signs('ED25519_SHA_512', 'ED25519_PH_SHA_512'),
  SYMMETRIC_DEFAULT: { ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] } },
  HMAC_224: authenticates('HMAC_SHA_224'),
  HMAC_256: authenticates('HMAC_SHA_256'),
  HMAC_384: authenticates('HMAC_SHA_384'),
  HMAC_512: authenticates('HMAC_SHA_512'),
  SM2: {
    ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['SM2PKE'] },
    ...signs('SM2DSA'),
    KEY_AGREEMENT: agrees,
  },
  ML_DSA_44: mlDsa,
  ML_DSA_65: mlDsa,
  ML_DSA_87: mlDsa,
  ML_KEM_512: mlKem,
  ML_KEM_768: mlKem,
  ML_KEM_1024: mlKem,
};

function signs(...algorithms: SigningAlgorithmSpec[]): KeyUsages {
  return { SIGN_VERIFY: { SigningAlgorithms: algorithms } };
}

function authenticates(algorithm: MacAlgorithmSpec): KeyUsages {
  return { GENERATE_VERIFY_MAC: { MacAlgorithms: [algorithm] } };
}
