import { ConfigurationError } from '../../core/configuration-error.ts';
import { messageOf } from '../../core/error-message.ts';
import type { BatchStore } from '../batch-store.ts';
import type { Change } from '../change.ts';
import {
  type Entry,
  type KeyStore,
  type ListOptions,
  type Stamp,
  type StoreFact,
  type StoreHistory,
  sameValue,
} from '../key-store.ts';
import type { LotStore } from '../lot-store.ts';
import { StoreError, unavailable } from '../store-errors.ts';
import { type QueryKind, type StoreFigures, StoreTally } from '../store-figures.ts';
import { withoutPassword } from '../store-url.ts';
import { type Address, parseAddress } from './address.ts';
import { takeAway, valuesOf } from './changes.ts';
import { Connections } from './connections.ts';
import { Database } from './database.ts';
import { loadDriver } from './driver.ts';
import { storeError } from './faults.ts';
import { Follower, type Staleness, usualStaleness } from './follower.ts';
import { Lineage } from './lineage.ts';
import type { StorePassword } from './password.ts';
import { afterAll } from './paths.ts';
import { PostgresBatches } from './postgres-batches.ts';
import { PostgresLots } from './postgres-lots.ts';
import { inspectSchema, migrate } from './schema.ts';
import { describeServer, factsOf } from './server-facts.ts';
import { connectTo } from './servers.ts';

const openLimit = 4700;
const probeLimit = 1800;
// Who reads metrics gives up soon.
const countLimit = 1000;

export interface PostgresOptions {
  readonly password?: StorePassword | undefined;
  /** Makes the schema if there is none. */
  readonly makeSchema?: boolean | undefined;
  /** Shorter in tests alone; the same in all processes of a store. */
  readonly staleness?: Staleness | undefined;
}

/** Keys in a database on PostgreSQL, shared by any number of machines. */
export class PostgresStore implements KeyStore {
  readonly url: string;
  readonly lots: LotStore;
  readonly batches: BatchStore;
  readonly history: StoreHistory;
  readonly #schema: string;
  readonly #database: Database;
  readonly #follower: Follower;
  readonly #lanes: readonly Connections[];
  readonly #tally: StoreTally;

  private constructor(
    address: Address,
    parts: {
      database: Database;
      follower: Follower;
      lanes: readonly Connections[];
      lineage: Lineage;
      tally: StoreTally;
    },
  ) {
    this.url = address.url;
    this.#schema = address.schema;
    this.#database = parts.database;
    this.#follower = parts.follower;
    this.#lanes = parts.lanes;
    this.#tally = parts.tally;
    this.history = parts.lineage;
    const { database, lineage } = parts;
    this.lots = new PostgresLots({
      database,
      schema: address.schema,
      lineage,
      settle: (end) => this.#follower.settle(end),
      onChanged: async (changes) => {
        this.#follower.made(undefined);
        if (takeAway(changes)) await this.#follower.untilHeard();
      },
    });
    this.batches = new PostgresBatches(parts.database, address.schema, (paths, epoch) =>
      this.#follower.made(paths, epoch),
    );
  }

  /** @throws ConfigurationError if the server, the database or the schema cannot be used */
  static async open(url: string, options: PostgresOptions = {}): Promise<PostgresStore> {
    const address = parseAddress(url);
    const driver = await loadDriver();
    const lineage = new Lineage();
    const connect = connectTo(driver, address, options.password, lineage);
    const tally = new StoreTally();
    const counting = (kind: QueryKind) => () => tally.queries[kind]++;
    const reading = new Connections(connect, 1, counting('read'));
    const writing = new Connections(connect, address.connections - 2, counting('write'));
    const following = new Connections(connect, 1, counting('follow'));
    const lanes = [reading, writing, following];
    try {
      await requireSchema(reading, address, options);
      // The tables may just have been made.
      lineage.forget();
      const database = new Database(address.schema, { reading, writing }, tally);
      const follower = new Follower(following, {
        schema: address.schema,
        staleness: options.staleness ?? usualStaleness,
        lineage,
        onReadOnly: () => database.renew(),
      });
      const store = new PostgresStore(address, { database, follower, lanes, lineage, tally });
      await follower.start();
      return store;
    } catch (cause) {
      await Promise.all(lanes.map((lane) => lane.close()));
      throw refused(address.url, cause);
    }
  }

  stamp(): Stamp | undefined {
    return this.#follower.stamp();
  }

  holds(path: string, stamp: Stamp): boolean {
    return this.#follower.holds(path, stamp);
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    const text = `select value from ${this.#schema}.record where path = $1`;
    const [row] = await this.#database.read(text, [path]);
    return (row?.value as Uint8Array | null | undefined) ?? undefined;
  }

  async getAll(paths: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    if (paths.length === 0) return [];
    const text = `select path, value from ${this.#schema}.record where path = any($1) and value is not null`;
    const rows = await this.#database.read(text, [paths]);
    const values = new Map(rows.map(({ path, value }) => [path, value as Uint8Array]));
    // One that is asked for twice gets a copy: each is its caller's own.
    const given = new Set<string>();
    return paths.map((path) => {
      const value = values.get(path);
      if (value === undefined || !given.has(path)) {
        given.add(path);
        return value;
      }
      return Uint8Array.from(value);
    });
  }

  async list(prefix: string, { after, limit }: ListOptions): Promise<Entry[]> {
    const compared = after === undefined ? '>=' : '>';
    const text =
      `select path, value from ${this.#schema}.record where path ${compared} $1 and path < $2 ` +
      'and value is not null order by path limit $3';
    const rows = await this.#database.read(text, [after ?? prefix, prefix + afterAll, limit]);
    return rows as unknown as Entry[];
  }

  async count(prefix: string, most: number): Promise<number> {
    const text =
      `select count(*)::int as n from (select from ${this.#schema}.record where path >= $1 ` +
      'and path < $2 and value is not null limit $3) as counted';
    const [row] = await this.#database.read(text, [prefix, prefix + afterAll, most]);
    return row?.n as number;
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    if (changes.length === 0) return true;
    const text = `select ${this.#schema}.commit_changes($1, $2, $3, $4) as epoch`;
    const values = valuesOf(changes);
    const epoch = await this.#database.write<number | undefined>(
      (attempt) => ({ text, values: [attempt, ...values] }),
      {
        row: ({ epoch }) => (epoch === null ? undefined : Number(epoch)),
        left: (number) => number,
      },
    );
    if (epoch === undefined) {
      // What the caller remembers of them is out of date.
      this.#follower.made(values[0]);
      return this.#tally.committed(false);
    }
    const changed = changes.filter(({ expected, next }) => !sameValue(expected, next));
    this.#follower.made(
      changed.map(({ path }) => path),
      epoch,
    );
    if (takeAway(changes)) await this.#follower.untilHeard();
    return this.#tally.committed(true);
  }

  async removeAll(prefix: string): Promise<number> {
    const text = `select ${this.#schema}.remove_all($1, $2, $3) as removed`;
    const removed = await this.#database.write(
      (attempt) => ({ text, values: [attempt, prefix, prefix + afterAll] }),
      { row: ({ removed }) => Number(removed), left: (number) => number },
    );
    if (removed === 0) return 0;
    this.#follower.made(undefined);
    await this.#follower.untilHeard();
    return removed;
  }

  onChanged(listener: () => void): void {
    this.#follower.onChanged(listener);
  }

  async probe(): Promise<void> {
    const text =
      'select pg_is_in_recovery() or ' +
      "current_setting('transaction_read_only')::bool as is_read_only " +
      `from ${this.#schema}.meta`;
    const [row] = await this.#database.readWithin(probeLimit, text);
    if (row?.is_read_only === false) return;
    unavailable(
      row === undefined
        ? new StoreError('foreign', 'the store was removed')
        : new StoreError('read-only', 'the server takes no writes'),
    );
  }

  now(): number {
    return this.#follower.clock.now();
  }

  async facts(): Promise<StoreFact[]> {
    const rows = await this.#database.read(factsOf(this.#schema), []);
    const others = await this.#follower.others();
    return describeServer(rows[0] ?? {}, { others, ahead: this.#follower.clock.ahead() });
  }

  figures(): StoreFigures {
    const lanes = this.#lanes.map((lane) => lane.figures());
    const sum = (of: 'open' | 'inUse' | 'waiting') =>
      lanes.reduce((total, figures) => total + figures[of], 0);
    return {
      ...this.#tally.figures(),
      shared: {
        staleness: this.#follower.age / 1000,
        isCutOff: this.#follower.stamp() === undefined,
        connections: { open: sum('open'), inUse: sum('inUse'), waiting: sum('waiting') },
        retries: this.#tally.retries,
      },
    };
  }

  async lockWaits(): Promise<number> {
    // A role sees what its own sessions wait for.
    const text =
      'select count(*)::int as n from pg_stat_activity where datname = current_database() ' +
      "and usename = current_user and wait_event_type = 'Lock'";
    const [row] = await this.#database.readWithin(countLimit, text);
    return row?.n as number;
  }

  async close(): Promise<void> {
    await this.#follower.close();
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}

/** Makes the schema of a store, or brings it up to date. @throws ConfigurationError */
export async function migratePostgres(
  url: string,
  password?: StorePassword,
): Promise<{ url: string; from: number; to: number }> {
  const address = parseAddress(url);
  const connections = new Connections(
    connectTo(await loadDriver(), address, password, new Lineage()),
    1,
  );
  try {
    const versions = await migrate(connections, address);
    return { url: address.url, ...versions };
  } catch (cause) {
    throw refused(address.url, cause);
  } finally {
    await connections.close();
  }
}

async function requireSchema(
  connections: Connections,
  address: Address,
  { makeSchema }: PostgresOptions,
): Promise<void> {
  const end = () => performance.now() + openLimit;
  if ((await inspectSchema(connections, address, end())) !== 'none') return;
  if (makeSchema !== true) {
    throw new ConfigurationError(`there is no store at ${address.url}`, {
      hint: 'make one, once: pairmint init --store URL',
    });
  }
  await migrate(connections, address);
  await inspectSchema(connections, address, end());
}

function refused(url: string, cause: unknown): ConfigurationError {
  if (cause instanceof ConfigurationError) return cause;
  const failure = storeError(cause);
  const text = withoutPassword(messageOf(failure));
  return new ConfigurationError(`the store ${url} cannot be opened: ${text}`, { cause: failure });
}
