import crypto from 'node:crypto';
import { defaultKeyPolicy } from '../../lib/policy/document.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { accountId, bytes, caller, type MadeKey, newBlob, newKey } from './support.ts';

/** What makes a KMS key of each kind. */
export const keyKinds = {
  symmetric: {},
  encryption: { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
  signing: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  mac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  agreement: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
} as const;

export type KeyKind = keyof typeof keyKinds;

/** The needs of a call: a KeyId in any form, and a product of the key. */
export interface Subject {
  readonly KeyId: string;
  /** A ciphertext without a context, a signature or a MAC. */
  readonly made: Uint8Array;
}

type Calls = Readonly<Record<string, (subject: Subject) => object>>;

const Plaintext = Buffer.from('x');
const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256';
const Message = Buffer.from('attack at dawn');
const signing = { Message, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
const authenticating = { Message, MacAlgorithm: 'HMAC_SHA_256' } as const;
const { publicKey: peer } = crypto.generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { format: 'der', type: 'spki' },
  privateKeyEncoding: { format: 'der', type: 'pkcs8' },
});

/** The cryptographic operations, each in the shortest request that succeeds. */
export const cryptographicCalls = {
  Decrypt: ({ KeyId, made }) => ({ KeyId, CiphertextBlob: made }),
  DeriveSharedSecret: ({ KeyId }) => ({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: peer }),
  Encrypt: ({ KeyId }) => ({ KeyId, Plaintext }),
  GenerateDataKey: ({ KeyId }) => ({ KeyId, KeySpec: 'AES_256' }),
  GenerateDataKeyPair: ({ KeyId }) => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  GenerateDataKeyPairWithoutPlaintext: ({ KeyId }) => ({ KeyId, KeyPairSpec: 'SM2' }),
  GenerateDataKeyWithoutPlaintext: ({ KeyId }) => ({ KeyId, NumberOfBytes: 1 }),
  GenerateMac: ({ KeyId }) => ({ KeyId, ...authenticating }),
  ReEncrypt: ({ KeyId, made }) => ({
    CiphertextBlob: made,
    SourceKeyId: KeyId,
    DestinationKeyId: KeyId,
  }),
  Sign: ({ KeyId }) => ({ KeyId, ...signing }),
  Verify: ({ KeyId, made }) => ({ KeyId, ...signing, Signature: made }),
  VerifyMac: ({ KeyId, made }) => ({ KeyId, ...authenticating, Mac: made }),
} as const satisfies Calls;

/** The operations that take a key id or ARN and refuse aliases. */
export const keyOnlyCalls = {
  CancelKeyDeletion: ({ KeyId }) => ({ KeyId }),
  CreateAlias: ({ KeyId }) => ({ AliasName: 'alias/made', TargetKeyId: KeyId }),
  CreateGrant: ({ KeyId }) => ({ KeyId, GranteePrincipal: caller, Operations: ['DescribeKey'] }),
  DeleteImportedKeyMaterial: ({ KeyId }) => ({ KeyId }),
  DisableKey: ({ KeyId }) => ({ KeyId }),
  DisableKeyRotation: ({ KeyId }) => ({ KeyId }),
  EnableKey: ({ KeyId }) => ({ KeyId }),
  EnableKeyRotation: ({ KeyId }) => ({ KeyId }),
  GetKeyLastUsage: ({ KeyId }) => ({ KeyId }),
  GetKeyPolicy: ({ KeyId }) => ({ KeyId }),
  GetKeyRotationStatus: ({ KeyId }) => ({ KeyId }),
  GetParametersForImport: ({ KeyId }) => ({
    KeyId,
    WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
    WrappingKeySpec: 'RSA_2048',
  }),
  ImportKeyMaterial: ({ KeyId, made }) => ({
    KeyId,
    ImportToken: made,
    EncryptedKeyMaterial: made,
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  }),
  ListAliases: ({ KeyId }) => ({ KeyId }),
  ListGrants: ({ KeyId }) => ({ KeyId }),
  ListKeyPolicies: ({ KeyId }) => ({ KeyId }),
  ListKeyRotations: ({ KeyId }) => ({ KeyId }),
  ListResourceTags: ({ KeyId }) => ({ KeyId }),
  PutKeyPolicy: ({ KeyId }) => ({ KeyId, Policy: defaultKeyPolicy(accountId) }),
  ReplicateKey: ({ KeyId }) => ({ KeyId, ReplicaRegion: 'ap-south-1' }),
  RevokeGrant: ({ KeyId }) => ({ KeyId, GrantId: '0'.repeat(64) }),
  RotateKeyOnDemand: ({ KeyId }) => ({ KeyId }),
  ScheduleKeyDeletion: ({ KeyId }) => ({ KeyId }),
  TagResource: ({ KeyId }) => ({ KeyId, Tags: [{ TagKey: 'k', TagValue: 'v' }] }),
  UntagResource: ({ KeyId }) => ({ KeyId, TagKeys: ['k'] }),
  UpdateKeyDescription: ({ KeyId }) => ({ KeyId, Description: '' }),
  UpdatePrimaryRegion: ({ KeyId }) => ({ KeyId, PrimaryRegion: 'eu-west-1' }),
} as const satisfies Calls;

export const names = <T extends object>(calls: T) => Object.keys(calls) as (keyof T & string)[];

export type Cryptographic = keyof typeof cryptographicCalls;
export type KeyOnly = keyof typeof keyOnlyCalls;

const kinds: Readonly<Partial<Record<string, KeyKind>>> = {
  DeriveSharedSecret: 'agreement',
  GenerateMac: 'mac',
  Sign: 'signing',
  Verify: 'signing',
  VerifyMac: 'mac',
};

/** The kind of key that an operation succeeds with; symmetric where any will do. */
export function kindFor(operation: string): KeyKind {
  return kinds[operation] ?? 'symmetric';
}

/** What a key of a kind makes for the operations that take it back. */
export async function madeBy(kms: Pairmint, kind: KeyKind, KeyId: string): Promise<Uint8Array> {
  switch (kind) {
    case 'symmetric':
      return newBlob(kms, KeyId);
    case 'encryption':
      return bytes((await kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm })).CiphertextBlob);
    case 'signing':
      return bytes((await kms.sign({ KeyId, ...signing })).Signature);
    case 'mac':
      return bytes((await kms.generateMac({ KeyId, ...authenticating })).Mac);
    case 'agreement':
      return new Uint8Array(1);
  }
}

/** A key that an operation succeeds with, and what it made. */
export async function newSubject(
  kms: Pairmint,
  operation: Cryptographic,
): Promise<MadeKey & Subject> {
  const kind = kindFor(operation);
  const key = await newKey(kms, keyKinds[kind]);
  return { ...key, made: await madeBy(kms, kind, key.KeyId) };
}

export function callCryptographic(
  kms: Pairmint,
  operation: Cryptographic,
  subject: Subject,
  more: object = {},
): Promise<object> {
  return kms.call(operation, { ...cryptographicCalls[operation](subject), ...more });
}

export function callKeyOnly(kms: Pairmint, operation: KeyOnly, KeyId: string): Promise<object> {
  return kms.call(operation, keyOnlyCalls[operation]({ KeyId, made: new Uint8Array(1) }));
}
