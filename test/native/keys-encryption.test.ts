import crypto, { type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EncryptionAlgorithmSpec, KeySpec } from '../../lib/model/types.ts';
import { element, sequence } from '../support/der.ts';
import { internals } from '../support/internals.ts';
import {
  flip,
  generateWithNode,
  importKey,
  type KmsKey,
  mintKey,
  pkcs8Of,
  publicKeyOf,
  rootKey,
  spkiOf,
} from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';

const plaintext = Buffer.from('a secret of some length');
const rsaSpecs: KeySpec[] = ['RSA_2048', 'RSA_3072', 'RSA_4096'];
const oaep = [
  ['RSAES_OAEP_SHA_1', 'sha1', 42],
  ['RSAES_OAEP_SHA_256', 'sha256', 66],
] as const;

const symmetric = await importKey('SYMMETRIC_DEFAULT', crypto.randomBytes(32));
const context = Buffer.alloc(4);

describe.each(rsaSpecs)('a key of %s', (spec) => {
  let key: KmsKey;
  let theirs: KeyObject;
  beforeAll(async () => {
    theirs = generateWithNode(spec);
    key = await importKey(spec, pkcs8Of(theirs));
  });

  it.each(oaep)('decrypts by %s what node:crypto encrypts', async (algorithm, oaepHash) => {
    const options = { key: publicKeyOf(key.publicKey), oaepHash };
    const ciphertext = crypto.publicEncrypt(options, plaintext);
    const { material } = key;
    const decrypted = await internals.decryptWithPrivateKey({ material, algorithm, ciphertext });
    expect(Buffer.from(decrypted)).toEqual(plaintext);
  });

  it.each(oaep)('encrypts by %s up to the longest plaintext', async (algorithm, oaepHash, less) => {
    const { publicKey } = key;
    const longest = crypto.randomBytes(Number(spec.slice(4)) / 8 - less);
    const encrypt = (bytes: Uint8Array) =>
      internals.encryptWithPublicKey({ publicKey, algorithm, plaintext: bytes });
    const ciphertext = await encrypt(longest);
    expect(crypto.privateDecrypt({ key: theirs, oaepHash }, ciphertext)).toEqual(longest);
    const tooLong = encrypt(Buffer.concat([longest, Buffer.alloc(1)]));
    await expect(tooLong).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each(oaep)('refuses by %s every wrong ciphertext with one error', async (algorithm) => {
    const { material, publicKey } = key;
    const ciphertext = await internals.encryptWithPublicKey({ publicKey, algorithm, plaintext });
    const wrong = [
      ...[0, 1, 100, 1000, ciphertext.length * 8 - 1].map((bit) => flip(ciphertext, bit)),
      ciphertext.subarray(1),
      Buffer.concat([ciphertext, Buffer.alloc(1)]),
      Buffer.alloc(ciphertext.length),
      Buffer.alloc(ciphertext.length, 0xff),
      Buffer.alloc(0),
    ];
    for (const bytes of wrong) {
      await expect(
        internals.decryptWithPrivateKey({ material, algorithm, ciphertext: bytes }),
      ).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT', message: 'INVALID_CIPHERTEXT' });
    }
    const [other] = oaep.map(([name]) => name).filter((name) => name !== algorithm);
    await expect(
      internals.decryptWithPrivateKey({
        material,
        algorithm: other as EncryptionAlgorithmSpec,
        ciphertext,
      }),
    ).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT' });
  });
});

describe('a key of SM2', () => {
  const algorithm = 'SM2PKE';

  it('decrypts what the formulas of the standard encrypt', async () => {
    const { material, publicKey } = await mintKey('SM2');
    for (const length of [1, 32, 33, 1024]) {
      const text = crypto.randomBytes(length);
      const ciphertext = sm2.encrypt(publicKey, text);
      const decrypted = await internals.decryptWithPrivateKey({ material, algorithm, ciphertext });
      expect(Buffer.from(decrypted)).toEqual(text);
    }
  });

  it('encrypts what it decrypts, and refuses any bit of it flipped', async () => {
    const { material, publicKey } = await mintKey('SM2');
    const ciphertext = await internals.encryptWithPublicKey({ publicKey, algorithm, plaintext });
    const decrypt = (bytes: Uint8Array) =>
      internals.decryptWithPrivateKey({ material, algorithm, ciphertext: bytes });
    expect(Buffer.from(await decrypt(ciphertext))).toEqual(plaintext);
    for (let bit = 0; bit < ciphertext.length * 8; bit += 5) {
      const decrypting = decrypt(flip(ciphertext, bit));
      await expect(decrypting, `bit ${bit}`).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT' });
    }
    await expect(decrypt(ciphertext.subarray(1))).rejects.toMatchObject({
      code: 'INVALID_CIPHERTEXT',
    });
  });
});

describe('a key that is not for an encryption algorithm', () => {
  it('is refused', async () => {
    const { material, publicKey } = await mintKey('ECC_NIST_P256');
    for (const algorithm of ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] as const) {
      const calls = [
        internals.encryptWithPublicKey({ publicKey, algorithm, plaintext }),
        internals.decryptWithPrivateKey({ material, algorithm, ciphertext: Buffer.alloc(256) }),
        internals.decryptWithPrivateKey({
          material: symmetric.material,
          algorithm,
          ciphertext: Buffer.alloc(256),
        }),
      ];
      for (const call of calls) {
        await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    }
  });
});

describe('re-encryption across', () => {
  const sealing = {
    material: symmetric.material,
    algorithm: 'SYMMETRIC_DEFAULT',
    context,
  } as const;
  const algorithm = 'RSAES_OAEP_SHA_256';
  let rsa: KmsKey;
  let sm2Key: KmsKey;
  beforeAll(async () => {
    rsa = await mintKey('RSA_2048');
    sm2Key = await mintKey('SM2');
  });

  const open = (ciphertext: Uint8Array) =>
    Buffer.from(internals.decrypt({ material: symmetric.material, context, ciphertext }));

  it('takes a blob to a public key and back as data', async () => {
    const blob = internals.encrypt({ material: symmetric.material, context, plaintext });
    const hidden = await internals.reEncryptAcross({
      source: sealing,
      ciphertext: blob,
      destination: { publicKey: rsa.publicKey, algorithm },
    });
    const moved = await internals.reEncryptAcross({
      source: { material: rsa.material, algorithm },
      ciphertext: hidden,
      destination: { publicKey: sm2Key.publicKey, algorithm: 'SM2PKE' },
    });
    const back = await internals.reEncryptAcross({
      source: { material: sm2Key.material, algorithm: 'SM2PKE' },
      ciphertext: moved,
      destination: sealing,
    });
    expect(open(back)).toEqual(plaintext);
    expect(back[5]).toBe(1);
  });

  it('keeps the kind of a blob that is sealed again', async () => {
    const { privateKeyCiphertext } = await internals.generateDataKeyPair({
      material: symmetric.material,
      spec: 'ECC_NIST_P256',
      context,
      plaintext: false,
    });
    const moved = await internals.reEncryptAcross({
      source: sealing,
      ciphertext: privateKeyCiphertext,
      destination: sealing,
    });
    expect(moved[5]).toBe(3);
    expect(open(moved)).toEqual(open(privateKeyCiphertext));
  });

  it('refuses wrong ciphertexts of both kinds, and wrong keys', async () => {
    const blob = internals.encrypt({ material: symmetric.material, context, plaintext });
    const asymmetric = { material: rsa.material, algorithm } as const;
    const reEncrypt = (source: typeof sealing | typeof asymmetric, ciphertext: Uint8Array) =>
      internals.reEncryptAcross({ source, ciphertext, destination: sealing });
    for (const [source, ciphertext] of [
      [sealing, flip(blob, 300)],
      [asymmetric, Buffer.alloc(256)],
      [asymmetric, blob],
    ] as const) {
      await expect(reEncrypt(source, ciphertext)).rejects.toMatchObject({
        code: 'INVALID_CIPHERTEXT',
      });
    }
    const swapped = { ...sealing, material: rsa.material };
    await expect(reEncrypt(swapped, blob)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('key agreement', () => {
  const specs: KeySpec[] = ['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'];

  it.each(specs)('on %s gives what node:crypto gives', async (spec) => {
    const { material, publicKey } = await mintKey(spec);
    const privateKey = generateWithNode(spec);
    const theirs = crypto.diffieHellman({ privateKey, publicKey: publicKeyOf(publicKey) });
    const ours = await internals.deriveSharedSecret({ material, publicKey: spkiOf(privateKey) });
    expect(Buffer.from(ours)).toEqual(theirs);
  });

  it('on SM2 gives the x coordinate of the product, as both sides compute it', async () => {
    const d = BigInt(`0x${crypto.randomBytes(31).toString('hex')}`);
    const { pkcs8, spki } = internals.encodeEc('SM2', d.toString(16)) ?? {};
    const theirs = await importKey('SM2', pkcs8 as Uint8Array);
    const ours = await mintKey('SM2');
    const first = await internals.deriveSharedSecret({
      material: ours.material,
      publicKey: spki as Uint8Array,
    });
    const second = await internals.deriveSharedSecret({
      material: theirs.material,
      publicKey: ours.publicKey,
    });
    expect(first).toEqual(second);
    expect(Buffer.from(first)).toEqual(sm2.agree(d, ours.publicKey));
  });

  it('keeps leading zeros of the secret', async () => {
    const { material } = await mintKey('ECC_NIST_P256');
    for (let d = 1, first = 1; first !== 0; d++) {
      const { spki } = internals.encodeEc('P-256', d.toString(16)) ?? {};
      const publicKey = spki as Uint8Array;
      const secret = await internals.deriveSharedSecret({ material, publicKey });
      expect(secret).toHaveLength(32);
      first = secret[0] as number;
    }
  });

  it('refuses other curves, other keys, and points that are not on the curve', async () => {
    const { material, publicKey } = await mintKey('ECC_NIST_P256');
    const derive = (key: Uint8Array, own = material) =>
      internals.deriveSharedSecret({ material: own, publicKey: key });
    const refusal = { code: 'INVALID_ARGUMENT' };
    const rsa = await mintKey('RSA_2048');
    const k1 = await mintKey('ECC_SECG_P256K1');
    const wrong = [
      k1.publicKey,
      rsa.publicKey,
      flip(publicKey, publicKey.length * 8 - 1),
      publicKey.subarray(0, 60),
      Buffer.concat([publicKey, Buffer.alloc(1)]),
      // The point at infinity in the place of the point.
      sequence(Buffer.from(publicKey).subarray(2, 23), element(0x03, Buffer.alloc(2))),
      Buffer.alloc(0),
    ];
    for (const key of wrong) await expect(derive(key)).rejects.toMatchObject(refusal);
    await expect(derive(rsa.publicKey, rsa.material)).rejects.toMatchObject(refusal);
    await expect(derive(publicKey, symmetric.material)).rejects.toMatchObject(refusal);
  });
});

describe('a root key', () => {
  it('opens private keys of its own alone', async () => {
    const other = internals.openRootKey(Buffer.alloc(32, 8));
    const record = await internals.createPrivateKeyMaterial({
      rootKey,
      keyId: Buffer.alloc(16),
      attributes: Buffer.alloc(20),
      spec: 'ECC_NIST_P256',
    });
    expect(() => internals.openKeyMaterial(other, record.header, record.wrapped)).toThrow(
      'INVALID_RECORD',
    );
    for (const at of [0, 2, 3, 4, 20, 52, 71]) {
      const header = flip(record.header, at * 8);
      expect(() => internals.openKeyMaterial(rootKey, header, record.wrapped), `${at}`).toThrow(
        'INVALID_RECORD',
      );
    }
  });
});
