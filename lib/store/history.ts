import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { keyIdBytes } from '../model/key-id.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { Fence } from './fence.ts';
import type { KeyStore, Stamp, StoreHistory, StoreOrigin } from './key-store.ts';
import { retry } from './retry.ts';
import { openState, sealState } from './sealed-state.ts';
import { damaged } from './store-errors.ts';

/** Path of the note of which database the store is in: authenticated, and not copied to another. */
export const historyPath = 'history';

/** The database of a store, since the fence that said so. */
interface Accepted {
  /** Another one for each store, also for a copy. */
  readonly id: string;
  readonly system: string;
  readonly timeline: number;
  readonly fence: string;
}

/** The latest state of a database that processes here have seen. */
interface Seen {
  readonly system: string;
  readonly timeline: number;
  readonly position: string;
  readonly fence: string;
  /** Whether a process has seen that it was put back or lost commits, which only a fence ends. */
  readonly isInDoubt?: true;
}

interface Options {
  readonly store: KeyStore;
  readonly native: Native;
  readonly rootKey: RootKey;
  readonly identity: { readonly storeId: string };
  readonly fence: Fence;
  /** Beside the root key's, so that no copy of the database has it; undefined if there is none. */
  readonly file: string | undefined;
}

// A database is put back by minutes, and a failover gives itself away by the timeline.
const noteEvery = 5000;

/**
 * Remembers which database a store is in, and how far it was: in the store itself, which a restored copy or
 * a promoted standby contradicts, and in a file outside it, which an earlier state contradicts. If so,
 * the store is in doubt until it is fenced.
 */
export class History {
  readonly #options: Options;
  readonly #id: Uint8Array;
  readonly #history: StoreHistory | undefined;
  #accepted: Accepted | undefined;
  /** When it was read last. */
  #stamp: Stamp | undefined;
  /** Whether what is in the store was the only reason to doubt. */
  #isDoubtOfRecord = false;
  #fenceAtDoubt = 0n;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#id = keyIdBytes(options.identity.storeId);
    this.#history = options.store.history;
    this.#history?.onDoubt(() => {
      this.#fenceAtDoubt = options.fence.last;
      if (!this.#isDoubtOfRecord) this.#noteDoubt();
    });
  }

  /** Compares the store with what is remembered, now and whenever others may have changed it. */
  async follow(): Promise<void> {
    if (this.#history === undefined) return;
    await this.#read();
    await this.#compareFile();
    this.#note();
    // The next request that needs the store is told of what fails here.
    const look = () => void this.#look().catch(() => {});
    this.#options.store.onChanged(look);
    this.#options.fence.onRaised(look);
    this.#timer = setInterval(look, noteEvery).unref();
  }

  /** The highest number of a fence that processes here have seen. */
  get lastFence(): bigint {
    const { fence, file } = this.#options;
    const seen = file && this.#accepted && readSeen(file)?.[this.#accepted.id];
    const noted = seen ? BigInt(seen.fence) : 0n;
    return noted > fence.last ? noted : fence.last;
  }

  /** Says, after a fence was raised, that this database is the store's. @throws KmsError */
  async renew(): Promise<void> {
    const history = this.#history;
    if (history === undefined) return;
    // Another process may just be noting what it sees.
    await retry(() => this.#write());
    history.accept();
    this.#isDoubtOfRecord = false;
    this.#note({ isFenced: true });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#note();
  }

  async #look(): Promise<void> {
    await this.#read();
    this.#note();
    // Another process may have replaced the file that said so.
    if (this.#history?.doubt !== undefined && !this.#isDoubtOfRecord) this.#noteDoubt();
  }

  async #read(): Promise<void> {
    const { store, fence } = this.#options;
    const history = this.#history as StoreHistory;
    const { origin, doubt } = history;
    const isKnown = this.#stamp !== undefined && store.holds(historyPath, this.#stamp);
    if (isKnown && doubt === undefined && this.#isAccepted(origin)) return;
    this.#stamp = store.stamp();
    const bytes = await store.get(historyPath);
    const accepted = this.#known(bytes);
    if (origin === undefined) return;
    if (bytes !== undefined && accepted === undefined) {
      history.suspect('its note of the database that it is in is not as pairmint wrote it');
      return;
    }
    if (accepted === undefined) {
      // A store that is new, or was made before this was noted.
      if (history.doubt === undefined) await this.#write();
      return;
    }
    this.#accepted = accepted;
    if (isSame(accepted, origin)) {
      const isFenced = BigInt(accepted.fence) > this.#fenceAtDoubt;
      if (history.doubt !== undefined && (isFenced || this.#isDoubtOfRecord)) history.accept();
      if (history.doubt === undefined) this.#isDoubtOfRecord = false;
      return;
    }
    if (history.doubt !== undefined) return;
    if (this.#hasFollowed(origin)) {
      await this.#write();
      return;
    }
    this.#isDoubtOfRecord = true;
    history.suspect('it is in another database, or its server was restored or promoted');
    this.#fenceAtDoubt = fence.last;
  }

  #isAccepted(origin: StoreOrigin | undefined): boolean {
    const accepted = this.#accepted;
    return origin !== undefined && accepted !== undefined && isSame(accepted, origin);
  }

  /** Whether this process has seen the earlier database become this one, with nothing lost. */
  #hasFollowed({ system }: StoreOrigin): boolean {
    return this.#timer !== undefined && this.#accepted?.system === system;
  }

  /** False if another process has written meanwhile. */
  async #write(): Promise<boolean> {
    const { store, native, rootKey, fence } = this.#options;
    const origin = this.#history?.origin;
    if (origin === undefined) return true;
    const expected = await store.get(historyPath);
    const id = this.#known(expected)?.id ?? randomUUID();
    const { system, timeline } = origin;
    const accepted: Accepted = { id, system, timeline, fence: `${fence.last}` };
    const state = { history: accepted };
    const next = sealState(native, rootKey, this.#id, { sequence: 0n, state });
    const isDone = await store.commit([{ path: historyPath, expected, next }]);
    if (isDone) this.#accepted = accepted;
    return isDone;
  }

  /** One that is damaged is replaced by a fence. */
  #known(bytes: Uint8Array | undefined): Accepted | undefined {
    try {
      return bytes && this.#open(bytes);
    } catch {
      return undefined;
    }
  }

  #open(bytes: Uint8Array): Accepted {
    const { native, rootKey } = this.#options;
    const opened = openState(native, rootKey, this.#id, bytes);
    const { history } = (opened?.state ?? {}) as { history?: Accepted };
    if (history === undefined) throw damaged(historyPath);
    return history;
  }

  async #compareFile(): Promise<void> {
    const { fence, file } = this.#options;
    const history = this.#history as StoreHistory;
    const seen = file && this.#accepted && readSeen(file)?.[this.#accepted.id];
    if (!seen) return;
    // In this order: another process may just have noted what is later than this one has seen.
    await history.look();
    const lastFence = await fence.read().catch(() => fence.last);
    const { origin } = history;
    if (origin === undefined) return;
    const seenFence = BigInt(seen.fence);
    // A later fence has said that this is the store.
    if (lastFence > seenFence) return;
    // An earlier timeline is that of a server whose place another one took.
    const isBack =
      seen.system === origin.system &&
      (seen.timeline > origin.timeline ||
        (seen.timeline === origin.timeline && BigInt(seen.position) > origin.position));
    if (!seen.isInDoubt && !isBack && lastFence >= seenFence) return;
    this.#isDoubtOfRecord = false;
    history.suspect('it was put back to an earlier state');
  }

  /** Tells processes that are started later, which cannot see it themselves. */
  #noteDoubt(): void {
    const { fence, file } = this.#options;
    const accepted = this.#accepted;
    if (file === undefined || accepted === undefined) return;
    const all = readSeen(file);
    if (all === undefined || all[accepted.id]?.isInDoubt) return;
    const { system, timeline } = accepted;
    const there = all[accepted.id] ?? { position: '0', fence: '0' };
    const last = BigInt(there.fence) > fence.last ? BigInt(there.fence) : fence.last;
    const { position } = there;
    all[accepted.id] = { system, timeline, position, fence: `${last}`, isInDoubt: true };
    replaceFile(file, JSON.stringify(all));
  }

  /** Notes how far the database is, unless it is in doubt; the highest of several processes' notes stays. */
  #note({ isFenced = false } = {}): void {
    const { fence, file } = this.#options;
    const { origin, doubt } = this.#history ?? {};
    if (file === undefined || this.#accepted === undefined) return;
    if (origin === undefined || doubt !== undefined || !isSame(this.#accepted, origin)) return;
    const { system, timeline, position } = origin;
    const all = readSeen(file);
    if (all === undefined) return;
    const there = all[this.#accepted.id];
    const isOfFence = there !== undefined && BigInt(there.fence) === fence.last;
    const isAhead =
      isOfFence &&
      there.system === system &&
      (there.timeline > timeline ||
        (there.timeline === timeline && BigInt(there.position) >= position));
    // After a fence the note counts from what the database has, which may be less than before.
    if (!isFenced && (isAhead || (isOfFence && there.isInDoubt))) return;
    all[this.#accepted.id] = { system, timeline, position: `${position}`, fence: `${fence.last}` };
    replaceFile(file, JSON.stringify(all));
  }
}

function isSame(accepted: Accepted, { system, timeline }: StoreOrigin): boolean {
  return accepted.system === system && accepted.timeline === timeline;
}

/** Undefined if it cannot be read, so that it must not be replaced. */
function readSeen(file: string): Record<string, Seen> | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // There is none yet, or it is not ours: what is in the store still tells most.
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isAbsent || error instanceof SyntaxError ? {} : undefined;
  }
}

/** Whole, for other processes read it. A folder that cannot be written to has none. */
function replaceFile(file: string, text: string): void {
  const made = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(made, text, { mode: 0o600, flag: 'wx' });
    renameSync(made, file);
  } catch {
    rmSync(made, { force: true });
  }
}
