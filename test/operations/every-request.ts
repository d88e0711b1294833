import crypto from 'node:crypto';
import type { KeySpec, KeyUsageType, Requests } from '../../lib/model/types.ts';
import { type OfferedOperation, operations } from '../../lib/operations/index.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { accountId, newBlob, newKey } from './support.ts';

export const everyOperation = Object.keys(operations) as OfferedOperation[];

/** Nobody's, until a test makes requests as this user. */
export const somebody = `arn:aws:iam::${accountId}:user/somebody`;

// Long enough to be found nowhere by chance.
const secretMessage = Buffer.from('what only the caller may ever read');

type Prepare<O extends OfferedOperation> = (kms: Pairmint) => Promise<Requests[O]>;

/**
 * For every operation, a request that succeeds for the account's root if anything does. What it needs is made first, so
 * that it can be sent only once.
 */
export const everyRequest: { readonly [O in OfferedOperation]: Prepare<O> } = {
  CancelKeyDeletion: async (kms) => {
    const KeyId = await symmetric(kms);
    await kms.scheduleKeyDeletion({ KeyId });
    return { KeyId };
  },
  ConnectCustomKeyStore: async () => ({ CustomKeyStoreId: 'cks-1' }),
  CreateAlias: async (kms) => ({ AliasName: newAlias(), TargetKeyId: await symmetric(kms) }),
  CreateCustomKeyStore: async () => ({
    CustomKeyStoreName: 'hsm',
    KeyStorePassword: 'kept-to-itself',
  }),
  CreateGrant: async (kms) => {
    const KeyId = await symmetric(kms);
    const GrantTokens = [(await newGrant(kms, KeyId)).GrantToken];
    return { KeyId, GranteePrincipal: somebody, Operations: ['Decrypt'], GrantTokens };
  },
  CreateKey: async () => ({ Tags: [{ TagKey: 'stage', TagValue: 'test' }] }),
  Decapsulate: async (kms) => ({
    KeyId: await symmetric(kms),
    SharedSecretCiphertextBlob: Buffer.alloc(768, 1),
    EncapsulationAlgorithm: 'ML_KEM',
  }),
  Decrypt: async (kms) => {
    const KeyId = await symmetric(kms);
    return { KeyId, CiphertextBlob: await newBlob(kms, KeyId) };
  },
  DeleteAlias: async (kms) => ({ AliasName: await aliasOf(kms, await symmetric(kms)) }),
  DeleteCustomKeyStore: async () => ({ CustomKeyStoreId: 'cks-1' }),
  DeleteImportedKeyMaterial: async (kms) => ({ KeyId: await external(kms) }),
  DeriveSharedSecret: async (kms) => ({
    KeyId: await made(kms, 'ECC_NIST_P256', 'KEY_AGREEMENT'),
    KeyAgreementAlgorithm: 'ECDH',
    PublicKey: crypto
      .generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      .publicKey.export({ format: 'der', type: 'spki' }),
  }),
  DescribeCustomKeyStores: async () => ({}),
  DescribeKey: async (kms) => ({ KeyId: await symmetric(kms) }),
  DisableKey: async (kms) => ({ KeyId: await symmetric(kms) }),
  DisableKeyRotation: async (kms) => ({ KeyId: await symmetric(kms) }),
  DisconnectCustomKeyStore: async () => ({ CustomKeyStoreId: 'cks-1' }),
  EnableKey: async (kms) => {
    const KeyId = await symmetric(kms);
    await kms.disableKey({ KeyId });
    return { KeyId };
  },
  EnableKeyRotation: async (kms) => ({ KeyId: await symmetric(kms) }),
  Encapsulate: async (kms) => ({
    KeyId: await symmetric(kms),
    EncapsulationAlgorithm: 'ML_KEM',
  }),
  Encrypt: async (kms) => ({ KeyId: await symmetric(kms), Plaintext: secretMessage }),
  GenerateDataKey: async (kms) => ({ KeyId: await symmetric(kms), KeySpec: 'AES_256' }),
  GenerateDataKeyPair: async (kms) => ({
    KeyId: await symmetric(kms),
    KeyPairSpec: 'ECC_NIST_P256',
  }),
  GenerateDataKeyPairWithoutPlaintext: async (kms) => ({
    KeyId: await symmetric(kms),
    KeyPairSpec: 'ECC_NIST_P256',
  }),
  GenerateDataKeyWithoutPlaintext: async (kms) => ({
    KeyId: await symmetric(kms),
    KeySpec: 'AES_256',
  }),
  GenerateMac: async (kms) => ({
    KeyId: await made(kms, 'HMAC_256', 'GENERATE_VERIFY_MAC'),
    MacAlgorithm: 'HMAC_SHA_256',
    Message: secretMessage,
  }),
  GenerateRandom: async () => ({ NumberOfBytes: 32 }),
  GetKeyLastUsage: async (kms) => ({ KeyId: await symmetric(kms) }),
  GetKeyPolicy: async (kms) => ({ KeyId: await symmetric(kms) }),
  GetKeyRotationStatus: async (kms) => ({ KeyId: await symmetric(kms) }),
  GetParametersForImport: async (kms) => ({ KeyId: await external(kms), ...wrapping }),
  GetPublicKey: async (kms) => ({ KeyId: await made(kms, 'ECC_NIST_P256', 'SIGN_VERIFY') }),
  ImportKeyMaterial: async (kms) => {
    const KeyId = await external(kms);
    const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId, ...wrapping });
    const key = crypto.createPublicKey({
      key: Buffer.from(PublicKey as Uint8Array),
      format: 'der',
      type: 'spki',
    });
    return {
      KeyId,
      ImportToken,
      EncryptedKeyMaterial: crypto.publicEncrypt(
        { key, oaepHash: 'sha256' },
        crypto.randomBytes(32),
      ),
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    };
  },
  ListAliases: async () => ({}),
  ListGrants: async (kms) => ({ KeyId: await symmetric(kms) }),
  ListKeyPolicies: async (kms) => ({ KeyId: await symmetric(kms) }),
  ListKeyRotations: async (kms) => ({ KeyId: await symmetric(kms) }),
  ListKeys: async () => ({}),
  ListResourceTags: async (kms) => ({ KeyId: await symmetric(kms) }),
  ListRetirableGrants: async () => ({ RetiringPrincipal: somebody }),
  PutKeyPolicy: async (kms) => {
    const KeyId = await symmetric(kms);
    return { KeyId, Policy: (await kms.getKeyPolicy({ KeyId })).Policy };
  },
  ReEncrypt: async (kms) => {
    const [source, DestinationKeyId] = [await symmetric(kms), await symmetric(kms)];
    const CiphertextBlob = await newBlob(kms, source);
    return { CiphertextBlob, SourceKeyId: source, DestinationKeyId };
  },
  ReplicateKey: async (kms) => ({
    KeyId: (await newKey(kms, { MultiRegion: true })).KeyId,
    ReplicaRegion: 'eu-west-1',
  }),
  RetireGrant: async (kms) => {
    const { GrantToken } = await newGrant(kms, await symmetric(kms));
    return { GrantToken };
  },
  RevokeGrant: async (kms) => {
    const KeyId = await symmetric(kms);
    return { KeyId, GrantId: (await newGrant(kms, KeyId)).GrantId };
  },
  RotateKeyOnDemand: async (kms) => ({ KeyId: await symmetric(kms) }),
  ScheduleKeyDeletion: async (kms) => ({ KeyId: await symmetric(kms) }),
  Sign: async (kms) => ({
    KeyId: await made(kms, 'ECC_NIST_P256', 'SIGN_VERIFY'),
    Message: secretMessage,
    SigningAlgorithm: 'ECDSA_SHA_256',
  }),
  TagResource: async (kms) => ({
    KeyId: await symmetric(kms),
    Tags: [{ TagKey: 'stage', TagValue: 'test' }],
  }),
  UntagResource: async (kms) => ({
    KeyId: (await newKey(kms, { Tags: [{ TagKey: 'stage', TagValue: 'test' }] })).KeyId,
    TagKeys: ['stage'],
  }),
  UpdateAlias: async (kms) => ({
    AliasName: await aliasOf(kms, await symmetric(kms)),
    TargetKeyId: await symmetric(kms),
  }),
  UpdateCustomKeyStore: async () => ({
    CustomKeyStoreId: 'cks-1',
    KeyStorePassword: 'kept-to-itself',
  }),
  UpdateKeyDescription: async (kms) => ({ KeyId: await symmetric(kms), Description: 'another' }),
  UpdatePrimaryRegion: async (kms) => {
    const { KeyId } = await newKey(kms, { MultiRegion: true });
    await kms.replicateKey({ KeyId, ReplicaRegion: 'eu-west-1' });
    return { KeyId, PrimaryRegion: 'eu-west-1' };
  },
  Verify: async (kms) => {
    const request = await everyRequest.Sign(kms);
    return { ...request, Signature: (await kms.sign(request)).Signature };
  },
  VerifyMac: async (kms) => {
    const request = await everyRequest.GenerateMac(kms);
    return { ...request, Mac: (await kms.generateMac(request)).Mac };
  },
};

/** What is not offered fails, after it was authorised: the error of each. */
export const neverServed: ReadonlyMap<string, string> = new Map([
  ['ConnectCustomKeyStore', 'CustomKeyStoreNotFoundException'],
  ['CreateCustomKeyStore', 'UnsupportedOperationException'],
  ['Decapsulate', 'UnsupportedOperationException'],
  ['DeleteCustomKeyStore', 'CustomKeyStoreNotFoundException'],
  ['DisconnectCustomKeyStore', 'CustomKeyStoreNotFoundException'],
  ['Encapsulate', 'UnsupportedOperationException'],
  ['GetKeyLastUsage', 'UnsupportedOperationException'],
  ['UpdateCustomKeyStore', 'CustomKeyStoreNotFoundException'],
]);

/** The outcome of a request for an operation that is not offered, or `otherwise`. */
export function outcomePattern(operation: string, otherwise: string | RegExp): string | RegExp {
  const error = neverServed.get(operation);
  return error === undefined ? otherwise : new RegExp(`^${error}: `);
}

/** Makes a grant, of DescribeKey to somebody unless the request says otherwise. */
export async function newGrant(
  kms: Pairmint,
  KeyId: string,
  request: Partial<Requests['CreateGrant']> = {},
): Promise<{ GrantId: string; GrantToken: string }> {
  const terms = { GranteePrincipal: somebody, Operations: ['DescribeKey' as const] };
  const { GrantId = '', GrantToken = '' } = await kms.createGrant({ KeyId, ...terms, ...request });
  return { GrantId, GrantToken };
}

/** A policy of one or more statements, as text. */
export function policyText(...statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** An identity policy that grants nothing here. */
export const nothingAllowed = policyText({ Effect: 'Allow', Action: 's3:*', Resource: '*' });

/** An identity policy that leaves everything to the key policies. */
export const allAllowed = policyText({ Effect: 'Allow', Action: 'kms:*', Resource: '*' });

const wrapping = {
  WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
  WrappingKeySpec: 'RSA_2048',
} as const;

async function symmetric(kms: Pairmint): Promise<string> {
  return (await newKey(kms)).KeyId;
}

async function external(kms: Pairmint): Promise<string> {
  return (await newKey(kms, { Origin: 'EXTERNAL' })).KeyId;
}

async function made(kms: Pairmint, KeySpec: KeySpec, KeyUsage: KeyUsageType): Promise<string> {
  return (await newKey(kms, { KeySpec, KeyUsage })).KeyId;
}

function newAlias(): string {
  return `alias/${crypto.randomUUID()}`;
}

async function aliasOf(kms: Pairmint, TargetKeyId: string): Promise<string> {
  const AliasName = newAlias();
  await kms.createAlias({ AliasName, TargetKeyId });
  return AliasName;
}
