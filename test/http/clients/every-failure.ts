import type { KmsErrorName } from '../../../lib/model/errors.ts';
import type { Requests } from '../../../lib/model/types.ts';
import type { OfferedOperation } from '../../../lib/operations/index.ts';
import type { Pairmint } from '../../../lib/service/pairmint.ts';
import { everyRequest, neverServed } from '../../operations/every-request.ts';
import { absentKeyId, newKey } from '../../operations/support.ts';

type Failing<O extends OfferedOperation> = readonly [
  expected: KmsErrorName,
  prepare: (kms: Pairmint) => Promise<Requests[O]>,
];

/** A request that succeeds but for the members given. */
function spoilt<O extends OfferedOperation>(
  expected: KmsErrorName,
  operation: O,
  members: Partial<Requests[O]>,
): Failing<O> {
  return [expected, async (kms) => ({ ...(await everyRequest[operation](kms)), ...members })];
}

function notOffered<O extends OfferedOperation>(operation: O): Failing<O> {
  return [neverServed.get(operation) as KmsErrorName, everyRequest[operation]];
}

const absent = { KeyId: absentKeyId };
const noMarker = { Marker: 'no marker' };

async function disabled(kms: Pairmint): Promise<string> {
  const { KeyId } = await newKey(kms);
  await kms.disableKey({ KeyId });
  return KeyId;
}

async function signing(kms: Pairmint): Promise<string> {
  return (await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).KeyId;
}

/** For every operation, the error of one request that fails. */
export const everyFailure: { readonly [O in OfferedOperation]: Failing<O> } = {
  CancelKeyDeletion: [
    'KMSInvalidStateException',
    async (kms) => ({ KeyId: (await newKey(kms)).KeyId }),
  ],
  ConnectCustomKeyStore: notOffered('ConnectCustomKeyStore'),
  CreateAlias: [
    'AlreadyExistsException',
    async (kms) => {
      const request = await everyRequest.CreateAlias(kms);
      await kms.createAlias(request);
      return request;
    },
  ],
  CreateCustomKeyStore: notOffered('CreateCustomKeyStore'),
  CreateGrant: [
    'DisabledException',
    async (kms) => ({ ...(await everyRequest.CreateGrant(kms)), KeyId: await disabled(kms) }),
  ],
  CreateKey: spoilt('MalformedPolicyDocumentException', 'CreateKey', { Policy: '{' }),
  Decrypt: spoilt('InvalidCiphertextException', 'Decrypt', {
    EncryptionContext: { another: 'context' },
  }),
  DeleteAlias: spoilt('NotFoundException', 'DeleteAlias', { AliasName: 'alias/absent' }),
  DeleteCustomKeyStore: notOffered('DeleteCustomKeyStore'),
  DeleteImportedKeyMaterial: [
    'UnsupportedOperationException',
    async (kms) => ({ KeyId: (await newKey(kms)).KeyId }),
  ],
  Decapsulate: notOffered('Decapsulate'),
  DeriveSharedSecret: [
    'InvalidKeyUsageException',
    async (kms) => ({ ...(await everyRequest.DeriveSharedSecret(kms)), KeyId: await signing(kms) }),
  ],
  DescribeCustomKeyStores: [
    'CustomKeyStoreNotFoundException',
    async () => ({ CustomKeyStoreId: 'cks-1234567890abcdef0' }),
  ],
  DescribeKey: spoilt('NotFoundException', 'DescribeKey', absent),
  DisableKey: spoilt('NotFoundException', 'DisableKey', absent),
  DisableKeyRotation: spoilt('NotFoundException', 'DisableKeyRotation', absent),
  DisconnectCustomKeyStore: notOffered('DisconnectCustomKeyStore'),
  EnableKey: spoilt('NotFoundException', 'EnableKey', absent),
  EnableKeyRotation: [
    'UnsupportedOperationException',
    async (kms) => ({ KeyId: await signing(kms) }),
  ],
  Encapsulate: notOffered('Encapsulate'),
  Encrypt: [
    'DisabledException',
    async (kms) => ({ KeyId: await disabled(kms), Plaintext: Buffer.from('x') }),
  ],
  GenerateDataKey: [
    'InvalidKeyUsageException',
    async (kms) => ({ KeyId: await signing(kms), KeySpec: 'AES_256' }),
  ],
  GenerateDataKeyPair: spoilt('DryRunOperationException', 'GenerateDataKeyPair', { DryRun: true }),
  GenerateDataKeyPairWithoutPlaintext: spoilt(
    'ValidationException',
    'GenerateDataKeyPairWithoutPlaintext',
    { KeyPairSpec: 'RSA_1024' as 'RSA_2048' },
  ),
  GenerateDataKeyWithoutPlaintext: [
    'DisabledException',
    async (kms) => ({
      ...(await everyRequest.GenerateDataKeyWithoutPlaintext(kms)),
      KeyId: await disabled(kms),
    }),
  ],
  GenerateMac: [
    'InvalidKeyUsageException',
    async (kms) => ({ ...(await everyRequest.GenerateMac(kms)), KeyId: await signing(kms) }),
  ],
  GenerateRandom: spoilt('ValidationException', 'GenerateRandom', { NumberOfBytes: 1025 }),
  GetKeyLastUsage: notOffered('GetKeyLastUsage'),
  GetKeyPolicy: spoilt('NotFoundException', 'GetKeyPolicy', { PolicyName: 'another' }),
  GetKeyRotationStatus: spoilt('NotFoundException', 'GetKeyRotationStatus', absent),
  GetParametersForImport: [
    'UnsupportedOperationException',
    async (kms) => ({
      ...(await everyRequest.GetParametersForImport(kms)),
      KeyId: (await newKey(kms)).KeyId,
    }),
  ],
  GetPublicKey: [
    'UnsupportedOperationException',
    async (kms) => ({ KeyId: (await newKey(kms)).KeyId }),
  ],
  ImportKeyMaterial: spoilt('InvalidImportTokenException', 'ImportKeyMaterial', {
    ImportToken: Buffer.from('no token'),
  }),
  ListAliases: spoilt('InvalidMarkerException', 'ListAliases', noMarker),
  ListGrants: spoilt('InvalidMarkerException', 'ListGrants', noMarker),
  ListKeyPolicies: spoilt('NotFoundException', 'ListKeyPolicies', absent),
  ListKeyRotations: spoilt('NotFoundException', 'ListKeyRotations', absent),
  ListKeys: spoilt('InvalidMarkerException', 'ListKeys', noMarker),
  ListResourceTags: spoilt('InvalidMarkerException', 'ListResourceTags', noMarker),
  ListRetirableGrants: spoilt('InvalidMarkerException', 'ListRetirableGrants', noMarker),
  PutKeyPolicy: spoilt('MalformedPolicyDocumentException', 'PutKeyPolicy', { Policy: '{' }),
  ReEncrypt: [
    'IncorrectKeyException',
    async (kms) => ({
      ...(await everyRequest.ReEncrypt(kms)),
      SourceKeyId: (await newKey(kms)).KeyId,
    }),
  ],
  ReplicateKey: [
    'AlreadyExistsException',
    async (kms) => {
      const request = await everyRequest.ReplicateKey(kms);
      await kms.replicateKey(request);
      return request;
    },
  ],
  RetireGrant: spoilt('InvalidGrantTokenException', 'RetireGrant', { GrantToken: 'no token' }),
  RevokeGrant: spoilt('NotFoundException', 'RevokeGrant', { GrantId: '0'.repeat(64) }),
  RotateKeyOnDemand: spoilt('NotFoundException', 'RotateKeyOnDemand', absent),
  ScheduleKeyDeletion: [
    'KMSInvalidStateException',
    async (kms) => {
      const { KeyId } = await newKey(kms);
      await kms.scheduleKeyDeletion({ KeyId });
      return { KeyId };
    },
  ],
  Sign: spoilt('InvalidKeyUsageException', 'Sign', {
    SigningAlgorithm: 'RSASSA_PSS_SHA_256',
  }),
  TagResource: spoilt('TagException', 'TagResource', {
    Tags: [{ TagKey: 'aws:reserved', TagValue: 'x' }],
  }),
  UntagResource: spoilt('NotFoundException', 'UntagResource', absent),
  UpdateAlias: spoilt('NotFoundException', 'UpdateAlias', { AliasName: 'alias/absent' }),
  UpdateCustomKeyStore: notOffered('UpdateCustomKeyStore'),
  UpdateKeyDescription: spoilt('ValidationException', 'UpdateKeyDescription', {
    Description: 'x'.repeat(8193),
  }),
  UpdatePrimaryRegion: spoilt('NotFoundException', 'UpdatePrimaryRegion', {
    PrimaryRegion: 'ap-south-1',
  }),
  Verify: spoilt('KMSInvalidSignatureException', 'Verify', { Message: Buffer.from('another') }),
  VerifyMac: spoilt('KMSInvalidMacException', 'VerifyMac', { Message: Buffer.from('another') }),
};
