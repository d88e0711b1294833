// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { MlKemSpec } from '../../lib/model/key-specs.ts';
import type { KeySpec, KeyUsageType } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { accountId, failureText, keyArn, openKms, outcomeOf, region } from './support.ts';

const rsaSignatures = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
];
const oaep = { EncryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] };
const rsa = { ENCRYPT_DECRYPT: oaep, SIGN_VERIFY: { SigningAlgorithms: rsaSignatures } };
const ecdh = { KEY_AGREEMENT: { KeyAgreementAlgorithms: ['ECDH'] } };
const signs = (...names: string[]) => ({ SIGN_VERIFY: { SigningAlgorithms: names } });
const authenticates = (name: string) => ({ GENERATE_VERIFY_MAC: { MacAlgorithms: [name] } });

/** KMS API Reference, CreateKey and Sign: what a key of each spec can be for, and how. */
const kinds: Readonly<Record<Exclude<KeySpec, MlKemSpec>, Partial<Record<KeyUsageType, object>>>> =
  {
    SYMMETRIC_DEFAULT: { ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] } },
    RSA_2048: rsa,
    RSA_3072: rsa,
    RSA_4096: rsa,
    ECC_NIST_P256: { ...signs('ECDSA_SHA_256'), ...ecdh },
    ECC_NIST_P384: { ...signs('ECDSA_SHA_384'), ...ecdh },
    ECC_NIST_P521: { ...signs('ECDSA_SHA_512'), ...ecdh },
    ECC_SECG_P256K1: signs('ECDSA_SHA_256'),
    ECC_NIST_EDWARDS25519: signs('ED25519_SHA_512', 'ED25519_PH_SHA_512'),
    HMAC_224: authenticates('HMAC_SHA_224'),
    HMAC_256: authenticates('HMAC_SHA_256'),
    HMAC_384: authenticates('HMAC_SHA_384'),
    HMAC_512: authenticates('HMAC_SHA_512'),
    SM2: { ENCRYPT_DECRYPT: { EncryptionAlgorithms: ['SM2PKE'] }, ...signs('SM2DSA'), ...ecdh },
    ML_DSA_44: signs('ML_DSA_SHAKE_256'),
    ML_DSA_65: signs('ML_DSA_SHAKE_256'),
    ML_DSA_87: signs('ML_DSA_SHAKE_256'),
  };

const specs = Object.keys(kinds) as (keyof typeof kinds)[];
const usages: readonly KeyUsageType[] = [
  'ENCRYPT_DECRYPT',
  'SIGN_VERIFY',
  'GENERATE_VERIFY_MAC',
  'KEY_AGREEMENT',
];
const pairs = specs.flatMap((KeySpec) => usages.map((KeyUsage) => ({ KeySpec, KeyUsage })));
const allowed = pairs.filter(({ KeySpec, KeyUsage }) => KeyUsage in kinds[KeySpec]);
const refused = pairs.filter(({ KeySpec, KeyUsage }) => !(KeyUsage in kinds[KeySpec]));

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

const lacksMlDsa = (spec: KeySpec) => spec.startsWith('ML_DSA') && !kms.capabilities().mlDsa;

/** The members that are the same for every key that was just made. */
const fixedMembers = {
  AWSAccountId: accountId,
  Description: '',
  Enabled: true,
  KeyManager: 'CUSTOMER',
  KeyState: 'Enabled',
  MultiRegion: false,
  Origin: 'AWS_KMS',
};

test.each(['ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'] as const)(
  'a key of %s is not offered, nor pairs of it',
  async (spec) => {
    const text = `UnsupportedOperationException: ${spec} is not offered: pairmint makes no ML-KEM keys.`;
    const kind = { KeySpec: spec, KeyUsage: 'ENCAPSULATE_DECAPSULATE' } as const;
    expect(await failureText(kms.createKey(kind))).toBe(text);
    expect(await failureText(kms.createKey({ ...kind, Origin: 'EXTERNAL' }))).toBe(text);
    expect(await failureText(kms.createKey({ ...kind, KeyUsage: 'SIGN_VERIFY' }))).toBe(
      `ValidationException: KeyUsage SIGN_VERIFY is not compatible with KeySpec ${spec}`,
    );
    const pair = { KeyId: 'alias/pairmint/default', KeyPairSpec: spec };
    expect(await failureText(kms.generateDataKeyPair(pair))).toBe(text);
    expect(await failureText(kms.generateDataKeyPairWithoutPlaintext(pair))).toBe(text);
    expect(await failureText(kms.pools.create({ ...pair, target: 4 }))).toBe(text);
  },
);

describe('every kind of key', () => {
  // [LS test_create_key 2025-11, test_hmac_create_key 2025-11, test_derive_shared_secret 2024-12]
  test.each(allowed)('$KeySpec for $KeyUsage is described as AWS describes it', async (kind) => {
    const { KeySpec, KeyUsage } = kind;
    if (lacksMlDsa(KeySpec)) {
      expect(await failureText(kms.createKey(kind))).toBe(
        `UnsupportedOperationException: KeySpec ${KeySpec} needs OpenSSL 3.5, which the Node.js ` +
          'of this process does not have.',
      );
      return;
    }
    const created = await kms.createKey(kind);
    const { KeyId = '', CreationDate, CurrentKeyMaterialId, ...fixed } = created.KeyMetadata ?? {};
    expect(fixed).toEqual({
      ...fixedMembers,
      ...kinds[KeySpec][KeyUsage],
      Arn: keyArn(KeyId),
      CustomerMasterKeySpec: KeySpec,
      KeySpec,
      KeyUsage,
    });
    expect(CreationDate).toBeInstanceOf(Date);
    // Only a symmetric encryption key tells its material.
    expect(CurrentKeyMaterialId !== undefined).toBe(KeySpec === 'SYMMETRIC_DEFAULT');
    expect(await kms.describeKey({ KeyId })).toEqual(created);
  });

  test.each(allowed)(
    '$KeySpec for $KeyUsage waits for its material if it is to be imported',
    async (kind) => {
      if (lacksMlDsa(kind.KeySpec)) return;
      const created = await kms.createKey({ ...kind, Origin: 'EXTERNAL' });
      // [LS test_import_key_symmetric 2025-11]
      expect(created.KeyMetadata).toMatchObject({
        Enabled: false,
        KeyState: 'PendingImport',
        Origin: 'EXTERNAL',
      });
      for (const absent of ['CurrentKeyMaterialId', 'ExpirationModel', 'ValidTo']) {
        expect(created.KeyMetadata).not.toHaveProperty(absent);
      }
    },
  );

  test('an asymmetric key can be in several regions', async () => {
    const request = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const;
    const { KeyMetadata } = await kms.createKey({ ...request, MultiRegion: true });
    // [LS test_create_multi_region_key]
    expect(KeyMetadata).toMatchObject({
      KeyId: expect.stringMatching(/^mrk-[0-9a-f]{32}$/),
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: { Arn: KeyMetadata?.Arn, Region: region },
        ReplicaKeys: [],
      },
    });
    expect(KeyMetadata).not.toHaveProperty('CurrentKeyMaterialId');
  });
});

describe('a request for a kind of key that does not exist', () => {
  // [LS test_derive_shared_secret 2024-12]
  test.each(refused)('$KeySpec for $KeyUsage', async (kind) => {
    expect(await failureText(kms.createKey(kind))).toBe(
      `ValidationException: KeyUsage ${kind.KeyUsage} is not compatible with KeySpec ${kind.KeySpec}`,
    );
  });

  // [LS test_hmac_create_key_invalid_operations]
  test.each(specs.filter((spec) => spec !== 'SYMMETRIC_DEFAULT'))(
    '%s without a usage, even if there is only one',
    async (KeySpec) => {
      expect(await failureText(kms.createKey({ KeySpec }))).toBe(
        'ValidationException: You must specify a KeyUsage value for all KMS keys except for ' +
          'symmetric encryption keys.',
      );
    },
  );

  test('is refused before its tags and its policy are looked at', async () => {
    const request = kms.createKey({
      KeySpec: 'HMAC_256',
      KeyUsage: 'SIGN_VERIFY',
      Tags: [{ TagKey: 'aws:x', TagValue: '' }],
      Policy: 'no policy',
    });
    expect(await failureText(request)).toMatch(/^ValidationException: KeyUsage /);
  });
});

test('the older name of a spec means the same', async () => {
  const older = { CustomerMasterKeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT' } as const;
  const { KeyMetadata } = await kms.createKey(older);
  expect(KeyMetadata).toMatchObject({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT' });
});

test('a request that is given up makes no key', async () => {
  const before = (await kms.listKeys({ Limit: 1000 })).Keys;
  const request = { KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' } as const;
  const abortSignal = AbortSignal.timeout(5);
  const outcome = await outcomeOf(kms.createKey(request, { abortSignal }));
  const after = (await kms.listKeys({ Limit: 1000 })).Keys;
  // A search of this size seldom ends within 5 ms.
  if (outcome === 'ok') expect(after).toHaveLength((before?.length ?? 0) + 1);
  else {
    expect(outcome).toMatch(/^TimeoutError: /);
    expect(after).toEqual(before);
  }
});
