import { expect, test } from 'vitest';
import { missingMemberError } from '../../lib/model/constraints.ts';
import { parseRequest } from '../../lib/model/request.ts';
import type { OperationName } from '../../lib/model/shapes.ts';
import { failureText } from './failures.ts';

const key = { KeyId: 'alias/x' };
const pair = { ...key, KeyPairSpec: 'RSA_2048' };
const pairSpecs =
  '[RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ' +
  'SM2, ECC_NIST_EDWARDS25519, ML_KEM_512, ML_KEM_768, ML_KEM_1024]';
const keySpecs =
  '[RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ' +
  'ECC_NIST_EDWARDS25519, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ' +
  'ML_DSA_44, ML_DSA_65, ML_DSA_87, ML_KEM_512, ML_KEM_768, ML_KEM_1024]';
const signingAlgorithms =
  '[RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, ' +
  'RSASSA_PKCS1_V1_5_SHA_384, RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, ' +
  'ECDSA_SHA_512, ED25519_SHA_512, ED25519_PH_SHA_512, SM2DSA, ML_DSA_SHAKE_256]';

function expectComplaints(operation: OperationName, input: object, ...complaints: string[]): void {
  const count =
    complaints.length === 1 ? '1 validation error' : `${complaints.length} validation errors`;
  expect(failureText(() => parseRequest(operation, input))).toBe(
    `ValidationException: ${count} detected: ${complaints.join('; ')}`,
  );
}

function broken(value: string, member: string, constraint: string): string {
  return `Value${value} at '${member}' failed to satisfy constraint: Member must ${constraint}`;
}

test('an absent member is reported as null without quotes', () => {
  expect(failureText(() => parseRequest('DescribeKey', {}))).toBe(
    "ValidationException: 1 validation error detected: Value null at 'keyId' failed to satisfy " +
      'constraint: Member must not be null',
  );
});

test('all broken constraints are reported together, in the order of the model', () => {
  expectComplaints(
    'GenerateDataKeyPairWithoutPlaintext',
    {},
    broken(' null', 'keyId', 'not be null'),
    broken(' null', 'keyPairSpec', 'not be null'),
  );
});

test('an empty key id breaks its minimum length and the pattern that the model leaves out', () => {
  expect(failureText(() => parseRequest('DescribeKey', { KeyId: '' }))).toBe(
    "ValidationException: 2 validation errors detected: Value '' at 'keyId' failed to satisfy " +
      'constraint: Member must have length greater than or equal to 1; ' +
      "Value '' at 'keyId' failed to satisfy constraint: Member must satisfy regular expression " +
      'pattern: ^\\p{ASCII}+$',
  );
});

test('a key id outside ASCII breaks the pattern alone', () => {
  const complaint = broken(" 'ключ'", 'keyId', 'satisfy regular expression pattern: ^\\p{ASCII}+$');
  expectComplaints('DescribeKey', { KeyId: 'ключ' }, complaint);
});

test('long values are echoed in full', () => {
  const long = 'k'.repeat(2049);
  const complaint = broken(` '${long}'`, 'keyId', 'have length less than or equal to 2048');
  expectComplaints('DescribeKey', { KeyId: long }, complaint);
});

test.each([
  [
    'GenerateDataKeyPair',
    { ...key, KeyPairSpec: 'rsa_2048' },
    'rsa_2048',
    'keyPairSpec',
    pairSpecs,
  ],
  ['CreateKey', { KeySpec: 'AES_256' }, 'AES_256', 'keySpec', keySpecs],
  ['GenerateDataKey', { ...key, KeySpec: 'RSA_2048' }, 'RSA_2048', 'keySpec', keySpecs],
  ['GenerateDataKeyWithoutPlaintext', { ...key, KeySpec: 'X' }, 'X', 'keySpec', keySpecs],
  [
    'Decrypt',
    { CiphertextBlob: new Uint8Array(1), EncryptionAlgorithm: 'X' },
    'X',
    'encryptionAlgorithm',
    '[RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT]',
  ],
  [
    'GenerateMac',
    { ...key, Message: new Uint8Array(1), MacAlgorithm: 'X' },
    'X',
    'macAlgorithm',
    '[HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]',
  ],
  [
    'Sign',
    { ...key, Message: new Uint8Array(1), MessageType: 'X', SigningAlgorithm: 'ECDSA_SHA_256' },
    'X',
    'messageType',
    '[RAW, DIGEST, EXTERNAL_MU]',
  ],
  [
    'Sign',
    { ...key, Message: new Uint8Array(1), SigningAlgorithm: 'X' },
    'X',
    'signingAlgorithm',
    signingAlgorithms,
  ],
  [
    'DeriveSharedSecret',
    { ...key, KeyAgreementAlgorithm: 'X', PublicKey: new Uint8Array(1) },
    'X',
    'keyAgreementAlgorithm',
    '[ECDH]',
  ],
  [
    'CreateKey',
    { KeyUsage: 'X' },
    'X',
    'keyUsage',
    '[ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]',
  ],
] as const)('%s lists the enum as AWS does (%j)', (operation, input, value, member, list) => {
  const complaint = broken(` '${value}'`, member, `satisfy enum value set: ${list}`);
  expectComplaints(operation, input, complaint);
});

test('the data key specs that AWS forgets to list are accepted', () => {
  for (const KeySpec of ['AES_128', 'AES_256']) {
    expect(parseRequest('GenerateDataKey', { ...key, KeySpec })).toEqual({ ...key, KeySpec });
  }
});

test('numbers are held to their range and quoted', () => {
  const low = broken(" '0'", 'numberOfBytes', 'have value greater than or equal to 1');
  const high = broken(" '1025'", 'numberOfBytes', 'have value less than or equal to 1024');
  expectComplaints('GenerateDataKey', { ...key, NumberOfBytes: 0 }, low);
  expectComplaints('GenerateDataKey', { ...key, NumberOfBytes: -0 }, low);
  expectComplaints('GenerateDataKey', { ...key, NumberOfBytes: 1025 }, high);
  expectComplaints(
    'ListKeys',
    { Limit: 0 },
    broken(" '0'", 'limit', 'have value greater than or equal to 1'),
  );
  expectComplaints(
    'EnableKeyRotation',
    { ...key, RotationPeriodInDays: 89 },
    broken(" '89'", 'rotationPeriodInDays', 'have value greater than or equal to 90'),
  );
});

test('secrets are never shown, not even as null', () => {
  const encrypt = (Plaintext?: Uint8Array) => ({ ...key, Plaintext });
  const atLeast = 'have length greater than or equal to 1';
  expectComplaints('Encrypt', encrypt(), broken('', 'plaintext', 'not be null'));
  expectComplaints('Encrypt', encrypt(new Uint8Array()), broken('', 'plaintext', atLeast));
  expectComplaints(
    'Encrypt',
    encrypt(new Uint8Array(4097)),
    broken('', 'plaintext', 'have length less than or equal to 4096'),
  );
  expectComplaints('ConnectCustomKeyStore', {}, broken(' null', 'customKeyStoreId', 'not be null'));
  expectComplaints(
    'CreateCustomKeyStore',
    { CustomKeyStoreName: 'n', KeyStorePassword: 'secret' },
    broken('', 'keyStorePassword', 'have length greater than or equal to 7'),
  );
});

test('blobs show null, but never their bytes', () => {
  const verify = { ...key, Message: new Uint8Array(1), SigningAlgorithm: 'ECDSA_SHA_256' };
  const atLeast = 'have length greater than or equal to 1';
  expectComplaints('Verify', verify, broken(' null', 'signature', 'not be null'));
  expectComplaints(
    'Verify',
    { ...verify, Signature: new Uint8Array() },
    broken('', 'signature', atLeast),
  );
  expectComplaints(
    'Decrypt',
    { CiphertextBlob: new Uint8Array() },
    broken('', 'ciphertextBlob', atLeast),
  );
  expectComplaints(
    'ReEncrypt',
    { CiphertextBlob: new Uint8Array(6145), DestinationKeyId: 'x' },
    broken('', 'ciphertextBlob', 'have length less than or equal to 6144'),
  );
});

test('the ciphertext that only operations demand is reported in the same words', () => {
  expect(parseRequest('Decrypt', {})).toEqual({});
  const error = missingMemberError('CiphertextBlob');
  expect(`${error.name}: ${error.message}`).toBe(
    "ValidationException: 1 validation error detected: Value null at 'ciphertextBlob' failed to " +
      'satisfy constraint: Member must not be null',
  );
});

test('lists are rendered in brackets', () => {
  const tokens = Array.from({ length: 11 }, (_, index) => `t${index}`);
  expectComplaints(
    'GenerateDataKeyPair',
    { ...pair, GrantTokens: tokens },
    broken(` '[${tokens.join(', ')}]'`, 'grantTokens', 'have length less than or equal to 10'),
  );
  expect(parseRequest('GenerateDataKeyPair', { ...pair, GrantTokens: [] })).toEqual({
    ...pair,
    GrantTokens: [],
  });
});

test('a bad text in a list is reported for the list, with all constraints on its members', () => {
  expectComplaints(
    'GenerateDataKeyPair',
    { ...pair, GrantTokens: ['a', ''] },
    broken(
      " '[a, ]'",
      'grantTokens',
      'satisfy constraint: [Member must have length less than or equal to 8192, ' +
        'Member must have length greater than or equal to 1]',
    ),
  );
  expectComplaints(
    'Decrypt',
    { DryRunModifiers: ['IGNORE_CIPHERTEXT', 'X'] },
    broken(
      " '[IGNORE_CIPHERTEXT, X]'",
      'dryRunModifiers',
      'satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]',
    ),
  );
});

test('structures in a list are reported one by one, counted from 1', () => {
  const Tags = [{ TagKey: 'ok', TagValue: 'v'.repeat(257) }, { TagKey: '' }];
  expectComplaints(
    'CreateKey',
    { Tags },
    broken(
      ` '${'v'.repeat(257)}'`,
      'tags.1.member.tagValue',
      'have length less than or equal to 256',
    ),
    broken(" ''", 'tags.2.member.tagKey', 'have length greater than or equal to 1'),
    broken(' null', 'tags.2.member.tagValue', 'not be null'),
  );
});

test('members of structures are reported with their path', () => {
  expectComplaints(
    'GenerateDataKeyPair',
    { ...pair, Recipient: { KeyEncryptionAlgorithm: 'X', AttestationDocument: new Uint8Array() } },
    broken(
      " 'X'",
      'recipient.keyEncryptionAlgorithm',
      'satisfy enum value set: [RSAES_OAEP_SHA_256]',
    ),
    broken('', 'recipient.attestationDocument', 'have length greater than or equal to 1'),
  );
});
