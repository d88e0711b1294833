import { once } from 'node:events';
import { ConfigurationError } from '../../core/configuration-error.ts';
import { cpuShare } from '../../core/cpu-share.ts';
import { packageVersion } from '../../core/package-version.ts';
import { removeExpiredSessions } from '../../http/expired-sessions.ts';
import { freePort } from '../../http/free-port.ts';
import { createLog, type Log, logWarnings, requestLogger } from '../../http/log.ts';
import { createMetrics, createServer, type PairmintServer } from '../../http/server.ts';
import { isWorker, obey, runWorker } from '../../http/worker.ts';
import { Workers } from '../../http/workers.ts';
import type { OpenOptions } from '../../service/pairmint.ts';
import {
  type Context,
  openOptions,
  type RunCommand,
  type Service,
  withService,
} from '../context.ts';
import { readSettings, type Settings } from '../settings/serve-settings.ts';
import { stopAt } from './stop-signals.ts';

const drainLimit = 30_000;
// What draining takes besides the wait for requests.
const endLimit = drainLimit + 5000;

/** Requests served on one port, by this process or by those that it has started. */
interface Serving {
  /** Resolves to the URL when all of it listens. */
  start(): Promise<string>;
  reload(): void;
  /** In Prometheus's text format. */
  metrics(): Promise<string>;
  drain(): Promise<void>;
}

/** What every way to serve is given. */
interface Setup {
  readonly settings: Settings;
  readonly log: Log;
  /** Opens the service for as long as `use` works with it. */
  readonly open: (
    use: (service: Service) => Promise<void>,
    options?: Pick<OpenOptions, 'refillPools'>,
  ) => Promise<void>;
}

export const run: RunCommand = async (given, own, context) => {
  const settings = readSettings(given);
  const log = createLog(settings.logLevel);
  logWarnings(log);
  const { region, quotaProfile, workers, readTls } = settings;
  // The certificate may be renewed before there is a server, which then reads the new one.
  if (readTls) process.on('SIGHUP', () => {});
  const onNotice = (notice: string) => log.info(notice);
  const setup: Setup = {
    settings,
    log,
    open: (use, options) =>
      withService(
        context,
        { ...openOptions(own), ...options, region, quotaProfile, onNotice },
        use,
      ),
  };
  if (isWorker) await runWorker(() => serveAsWorker(setup));
  else if (workers > 1) await serveWithWorkers(setup, context);
  else await serveAlone(setup, context);
  return 0;
};

function serveAlone({ open, ...setup }: Setup, context: Context): Promise<void> {
  return open(async (service) => {
    const { server, metrics, reload } = await makeServer(service, setup);
    const { settings } = setup;
    const serving: Serving = {
      start: () => server.listen(settings),
      reload,
      metrics: async () => metrics?.text() ?? '',
      drain: () => server.drain(drainLimit),
    };
    await operate(serving, service, setup, context);
  });
}

/** This process opens the store, too: it is made, or refused, once. */
function serveWithWorkers({ open, ...setup }: Setup, context: Context): Promise<void> {
  const { settings, log } = setup;
  const count = settings.workers;
  return open(
    async (service) => {
      if (service.describeStore().url === 'memory:') {
        throw new ConfigurationError('processes cannot share a store in memory', {
          hint: 'name one with --store sqlite:FILE, or leave out --workers',
        });
      }
      // Otherwise all of them together would mint on each core as often as there are processes.
      const threads = Math.max(1, Math.floor(cpuShare() / count));
      // Not any port each time: when all have ended, theirs is given back.
      const port = settings.port === 0 ? await freePort(settings.host) : settings.port;
      const env = { PAIRMINT_THREADS: `${threads}` };
      const workers = new Workers({ count, port, log, env });
      const metrics =
        settings.metrics && (await import('../../http/workers-metrics.ts')).metricsOf(workers);
      const serving: Serving = {
        start: () => workers.start(),
        reload: () => workers.reload(),
        metrics: async () => metrics?.() ?? '',
        drain: () => workers.drain(endLimit),
      };
      await operate(serving, service, setup, context);
    },
    { refillPools: false },
  );
}

function serveAsWorker({ open, ...setup }: Setup): Promise<void> {
  return open(async (service) => {
    const { server, metrics, reload } = await makeServer(service, setup);
    await obey({
      listen: (port) => server.listen({ ...setup.settings, port }),
      reload,
      measure: async () => metrics?.snapshot() ?? [],
      drain: () => server.drain(drainLimit),
    });
  });
}

/** Serves until the process is told to end; a second signal ends it at once. */
async function operate(
  serving: Serving,
  service: Service,
  { settings, log }: Omit<Setup, 'open'>,
  { stdout }: Context,
): Promise<void> {
  const reload = settings.readTls && (() => serving.reload());
  // Before it listens: the certificate may be renewed while it starts, after it was read.
  if (reload) process.on('SIGHUP', reload);
  const listener = await listenerOf(serving, settings);
  const stopRemoving = removeExpiredSessions(service.credentials, log);
  try {
    const url = await serving.start();
    const stop = stopAt('SIGTERM', 'SIGINT');
    const { workers } = settings;
    log.info({ version: packageVersion(), url, metrics: listener?.url, workers }, 'listening');
    stdout.write(`pairmint listening on ${url}\n`);
    await once(stop.signal, 'abort');
    log.info({ signal: stop.received }, 'draining');
    await serving.drain();
    log.info('stopped');
  } finally {
    if (reload) process.off('SIGHUP', reload);
    stopRemoving();
    await listener?.close();
  }
}

async function listenerOf(serving: Serving, { metrics }: Settings) {
  if (metrics === undefined) return undefined;
  const { MetricsListener } = await import('../../http/metrics-listener.ts');
  const listener = new MetricsListener(() => serving.metrics());
  return { url: await listener.listen(metrics), close: () => listener.close() };
}

/** Makes the server of this process, and what observes it. */
async function makeServer(service: Service, { settings, log }: Omit<Setup, 'open'>) {
  const { auth, region, trustedProxies, limits, readTls } = settings;
  const metrics = settings.metrics && (await createMetrics(service));
  const onRequest = requestLogger(log);
  const tls = readTls?.();
  const options = { auth, region, tls, trustedProxies, limits, metrics, onRequest };
  const server = createServer(service, options);
  return { server, metrics, reload: () => reloadTls(server, settings, log) };
}

/** A certificate that cannot be used leaves the one in use in place. */
function reloadTls(server: PairmintServer, { readTls }: Settings, log: Log): void {
  if (readTls === undefined) return;
  try {
    server.setTls(readTls());
    log.info('the certificate was read again');
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'the certificate is not changed');
  }
}
