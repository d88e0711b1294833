import type { Change } from '../store/change.ts';
import type { AliasRecord, KeyRecord } from './key-record.ts';

/** A key as it was when it was read. */
export interface Key {
  readonly arn: string;
  readonly record: KeyRecord;
}

/** A key with what the store held of it, to compare when it is changed. */
export interface ReadKey extends Key {
  readonly path: string;
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
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
