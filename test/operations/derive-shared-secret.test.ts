// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto, { type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { generateWithNode, pkcs8Of, spkiOf } from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';
import { importedKey, publicHalf } from './asymmetric-keys.ts';
import {
  absentKeyId,
  bytes,
  complaint,
  dryRun,
  failureText,
  flipped,
  members,
  newKey,
  openKms,
  outcomeOf,
  validation,
} from './support.ts';

const KeyUsage = 'KEY_AGREEMENT';
const KeyAgreementAlgorithm = 'ECDH';
const base = { KeyAgreementAlgorithm } as const;

const specs = [
  ['ECC_NIST_P256', 32],
  ['ECC_NIST_P384', 48],
  ['ECC_NIST_P521', 66],
] as const;

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

/** The secret that a private key of node:crypto's and the public key of a KMS key share. */
async function secretOf(privateKey: KeyObject, KeyId: string): Promise<Buffer> {
  return crypto.diffieHellman({ privateKey, publicKey: await publicHalf(kms, KeyId) });
}

describe.each(specs)('a key of %s', (KeySpec, length) => {
  test('agrees with node:crypto', async () => {
    const { Arn } = await newKey(kms, { KeySpec, KeyUsage });
    const theirs = generateWithNode(KeySpec);
    const answer = await kms.deriveSharedSecret({
      ...base,
      KeyId: Arn,
      PublicKey: spkiOf(theirs),
    });
    // [LS test_derive_shared_secret 2024-12]
    expect(members(answer)).toEqual([
      'KeyAgreementAlgorithm',
      'KeyId',
      'KeyOrigin',
      'SharedSecret',
    ]);
    expect(answer).toMatchObject({ ...base, KeyId: Arn, KeyOrigin: 'AWS_KMS' });
    expect(answer.SharedSecret).toHaveLength(length);
    expect(bytes(answer.SharedSecret)).toEqual(await secretOf(theirs, Arn));
  });

  // [LS test_derive_shared_secret 2024-12]
  test('agrees with another KMS key, whichever of the two is asked', async () => {
    const [one, two] = [
      await newKey(kms, { KeySpec, KeyUsage }),
      await newKey(kms, { KeySpec, KeyUsage }),
    ];
    const secret = async (KeyId: string, other: string) => {
      const { PublicKey } = await kms.getPublicKey({ KeyId: other });
      return bytes((await kms.deriveSharedSecret({ ...base, KeyId, PublicKey })).SharedSecret);
    };
    expect(await secret(one.KeyId, two.KeyId)).toEqual(await secret(two.KeyId, one.KeyId));
  });

  test('that was imported says so', async () => {
    const theirs = generateWithNode(KeySpec);
    const { Arn } = await importedKey(kms, { KeySpec, KeyUsage }, pkcs8Of(theirs));
    const other = generateWithNode(KeySpec);
    const request = { ...base, KeyId: Arn, PublicKey: spkiOf(other) };
    const answer = await kms.deriveSharedSecret(request);
    expect(answer.KeyOrigin).toBe('EXTERNAL');
    expect(bytes(answer.SharedSecret)).toEqual(
      crypto.diffieHellman({ privateKey: theirs, publicKey: crypto.createPublicKey(other) }),
    );
  });

  test('refuses bytes that are not a public key on its curve', async () => {
    const { KeyId } = await newKey(kms, { KeySpec, KeyUsage });
    // [LS test_derive_shared_secret 2024-12]: without a text.
    const text = 'ValidationException: ';
    const good = spkiOf(generateWithNode(KeySpec));
    const wrong: [string, Buffer][] = [
      ['garbage', Buffer.from('no key at all')],
      ['a point that is not on the curve', flipped(good, good.length * 8 - 1)],
      ['a key with a byte too many', Buffer.concat([good, Buffer.alloc(1)])],
      ['a key with a byte too few', good.subarray(0, -1)],
      ['a bare point', good.subarray(-2 * length - 1)],
      ['a private key', pkcs8Of(generateWithNode(KeySpec))],
      ['PEM', Buffer.from(good.toString('base64'))],
      ['an RSA key', spkiOf(generateWithNode('RSA_2048'))],
      ['an Ed25519 key', spkiOf(generateWithNode('ECC_NIST_EDWARDS25519'))],
      ...(['ECC_SECG_P256K1', 'SM2', ...specs.map(([spec]) => spec)] as const)
        .filter((other) => other !== KeySpec)
        .map((other): [string, Buffer] => [other, spkiOf(generateWithNode(other))]),
    ];
    for (const [label, PublicKey] of wrong) {
      const outcome = await outcomeOf(kms.deriveSharedSecret({ ...base, KeyId, PublicKey }));
      expect(outcome, label).toBe(text);
      const dry = kms.deriveSharedSecret({ ...base, KeyId, PublicKey, DryRun: true });
      expect(await outcomeOf(dry), `a dry run with ${label}`).toBe(text);
    }
  });
});

test('keys of SM2 agree by the same algorithm', async () => {
  const theirs = generateWithNode('SM2');
  const { KeyId } = await newKey(kms, { KeySpec: 'SM2', KeyUsage });
  const answer = await kms.deriveSharedSecret({ ...base, KeyId, PublicKey: spkiOf(theirs) });
  const ours = bytes((await kms.getPublicKey({ KeyId })).PublicKey);
  expect(bytes(answer.SharedSecret)).toEqual(sm2.agree(scalarOf(theirs), ours));
});

/** RFC 5915: the number stands behind version 1 and the header of 32 octets. */
function scalarOf(key: KeyObject): bigint {
  const sec1 = key.export({ format: 'der', type: 'sec1' });
  const at = sec1.indexOf(Buffer.from('0201010420', 'hex')) + 5;
  return BigInt(`0x${sec1.subarray(at, at + 32).toString('hex')}`);
}

describe('checks', () => {
  const PublicKey = spkiOf(generateWithNode('ECC_NIST_P256'));
  const failing = (request: object) =>
    failureText(kms.call('DeriveSharedSecret', { ...base, PublicKey, ...request }));

  test('come in the order usage, state, dry run, public key', async () => {
    const others = [
      ['ECC_NIST_P256', 'SIGN_VERIFY'],
      ['RSA_2048', 'ENCRYPT_DECRYPT'],
      ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
      ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ] as const;
    for (const [KeySpec, usage] of others) {
      const { Arn } = await newKey(kms, { KeySpec, KeyUsage: usage });
      await kms.disableKey({ KeyId: Arn });
      // [LS test_derive_shared_secret 2024-12, FL keyUsageIsCheckedBeforeTheKeyState]
      expect(await failing({ KeyId: Arn })).toBe(
        `InvalidKeyUsageException: ${Arn} key usage is ${usage} which is not valid for ` +
          'DeriveSharedSecret.',
      );
    }
    const { KeyId, Arn } = await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage });
    expect(await failing({ KeyId, DryRun: true })).toBe(dryRun);
    await kms.disableKey({ KeyId });
    // Unverified: inferred.
    expect(await failing({ KeyId, PublicKey: Buffer.from('x') })).toBe(
      `DisabledException: ${Arn} is disabled.`,
    );
    await kms.scheduleKeyDeletion({ KeyId });
    expect(await failing({ KeyId })).toBe(`KMSInvalidStateException: ${Arn} is pending deletion.`);
    const external = await newKey(kms, { KeySpec: 'SM2', KeyUsage, Origin: 'EXTERNAL' });
    expect(await failing({ KeyId: external.KeyId })).toBe(
      `KMSInvalidStateException: ${external.Arn} is pending import.`,
    );
  });

  test('of the model come before the key is looked for', async () => {
    const KeyId = absentKeyId;
    expect(await failing({ KeyId })).toMatch(/^NotFoundException: /);
    // [LS test_derive_shared_secret]
    expect(await failing({ KeyId, KeyAgreementAlgorithm: 'X' })).toBe(
      validation(complaint("'X'", 'keyAgreementAlgorithm', 'satisfy enum value set: [ECDH]')),
    );
  });

  test('refuse an attestation document instead of answering in the clear', async () => {
    const { KeyId } = await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage });
    const Recipient = { AttestationDocument: new Uint8Array(1) };
    expect(await failing({ KeyId, Recipient })).toMatch(
      /^UnsupportedOperationException: Recipient is not supported/,
    );
  });
});
