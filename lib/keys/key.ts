import type { Change } from '../store/change.ts';
import type { Row } from '../store/sealed-table.ts';
import type { AliasRecord, KeyRecord } from './key-record.ts';

/** A key as it was when it was read. */
export interface Key {
  readonly arn: string;
  readonly record: KeyRecord;
}

/** A key with the row of its record. */
export interface ReadKey extends Key, Row<KeyRecord> {
  /** Whether time can do anything to it. */
  readonly hasTerms: boolean;
}

/** Makes the change of a key's record to another. */
export type Replace = (key: ReadKey, record: KeyRecord) => Change;

export interface Alias {
  readonly record: AliasRecord;
  readonly arn: string;
  readonly targetKeyId: string;
}
