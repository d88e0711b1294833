import type { Change } from '../change.ts';
import type { LotAddition, LotStore, Reservation, StoredLot } from '../lot-store.ts';
import { StoreError, unavailable } from '../store-errors.ts';
import { valuesOf } from './changes.ts';
import type { Database } from './database.ts';
import type { Row } from './driver.ts';
import { storeError } from './faults.ts';
import { type Lineage, timeline, timelineOf } from './lineage.ts';
import { afterAll } from './paths.ts';

// Whatever the database does, a request is answered within five seconds.
const takeLimit = 4900;
const promoted = 'its server was restored or promoted';

/** The lots of a store on PostgreSQL. */
export class PostgresLots implements LotStore {
  readonly #database: Database;
  readonly #schema: string;
  readonly #lineage: Lineage;
  readonly #settle: (end: number) => Promise<void>;
  readonly #onChanged: (changes: readonly Change[]) => Promise<void>;

  constructor(options: {
    database: Database;
    schema: string;
    lineage: Lineage;
    /** As of Follower; awaited before pairs that were taken are used. */
    settle: (end: number) => Promise<void>;
    /** Awaited after records were changed together with lots. */
    onChanged: (changes: readonly Change[]) => Promise<void>;
  }) {
    this.#database = options.database;
    this.#schema = options.schema;
    this.#lineage = options.lineage;
    this.#settle = options.settle;
    this.#onChanged = options.onChanged;
  }

  async lastSerial(pool: string): Promise<number> {
    const text = `select last_serial from ${this.#schema}.pool where name = $1`;
    const [row] = await this.#database.read(text, [pool]);
    return Number(row?.last_serial ?? 0);
  }

  add({ pool, lots, unchanged, filler }: LotAddition): Promise<'added' | 'taken' | 'gone'> {
    const text = `select ${this.#schema}.add_lots($1, $2, $3, $4, $5, $6, $7, $8) as result`;
    // Copies: it may be sent again after the caller has changed them.
    const values = lots.map(({ value }) => Buffer.from(value));
    const counts = lots.map(({ pairs }) => pairs);
    const serials = lots.map(({ serial }) => serial);
    const { path } = unchanged;
    const record = Buffer.from(unchanged.value);
    return this.#database.write(
      (attempt) => ({
        text,
        values: [attempt, path, record, pool, serials, counts, values, filler],
      }),
      { row: ({ result }) => result as 'added' | 'taken' | 'gone', left: () => 'added' },
    );
  }

  async take(pool: string, pairs: number): Promise<{ lots: StoredLot[]; left: number }> {
    const text =
      `select serial, pairs, value, waiting, (select ${timeline}) as timeline ` +
      `from ${this.#schema}.take_lots($1, $2)`;
    const end = performance.now() + takeLimit;
    const rows = await this.#database.take(text, [pool, pairs]);
    await this.#settle(end).catch((error) => unavailable(storeError(error)));
    this.#requireSame(rows[0]);
    return { lots: rows.map(lotOf), left: Number(rows[0]?.waiting ?? 0) };
  }

  /**
   * Behind a pooler, another server may answer before this process has heard of it: its lots may have been
   * taken from the one before.
   */
  #requireSame(row: Row | undefined): void {
    const { doubt, last } = this.#lineage;
    if (row === undefined || last === undefined) return;
    if (doubt === undefined && timelineOf(row.timeline) === last.timeline) return;
    unavailable(new StoreError('failed', `the store may have lost commits: ${doubt ?? promoted}`));
  }

  async levels(pools: readonly string[]): Promise<number[]> {
    if (pools.length === 0) return [];
    const text = `select name, waiting from ${this.#schema}.pool where name = any($1)`;
    const rows = await this.#database.read(text, [pools]);
    const levels = new Map(rows.map(({ name, waiting }) => [name, Number(waiting)]));
    return pools.map((pool) => levels.get(pool) ?? 0);
  }

  async reserve({ pool, filler, target, most, seconds }: Reservation): Promise<number> {
    const text = `select ${this.#schema}.reserve($1, $2, $3, $4, $5) as pairs`;
    const [row] = await this.#database.take(text, [pool, filler, target, most, seconds]);
    return Number(row?.pairs);
  }

  async clear(prefix: string, changes: readonly Change[]): Promise<number | undefined> {
    const text = `select ${this.#schema}.clear_pools($1, $2, $3, $4, $5, $6) as pairs`;
    const values = valuesOf(changes);
    const pairs = await this.#database.write<number | undefined>(
      (attempt) => ({ text, values: [attempt, prefix, prefix + afterAll, ...values] }),
      {
        row: ({ pairs }) => (pairs === null ? undefined : Number(pairs)),
        left: (number) => number,
      },
    );
    if (pairs !== undefined && changes.length > 0) await this.#onChanged(changes);
    return pairs;
  }

  async list(
    pool: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<StoredLot[]> {
    const text =
      `select serial, pairs, value from ${this.#schema}.lot where pool = (select id from ` +
      `${this.#schema}.pool where name = $1) and serial > $2 order by serial limit $3`;
    const rows = await this.#database.read(text, [pool, after, limit]);
    return rows.map(lotOf);
  }

  async pools(): Promise<string[]> {
    const text =
      `select name from ${this.#schema}.pool p where exists (select from ${this.#schema}.lot ` +
      'where pool = p.id) order by name';
    const rows = await this.#database.read(text, []);
    return rows.map(({ name }) => name as string);
  }
}

function lotOf({ serial, pairs, value }: Row): StoredLot {
  return { serial: Number(serial), pairs: Number(pairs), value: value as Uint8Array };
}
