import type { Change } from '../change.ts';
import { sameValue } from '../key-store.ts';
import { bytesOf } from './cells.ts';
import type { Database, Statement } from './engine.ts';
import type { OpenFiles } from './open-files.ts';

/** The result of a step of a transaction: its answer, and whether earlier reads may be stale. */
export interface Step {
  readonly result: unknown;
  readonly changes: boolean;
}

export type Method = (writer: Writing, ...args: never[]) => Step;

/** A writing connection with its statements. */
export interface Writing {
  readonly file: string;
  readonly database: Database;
  readonly files: OpenFiles;
  readonly statement: (sql: string) => Statement;
}

export const changed = (result: unknown): Step => ({ result, changes: true });
export const unchanged = (result: unknown): Step => ({ result, changes: false });

export function areExpected({ statement }: Writing, changes: readonly Change[]): boolean {
  const get = statement('select value from record where path = ?');
  return changes.every(({ path, expected }) => {
    const row = get.get(path);
    return sameValue(row && bytesOf(row.value), expected);
  });
}

export function apply({ database, statement }: Writing, changes: readonly Change[]): boolean {
  // Deleted key material must be overwritten, not just unlinked.
  database.exec('pragma secure_delete = on');
  for (const { path, expected, next } of changes) {
    if (next === undefined) statement('delete from record where path = ?').run(path);
    else if (expected === undefined || !sameValue(expected, next)) {
      statement(
        'insert into record (path, value) values (?, ?) on conflict (path) do update set ' +
          'value = excluded.value',
      ).run(path, next);
    }
  }
  database.exec('pragma secure_delete = fast');
  return true;
}
