import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Pairmint } from '../../lib/pairmint.ts';
import {
  callCryptographic,
  callKeyOnly,
  cryptographicCalls,
  keyOnlyCalls,
  names,
} from './calls.ts';
import {
  aliasArn,
  complaint,
  failureText,
  keyArn,
  type MadeKey,
  members,
  newBlob,
  newKey,
  openKms,
  validation,
} from './support.ts';

const day = 86_400_000;
const start = new Date('2026-01-01T00:00:00Z');

let kms: Pairmint;
let key: MadeKey;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  kms = await openKms();
  key = await newKey(kms);
});

afterEach(() => {
  vi.useRealTimers();
});

const daysLater = (days: number) => vi.setSystemTime(start.getTime() + days * day);

describe('ScheduleKeyDeletion', () => {
  test.each([
    [undefined, 30],
    [7, 7],
    [30, 30],
  ])('with a window of %s days the date is %i days away', async (PendingWindowInDays, days) => {
    const { KeyId } = key;
    const response = await kms.scheduleKeyDeletion({
      KeyId,
      ...(PendingWindowInDays !== undefined && { PendingWindowInDays }),
    });
    const DeletionDate = new Date(start.getTime() + days * day);
    expect(response).toEqual({
      KeyId: key.Arn,
      DeletionDate,
      KeyState: 'PendingDeletion',
      PendingWindowInDays: days,
    });
    const { KeyMetadata } = await kms.describeKey({ KeyId });
    expect(KeyMetadata).toMatchObject({
      Enabled: false,
      KeyState: 'PendingDeletion',
      DeletionDate,
    });
  });

  test.each([1, 6, 31, 365])('%i days pass the model, but not the service', async (days) => {
    const request = { KeyId: key.KeyId, PendingWindowInDays: days };
    expect(await failureText(kms.scheduleKeyDeletion(request))).toMatch(/^ValidationException: /);
    expect((await kms.describeKey({ KeyId: key.KeyId })).KeyMetadata?.KeyState).toBe('Enabled');
  });

  test.each([
    [0, 'have value greater than or equal to 1'],
    [366, 'have value less than or equal to 365'],
  ])('%i days break the model', async (days, constraint) => {
    const request = { KeyId: key.KeyId, PendingWindowInDays: days };
    expect(await failureText(kms.scheduleKeyDeletion(request))).toBe(
      validation(complaint(`'${days}'`, 'pendingWindowInDays', constraint)),
    );
  });

  test('a second call changes nothing', async () => {
    const { DeletionDate } = await kms.scheduleKeyDeletion({ KeyId: key.KeyId });
    const again = { KeyId: key.KeyId, PendingWindowInDays: 7 };
    expect(await failureText(kms.scheduleKeyDeletion(again))).toBe(
      `KMSInvalidStateException: ${key.Arn} is pending deletion.`,
    );
    const { KeyMetadata } = await kms.describeKey({ KeyId: key.KeyId });
    expect(KeyMetadata?.DeletionDate).toEqual(DeletionDate);
  });
});

describe('CancelKeyDeletion', () => {
  test.each(['Enabled', 'Disabled'])('leaves a key disabled that was %s', async (before) => {
    const { KeyId } = key;
    if (before === 'Disabled') await kms.disableKey({ KeyId });
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    daysLater(6);
    expect(await kms.cancelKeyDeletion({ KeyId })).toEqual({ KeyId: key.Arn });
    const { KeyMetadata = {} } = await kms.describeKey({ KeyId });
    expect(KeyMetadata).toMatchObject({ Enabled: false, KeyState: 'Disabled' });
    expect(members(KeyMetadata)).not.toContain('DeletionDate');
  });

  test('a key that was saved opens what it sealed, long after the date', async () => {
    const { KeyId } = key;
    const CiphertextBlob = await newBlob(kms, KeyId);
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    await kms.cancelKeyDeletion({ KeyId });
    daysLater(400);
    await kms.enableKey({ KeyId });
    expect((await kms.decrypt({ CiphertextBlob })).KeyId).toBe(key.Arn);
  });
});

describe('when the date has come', () => {
  const AliasName = 'alias/doomed';
  let blob: Uint8Array;

  beforeEach(async () => {
    blob = await newBlob(kms, key.KeyId);
    await kms.createAlias({ AliasName, TargetKeyId: key.KeyId });
    await kms.scheduleKeyDeletion({ KeyId: key.KeyId, PendingWindowInDays: 7 });
  });

  const gone = () => `NotFoundException: Key '${keyArn(key.KeyId)}' does not exist`;
  const aliasGone = `NotFoundException: Alias ${aliasArn(AliasName)} is not found.`;

  test('the key is there a millisecond before it and gone at it', async () => {
    vi.setSystemTime(start.getTime() + 7 * day - 1);
    expect((await kms.describeKey({ KeyId: key.KeyId })).KeyMetadata?.KeyState).toBe(
      'PendingDeletion',
    );
    vi.setSystemTime(start.getTime() + 7 * day);
    expect(await failureText(kms.describeKey({ KeyId: key.KeyId }))).toBe(gone());
  });

  test('it does not come back when the clock is set back', async () => {
    daysLater(7);
    await failureText(kms.describeKey({ KeyId: key.KeyId }));
    daysLater(0);
    expect(await failureText(kms.describeKey({ KeyId: key.KeyId }))).toBe(gone());
    expect(await failureText(kms.cancelKeyDeletion({ KeyId: key.KeyId }))).toBe(gone());
  });

  test.each(names(cryptographicCalls))('%s finds neither the key nor its alias', async (name) => {
    daysLater(8);
    const alive = await newBlob(kms, (await newKey(kms)).KeyId);
    for (const KeyId of [key.KeyId, key.Arn]) {
      expect(await failureText(callCryptographic(kms, name, { KeyId, blob: alive }))).toBe(gone());
    }
    for (const KeyId of [AliasName, aliasArn(AliasName)]) {
      expect(await failureText(callCryptographic(kms, name, { KeyId, blob: alive }))).toBe(
        aliasGone,
      );
    }
  });

  test.each(names(keyOnlyCalls))('%s does not find the key', async (name) => {
    daysLater(8);
    expect(await failureText(callKeyOnly(kms, name, key.Arn))).toBe(gone());
    expect(await failureText(callKeyOnly(kms, name, key.KeyId))).toBe(gone());
  });

  test.each(['UpdateAlias', 'DeleteAlias'])('%s does not find the alias', async (name) => {
    daysLater(8);
    const { KeyId: TargetKeyId } = await newKey(kms);
    expect(await failureText(kms.call(name, { AliasName, TargetKeyId }))).toBe(aliasGone);
  });

  test('the alias can be made anew at once', async () => {
    daysLater(8);
    const { KeyId: TargetKeyId } = await newKey(kms);
    await kms.createAlias({ AliasName, TargetKeyId });
    expect((await kms.describeKey({ KeyId: AliasName })).KeyMetadata?.KeyId).toBe(TargetKeyId);
    expect((await kms.listAliases({})).Aliases).toHaveLength(1);
  });

  test('an alias can be moved away until then, and stays', async () => {
    const { KeyId: TargetKeyId } = await newKey(kms);
    await kms.updateAlias({ AliasName, TargetKeyId });
    daysLater(8);
    expect(await failureText(kms.describeKey({ KeyId: key.KeyId }))).toBe(gone());
    expect((await kms.describeKey({ KeyId: AliasName })).KeyMetadata?.KeyId).toBe(TargetKeyId);
  });

  test('what it sealed is refused: by its id with NotFoundException, alone with AccessDenied', async () => {
    daysLater(8);
    const CiphertextBlob = blob;
    expect(await failureText(kms.decrypt({ CiphertextBlob }))).toMatch(
      /^AccessDeniedException: User: .* kms:Decrypt on the resource associated with this ciphertext/,
    );
    expect(await failureText(kms.decrypt({ CiphertextBlob, KeyId: key.KeyId }))).toBe(gone());
    const { KeyId: DestinationKeyId } = await newKey(kms);
    expect(await failureText(kms.reEncrypt({ CiphertextBlob, DestinationKeyId }))).toMatch(
      /^AccessDeniedException: User: .* kms:ReEncryptFrom on the resource/,
    );
  });

  test('listings show neither key nor alias, and their pages stay full', async () => {
    const kept: string[] = [];
    for (let i = 0; i < 6; i++) {
      const { KeyId } = await newKey(kms);
      const name = `alias/${i}`;
      await kms.createAlias({ AliasName: name, TargetKeyId: KeyId });
      if (i % 2) await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
      else kept.push(name);
    }
    daysLater(8);
    const aliases = await kms.listAliases({ Limit: 3 });
    expect(aliases.Aliases?.map((alias) => alias.AliasName)).toEqual(kept);
    expect(aliases.Truncated).toBe(false);
    const keys = await kms.listKeys({ Limit: 3 });
    expect(keys.Keys).toHaveLength(3);
    expect(keys.Truncated).toBe(false);
  });
});
