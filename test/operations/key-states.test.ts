import { beforeAll, describe, expect, test } from 'vitest';
import { operations } from '../../lib/operations/index.ts';
import type { Pairmint } from '../../lib/pairmint.ts';
import { type MadeKey, newBlob, newKey, openKms, outcomeOf } from './support.ts';

type State = 'Enabled' | 'Disabled' | 'PendingDeletion';
type Verdict = 'ok' | 'disabled' | 'pending' | 'not pending';

const states: readonly State[] = ['Enabled', 'Disabled', 'PendingDeletion'];

interface Situation {
  /** In the state under test. */
  readonly key: MadeKey;
  readonly enabled: MadeKey;
  /** Ciphertexts of these keys. */
  readonly blob: Uint8Array;
  readonly enabledBlob: Uint8Array;
  /** Aliases of these keys, and one that is free. */
  readonly alias: string;
  readonly enabledAlias: string;
  readonly freeAlias: string;
}

interface Row {
  readonly operation: keyof typeof operations;
  readonly as?: string;
  readonly verdicts: readonly [enabled: Verdict, disabled: Verdict, pendingDeletion: Verdict];
  /** The state after a success, where the operation changes it. */
  readonly after?: State;
  request(situation: Situation): object;
}

const always = ['ok', 'ok', 'ok'] as const;
const enabledOnly = ['ok', 'disabled', 'pending'] as const;
const notPending = ['ok', 'ok', 'pending'] as const;

const ofKey = ({ key: { KeyId } }: Situation) => ({ KeyId });
const KeySpec = 'AES_128';
const KeyPairSpec = 'ECC_NIST_P256';

/** The operations and states of the developer guide's table, with what was measured since. */
const table: readonly Row[] = [
  {
    operation: 'CancelKeyDeletion',
    verdicts: ['not pending', 'not pending', 'ok'],
    after: 'Disabled',
    request: ofKey,
  },
  {
    operation: 'CreateAlias',
    verdicts: notPending,
    request: ({ key, freeAlias }) => ({ AliasName: freeAlias, TargetKeyId: key.KeyId }),
  },
  { operation: 'CreateKey', verdicts: always, request: () => ({}) },
  {
    operation: 'Decrypt',
    as: 'with the key named',
    verdicts: enabledOnly,
    request: ({ key: { KeyId }, blob }) => ({ KeyId, CiphertextBlob: blob }),
  },
  {
    operation: 'Decrypt',
    as: 'without the key named',
    verdicts: enabledOnly,
    request: ({ blob }) => ({ CiphertextBlob: blob }),
  },
  { operation: 'DeleteAlias', verdicts: always, request: ({ alias }) => ({ AliasName: alias }) },
  { operation: 'DescribeKey', verdicts: always, request: ofKey },
  { operation: 'DisableKey', verdicts: notPending, after: 'Disabled', request: ofKey },
  { operation: 'EnableKey', verdicts: notPending, after: 'Enabled', request: ofKey },
  {
    operation: 'Encrypt',
    verdicts: enabledOnly,
    request: ({ key: { KeyId } }) => ({ KeyId, Plaintext: new Uint8Array(1) }),
  },
  {
    operation: 'GenerateDataKey',
    verdicts: enabledOnly,
    request: ({ key: { KeyId } }) => ({ KeyId, KeySpec }),
  },
  {
    operation: 'GenerateDataKeyPair',
    verdicts: enabledOnly,
    request: ({ key: { KeyId } }) => ({ KeyId, KeyPairSpec }),
  },
  {
    operation: 'GenerateDataKeyPairWithoutPlaintext',
    verdicts: enabledOnly,
    request: ({ key: { KeyId } }) => ({ KeyId, KeyPairSpec }),
  },
  {
    operation: 'GenerateDataKeyWithoutPlaintext',
    verdicts: enabledOnly,
    request: ({ key: { KeyId } }) => ({ KeyId, KeySpec }),
  },
  { operation: 'GenerateRandom', verdicts: always, request: () => ({ NumberOfBytes: 1 }) },
  { operation: 'ListAliases', verdicts: always, request: ofKey },
  { operation: 'ListKeys', verdicts: always, request: () => ({}) },
  {
    operation: 'ReEncrypt',
    as: 'from the key',
    verdicts: enabledOnly,
    request: ({ blob, enabled }) => ({ CiphertextBlob: blob, DestinationKeyId: enabled.KeyId }),
  },
  {
    operation: 'ReEncrypt',
    as: 'to the key',
    verdicts: enabledOnly,
    request: ({ enabledBlob, key }) => ({
      CiphertextBlob: enabledBlob,
      DestinationKeyId: key.KeyId,
    }),
  },
  {
    operation: 'ScheduleKeyDeletion',
    verdicts: notPending,
    after: 'PendingDeletion',
    request: ofKey,
  },
  {
    operation: 'UpdateAlias',
    as: 'away from the key',
    verdicts: always,
    request: ({ alias, enabled }) => ({ AliasName: alias, TargetKeyId: enabled.KeyId }),
  },
  {
    operation: 'UpdateAlias',
    as: 'to the key',
    verdicts: notPending,
    request: ({ enabledAlias, key }) => ({ AliasName: enabledAlias, TargetKeyId: key.KeyId }),
  },
];

let kms: Pairmint;
let count = 0;

beforeAll(async () => {
  kms = await openKms();
});

async function situation(state: State): Promise<Situation> {
  const [key, enabled] = [await newKey(kms), await newKey(kms)];
  const [blob, enabledBlob] = [await newBlob(kms, key.KeyId), await newBlob(kms, enabled.KeyId)];
  const place = `alias/${count++}`;
  const [alias, enabledAlias, freeAlias] = [`${place}/a`, `${place}/b`, `${place}/c`];
  await kms.createAlias({ AliasName: alias, TargetKeyId: key.KeyId });
  await kms.createAlias({ AliasName: enabledAlias, TargetKeyId: enabled.KeyId });
  const { KeyId } = key;
  if (state === 'Disabled') await kms.disableKey({ KeyId });
  if (state === 'PendingDeletion') await kms.scheduleKeyDeletion({ KeyId });
  return { key, enabled, blob, enabledBlob, alias, enabledAlias, freeAlias };
}

function textOf(verdict: Verdict, { Arn }: MadeKey): string {
  switch (verdict) {
    case 'ok':
      return 'ok';
    case 'disabled':
      return `DisabledException: ${Arn} is disabled.`;
    case 'pending':
      return `KMSInvalidStateException: ${Arn} is pending deletion.`;
    case 'not pending':
      return `KMSInvalidStateException: ${Arn} is not pending deletion.`;
  }
}

const cells = table.flatMap((row) =>
  states.map((state, index) => ({
    ...row,
    title: row.as === undefined ? row.operation : `${row.operation} ${row.as}`,
    state,
    verdict: row.verdicts[index] as Verdict,
  })),
);

describe('every operation in every state', () => {
  test.each(cells)('$title, $state: $verdict', async (cell) => {
    const { operation, state, verdict, request, after = state } = cell;
    const current = await situation(state);
    const outcome = await outcomeOf(kms.call(operation, request(current)));
    expect(outcome).toBe(textOf(verdict, current.key));
    const { KeyMetadata } = await kms.describeKey({ KeyId: current.key.KeyId });
    const expected = verdict === 'ok' ? after : state;
    expect(KeyMetadata?.KeyState).toBe(expected);
    expect(KeyMetadata?.Enabled).toBe(expected === 'Enabled');
  });

  test('the table has every operation that is offered', () => {
    const covered = new Set(table.map(({ operation }) => operation));
    expect([...covered].sort()).toEqual(Object.keys(operations).sort());
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
