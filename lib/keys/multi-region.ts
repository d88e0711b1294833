import { isDeepStrictEqual } from 'node:util';
import type { Change } from '../store/change.ts';
import type { ReadKey, Replace } from './key.ts';
import { type KeyRecord, regionsOf, withImportsCounted, withoutImport } from './key-record.ts';
import { dayInMilliseconds } from './settlement.ts';

/** The members that all regions of a multi-Region key have in common. */
function sharedOf({ regions, rotation, currentMaterialId, materials }: KeyRecord) {
  return { regions, rotation, currentMaterialId, materials: materials.map(withoutImport) };
}

/** Tells whether what the regions of a multi-Region key have in common is other than before. */
export function changesShared(before: KeyRecord, after: KeyRecord): boolean {
  return after.regions !== undefined && !isDeepStrictEqual(sharedOf(after), sharedOf(before));
}

/** Gives to another region's record what it has in common with this one. */
export function sharing(record: KeyRecord): (other: KeyRecord) => KeyRecord {
  const { regions, rotation, currentMaterialId, materials } = sharedOf(record);
  return (other) => {
    const { rotation: _, currentMaterialId: __, ...own } = other;
    const imports = new Map(other.materials.map((entry) => [entry.id, entry]));
    const blank = record.origin === 'EXTERNAL' ? { importState: 'PENDING_IMPORT' as const } : {};
    return {
      ...own,
      ...(regions && { regions }),
      ...(rotation && { rotation }),
      ...(currentMaterialId !== undefined && { currentMaterialId }),
      materials: materials.map((entry) => ({ ...(imports.get(entry.id) ?? blank), ...entry })),
    };
  };
}

/** The changes that give to other regions' keys what they have in common with a record. */
export function sharedChanges(
  record: KeyRecord,
  others: readonly ReadKey[],
  replace: Replace,
): Change[] {
  const share = sharing(record);
  return others.map((other) => replace(other, share(other.record)));
}

/** The changes of the other regions' keys that go with the destruction of a multi-Region key. */
export function departure(
  gone: KeyRecord,
  others: readonly ReadKey[],
  { now, replace }: { now: number; replace: Replace },
): Change[] {
  const left = others.map(({ record }) => withoutRegion(record, gone.region, now));
  return others.map((other, i) => replace(other, withImportsCounted(left[i] as KeyRecord, left)));
}

/** The record of a multi-Region key after the key of region `gone` was destroyed. */
function withoutRegion(record: KeyRecord, gone: string, now: number): KeyRecord {
  const { deletionWindowInDays, ...kept } = record;
  const { primary, replicas } = regionsOf(record);
  const regions = { primary, replicas: replicas.filter((replica) => replica !== gone) };
  if (regions.replicas.length > 0 || deletionWindowInDays === undefined) {
    return { ...record, regions };
  }
  return { ...kept, regions, deletionDate: now + deletionWindowInDays * dayInMilliseconds };
}
