import { ConfigurationError } from '../core/configuration-error.ts';
import { poolRecordPattern } from '../pool/pool-directory.ts';
import type { Change } from '../store/change.ts';
import { entriesOf } from '../store/entries.ts';
import { historyPath } from '../store/history.ts';
import { type Entry, type KeyStore, sameValue } from '../store/key-store.ts';
import { movePath } from '../store/move-mark.ts';
import { formatPath, identityPath } from '../store/store-identity.ts';
import type { readersOf } from './readers.ts';

type Side = ReturnType<typeof readersOf>;

const comparedAtOnce = 100;
const mostFaults = 3;

/** Makes the records of the target those of the source, but for those that are each one's own. */
export async function copyRecords({ store }: Side, { store: target }: Side): Promise<void> {
  for await (const entries of pagesOf(store)) {
    const there = await target.getAll(entries.map(({ path }) => path));
    const changes = entries.flatMap(({ path, value }, i): Change[] =>
      sameValue(there[i], value) ? [] : [{ path, expected: there[i], next: value }],
    );
    await apply(target, changes);
  }
  // What the source had when an earlier copy was given up.
  for await (const entries of pagesOf(target)) {
    const here = await store.getAll(entries.map(({ path }) => path));
    const gone = entries.filter((_entry, i) => here[i] === undefined);
    await apply(
      target,
      gone.map(({ path, value }) => ({ path, expected: value, next: undefined })),
    );
  }
}

/** @throws ConfigurationError if a value is not as expected */
export async function apply(target: KeyStore, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0 || (await target.commit(changes))) return;
  throw new ConfigurationError(`another process writes to ${target.url}`);
}

/** Compares all records of both stores and says how many they are. @throws ConfigurationError */
export async function compareRecords(source: Side, to: Side): Promise<number> {
  let records = 0;
  for (const [one, other] of [
    [source.store, to.store],
    [to.store, source.store],
  ] as const) {
    records = 0;
    for await (const entry of entriesOf(one)) {
      if (isOwn(entry.path)) continue;
      records++;
      const value = await other.get(entry.path);
      const theirs = value && { path: entry.path, value };
      if (theirs === undefined || !isSame(to, entry, theirs)) {
        throw refused(to.store, `is not as ${source.store.url}`, [`${entry.path} differs`]);
      }
    }
  }
  return records;
}

function isSame({ pools }: Side, one: Entry, other: Entry): boolean {
  if (poolRecordPattern.test(one.path)) return pools.isAdopted(one, other);
  return sameValue(one.value, other.value);
}

/** The entries of a store that are copied as they are, some at a time. */
async function* pagesOf(store: KeyStore): AsyncGenerator<Entry[]> {
  let page: Entry[] = [];
  for await (const entry of entriesOf(store)) {
    if (isOwn(entry.path) || poolRecordPattern.test(entry.path)) continue;
    page.push(entry);
    if (page.length < comparedAtOnce) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Whether a record is of one store and not of its copy, or written at the end. */
function isOwn(path: string): boolean {
  return [formatPath, identityPath, movePath, historyPath].includes(path);
}

/** What is wrong with a store, so that the copy ends. */
export function refused(
  store: KeyStore,
  what: string,
  faults: readonly string[],
): ConfigurationError {
  const shown = faults.slice(0, mostFaults).join('; ');
  const others = faults.length > mostFaults ? `, and ${faults.length - mostFaults} more` : '';
  return new ConfigurationError(`the store ${store.url} ${what}: ${shown}${others}`);
}
