import type { RunCommand } from './context.ts';
import { type CommandDescription, commandDescriptions } from './help/command-descriptions.ts';

/** A command that AWS's CLI does not have. It returns its exit code. */
export interface OwnCommand extends CommandDescription {
  readonly load: () => Promise<{ run: RunCommand }>;
}

type CommandName = keyof typeof commandDescriptions;

/** Loaded one by one, for starting the program must not take longer with every command. */
const loaders: Readonly<Record<CommandName, OwnCommand['load']>> = {
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

export const ownCommands: Readonly<Record<string, OwnCommand>> = Object.fromEntries(
  Object.entries(loaders).map(([name, load]) => [
    name,
    { ...commandDescriptions[name as CommandName], load },
  ]),
);
