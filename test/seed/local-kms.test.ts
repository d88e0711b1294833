import crypto from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { bytes } from '../operations/support.ts';
import { generateWithNode, spkiOf } from '../support/kms-keys.ts';
import { keyId, openSeeded, otherKeyId, refusalOf, seedFile, seedOf } from './support.ts';

// The forms of github.com/nsmithuk/local-kms, README and internal/seed/seed_v2.go.

const older = '34743777217A25432A46294A404E635266556A586E3272357538782F413F4428';
const newer = '614E645267556B58703273357638792F423F4528472B4B6250655368566D5971';
const ecc = generateWithNode('ECC_NIST_P256');
const rsa = generateWithNode('RSA_2048');

const indented = (text: string | Buffer, by: number) =>
  text
    .toString()
    .trim()
    .replaceAll('\n', `\n${' '.repeat(by)}`);
const eccPem = ecc.export({ format: 'pem', type: 'sec1' });
const rsaPem = rsa.export({ format: 'pem', type: 'pkcs8' });

const byKind = `Keys:
  Symmetric:
    Aes:
      - Metadata:
          KeyId: ${keyId}
          Description: "a description"
        NextKeyRotation: "2999-09-12T15:19:21+00:00"
        BackingKeys:
          - ${older}
          - ${newer}
      - Metadata:
          KeyId: 5d05267f-bb87-4d0b-8594-295a4371d414
          Origin: EXTERNAL
    Hmac:
      - Metadata:
          KeyId: f1234567-89ab-cdef-0123-456789abcdef
          KeySpec: HMAC_256
        BackingKeys:
          - 1234567890123456789012345678901234567890123456789012345678901234
  Asymmetric:
    Rsa:
      - Metadata:
          KeyId: ff275b92-0def-4dfc-b0f6-87c96b26c6c7
          KeyUsage: ENCRYPT_DECRYPT
        PrivateKeyPem: |
          ${indented(rsaPem, 10)}
    Ecc:
      - Metadata:
          KeyId: ${otherKeyId}
          KeyUsage: SIGN_VERIFY
          Description: ECC key with curve secp256r1
        PrivateKeyPem: |
          ${indented(eccPem, 10)}
Aliases:
  - AliasName: alias/testing
    TargetKeyId: ${keyId}
`;

const inOneList = `Version: 2
Aliases:
  - AliasName: alias/testing
    TargetKeyId: ${keyId}
Keys:
  - KeyId: ${keyId}
    Metadata:
      KeySpec: SYMMETRIC_DEFAULT
      KeyUsage: ENCRYPT_DECRYPT
      Description: a description
    Material:
      BackingKeys:
        - ${older}
        - ${newer}
  - KeyId: ${otherKeyId}
    Metadata:
      KeySpec: ECC_NIST_P256
      KeyUsage: SIGN_VERIFY
    Material:
      PrivateKeyPem: |
        ${indented(eccPem, 8)}
`;

const first = `Keys:
  - Metadata:
      KeyId: ${keyId}
      Description: a description
    BackingKeys: [${older}, ${newer}]
Aliases:
  - AliasName: alias/testing
    TargetKeyId: ${keyId}
`;

async function describeMade(kms: Pairmint): Promise<object> {
  const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/testing' });
  const { KeyId, Description, KeySpec, CurrentKeyMaterialId } = KeyMetadata ?? {};
  return { KeyId, Description, KeySpec, CurrentKeyMaterialId };
}

describe("local-kms's seed format", () => {
  it.each([
    ['by kind', byKind],
    ['in one list', inOneList],
    ['of its first version', first],
  ])('%s makes what ours makes', async (_, text) => {
    await using kms = await openSeeded(seedFile(text));
    await using ours = await openSeeded(
      seedOf({
        KeyMaterial: [older, newer],
        Description: 'a description',
        Aliases: ['alias/testing'],
      }),
    );
    expect(await describeMade(kms)).toEqual(await describeMade(ours));
  });

  it('knows the kinds and sizes of keys from their place in the file', async () => {
    await using kms = await openSeeded(seedFile(byKind));
    const external = await kms.describeKey({ KeyId: '5d05267f-bb87-4d0b-8594-295a4371d414' });
    expect(external.KeyMetadata).toMatchObject({ Origin: 'EXTERNAL', KeyState: 'PendingImport' });
    const [p256, rsa2048] = await Promise.all([
      kms.getPublicKey({ KeyId: otherKeyId }),
      kms.getPublicKey({ KeyId: 'ff275b92-0def-4dfc-b0f6-87c96b26c6c7' }),
    ]);
    expect(p256.KeySpec).toBe('ECC_NIST_P256');
    expect(bytes(p256.PublicKey)).toEqual(spkiOf(ecc));
    expect(rsa2048).toMatchObject({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    expect(bytes(rsa2048.PublicKey)).toEqual(spkiOf(rsa));
    const { Mac } = await kms.generateMac({
      KeyId: 'f1234567-89ab-cdef-0123-456789abcdef',
      Message: Buffer.from('x'),
      MacAlgorithm: 'HMAC_SHA_256',
    });
    const secret = Buffer.from('1234567890'.repeat(6).concat('1234'), 'hex');
    expect(bytes(Mac)).toEqual(crypto.createHmac('sha256', secret).update('x').digest());
    expect(await kms.getKeyRotationStatus({ KeyId: keyId })).toMatchObject({
      KeyRotationEnabled: true,
      RotationPeriodInDays: 365,
    });
  });

  it.each([
    [
      byKind.replace(older, 'abc'),
      9,
      'Keys.Symmetric.Aes[0].BackingKeys[0]: expected 32 bytes in hex or base64, for KeySpec ' +
        'SYMMETRIC_DEFAULT',
    ],
    [
      byKind.replace('Aes:', 'Des:'),
      3,
      'Keys.Symmetric.Des: there is no such member\nknown here: Aes, Hmac',
    ],
    [
      inOneList.replace('- KeyId: ', '- KeyID: '),
      6,
      'Keys[0].KeyID: there is no such member\nknown here: KeyId, Metadata, Material, ' +
        'BackingKeys, PrivateKeyPem, NextKeyRotation, Tags',
    ],
    [
      first.replace('a description', '5'),
      4,
      'Keys[0].Metadata.Description: expected a String, got number\nwrite it in quotes',
    ],
  ])('is refused by its own names of members (%#)', async (text, line, reason) => {
    const file = seedFile(text);
    expect(await refusalOf(file)).toBe(`${file}:${line}: ${reason}`);
  });
});
