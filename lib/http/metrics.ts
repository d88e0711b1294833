import {
  AggregatorRegistry,
  Counter,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import type { RequestEvent } from './handler.ts';
import { type Measured, ServiceMetrics } from './service-metrics.ts';
import { Counts, Durations } from './tallies.ts';

export type { Measured } from './service-metrics.ts';

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

/** The names of errors for requests whose signature, access key or session token is wrong. */
const signatureErrors: ReadonlySet<string> = new Set([
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
]);

/** The metrics of requests, with their names, labels and help texts. */
function metersIn(registry: Registry) {
  const registers = [registry];
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
  };
}

/** Measures a process, for Prometheus. `close` it when its service is closed. */
export class Metrics {
  readonly #kms: Measured;
  readonly #registry = new Registry();
  readonly #meters = metersIn(this.#registry);
  readonly #service: ServiceMetrics;
  /** By operation and error. */
  readonly #requests = new Counts();
  readonly #servers: MeasuredServer[] = [];

  constructor(kms: Measured) {
    this.#kms = kms;
    this.#service = new ServiceMetrics(kms, this.#registry);
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
    this.#service.close();
  }

  async #collect(): Promise<void> {
    const connections = await Promise.all(this.#servers.map((server) => server.connections()));
    this.#meters.connections.set(sum(connections));
    this.#meters.underWay.set(sum(this.#servers.map((server) => server.requestsUnderWay)));
    this.#collectLoad();
    await this.#service.collect();
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
