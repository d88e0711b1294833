import { Counter, Gauge, Registry } from 'prom-client';
import { textOfAll } from './metrics.ts';
import type { Workers } from './workers.ts';

/** Makes the function that reads the metrics of all workers, in Prometheus's text format. */
export function metricsOf(workers: Workers): () => Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const listening = new Gauge({
    name: 'pairmint_workers',
    help: 'Processes that serve.',
    registers,
  });
  const restarts = new Counter({
    name: 'pairmint_worker_restarts_total',
    help: 'Processes that ended unasked and were replaced.',
    registers,
  });
  return async () => {
    const snapshots = await workers.snapshots();
    listening.set(workers.listening);
    restarts.reset();
    restarts.inc(workers.restarts);
    return textOfAll([await registry.getMetricsAsJSON(), ...snapshots]);
  };
}
