import { randomUUID } from 'node:crypto';
import os from 'node:os';
import type { Stamp } from '../key-store.ts';
import { StoreError } from '../store-errors.ts';
import { DatabaseClock } from './clock.ts';
import type { Connections } from './connections.ts';
import type { Row } from './driver.ts';
import { Heard } from './heard.ts';
import { type Lineage, type Sighting, sightingColumns, sightingOf } from './lineage.ts';
import { elapsed, type Moment, moment, never } from './moment.ts';

/** How long, in milliseconds, a process may go without hearing of changes. */
export interface Staleness {
  /** How old what a request is served by may be. */
  readonly bound: number;
  /** How often the process asks. */
  readonly every: number;
}

export const usualStaleness: Staleness = { bound: 1000, every: 250 };

// Longer than a busy machine takes: an answer that comes late counts from when it was asked for.
const askLimit = 2000;
const registerEvery = 5000;
// A process that is not registered remembers nothing, long before others stop waiting for it.
const registeredFor = 30_000;
const waitedFor = "interval '60 seconds'";
// Others remove a registration after a day.
const longestRegistered = 43_200_000;
// Removed records are noted for an hour.
const longestSilence = 600_000;
const mostChanges = 1000;
const tidyEvery = 600_000;

/**
 * Hears of other processes' changes by asking for them on a connection of its own, and lets the
 * others know that this process is there.
 */
export class Follower {
  /** Names this process among those that have the store open. */
  readonly machine = randomUUID();
  readonly clock = new DatabaseClock();
  readonly #connections: Connections;
  readonly #schema: string;
  readonly #staleness: Staleness;
  readonly #listeners: (() => void)[] = [];
  readonly #onReadOnly: () => void;
  readonly #lineage: Lineage;
  readonly #heard = new Heard();
  #epoch: number | undefined;
  /** When the last answered question was asked. */
  #askedAt = never;
  /** When it was registered last, in microseconds by the database's clock: an earlier state has an earlier time. */
  #sign: bigint | undefined;
  /** How many connections had been made when the database was last compared. */
  #settled = 0;
  #settling: Promise<void> | undefined;
  #registeredAt = never;
  #tidyAt = performance.now() + tidyEvery * Math.random();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #running: Promise<void> = Promise.resolve();

  /** @param onReadOnly called if the server takes no writes any more */
  constructor(
    connections: Connections,
    options: {
      schema: string;
      staleness: Staleness;
      lineage: Lineage;
      onReadOnly: () => void;
    },
  ) {
    this.#connections = connections;
    this.#schema = options.schema;
    this.#staleness = options.staleness;
    this.#onReadOnly = options.onReadOnly;
    this.#lineage = options.lineage;
    this.#lineage.lookBy(() => this.#ask(performance.now() + askLimit));
    this.#lineage.onDoubt(() => {
      this.#heard.dropAll();
      for (const listener of this.#listeners) listener();
    });
  }

  /** Registers this process and begins to ask. @throws what the driver throws */
  async start(): Promise<void> {
    const end = performance.now() + askLimit;
    // First: a change that is made from now on waits for this process.
    await this.#register(end);
    const { connections } = this.#lineage;
    await this.#ask(end);
    this.#settled = connections;
    this.#schedule();
  }

  /**
   * Resolves when the database was compared with what this process has seen, and has a new registration of it,
   * since the last connection was made. So a process that answers pairs has left a mark in the database that
   * they came from, which an earlier state does not have.
   *
   * @param end by performance.now()
   * @throws what the driver throws
   */
  async settle(end: number): Promise<void> {
    if (this.#settled === this.#lineage.connections) return;
    this.#settling ??= this.#compareAnew(end).finally(() => {
      this.#settling = undefined;
    });
    await this.#settling;
  }

  async #compareAnew(end: number): Promise<void> {
    while (this.#settled !== this.#lineage.connections) {
      const { connections } = this.#lineage;
      // In this order: a registration would hide what the question finds.
      await this.#ask(end);
      await this.#register(end);
      this.#settled = connections;
    }
  }

  onChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  stamp(): Stamp | undefined {
    return this.#isFresh ? this.#heard.stamp : undefined;
  }

  holds(path: string, stamp: Stamp): boolean {
    return this.#isFresh && this.#heard.holds(path, stamp);
  }

  /** Notes changes of this process; no paths: of any. */
  made(paths: readonly string[] | undefined, epoch = 0): void {
    if (paths === undefined) this.#heard.dropAll();
    else this.#heard.made(paths, epoch);
  }

  /**
   * Resolves when no process serves any more by what was there before a change that is done. Others
   * may have asked right before it.
   */
  async untilHeard(): Promise<void> {
    const since = performance.now();
    if (!(await this.#hasOthers())) return;
    const left = this.#staleness.bound - (performance.now() - since);
    if (left > 0) await new Promise((done) => setTimeout(done, left));
  }

  /** How many other processes have the store open. */
  async others(): Promise<number> {
    const text = `select count(*)::int as n from ${this.#schema}.machine where id <> $1 and seen > now() - ${waitedFor}`;
    const values = [this.machine];
    const [row] = await this.#connections.run({ text, values }, performance.now() + askLimit);
    return row?.n as number;
  }

  /** Milliseconds since the last answered question was asked. */
  get age(): number {
    return elapsed(this.#askedAt);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    const text = `delete from ${this.#schema}.machine where id = $1`;
    const end = performance.now() + 500;
    // Otherwise the others wait for it for a minute more.
    await this.#connections.run({ text, values: [this.machine] }, end).catch(() => {});
  }

  get #isFresh(): boolean {
    const now = moment();
    return (
      elapsed(this.#askedAt, now) < this.#staleness.bound &&
      elapsed(this.#registeredAt, now) < registeredFor &&
      !this.#isClosed
    );
  }

  /** If it cannot be told, there may be others. */
  async #hasOthers(): Promise<boolean> {
    try {
      return (await this.others()) > 0;
    } catch {
      return true;
    }
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#turn().finally(() => this.#schedule());
    }, this.#staleness.every).unref();
  }

  async #turn(): Promise<void> {
    const end = performance.now() + askLimit;
    try {
      await this.#ask(end);
      await this.settle(end);
      if (elapsed(this.#registeredAt) > registerEvery) await this.#register(end);
      await this.#tidy(end);
    } catch {
      // The next request that reads or writes is told of it; meanwhile nothing remembered holds.
    }
  }

  async #register(end: number): Promise<void> {
    const at = moment();
    const text =
      `insert into ${this.#schema}.machine as m (id, name, seen) values ($1, $2, clock_timestamp()) ` +
      // One whose answer was lost may come late, and must not turn it back.
      'on conflict (id) do update set seen = greatest(m.seen, excluded.seen) ' +
      `returning ${microseconds('seen')} as sign`;
    const values = [this.machine, `${os.hostname()} ${process.pid}`];
    const [row] = await this.#connections.run({ text, values }, end);
    this.#sign = BigInt(row?.sign as string);
    this.#registeredAt = at;
  }

  async #ask(end: number): Promise<void> {
    const askedAt = moment();
    const since = this.#lineage.last;
    const text =
      `select m.epoch, ${sightingColumns(this.#schema)}, (select ${microseconds('seen')} from ` +
      `${this.#schema}.machine where id = $2) as sign, ` +
      'extract(epoch from clock_timestamp())::float8 * 1000 as clock, ' +
      'pg_is_in_recovery() or ' +
      "current_setting('transaction_read_only')::bool as is_read_only, c.path, c.epoch as changed " +
      `from ${this.#schema}.meta m left join lateral (select path, epoch from ${this.#schema}.record ` +
      `where epoch > $1 order by epoch limit ${mostChanges + 1}) c on true`;
    const values = [this.#epoch ?? Number.MAX_SAFE_INTEGER, this.machine];
    const rows = await this.#connections.run({ text, values }, end);
    this.clock.heard(Number(rows[0]?.clock), askedAt.monotonic, performance.now());
    this.#take(rows, askedAt, since);
  }

  #take(rows: readonly Row[], askedAt: Moment, since: Sighting | undefined): void {
    const [first] = rows;
    if (first === undefined) throw new StoreError('foreign', 'the store was removed');
    if (first.is_read_only === true) {
      this.#connections.renew();
      this.#onReadOnly();
      throw new StoreError('read-only', 'the server takes no writes any more');
    }
    const epoch = Number(first.epoch);
    this.#compare(first, epoch, since);
    const changes = rows.flatMap(({ path, changed }) =>
      typeof path === 'string' ? [{ path, epoch: Number(changed) }] : [],
    );
    const known = this.#epoch;
    // A database that was put back, or a silence in which notes of removed records were deleted.
    const isUnknown =
      known === undefined ||
      epoch < known ||
      elapsed(this.#askedAt, askedAt) > longestSilence ||
      changes.length > mostChanges;
    let hasChanged = isUnknown && known !== undefined;
    if (isUnknown) this.#heard.dropAll();
    else hasChanged = this.#heard.hear(changes, epoch);
    this.#epoch = epoch;
    this.#askedAt = askedAt;
    if (hasChanged) for (const listener of this.#listeners) listener();
  }

  /** Looks whether all is there that this process has seen and written. */
  #compare(row: Row, epoch: number, since: Sighting | undefined): void {
    this.#lineage.observe(sightingOf(row), since);
    const isGone = elapsed(this.#registeredAt) < longestRegistered && !this.#hasSign(row.sign);
    const isBack = this.#epoch !== undefined && epoch < this.#epoch;
    if (isGone || isBack) {
      this.#sign = undefined;
      this.#registeredAt = never;
      this.#lineage.suspect('it was put back to an earlier state');
    }
  }

  #hasSign(found: unknown): boolean {
    if (this.#sign === undefined) return true;
    // It is later if the answer to the last registration was lost.
    return typeof found === 'string' && BigInt(found) >= this.#sign;
  }

  async #tidy(end: number): Promise<void> {
    if (performance.now() < this.#tidyAt) return;
    this.#tidyAt = performance.now() + tidyEvery * (0.5 + Math.random());
    await this.#connections.run({ text: `select ${this.#schema}.tidy()` }, end);
  }
}

/** A time as a whole number, as an expression of SQL. */
function microseconds(time: string): string {
  return `(extract(epoch from ${time}) * 1000000)::bigint::text`;
}
