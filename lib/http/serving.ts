import { cpuShare } from '../core/cpu-share.ts';
import { removeExpiredSessions } from './expired-sessions.ts';
import { freePort } from './free-port.ts';
import { type Log, requestLogger } from './log.ts';
import type { Measured } from './metrics.ts';
import type { MetricsAddress } from './metrics-listener.ts';
import {
  createMetrics,
  createServer,
  type Limits,
  type ListenOptions,
  type PairmintServer,
  type TlsFiles,
} from './server.ts';
import type { Service } from './service.ts';
import { obey } from './worker.ts';
import { Workers } from './workers.ts';

export { createLog, type LogLevel, logLevels, logWarnings } from './log.ts';
export { isWorker, runWorker } from './worker.ts';
export type { Limits, ListenOptions, Log, MetricsAddress, TlsFiles };

const drainLimit = 30_000;
// Besides the wait for requests, ending takes some time of its own.
const endLimit = drainLimit + 5000;

export interface ServingSettings extends ListenOptions {
  readonly auth: boolean;
  /** The only region that is served; every region if undefined. */
  readonly region: string | undefined;
  /** Addresses and networks of trusted proxies. */
  readonly trustedProxies: readonly string[];
  /** How many processes serve. */
  readonly workers: number;
  /** Where metrics are served, if they are. */
  readonly metrics: MetricsAddress | undefined;
  readonly limits: Partial<Limits>;
  /** Reads the files anew each time it is called. */
  readonly readTls: (() => TlsFiles) | undefined;
}

/** Requests served on one port, by this process or by processes that it has started. */
export interface Serving {
  /** Resolves to the URL once all processes listen. */
  start(): Promise<string>;
  reload(): void;
  /** In Prometheus's text format. */
  metrics(): Promise<string>;
  drain(): Promise<void>;
}

type MeasuredService = Service & Measured;

/** Serves in this process. */
export async function serveAlone(
  service: MeasuredService,
  settings: ServingSettings,
  log: Log,
): Promise<Serving> {
  const { server, metrics, reload } = await makeServer(service, settings, log);
  return {
    start: () => server.listen({ host: settings.host, port: settings.port }),
    reload,
    metrics: async () => metrics?.text() ?? '',
    drain: () => server.drain(drainLimit),
  };
}

/** Serves in `settings.workers` processes, which run this process's own command line. */
export async function serveWithWorkers(settings: ServingSettings, log: Log): Promise<Serving> {
  const count = settings.workers;
  // The workers share the cores; otherwise each of them would mint on all.
  const threads = Math.max(1, Math.floor(cpuShare() / count));
  // Port 0 is resolved here: if all workers restart, they must come back to the same port.
  const port = settings.port === 0 ? await freePort(settings.host) : settings.port;
  const workers = new Workers({ count, port, log, env: { PAIRMINT_THREADS: `${threads}` } });
  const metrics = settings.metrics && (await import('./workers-metrics.ts')).metricsOf(workers);
  return {
    start: () => workers.start(),
    reload: () => workers.reload(),
    metrics: async () => metrics?.() ?? '',
    drain: () => workers.drain(endLimit),
  };
}

/** Serves as one of the workers, until it is told to drain and has drained. */
export async function serveAsWorker(
  service: MeasuredService,
  settings: ServingSettings,
  log: Log,
): Promise<void> {
  const { server, metrics, reload } = await makeServer(service, settings, log);
  await obey({
    listen: (port) => server.listen({ host: settings.host, port }),
    reload,
    measure: async () => metrics?.snapshot() ?? [],
    drain: () => server.drain(drainLimit),
  });
}

/** Starts what runs beside serving: the metrics listener and the removal of expired sessions. */
export async function serveBeside(
  serving: Serving,
  { credentials }: Pick<Service, 'credentials'>,
  settings: ServingSettings,
  log: Log,
): Promise<{ readonly metricsUrl: string | undefined; stop(): Promise<void> }> {
  const listener = settings.metrics && (await listenForMetrics(serving, settings.metrics));
  const stopRemoving = removeExpiredSessions(credentials, log);
  return {
    metricsUrl: listener?.url,
    async stop() {
      stopRemoving();
      await listener?.close();
    },
  };
}

/** Serves the metrics of a process that serves no requests. @throws ConfigurationError */
export async function serveMetrics(
  service: Measured,
  address: MetricsAddress,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { WorkMetrics } = await import('./service-metrics.ts');
  const metrics = new WorkMetrics(service);
  try {
    const { url, close } = await listenForMetrics({ metrics: () => metrics.text() }, address);
    return { url, close: () => close().finally(() => metrics.close()) };
  } catch (error) {
    metrics.close();
    throw error;
  }
}

async function listenForMetrics({ metrics }: Pick<Serving, 'metrics'>, address: MetricsAddress) {
  const { MetricsListener } = await import('./metrics-listener.ts');
  const listener = new MetricsListener(metrics);
  return { url: await listener.listen(address), close: () => listener.close() };
}

/** Makes the server of this process, with its log and metrics. */
async function makeServer(service: MeasuredService, settings: ServingSettings, log: Log) {
  const { auth, region, trustedProxies, limits, readTls } = settings;
  const metrics = settings.metrics && (await createMetrics(service));
  const onRequest = requestLogger(log);
  const tls = readTls?.();
  const options = { auth, region, tls, trustedProxies, limits, metrics, onRequest };
  const server = createServer(service, options);
  return { server, metrics, reload: () => reloadTls(server, settings, log) };
}

/** Reads the certificate again; keeps the old one if the new one cannot be used. */
function reloadTls(server: PairmintServer, { readTls }: ServingSettings, log: Log): void {
  if (readTls === undefined) return;
  try {
    server.setTls(readTls());
    log.info('the certificate was read again');
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'the certificate is not changed');
  }
}
