import crypto from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { MacAlgorithmSpec } from '../../lib/model/types.ts';
import type { KeyMaterial } from '../../lib/native/addon.ts';
import { internals } from '../support/internals.ts';
import { destination, flip, importKey, mintKey, rootKey } from '../support/kms-keys.ts';
import { hex } from '../support/vectors.ts';

const algorithms = [
  ['HMAC_224', 'HMAC_SHA_224', 'sha224', 28],
  ['HMAC_256', 'HMAC_SHA_256', 'sha256', 32],
  ['HMAC_384', 'HMAC_SHA_384', 'sha384', 48],
  ['HMAC_512', 'HMAC_SHA_512', 'sha512', 64],
] as const;

/** RFC 4231, sections 4.2 to 4.8, as far as MACs are not cut short: key, data, MACs by hash. */
const vectors: [key: Buffer, data: Buffer, macs: Record<string, string>][] = [
  [
    Buffer.alloc(20, 0x0b),
    Buffer.from('Hi There'),
    {
      sha224: '896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22',
      sha256: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
      sha384:
        'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c' +
        'faea9ea9076ede7f4af152e8b2fa9cb6',
      sha512:
        '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde' +
        'daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
    },
  ],
  [
    Buffer.from('Jefe'),
    Buffer.from('what do ya want for nothing?'),
    {
      sha224: 'a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44',
      sha256: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      sha384:
        'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e' +
        '8e2240ca5e69e2c78b3239ecfab21649',
      sha512:
        '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554' +
        '9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    },
  ],
];

/** HMAC fills a key up with zeros, so that any short key has an equal of the length we need. */
const fill = (key: Buffer, length: number) => Buffer.concat([key, Buffer.alloc(length)], length);

describe.each(algorithms)('a key of %s', (spec, algorithm, hash, length) => {
  it('gives the known answers of RFC 4231', async () => {
    for (const [key, message, macs] of vectors) {
      const { material } = await importKey(spec, fill(key, length));
      const mac = Buffer.from(internals.generateMac({ material, algorithm, message }));
      expect(mac.toString('hex')).toBe(macs[hash]);
      expect(internals.verifyMac({ material, algorithm, message, mac })).toBe(true);
    }
  });

  it('gives what node:crypto gives', async () => {
    for (const size of [0, 1, 63, 64, 65, 4096]) {
      const key = crypto.randomBytes(length);
      const message = crypto.randomBytes(size);
      const { material } = await importKey(spec, key);
      const expected = crypto.createHmac(hash, key).update(message).digest();
      const mac = internals.generateMac({ material, algorithm, message });
      expect(Buffer.from(mac)).toEqual(expected);
    }
  });

  it('verifies no MAC of which a bit is flipped, or of another length', () => {
    const { header, wrapped } = internals.createKeyMaterial(
      rootKey,
      destination.keyId,
      destination.attributes,
      length,
    );
    const material = internals.openKeyMaterial(rootKey, header, wrapped);
    const message = Buffer.from('message');
    const mac = internals.generateMac({ material, algorithm, message });
    const verify = (bytes: Uint8Array) =>
      internals.verifyMac({ material, algorithm, message, mac: bytes });
    expect(verify(mac)).toBe(true);
    for (let bit = 0; bit < length * 8; bit++) expect(verify(flip(mac, bit))).toBe(false);
    for (let end = 0; end < length; end++) expect(verify(mac.subarray(0, end))).toBe(false);
    expect(verify(Buffer.concat([mac, Buffer.alloc(1)]))).toBe(false);
  });

  it('is refused by the algorithms of other lengths', async () => {
    const { material } = await importKey(spec, hex('07'.repeat(length)));
    for (const [, other] of algorithms.filter(([, name]) => name !== algorithm)) {
      expect(() =>
        internals.generateMac({ material, algorithm: other, message: Buffer.alloc(1) }),
      ).toThrow('the key is not for this MAC algorithm');
    }
  });
});

describe('key material', () => {
  const message = Buffer.from('message');
  const generateMac = (material: KeyMaterial, algorithm: MacAlgorithmSpec) => () =>
    internals.generateMac({ material, algorithm, message });

  it('of other lengths than a spec has is not made', () => {
    for (const length of [0, 1, 16, 27, 33, 65, 2 ** 31]) {
      expect(() =>
        internals.createKeyMaterial(rootKey, destination.keyId, destination.attributes, length),
      ).toThrow('no KMS key has a secret of this length');
    }
  });

  // A private key of Ed25519 is as long as a key of HMAC_384.
  it('that is a private key makes no MAC and seals nothing', async () => {
    const { material } = await mintKey('ECC_NIST_EDWARDS25519');
    const context = Buffer.alloc(4);
    expect(generateMac(material, 'HMAC_SHA_384')).toThrow('the arguments do not fit');
    expect(() => internals.encrypt({ material, context, plaintext: message })).toThrow(
      'the arguments do not fit',
    );
  });

  it('of HMAC_512 seals nothing', async () => {
    const { material } = await importKey('HMAC_512', Buffer.alloc(64));
    const args = { material, context: Buffer.alloc(4), length: 32, plaintext: true };
    const refused = { code: 'INVALID_ARGUMENT', message: 'the arguments do not fit' };
    await expect(internals.generateDataKey(args)).rejects.toMatchObject(refused);
    for (const spec of ['ECC_NIST_P256', 'ECC_NIST_P384'] as const) {
      await expect(internals.generateDataKeyPair({ ...args, spec })).rejects.toMatchObject(refused);
    }
  });
});
