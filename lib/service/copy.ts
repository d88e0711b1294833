import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigurationError } from '../core/configuration-error.ts';
import { loadNative, type Native, type RootKey } from '../native/addon.ts';
import { PoolDirectory, poolRecordPattern } from '../pool/pool-directory.ts';
import type { Change } from '../store/change.ts';
import { entriesOf } from '../store/entries.ts';
import { History } from '../store/history.ts';
import type { KeyStore } from '../store/key-store.ts';
import { MovableStore } from '../store/movable-store.ts';
import { type MoveMark, movePath, openMark, reasonOf, sealMark } from '../store/move-mark.ts';
import { connect, openExistingRootKey } from '../store/open-store.ts';
import { type Places, placesOf, storeStateAt } from '../store/places.ts';
import { formatPath, identityPath, readIdentity } from '../store/store-identity.ts';
import { type OwnMark, requireMark, whileMarked } from '../store/while-marked.ts';
import { checkStore } from './check.ts';
import { apply, compareRecords, copyRecords, refused } from './copy-records.ts';
import { readersOf } from './readers.ts';

export interface CopyOptions {
  /** The store that is left; by default as for `Pairmint.open`. */
  readonly from?: string | undefined;
  /** The store that takes its place: it is empty, or an unfinished copy. */
  readonly to: string;
  readonly rootKeyFile?: string | undefined;
}

/** What was copied to a store. */
export interface CopyReport {
  readonly from: string;
  readonly to: string;
  /** How many records there are. */
  readonly records: number;
  /** How many pairs wait in pools. */
  readonly pairs: number;
  readonly batches: number;
}

type Keys = Pick<Side, 'native' | 'rootKey' | 'identity'>;
type Side = ReturnType<typeof readersOf>;

/** One run of a copy: of several, which may hang and go on, only the last changes anything. */
interface Run {
  readonly copyId: string;
  readonly attempt: string;
  readonly arriving: OwnMark;
}

// Longer than any process serves without having heard of a change: a second, or half of one until a
// file is looked at again.
const untilHeard = 2000;

/**
 * Moves all that a store has to another one, of any kind, which is used with the same root key from
 * then on. All processes that have the store open are refused from the beginning; the other store can be
 * used at the end. A copy that was interrupted is finished by the same call.
 *
 * @throws ConfigurationError if it cannot be done: until the end, `giveUpCopy` has the store back
 */
export async function copyStore(options: CopyOptions): Promise<CopyReport> {
  const from = placesOf({ store: options.from, rootKeyFile: options.rootKeyFile });
  const to = placesOf({ store: options.to, rootKeyFile: options.rootKeyFile });
  requireLasting(from, to);
  const native = loadNative();
  const rootKey = openExistingRootKey(native, from);
  return using(connect(from, native, { create: false }), async (source) => {
    const { rootKeyFile } = from;
    const drawnFile = drawnFileOf(from);
    const side = await sideOf(source, { native, rootKey, drawnFile, rootKeyFile });
    return using(connect(to, native, { create: true }), (target) =>
      move(side, target, drawnFileOf(to)),
    );
  });
}

/** The same for a store that this process has open. */
export async function copyOpenStore(
  store: KeyStore,
  { native, rootKey }: { native: Native; rootKey: RootKey },
  target: { store: string; storePassword?: (() => string | Promise<string>) | undefined },
): Promise<CopyReport> {
  const [from, to] = [placesOf({ store: store.url }), placesOf(target)];
  requireLasting({ ...from, given: '' }, to);
  const bare = store instanceof MovableStore ? store.bare : store;
  const side = await sideOf(bare, { native, rootKey, drawnFile: drawnFileOf(from) });
  const opening = connect(to, native, { create: true, storePassword: target.storePassword });
  return using(opening, (opened) => move(side, opened, drawnFileOf(to)));
}

/**
 * Goes on with a store that was to be moved, if the copy was not finished; the other store stays an
 * unfinished copy. False if there is no copy to give up.
 *
 * @throws ConfigurationError if the store was moved
 */
export async function giveUpCopy(options: {
  store?: string | undefined;
  rootKeyFile?: string | undefined;
}): Promise<boolean> {
  const places = placesOf(options);
  if (places.given === 'memory:') return false;
  const native = loadNative();
  const rootKey = openExistingRootKey(native, places);
  return using(connect(places, native, { create: false }), async (store) => {
    const identity = await readIdentity(store, native, rootKey);
    const bytes = await store.get(movePath);
    const mark = openMark({ native, rootKey, identity }, bytes);
    if (mark?.part !== 'leaving') return false;
    // With another id: a copier that hangs, not killed, must not complete what was given up.
    const given = { part: 'here', copyId: randomUUID(), url: mark.url } as const;
    const next = sealMark({ native, rootKey, identity }, given);
    return store.commit([{ path: movePath, expected: bytes, next }]);
  });
}

async function move(
  source: Side,
  target: KeyStore,
  drawnFile: string | undefined,
): Promise<CopyReport> {
  const { native, rootKey, identity } = source;
  try {
    const run = await begin(source, target);
    const to = readersOf(whileMarked(run.arriving), { native, rootKey, identity, drawnFile });
    try {
      return await holding(run.arriving, () => moveTo(source, to, run, drawnFile !== undefined));
    } finally {
      to.drawn.close();
    }
  } finally {
    source.drawn.close();
  }
}

async function moveTo(
  source: Side,
  to: Side,
  run: Run,
  hasDrawnFile: boolean,
): Promise<CopyReport> {
  const { store: target } = run.arriving;
  const leaving = await beginLeaving(source, run);
  const copied = await holding(leaving, async () => {
    if (leaving !== undefined) await copyAll(held(source, leaving), to, run, hasDrawnFile);
    const records = await compareRecords(source, to);
    const { pairs, faults } = await checkStore(to);
    if (faults.length > 0) throw refused(target, 'is not sound', faults);
    return { records: records + 2, pairs, batches: (await to.store.batches.names()).length };
  });
  // From here on the source is not used again; the target is not used before.
  if (leaving !== undefined) await leave(source, run, leaving);
  await finish(source, run);
  return { from: source.store.url, to: target.url, ...copied };
}

/** What fails may fail only because the mark is not this run's own any more: that is said, then. */
async function holding<T>(mark: OwnMark | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (mark !== undefined) await requireMark(mark);
    throw error;
  }
}

/** The source as it is read and its pairs are taken while it has this run's mark. */
function held(source: Side, leaving: OwnMark): Side {
  const store = whileMarked(leaving);
  return { ...source, store, pools: new PoolDirectory({ ...source, store }) };
}

async function copyAll(source: Side, to: Side, run: Run, hasDrawnFile: boolean): Promise<void> {
  await pause(untilHeard);
  await copyRecords(source, to);
  await movePairs(source, to, run, hasDrawnFile);
  await to.batches.copyFrom(source.batches);
}

/**
 * Marks the target as a copy that is not finished and that this run goes on with, unless it is one
 * already whose earlier run ends by this.
 *
 * @throws ConfigurationError if there is something else, or the copy cannot be begun
 */
async function begin(source: Side, target: KeyStore): Promise<Run> {
  const { store, native, rootKey, identity } = source;
  const keys = { native, rootKey, identity };
  const own = openMark(keys, await store.get(movePath));
  const expected = await target.get(movePath);
  const there = expected && markOf(keys, expected);
  if (expected !== undefined) {
    const isOurs = there?.part === 'arriving' && own?.copyId === there.copyId;
    if (own?.part === 'left' && !isOurs) throw isLeft(store, own);
    if (there?.part !== 'arriving') throw notEmpty(target, 'it is another store, or was one');
  } else {
    if (own?.part === 'left') throw isLeft(store, own);
    if (source.pools.needsFence) {
      throw new ConfigurationError(`the store ${store.url} was itself copied or put back`, {
        hint: `say first that it is the one to go on with: pairmint store fence --store ${store.url}`,
      });
    }
    const [first] = await target.list('', { limit: 1 });
    if (first !== undefined) throw notEmpty(target, 'it has records');
  }
  const { copyId, url } = there ?? { copyId: randomUUID(), url: store.url };
  const attempt = randomUUID();
  const next = sealMark(keys, { part: 'arriving', copyId, url, attempt });
  const changes: Change[] = [{ path: movePath, expected, next }];
  // Otherwise another process could make a store here after the look, and before the commit.
  for (const path of [formatPath, identityPath]) {
    changes.push({ path, expected: undefined, next: undefined });
  }
  if (!(await target.commit(changes))) {
    throw notEmpty(target, 'another process has just begun to copy there, or made a store');
  }
  const lost = () => isOvertaken(target);
  return { copyId, attempt, arriving: { store: target, bytes: next, lost } };
}

/** Undefined if the mark was not made with this root key for this store. */
function markOf(keys: Keys, bytes: Uint8Array): MoveMark | undefined {
  try {
    return openMark(keys, bytes);
  } catch {
    return undefined;
  }
}

/** @throws ConfigurationError if the source has a record, lot or chunk that is not sound */
async function requireSound(source: Side): Promise<void> {
  const { faults } = await checkStore(source);
  if (faults.length > 0) throw refused(source.store, 'is not sound, so it is not copied', faults);
}

/**
 * Marks the source as one that this run moves; undefined if it is left already, for this target.
 *
 * @throws ConfigurationError if it is not sound, or another copy has begun meanwhile
 */
async function beginLeaving(source: Side, run: Run): Promise<OwnMark | undefined> {
  const { store, ...keys } = source;
  if (await isLeftFor(source, run)) return undefined;
  await requireSound(source);
  // A run that hung until now must not stop the one that has overtaken it.
  await requireMark(run.arriving);
  const { copyId, attempt } = run;
  const { url } = run.arriving.store;
  const expected = await store.get(movePath);
  const there = openMark(keys, expected);
  if (there?.part !== 'left') {
    const bytes = sealMark(keys, { part: 'leaving', copyId, url, attempt });
    if (await store.commit([{ path: movePath, expected, next: bytes }])) {
      return { store, bytes, lost: () => isGivenUp(store) };
    }
  }
  if (await isLeftFor(source, run)) return undefined;
  throw isGivenUp(store);
}

/** Leaves the source for good. @throws ConfigurationError if its mark is not this run's own any more */
async function leave(source: Side, run: Run, leaving: OwnMark): Promise<void> {
  const { store, ...keys } = source;
  await requireMark(run.arriving);
  const next = sealMark(keys, { part: 'left', copyId: run.copyId, url: run.arriving.store.url });
  if (await store.commit([{ path: movePath, expected: leaving.bytes, next }])) return;
  if (!(await isLeftFor(source, run))) throw isGivenUp(store);
}

async function isLeftFor({ store, ...keys }: Side, { copyId }: Run): Promise<boolean> {
  const mark = openMark(keys, await store.get(movePath));
  return mark?.part === 'left' && mark.copyId === copyId;
}

/** Moves what waits in pools: each pair is durably gone from the source before it is in the target. */
async function movePairs(
  source: Side,
  to: Side,
  { arriving }: Run,
  hasDrawnFile: boolean,
): Promise<void> {
  if (hasDrawnFile) {
    // With the fence that was copied.
    await to.fence.follow();
    await to.drawn.resetIn(to.store.lots);
  }
  for await (const entry of entriesOf(source.store)) {
    if (!poolRecordPattern.test(entry.path)) continue;
    // Before pairs are taken out of the source that this run could not put into the target.
    await requireMark(arriving);
    await to.pools.moveFrom(source.pools, entry);
  }
  for await (const entry of entriesOf(to.store)) {
    if (!poolRecordPattern.test(entry.path)) continue;
    if ((await source.store.get(entry.path)) !== undefined) continue;
    await apply(to.store, [{ ...entry, expected: entry.value, next: undefined }]);
  }
  // What came in while the others heard of the move: these pairs are never answered.
  await source.store.lots.clear('', []);
}

/** Makes the target the store: in one commit, for it is one from then on. */
async function finish({ store, ...keys }: Side, { copyId, arriving }: Run): Promise<void> {
  const { store: target, bytes: expected, lost } = arriving;
  const next = sealMark(keys, { part: 'here', copyId, url: store.url });
  const changes: Change[] = [{ path: movePath, expected, next }];
  for (const path of [formatPath, identityPath]) {
    changes.push({ path, expected: undefined, next: await store.get(path) });
  }
  if (!(await target.commit(changes))) throw lost();
}

async function sideOf(
  store: KeyStore,
  keys: {
    native: Native;
    rootKey: RootKey;
    drawnFile: string | undefined;
    rootKeyFile?: string;
  },
): Promise<Side> {
  const identity = await readIdentity(store, keys.native, keys.rootKey);
  const side = readersOf(store, { ...keys, identity });
  // The file of drawn pools vouches for the store since a fence.
  await side.fence.follow();
  // A database that was put back must not be copied with its pairs.
  const file = keys.rootKeyFile && `${keys.rootKeyFile}.seen`;
  const history = new History({ ...keys, store, identity, fence: side.fence, file });
  await history.follow();
  history.close();
  return side;
}

/** Where the file of drawn pools of a store is, if it has one. */
function drawnFileOf({ file }: Pick<Places, 'file'>): string | undefined {
  return file && `${file}-drawn`;
}

/** @throws ConfigurationError if one of the stores ends with the process, or is not there, or is the other */
function requireLasting(from: Places, to: Places): void {
  for (const { given } of [from, to]) {
    if (given !== 'memory:') continue;
    throw new ConfigurationError('a store in memory ends with its process, and cannot be copied', {
      hint: 'a process copies its own: kms.store.copy(URL)',
    });
  }
  if (from.file !== undefined && storeStateAt(from.file) === 'none') {
    throw new ConfigurationError(`there is no store at ${from.store}`);
  }
  const isSame = from.file === undefined ? from.given === to.given : from.file === to.file;
  if (isSame) throw new ConfigurationError(`${from.store} cannot be copied to itself`);
}

async function using<S extends KeyStore, T>(
  opening: Promise<S>,
  use: (store: S) => Promise<T>,
): Promise<T> {
  const store = await opening;
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function isLeft(store: KeyStore, mark: MoveMark): ConfigurationError {
  return new ConfigurationError(`${reasonOf(store.url, mark)} already`);
}

function isGivenUp({ url }: KeyStore): ConfigurationError {
  return new ConfigurationError(`another copy of ${url} has begun, or this one was given up`);
}

function isOvertaken({ url }: KeyStore): ConfigurationError {
  return new ConfigurationError(
    `another process has gone on with the copy to ${url}, or has finished it, so this one ends`,
  );
}

function notEmpty(target: KeyStore, why: string): ConfigurationError {
  return new ConfigurationError(`${target.url} is not empty: ${why}`, {
    hint: 'name a store that is not there yet: --to sqlite:FILE, or another schema or database',
  });
}
