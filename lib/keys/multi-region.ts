import { type KeyRecord, regionsOf, withoutImport } from './key-record.ts';
import { dayInMilliseconds } from './settlement.ts';

/** What the regions of a multi-Region key have in common. */
export function sharedOf({ regions, rotation, currentMaterialId, materials }: KeyRecord) {
  return { regions, rotation, currentMaterialId, materials: materials.map(withoutImport) };
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

/** The record of a multi-Region key after the key of region `gone` was destroyed. */
export function withoutRegion(record: KeyRecord, gone: string, now: number): KeyRecord {
  const { deletionWindowInDays, ...kept } = record;
  const { primary, replicas } = regionsOf(record);
  const regions = { primary, replicas: replicas.filter((replica) => replica !== gone) };
  if (regions.replicas.length > 0 || deletionWindowInDays === undefined) {
    return { ...record, regions };
  }
  return { ...kept, regions, deletionDate: now + deletionWindowInDays * dayInMilliseconds };
}
