import { placesOf, storeStateAt } from '../../service/places.ts';
import { requireOptions } from '../arguments/batch-request.ts';
import { choose, required } from '../arguments/usage.ts';
import {
  type Context,
  type OwnOptions,
  oneShot,
  type RunCommand,
  withService,
} from '../context.ts';
import { isConfigurationFailure, UnknownOptionsError, UsageError } from '../errors.ts';
import type { ActionOf } from '../help/command-descriptions.ts';
import { formatJson } from '../output/output.ts';

const copyOptions = ['--from', '--to'];

type Given = ReadonlyMap<string, string>;

interface Action {
  readonly needsFile?: true;
  readonly options?: readonly string[];
  /** Does its part and returns the exit code. */
  run(context: Context, own: OwnOptions, file: string, given: Given): Promise<number>;
}

const actions: Readonly<Record<ActionOf<'store'>, Action>> = {
  backup: {
    needsFile: true,
    async run(context, own, file) {
      requireStore(own);
      await withService(context, oneShot(own), ({ store }) => store.backup(file));
      return 0;
    },
  },

  restore: {
    needsFile: true,
    async run(context, own, file) {
      const { restoreBackup } = await import('../../service/restore.ts');
      const { url, movedTo } = await restoreBackup(file, own);
      if (movedTo !== undefined) {
        context.stderr.write(`pairmint: the damaged store that was there is now ${movedTo}\n`);
      }
      context.stdout.write(formatJson({ Store: url }));
      return 0;
    },
  },

  check: {
    async run(context, own) {
      requireStore(own);
      const report = await check(context, own);
      context.stdout.write(formatJson(report));
      return report.Faults.length === 0 ? 0 : 1;
    },
  },

  migrate: {
    async run(context, own) {
      const { migrateStore } = await import('../../service/migrate.ts');
      const { url, from, to } = await migrateStore(own);
      context.stdout.write(formatJson({ Store: url, From: from, To: to }));
      return 0;
    },
  },

  copy: {
    options: copyOptions,
    async run(context, { store, rootKeyFile }, _file, given) {
      requireOptions(given, ['--to']);
      if (store !== undefined && given.has('--from')) throw new UnknownOptionsError(['--store']);
      const { copyStore } = await import('../../service/copy.ts');
      const from = given.get('--from') ?? store;
      const copied = await copyStore({ from, to: given.get('--to') as string, rootKeyFile });
      const { records, pairs, batches } = copied;
      context.stdout.write(
        formatJson({
          From: copied.from,
          To: copied.to,
          Records: records,
          WaitingPairs: pairs,
          Batches: batches,
        }),
      );
      return 0;
    },
  },

  fence: {
    async run(context, own) {
      requireStore(own);
      const { giveUpCopy } = await import('../../service/copy.ts');
      if (await giveUpCopy(own)) {
        context.stderr.write('pairmint: the copy that was not finished is given up\n');
      }
      await withService(context, oneShot(own), ({ store }) => store.fence());
      return 0;
    },
  },
};

export const run: RunCommand = async (given, own, context, [name, file]) => {
  const action = choose<Action>(actions, name);
  const stated = [...given.keys()].filter((option) => copyOptions.includes(option));
  const unknown = stated.filter((option) => !action.options?.includes(option));
  if (unknown.length > 0) throw new UnknownOptionsError(unknown);
  if (action.needsFile && file === undefined) throw required('FILE');
  if (!action.needsFile && file !== undefined) throw new UsageError(`Unknown options: ${file}`);
  return action.run(context, own, file ?? '', given);
};

/** A store that cannot be opened has a fault, too. */
async function check(context: Context, own: OwnOptions) {
  try {
    return await withService(context, oneShot(own), async ({ store }) => {
      const { records, pairs, faults } = await store.check();
      return { Records: records, WaitingPairs: pairs, Faults: faults };
    });
  } catch (error) {
    if (!isConfigurationFailure(error)) throw error;
    return { Records: 0, WaitingPairs: 0, Faults: [error.message] };
  }
}

/** None of the actions makes a store. */
function requireStore(own: OwnOptions): void {
  const { store, file } = placesOf(own);
  if (file === undefined || storeStateAt(file) !== 'none') return;
  throw new UsageError(`there is no store at ${store}`);
}
