import cluster from 'node:cluster';
import { ConfigurationError } from '../core/configuration-error.ts';
import type { Snapshot } from './metrics.ts';
import type { Order, Report } from './worker-process.ts';

/** The orders that a worker obeys. */
export interface Duties {
  /** Resolves to the URL. */
  listen(port: number | undefined): Promise<string>;
  reload(): void;
  measure(): Promise<Snapshot>;
  drain(): Promise<void>;
}

// Terminals and supervisors signal all processes; only the process that started the workers acts.
const othersSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Whether this process was started by `Workers` of another one. */
export const isWorker: boolean = cluster.isWorker;

/**
 * Runs a worker from its start to its end. A ConfigurationError is reported to the process that
 * started the worker, which then ends it. If that process is gone, node:cluster ends this one.
 */
export async function runWorker(work: () => Promise<void>): Promise<void> {
  for (const name of othersSignals) process.on(name, () => {});
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    tell({ report: 'refused', message: error.message, hint: error.hint });
    await new Promise(() => {});
  }
}

/** Follows orders until the worker has drained. @throws ConfigurationError if it cannot listen */
export function obey(duties: Duties): Promise<void> {
  return new Promise((resolve, reject) => {
    process.on('message', (order: Order) => {
      perform(duties, order).then(() => order.order === 'drain' && resolve(), reject);
    });
    tell({ report: 'opened' });
  });
}

async function perform(duties: Duties, order: Order): Promise<void> {
  switch (order.order) {
    case 'listen':
      return tell({ report: 'listening', url: await duties.listen(order.port) });
    case 'reload':
      return duties.reload();
    case 'measure':
      return tell({ report: 'measured', id: order.id, snapshot: await duties.measure() });
    case 'drain':
      return duties.drain();
  }
}

function tell(report: Report): void {
  process.send?.(report);
}
