import crypto from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { notFound } from '../../lib/model/key-id.ts';
import { type CheckedRequest, parseRequest } from '../../lib/model/request.ts';
import { loadNative } from '../../lib/native.ts';
import { operations } from '../../lib/operations/index.ts';
import type { Operation, Services } from '../../lib/operations/operation.ts';
import type { Key, KeyDirectory } from '../../lib/store/key-directory.ts';
import { type KeyRecord, keyIdBytes } from '../../lib/store/key-record.ts';
import { type Cryptographic, cryptographicCalls, names } from './calls.ts';
import {
  absentKeyId,
  accountId,
  dryRun,
  failureText,
  incorrectKey,
  keyArn,
  newBlob,
  newKey,
  openKms,
  region,
} from './support.ts';

// Keys that CreateKey does not make yet, so that usage, state and spec can all be wrong at once.

const keyId = '01234567-89ab-4cde-8f01-23456789abcd';
const Arn = keyArn(keyId);

const soundRecord: KeyRecord = {
  keyId,
  region,
  accountId,
  keySpec: 'SYMMETRIC_DEFAULT',
  keyUsage: 'ENCRYPT_DECRYPT',
  origin: 'AWS_KMS',
  multiRegion: false,
  creationDate: 0,
  description: '',
  enabled: true,
  currentMaterialId: '0'.repeat(64),
  aliases: [],
  tags: [],
};

const native = loadNative();
const { header, wrapped } = native.createKeyMaterial(
  native.openRootKey(crypto.randomBytes(32)),
  keyIdBytes(keyId),
  Buffer.alloc(20),
);

function servicesWith(record: KeyRecord | undefined): Services {
  const key: Key | undefined = record && { arn: Arn, record };
  const keys: Partial<Record<keyof KeyDirectory, unknown>> = {
    find: async (reference: Parameters<typeof notFound>[0]) => {
      if (key === undefined) throw notFound(reference);
      return key;
    },
    findById: async () => key,
    material: async () => undefined,
  };
  return { native, region, accountId, now: Date.now, keys: keys as unknown as KeyDirectory };
}

/** Whatever names the key; nobody gets as far as opening it. */
const blob = Buffer.concat([
  Buffer.from('DKP\x01\x01\x01\0\0', 'latin1'),
  keyIdBytes(keyId),
  Buffer.from(header.subarray(20, 52)),
  Buffer.alloc(92, wrapped),
]);

async function run(operation: Cryptographic, request: object, record: KeyRecord | undefined) {
  const { run: act } = operations[operation] as Operation<Cryptographic>;
  const checked = () => parseRequest(operation, request) as CheckedRequest<Cryptographic>;
  return Promise.resolve().then(() => act(servicesWith(record), checked()));
}

interface Fault {
  readonly text: string | RegExp | ((operation: Cryptographic) => string);
  readonly request?: object;
  readonly record?: Partial<KeyRecord>;
  readonly absent?: true;
  readonly of?: readonly Cryptographic[];
}

const asymmetric = 'RSAES_OAEP_SHA_256';
const dataKeys = ['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'] as const;

/** In the order in which AWS looks for them. */
const faults: Readonly<Record<string, Fault>> = {
  'a member that breaks the model': {
    text: /^ValidationException: \d validation errors? detected: .*at 'grantTokens' failed/,
    request: { GrantTokens: Array.from({ length: 11 }, () => 't') },
  },
  'a key that does not exist': {
    text: `NotFoundException: Key '${keyArn(keyId)}' does not exist`,
    absent: true,
  },
  'neither KeySpec nor NumberOfBytes': {
    text: 'ValidationException: Please specify either number of bytes or key spec.',
    request: { KeySpec: undefined, NumberOfBytes: undefined },
    of: dataKeys,
  },
  'a grant token of no grant': {
    text: /^InvalidGrantTokenException: ./,
    request: { GrantTokens: ['t'] },
  },
  'a key of another usage': {
    text: (operation) =>
      `InvalidKeyUsageException: ${Arn} key usage is SIGN_VERIFY which is not valid for ${operation}.`,
    record: { keyUsage: 'SIGN_VERIFY' },
  },
  'a key pending deletion': {
    text: `KMSInvalidStateException: ${Arn} is pending deletion.`,
    record: { deletionDate: Number.MAX_SAFE_INTEGER },
  },
  'a disabled key': {
    text: `DisabledException: ${Arn} is disabled.`,
    record: { enabled: false },
  },
  'an algorithm the key does not have': {
    text: `InvalidKeyUsageException: Algorithm ${asymmetric} is incompatible with key spec SYMMETRIC_DEFAULT.`,
    request: {
      EncryptionAlgorithm: asymmetric,
      SourceEncryptionAlgorithm: asymmetric,
    },
    of: ['Encrypt', 'Decrypt', 'ReEncrypt'],
  },
};

const faultNames = Object.keys(faults);

function matches(text: string, fault: Fault, operation: Cryptographic): void {
  if (fault.text instanceof RegExp) expect(text).toMatch(fault.text);
  else expect(text).toBe(typeof fault.text === 'string' ? fault.text : fault.text(operation));
}

describe.each(names(cryptographicCalls))('%s with two faults', (operation) => {
  const applicable = faultNames.filter((name) => faults[name]?.of?.includes(operation) ?? true);
  const pairs = applicable.flatMap((earlier, index) =>
    applicable.slice(index).map((later) => [earlier, later] as const),
  );

  test.each(pairs)('reports %s, not %s', async (earlier, later) => {
    const chosen = [faults[later], faults[earlier]] as Fault[];
    const base = cryptographicCalls[operation]({ KeyId: keyId, blob });
    const request = Object.assign({}, base, { DryRun: true }, ...chosen.map((f) => f.request));
    const record = Object.assign({}, soundRecord, ...chosen.map((f) => f.record));
    const absent = chosen.some((fault) => fault.absent);
    const text = await failureText(run(operation, request, absent ? undefined : record));
    matches(text, chosen[1] as Fault, operation);
  });
});

const asymmetricKey = { ...soundRecord, keySpec: 'RSA_2048' } as const;

test.each([
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
] as const)('%s seals with no asymmetric key', async (operation) => {
  const request = { ...cryptographicCalls[operation]({ KeyId: keyId, blob }), DryRun: true };
  expect(await failureText(run(operation, request, asymmetricKey))).toBe(
    'InvalidKeyUsageException: You cannot generate a data key with an asymmetric CMK',
  );
  const disabled = { ...asymmetricKey, enabled: false };
  expect(await failureText(run(operation, request, disabled))).toBe(
    `DisabledException: ${Arn} is disabled.`,
  );
});

test('Encrypt names the algorithm that was left out and the spec of an asymmetric key', async () => {
  const request = { KeyId: keyId, Plaintext: new Uint8Array(1) };
  expect(await failureText(run('Encrypt', request, asymmetricKey))).toBe(
    'InvalidKeyUsageException: ' +
      'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
  );
});

test('Decrypt of another key’s ciphertext wins over usage, spec and state of the key named', async () => {
  const foreign = Buffer.from(blob);
  foreign[8] = 0xff;
  const request = { CiphertextBlob: foreign, KeyId: keyId };
  const wrong: Partial<KeyRecord>[] = [
    { keySpec: 'RSA_2048' },
    { keyUsage: 'SIGN_VERIFY', keySpec: 'ECC_NIST_P256' },
    { keyUsage: 'GENERATE_VERIFY_MAC', keySpec: 'HMAC_256' },
    { enabled: false },
    { deletionDate: Number.MAX_SAFE_INTEGER },
  ];
  for (const part of wrong) {
    const record = { ...soundRecord, ...part };
    expect(await failureText(run('Decrypt', request, record))).toBe(incorrectKey);
  }
});

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
  test('none, or an empty list, are fine; one that is no grant’s is not', async () => {
    const kms = await openKms();
    const { KeyId } = await newKey(kms);
    await kms.describeKey({ KeyId, GrantTokens: [] });
    await kms.encrypt({ KeyId, Plaintext: new Uint8Array(1), GrantTokens: [] });
    expect(await failureText(kms.describeKey({ KeyId, GrantTokens: ['t'] }))).toMatch(
      /^InvalidGrantTokenException: ./,
    );
    expect(await failureText(kms.describeKey({ KeyId: absentKeyId, GrantTokens: ['t'] }))).toMatch(
      /^NotFoundException: /,
    );
  });

  test('ten are allowed by the model, eleven are shown', async () => {
    const kms = await openKms();
    const { KeyId } = await newKey(kms);
    const tokens = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);
    const failing = (GrantTokens: string[]) =>
      failureText(kms.generateDataKey({ KeyId, KeySpec: 'AES_256', GrantTokens }));
    expect(await failing(tokens(10))).toMatch(/^InvalidGrantTokenException: /);
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

test('a dry run is reported last', async () => {
  const kms = await openKms();
  const { KeyId } = await newKey(kms);
  const request = { KeyId, KeySpec: 'AES_256', DryRun: true } as const;
  expect(await failureText(kms.generateDataKey(request))).toBe(dryRun);
});
