import crypto, { type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { OfferedPairSpec } from '../../lib/model/key-specs.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  bytes,
  complaint,
  failureText,
  type MadeKey,
  members,
  newKey,
  openKms,
  validation,
} from './support.ts';

const message = Buffer.from('Kerckhoffs');

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Expectation {
  readonly details: object;
  prove(pair: Pair): void;
}

const rsa = (modulusLength: number): Expectation => ({
  details: { modulusLength, publicExponent: 65537n },
  prove(pair) {
    signs('sha256')(pair);
    encrypts(pair);
  },
});

const ec = (namedCurve: string, hash: string): Expectation => ({
  details: { namedCurve },
  prove: signs(hash),
});

const specs: Record<OfferedPairSpec, Expectation> = {
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  ECC_NIST_P256: ec('prime256v1', 'sha256'),
  ECC_NIST_P384: ec('secp384r1', 'sha384'),
  ECC_NIST_P521: ec('secp521r1', 'sha512'),
  ECC_SECG_P256K1: ec('secp256k1', 'sha256'),
  // Node.js has no name for the type of an SM2 key and no details of it; its signatures tell.
  SM2: { details: {}, prove: signs('sm3') },
  ECC_NIST_EDWARDS25519: { details: {}, prove: signs(null) },
};

// OpenSSL takes longer for these than for everything else in this folder together.
const slow: readonly string[] = ['RSA_3072', 'RSA_4096'];
const names = Object.keys(specs) as OfferedPairSpec[];
const quick = names.filter((spec) => !slow.includes(spec));

function signs(hash: string | null) {
  return ({ privateKey, publicKey }: Pair) => {
    const signature = crypto.sign(hash, message, privateKey);
    expect(crypto.verify(hash, message, publicKey, signature)).toBe(true);
    expect(crypto.verify(hash, Buffer.from('kerckhoffs'), publicKey, signature)).toBe(false);
  };
}

function encrypts({ privateKey, publicKey }: Pair): void {
  const padding = crypto.constants.RSA_PKCS1_OAEP_PADDING;
  for (const oaepHash of ['sha1', 'sha256']) {
    const sealed = crypto.publicEncrypt({ key: publicKey, padding, oaepHash }, message);
    const opened = crypto.privateDecrypt({ key: privateKey, padding, oaepHash }, sealed);
    expect(opened).toEqual(message);
  }
}

function imported(spki: Uint8Array | undefined, pkcs8: Uint8Array | undefined): Pair {
  return {
    publicKey: crypto.createPublicKey({ key: bytes(spki), format: 'der', type: 'spki' }),
    privateKey: crypto.createPrivateKey({ key: bytes(pkcs8), format: 'der', type: 'pkcs8' }),
  };
}

function isPair({ publicKey, privateKey }: Pair, spec: OfferedPairSpec): void {
  const spki = { format: 'der', type: 'spki' } as const;
  // Made from the private key, so the halves belong together.
  expect(crypto.createPublicKey(privateKey).export(spki)).toEqual(publicKey.export(spki));
  expect(publicKey.asymmetricKeyDetails).toEqual(specs[spec].details);
}

let kms: Pairmint;
let key: MadeKey;

beforeAll(async () => {
  kms = await openKms();
  key = await newKey(kms);
});

describe('GenerateDataKeyPair', () => {
  test.each(names)('%s: node:crypto imports the pair and its halves match', async (KeyPairSpec) => {
    const EncryptionContext = { Purpose: 'test' };
    const response = await kms.generateDataKeyPair({
      KeyId: key.Arn,
      KeyPairSpec,
      EncryptionContext,
    });
    expect(members(response)).toEqual([
      'KeyId',
      'KeyMaterialId',
      'KeyPairSpec',
      'PrivateKeyCiphertextBlob',
      'PrivateKeyPlaintext',
      'PublicKey',
    ]);
    expect(response).toMatchObject({
      KeyId: key.Arn,
      KeyPairSpec,
      KeyMaterialId: key.materialId,
    });
    const pair = imported(response.PublicKey, response.PrivateKeyPlaintext);
    isPair(pair, KeyPairSpec);
    specs[KeyPairSpec].prove(pair);

    const opened = await kms.decrypt({
      CiphertextBlob: response.PrivateKeyCiphertextBlob,
      EncryptionContext,
    });
    expect(bytes(opened.Plaintext).equals(bytes(response.PrivateKeyPlaintext))).toBe(true);
    expect(opened.KeyMaterialId).toBe(key.materialId);
  });
});

describe('GenerateDataKeyPairWithoutPlaintext', () => {
  test.each(quick)('%s: only Decrypt gives the private key', async (KeyPairSpec) => {
    const response = await kms.generateDataKeyPairWithoutPlaintext({
      KeyId: key.KeyId,
      KeyPairSpec,
    });
    expect(members(response)).toEqual([
      'KeyId',
      'KeyMaterialId',
      'KeyPairSpec',
      'PrivateKeyCiphertextBlob',
      'PublicKey',
    ]);
    expect(response).toMatchObject({
      KeyId: key.Arn,
      KeyPairSpec,
      KeyMaterialId: key.materialId,
    });
    const CiphertextBlob = response.PrivateKeyCiphertextBlob;
    const { Plaintext } = await kms.decrypt({ CiphertextBlob });
    const pair = imported(response.PublicKey, Plaintext);
    isPair(pair, KeyPairSpec);
    specs[KeyPairSpec].prove(pair);
    expect(bytes(CiphertextBlob).includes(bytes(Plaintext))).toBe(false);
  });

  test('every request gives another pair', async () => {
    const request = { KeyId: key.KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => kms.generateDataKeyPairWithoutPlaintext(request)),
    );
    const seen = new Set(responses.map(({ PublicKey }) => bytes(PublicKey).toString('hex')));
    expect(seen.size).toBe(20);
  });

  test('a multi-Region key mints as any other', async () => {
    const multiRegion = await newKey(kms, { MultiRegion: true });
    const response = await kms.generateDataKeyPairWithoutPlaintext({
      KeyId: multiRegion.KeyId,
      KeyPairSpec: 'SM2',
    });
    expect(response.KeyId).toBe(multiRegion.Arn);
    const opened = await kms.decrypt({ CiphertextBlob: response.PrivateKeyCiphertextBlob });
    isPair(imported(response.PublicKey, opened.Plaintext), 'SM2');
  });
});

const listed = `[${[...names, 'ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'].join(', ')}]`;

describe.each(['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext'])('%s', (operation) => {
  test('a missing KeyPairSpec is named', async () => {
    expect(await failureText(kms.call(operation, { KeyId: key.KeyId }))).toBe(
      validation(complaint('null', 'keyPairSpec', 'not be null')),
    );
  });

  test.each(['RSA_1024', 'rsa_2048', 'ML_KEM_2048', '', '__proto__', 'constructor'])(
    'the spec %j is unknown, and the known ones are listed',
    async (KeyPairSpec) => {
      const text = await failureText(kms.call(operation, { KeyId: key.KeyId, KeyPairSpec }));
      expect(text).toBe(
        validation(
          complaint(`'${KeyPairSpec}'`, 'keyPairSpec', `satisfy enum value set: ${listed}`),
        ),
      );
    },
  );

  test('members that are both missing are both named', async () => {
    const text = await failureText(kms.call(operation, {}));
    expect(text).toMatch(/^ValidationException: 2 validation errors detected: /);
    expect(text).toContain(complaint('null', 'keyId', 'not be null'));
    expect(text).toContain(complaint('null', 'keyPairSpec', 'not be null'));
  });
});

test('an attestation document is refused, not ignored', async () => {
  const request = { KeyId: key.KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
  const Recipient = { AttestationDocument: new Uint8Array(1) };
  expect(await failureText(kms.generateDataKeyPair({ ...request, Recipient }))).toMatch(
    /^UnsupportedOperationException: Recipient is not supported/,
  );
  const twin = await kms.call('GenerateDataKeyPairWithoutPlaintext', { ...request, Recipient });
  expect(members(twin)).not.toContain('PrivateKeyPlaintext');
});
