// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto, { type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Key } from '../../lib/keys/key.ts';
import { KmsError } from '../../lib/model/errors.ts';
import type { KeySpec, MessageType, SigningAlgorithmSpec } from '../../lib/model/types.ts';
import { requireMessage } from '../../lib/operations/signing.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { generateWithNode, pkcs8Of, spkiOf } from '../support/kms-keys.ts';
import * as sm2 from '../support/sm2-oracle.ts';
import { forSigning, hashOf, importedKey, publicHalf } from './asymmetric-keys.ts';
import {
  absentKeyId,
  bytes,
  complaint,
  dryRun,
  failureText,
  flipped,
  type MadeKey,
  members,
  newKey,
  openKms,
  outcomeOf,
  validation,
} from './support.ts';

const KeyUsage = 'SIGN_VERIFY';
const message = Buffer.from('what is to be signed');

const rsa = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
] as const;

const algorithmsOf = {
  RSA_2048: rsa,
  RSA_3072: rsa,
  RSA_4096: rsa,
  ECC_NIST_P256: ['ECDSA_SHA_256'],
  ECC_NIST_P384: ['ECDSA_SHA_384'],
  ECC_NIST_P521: ['ECDSA_SHA_512'],
  ECC_SECG_P256K1: ['ECDSA_SHA_256'],
  ECC_NIST_EDWARDS25519: ['ED25519_SHA_512'],
} as const satisfies Partial<Record<KeySpec, readonly SigningAlgorithmSpec[]>>;

type Spec = keyof typeof algorithmsOf;

const specs = Object.keys(algorithmsOf) as Spec[];
const combinations = specs.flatMap((spec) =>
  algorithmsOf[spec].map((algorithm) => [spec, algorithm] as const),
);

/** The same text signed as a message and, if the algorithm has a hash, as its digest. */
function inputsOf(
  algorithm: SigningAlgorithmSpec,
): { Message: Buffer; MessageType: MessageType }[] {
  const hash = hashOf(algorithm);
  const raw = { Message: message, MessageType: 'RAW' as const };
  if (hash === null) return [raw];
  const Message = crypto.createHash(hash).update(message).digest();
  return [raw, { Message, MessageType: 'DIGEST' }];
}

/** [LS, FL] Without a message. */
const invalidSignature = 'KMSInvalidSignatureException: ';

let kms: Pairmint;
const keys = new Map<KeySpec, MadeKey>();
const arnOf = (spec: KeySpec) => (keys.get(spec) as MadeKey).Arn;

beforeAll(async () => {
  kms = await openKms();
  for (const KeySpec of [...specs, 'SM2'] as const) {
    keys.set(KeySpec, await newKey(kms, { KeySpec, KeyUsage }));
  }
});

describe.each(combinations)('%s with %s', (spec, SigningAlgorithm) => {
  const algorithm = { SigningAlgorithm } as const;

  test('signs what node:crypto verifies with the public key', async () => {
    const KeyId = arnOf(spec);
    const key = forSigning(SigningAlgorithm, await publicHalf(kms, KeyId));
    for (const input of inputsOf(SigningAlgorithm)) {
      const signed = await kms.sign({ KeyId, ...algorithm, ...input });
      expect(members(signed)).toEqual(['KeyId', 'Signature', 'SigningAlgorithm']);
      expect(signed).toMatchObject({ KeyId, SigningAlgorithm });
      const signature = bytes(signed.Signature);
      expect(crypto.verify(hashOf(SigningAlgorithm), message, key, signature)).toBe(true);
    }
  });

  test('verifies what was signed, whether as a message or as its digest', async () => {
    const KeyId = arnOf(spec);
    for (const signed of inputsOf(SigningAlgorithm)) {
      const { Signature } = await kms.sign({ KeyId, ...algorithm, ...signed });
      for (const input of inputsOf(SigningAlgorithm)) {
        expect(await kms.verify({ KeyId, ...algorithm, ...input, Signature })).toEqual({
          KeyId,
          SignatureValid: true,
          SigningAlgorithm,
        });
      }
    }
  });

  test('refuses every other signature with one error that has no message', async () => {
    const KeyId = arnOf(spec);
    for (const input of inputsOf(SigningAlgorithm)) {
      const { Signature } = await kms.sign({ KeyId, ...algorithm, ...input });
      const good = bytes(Signature);
      const verifying = (request: object) =>
        outcomeOf(kms.call('Verify', { KeyId, ...algorithm, ...input, ...request }));
      const wrong = [flipped(good, 7), flipped(good, good.length * 8 - 2), good.subarray(1)];
      for (const Signature of [...wrong, Buffer.alloc(good.length), Buffer.alloc(1)]) {
        expect(await verifying({ Signature })).toBe(invalidSignature);
      }
      const Message = flipped(input.Message, 11);
      expect(await verifying({ Message, Signature })).toBe(invalidSignature);
    }
  });
});

describe.each(specs)('an imported key of %s', (KeySpec) => {
  let theirs: KeyObject;
  let KeyId: string;

  beforeAll(async () => {
    theirs = generateWithNode(KeySpec);
    KeyId = (await importedKey(kms, { KeySpec, KeyUsage }, pkcs8Of(theirs))).KeyId;
  });

  test.each([...algorithmsOf[KeySpec]] as SigningAlgorithmSpec[])(
    'verifies what node:crypto signed by %s',
    async (SigningAlgorithm) => {
      const key = forSigning(SigningAlgorithm, theirs);
      const Signature = crypto.sign(hashOf(SigningAlgorithm), message, key);
      for (const input of inputsOf(SigningAlgorithm)) {
        const answer = await kms.verify({ KeyId, SigningAlgorithm, ...input, Signature });
        expect(answer.SignatureValid).toBe(true);
      }
    },
  );

  test('shows the public key of the private key that was imported', async () => {
    expect(bytes((await kms.getPublicKey({ KeyId })).PublicKey)).toEqual(spkiOf(theirs));
  });
});

test.each([
  ['RSA_2048', 'RSASSA_PSS_SHA_256', 2],
  ['ECC_NIST_P256', 'ECDSA_SHA_256', 2],
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 1],
  ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 1],
] as const)('%s by %s gives a message signed twice %i signatures', async (spec, name, count) => {
  const request = { KeyId: arnOf(spec), Message: message, SigningAlgorithm: name };
  const signed = await Promise.all([kms.sign(request), kms.sign(request)]);
  const signatures = signed.map(({ Signature }) => bytes(Signature).toString('hex'));
  expect(new Set(signatures).size).toBe(count);
});

describe('SM2', () => {
  const SigningAlgorithm = 'SM2DSA';

  test('signs messages and SM3 digests by the formulas of the standard', async () => {
    const KeyId = arnOf('SM2');
    const spki = bytes((await kms.getPublicKey({ KeyId })).PublicKey);
    const e = sm2.digest(spki, message);
    for (const input of [{ Message: message }, { Message: e, MessageType: 'DIGEST' }] as const) {
      const { Signature } = await kms.sign({ KeyId, SigningAlgorithm, ...input });
      const { r, s } = sm2.decodeSignature(bytes(Signature));
      expect(sm2.verify(spki, e, r, s)).toBe(true);
      await kms.verify({ KeyId, SigningAlgorithm, Message: message, Signature });
      const other = { Message: flipped(message, 0), Signature: bytes(Signature) };
      expect(await outcomeOf(kms.verify({ KeyId, SigningAlgorithm, ...other }))).toBe(
        invalidSignature,
      );
    }
  });
});

describe('requests that cannot be signed', () => {
  const digestLengths: [KeySpec, SigningAlgorithmSpec, number][] = [
    ...rsa.map((name): [KeySpec, SigningAlgorithmSpec, number] => [
      'RSA_2048',
      name,
      Number(name.slice(-3)) / 8,
    ]),
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 32],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 48],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 64],
    ['SM2', 'SM2DSA', 32],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 64],
  ];

  // [FL signAndVerifyRejectADigestOfTheWrongLength, ed25519PrehashRejectsADigestOfTheWrongLength]
  test.each(digestLengths)(
    '%s: a %s digest that is not %i bytes long',
    async (spec, name, length) => {
      const request = {
        KeyId: arnOf(spec),
        SigningAlgorithm: name,
        MessageType: 'DIGEST',
      } as const;
      const text = `ValidationException: Digest is invalid length for algorithm ${name}.`;
      for (const wrong of [1, 20, length - 1, length + 1]) {
        const Message = Buffer.alloc(wrong);
        expect(await failureText(kms.sign({ ...request, Message }))).toBe(text);
        const Signature = Buffer.alloc(64);
        expect(await failureText(kms.verify({ ...request, Message, Signature }))).toBe(text);
      }
    },
  );

  // KMS API Reference, Sign, MessageType; the text of the first and the third is measured [FL
  // ed25519RejectsTheCombinationsRealKmsRejects].
  test.each([
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'DIGEST'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'EXTERNAL_MU'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 'RAW'],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'EXTERNAL_MU'],
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'EXTERNAL_MU'],
  ] as const)('%s by %s as %s', async (spec, SigningAlgorithm, MessageType) => {
    const request = { KeyId: arnOf(spec), SigningAlgorithm, MessageType } as const;
    expect(await failureText(kms.sign({ ...request, Message: Buffer.alloc(64) }))).toBe(
      `ValidationException: Message type ${MessageType} is incompatible with algorithm ` +
        `${SigningAlgorithm}.`,
    );
  });

  // [FL mlDsaRejectsDigestMessageType]. No key: most builds of Node.js have no ML-DSA yet.
  test.each(['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const)('%s of a digest', (keySpec) => {
    const key = { arn: '', record: { keySpec } } as Key;
    const request = {
      KeyId: '',
      Message: Buffer.alloc(64),
      SigningAlgorithm: 'ML_DSA_SHAKE_256',
    } as const;
    expect(() => requireMessage(key, { ...request, MessageType: 'DIGEST' })).toThrow(
      new KmsError(
        'ValidationException',
        `Message type DIGEST is incompatible with key spec ${keySpec}.`,
      ),
    );
    requireMessage(key, { ...request, MessageType: 'EXTERNAL_MU' });
  });

  // [FL signAndVerifyRejectAnAlgorithmTheKeySpecDoesNotSupport]: no list of signing algorithms has
  // it, and yet it comes as far as the key.
  test.each(['RSA_2048', 'ECC_NIST_P256', 'SM2'] as const)(
    '%s by SYMMETRIC_DEFAULT, which meets the key spec and not the list of algorithms',
    async (spec) => {
      const request = {
        KeyId: arnOf(spec),
        Message: message,
        SigningAlgorithm: 'SYMMETRIC_DEFAULT',
      };
      const text =
        'InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec ' +
        `${spec}.`;
      expect(await failureText(kms.call('Sign', request))).toBe(text);
      const Signature = Buffer.alloc(64);
      expect(await failureText(kms.call('Verify', { ...request, Signature }))).toBe(text);
      const absent = await failureText(kms.call('Sign', { ...request, KeyId: absentKeyId }));
      expect(absent).toMatch(/^NotFoundException: /);
    },
  );

  test('Ed25519ph if the OpenSSL inside Node.js lacks it, and the error says so', async () => {
    const request = {
      KeyId: arnOf('ECC_NIST_EDWARDS25519'),
      Message: crypto.createHash('sha512').update(message).digest(),
      MessageType: 'DIGEST',
      SigningAlgorithm: 'ED25519_PH_SHA_512',
    } as const;
    if (kms.capabilities().ed25519ph) {
      const { Signature } = await kms.sign(request);
      await kms.verify({ ...request, Signature });
      const flippedOnce = flipped(bytes(Signature), 3);
      expect(await outcomeOf(kms.verify({ ...request, Signature: flippedOnce }))).toBe(
        invalidSignature,
      );
      return;
    }
    const text = /^UnsupportedOperationException: ED25519_PH_SHA_512 needs .*OpenSSL 3\.4 or later/;
    expect(await failureText(kms.sign(request))).toMatch(text);
    expect(await failureText(kms.sign({ ...request, DryRun: true }))).toMatch(text);
    const Signature = Buffer.alloc(64);
    expect(await failureText(kms.verify({ ...request, Signature }))).toMatch(text);
  });

  // BC: 1 to 4096 bytes.
  test('a message that is empty or longer than 4,096 bytes', async () => {
    const request = { KeyId: arnOf('RSA_2048'), SigningAlgorithm: rsa[0] } as const;
    await kms.sign({ ...request, Message: Buffer.alloc(4096) });
    const cases = [
      [0, 'have length greater than or equal to 1'],
      [4097, 'have length less than or equal to 4096'],
    ] as const;
    for (const [length, constraint] of cases) {
      expect(await failureText(kms.sign({ ...request, Message: Buffer.alloc(length) }))).toBe(
        validation(complaint('', 'message', constraint)),
      );
    }
  });
});

test('ML-DSA signs messages and their mu if the OpenSSL inside Node.js has it', async () => {
  if (!kms.capabilities().mlDsa) return;
  const { KeyId } = await newKey(kms, { KeySpec: 'ML_DSA_65', KeyUsage });
  const request = { KeyId, SigningAlgorithm: 'ML_DSA_SHAKE_256' } as const;
  const { Signature } = await kms.sign({ ...request, Message: message });
  const key = await publicHalf(kms, KeyId);
  expect(crypto.verify(null, message, key, bytes(Signature))).toBe(true);
  const mu = { MessageType: 'EXTERNAL_MU', Message: Buffer.alloc(63) } as const;
  expect(await failureText(kms.sign({ ...request, ...mu }))).toMatch(/^ValidationException: /);
});

describe.each(['Sign', 'Verify'] as const)('%s', (operation) => {
  const Signature = Buffer.alloc(256, 1);
  const SigningAlgorithm = 'RSASSA_PSS_SHA_256';
  const base = { Message: message, SigningAlgorithm, Signature };
  const failing = (request: object) => failureText(kms.call(operation, { ...base, ...request }));

  test('looks at usage, then state, then algorithm, then the digest’s length', async () => {
    const wrongDigest = { SigningAlgorithm, MessageType: 'DIGEST' };
    const others = [
      { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
      { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
      {},
    ] as const;
    for (const request of others) {
      const { Arn } = await newKey(kms, request);
      await kms.disableKey({ KeyId: Arn });
      const usage = 'KeyUsage' in request ? request.KeyUsage : 'ENCRYPT_DECRYPT';
      // [FL keyUsageIsCheckedBeforeTheKeyState]
      expect(await failing({ ...wrongDigest, KeyId: Arn })).toBe(
        `InvalidKeyUsageException: ${Arn} key usage is ${usage} which is not valid for ${operation}.`,
      );
    }
    const { Arn } = await newKey(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage });
    await kms.disableKey({ KeyId: Arn });
    // [FL cryptoOperationsRejectADisabledKey]
    expect(await failing({ ...wrongDigest, KeyId: Arn })).toBe(
      `DisabledException: ${Arn} is disabled.`,
    );
    await kms.scheduleKeyDeletion({ KeyId: Arn });
    // [FL cryptoOperationsRejectAKeyPendingDeletion]
    expect(await failing({ ...wrongDigest, KeyId: Arn })).toBe(
      `KMSInvalidStateException: ${Arn} is pending deletion.`,
    );
    expect(await failing({ ...wrongDigest, KeyId: arnOf('ECC_NIST_P256') })).toBe(
      `InvalidKeyUsageException: Algorithm ${SigningAlgorithm} is incompatible with key spec ` +
        'ECC_NIST_P256.',
    );
    expect(await failing({ ...wrongDigest, KeyId: arnOf('RSA_2048') })).toMatch(
      /^ValidationException: Digest /,
    );
  });

  // [FL operationsRejectAKeyPendingImport]
  test('says so if the key waits for its material', async () => {
    const { Arn } = await newKey(kms, { KeySpec: 'RSA_2048', KeyUsage, Origin: 'EXTERNAL' });
    expect(await failing({ KeyId: Arn })).toBe(
      `KMSInvalidStateException: ${Arn} is pending import.`,
    );
  });

  // [FL signRejectsAnUnknownSigningAlgorithmBeforeLookingUpTheKey]
  test('knows its algorithms before it looks for the key', async () => {
    const request = { KeyId: absentKeyId, SigningAlgorithm: 'RSA' };
    expect(await failing(request)).toMatch(/^ValidationException: 1 validation error detected: /);
    expect(await failing({ KeyId: absentKeyId })).toMatch(/^NotFoundException: /);
  });

  test('takes an alias, and a dry run says that it would have succeeded', async () => {
    const AliasName = `alias/${operation}`;
    const KeyId = arnOf('RSA_2048');
    await kms.createAlias({ AliasName, TargetKeyId: KeyId });
    const { Signature } = await kms.sign({ KeyId, Message: message, SigningAlgorithm });
    expect(await failing({ KeyId: AliasName, Signature, DryRun: true })).toBe(dryRun);
  });
});
