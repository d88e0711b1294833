import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  callCryptographic,
  callKeyOnly,
  cryptographicCalls,
  keyOnlyCalls,
  names,
} from './calls.ts';
import {
  accountId,
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
const tenYears = 3652;

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

  test.each(names(cryptographicCalls))('%s finds neither the key nor its alias', async (name) => {
    daysLater(8);
    const blob = await newBlob(kms, (await newKey(kms)).KeyId);
    for (const KeyId of [key.KeyId, key.Arn]) {
      expect(await failureText(callCryptographic(kms, name, { KeyId, made: blob }))).toBe(gone());
    }
    for (const KeyId of [AliasName, aliasArn(AliasName)]) {
      expect(await failureText(callCryptographic(kms, name, { KeyId, made: blob }))).toBe(
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

  test('its blobs are refused: with its id by NotFoundException, alone by AccessDenied', async () => {
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

  test('listings leave the key and its alias out, and their pages stay full', async () => {
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

describe('a key whose date has come is destroyed', () => {
  const AliasName = 'alias/doomed';
  let store: SqliteStore;
  let before: string[];
  let blob: Uint8Array;

  const retiree = `arn:aws:iam::${accountId}:user/retiree`;

  /** The store's contents without the index of retiring principals, which may name deleted grants. */
  async function paths(): Promise<string[]> {
    const entries = await store.list('', { limit: 1000 });
    return entries.map(({ path }) => path).filter((path) => !path.includes(':retirable/'));
  }

  const state = async () =>
    (await kms.describeKey({ KeyId: key.KeyId })).KeyMetadata?.KeyState ?? '';
  const schedule = () => kms.scheduleKeyDeletion({ KeyId: key.KeyId, PendingWindowInDays: 7 });

  async function expectGone(): Promise<void> {
    expect(await failureText(kms.describeKey({ KeyId: key.KeyId }))).toBe(
      `NotFoundException: Key '${keyArn(key.KeyId)}' does not exist`,
    );
    expect((await kms.listRetirableGrants({ RetiringPrincipal: retiree })).Grants).toEqual([]);
  }

  /** The key is as if its deletion had never been scheduled. */
  async function expectUnharmed(): Promise<void> {
    const { KeyId } = key;
    await kms.cancelKeyDeletion({ KeyId });
    await kms.enableKey({ KeyId });
    expect((await kms.decrypt({ CiphertextBlob: blob })).KeyId).toBe(key.Arn);
    expect((await kms.describeKey({ KeyId: AliasName })).KeyMetadata?.Arn).toBe(key.Arn);
    const { Grants = [] } = await kms.listGrants({ KeyId });
    expect(Grants.map(({ Name }) => Name)).toEqual(['named']);
    expect(await kms.listRetirableGrants({ RetiringPrincipal: retiree })).toMatchObject({ Grants });
    expect((await kms.listResourceTags({ KeyId })).Tags).toHaveLength(1);
  }

  beforeEach(async () => {
    const folder = temporaryFolder();
    kms = await openKms({ store: `sqlite:${folder}/store.db` });
    store = await SqliteStore.open(`${folder}/store.db`);
    before = await paths();
    key = await newKey(kms, { Tags: [{ TagKey: 'stage', TagValue: 'test' }] });
    const { KeyId } = key;
    blob = await newBlob(kms, KeyId);
    await kms.createAlias({ AliasName, TargetKeyId: KeyId });
    await kms.rotateKeyOnDemand({ KeyId });
    const Operations = ['Decrypt' as const];
    const parties = { GranteePrincipal: retiree, RetiringPrincipal: retiree, Name: 'named' };
    await kms.createGrant({ KeyId, Operations, ...parties });
  });

  afterEach(async () => {
    await kms.close();
    await store.close();
  });

  test('with all that is its own, when it is found so again a day later', async () => {
    await schedule();
    const all = await paths();
    daysLater(20);
    await expectGone();
    expect(await paths()).toEqual(all);
    vi.setSystemTime(start.getTime() + 21 * day - 1);
    await expectGone();
    expect(await paths()).toEqual(all);
    daysLater(21);
    await expectGone();
    expect(await paths()).toEqual(before);
  });

  test('by any request that comes across it, also by a listing', async () => {
    await schedule();
    for (const days of [7, 8]) {
      daysLater(days);
      expect((await kms.listKeys({})).Keys).toEqual([]);
      expect((await kms.listAliases({})).Aliases).toEqual([]);
    }
    expect(await paths()).toEqual(before);
  });

  test('and its blobs never open again, whatever the clock says then', async () => {
    await schedule();
    for (const days of [7, 8, 0]) {
      daysLater(days);
      await expectGone();
    }
    expect(await failureText(kms.decrypt({ CiphertextBlob: blob }))).toMatch(
      /^AccessDeniedException: /,
    );
  });

  test('not by a clock that jumps ten years ahead and comes back', async () => {
    const { DeletionDate } = await schedule();
    for (const hours of [0, 1, 23]) {
      daysLater(tenYears + hours / 24);
      await expectGone();
    }
    daysLater(1);
    const { KeyMetadata } = await kms.describeKey({ KeyId: key.KeyId });
    expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate });
    await expectUnharmed();
  });

  test.each([true, false])(
    'a day after its own date if the clock was ahead before (looked at since: %s)',
    async (seen) => {
      await schedule();
      const all = await paths();
      daysLater(tenYears);
      await expectGone();
      if (seen) {
        daysLater(2);
        expect(await state()).toBe('PendingDeletion');
      }
      daysLater(7);
      await expectGone();
      expect(await paths()).toEqual(all);
      daysLater(8);
      await expectGone();
      expect(await paths()).toEqual(before);
    },
  );

  test('no earlier if the clock was ten years behind when it was scheduled', async () => {
    daysLater(-tenYears);
    expect((await schedule()).DeletionDate).toEqual(new Date(start.getTime() + 7 * day));
    daysLater(6.9);
    expect(await state()).toBe('PendingDeletion');
    await expectUnharmed();
  });

  test('no earlier if the clock falls ten years behind while it waits', async () => {
    const { DeletionDate } = await schedule();
    daysLater(-tenYears);
    expect(await state()).toBe('PendingDeletion');
    daysLater(6.9);
    const { KeyMetadata } = await kms.describeKey({ KeyId: key.KeyId });
    expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate });
    await expectUnharmed();
  });

  test('a day after it was found gone again if the clock fell behind in between', async () => {
    await schedule();
    const all = await paths();
    daysLater(7);
    await expectGone();
    daysLater(-tenYears);
    expect(await state()).toBe('PendingDeletion');
    daysLater(9);
    await expectGone();
    expect(await paths()).toEqual(all);
    daysLater(10);
    await expectGone();
    expect(await paths()).toEqual(before);
  });

  test('without the alias that was given to another key meanwhile', async () => {
    await schedule();
    daysLater(7);
    const other = await newKey(kms);
    await kms.createAlias({ AliasName, TargetKeyId: other.KeyId });
    daysLater(6);
    expect(await state()).toBe('PendingDeletion');
    expect((await kms.listAliases({ KeyId: key.KeyId })).Aliases).toEqual([]);
    for (const days of [7, 8]) {
      daysLater(days);
      await expectGone();
    }
    expect((await kms.describeKey({ KeyId: AliasName })).KeyMetadata?.Arn).toBe(other.Arn);
    expect(await paths()).toHaveLength(before.length + 3);
  });
});
