// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { shapes } from '../../lib/model/shapes.ts';
import { type OfferedOperation, operations } from '../../lib/operations/index.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  cryptographicCalls,
  type KeyKind,
  keyKinds,
  keyOnlyCalls,
  kindFor,
  madeBy,
  type Subject,
} from './calls.ts';
import { importMaterial, parametersFor, wrap } from './importing.ts';
import { caller, type MadeKey, newBlob, newKey, openKms, outcomeOf } from './support.ts';

// Every operation in every state: the table of the developer guide's page on key states ([DG]), with
// the measured corrections ([LS], [FL]), which win.

const states = [
  'Enabled',
  'Disabled',
  'PendingDeletion',
  'PendingReplicaDeletion',
  'PendingImport',
] as const;

type State = (typeof states)[number];

/** The states of the model that no key is ever in here. */
const unreachable: Readonly<Record<string, string>> = {
  Creating: 'a replica is ready when ReplicateKey returns, though its answer says Creating',
  Updating: 'both regions have changed when UpdatePrimaryRegion returns',
  Unavailable: 'there are no custom key stores that could be disconnected',
};

/** How a request ends, beside succeeding. */
const refusals = {
  // [FL cryptoOperationsRejectADisabledKey, keyManagementRejectsAKeyPendingDeletion,
  // operationsRejectAKeyPendingImport]: without the parenthesis that [DG] has. That of
  // PendingReplicaDeletion is (unverified).
  'by its state': (arn: string, state: State) => `${stateErrors[state]}: ${arn} ${inWords(state)}.`,
  // [DG] note 4, (unverified).
  'as not pending deletion': (arn: string) =>
    `KMSInvalidStateException: ${arn} is not pending deletion.`,
  // [LS test_get_parameters_for_import], [FL operationsRejectAKeyWithTheWrongOrigin].
  'as AWS_KMS': (arn: string) => wrongOrigin(arn, 'AWS_KMS'),
  'as EXTERNAL': (arn: string) => wrongOrigin(arn, 'EXTERNAL'),
  // [FL rotationRejectsAKeySpecThatDoesNotRotateWithoutAMessage]
  'by its spec': () => 'UnsupportedOperationException: ',
  // [LS raises_for_no_pending_key_material 2025-11]
  'for want of material': (arn: string) =>
    `KMSInvalidStateException: No available key material pending rotation for the key: ${arn}.`,
  'as not offered': () =>
    expect.stringMatching(/^UnsupportedOperationException: .* is not offered: ./),
} satisfies Readonly<Record<string, (arn: string, state: State) => string>>;

/** `n/a` where no such key can be in the state. */
type Verdict = 'ok' | 'n/a' | keyof typeof refusals;
type Verdicts = readonly [
  enabled: Verdict,
  disabled: Verdict,
  pendingDeletion: Verdict,
  pendingReplicaDeletion: Verdict,
  pendingImport: Verdict,
];

const stateErrors: Readonly<Record<State, string>> = {
  Enabled: '',
  Disabled: 'DisabledException',
  PendingDeletion: 'KMSInvalidStateException',
  PendingReplicaDeletion: 'KMSInvalidStateException',
  PendingImport: 'KMSInvalidStateException',
};

function inWords(state: State): string {
  return `is${state.replaceAll(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`)}`;
}

function wrongOrigin(arn: string, origin: string): string {
  return `UnsupportedOperationException: ${arn} origin is ${origin} which is not valid for this operation.`;
}

interface Situation extends Subject {
  /** What was imported into the key. */
  readonly secret: Uint8Array;
  /** Another key, which is enabled, and a ciphertext of it. */
  readonly enabled: MadeKey;
  readonly enabledBlob: Uint8Array;
}

interface Row {
  readonly operation: OfferedOperation;
  readonly as?: string;
  readonly verdicts: Verdicts;
  /** The kind of the key, if it is not the operation's own kind. */
  readonly kind?: KeyKind;
  /** The key's material is imported in every state. */
  readonly imported?: true;
  /** The request is about something that the key did; before it pends import it has material. */
  readonly used?: true;
  /** The key is a multi-Region primary, with a replica where its state lets it have one. */
  readonly multiRegion?: true;
  /** What a success makes of the state. */
  readonly after?: Readonly<Partial<Record<State, State>>>;
  /** Made while the key is still enabled. */
  request?(situation: Situation): object | Promise<object>;
}

function inEveryState(verdict: Verdict): Verdicts {
  return [verdict, verdict, verdict, verdict, verdict];
}

const byState = 'by its state';
const always = inEveryState('ok');
const enabledOnly: Verdicts = ['ok', byState, byState, byState, byState];
const notPendingDeletion: Verdicts = ['ok', 'ok', byState, byState, 'ok'];
const onlyWithItsMaterial: Verdicts = ['ok', 'ok', byState, byState, byState];
const external = inEveryState('as EXTERNAL');

// A key that pends import is one of origin EXTERNAL.
const ofAwsKms: Verdicts = ['as AWS_KMS', 'as AWS_KMS', 'as AWS_KMS', 'as AWS_KMS', 'n/a'];

let count = 0;
const newAlias = () => `alias/${count++}`;

async function aliasOf(TargetKeyId: string): Promise<string> {
  const AliasName = newAlias();
  await kms.createAlias({ AliasName, TargetKeyId });
  return AliasName;
}

async function grantOn({ KeyId }: Subject) {
  const Operations = ['Decrypt' as const];
  return kms.createGrant({ KeyId, GranteePrincipal: caller, Operations });
}

const table: readonly Row[] = [
  {
    operation: 'CancelKeyDeletion', // [LS-v test_schedule_and_cancel_key_deletion]
    verdicts: [
      'as not pending deletion',
      'as not pending deletion',
      'ok',
      'ok',
      'as not pending deletion',
    ],
    after: { PendingDeletion: 'Disabled', PendingReplicaDeletion: 'Disabled' },
  },
  {
    operation: 'CreateAlias', // [FL keyManagementRejectsAKeyPendingDeletion]
    verdicts: notPendingDeletion,
    request: ({ KeyId }) => ({ AliasName: newAlias(), TargetKeyId: KeyId }),
  },
  { operation: 'CreateGrant', verdicts: enabledOnly }, // [FL keyManagementRejectsAKeyPendingDeletion]
  { operation: 'CreateKey', verdicts: always, request: () => ({}) },
  {
    operation: 'Decrypt',
    as: 'with the key named', // [FL ciphertextOfDeletedKeyMaterialReportsPendingImport]
    verdicts: enabledOnly,
    used: true,
  },
  {
    operation: 'Decrypt',
    as: 'without the key named', // [FL ciphertextOfDeletedKeyMaterialReportsPendingImport]
    verdicts: enabledOnly,
    used: true,
    request: ({ made }) => ({ CiphertextBlob: made }),
  },
  {
    operation: 'Decrypt',
    as: 'with an RSA key', // [FL cryptoOperationsRejectADisabledKey]
    verdicts: enabledOnly,
    kind: 'encryption',
    request: ({ KeyId, made }) => ({
      KeyId,
      CiphertextBlob: made,
      EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    }),
  },
  {
    operation: 'DeleteAlias', // [DG]
    verdicts: always,
    request: async ({ KeyId }) => ({ AliasName: await aliasOf(KeyId) }),
  },
  {
    operation: 'DeleteImportedKeyMaterial',
    as: 'of an imported key', // [FL deleteImportedKeyMaterialReturnsTheKeyToPendingImport], [DG]
    verdicts: always,
    imported: true,
    after: { Enabled: 'PendingImport', Disabled: 'PendingImport' },
  },
  { operation: 'DeleteImportedKeyMaterial', as: 'of another key', verdicts: ofAwsKms }, // [FL]
  { operation: 'DeriveSharedSecret', verdicts: enabledOnly }, // (inferred)
  { operation: 'DescribeKey', verdicts: always }, // [DG]
  {
    operation: 'DisableKey', // [FL keyManagementRejectsAKeyPendingDeletion]
    verdicts: onlyWithItsMaterial,
    after: { Enabled: 'Disabled' },
  },
  {
    operation: 'DisableKeyRotation', // [FL rotationRejectsADisabledKey, rotationRejectsAKeyPendingDeletion]
    verdicts: ['ok', byState, byState, byState, 'as EXTERNAL'],
  },
  {
    operation: 'DisableKeyRotation',
    as: 'of a MAC key', // [FL disableKeyRotationAcceptsAKeySpecThatDoesNotRotate]
    verdicts: ['ok', byState, byState, byState, 'as EXTERNAL'],
    kind: 'mac',
  },
  // Origin before state: [FL operationsRejectAKeyWithTheWrongOrigin] while it pends import,
  // otherwise (inferred).
  { operation: 'DisableKeyRotation', as: 'of an imported key', verdicts: external, imported: true },
  {
    operation: 'EnableKey', // [FL keyManagementRejectsAKeyPendingDeletion]
    verdicts: onlyWithItsMaterial,
    after: { Disabled: 'Enabled' },
  },
  {
    operation: 'EnableKeyRotation', // [FL rotationRejectsADisabledKey, rotationRejectsAKeyPendingDeletion]
    verdicts: ['ok', byState, byState, byState, 'as EXTERNAL'],
  },
  {
    operation: 'EnableKeyRotation',
    as: 'of a MAC key', // [FL rotationRejectsAKeySpecThatDoesNotRotateWithoutAMessage]
    verdicts: ['by its spec', byState, byState, byState, 'as EXTERNAL'],
    kind: 'mac',
  },
  { operation: 'EnableKeyRotation', as: 'of an imported key', verdicts: external, imported: true },
  { operation: 'Encrypt', verdicts: enabledOnly }, // [FL cryptoOperationsRejectADisabledKey], [LS]
  {
    operation: 'Encrypt',
    as: 'with an RSA key', // [FL cryptoOperationsRejectAKeyPendingDeletion]
    verdicts: enabledOnly,
    kind: 'encryption',
    request: ({ KeyId, made }) => ({
      KeyId,
      Plaintext: made.subarray(0, 1),
      EncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
    }),
  },
  { operation: 'GenerateDataKey', verdicts: enabledOnly }, // [LS-v test_cant_use_disabled_or_deleted_keys]
  { operation: 'GenerateDataKeyPair', verdicts: enabledOnly }, // [DG]
  { operation: 'GenerateDataKeyPairWithoutPlaintext', verdicts: enabledOnly }, // [DG]
  { operation: 'GenerateDataKeyWithoutPlaintext', verdicts: enabledOnly }, // [FL]
  { operation: 'GenerateMac', verdicts: enabledOnly }, // [FL operationsRejectAKeyPendingImport]
  { operation: 'GenerateRandom', verdicts: always, request: () => ({ NumberOfBytes: 1 }) },
  // AWS answers in every state (inferred).
  {
    operation: 'GetKeyLastUsage',
    verdicts: inEveryState('as not offered'),
  },
  { operation: 'GetKeyPolicy', verdicts: always }, // [DG]
  // [DG] notes 6 and 7 refuse imported keys; the API reference of today ([BC]) counts them, with
  // asymmetric and MAC keys, among those that never rotate by themselves.
  { operation: 'GetKeyRotationStatus', verdicts: always },
  { operation: 'GetKeyRotationStatus', as: 'of a MAC key', verdicts: always, kind: 'mac' },
  { operation: 'GetKeyRotationStatus', as: 'of an imported key', verdicts: always, imported: true },
  {
    operation: 'GetParametersForImport',
    as: 'of an imported key', // [FL keyManagementRejectsAKeyPendingDeletion], [DG] note 8
    verdicts: notPendingDeletion,
    imported: true,
  },
  { operation: 'GetParametersForImport', as: 'of another key', verdicts: ofAwsKms }, // [LS], [FL]
  // [FL getPublicKeyWorksOnADisabledKey, getPublicKeyRejectsAKeyPendingDeletionOrImport]
  { operation: 'GetPublicKey', verdicts: onlyWithItsMaterial, kind: 'signing' },
  {
    operation: 'GetPublicKey',
    as: 'of a symmetric key', // [FL getPublicKeyRejectsAKeyPendingDeletionOrImport]
    verdicts: ['by its spec', 'by its spec', byState, byState, byState],
  },
  {
    operation: 'GetPublicKey',
    as: 'of a MAC key', // [FL getPublicKeyRejectsAKeyPendingDeletionOrImport]
    verdicts: ['by its spec', 'by its spec', byState, byState, byState],
    kind: 'mac',
  },
  {
    operation: 'ImportKeyMaterial',
    as: 'into an imported key', // [FL keyManagementRejectsAKeyPendingDeletion], [DG] note 8
    verdicts: notPendingDeletion,
    imported: true,
    after: { PendingImport: 'Enabled' },
    request: async ({ KeyId, secret }) => {
      const { ImportToken, PublicKey, WrappingAlgorithm } = await parametersFor(kms, KeyId);
      return {
        KeyId,
        ImportToken,
        EncryptedKeyMaterial: wrap[WrappingAlgorithm](PublicKey, secret),
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      };
    },
  },
  {
    operation: 'ImportKeyMaterial',
    as: 'into another key', // [FL operationsRejectAKeyWithTheWrongOrigin]
    verdicts: ofAwsKms,
  },
  { operation: 'ListAliases', verdicts: always }, // [DG]
  { operation: 'ListGrants', verdicts: always }, // [DG]
  { operation: 'ListKeyPolicies', verdicts: always }, // [DG]
  { operation: 'ListKeyRotations', verdicts: always }, // (inferred)
  { operation: 'ListKeys', verdicts: always, request: () => ({}) },
  { operation: 'ListResourceTags', verdicts: always }, // [DG]
  {
    operation: 'ListRetirableGrants',
    verdicts: always,
    request: () => ({ RetiringPrincipal: caller }),
  },
  { operation: 'PutKeyPolicy', verdicts: always }, // [DG]
  {
    operation: 'ReEncrypt',
    as: 'from the key', // [FL ciphertextOfDeletedKeyMaterialReportsPendingImport]
    verdicts: enabledOnly,
    used: true,
    request: ({ made, enabled }) => ({ CiphertextBlob: made, DestinationKeyId: enabled.KeyId }),
  },
  {
    operation: 'ReEncrypt',
    as: 'to the key', // [FL reEncryptRejectsADestinationKeyPendingImport]
    verdicts: enabledOnly,
    request: ({ enabledBlob, KeyId }) => ({ CiphertextBlob: enabledBlob, DestinationKeyId: KeyId }),
  },
  { operation: 'ReplicateKey', verdicts: enabledOnly, multiRegion: true }, // [DG]
  {
    operation: 'RetireGrant', // [DG]
    verdicts: always,
    used: true,
    request: async (situation) => ({ GrantToken: (await grantOn(situation)).GrantToken }),
  },
  {
    operation: 'RevokeGrant', // [DG]
    verdicts: always,
    used: true,
    request: async (situation) => ({
      KeyId: situation.KeyId,
      GrantId: (await grantOn(situation)).GrantId,
    }),
  },
  // [LS test_rotate_key_on_demand_raises_error_given_key_is_disabled 2025-03]
  { operation: 'RotateKeyOnDemand', verdicts: enabledOnly },
  {
    operation: 'RotateKeyOnDemand',
    as: 'of an RSA key', // [LS …given_non_symmetric_key, …on_external_key_with_no_key_material[RSA_4096]]
    verdicts: ['by its spec', byState, byState, byState, byState],
    kind: 'encryption',
  },
  {
    operation: 'RotateKeyOnDemand',
    as: 'of an imported key', // [LS …raises_for_no_pending_key_material 2025-11]
    verdicts: ['for want of material', byState, byState, byState, byState],
    imported: true,
  },
  {
    operation: 'ScheduleKeyDeletion', // [LS-v test_cant_delete_deleted_key]
    verdicts: notPendingDeletion,
    after: {
      Enabled: 'PendingDeletion',
      Disabled: 'PendingDeletion',
      PendingImport: 'PendingDeletion',
    },
  },
  { operation: 'Sign', verdicts: enabledOnly }, // [FL operationsRejectAKeyPendingImport]
  { operation: 'TagResource', verdicts: notPendingDeletion }, // [FL keyManagementRejectsAKey…]
  { operation: 'UntagResource', verdicts: notPendingDeletion }, // [FL keyManagementRejectsAKey…]
  {
    operation: 'UpdateAlias',
    as: 'away from the key', // [DG] note 10
    verdicts: always,
    request: async ({ KeyId, enabled }) => ({
      AliasName: await aliasOf(KeyId),
      TargetKeyId: enabled.KeyId,
    }),
  },
  {
    operation: 'UpdateAlias',
    as: 'to the key', // [FL keyManagementRejectsAKeyPendingDeletion]
    verdicts: notPendingDeletion,
    request: async ({ KeyId, enabled }) => ({
      AliasName: await aliasOf(enabled.KeyId),
      TargetKeyId: KeyId,
    }),
  },
  { operation: 'UpdateKeyDescription', verdicts: notPendingDeletion }, // [FL keyManagementRejects…]
  { operation: 'UpdatePrimaryRegion', verdicts: enabledOnly, multiRegion: true }, // [DG]
  { operation: 'Verify', verdicts: enabledOnly, used: true }, // [FL cryptoOperationsRejectADisabledKey]
  { operation: 'VerifyMac', verdicts: enabledOnly, used: true }, // [FL operationsRejectAKeyPendingImport]
];

/** The operations that are about no key, or about kinds that no key is of: refused whatever there is. */
const aboutNoKey = Object.keys(operations).filter((name) =>
  /CustomKeyStore|^(?:En|De)capsulate$/.test(name),
);

const requests: Readonly<Record<string, NonNullable<Row['request']>>> = {
  ...keyOnlyCalls,
  ...cryptographicCalls,
};
const theKey: NonNullable<Row['request']> = ({ KeyId }) => ({ KeyId });

const otherRegion = 'eu-west-1';

let kms: Pairmint;
let enabled: MadeKey;
let enabledBlob: Uint8Array;

beforeAll(async () => {
  kms = await openKms();
  enabled = await newKey(kms);
  enabledBlob = await newBlob(kms, enabled.KeyId);
});

function newSecret(kind: KeyKind): Uint8Array {
  if (kind === 'symmetric' || kind === 'mac') return crypto.randomBytes(32);
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}

/** A key in a state, and the request that was made for it before it came into that state. */
async function prepare(
  row: Omit<Row, 'verdicts'>,
  state: State,
): Promise<{ key: MadeKey; request: object }> {
  const { operation, kind = kindFor(operation), imported, used } = row;
  const multiRegion = row.multiRegion ?? state === 'PendingReplicaDeletion';
  const isExternal = imported ?? state === 'PendingImport';
  const key = await newKey(kms, {
    ...keyKinds[kind],
    MultiRegion: multiRegion,
    ...(isExternal && { Origin: 'EXTERNAL' }),
  });
  const { KeyId } = key;
  const secret = newSecret(kind);
  const hasMaterial = !isExternal || state !== 'PendingImport' || used === true;
  if (isExternal && hasMaterial) await importMaterial(kms, KeyId, secret);
  const result = hasMaterial ? await madeBy(kms, kind, KeyId) : new Uint8Array(256);
  const build = row.request ?? requests[operation] ?? theKey;
  const request = await build({ KeyId, made: result, secret, enabled, enabledBlob });
  if (multiRegion && state !== 'PendingDeletion' && state !== 'PendingImport') {
    await kms.replicateKey({ KeyId, ReplicaRegion: otherRegion });
  }
  if (state === 'Disabled') await kms.disableKey({ KeyId });
  if (state === 'PendingImport' && hasMaterial) await kms.deleteImportedKeyMaterial({ KeyId });
  if (state.endsWith('Deletion')) await kms.scheduleKeyDeletion({ KeyId });
  return { key, request };
}

async function expectState(KeyId: string, state: State): Promise<void> {
  const { KeyMetadata } = await kms.describeKey({ KeyId });
  expect(KeyMetadata).toMatchObject({ KeyState: state, Enabled: state === 'Enabled' });
}

const cells = table.flatMap(({ verdicts, ...row }) =>
  states.flatMap((state, index) => {
    const verdict = verdicts[index] ?? 'n/a';
    if (verdict === 'n/a') return [];
    const title = row.as === undefined ? row.operation : `${row.operation} ${row.as}`;
    const outcome = verdict === 'ok' ? 'ok' : `refused ${verdict}`;
    return [[title, state, outcome, { ...row, verdict }] as const];
  }),
);

describe('every operation in every state', () => {
  test.each(cells)('%s, %s: %s', async (_title, state, _outcome, row) => {
    const { operation, verdict, after = {} } = row;
    const { key, request } = await prepare(row, state);
    await expectState(key.KeyId, state);
    const outcome = await outcomeOf(kms.call(operation, request));
    expect(outcome).toEqual(verdict === 'ok' ? 'ok' : refusals[verdict](key.Arn, state));
    await expectState(key.KeyId, verdict === 'ok' ? (after[state] ?? state) : state);
  });

  test('the table has every operation that is offered', () => {
    const covered = new Set([...table.map(({ operation }) => operation), ...aboutNoKey]);
    expect([...covered].sort()).toEqual(Object.keys(operations).sort());
  });

  test('no key is ever in the other states of the model', () => {
    const tested = [...states, ...Object.keys(unreachable)];
    expect(shapes.KeyState).toMatchObject({ enum: expect.arrayContaining(tested) });
    expect(shapes.KeyState).toHaveProperty('enum.length', tested.length);
  });
});

describe('EnableKey and DisableKey', () => {
  test('answer with nothing, again and again', async () => {
    const { KeyId } = await newKey(kms);
    expect(await kms.enableKey({ KeyId })).toEqual({});
    for (let i = 0; i < 2; i++) expect(await kms.disableKey({ KeyId })).toEqual({});
    for (let i = 0; i < 2; i++) expect(await kms.enableKey({ KeyId })).toEqual({});
  });

  test('a key that was disabled opens what it sealed before', async () => {
    const { KeyId } = await newKey(kms);
    const CiphertextBlob = await newBlob(kms, KeyId);
    await kms.disableKey({ KeyId });
    await kms.enableKey({ KeyId });
    expect((await kms.decrypt({ CiphertextBlob })).Plaintext).toHaveLength(14);
  });
});
