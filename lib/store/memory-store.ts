import type { BatchStore } from './batch-store.ts';
import type { Change } from './change.ts';
import { type Entry, type KeyStore, type ListOptions, sameValue } from './key-store.ts';
import type { LotAddition, LotStore, Reservation, StoredLot } from './lot-store.ts';
import { MemoryBatches } from './memory-batches.ts';
import { type StoreFigures, StoreTally } from './store-figures.ts';

/** Keys that end with the process: for tests and for services that need no key twice. */
export class MemoryStore implements KeyStore {
  readonly url = 'memory:';
  readonly lots: LotStore = new MemoryLots(this);
  readonly batches: BatchStore = new MemoryBatches((changes) => this.commitNow(changes));
  readonly #values = new Map<string, Uint8Array>();
  readonly #tally = new StoreTally();
  #commits = 0;

  stamp(): number {
    return this.#commits;
  }

  holds(_path: string, stamp: number): boolean {
    return stamp === this.#commits;
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.#get(path);
  }

  /** Whether the value at a path is as expected, at once. */
  isNow(path: string, expected: Uint8Array): boolean {
    return sameValue(this.#values.get(path), expected);
  }

  async getAll(paths: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return paths.map((path) => this.#get(path));
  }

  async list(prefix: string, { after, limit }: ListOptions): Promise<Entry[]> {
    const paths = [...this.#values.keys()]
      .filter((path) => path.startsWith(prefix) && (after === undefined || path > after))
      .sort();
    return paths.slice(0, limit).map((path) => ({ path, value: this.#get(path) as Uint8Array }));
  }

  async count(prefix: string, most: number): Promise<number> {
    const paths = [...this.#values.keys()];
    return Math.min(most, paths.filter((path) => path.startsWith(prefix)).length);
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    return this.#tally.committed(this.commitNow(changes));
  }

  /** The same at once. */
  commitNow(changes: readonly Change[]): boolean {
    if (!changes.every(({ path, expected }) => sameValue(this.#values.get(path), expected))) {
      return false;
    }
    for (const { path, next } of changes) {
      if (next === undefined) this.#values.delete(path);
      else this.#values.set(path, Uint8Array.from(next));
    }
    if (changes.length > 0) this.#commits++;
    return true;
  }

  async removeAll(prefix: string): Promise<number> {
    const paths = [...this.#values.keys()].filter((path) => path.startsWith(prefix));
    for (const path of paths) this.#values.delete(path);
    if (paths.length > 0) this.#commits++;
    return paths.length;
  }

  /** No other process knows of it. */
  onChanged(): void {}

  async probe(): Promise<void> {}

  figures(): StoreFigures {
    return this.#tally.figures();
  }

  async close(): Promise<void> {
    this.#values.clear();
  }

  #get(path: string): Uint8Array | undefined {
    const value = this.#values.get(path);
    return value && Uint8Array.from(value);
  }
}

interface MemoryPool {
  lastSerial: number;
  lots: StoredLot[];
  readonly reservations: Map<string, { readonly pairs: number; readonly until: number }>;
}

class MemoryLots implements LotStore {
  readonly #store: MemoryStore;
  readonly #pools = new Map<string, MemoryPool>();

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  async lastSerial(pool: string): Promise<number> {
    return this.#pools.get(pool)?.lastSerial ?? 0;
  }

  async add({ pool, lots, unchanged, filler }: LotAddition): Promise<'added' | 'taken' | 'gone'> {
    if (!this.#store.isNow(unchanged.path, unchanged.value)) return 'gone';
    const found = this.#pool(pool);
    if (lots.some(({ serial }) => serial <= found.lastSerial)) return 'taken';
    found.lots.push(...lots.map(copyOf));
    found.lastSerial = lots.at(-1)?.serial ?? found.lastSerial;
    const reserved = found.reservations.get(filler);
    if (reserved !== undefined) {
      const pairs = Math.max(0, reserved.pairs - pairsOf(lots));
      found.reservations.set(filler, { ...reserved, pairs });
    }
    return 'added';
  }

  async take(name: string, pairs: number): Promise<{ lots: StoredLot[]; left: number }> {
    const pool = this.#pools.get(name);
    if (pool === undefined) return { lots: [], left: 0 };
    const lots: StoredLot[] = [];
    while (pairsOf(lots) < pairs && pool.lots.length > 0) lots.push(pool.lots.shift() as StoredLot);
    return { lots, left: pairsOf(pool.lots) };
  }

  async levels(pools: readonly string[]): Promise<number[]> {
    return pools.map((pool) => pairsOf(this.#pools.get(pool)?.lots ?? []));
  }

  async reserve(reservation: Reservation): Promise<number> {
    const { filler, target, most, seconds } = reservation;
    const pool = this.#pool(reservation.pool);
    const now = Date.now();
    const latest = now + 1000 * seconds;
    pool.reservations.delete(filler);
    for (const [other, { until }] of pool.reservations) {
      // One that ends later than it can was made while the clock was ahead.
      if (until <= now || until > latest) pool.reservations.delete(other);
    }
    const taken = [...pool.reservations.values()].reduce((sum, { pairs }) => sum + pairs, 0);
    const reserved = Math.max(0, Math.min(most, target - pairsOf(pool.lots) - taken));
    if (reserved > 0) {
      pool.reservations.set(filler, { pairs: reserved, until: latest });
    }
    return reserved;
  }

  async clear(prefix: string, changes: readonly Change[]): Promise<number | undefined> {
    if (!this.#store.commitNow(changes)) return undefined;
    let pairs = 0;
    for (const [name, { lots }] of this.#pools) {
      if (!name.startsWith(prefix)) continue;
      pairs += pairsOf(lots);
      this.#pools.delete(name);
    }
    return pairs;
  }

  async list(
    pool: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<StoredLot[]> {
    const lots = this.#pools.get(pool)?.lots ?? [];
    return lots
      .filter(({ serial }) => serial > after)
      .slice(0, limit)
      .map(copyOf);
  }

  async pools(): Promise<string[]> {
    const pools = [...this.#pools].filter(([, { lots }]) => lots.length > 0);
    return pools.map(([name]) => name).sort();
  }

  #pool(name: string): MemoryPool {
    const pool = this.#pools.get(name) ?? { lastSerial: 0, lots: [], reservations: new Map() };
    this.#pools.set(name, pool);
    return pool;
  }
}

function copyOf(lot: StoredLot): StoredLot {
  return { ...lot, value: Uint8Array.from(lot.value) };
}

function pairsOf(lots: readonly StoredLot[]): number {
  return lots.reduce((sum, { pairs }) => sum + pairs, 0);
}
