// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto from 'node:crypto';
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import { MaterialVault } from '../../lib/keys/material-vault.ts';
import type { KeyMetadata, KeySpec, KeyUsageType, WrappingKeySpec } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';
import { generateWithNode, pkcs8Of, publicKeyOf, spkiOf } from '../support/kms-keys.ts';
import { callCryptographic, cryptographicCalls, kindFor, names } from './calls.ts';
import {
  importMaterial,
  importWith,
  type Parameters,
  parametersFor,
  type WrappingAlgorithm,
  wrap,
} from './importing.ts';
import {
  absentKeyId,
  bytes,
  failureText,
  flipped,
  keyArn,
  type MadeKey,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
} from './support.ts';

const day = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');

let kms: Pairmint;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  kms = await openKms();
});

afterEach(async () => {
  vi.useRealTimers();
  await kms.close();
});

const date = (days: number) => new Date(start + days * day);
const daysLater = (days: number) => vi.setSystemTime(start + days * day);

const externalKey = (KeySpec: KeySpec = 'SYMMETRIC_DEFAULT', KeyUsage?: KeyUsageType) =>
  newKey(kms, { Origin: 'EXTERNAL', KeySpec, KeyUsage });

const metadataOf = async (KeyId: string): Promise<Partial<KeyMetadata>> =>
  (await kms.describeKey({ KeyId })).KeyMetadata ?? {};
const stateOf = async (KeyId: string) => (await metadataOf(KeyId)).KeyState;

/** Every material of a key, without its ARN. */
async function materialsOf(KeyId: string) {
  const IncludeKeyMaterial = 'ALL_KEY_MATERIAL';
  const { Rotations = [] } = await kms.listKeyRotations({ KeyId, IncludeKeyMaterial });
  return Rotations.map(({ KeyId: _, ...entry }) => entry);
}

const symmetricCalls = names(cryptographicCalls).filter((name) => kindFor(name) === 'symmetric');

const pendingImport = ({ Arn }: MadeKey) => `KMSInvalidStateException: ${Arn} is pending import.`;

describe('a key of origin EXTERNAL', () => {
  // [LS test_import_key_symmetric], [FL deleteImportedKeyMaterialReturnsTheKeyToPendingImport]
  test('is made pending import, and shows no material', async () => {
    const { KeyId } = await externalKey();
    const metadata = await metadataOf(KeyId);
    expect(metadata).toMatchObject({
      Origin: 'EXTERNAL',
      KeyState: 'PendingImport',
      Enabled: false,
    });
    for (const member of ['ExpirationModel', 'ValidTo', 'CurrentKeyMaterialId']) {
      expect(metadata).not.toHaveProperty(member);
    }
    expect(await materialsOf(KeyId)).toEqual([]);
  });

  // [FL operationsRejectAKeyPendingImport], [LS test_import_key_symmetric encrypt-before-import-error 2025-11]
  test('can do nothing before material comes', async () => {
    const key = await externalKey();
    const { KeyId } = key;
    const blob = await newBlob(kms, (await newKey(kms)).KeyId);
    for (const operation of symmetricCalls.filter((name) => !/Decrypt|ReEncrypt/.test(name))) {
      const outcome = await failureText(callCryptographic(kms, operation, { KeyId, made: blob }));
      expect(outcome, operation).toBe(pendingImport(key));
    }
    for (const operation of ['EnableKey', 'DisableKey', 'RotateKeyOnDemand']) {
      expect(await failureText(kms.call(operation, { KeyId })), operation).toBe(pendingImport(key));
    }
    // [FL reEncryptRejectsADestinationKeyPendingImport]
    const moving = kms.reEncrypt({ CiphertextBlob: blob, DestinationKeyId: KeyId });
    expect(await failureText(moving)).toBe(pendingImport(key));
  });

  // [FL operationsRejectAKeyPendingImport] GenerateMac, VerifyMac, Sign
  test('pending import refuses MACs and signatures, too', async () => {
    const hmac = await externalKey('HMAC_256', 'GENERATE_VERIFY_MAC');
    const ec = await externalKey('ECC_NIST_P256', 'SIGN_VERIFY');
    const Message = Buffer.from('message');
    const mac = { KeyId: hmac.KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' } as const;
    const sign = { KeyId: ec.KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
    const zeros = Buffer.alloc(32);
    expect(await failureText(kms.generateMac(mac))).toBe(pendingImport(hmac));
    expect(await failureText(kms.verifyMac({ ...mac, Mac: zeros }))).toBe(pendingImport(hmac));
    expect(await failureText(kms.sign(sign))).toBe(pendingImport(ec));
    expect(await failureText(kms.verify({ ...sign, Signature: zeros }))).toBe(pendingImport(ec));
    // [FL getPublicKeyRejectsAKeyPendingDeletionOrImport]: before the spec, which HMAC has not
    for (const key of [hmac, ec]) {
      expect(await failureText(kms.getPublicKey({ KeyId: key.KeyId }))).toBe(pendingImport(key));
    }
  });

  test('opens a data key pair that it sealed, as any other key', async () => {
    const { KeyId } = await externalKey();
    const { KeyMaterialId } = await importMaterial(kms, KeyId, crypto.randomBytes(32));
    const KeyPairSpec = 'ECC_NIST_P256';
    const pair = await kms.generateDataKeyPair({
      KeyId,
      KeyPairSpec,
      EncryptionContext: { a: 'b' },
    });
    expect(pair.KeyMaterialId).toBe(KeyMaterialId);
    const opened = await kms.decrypt({
      CiphertextBlob: bytes(pair.PrivateKeyCiphertextBlob),
      EncryptionContext: { a: 'b' },
    });
    expect(opened.Plaintext).toEqual(pair.PrivateKeyPlaintext);
    expect(opened.KeyMaterialId).toBe(KeyMaterialId);
    const { CiphertextBlob } = await kms.generateDataKeyWithoutPlaintext({
      KeyId,
      KeySpec: 'AES_256',
    });
    const other = await newKey(kms);
    const moved = await kms.reEncrypt({
      CiphertextBlob: bytes(CiphertextBlob),
      DestinationKeyId: other.KeyId,
    });
    expect(moved.SourceKeyMaterialId).toBe(KeyMaterialId);
  });
});

describe('the operations of import', () => {
  const requests = (KeyId: string) =>
    ({
      GetParametersForImport: {
        KeyId,
        WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
        WrappingKeySpec: 'RSA_2048',
      },
      ImportKeyMaterial: {
        KeyId,
        ImportToken: Buffer.from('token'),
        EncryptedKeyMaterial: Buffer.alloc(256),
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      },
      DeleteImportedKeyMaterial: { KeyId },
    }) as const;
  const operations = Object.keys(requests('')) as (keyof ReturnType<typeof requests>)[];

  // [LS test_get_parameters_for_import 2023-10, …_raises_for_non_external_kms_keys 2025-11], [FL]
  test.each(operations)('%s takes no key whose material KMS made', async (operation) => {
    const { KeyId, Arn } = await newKey(kms);
    const refusal = `UnsupportedOperationException: ${Arn} origin is AWS_KMS which is not valid for this operation.`;
    expect(await failureText(kms.call(operation, requests(KeyId)[operation]))).toBe(refusal);
    await kms.scheduleKeyDeletion({ KeyId });
    expect(await failureText(kms.call(operation, requests(KeyId)[operation]))).toBe(refusal);
  });

  // [FL keyManagementRejectsAKeyPendingDeletion]: whatever the token is
  test.each(['GetParametersForImport', 'ImportKeyMaterial'] as const)(
    '%s takes no key pending deletion',
    async (operation) => {
      const { KeyId, Arn } = await externalKey();
      await kms.scheduleKeyDeletion({ KeyId });
      expect(await failureText(kms.call(operation, requests(KeyId)[operation]))).toBe(
        `KMSInvalidStateException: ${Arn} is pending deletion.`,
      );
    },
  );

  test.each(operations)('%s names an absent key', async (operation) => {
    expect(await failureText(kms.call(operation, requests(absentKeyId)[operation]))).toBe(
      `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
    );
  });
});

describe('GetParametersForImport', () => {
  // [BC]: "valid for 24 hours"
  test('gives a public key of the spec, and a token for a day', async () => {
    const { KeyId, Arn } = await externalKey();
    for (const [WrappingKeySpec, bits] of [
      ['RSA_2048', 2048],
      ['RSA_3072', 3072],
      ['RSA_4096', 4096],
    ] as const) {
      const { ImportToken, PublicKey, ...more } = await kms.getParametersForImport({
        KeyId,
        WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
        WrappingKeySpec,
      });
      expect(more).toEqual({ KeyId: Arn, ParametersValidTo: date(1) });
      const { asymmetricKeyDetails } = publicKeyOf(bytes(PublicKey));
      expect(asymmetricKeyDetails).toEqual({ modulusLength: bits, publicExponent: 65537n });
      expect(bytes(ImportToken).length).toBeLessThanOrEqual(6144);
    }
  });

  test('is abandoned with the request', async () => {
    const { KeyId } = await externalKey();
    const request = {
      KeyId,
      WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      WrappingKeySpec: 'RSA_4096',
    } as const;
    const abort = new AbortController();
    // One search may be lucky and end before the abort; eight on two cores do not.
    const askings = Array.from({ length: 8 }, () =>
      kms.getParametersForImport(request, { abortSignal: abort.signal }),
    );
    setTimeout(() => abort.abort(), 20);
    await expect(Promise.all(askings)).rejects.toMatchObject({ name: 'AbortError' });
  });

  // [BC] WrappingAlgorithm; the texts are unverified
  test.each([
    ['RSA_2048', 'ENCRYPT_DECRYPT', 'RSAES_OAEP_SHA_256', 'RSA_4096'],
    ['RSA_3072', 'SIGN_VERIFY', 'RSAES_OAEP_SHA_1', 'RSA_4096'],
    ['ECC_NIST_P521', 'SIGN_VERIFY', 'RSAES_OAEP_SHA_256', 'RSA_2048'],
    ['ECC_NIST_P521', 'KEY_AGREEMENT', 'RSAES_OAEP_SHA_1', 'RSA_2048'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'SM2PKE', 'RSA_2048'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'RSAES_OAEP_SHA_256', 'SM2'],
  ] as const)('of a %s key (%s) refuses %s by %s', async (spec, usage, algorithm, wrapping) => {
    const { KeyId } = await externalKey(spec, usage);
    const asking = parametersFor(kms, KeyId, algorithm, wrapping);
    expect(await failureText(asking)).toMatch(/^ValidationException: /);
  });
});

// KMS API Reference, GetParametersForImport: not since October 2023. (unverified text)
describe('RSAES_PKCS1_V1_5 wraps nothing', () => {
  const WrappingAlgorithm = 'RSAES_PKCS1_V1_5';
  const refusal =
    'UnsupportedOperationException: Wrapping algorithm RSAES_PKCS1_V1_5 is not supported.';

  test.each([
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'RSA_2048'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC', 'RSA_3072'],
    ['ECC_NIST_P256', 'SIGN_VERIFY', 'RSA_4096'],
    ['RSA_4096', 'SIGN_VERIFY', 'RSA_4096'],
  ] as const)('for a %s key (%s) and a %s wrapping key', async (spec, usage, WrappingKeySpec) => {
    const { KeyId } = await externalKey(spec, usage);
    const asking = kms.getParametersForImport({ KeyId, WrappingAlgorithm, WrappingKeySpec });
    expect(await failureText(asking)).toBe(refusal);
  });

  test('of a token of an earlier version neither', async () => {
    const { KeyId } = await externalKey();
    const { ImportToken, PublicKey } = await parametersFor(kms, KeyId);
    const terms = { algorithm: WrappingAlgorithm, validTo: start + day };
    vi.spyOn(MaterialVault.prototype, 'termsOf').mockReturnValue(
      Buffer.from(JSON.stringify(terms)),
    );
    onTestFinished(() => void vi.restoreAllMocks());
    const { RSA_PKCS1_PADDING: padding } = crypto.constants;
    const importing = kms.importKeyMaterial({
      KeyId,
      ImportToken,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      EncryptedKeyMaterial: crypto.publicEncrypt(
        { key: publicKeyOf(PublicKey), padding },
        crypto.randomBytes(32),
      ),
    });
    expect(await failureText(importing)).toBe(refusal);
  });
});

describe('every wrapping algorithm', () => {
  const kinds: readonly [KeySpec, KeyUsageType][] = [
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['HMAC_512', 'GENERATE_VERIFY_MAC'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['ECC_NIST_P521', 'SIGN_VERIFY'],
    ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
    ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
    ['SM2', 'SIGN_VERIFY'],
    ['RSA_2048', 'SIGN_VERIFY'],
  ];
  const materials = new Map<KeySpec, Buffer>();

  beforeAll(() => {
    for (const [spec] of kinds) {
      if (spec === 'SYMMETRIC_DEFAULT') materials.set(spec, crypto.randomBytes(32));
      else if (spec === 'HMAC_512') materials.set(spec, crypto.randomBytes(64));
      else materials.set(spec, pkcs8Of(generateWithNode(spec)));
    }
  });

  const wrappings: readonly [WrappingAlgorithm, WrappingKeySpec][] = [
    ['RSAES_OAEP_SHA_1', 'RSA_3072'],
    ['RSAES_OAEP_SHA_256', 'RSA_3072'],
    ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_2048'],
    ['RSA_AES_KEY_WRAP_SHA_256', 'RSA_2048'],
    ['SM2PKE', 'SM2'],
  ];

  test.each(wrappings)(
    '%s by %s brings the material that suits it',
    async (algorithm, wrapping) => {
      const fitting = kinds.filter(
        ([spec]) => spec !== 'RSA_2048' || algorithm.startsWith('RSA_AES'),
      );
      for (const [spec, usage] of fitting) {
        const { KeyId, Arn } = await externalKey(spec, usage);
        const material = materials.get(spec) as Buffer;
        const parameters = await parametersFor(kms, KeyId, algorithm, wrapping);
        const answer = await importWith(kms, KeyId, parameters, material);
        const symmetric = spec === 'SYMMETRIC_DEFAULT';
        expect(answer, spec).toEqual({
          KeyId: Arn,
          ...(symmetric && { KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) }),
        });
        expect(await metadataOf(KeyId), spec).toMatchObject({
          KeyState: 'Enabled',
          Enabled: true,
          ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
          ...(symmetric && { CurrentKeyMaterialId: answer.KeyMaterialId }),
        });
      }
    },
  );

  test.each(wrappings)('%s by %s refuses what it cannot unwrap', async (algorithm, wrapping) => {
    const { KeyId } = await externalKey();
    const parameters = await parametersFor(kms, KeyId, algorithm, wrapping);
    const { ImportToken, PublicKey } = parameters;
    const wrapped = wrap[algorithm](PublicKey, crypto.randomBytes(32));
    const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE' as const;
    for (const wrong of [flipped(wrapped, 77), wrapped.subarray(1), Buffer.alloc(256)]) {
      const request = { KeyId, ImportToken, EncryptedKeyMaterial: wrong, ExpirationModel };
      expect(await failureText(kms.importKeyMaterial(request))).toBe(
        'InvalidCiphertextException: ',
      );
    }
    // Under one token the right one still comes.
    await importWith(kms, KeyId, parameters, crypto.randomBytes(32));
  });

  test.each([16, 31, 33, 64])('refuses %i bytes for a symmetric key', async (length) => {
    const { KeyId } = await externalKey();
    const importing = importMaterial(kms, KeyId, crypto.randomBytes(length));
    expect(await failureText(importing)).toMatch(/^IncorrectKeyMaterialException: /);
    expect(await stateOf(KeyId)).toBe('PendingImport');
  });

  test('refuses the private key of another spec', async () => {
    const { KeyId } = await externalKey('ECC_NIST_P256', 'SIGN_VERIFY');
    for (const spec of ['ECC_SECG_P256K1', 'ECC_NIST_P521', 'RSA_2048'] as const) {
      const importing = importMaterial(kms, KeyId, materials.get(spec) as Buffer);
      expect(await failureText(importing), spec).toMatch(/^IncorrectKeyMaterialException: /);
    }
  });
});

describe('an import token', () => {
  let key: MadeKey;
  let parameters: Parameters;
  const material = crypto.randomBytes(32);

  beforeEach(async () => {
    key = await externalKey();
    parameters = await parametersFor(kms, key.KeyId);
  });

  const outcome = (changes: Partial<Parameters> = {}) =>
    outcomeOf(importWith(kms, key.KeyId, { ...parameters, ...changes }, material));

  test('is good for a day and not a millisecond longer', async () => {
    vi.setSystemTime(start + day - 1);
    expect(await outcome()).toBe('ok');
    daysLater(1);
    expect(await outcome()).toBe('ExpiredImportTokenException: ');
  });

  test('is good for more than one import', async () => {
    expect(await outcome()).toBe('ok');
    expect(await outcome()).toBe('ok');
  });

  test('is refused with any of its bits flipped', async () => {
    const { ImportToken } = parameters;
    for (let bit = 0; bit < ImportToken.length * 8; bit += 101) {
      const changed = { ImportToken: flipped(ImportToken, bit) };
      expect(await outcome(changed), `bit ${bit}`).toBe('InvalidImportTokenException: ');
    }
    expect(await outcome({ ImportToken: ImportToken.subarray(1) })).toBe(
      'InvalidImportTokenException: ',
    );
  });

  test('is refused for another key, and with the public key of another token', async () => {
    const { KeyId } = await externalKey();
    const other = await parametersFor(kms, KeyId);
    expect(await outcome(other)).toBe('InvalidImportTokenException: ');
    expect(await outcome({ PublicKey: other.PublicKey })).toBe('InvalidCiphertextException: ');
  });

  test('is bound to its algorithm', async () => {
    expect(await outcome({ WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_1' })).toBe(
      'InvalidCiphertextException: ',
    );
  });

  test('of another store is refused', async () => {
    const elsewhere = await openKms();
    const { KeyId } = await newKey(elsewhere, { Origin: 'EXTERNAL' });
    expect(await outcome(await parametersFor(elsewhere, KeyId))).toBe(
      'InvalidImportTokenException: ',
    );
    await elsewhere.close();
  });
});

// [BC] ExpirationModel and ValidTo; the texts are unverified
describe('whether and when material expires', () => {
  let key: MadeKey;
  let parameters: Parameters;
  const material = crypto.randomBytes(32);

  beforeEach(async () => {
    key = await externalKey();
    parameters = await parametersFor(kms, key.KeyId);
  });

  const importing = (terms: { ValidTo?: Date; ExpirationModel?: string }) =>
    outcomeOf(importWith(kms, key.KeyId, parameters, material, terms as { ValidTo?: Date }));

  test.each([
    ['no date though it expires', { ExpirationModel: 'KEY_MATERIAL_EXPIRES' }],
    ['no date and no model', { ExpirationModel: undefined }],
    [
      'a date though it does not',
      { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ValidTo: date(1) },
    ],
    ['a date that has come', { ValidTo: date(0) }],
    ['a date that is past', { ValidTo: date(-1) }],
    ['a date more than 365 days away', { ValidTo: new Date(start + 365 * day + 1) }],
  ])('cannot be %s', async (_what, terms) => {
    expect(await importing(terms as { ValidTo?: Date })).toMatch(/^ValidationException: /);
    expect(await stateOf(key.KeyId)).toBe('PendingImport');
  });

  test('may be 365 days away, and expires by default', async () => {
    expect(await importing({ ValidTo: date(365) })).toBe('ok');
    expect(await metadataOf(key.KeyId)).toMatchObject({
      ExpirationModel: 'KEY_MATERIAL_EXPIRES',
      ValidTo: date(365),
    });
  });

  test('is changed by importing the same material again', async () => {
    await importing({ ValidTo: date(10) });
    await importing({ ValidTo: date(5) });
    expect((await metadataOf(key.KeyId)).ValidTo).toEqual(date(5));
    await importing({});
    const metadata = await metadataOf(key.KeyId);
    expect(metadata.ExpirationModel).toBe('KEY_MATERIAL_DOES_NOT_EXPIRE');
    expect(metadata).not.toHaveProperty('ValidTo');
    expect(await materialsOf(key.KeyId)).toEqual([
      {
        KeyMaterialId: metadata.CurrentKeyMaterialId,
        KeyMaterialState: 'CURRENT',
        ImportState: 'IMPORTED',
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      },
    ]);
  });
});

describe('material that expires', () => {
  const material = crypto.randomBytes(32);
  let folder: string;
  let key: MadeKey;
  let blob: Uint8Array;

  const place = () => ({ store: `sqlite:${folder}/store.db` });

  beforeEach(async () => {
    await kms.close();
    folder = temporaryFolder();
    kms = await openKms(place());
    key = await externalKey();
    await importMaterial(kms, key.KeyId, material, { ValidTo: date(10) });
    blob = await newBlob(kms, key.KeyId);
  });

  /** What the store keeps of key material. */
  async function stored(): Promise<string[]> {
    const store = await SqliteStore.open(`${folder}/store.db`);
    const entries = await store.list('material/', { limit: 100 });
    return entries.map(({ path }) => path);
  }

  test('leaves the key pending import, everywhere it shows', async () => {
    vi.setSystemTime(start + 10 * day - 1);
    expect(await stateOf(key.KeyId)).toBe('Enabled');
    daysLater(10);
    const metadata = await metadataOf(key.KeyId);
    expect(metadata).toMatchObject({ KeyState: 'PendingImport', Enabled: false });
    expect(metadata).not.toHaveProperty('ValidTo');
    expect(metadata).not.toHaveProperty('ExpirationModel');
    const { KeyId } = key;
    for (const operation of symmetricCalls) {
      const outcome = await failureText(callCryptographic(kms, operation, { KeyId, made: blob }));
      expect(outcome, operation).toBe(pendingImport(key));
    }
    expect(await materialsOf(KeyId)).toMatchObject([
      { KeyMaterialState: 'CURRENT', ImportState: 'PENDING_IMPORT' },
    ]);
  });

  test('comes back with a clock that was ahead for less than a day', async () => {
    daysLater(3650);
    expect(await stateOf(key.KeyId)).toBe('PendingImport');
    daysLater(1);
    expect(await metadataOf(key.KeyId)).toMatchObject({ KeyState: 'Enabled', ValidTo: date(10) });
    expect((await kms.decrypt({ CiphertextBlob: blob })).Plaintext).toHaveLength(14);
  });

  test('is destroyed when it is found expired a day later, and not before', async () => {
    daysLater(10);
    expect(await stateOf(key.KeyId)).toBe('PendingImport');
    vi.setSystemTime(start + 11 * day - 1);
    await stateOf(key.KeyId);
    expect(await stored()).toHaveLength(1);
    daysLater(11);
    expect(await stateOf(key.KeyId)).toBe('PendingImport');
    expect(await stored()).toEqual([]);
    daysLater(1);
    expect(await stateOf(key.KeyId)).toBe('PendingImport');
  });

  test('opens what it sealed when the same is imported again', async () => {
    daysLater(20);
    await stateOf(key.KeyId);
    daysLater(22);
    expect(await failureText(kms.decrypt({ CiphertextBlob: blob }))).toBe(pendingImport(key));
    await importMaterial(kms, key.KeyId, material);
    expect((await kms.decrypt({ CiphertextBlob: blob })).Plaintext).toHaveLength(14);
    daysLater(3650);
    expect(await stateOf(key.KeyId)).toBe('Enabled');
  });
});

describe('importing again', () => {
  const material = crypto.randomBytes(32);
  let key: MadeKey;
  let parameters: Parameters;
  let materialId: string;

  beforeEach(async () => {
    key = await externalKey();
    parameters = await parametersFor(kms, key.KeyId);
    const { KeyMaterialId } = await importWith(kms, key.KeyId, parameters, material, {
      KeyMaterialDescription: 'the first',
    });
    materialId = KeyMaterialId as string;
  });

  const again = (bytesAgain: Uint8Array, more: globalThis.Parameters<typeof importWith>[4] = {}) =>
    importWith(kms, key.KeyId, parameters, bytesAgain, more);

  test('gives the same material the same id, which depends on the key', async () => {
    expect((await again(material)).KeyMaterialId).toBe(materialId);
    expect((await again(material, { KeyMaterialId: materialId })).KeyMaterialId).toBe(materialId);
    const other = await externalKey();
    const { KeyMaterialId } = await importMaterial(kms, other.KeyId, material);
    expect(KeyMaterialId).not.toBe(materialId);
  });

  // [BC] KeyMaterialDescription: "retains the value you specified when you last imported the same"
  test('keeps the description unless it has another', async () => {
    const description = async () => (await materialsOf(key.KeyId))[0]?.KeyMaterialDescription;
    expect(await description()).toBe('the first');
    await again(material);
    expect(await description()).toBe('the first');
    await again(material, { KeyMaterialDescription: 'another' });
    expect(await description()).toBe('another');
  });

  test.each([
    ['unless it is said to be new', {}],
    ['as existing material', { ImportType: 'EXISTING_KEY_MATERIAL' }],
  ] as const)('refuses other material %s', async (_how, more) => {
    const importing = again(crypto.randomBytes(32), more);
    expect(await failureText(importing)).toMatch(/^IncorrectKeyMaterialException: /);
    expect(await materialsOf(key.KeyId)).toHaveLength(1);
  });

  test('refuses the same material as new, and another KeyMaterialId', async () => {
    const asNew = again(material, { ImportType: 'NEW_KEY_MATERIAL' });
    expect(await failureText(asNew)).toMatch(/^IncorrectKeyMaterialException: /);
    const misnamed = again(material, { KeyMaterialId: '0'.repeat(64) });
    expect(await failureText(misnamed)).toMatch(/^IncorrectKeyMaterialException: /);
    // [BC] "You cannot specify a key material ID with ImportType set to NEW_KEY_MATERIAL"
    const both = again(crypto.randomBytes(32), {
      ImportType: 'NEW_KEY_MATERIAL',
      KeyMaterialId: materialId,
    });
    expect(await failureText(both)).toMatch(/^ValidationException: /);
  });

  // [LS test_rotate_key_on_demand…raises_for_no_pending_key_material 2025-11-19]
  test('RotateKeyOnDemand requires new material first', async () => {
    expect(await failureText(kms.rotateKeyOnDemand({ KeyId: key.KeyId }))).toBe(
      'KMSInvalidStateException: ' +
        `No available key material pending rotation for the key: ${key.Arn}.`,
    );
  });

  describe('new material', () => {
    const second = crypto.randomBytes(32);
    let secondId: string;

    beforeEach(async () => {
      const { KeyMaterialId } = await again(second, {
        ImportType: 'NEW_KEY_MATERIAL',
        KeyMaterialDescription: 'the second',
        ValidTo: date(100),
      });
      secondId = KeyMaterialId as string;
    });

    const first = {
      KeyMaterialState: 'CURRENT',
      ImportState: 'IMPORTED',
      KeyMaterialDescription: 'the first',
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    };

    // [BC] KeyMaterialState: PENDING_ROTATION, without RotationDate and RotationType
    test('waits for rotation, and changes nothing until then', async () => {
      expect(await materialsOf(key.KeyId)).toEqual([
        { KeyMaterialId: materialId, ...first },
        {
          KeyMaterialId: secondId,
          KeyMaterialState: 'PENDING_ROTATION',
          ImportState: 'IMPORTED',
          KeyMaterialDescription: 'the second',
          ExpirationModel: 'KEY_MATERIAL_EXPIRES',
          ValidTo: date(100),
        },
      ]);
      expect((await kms.listKeyRotations({ KeyId: key.KeyId })).Rotations).toEqual([]);
      const metadata = await metadataOf(key.KeyId);
      expect(metadata.CurrentKeyMaterialId).toBe(materialId);
      // [BC] ValidTo is that of material "permanently associated with this KMS key"
      expect(metadata.ExpirationModel).toBe('KEY_MATERIAL_DOES_NOT_EXPIRE');
    });

    test('becomes the current one by RotateKeyOnDemand; both open', async () => {
      const { KeyId, Arn } = key;
      const old = await newBlob(kms, KeyId);
      expect(await kms.rotateKeyOnDemand({ KeyId })).toEqual({ KeyId: Arn });
      expect((await metadataOf(KeyId)).CurrentKeyMaterialId).toBe(secondId);
      const { Rotations } = await kms.listKeyRotations({ KeyId });
      expect(Rotations).toEqual([
        {
          KeyId: Arn,
          KeyMaterialId: secondId,
          KeyMaterialState: 'CURRENT',
          ImportState: 'IMPORTED',
          KeyMaterialDescription: 'the second',
          ExpirationModel: 'KEY_MATERIAL_EXPIRES',
          ValidTo: date(100),
          RotationDate: date(0),
          RotationType: 'ON_DEMAND',
        },
      ]);
      expect((await materialsOf(KeyId))[0]).toMatchObject({ KeyMaterialState: 'NON_CURRENT' });
      const young = await newBlob(kms, KeyId);
      for (const [CiphertextBlob, id] of [
        [old, materialId],
        [young, secondId],
      ] as const) {
        expect((await kms.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(id);
      }
      expect(await failureText(kms.rotateKeyOnDemand({ KeyId }))).toMatch(
        /^KMSInvalidStateException: No available key material pending rotation/,
      );
    });

    test('is the only one that waits, until it is deleted', async () => {
      const { KeyId } = key;
      const third = crypto.randomBytes(32);
      const asNew = { ImportType: 'NEW_KEY_MATERIAL' } as const;
      const refusal = await failureText(again(third, asNew));
      // [BC] "You can delete this key material and import different key material in its place"
      await kms.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: secondId });
      expect(await materialsOf(KeyId)).toEqual([{ KeyMaterialId: materialId, ...first }]);
      expect(await stateOf(KeyId)).toBe('Enabled');
      const { KeyMaterialId } = await again(third, asNew);
      // [LS test_import_key_material_raises_if_there_is_already_key_material_pending 2025-11]
      expect(refusal).toBe(
        `KMSInvalidStateException: New key material (id: ${KeyMaterialId}) cannot be imported into ` +
          `KMS key ${KeyId}, because another key material (id: ${secondId}) is pending rotation.`,
      );
      // The answer names the key as the request does.
      const fourth = importWith(kms, key.Arn, parameters, crypto.randomBytes(32), asNew);
      expect(await failureText(fourth)).toContain(` into KMS key ${key.Arn}, because `);
      await kms.rotateKeyOnDemand({ KeyId });
      expect((await metadataOf(KeyId)).CurrentKeyMaterialId).toBe(KeyMaterialId);
    });

    test('that expires while it waits can be replaced by other material', async () => {
      const { KeyId } = key;
      daysLater(101);
      expect(await stateOf(KeyId)).toBe('Enabled');
      expect((await materialsOf(KeyId))[1]).toMatchObject({ ImportState: 'PENDING_IMPORT' });
      expect(await failureText(kms.rotateKeyOnDemand({ KeyId }))).toMatch(
        /^KMSInvalidStateException: No available key material/,
      );
      parameters = await parametersFor(kms, KeyId);
      const { KeyMaterialId } = await again(crypto.randomBytes(32), {
        ImportType: 'NEW_KEY_MATERIAL',
      });
      const listed = await materialsOf(KeyId);
      expect(listed.map((entry) => entry.KeyMaterialId)).toEqual([materialId, KeyMaterialId]);
    });

    // [DG] "When any key material … is deleted or it expires"
    test('once used is needed as much as the first', async () => {
      const { KeyId } = key;
      await kms.rotateKeyOnDemand({ KeyId });
      const CiphertextBlob = await newBlob(kms, KeyId);
      await kms.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: materialId });
      expect(await stateOf(KeyId)).toBe('PendingImport');
      expect(await failureText(kms.decrypt({ CiphertextBlob }))).toBe(pendingImport(key));
      expect((await materialsOf(KeyId)).map(({ ImportState }) => ImportState)).toEqual([
        'PENDING_IMPORT',
        'IMPORTED',
      ]);
      await again(material, { KeyMaterialId: materialId });
      expect((await kms.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(secondId);
    });

    test('is not deleted by a name that the key does not know', async () => {
      const absent = { KeyId: key.KeyId, KeyMaterialId: '0'.repeat(64) };
      expect(await failureText(kms.deleteImportedKeyMaterial(absent))).toMatch(
        /^NotFoundException: /,
      );
    });
  });

  test('of ImportType, description and id is nothing for a key that is not symmetric', async () => {
    const { KeyId } = await externalKey('HMAC_256', 'GENERATE_VERIFY_MAC');
    for (const more of [
      { ImportType: 'NEW_KEY_MATERIAL' },
      { KeyMaterialDescription: 'x' },
      { KeyMaterialId: '0'.repeat(64) },
    ] as const) {
      const importing = importMaterial(kms, KeyId, material, more);
      expect(await failureText(importing)).toMatch(/^ValidationException: /);
    }
    await importMaterial(kms, KeyId, material);
    await importMaterial(kms, KeyId, material);
    // [BC] "you cannot change the key material after the initial import"
    expect(await failureText(importMaterial(kms, KeyId, crypto.randomBytes(32)))).toMatch(
      /^IncorrectKeyMaterialException: /,
    );
  });
});

describe('DeleteImportedKeyMaterial', () => {
  const material = crypto.randomBytes(32);
  let key: MadeKey;
  let materialId: string;
  let blob: Uint8Array;

  beforeEach(async () => {
    key = await externalKey();
    const imported = await importMaterial(kms, key.KeyId, material, { ValidTo: date(300) });
    materialId = imported.KeyMaterialId as string;
    blob = await newBlob(kms, key.KeyId);
  });

  // [FL deleteImportedKeyMaterialReturnsTheKeyToPendingImport], [BC]
  test('returns the key to pending import, at once and again', async () => {
    const { KeyId, Arn } = key;
    for (let i = 0; i < 2; i++) {
      expect(await kms.deleteImportedKeyMaterial({ KeyId })).toEqual({
        KeyId: Arn,
        KeyMaterialId: materialId,
      });
      const metadata = await metadataOf(KeyId);
      expect(metadata).toMatchObject({ KeyState: 'PendingImport', Enabled: false });
      expect(metadata).not.toHaveProperty('ExpirationModel');
      expect(metadata).not.toHaveProperty('ValidTo');
    }
  });

  test('has no effect if nothing was ever imported', async () => {
    const { KeyId, Arn } = await externalKey();
    expect(await kms.deleteImportedKeyMaterial({ KeyId })).toEqual({ KeyId: Arn });
  });

  // [FL ciphertextOfDeletedKeyMaterialReportsPendingImport]
  test('makes Decrypt report pending import, with or without KeyId', async () => {
    const { KeyId } = key;
    const { KeyId: DestinationKeyId } = await newKey(kms);
    await kms.deleteImportedKeyMaterial({ KeyId });
    const CiphertextBlob = blob;
    const asked = [
      kms.decrypt({ CiphertextBlob }),
      kms.decrypt({ CiphertextBlob, KeyId }),
      kms.reEncrypt({ CiphertextBlob, DestinationKeyId }),
      kms.reEncrypt({ CiphertextBlob, DestinationKeyId, SourceKeyId: KeyId }),
    ];
    for (const text of await Promise.all(asked.map(failureText))) {
      expect(text).toBe(pendingImport(key));
    }
    // [FL decryptRejectsAKeyIdThatDidNotEncryptTheCiphertext]: the wrong key wins over its state
    const other = await newBlob(kms, DestinationKeyId);
    expect(await failureText(kms.decrypt({ CiphertextBlob: other, KeyId }))).toMatch(
      /^IncorrectKeyException: /,
    );
  });

  test('is undone by importing the same', async () => {
    const { KeyId } = key;
    await kms.deleteImportedKeyMaterial({ KeyId });
    await importMaterial(kms, KeyId, material);
    const { Plaintext, KeyMaterialId } = await kms.decrypt({ CiphertextBlob: blob });
    expect(Plaintext).toHaveLength(14);
    expect(KeyMaterialId).toBe(materialId);
  });

  // [DG] key-state.md and [BC]: "does not change the KMS key's state"
  test('leaves a key pending deletion so, and pending import when it is saved', async () => {
    const { KeyId } = key;
    await kms.scheduleKeyDeletion({ KeyId });
    await kms.deleteImportedKeyMaterial({ KeyId });
    expect(await stateOf(KeyId)).toBe('PendingDeletion');
    await kms.cancelKeyDeletion({ KeyId });
    expect(await stateOf(KeyId)).toBe('PendingImport');
    expect(await failureText(kms.enableKey({ KeyId }))).toBe(pendingImport(key));
  });
});

describe('an imported key does what node:crypto does with the same material', () => {
  const Message = Buffer.from('attack at dawn');

  test.each([
    ['HMAC_224', 28, 'HMAC_SHA_224', 'sha224'],
    ['HMAC_256', 32, 'HMAC_SHA_256', 'sha256'],
    ['HMAC_384', 48, 'HMAC_SHA_384', 'sha384'],
    ['HMAC_512', 64, 'HMAC_SHA_512', 'sha512'],
  ] as const)('%s', async (spec, length, MacAlgorithm, hash) => {
    const { KeyId } = await externalKey(spec, 'GENERATE_VERIFY_MAC');
    const material = crypto.randomBytes(length);
    await importMaterial(kms, KeyId, material);
    const { Mac } = await kms.generateMac({ KeyId, Message, MacAlgorithm });
    const expected = crypto.createHmac(hash, material).update(Message).digest();
    expect(bytes(Mac)).toEqual(expected);
    expect(await kms.verifyMac({ KeyId, Message, MacAlgorithm, Mac: expected })).toMatchObject({
      MacValid: true,
    });
    // [LS test_hmac_create_key]: no CurrentKeyMaterialId
    expect(await metadataOf(KeyId)).not.toHaveProperty('CurrentKeyMaterialId');
  });

  test.each([
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'sha256'],
    ['RSA_3072', 'RSASSA_PKCS1_V1_5_SHA_384', 'sha384'],
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512'],
    ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', null],
  ] as const)('%s signs by %s', async (spec, SigningAlgorithm, hash) => {
    const { KeyId } = await externalKey(spec, 'SIGN_VERIFY');
    const privateKey = generateWithNode(spec);
    await importMaterial(kms, KeyId, pkcs8Of(privateKey));
    expect(bytes((await kms.getPublicKey({ KeyId })).PublicKey)).toEqual(spkiOf(privateKey));
    const padding = SigningAlgorithm.includes('PSS')
      ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
      : {};
    const signed = await kms.sign({ KeyId, Message, SigningAlgorithm });
    const publicKey = { key: publicKeyOf(spkiOf(privateKey)), ...padding };
    expect(crypto.verify(hash, Message, publicKey, bytes(signed.Signature))).toBe(true);
    const Signature = crypto.sign(hash, Message, { key: privateKey, ...padding });
    expect(await kms.verify({ KeyId, Message, Signature, SigningAlgorithm })).toMatchObject({
      SignatureValid: true,
    });
  });

  test('RSA_2048 decrypts', async () => {
    const { KeyId } = await externalKey('RSA_2048', 'ENCRYPT_DECRYPT');
    const key = generateWithNode('RSA_2048');
    await importMaterial(kms, KeyId, pkcs8Of(key));
    const publicKey = publicKeyOf(spkiOf(key));
    const CiphertextBlob = crypto.publicEncrypt({ key: publicKey, oaepHash: 'sha256' }, Message);
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256';
    const { Plaintext } = await kms.decrypt({ KeyId, CiphertextBlob, EncryptionAlgorithm });
    expect(bytes(Plaintext)).toEqual(Message);
    const sealed = await kms.encrypt({ KeyId, Plaintext: Message, EncryptionAlgorithm });
    const opened = crypto.privateDecrypt({ key, oaepHash: 'sha256' }, bytes(sealed.CiphertextBlob));
    expect(opened).toEqual(Message);
  });

  test.each(['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const)(
    '%s agrees',
    async (spec) => {
      const { KeyId } = await externalKey(spec, 'KEY_AGREEMENT');
      const [key, peer] = [generateWithNode(spec), generateWithNode(spec)];
      await importMaterial(kms, KeyId, pkcs8Of(key));
      const { SharedSecret } = await kms.deriveSharedSecret({
        KeyId,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: spkiOf(peer),
      });
      const publicKey = crypto.createPublicKey(key);
      expect(bytes(SharedSecret)).toEqual(crypto.diffieHellman({ privateKey: peer, publicKey }));
    },
  );
});
