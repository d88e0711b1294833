import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { materialAttributes, type NewKeyRecord } from '../../lib/keys/key-record.ts';
import {
  dataKeyPairSpecs,
  type KeySpecRow,
  keySpecCalled,
  keySpecs,
} from '../../lib/model/key-specs.ts';
import type { StringShape } from '../../lib/model/shape.ts';
import { type ShapeName, shapes } from '../../lib/model/shapes.ts';
import type { DataKeyPairSpec, KeySpec } from '../../lib/model/types.ts';
import { kindOf } from '../../lib/operations/create-key.ts';
import { pairsToACrossing } from '../../lib/operations/generate-data-key-pair.ts';
import { lotSize } from '../../lib/pool/lots.ts';
import { decodeMaterial } from '../../lib/seed/material-text.ts';
import { workOf } from '../../lib/service/admission.ts';
import { RequestQuotas } from '../../lib/service/request-quotas.ts';

function values(name: ShapeName): readonly string[] {
  return (shapes[name] as StringShape).enum ?? [];
}

test('the tables have the model’s specs in the order that AWS lists them', () => {
  const pairs = values('DataKeyPairSpec').filter((spec) => !spec.startsWith('ML_KEM'));
  expect(dataKeyPairSpecs()).toEqual(pairs);
  expect(Object.keys(keySpecs)).toEqual(values('KeySpec'));
});

test('each usage shows its algorithms under its own member', () => {
  const members = {
    ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
    SIGN_VERIFY: 'SigningAlgorithms',
    GENERATE_VERIFY_MAC: 'MacAlgorithms',
    KEY_AGREEMENT: 'KeyAgreementAlgorithms',
    ENCAPSULATE_DECAPSULATE: 'EncapsulationAlgorithms',
  };
  for (const { usages } of Object.values(keySpecs)) {
    expect(Object.keys(usages).length).toBeGreaterThan(0);
    for (const [usage, algorithms] of Object.entries(usages)) {
      expect(Object.keys(algorithms)).toEqual([members[usage as keyof typeof members]]);
    }
  }
});

test('every algorithm of the model belongs to some key spec, and no other does', () => {
  const used = Object.values(keySpecs).flatMap(({ usages }) =>
    Object.values(usages).flatMap((algorithms) => Object.values(algorithms).flat()),
  );
  const algorithms = (
    [
      'EncryptionAlgorithmSpec',
      'SigningAlgorithmSpec',
      'MacAlgorithmSpec',
      'KeyAgreementAlgorithmSpec',
      'EncapsulationAlgorithmSpec',
    ] as const
  ).flatMap(values);
  expect(new Set(used)).toEqual(new Set(algorithms));
});

test('usages are those that CreateKey documents', () => {
  const usages = (spec: keyof typeof keySpecs) => Object.keys(keySpecs[spec].usages);
  expect(usages('SYMMETRIC_DEFAULT')).toEqual(['ENCRYPT_DECRYPT']);
  expect(usages('HMAC_512')).toEqual(['GENERATE_VERIFY_MAC']);
  expect(usages('RSA_4096')).toEqual(['ENCRYPT_DECRYPT', 'SIGN_VERIFY']);
  expect(usages('ECC_NIST_P384')).toEqual(['SIGN_VERIFY', 'KEY_AGREEMENT']);
  expect(usages('ECC_SECG_P256K1')).toEqual(['SIGN_VERIFY']);
  expect(usages('ECC_NIST_EDWARDS25519')).toEqual(['SIGN_VERIFY']);
  expect(usages('ML_DSA_65')).toEqual(['SIGN_VERIFY']);
  expect(usages('SM2')).toEqual(['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'KEY_AGREEMENT']);
});

test('no two specs share a number in records', () => {
  const codes = Object.values(keySpecs).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
});

test('what depends on a spec follows from a row that is added', () => {
  const spec = 'FAKE_1' as KeySpec & DataKeyPairSpec;
  const row: KeySpecRow = {
    code: 99,
    usages: { SIGN_VERIFY: { SigningAlgorithms: ['ECDSA_SHA_256'] } },
    materialLength: 5,
    minting: { kind: 'rsa', units: 7 },
    pair: { lot: 3, crossing: 4, quota: { china: 1, elsewhere: 2 } },
    nodeName: 'fake 1',
  };
  const table = keySpecs as Record<string, KeySpecRow>;
  table[spec] = row;
  try {
    const record = { keySpec: spec, keyUsage: 'SIGN_VERIFY', origin: 'AWS_KMS', creationDate: 0 };
    expect(materialAttributes(record as NewKeyRecord)[0]).toBe(99);
    const asked = { KeySpec: spec, KeyUsage: 'SIGN_VERIFY' } as Parameters<typeof kindOf>[0];
    expect(kindOf(asked)).toEqual({ keySpec: spec, keyUsage: 'SIGN_VERIFY' });
    expect(workOf('CreateKey', { KeySpec: spec })).toEqual({ kind: 'rsa', units: 7 });
    expect(lotSize(spec, 1000)).toBe(3);
    expect(pairsToACrossing(spec)).toBe(4);
    expect(decodeMaterial('0102030405', spec)).toEqual(Buffer.from([1, 2, 3, 4, 5]));
    expect(keySpecCalled('fake 1')).toBe(spec);
    const quotas = new RequestQuotas(() => 0);
    const admit = () =>
      quotas.admit({
        operation: 'GenerateDataKeyPair',
        request: { KeyPairSpec: spec },
        region: 'us-east-1',
        accountId: '111122223333',
        count: 1,
      });
    admit();
    admit();
    expect(admit).toThrow('exceeded the rate');
  } finally {
    delete table[spec];
  }
});

// Files that name a spec without deciding anything about it, or as AWS's texts do.
const mayName: Readonly<Record<string, string>> = {
  'lib/model/key-specs.ts': 'the row',
  'native/keys/spec.cc': 'the row of native code',
  'lib/model/corrections.json': 'the model, in the order that the service lists',
  'lib/model/service-2.json': 'the model',
  'lib/model/shapes.ts': 'generated from the model',
  'lib/model/types.ts': 'generated from the model',
  'native/keys/key_parts.cc': 'RSA_2048 stands for RSA until the modulus is read',
  'native/ec/curve.cc': 'SM2 is the name of a curve, too',
  'lib/keys/credential-directory.ts': 'a secret of its own is stored as HMAC_512',
  'lib/cli/help/skeleton.ts': 'the order of the published model',
  'lib/cli/help/operation-descriptions.ts': 'examples',
  'lib/cli/help/command-descriptions.ts': 'examples',
};

test('no other source names a spec or guesses at one by how it begins', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const specs = Object.keys(keySpecs).filter((spec) => spec !== 'SYMMETRIC_DEFAULT');
  const named = new RegExp(`\\b(?:${specs.join('|')})(?!_?[A-Z0-9])`);
  const guessed = /[sS]pec\w*\??\.startsWith\(|\^\(\??:?(?:RSA|ECC|SM2|HMAC|ML_)/;
  const found = ['lib', 'native'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(({ name }) => /\.(?:ts|json|cc|h)$/.test(name))
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => {
        const text = readFileSync(path, 'utf8').replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '');
        return named.test(text) || guessed.test(text);
      })
      .map((path) => relative(root, path)),
  );
  expect(found.filter((path) => !(path in mayName))).toEqual([]);
});

test('a pair that is not made here uses up no quota', () => {
  const quotas = new RequestQuotas(() => 0);
  expect(() =>
    quotas.admit({
      operation: 'GenerateDataKeyPair',
      request: { KeyPairSpec: 'ML_KEM_512' },
      region: 'us-east-1',
      accountId: '111122223333',
      count: 1,
    }),
  ).not.toThrow();
});
