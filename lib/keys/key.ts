import type { AliasRecord, KeyRecord } from './key-record.ts';

/** A key as it was when it was read. */
export interface Key {
  readonly arn: string;
  readonly record: KeyRecord;
}

export interface Alias {
  readonly record: AliasRecord;
  readonly arn: string;
  readonly targetKeyId: string;
}
