import { isPrimary, type KeyRecord, type MaterialEntry, stateOf } from './key-record.ts';

export const dayInMilliseconds = 86_400_000;

// A clock that is wrong is put right within hours as a rule. What has come to its end is treated so
// at once, but destroyed only when a second look, so much later, finds the same.
const graceInMilliseconds = dayInMilliseconds;

// Of 90 days at least: a store that was not opened for a year has all that fell due. More are rather
// the work of a clock that is ahead, whose materials would stay when it is put right; the last of them
// does as well as all.
const mostRotationsAtOnce = 4;

/** Tells whether a key's deletion date has passed: from then on it cannot be found. */
export function isGone({ deletionDate }: KeyRecord, now: number): boolean {
  return deletionDate !== undefined && deletionDate <= now;
}

/** Tells whether something that was first seen to be due at `since` may be destroyed. */
export function isCertain(since: number | undefined, now: number): boolean {
  return since !== undefined && since + graceInMilliseconds <= now;
}

/** The changes that time has made to a key since its record was written. */
export interface Settlement {
  readonly record: KeyRecord;
  /** The dates of automatic rotations that fell due; each needs fresh material. */
  readonly rotationDates: readonly number[];
  /** The imported materials that are to be destroyed. */
  readonly destroyed: readonly string[];
}

/** Tells whether time can do anything to a key at all. */
export function hasTerms(record: KeyRecord): boolean {
  return (
    record.deletionDate !== undefined ||
    record.deletionWindowInDays !== undefined ||
    record.rotation !== undefined ||
    record.materials.some(({ validTo }) => validTo !== undefined)
  );
}

/** A key that is enabled again: rotations that fell due meanwhile are made up for by one, at once. */
export function withRotationResumed(record: KeyRecord, now: number): KeyRecord {
  const { rotation } = record;
  if (rotation === undefined || rotation.nextDate >= now || !isPrimary(record)) return record;
  return { ...record, rotation: { ...rotation, nextDate: now } };
}

/** Works out what is due for a key that is not gone; undefined if nothing is. */
export function settle(record: KeyRecord, now: number): Settlement | undefined {
  const { materials, destroyed } = settleMaterials(record.materials, now);
  const { rotation, rotationDates } = settleRotation(record, now);
  const { overdueSince, ...kept } = record;
  if (
    overdueSince === undefined &&
    materials === record.materials &&
    rotation === record.rotation
  ) {
    return undefined;
  }
  return {
    record: { ...kept, materials, ...(rotation && { rotation }) },
    rotationDates,
    destroyed,
  };
}

function settleMaterials(materials: readonly MaterialEntry[], now: number) {
  const destroyed: string[] = [];
  const settled = materials.map((entry) => {
    const { validTo, expiredSince, ...lasting } = entry;
    if (validTo === undefined) return entry;
    if (validTo > now) {
      // The clock was ahead when it seemed to have expired.
      return expiredSince === undefined
        ? entry
        : { ...lasting, validTo, importState: 'IMPORTED' as const };
    }
    if (isCertain(expiredSince, now)) {
      destroyed.push(entry.id);
      const { expirationModel: _, ...bare } = lasting;
      return bare;
    }
    if (expiredSince !== undefined && expiredSince <= now) return entry;
    return { ...entry, importState: 'PENDING_IMPORT' as const, expiredSince: now };
  });
  const same = settled.every((entry, i) => entry === materials[i]);
  return { materials: same ? materials : settled, destroyed };
}

function settleRotation(record: KeyRecord, now: number) {
  const { rotation } = record;
  const rotationDates: number[] = [];
  // A replica is rotated with its primary key; a key that is disabled or pending deletion, when it
  // is enabled again.
  if (rotation === undefined || !isPrimary(record) || stateOf(record) !== 'Enabled') {
    return { rotation, rotationDates };
  }
  const period = rotation.periodInDays * dayInMilliseconds;
  const last = lastChangeOfMaterial(record, now);
  // A date before that was set while the clock was behind.
  let nextDate = rotation.nextDate < last ? Math.max(last + period, now) : rotation.nextDate;
  const missed = Math.max(0, Math.floor((now - nextDate) / period) + 1);
  if (missed > mostRotationsAtOnce) nextDate += (missed - 1) * period;
  while (nextDate <= now) {
    rotationDates.push(nextDate);
    nextDate += period;
  }
  // The clock was ahead when the key was last rotated.
  if (nextDate > now + period + dayInMilliseconds) nextDate = now + period;
  return {
    rotation: nextDate === rotation.nextDate ? rotation : { ...rotation, nextDate },
    rotationDates,
  };
}

/** When the key got the material that it has; what is dated later was done with a clock ahead. */
function lastChangeOfMaterial({ creationDate, materials }: KeyRecord, now: number): number {
  const dates = materials.map(({ rotationDate = creationDate }) => rotationDate);
  return Math.max(0, ...dates.filter((date) => date <= now));
}
