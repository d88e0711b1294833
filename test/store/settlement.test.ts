import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyRecord, MaterialEntry } from '../../lib/keys/key-record.ts';
import {
  dayInMilliseconds as day,
  hasTerms,
  isCertain,
  isGone,
  settle,
  withRotationResumed,
} from '../../lib/keys/settlement.ts';

const made = Date.parse('2026-01-01T00:00:00Z');
const at = (days: number) => made + days * day;

function record(changes: Partial<KeyRecord> = {}): KeyRecord {
  return {
    keyId: '11111111-2222-3333-4444-555555555555',
    region: 'us-east-1',
    accountId: '000000000000',
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    multiRegion: false,
    creationDate: made,
    description: '',
    enabled: true,
    currentMaterialId: 'a',
    materials: [{ id: 'a', state: 'CURRENT' }],
    aliases: [],
    tags: [],
    ...changes,
  };
}

const rotated = (nextDate: number, changes: Partial<KeyRecord> = {}) =>
  record({ rotation: { periodInDays: 90, nextDate }, ...changes });

const imported = (changes: Partial<MaterialEntry> = {}) =>
  record({
    origin: 'EXTERNAL',
    materials: [
      {
        id: 'a',
        state: 'CURRENT',
        importState: 'IMPORTED',
        expirationModel: 'KEY_MATERIAL_EXPIRES',
        validTo: at(10),
        ...changes,
      },
    ],
  });

describe('changes that fall due', () => {
  it.each([
    ['nothing', record(), false],
    ['a deletion', record({ deletionDate: at(7) }), true],
    ['the deletion of a primary key', record({ deletionWindowInDays: 7 }), true],
    ['a rotation', rotated(at(90)), true],
    ['an expiry', imported(), true],
  ])('is %s', (_what, key, expected) => {
    expect(hasTerms(key)).toBe(expected);
  });

  it('is not there before its time', () => {
    for (const key of [record(), rotated(at(90)), imported(), record({ deletionDate: at(7) })]) {
      expect(settle(key, at(6))).toBeUndefined();
    }
  });
});

describe('a deletion', () => {
  it('comes at its date and is certain a day after it was seen', () => {
    const key = record({ deletionDate: at(7) });
    expect([isGone(key, at(7) - 1), isGone(key, at(7))]).toEqual([false, true]);
    expect(isCertain(undefined, at(1000))).toBe(false);
    expect([isCertain(at(7), at(8) - 1), isCertain(at(7), at(8))]).toEqual([false, true]);
  });

  it('that was seen with a clock that was ahead is forgotten', () => {
    const key = record({ deletionDate: at(7), overdueSince: at(3650) });
    expect(settle(key, at(1))?.record).toEqual(record({ deletionDate: at(7) }));
  });
});

describe('rotations that fell due', () => {
  it('are all there, each with its date', () => {
    expect(settle(rotated(at(90)), at(275))).toEqual({
      record: rotated(at(360)),
      rotationDates: [at(90), at(180), at(270)],
      destroyed: [],
    });
  });

  it.each([
    ['disabled', { enabled: false }],
    ['pending deletion', { deletionDate: at(1000) }],
    ['pending replica deletion', { deletionWindowInDays: 7 }],
    ['a replica', { regions: { primary: 'eu-west-1', replicas: ['us-east-1'] } }],
  ])('wait if the key is %s', (_what, changes) => {
    expect(settle(rotated(at(90), changes), at(275))).toBeUndefined();
  });

  it('are made up for by one when the key is enabled again', () => {
    expect(withRotationResumed(rotated(at(90)), at(275)).rotation?.nextDate).toBe(at(275));
    const inTime = rotated(at(90));
    expect(withRotationResumed(inTime, at(80))).toBe(inTime);
    const replica = rotated(at(90), { regions: { primary: 'eu-west-1', replicas: ['us-east-1'] } });
    expect(withRotationResumed(replica, at(275))).toBe(replica);
    expect(withRotationResumed(record(), at(275))).toEqual(record());
  });

  it('are made up for by the last one if a clock jumps over more than four', () => {
    expect(settle(rotated(at(90)), at(449))?.rotationDates).toEqual([90, 180, 270, 360].map(at));
    const jumped = settle(rotated(at(90)), at(3650));
    expect(jumped?.rotationDates).toEqual([at(3600)]);
    expect(jumped?.record.rotation?.nextDate).toBe(at(3690));
    const farthest = settle(rotated(at(90)), 8.64e15);
    expect(farthest?.rotationDates.length).toBe(1);
  });

  it('come back into reach after a clock that was ahead', () => {
    const ahead = settle(rotated(at(90)), at(3650))?.record as KeyRecord;
    const settled = settle(ahead, at(1));
    expect(settled?.rotationDates).toEqual([]);
    expect(settled?.record.rotation?.nextDate).toBe(at(91));
  });

  it('are not made up by a clock that was behind', () => {
    const behind = settle(rotated(at(90)), at(-20_000))?.record as KeyRecord;
    expect(behind.rotation?.nextDate).toBe(at(-19_910));
    expect(settle(behind, at(5))).toEqual({
      record: rotated(at(90)),
      rotationDates: [],
      destroyed: [],
    });
  });

  it('come once, and not before their period, whatever the clock does', () => {
    const clock = fc.array(fc.integer({ min: -4000, max: 4000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(clock, (days) => {
        let key = rotated(at(90));
        for (const [n, now] of days.map(at).entries()) {
          const settlement = settle(key, now);
          if (settlement === undefined) continue;
          const { rotationDates } = settlement;
          expect(
            rotationDates.every(
              (date, i) => i === 0 || date === at(90 * i) + (rotationDates[0] as number) - made,
            ),
          ).toBe(true);
          expect(rotationDates.every((date) => date <= now)).toBe(true);
          const materials = rotationDates.map((rotationDate, i) => ({
            id: `${n}.${i}`,
            state: 'NON_CURRENT' as const,
            rotationDate,
          }));
          key = { ...settlement.record, materials: [...settlement.record.materials, ...materials] };
          const { nextDate } = key.rotation as NonNullable<KeyRecord['rotation']>;
          expect(nextDate).toBeGreaterThan(now);
          expect(nextDate).toBeLessThanOrEqual(now + 91 * day);
          expect(settle(key, now)).toBeUndefined();
        }
      }),
    );
  });
});

describe('imported material', () => {
  const entryAfter = (key: KeyRecord, now: number) => settle(key, now)?.record.materials[0];

  it('that has expired is pending import, and so it stays for a day', () => {
    const expired = imported({ importState: 'PENDING_IMPORT', expiredSince: at(10) });
    expect(settle(imported(), at(10))).toEqual({
      record: expired,
      rotationDates: [],
      destroyed: [],
    });
    expect(settle(expired, at(11) - 1)).toBeUndefined();
  });

  it('is destroyed when it is found expired a day later, and then looks like deleted material', () => {
    const expired = imported({ importState: 'PENDING_IMPORT', expiredSince: at(10) });
    const settlement = settle(expired, at(11));
    expect(settlement?.destroyed).toEqual(['a']);
    expect(settlement?.record.materials).toEqual([
      { id: 'a', state: 'CURRENT', importState: 'PENDING_IMPORT' },
    ]);
    expect(settle(settlement?.record as KeyRecord, at(4000))).toBeUndefined();
  });

  it('comes back when the clock was ahead', () => {
    const expired = imported({ importState: 'PENDING_IMPORT', expiredSince: at(3650) });
    expect(entryAfter(expired, at(1))).toEqual(imported().materials[0]);
  });

  it('that was first seen expired by a clock ahead waits a day from a sight that is right', () => {
    const expired = imported({ importState: 'PENDING_IMPORT', expiredSince: at(3650) });
    expect(entryAfter(expired, at(20))).toMatchObject({ expiredSince: at(20) });
  });

  it('that does not expire stays', () => {
    const { materials } = imported();
    const { validTo, ...lasting } = materials[0] as MaterialEntry;
    const key = record({ origin: 'EXTERNAL', materials: [lasting] });
    expect(settle(key, at(1_000_000))).toBeUndefined();
  });

  it('is settled one by one', () => {
    const [first] = imported().materials as [MaterialEntry];
    const second = { ...first, id: 'b', validTo: at(30) };
    const settlement = settle({ ...imported(), materials: [first, second] }, at(20));
    expect(settlement?.record.materials).toEqual([
      { ...first, importState: 'PENDING_IMPORT', expiredSince: at(20) },
      second,
    ]);
  });
});
