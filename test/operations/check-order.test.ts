// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { beforeAll, describe, expect, test } from 'vitest';
import type { OfferedOperation } from '../../lib/operations/index.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { cryptographicCalls, type KeyKind, keyKinds, madeBy } from './calls.ts';
import { nothingAllowed } from './every-request.ts';
import {
  absentKeyId,
  accountId,
  dryRun,
  failureText,
  incorrectKey,
  keyArn,
  type MadeKey,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
} from './support.ts';

// The order of AWS's checks: a request with two faults is told the one that is looked for first.

const foreignRoot = 'arn:aws:iam::111122223333:root';
const alice = `arn:aws:iam::${accountId}:user/alice`;

type State = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport';

/** The state of the key, and the caller, of a request. */
interface Scene {
  readonly key: 'own' | 'foreign' | 'absent';
  readonly kind: KeyKind;
  readonly state: State;
  readonly caller: 'root' | 'alice';
}

interface Fault {
  /** Of the table of checks: 2 model, 3 key and permission, 4 rules between members, 6 usage,
   * 7 state, 8 spec and algorithm, 9 dry run. */
  readonly step: number;
  readonly name: string;
  readonly scene?: Partial<Scene>;
  readonly request?: object;
  readonly text: string | RegExp | ((facts: { arn: string } & Row) => string);
}

interface Row {
  readonly operation: OfferedOperation;
  readonly as?: string;
  readonly action?: string;
  readonly kind: KeyKind;
  /** The member that names the key. */
  readonly member?: string;
  readonly request: object;
  /** The member for a product of the key: a ciphertext, signature or MAC. */
  readonly made?: string;
  /** The faults that other operations do not have in this way. */
  readonly faults?: readonly Fault[];
  /** The steps that the operation does not take, and what is no fault to it. */
  readonly without?: readonly (number | string)[];
}

let kms: Pairmint;
let sound: MadeKey;
let soundBlob: Uint8Array;
const madeKeys = new Map<string, Promise<MadeKey>>();

beforeAll(async () => {
  kms = await openKms();
  sound = await newKey(kms);
  soundBlob = await newBlob(kms, sound.KeyId);
});

const rsaesOaep = 'RSAES_OAEP_SHA_256';
const rsaBlob = Buffer.alloc(256);
const specs = {
  symmetric: 'SYMMETRIC_DEFAULT',
  mac: 'HMAC_256',
  signing: 'ECC_NIST_P256',
} as const;

function incompatible(algorithm: string, spec: string): string {
  return `InvalidKeyUsageException: Algorithm ${algorithm} is incompatible with key spec ${spec}.`;
}

function otherAlgorithm(member: string, algorithm: string, spec: string): Fault {
  return {
    step: 8,
    name: 'an algorithm that the key does not have',
    request: { [member]: algorithm },
    text: incompatible(algorithm, spec),
  };
}

// [FL generateDataKeyRejectsAnAsymmetricKey]; of the pairs (unverified).
const sealsWithNone: Fault = {
  step: 8,
  name: 'an asymmetric key',
  scene: { kind: 'encryption' },
  text: 'InvalidKeyUsageException: You cannot generate a data key with an asymmetric CMK',
};

// [FL generateDataKeyNeedsEitherKeySpecOrNumberOfBytes]
const noLength: Fault = {
  step: 4,
  name: 'neither KeySpec nor NumberOfBytes',
  request: { KeySpec: undefined, NumberOfBytes: undefined },
  text: 'ValidationException: Please specify either number of bytes or key spec.',
};

const requestOf = (operation: keyof typeof cryptographicCalls) =>
  cryptographicCalls[operation]({ KeyId: '', made: Buffer.alloc(64) });

const rows: readonly Row[] = [
  {
    operation: 'Decrypt',
    as: 'with an RSA key',
    kind: 'encryption',
    request: { CiphertextBlob: rsaBlob, EncryptionAlgorithm: rsaesOaep },
    faults: [
      otherAlgorithm('EncryptionAlgorithm', 'SM2PKE', 'RSA_2048'),
      {
        step: 8, // (unverified)
        name: 'an encryption context',
        request: { EncryptionContext: { a: 'b' } },
        text: /^ValidationException: EncryptionContext is not supported when decrypting with/,
      },
    ],
  },
  {
    operation: 'DeriveSharedSecret',
    kind: 'agreement',
    request: requestOf('DeriveSharedSecret'),
  },
  {
    operation: 'Encrypt',
    kind: 'symmetric',
    request: requestOf('Encrypt'),
    faults: [otherAlgorithm('EncryptionAlgorithm', rsaesOaep, specs.symmetric)],
  },
  {
    operation: 'Encrypt',
    as: 'with an RSA key',
    kind: 'encryption',
    request: { Plaintext: Buffer.alloc(190), EncryptionAlgorithm: rsaesOaep },
    faults: [
      {
        step: 8, // [FL rsaEncryptWithDefaultAlgorithmReturnsInvalidKeyUsage]
        name: 'no algorithm',
        request: { EncryptionAlgorithm: undefined },
        text: incompatible(specs.symmetric, 'RSA_2048'),
      },
      {
        step: 8, // [LS test_encrypt_validate_plaintext_size_per_key_type 2023]
        name: 'a plaintext that is too long for the algorithm',
        request: { Plaintext: Buffer.alloc(191) },
        text:
          'ValidationException: Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt ' +
          'data larger than 190 bytes.',
      },
      {
        step: 8, // (unverified)
        name: 'an encryption context',
        request: { EncryptionContext: { a: 'b' } },
        text: /^ValidationException: EncryptionContext is not supported when encrypting with/,
      },
    ],
  },
  {
    operation: 'GenerateDataKey', // [FL generateDataKeyChecksTheKeyStateBeforeTheKeySpec]
    kind: 'symmetric',
    request: requestOf('GenerateDataKey'),
    faults: [noLength, sealsWithNone],
  },
  {
    operation: 'GenerateDataKeyPair',
    kind: 'symmetric',
    request: requestOf('GenerateDataKeyPair'),
    faults: [sealsWithNone],
  },
  {
    operation: 'GenerateDataKeyPairWithoutPlaintext',
    kind: 'symmetric',
    request: requestOf('GenerateDataKeyPairWithoutPlaintext'),
    faults: [sealsWithNone],
  },
  {
    operation: 'GenerateDataKeyWithoutPlaintext',
    kind: 'symmetric',
    request: requestOf('GenerateDataKeyWithoutPlaintext'),
    faults: [noLength, sealsWithNone],
  },
  {
    operation: 'GenerateMac',
    kind: 'mac',
    request: requestOf('GenerateMac'),
    faults: [otherAlgorithm('MacAlgorithm', 'HMAC_SHA_512', specs.mac)],
  },
  {
    operation: 'GetPublicKey',
    kind: 'signing',
    request: {},
    faults: [
      {
        step: 8, // [FL getPublicKeyRejectsAKeyPendingDeletionOrImport]
        name: 'a key without a public half',
        scene: { kind: 'symmetric' },
        text: 'UnsupportedOperationException: ',
      },
    ],
    without: [6, 'a disabled key', 9], // [FL getPublicKeyWorksOnADisabledKey]
  },
  {
    operation: 'ReEncrypt',
    as: 'from an RSA key',
    action: 'ReEncryptFrom',
    kind: 'encryption',
    member: 'SourceKeyId',
    request: { CiphertextBlob: rsaBlob, SourceEncryptionAlgorithm: rsaesOaep },
    faults: [otherAlgorithm('SourceEncryptionAlgorithm', 'SM2PKE', 'RSA_2048')],
  },
  {
    operation: 'ReEncrypt',
    as: 'to the key',
    action: 'ReEncryptTo',
    kind: 'symmetric',
    member: 'DestinationKeyId',
    request: {},
    faults: [otherAlgorithm('DestinationEncryptionAlgorithm', rsaesOaep, specs.symmetric)],
  },
  {
    operation: 'Sign',
    kind: 'signing',
    request: requestOf('Sign'),
    faults: [otherAlgorithm('SigningAlgorithm', 'RSASSA_PSS_SHA_256', specs.signing)],
  },
  {
    operation: 'Verify',
    kind: 'signing',
    request: requestOf('Verify'),
    made: 'Signature',
    faults: [
      otherAlgorithm('SigningAlgorithm', 'RSASSA_PSS_SHA_256', specs.signing),
      {
        step: 8,
        name: 'a signature that is wrong',
        request: { Signature: Buffer.alloc(64) },
        text: 'KMSInvalidSignatureException: ',
      },
    ],
  },
  {
    operation: 'VerifyMac',
    kind: 'mac',
    request: requestOf('VerifyMac'),
    made: 'Mac',
    faults: [
      otherAlgorithm('MacAlgorithm', 'HMAC_SHA_512', specs.mac),
      {
        step: 8,
        name: 'a MAC that is wrong',
        request: { Mac: Buffer.alloc(32) },
        text: 'KMSInvalidMacException: ',
      },
    ],
  },
];

/** Those of every operation, in the order in which AWS looks for them. */
const commonFaults: readonly Fault[] = [
  {
    step: 2, // [FL signRejectsAnUnknownSigningAlgorithmBeforeLookingUpTheKey]
    name: 'a member that breaks the model',
    request: { GrantTokens: Array.from({ length: 11 }, () => 't') },
    text: /^ValidationException: \d validation errors? detected: .*at 'grantTokens' failed/,
  },
  {
    step: 3, // [LS test_get_key_does_not_exist 2025-09]
    name: 'a key that does not exist',
    scene: { key: 'absent' },
    text: `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
  },
  {
    step: 3, // [ISS]
    name: 'a key of another account',
    scene: { key: 'foreign' },
    text: /^AccessDeniedException: User: \S+ is not authorized to perform: \S+ on this resource /,
  },
  {
    step: 3, // [ISS]
    name: 'a caller without permission',
    scene: { caller: 'alice' },
    text: ({ arn, operation, action = operation }) =>
      `AccessDeniedException: User: ${alice} is not authorized to perform: kms:${action} on ` +
      `resource: ${arn} because no identity-based policy allows the kms:${action} action`,
  },
  {
    step: 6, // [FL keyUsageIsCheckedBeforeTheKeyState], [LS test_error_messaging_for_invalid_keys]
    name: 'a key of another usage',
    text: ({ arn, operation, kind }) =>
      `InvalidKeyUsageException: ${arn} key usage is ${usageOf(otherKind(kind))} which is not ` +
      `valid for ${operation}.`,
  },
  {
    step: 7, // [FL cryptoOperationsRejectADisabledKey]
    name: 'a disabled key',
    scene: { state: 'Disabled' },
    text: ({ arn }) => `DisabledException: ${arn} is disabled.`,
  },
  {
    step: 7, // [FL cryptoOperationsRejectAKeyPendingDeletion]
    name: 'a key pending deletion',
    scene: { state: 'PendingDeletion' },
    text: ({ arn }) => `KMSInvalidStateException: ${arn} is pending deletion.`,
  },
  {
    step: 7, // [FL operationsRejectAKeyPendingImport]
    name: 'a key pending import',
    scene: { state: 'PendingImport' },
    text: ({ arn }) => `KMSInvalidStateException: ${arn} is pending import.`,
  },
  {
    step: 9, // [LS GK::test_generate_data_key_pair_dry_run 2025-04]
    name: 'a dry run',
    request: { DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] },
    text: dryRun,
  },
];

function otherKind(kind: KeyKind): KeyKind {
  return kind === 'signing' ? 'agreement' : 'signing';
}

function usageOf(kind: KeyKind): string {
  const { KeyUsage = 'ENCRYPT_DECRYPT' } = keyKinds[kind] as { KeyUsage?: string };
  return KeyUsage;
}

function faultsOf({ kind, faults = [], without = [] }: Row): Fault[] {
  return [...commonFaults, ...faults]
    .filter(({ step, name }) => !without.includes(step) && !without.includes(name))
    .map((fault) => (fault.step === 6 ? { ...fault, scene: { kind: otherKind(kind) } } : fault))
    .sort((a, b) => a.step - b.step);
}

/** A key of the scene; scenes that want the same share it, as no request here changes it. */
function keyOf({ key, kind, state }: Scene): Promise<MadeKey> {
  const name = `${key} ${kind} ${state}`;
  const earlier = madeKeys.get(name);
  if (earlier !== undefined) return earlier;
  const making = makeKey(key === 'foreign' ? kms.as(foreignRoot) : kms, kind, state);
  madeKeys.set(name, making);
  return making;
}

async function makeKey(owner: Pairmint, kind: KeyKind, state: State): Promise<MadeKey> {
  const external = state === 'PendingImport' && { Origin: 'EXTERNAL' as const };
  const key = await newKey(owner, { ...keyKinds[kind], ...external });
  if (state === 'Disabled') await owner.disableKey({ KeyId: key.KeyId });
  if (state === 'PendingDeletion') await owner.scheduleKeyDeletion({ KeyId: key.KeyId });
  return key;
}

/** Alice may use one key, and it is not that of the scene. */
function callerOf({ caller }: Scene): Pairmint {
  if (caller === 'root') return kms;
  const identityPolicy = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: 'kms:*', Resource: sound.Arn },
  });
  return kms.as(alice, { identityPolicy });
}

/** Sends a request with the faults, of which the first ones win if they contradict each other. */
async function send(row: Row, faults: readonly Fault[]): Promise<{ text: string; arn: string }> {
  const lastFirst = faults.toReversed();
  const scene: Scene = Object.assign(
    { key: 'own', kind: row.kind, state: 'Enabled', caller: 'root' },
    ...lastFirst.map((fault) => fault.scene),
  );
  const arn = scene.key === 'absent' ? keyArn(absentKeyId) : (await keyOf(scene)).Arn;
  const usable = scene.key === 'own' && scene.kind === row.kind && scene.state === 'Enabled';
  const request = Object.assign(
    row.operation === 'ReEncrypt'
      ? { CiphertextBlob: soundBlob, SourceKeyId: sound.Arn, DestinationKeyId: sound.Arn }
      : {},
    row.request,
    { [row.member ?? 'KeyId']: arn },
    row.made && usable ? { [row.made]: await madeBy(kms, row.kind, arn) } : {},
    ...lastFirst.map((fault) => fault.request),
  );
  return { text: await failureText(callerOf(scene).call(row.operation, request)), arn };
}

const titled = rows.map((row) => [[row.operation, row.as].join(' ').trim(), row] as const);

describe.each(titled)('%s', (_, row) => {
  const faults = faultsOf(row);
  const pairs = faults.flatMap((earlier) =>
    faults
      .filter(({ step }) => step > earlier.step)
      .map((later) => [earlier.name, later.name, earlier, later] as const),
  );

  async function expectTold(shown: Fault, ...others: readonly Fault[]): Promise<void> {
    const { text, arn } = await send(row, [shown, ...others]);
    const expected = typeof shown.text === 'function' ? shown.text({ ...row, arn }) : shown.text;
    if (typeof expected === 'string') expect(text).toBe(expected);
    else expect(text).toMatch(expected);
  }

  test.each(faults.map((fault) => [fault.name, fault] as const))('is told of %s', (_, fault) =>
    expectTold(fault),
  );

  test.each(pairs)('is told of %s, not of %s', (_shown, _hidden, earlier, later) =>
    expectTold(earlier, later),
  );
});

test('the table has every operation that uses a key', () => {
  const covered = new Set<string>(rows.map(({ operation }) => operation));
  expect([...covered].sort()).toEqual([...Object.keys(cryptographicCalls), 'GetPublicKey'].sort());
});

// [FL decryptRejectsAKeyIdThatDidNotEncryptTheCiphertext], [LS test_error_messaging_for_invalid_keys]
test.each<[string, KeyKind, State]>([
  ['usage', 'signing', 'Enabled'],
  ['usage', 'mac', 'Enabled'],
  ['spec', 'encryption', 'Enabled'],
  ['state', 'symmetric', 'Disabled'],
  ['state', 'symmetric', 'PendingDeletion'],
  ['state', 'symmetric', 'PendingImport'],
])(
  'Decrypt of another key’s ciphertext wins over the %s of the key named: %s, %s',
  async (_, kind, state) => {
    const { KeyId } = await keyOf({ key: 'own', kind, state, caller: 'root' });
    expect(await failureText(kms.decrypt({ CiphertextBlob: soundBlob, KeyId }))).toBe(incorrectKey);
  },
);

test('every broken member of a request is reported, before any key is looked up', async () => {
  const kms = await openKms();
  const text = await failureText(
    kms.call('GenerateDataKey', {
      KeyId: '',
      KeySpec: 'RSA_2048',
      NumberOfBytes: 0,
      GrantTokens: Array.from({ length: 11 }, (_, i) => `t${i}`),
    }),
  );
  expect(text).toMatch(/^ValidationException: 5 validation errors detected: /);
  for (const member of ['keyId', 'keySpec', 'numberOfBytes', 'grantTokens']) {
    expect(text).toContain(`at '${member}' failed to satisfy constraint: Member must`);
  }
});

// [LS test_key_rotations_encryption_decryption], (inferred).
describe('the state of a key is looked at before its ciphertext', () => {
  test.each(['Disabled', 'PendingDeletion'])('%s', async (state) => {
    const kms = await openKms();
    const { KeyId, Arn: arn } = await newKey(kms);
    const sealed = Buffer.from(await newBlob(kms, KeyId));
    sealed.fill(0, sealed.length - 16);
    if (state === 'Disabled') await kms.disableKey({ KeyId });
    else await kms.scheduleKeyDeletion({ KeyId });
    const text =
      state === 'Disabled'
        ? `DisabledException: ${arn} is disabled.`
        : `KMSInvalidStateException: ${arn} is pending deletion.`;
    expect(await failureText(kms.decrypt({ CiphertextBlob: sealed }))).toBe(text);
    expect(await failureText(kms.decrypt({ CiphertextBlob: sealed, KeyId, DryRun: true }))).toBe(
      text,
    );
  });
});

describe('grant tokens', () => {
  test('are looked at even for a caller without permission, if the key exists', async () => {
    const kms = await openKms();
    const { KeyId } = await newKey(kms);
    const denied = kms.as(alice, { identityPolicy: nothingAllowed });
    const ask = (as: Pairmint, ...GrantTokens: string[]) =>
      outcomeOf(as.encrypt({ KeyId, Plaintext: new Uint8Array(1), GrantTokens }));
    expect(await ask(kms)).toBe('ok');
    expect(await ask(kms, 't')).toBe('ok');
    expect(await ask(denied)).toMatch(/^AccessDeniedException: /);
    expect(await ask(denied, 't')).toMatch(/^InvalidGrantTokenException: ./);
    const absent = { KeyId: absentKeyId, GrantTokens: ['t'] };
    expect(await failureText(denied.describeKey(absent))).toMatch(/^NotFoundException: /);
    await kms.disableKey({ KeyId });
    expect(await ask(denied, 't')).toMatch(/^InvalidGrantTokenException: ./);
    expect(await ask(kms, 't')).toMatch(/^DisabledException: /);
  });

  test('ten are allowed by the model, eleven are shown', async () => {
    const kms = await openKms();
    const { KeyId } = await newKey(kms);
    const tokens = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);
    const failing = (GrantTokens: string[]) =>
      failureText(kms.generateDataKey({ KeyId, KeySpec: 'AES_256', GrantTokens }));
    await kms.generateDataKey({ KeyId, KeySpec: 'AES_256', GrantTokens: tokens(10) });
    expect(await failing(tokens(11))).toBe(
      "ValidationException: 1 validation error detected: Value '[" +
        `${tokens(11).join(', ')}]' at 'grantTokens' failed to satisfy constraint: ` +
        'Member must have length less than or equal to 10',
    );
  });
});

describe('aliases', () => {
  test('CreateAlias looks at name, target, name again and state, in this order', async () => {
    const kms = await openKms();
    const { KeyId } = await newKey(kms);
    const doomed = await newKey(kms);
    await kms.createAlias({ AliasName: 'alias/taken', TargetKeyId: KeyId });
    await kms.scheduleKeyDeletion({ KeyId: doomed.KeyId });
    const failing = (AliasName: string, TargetKeyId: string | undefined) =>
      failureText(kms.call('CreateAlias', { AliasName, TargetKeyId }));
    expect(await failing('no prefix', absentKeyId)).toMatch(/^ValidationException: 1 validation/);
    expect(await failing('prefix', absentKeyId)).toMatch(/^ValidationException: Alias must start/);
    expect(await failing('alias/aws/x', absentKeyId)).toBe('NotAuthorizedException: ');
    expect(await failing('alias/taken', absentKeyId)).toMatch(/^NotFoundException: Key /);
    expect(await failing('alias/taken', doomed.KeyId)).toMatch(/^AlreadyExistsException: /);
    expect(await failing('alias/free', doomed.KeyId)).toMatch(/^KMSInvalidStateException: /);
  });
});
