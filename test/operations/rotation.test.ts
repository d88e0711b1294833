// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import crypto from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KeySpec, KeyUsageType } from '../../lib/model/types.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  absentKeyId,
  allPages,
  bytes,
  complaint,
  failureText,
  flipped,
  invalidCiphertext,
  keyArn,
  type MadeKey,
  newBlob,
  newKey,
  openKms,
  outcomeOf,
  validation,
} from './support.ts';

const day = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');

let kms: Pairmint;
let key: MadeKey;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  kms = await openKms();
  key = await newKey(kms);
});

afterEach(async () => {
  vi.useRealTimers();
  await kms.close();
});

const date = (days: number) => new Date(start + days * day);
const daysLater = (days: number) => vi.setSystemTime(start + days * day);

const rotating = ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand'] as const;
const specsThatDoNotRotate: readonly [KeySpec, KeyUsageType][] = [
  ['RSA_2048', 'ENCRYPT_DECRYPT'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
];

async function currentMaterial(KeyId = key.KeyId): Promise<string> {
  return (await kms.describeKey({ KeyId })).KeyMetadata?.CurrentKeyMaterialId as string;
}

/** The rotations of the key as lines: when it was, how, and what became of the material. */
async function rotations(KeyId = key.KeyId): Promise<string[]> {
  const { Rotations = [] } = await kms.listKeyRotations({ KeyId });
  return Rotations.map(
    (entry) =>
      `${entry.RotationDate?.toISOString().slice(0, 10)} ${entry.RotationType} ${entry.KeyMaterialState}`,
  );
}

describe('EnableKeyRotation', () => {
  // [LS test_key_enable_rotation_status[90] 2025-03]
  test.each([
    [undefined, 365],
    [90, 90],
    [2560, 2560],
  ])('with a period of %s days sets the date %i days away', async (RotationPeriodInDays, days) => {
    const { KeyId, Arn } = key;
    expect(await kms.getKeyRotationStatus({ KeyId })).toEqual({
      KeyId: Arn,
      KeyRotationEnabled: false,
    });
    expect(await kms.enableKeyRotation({ KeyId, RotationPeriodInDays })).toEqual({});
    expect(await kms.getKeyRotationStatus({ KeyId })).toEqual({
      KeyId: Arn,
      KeyRotationEnabled: true,
      RotationPeriodInDays: days,
      NextRotationDate: date(days),
    });
  });

  test('again keeps the date; with another period it counts from then', async () => {
    const { KeyId } = key;
    await kms.enableKeyRotation({ KeyId });
    daysLater(100);
    await kms.enableKeyRotation({ KeyId });
    expect((await kms.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(365));
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 200 });
    expect((await kms.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(300));
  });

  // [FL enableKeyRotationValidatesTheRotationPeriodBeforeLookingUpTheKey]
  test.each([
    [89, 'have value greater than or equal to 90'],
    [2561, 'have value less than or equal to 2560'],
  ])('refuses a period of %i days before it looks for the key', async (days, constraint) => {
    const request = { KeyId: absentKeyId, RotationPeriodInDays: days };
    expect(await failureText(kms.enableKeyRotation(request))).toBe(
      validation(complaint(`'${days}'`, 'rotationPeriodInDays', constraint)),
    );
  });
});

describe('whether a key can be rotated', () => {
  // [FL operationsRejectAKeyWithTheWrongOrigin]: the key is pending import, too
  test.each(['EnableKeyRotation', 'DisableKeyRotation'])(
    '%s looks at the origin before the state',
    async (operation) => {
      const { KeyId, Arn } = await newKey(kms, { Origin: 'EXTERNAL' });
      expect(await failureText(kms.call(operation, { KeyId }))).toBe(
        `UnsupportedOperationException: ${Arn} origin is EXTERNAL which is not valid for this operation.`,
      );
    },
  );

  // [FL rotationRejectsADisabledKey, rotationRejectsAKeyPendingDeletion], [LS test_rotate_key_on_demand_raises_error_given_key_is_disabled 2025-03]
  test.each(rotating)('%s looks at the state before the spec', async (operation) => {
    const hmac = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const;
    for (const { KeyId, Arn } of [key, await newKey(kms, hmac)]) {
      await kms.disableKey({ KeyId });
      expect(await failureText(kms.call(operation, { KeyId }))).toBe(
        `DisabledException: ${Arn} is disabled.`,
      );
      await kms.scheduleKeyDeletion({ KeyId });
      expect(await failureText(kms.call(operation, { KeyId }))).toBe(
        `KMSInvalidStateException: ${Arn} is pending deletion.`,
      );
    }
  });

  // [LS test_rotate_key_on_demand… on_external_key_with_no_key_material 2025-11]
  test.each([
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['RSA_4096', 'ENCRYPT_DECRYPT'],
  ] as const)(
    'RotateKeyOnDemand of an EXTERNAL %s key without material',
    async (KeySpec, KeyUsage) => {
      const { KeyId, Arn } = await newKey(kms, { KeySpec, KeyUsage, Origin: 'EXTERNAL' });
      expect(await failureText(kms.rotateKeyOnDemand({ KeyId }))).toBe(
        `KMSInvalidStateException: ${Arn} is pending import.`,
      );
    },
  );

  describe.each(specsThatDoNotRotate)('a key of %s', (KeySpec, KeyUsage) => {
    let KeyId: string;

    beforeEach(async () => {
      ({ KeyId } = await newKey(kms, { KeySpec, KeyUsage }));
    });

    // [FL rotationRejectsAKeySpecThatDoesNotRotateWithoutAMessage], [LS …given_non_symmetric_key]
    test.each(['EnableKeyRotation', 'RotateKeyOnDemand', 'ListKeyRotations'])(
      'is refused by %s without a message',
      async (operation) => {
        expect(await failureText(kms.call(operation, { KeyId }))).toBe(
          'UnsupportedOperationException: ',
        );
      },
    );

    // [FL disableKeyRotationAcceptsAKeySpecThatDoesNotRotate]
    test('is taken by DisableKeyRotation, and its status is off', async () => {
      expect(await kms.disableKeyRotation({ KeyId })).toEqual({});
      expect((await kms.getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(false);
    });
  });

  test.each([...rotating, 'GetKeyRotationStatus', 'ListKeyRotations'])(
    '%s names an absent key',
    async (operation) => {
      expect(await failureText(kms.call(operation, { KeyId: absentKeyId }))).toBe(
        `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
      );
    },
  );
});

describe('RotateKeyOnDemand', () => {
  // [LS test_rotate_on_demand_returns_arn_for_key_id], [LS test_key_rotation_updates_current_key_material_id_for_aws_symmetric_keys 2025-11]
  test('answers with the ARN and changes the current material', async () => {
    const { KeyId, Arn, materialId } = key;
    expect(await kms.rotateKeyOnDemand({ KeyId })).toEqual({ KeyId: Arn });
    const current = await currentMaterial();
    expect(current).toMatch(/^[0-9a-f]{64}$/);
    expect(current).not.toBe(materialId);
  });

  // [BC] "do not change existing automatic rotation schedules"
  test('leaves the schedule of automatic rotation alone', async () => {
    const { KeyId } = key;
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
    daysLater(80);
    await kms.rotateKeyOnDemand({ KeyId });
    const status = await kms.getKeyRotationStatus({ KeyId });
    expect(status.NextRotationDate).toEqual(date(90));
    expect(status).not.toHaveProperty('OnDemandRotationStartDate');
    daysLater(90);
    expect(await rotations()).toEqual([
      '2026-03-22 ON_DEMAND NON_CURRENT',
      '2026-04-01 AUTOMATIC CURRENT',
    ]);
  });

  // [LS test_key_rotations_limits 2025-04] for the text, [BC] for 25
  test('succeeds 25 times; automatic rotations do not count', async () => {
    const { KeyId, Arn } = key;
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
    daysLater(91);
    for (let i = 0; i < 25; i++) await kms.rotateKeyOnDemand({ KeyId });
    const last = await currentMaterial();
    expect(await failureText(kms.rotateKeyOnDemand({ KeyId }))).toBe(
      'LimitExceededException: The on-demand rotations limit has been reached for the given keyId. ' +
        `No more on-demand rotations can be performed for this key: ${Arn}`,
    );
    expect(await currentMaterial()).toBe(last);
    daysLater(180);
    expect(await currentMaterial()).not.toBe(last);
  });

  test('at once, again and again, each makes its own material, and 25 of 30 succeed', async () => {
    const { KeyId, materialId } = key;
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, () => outcomeOf(kms.rotateKeyOnDemand({ KeyId }))),
    );
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(25);
    const { Rotations = [] } = await kms.listKeyRotations({ KeyId });
    const ids = Rotations.map(({ KeyMaterialId }) => KeyMaterialId);
    expect(new Set([...ids, materialId]).size).toBe(26);
    expect(ids.at(-1)).toBe(await currentMaterial());
    expect((await rotations()).filter((line) => line.endsWith(' CURRENT'))).toHaveLength(1);
  });
});

// [LS test_key_rotations_encryption_decryption 2026-02]
describe('after a rotation', () => {
  const EncryptionContext = { purpose: 'test' };

  test('a blob from before opens and names its own material', async () => {
    const { KeyId } = key;
    const sealed: { blob: Uint8Array; materialId: string }[] = [];
    for (let i = 0; i < 3; i++) {
      if (i > 0) await kms.rotateKeyOnDemand({ KeyId });
      const blob = await newBlob(kms, KeyId, EncryptionContext);
      sealed.push({ blob, materialId: await currentMaterial() });
    }
    expect(new Set(sealed.map(({ materialId }) => materialId)).size).toBe(3);
    for (const { blob: CiphertextBlob, materialId } of sealed) {
      expect(await kms.decrypt({ CiphertextBlob, EncryptionContext })).toMatchObject({
        KeyId: key.Arn,
        KeyMaterialId: materialId,
        Plaintext: new Uint8Array(Buffer.from('attack at dawn')),
      });
    }
  });

  test.each([
    ['GenerateDataKey', { KeySpec: 'AES_256' }],
    ['GenerateDataKeyWithoutPlaintext', { KeySpec: 'AES_256' }],
    ['GenerateDataKeyPair', { KeyPairSpec: 'ECC_NIST_P256' }],
    ['GenerateDataKeyPairWithoutPlaintext', { KeyPairSpec: 'ECC_NIST_EDWARDS25519' }],
  ])('%s names the new material', async (operation, request) => {
    const { KeyId, materialId } = key;
    const generate = () => kms.call(operation, { KeyId, ...request });
    expect(await generate()).toMatchObject({ KeyMaterialId: materialId });
    await kms.rotateKeyOnDemand({ KeyId });
    expect(await generate()).toMatchObject({ KeyMaterialId: await currentMaterial() });
  });

  test('the private key of a pair that was made before opens', async () => {
    const { KeyId, materialId } = key;
    const pair = await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P384' });
    await kms.rotateKeyOnDemand({ KeyId });
    const CiphertextBlob = bytes(pair.PrivateKeyCiphertextBlob);
    const { Plaintext, KeyMaterialId } = await kms.decrypt({ CiphertextBlob });
    expect(Plaintext).toEqual(pair.PrivateKeyPlaintext);
    expect(KeyMaterialId).toBe(materialId);
  });

  test('ReEncrypt on the same key moves a blob to the new material', async () => {
    const { KeyId, materialId } = key;
    const old = await newBlob(kms, KeyId);
    await kms.rotateKeyOnDemand({ KeyId });
    const moved = await kms.reEncrypt({ CiphertextBlob: old, DestinationKeyId: KeyId });
    const current = await currentMaterial();
    expect(moved).toMatchObject({
      SourceKeyMaterialId: materialId,
      DestinationKeyMaterialId: current,
    });
    const CiphertextBlob = bytes(moved.CiphertextBlob);
    expect((await kms.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(current);
  });

  test('a blob that is made to name another material of the key does not open', async () => {
    const { KeyId, materialId } = key;
    const CiphertextBlob = Buffer.from(await newBlob(kms, KeyId));
    await kms.rotateKeyOnDemand({ KeyId });
    const at = CiphertextBlob.indexOf(Buffer.from(materialId, 'hex'));
    expect(at).toBeGreaterThan(0);
    const none = flipped(CiphertextBlob, at * 8);
    Buffer.from(await currentMaterial(), 'hex').copy(CiphertextBlob, at);
    expect(await failureText(kms.decrypt({ CiphertextBlob }))).toBe(invalidCiphertext);
    expect(await failureText(kms.decrypt({ CiphertextBlob: none }))).toBe(invalidCiphertext);
  });
});

describe('automatic rotation', () => {
  beforeEach(async () => {
    await kms.enableKeyRotation({ KeyId: key.KeyId, RotationPeriodInDays: 90 });
  });

  test('happens on its date, not a millisecond earlier', async () => {
    vi.setSystemTime(start + 90 * day - 1);
    expect(await currentMaterial()).toBe(key.materialId);
    daysLater(90);
    expect(await currentMaterial()).not.toBe(key.materialId);
    expect(await rotations()).toEqual(['2026-04-01 AUTOMATIC CURRENT']);
    const { NextRotationDate } = await kms.getKeyRotationStatus({ KeyId: key.KeyId });
    expect(NextRotationDate).toEqual(date(180));
  });

  test('is noticed by the first request that uses the key', async () => {
    const CiphertextBlob = await newBlob(kms, key.KeyId);
    daysLater(90);
    const { KeyMaterialId } = await kms.generateDataKey({ KeyId: key.KeyId, KeySpec: 'AES_128' });
    expect(KeyMaterialId).not.toBe(key.materialId);
    expect((await kms.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(key.materialId);
  });

  test('happens though no process ran, every period with its date', async () => {
    await kms.close();
    const folder = temporaryFolder();
    const options = {
      store: `sqlite:${folder}/store.db`,
      rootKey: { bytes: crypto.randomBytes(32) },
    };
    kms = await Pairmint.open(options);
    key = await newKey(kms);
    const { KeyId } = key;
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
    const blobs = [await newBlob(kms, KeyId)];
    await kms.close();
    daysLater(275);
    kms = await Pairmint.open(options);
    blobs.push(await newBlob(kms, KeyId));
    expect(await rotations()).toEqual([
      '2026-04-01 AUTOMATIC NON_CURRENT',
      '2026-06-30 AUTOMATIC NON_CURRENT',
      '2026-09-28 AUTOMATIC CURRENT',
    ]);
    expect((await kms.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(360));
    const materials: (string | undefined)[] = [];
    for (const CiphertextBlob of blobs) {
      materials.push((await kms.decrypt({ CiphertextBlob })).KeyMaterialId);
    }
    expect(materials).toEqual([key.materialId, await currentMaterial()]);
    // All of it is destroyed with the key.
    const store = await SqliteStore.open(`${folder}/store.db`);
    const stored = () => store.list(`material/${KeyId}/`, { limit: 10 });
    expect(await stored()).toHaveLength(4);
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    daysLater(282);
    await outcomeOf(kms.describeKey({ KeyId }));
    expect(await stored()).toHaveLength(4);
    daysLater(283);
    await outcomeOf(kms.describeKey({ KeyId }));
    expect(await stored()).toEqual([]);
  });

  test('ends with DisableKeyRotation, and what it did stays', async () => {
    const { KeyId } = key;
    daysLater(95);
    expect(await kms.disableKeyRotation({ KeyId })).toEqual({});
    expect(await kms.disableKeyRotation({ KeyId })).toEqual({});
    daysLater(1000);
    expect(await rotations()).toEqual(['2026-04-01 AUTOMATIC CURRENT']);
    expect(await kms.getKeyRotationStatus({ KeyId })).toEqual({
      KeyId: key.Arn,
      KeyRotationEnabled: false,
    });
  });

  // [BC] GetKeyRotationStatus: rotated at once when it is enabled again, and each period thereafter
  test('of a key that was disabled meanwhile is made up for by one, at once', async () => {
    const { KeyId } = key;
    await kms.disableKey({ KeyId });
    daysLater(400);
    expect(await rotations()).toEqual([]);
    expect((await kms.getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(true);
    await kms.enableKey({ KeyId });
    expect(await rotations()).toEqual(['2027-02-05 AUTOMATIC CURRENT']);
    expect((await kms.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(490));
  });

  test('of a key that was disabled for less than a period stays on schedule', async () => {
    const { KeyId } = key;
    await kms.disableKey({ KeyId });
    daysLater(80);
    await kms.enableKey({ KeyId });
    expect((await kms.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(90));
  });

  // [BC] GetKeyRotationStatus: false while it is pending deletion, and true again afterwards
  test('rests while the key is pending deletion', async () => {
    const { KeyId } = key;
    daysLater(85);
    await kms.scheduleKeyDeletion({ KeyId });
    daysLater(100);
    expect(await kms.getKeyRotationStatus({ KeyId })).toEqual({
      KeyId: key.Arn,
      KeyRotationEnabled: false,
    });
    await kms.cancelKeyDeletion({ KeyId });
    expect((await kms.getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(true);
    expect(await rotations()).toEqual([]);
    await kms.enableKey({ KeyId });
    expect(await rotations()).toEqual(['2026-04-11 AUTOMATIC CURRENT']);
  });

  test('survives a clock that jumps ten years ahead and back', async () => {
    const { KeyId } = key;
    const before = await newBlob(kms, KeyId);
    daysLater(3650);
    const ahead = await newBlob(kms, KeyId);
    expect(await rotations()).toHaveLength(1);
    daysLater(1);
    expect(await rotations()).toHaveLength(1);
    // The next date is within reach of the clock that is right.
    expect((await kms.getKeyRotationStatus({ KeyId })).NextRotationDate).toEqual(date(91));
    for (const CiphertextBlob of [before, ahead]) {
      expect((await kms.decrypt({ CiphertextBlob })).Plaintext).toHaveLength(14);
    }
    daysLater(91);
    expect(await rotations()).toHaveLength(2);
  });

  test('makes up for nothing when the clock was ten years behind and is put right', async () => {
    const { KeyId } = key;
    daysLater(95);
    const CiphertextBlob = await newBlob(kms, KeyId);
    daysLater(-3650);
    expect((await kms.decrypt({ CiphertextBlob })).Plaintext).toHaveLength(14);
    expect(await rotations()).toHaveLength(1);
    daysLater(100);
    expect(await rotations()).toHaveLength(1);
    const { NextRotationDate } = await kms.getKeyRotationStatus({ KeyId });
    expect(NextRotationDate).toEqual(date(180));
  });

  test('goes on with a clock that stays ten years behind', async () => {
    daysLater(-3650);
    expect(await rotations()).toEqual([]);
    daysLater(-3559);
    expect(await rotations()).toHaveLength(1);
  });
});

describe('ListKeyRotations', () => {
  beforeEach(async () => {
    await kms.enableKeyRotation({ KeyId: key.KeyId, RotationPeriodInDays: 90 });
    daysLater(90);
    await kms.rotateKeyOnDemand({ KeyId: key.KeyId });
  });

  test.each([undefined, 'ROTATIONS_ONLY'] as const)(
    'with IncludeKeyMaterial %s leaves the first material out',
    async (IncludeKeyMaterial) => {
      const { KeyId, Arn } = key;
      const { Rotations, ...more } = await kms.listKeyRotations({ KeyId, IncludeKeyMaterial });
      expect(more).toEqual({ Truncated: false });
      expect(Rotations).toEqual([
        {
          KeyId: Arn,
          KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
          KeyMaterialState: 'NON_CURRENT',
          RotationDate: date(90),
          RotationType: 'AUTOMATIC',
        },
        {
          KeyId: Arn,
          KeyMaterialId: await currentMaterial(),
          KeyMaterialState: 'CURRENT',
          RotationDate: date(90),
          RotationType: 'ON_DEMAND',
        },
      ]);
    },
  );

  test('with ALL_KEY_MATERIAL begins with the first, which has no date', async () => {
    const { KeyId, Arn, materialId } = key;
    const { Rotations = [] } = await kms.listKeyRotations({
      KeyId,
      IncludeKeyMaterial: 'ALL_KEY_MATERIAL',
    });
    expect(Rotations).toHaveLength(3);
    expect(Rotations[0]).toEqual({
      KeyId: Arn,
      KeyMaterialId: materialId,
      KeyMaterialState: 'NON_CURRENT',
    });
  });

  test('comes in pages', async () => {
    const { KeyId } = key;
    for (let i = 0; i < 5; i++) await kms.rotateKeyOnDemand({ KeyId });
    const all = (await kms.listKeyRotations({ KeyId })).Rotations;
    const pages = await allPages(async (Marker) => {
      const { Rotations = [], NextMarker } = await kms.listKeyRotations({
        KeyId,
        Limit: 3,
        Marker,
      });
      return { items: Rotations, NextMarker };
    });
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
    expect(pages.flat()).toEqual(all);
    expect(await failureText(kms.listKeyRotations({ KeyId, Marker: 'garbage' }))).toMatch(
      /^InvalidMarkerException: /,
    );
  });

  test('shows a key that was never rotated as one without rotations', async () => {
    const { KeyId } = await newKey(kms);
    expect(await kms.listKeyRotations({ KeyId })).toEqual({ Rotations: [], Truncated: false });
  });
});
