import type { RunCommand } from './context.ts';
import type { OwnCommandName } from './help/command-descriptions.ts';

/** Loads a command that the AWS CLI does not have; only this one, so that the program starts fast. */
export const ownCommands: Readonly<Record<OwnCommandName, () => Promise<{ run: RunCommand }>>> = {
  batch: () => import('./commands/batch.ts'),
  credentials: () => import('./commands/credentials.ts'),
  completion: () => import('./commands/completion.ts'),
  doctor: () => import('./commands/doctor.ts'),
  init: () => import('./commands/init.ts'),
  serve: () => import('./commands/serve.ts'),
  store: () => import('./commands/store.ts'),
  pool: () => import('./commands/pool.ts'),
  pregenerate: () => import('./commands/pregenerate.ts'),
  worker: () => import('./commands/worker.ts'),
};
