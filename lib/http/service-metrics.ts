import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { packageVersion } from '../core/package-version.ts';
import { onMinting } from '../service/minting.ts';
import type { Pairmint } from '../service/pairmint.ts';
import { Durations } from './tallies.ts';

/** What metrics need of class Pairmint. */
export type Measured = Pick<
  Pairmint,
  'batches' | 'capabilities' | 'figures' | 'load' | 'lockWaits' | 'pools'
>;

const mintingBuckets = [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
// Counting the levels of large pools and the chunks of large batches keeps the store busy: at most a
// twentieth of its time.
const lookShare = 20;

/** The metrics of a process that serves or works, with their names, labels and help texts. */
function metersIn(registry: Registry) {
  const registers = [registry];
  const pool = ['key_id', 'spec'] as const;
  // Adding up would count the store's pairs once per process: all of them see the same store.
  const seenByAll = { aggregator: 'max', registers } as const;
  return {
    mintings: new Durations({
      name: 'pairmint_minting_duration_seconds',
      help: 'Time that requests waited for a pair to be minted and sealed.',
      label: 'spec',
      buckets: mintingBuckets,
      registers,
    }),
    threads: new Gauge({
      name: 'pairmint_minting_threads',
      help: 'Threads that mint at once.',
      registers,
    }),
    poolLevels: new Gauge({
      name: 'pairmint_pool_pairs',
      help: 'Pairs that wait in a pool.',
      labelNames: pool,
      ...seenByAll,
    }),
    poolTargets: new Gauge({
      name: 'pairmint_pool_target_pairs',
      help: "The pool's target: pairs it holds when it is full.",
      labelNames: pool,
      ...seenByAll,
    }),
    poolRequests: new Counter({
      name: 'pairmint_pool_requests_total',
      help: 'Requests for pairs of a pool: hit if a waiting pair answered, miss if the pool was dry.',
      labelNames: [...pool, 'result'] as const,
      registers,
    }),
    poolRefusals: new Counter({
      name: 'pairmint_pool_refused_requests_total',
      help: 'Misses that were refused, because requests may not mint.',
      labelNames: pool,
      registers,
    }),
    poolSkips: new Counter({
      name: 'pairmint_pool_skipped_pairs_total',
      help: 'Waiting pairs that were passed over: damaged, drained meanwhile, or sealed under material that is gone.',
      labelNames: pool,
      registers,
    }),
    poolTaken: new Counter({
      name: 'pairmint_pool_taken_pairs_total',
      help: 'Pairs that a process took out of a pool in the store, to answer with them.',
      labelNames: pool,
      registers,
    }),
    poolMinted: new Counter({
      name: 'pairmint_pool_minted_pairs_total',
      help: 'Pairs that were minted into a pool.',
      labelNames: pool,
      registers,
    }),
    chunks: new Gauge({
      name: 'pairmint_batch_chunks',
      help: 'Chunks of all batches in the store: waiting, leased, stalled (the last attempt was refused) or done.',
      labelNames: ['state'] as const,
      ...seenByAll,
    }),
    batchMinted: new Counter({
      name: 'pairmint_batch_minted_pairs_total',
      help: 'Pairs of batches that were minted and stored.',
      labelNames: ['spec'] as const,
      registers,
    }),
    batchSettled: new Counter({
      name: 'pairmint_batch_settled_chunks_total',
      help: 'Chunks of batches that were minted and stored.',
      registers,
    }),
    batchLost: new Counter({
      name: 'pairmint_batch_lost_chunks_total',
      help: 'Chunks that a worker lost before they were stored: its lease ran out, or the batch was cancelled.',
      registers,
    }),
    batchRefused: new Counter({
      name: 'pairmint_batch_refused_chunks_total',
      help: 'Attempts to mint a chunk that failed, after which it was given back.',
      registers,
    }),
    batchHeld: new Gauge({
      name: 'pairmint_batch_held_chunks',
      help: 'Chunks that a worker has a lease on.',
      registers,
    }),
    storeCommits: new Counter({
      name: 'pairmint_store_commits_total',
      help: 'Changes of records in the store: done, or conflict if something was not as expected any more.',
      labelNames: ['result'] as const,
      registers,
    }),
    storeQueries: new Counter({
      name: 'pairmint_store_queries_total',
      help: 'Statements to the store: read, write, or follow if they ask for changes of other processes.',
      labelNames: ['kind'] as const,
      registers,
    }),
    storeRetries: new Counter({
      name: 'pairmint_store_retries_total',
      help: 'Statements that were repeated because they met another transaction.',
      registers,
    }),
    storeFailures: new Counter({
      name: 'pairmint_store_failures_total',
      help: 'Calls of the store that failed, by what failed.',
      labelNames: ['fault'] as const,
      registers,
    }),
    storeStaleness: new Gauge({
      name: 'pairmint_store_staleness_seconds',
      help: 'Age of the last answered question for changes of other machines; 0 if machines do not share the store.',
      aggregator: 'max',
      registers,
    }),
    storeCutOff: new Gauge({
      name: 'pairmint_store_cut_off',
      help: 'Processes whose last answered question is too old to serve anything from memory.',
      registers,
    }),
    storeConnections: new Gauge({
      name: 'pairmint_store_connections',
      help: 'Connections to the database: in_use or idle.',
      labelNames: ['state'] as const,
      registers,
    }),
    storeConnectionWaits: new Gauge({
      name: 'pairmint_store_connection_waits',
      help: 'Calls that wait for a connection to the database.',
      registers,
    }),
    storeLockWaits: new Gauge({
      name: 'pairmint_store_lock_waits',
      help: "Sessions of all processes that wait for another session's lock in the database.",
      aggregator: 'max',
      registers,
    }),
    build: new Gauge({
      name: 'pairmint_build_info',
      help: 'Always 1: what runs here.',
      labelNames: ['version', 'kernel', 'node', 'openssl'] as const,
      aggregator: 'first',
      registers,
    }),
  };
}

/** Runs work so seldom that it takes at most a share of the time. */
class Seldom {
  #againAt = Number.NEGATIVE_INFINITY;

  async run(work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    if (began < this.#againAt) return;
    this.#againAt = Number.POSITIVE_INFINITY;
    try {
      await work();
    } finally {
      const now = performance.now();
      this.#againAt = now + lookShare * (now - began);
    }
  }
}

/** Measures what a service does, and its store. `close` it when its service is closed. */
export class ServiceMetrics {
  readonly #kms: Measured;
  readonly #meters: ReturnType<typeof metersIn>;
  readonly #ignoreMintings: () => void;
  readonly #pools = new Seldom();
  readonly #chunks = new Seldom();

  constructor(kms: Measured, registry: Registry) {
    this.#kms = kms;
    this.#meters = metersIn(registry);
    const { kernel, node, openssl, threads } = kms.capabilities();
    this.#meters.build.set({ version: packageVersion(), kernel, node, openssl }, 1);
    this.#meters.threads.set(threads);
    collectDefaultMetrics({ register: registry });
    this.#ignoreMintings = onMinting(({ spec, milliseconds }) => {
      this.#meters.mintings.observe(spec, milliseconds / 1000);
    });
  }

  /** Brings the metrics up to date. What the store does not answer for is left out. */
  async collect(): Promise<void> {
    await Promise.all([
      this.#pools.run(() => this.#collectPools()),
      this.#chunks.run(() => this.#collectChunks()),
      this.#collectLockWaits(),
    ]);
    // Last: asking for the others may have shown that the store is out of reach.
    this.#collectStore();
    this.#collectBatches();
  }

  close(): void {
    this.#ignoreMintings();
  }

  /**
   * Asks the store; undefined if it is out of reach, when the other metrics matter most: they must not
   * wait for it.
   */
  async #ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    if (this.#kms.figures().store.shared?.isCutOff) return undefined;
    return question().catch(() => undefined);
  }

  async #collectPools(): Promise<void> {
    const pools = await this.#ask(() => this.#kms.pools.list());
    const {
      poolLevels,
      poolTargets,
      poolRequests,
      poolRefusals,
      poolSkips,
      poolTaken,
      poolMinted,
    } = this.#meters;
    for (const meter of [poolLevels, poolTargets]) meter.reset();
    // What was counted stays: the store only says which pools there are.
    if (pools === undefined) return;
    for (const meter of [poolRequests, poolRefusals, poolSkips, poolTaken, poolMinted])
      meter.reset();
    for (const { KeyId, KeyPairSpec, level, target, ...counts } of pools) {
      const labels = { key_id: KeyId, spec: KeyPairSpec };
      poolLevels.set(labels, level);
      poolTargets.set(labels, target);
      poolRequests.inc({ ...labels, result: 'hit' }, counts.hits);
      poolRequests.inc({ ...labels, result: 'miss' }, counts.misses);
      poolRefusals.inc(labels, counts.refused);
      poolSkips.inc(labels, counts.skipped);
      poolTaken.inc(labels, counts.taken);
      poolMinted.inc(labels, counts.minted);
    }
  }

  async #collectChunks(): Promise<void> {
    const { batches } = this.#kms;
    const { chunks } = this.#meters;
    const counts = await this.#ask(() => batches.chunks());
    chunks.reset();
    for (const [state, count] of Object.entries(counts ?? {})) chunks.set({ state }, count);
  }

  async #collectLockWaits(): Promise<void> {
    const waits = await this.#ask(() => this.#kms.lockWaits());
    this.#meters.storeLockWaits.reset();
    if (waits !== undefined) this.#meters.storeLockWaits.set(waits);
  }

  #collectStore(): void {
    const { commits, queries, failures, shared } = this.#kms.figures().store;
    const { storeCommits, storeQueries, storeFailures, storeRetries } = this.#meters;
    setCounts(storeCommits, 'result', Object.entries(commits));
    setCounts(storeQueries, 'kind', Object.entries(queries));
    setCounts(storeFailures, 'fault', failures);
    if (shared === undefined) return;
    storeRetries.reset();
    storeRetries.inc(shared.retries);
    this.#meters.storeStaleness.set(shared.staleness);
    this.#meters.storeCutOff.set(shared.isCutOff ? 1 : 0);
    const { open, inUse, waiting } = shared.connections;
    this.#meters.storeConnections.set({ state: 'in_use' }, inUse);
    this.#meters.storeConnections.set({ state: 'idle' }, open - inUse);
    this.#meters.storeConnectionWaits.set(waiting);
  }

  #collectBatches(): void {
    const { minted, settled, lost, refused, held } = this.#kms.figures().batches;
    const { batchMinted, batchSettled, batchLost, batchRefused, batchHeld } = this.#meters;
    setCounts(batchMinted, 'spec', minted);
    for (const [meter, count] of [
      [batchSettled, settled],
      [batchLost, lost],
      [batchRefused, refused],
    ] as const) {
      meter.reset();
      meter.inc(count);
    }
    batchHeld.set(held);
  }
}

/** The metrics of a process that works and serves no requests. */
export class WorkMetrics {
  readonly #registry = new Registry();
  readonly #service: ServiceMetrics;

  constructor(kms: Measured) {
    this.#service = new ServiceMetrics(kms, this.#registry);
  }

  /** Everything, in Prometheus's text format. */
  async text(): Promise<string> {
    await this.#service.collect();
    return this.#registry.metrics();
  }

  close(): void {
    this.#service.close();
  }
}

function setCounts<L extends string>(
  meter: Counter<L>,
  label: L,
  counts: Iterable<readonly [string, number]>,
): void {
  meter.reset();
  for (const [value, count] of counts) meter.inc({ [label]: value } as never, count);
}
