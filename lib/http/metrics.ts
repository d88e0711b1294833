import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import { packageVersion } from '../core/package-version.ts';
import { onMinting } from '../service/minting.ts';
import type { Pairmint } from '../service/pairmint.ts';
import type { RequestEvent } from './handler.ts';
import { Counts, Durations } from './tallies.ts';

/** What metrics need of class Pairmint. */
export type Measured = Pick<Pairmint, 'capabilities' | 'load' | 'pools'>;

/** The figures of a server that metrics report. */
export interface MeasuredServer {
  readonly requestsUnderWay: number;
  connections(): Promise<number>;
}

/** The metrics of one process, in the form that workers send to the process that adds them up. */
export type Snapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

export const metricsType = Registry.PROMETHEUS_CONTENT_TYPE;

// Small requests take fractions of a millisecond, an RSA_4096 pair seconds if many wait.
const requestBuckets = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const mintingBuckets = [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
// Counting the levels of large pools keeps the store busy: at most a twentieth of its time.
const lookShare = 20;

/** The names of errors for requests whose signature, access key or session token is wrong. */
const signatureErrors: ReadonlySet<string> = new Set([
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
]);

/** The metrics of a process that serves, with their names, labels and help texts. */
function metersIn(registry: Registry) {
  const registers = [registry];
  const pool = ['key_id', 'spec'] as const;
  return {
    requests: new Counter({
      name: 'pairmint_requests_total',
      help: 'Requests by operation and by the name of the error they failed with, if they did.',
      labelNames: ['operation', 'error'] as const,
      registers,
    }),
    durations: new Durations({
      name: 'pairmint_request_duration_seconds',
      help: 'Time from the last byte of a request to its answer.',
      label: 'operation',
      buckets: requestBuckets,
      registers,
    }),
    underWay: new Gauge({
      name: 'pairmint_requests_under_way',
      help: 'Requests that are being read or answered.',
      registers,
    }),
    connections: new Gauge({
      name: 'pairmint_connections_open',
      help: 'Open connections of clients.',
      registers,
    }),
    signatureFailures: new Counter({
      name: 'pairmint_signature_failures_total',
      help: 'Requests refused because of their signature, access key or session token.',
      labelNames: ['error'] as const,
      registers,
    }),
    waiting: new Gauge({
      name: 'pairmint_work_under_way',
      help: 'Requests that take or wait for a minting thread: for RSA pairs, brief pairs, and steps with asymmetric keys.',
      labelNames: ['kind'] as const,
      registers,
    }),
    throttled: new Counter({
      name: 'pairmint_throttled_requests_total',
      help: 'Requests refused because too much work of their kind waited, or by a quota.',
      labelNames: ['kind'] as const,
      registers,
    }),
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
      // Adding up would count the store's pairs once per process: all of them see the same store.
      aggregator: 'max',
      registers,
    }),
    poolTargets: new Gauge({
      name: 'pairmint_pool_target_pairs',
      help: "The pool's target: pairs it holds when it is full.",
      labelNames: pool,
      aggregator: 'max',
      registers,
    }),
    poolRequests: new Counter({
      name: 'pairmint_pool_requests_total',
      help: 'Requests for pairs of a pool: hit if a waiting pair answered, miss if the pool was dry.',
      labelNames: [...pool, 'result'] as const,
      registers,
    }),
    poolSkips: new Counter({
      name: 'pairmint_pool_skipped_pairs_total',
      help: 'Waiting pairs that were passed over: damaged, drained meanwhile, or sealed under material that is gone.',
      labelNames: pool,
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

/** Measures a process, for Prometheus. `close` it when its service is closed. */
export class Metrics {
  readonly #kms: Measured;
  readonly #registry = new Registry();
  readonly #meters = metersIn(this.#registry);
  /** By operation and error. */
  readonly #requests = new Counts();
  readonly #servers: MeasuredServer[] = [];
  readonly #ignoreMintings: () => void;
  #lookAgainAt = Number.NEGATIVE_INFINITY;

  constructor(kms: Measured) {
    this.#kms = kms;
    const { kernel, node, openssl, threads } = kms.capabilities();
    this.#meters.build.set({ version: packageVersion(), kernel, node, openssl }, 1);
    this.#meters.threads.set(threads);
    collectDefaultMetrics({ register: this.#registry });
    this.#ignoreMintings = onMinting(({ spec, milliseconds }) => {
      this.#meters.mintings.observe(spec, milliseconds / 1000);
    });
  }

  /** Counts a request. All unsupported operations count under one name. */
  count({ operation: asked, status, error, milliseconds }: RequestEvent): void {
    const operation = asked ?? 'unknown';
    const name = status === undefined ? 'ClientGone' : error?.name;
    this.#requests.add(operation, name ?? '');
    if (status !== undefined) this.#meters.durations.observe(operation, milliseconds / 1000);
  }

  /** Adds a server to what is measured. */
  watch(server: MeasuredServer): void {
    this.#servers.push(server);
  }

  /** Everything, in Prometheus's text format. */
  async text(): Promise<string> {
    await this.#collect();
    return this.#registry.metrics();
  }

  async snapshot(): Promise<Snapshot> {
    await this.#collect();
    return this.#registry.getMetricsAsJSON();
  }

  close(): void {
    this.#ignoreMintings();
  }

  async #collect(): Promise<void> {
    const connections = await Promise.all(this.#servers.map((server) => server.connections()));
    this.#meters.connections.set(sum(connections));
    this.#meters.underWay.set(sum(this.#servers.map((server) => server.requestsUnderWay)));
    this.#collectLoad();
    await this.#collectPools();
    this.#collectRequests();
  }

  #collectRequests(): void {
    const { requests, signatureFailures } = this.#meters;
    requests.reset();
    signatureFailures.reset();
    for (const [operation, error, count] of this.#requests) {
      requests.inc({ operation, error }, count);
      if (signatureErrors.has(error)) signatureFailures.inc({ error }, count);
    }
  }

  #collectLoad(): void {
    const { underWay, refused } = this.#kms.load();
    const { waiting, throttled } = this.#meters;
    for (const [kind, count] of Object.entries(underWay)) waiting.set({ kind }, count);
    throttled.reset();
    for (const [kind, count] of Object.entries(refused)) throttled.inc({ kind }, count);
  }

  async #collectPools(): Promise<void> {
    const began = performance.now();
    if (began < this.#lookAgainAt) return;
    this.#lookAgainAt = Number.POSITIVE_INFINITY;
    // If the store is out of reach, the other metrics matter most: leave out the levels alone.
    const pools = await this.#kms.pools.list().catch(() => []);
    const now = performance.now();
    this.#lookAgainAt = now + lookShare * (now - began);
    const { poolLevels, poolTargets, poolRequests, poolSkips } = this.#meters;
    for (const meter of [poolLevels, poolTargets, poolRequests, poolSkips]) meter.reset();
    for (const { KeyId, KeyPairSpec, level, target, ...counts } of pools) {
      const labels = { key_id: KeyId, spec: KeyPairSpec };
      poolLevels.set(labels, level);
      poolTargets.set(labels, target);
      poolRequests.inc({ ...labels, result: 'hit' }, counts.hits);
      poolRequests.inc({ ...labels, result: 'miss' }, counts.misses);
      poolSkips.inc(labels, counts.skipped);
    }
  }
}

/** The metrics of several processes as those of one. */
export function merge(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  return added(snapshots).getMetricsAsJSON();
}

/** The same in Prometheus's text format. */
export function textOfAll(snapshots: readonly Snapshot[]): Promise<string> {
  return added(snapshots).metrics();
}

/** The metrics of a process that stay true after it has ended: its counts. */
export function countsOf(snapshot: Snapshot): Snapshot {
  return snapshot.filter(({ type }) => countingTypes.has(`${type}`));
}

// Snapshots have these names, although prom-client's types say otherwise.
const countingTypes: ReadonlySet<string> = new Set(['counter', 'histogram']);

function added(snapshots: readonly Snapshot[]) {
  return AggregatorRegistry.aggregate(snapshots as Snapshot[]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
