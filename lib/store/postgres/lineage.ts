import type { StoreHistory, StoreOrigin } from '../key-store.ts';
import type { Row } from './driver.ts';

/** What a server's database was when it answered. */
export interface Sighting extends StoreOrigin {
  /** Up to where the server had read the log of another one when it was promoted, if it was. */
  readonly replayed: bigint | undefined;
  /** Whether what it acknowledges is on a standby, too. */
  readonly isSynchronous: boolean;
}

const onPrimary = (expression: string) =>
  `case when pg_is_in_recovery() then null else ${expression} end`;

/** The timeline, as an expression of SQL: the first part of the name of a file of the log. */
export const timeline = onPrimary('left(pg_walfile_name(pg_current_wal_lsn()), 8)');

/** Columns of SQL that `sightingOf` takes. @param schema the store's, whose tables may not be there yet */
export function sightingColumns(schema: string): string {
  const database = '(select oid from pg_database where datname = current_database())';
  // Not by a cast to regclass, which fails where the role may not use the schema.
  const table =
    '(select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace ' +
    `where n.nspname = '${schema}' and c.relname = 'record')`;
  return (
    `(select system_identifier from pg_control_system()) || '.' || ${database} || '.' || ` +
    `coalesce(${table}, 0) as seen_system, ` +
    `${timeline} as seen_timeline, ` +
    `${onPrimary("(pg_current_wal_flush_lsn() - '0/0')::text")} as seen_position, ` +
    "(pg_last_wal_replay_lsn() - '0/0')::text as seen_replayed, " +
    "(current_setting('synchronous_standby_names') <> '' and " +
    "current_setting('synchronous_commit') in ('on', 'remote_apply')) as seen_synchronous"
  );
}

/** Undefined if the server is a standby. */
export function sightingOf(row: Row): Sighting | undefined {
  if (row.seen_timeline === null || row.seen_position === null) return undefined;
  return {
    system: row.seen_system as string,
    timeline: timelineOf(row.seen_timeline),
    position: BigInt(row.seen_position as string),
    replayed: typeof row.seen_replayed === 'string' ? BigInt(row.seen_replayed) : undefined,
    isSynchronous: row.seen_synchronous === true,
  };
}

/** The number of a timeline that the server gives. */
export function timelineOf(value: unknown): number {
  return Number.parseInt(value as string, 16);
}

/**
 * Whether the database is still the one that this process has seen, with all that was committed: it is not
 * after it was put back from a copy, nor after a failover that lost commits. In doubt, it says why.
 *
 * After a failover nobody can know what the old server had acknowledged and did not pass on, unless it
 * waited for a standby with every commit, and the new one is as far as this process has seen the old one.
 */
export class Lineage implements StoreHistory {
  readonly #listeners: (() => void)[] = [];
  #last: Sighting | undefined;
  #latest: Sighting | undefined;
  #doubt: string | undefined;
  #connections = 0;
  #ask: (() => Promise<void>) | undefined;

  /** How many connections were made: behind a new one there may be another database. */
  get connections(): number {
    return this.#connections;
  }

  connected(): void {
    this.#connections++;
  }

  /** What was seen last, to be taken before a question is sent, and given with its answer. */
  get last(): Sighting | undefined {
    return this.#last;
  }

  get origin(): StoreOrigin | undefined {
    return this.#latest;
  }

  get doubt(): string | undefined {
    return this.#doubt;
  }

  /** Notes what a server said. @param since what was seen before it was asked */
  observe(seen: Sighting | undefined, since: Sighting | undefined): void {
    if (seen === undefined) return;
    this.#latest = seen;
    const reason = since && differenceOf(since, seen);
    if (reason !== undefined) this.suspect(reason);
    if (this.#doubt === undefined && isLater(seen, this.#last)) this.#last = seen;
  }

  async look(): Promise<void> {
    await this.#ask?.();
  }

  /** @param ask has the server asked, and observes its answer */
  lookBy(ask: () => Promise<void>): void {
    this.#ask = ask;
  }

  suspect(reason: string): void {
    if (this.#doubt !== undefined) return;
    this.#doubt = reason;
    for (const listener of this.#listeners) listener();
  }

  onDoubt(listener: () => void): void {
    this.#listeners.push(listener);
  }

  accept(): void {
    this.#doubt = undefined;
    this.#last = this.#latest;
  }

  /** Begins anew, with what is seen next. */
  forget(): void {
    this.#last = undefined;
  }
}

function differenceOf(since: Sighting, seen: Sighting): string | undefined {
  if (seen.system !== since.system)
    return 'it is another database than before, such as a restored one';
  if (seen.timeline !== since.timeline) {
    const isWhole = seen.replayed !== undefined && seen.replayed >= since.position;
    const isSuccessor = seen.timeline > since.timeline && since.isSynchronous && isWhole;
    if (isSuccessor) return undefined;
    return `its server was restored or promoted (timeline ${since.timeline}, now ${seen.timeline})`;
  }
  return seen.position < since.position ? 'it was put back to an earlier state' : undefined;
}

function isLater(seen: Sighting, last: Sighting | undefined): boolean {
  if (last === undefined || seen.timeline !== last.timeline) {
    return last === undefined || seen.timeline > last.timeline;
  }
  return seen.position > last.position;
}
