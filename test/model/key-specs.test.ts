import { expect, test } from 'vitest';
import { dataKeyPairSpecs, keySpecs } from '../../lib/model/key-specs.ts';
import type { StringShape } from '../../lib/model/shape.ts';
import { type ShapeName, shapes } from '../../lib/model/shapes.ts';

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
  const known = (
    [
      'EncryptionAlgorithmSpec',
      'SigningAlgorithmSpec',
      'MacAlgorithmSpec',
      'KeyAgreementAlgorithmSpec',
      'EncapsulationAlgorithmSpec',
    ] as const
  ).flatMap(values);
  expect(new Set(used)).toEqual(new Set(known));
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
