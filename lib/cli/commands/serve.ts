import { once } from 'node:events';
import { ConfigurationError } from '../../core/configuration-error.ts';
import { packageVersion } from '../../core/package-version.ts';
import {
  createLog,
  isWorker,
  type Log,
  logWarnings,
  runWorker,
  type Serving,
  serveAlone,
  serveAsWorker,
  serveBeside,
  serveWithWorkers,
} from '../../http/serving.ts';
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

export const run: RunCommand = async (given, own, context) => {
  const settings = readSettings(given);
  const log = createLog(settings.logLevel);
  logWarnings(log);
  const { region, quotaProfile, workers, readTls } = settings;
  // SIGHUP would end the process before the server exists, which reads the new certificate anyway.
  if (readTls) process.on('SIGHUP', () => {});
  const onNotice = (notice: string) => log.info(notice);
  const options: OpenOptions = { ...openOptions(own), region, quotaProfile, onNotice };
  if (isWorker) {
    await runWorker(() =>
      withService(context, options, (service) => serveAsWorker(service, settings, log)),
    );
  } else if (workers > 1) {
    // This process opens the store, too: the store is made, or refused, once.
    await withService(context, { ...options, refillPools: false }, async (service) => {
      requireSharedStore(service);
      const serving = await serveWithWorkers(settings, log);
      await operate(serving, service, { settings, log, context });
    });
  } else {
    await withService(context, options, async (service) => {
      const serving = await serveAlone(service, settings, log);
      await operate(serving, service, { settings, log, context });
    });
  }
  return 0;
};

function requireSharedStore(service: Service): void {
  if (service.describeStore().url !== 'memory:') return;
  throw new ConfigurationError('processes cannot share a store in memory', {
    hint: 'name one with --store sqlite:FILE, or leave out --workers',
  });
}

interface Surroundings {
  readonly settings: Settings;
  readonly log: Log;
  readonly context: Context;
}

/** Serves until the process is told to end; a second signal ends it at once. */
async function operate(
  serving: Serving,
  service: Service,
  { settings, log, context }: Surroundings,
): Promise<void> {
  const reload = settings.readTls && (() => serving.reload());
  // Before it listens: the certificate may be renewed after it was read at the start.
  if (reload) process.on('SIGHUP', reload);
  const beside = await serveBeside(serving, service, settings, log);
  try {
    const url = await serving.start();
    const stop = stopAt('SIGTERM', 'SIGINT');
    const { workers } = settings;
    log.info({ version: packageVersion(), url, metrics: beside.metricsUrl, workers }, 'listening');
    context.stdout.write(`pairmint listening on ${url}\n`);
    await once(stop.signal, 'abort');
    log.info({ signal: stop.received }, 'draining');
    await serving.drain();
    log.info('stopped');
  } finally {
    if (reload) process.off('SIGHUP', reload);
    await beside.stop();
  }
}
