import { setTimeout as pause } from 'node:timers/promises';
import type { BatchDescription } from '../../service/batch-api.ts';
import { readCount, requestOf, requireOptions } from '../arguments/batch-request.ts';
import { choose, required } from '../arguments/usage.ts';
import { type Context, oneShot, type RunCommand, type Service, withService } from '../context.ts';
import { exitCodes, isServiceFailure, ServiceError, UnknownOptionsError } from '../errors.ts';
import type { Response } from '../files/batch-file.ts';
import { type Destination, withDestination } from '../files/destination.ts';
import type { ActionOf } from '../help/command-descriptions.ts';
import { formatJson } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { stopAt } from './stop-signals.ts';

type Given = ReadonlyMap<string, string>;
type Batches = Service['batches'];
type Submission = Parameters<Batches['submit']>[0];

/** What an action works with. */
interface Work {
  readonly given: Given;
  readonly context: Context;
  /** The batch that is named; empty if none is. */
  readonly id: string;
}

/** Reads the options, then works on the batches and returns the exit code. */
type Act = (work: Work) => (batches: Batches, signal: AbortSignal) => Promise<number>;

interface Action {
  /** What complaints of the service call it. */
  readonly operation: string;
  readonly id: 'required' | 'optional' | 'none';
  readonly options: readonly string[];
  readonly act: Act;
}

const minting = 'GenerateDataKeyPairWithoutPlaintext';
const naming = ['--key-id', '--key-pair-spec'] as const;
const lookEvery = 500;
const unfinished = 1;
const openStates: readonly string[] = ['waiting', 'running', 'stalled'];

const actions: Readonly<Record<ActionOf<'batch'>, Action>> = {
  submit: {
    operation: 'SubmitBatch',
    id: 'none',
    options: [...naming, '--count', '--chunk', '--encryption-context'],
    act({ given, context }) {
      requireOptions(given, [...naming, '--count']);
      const request = requestOf(minting, given) as Submission;
      const count = readCount(given, '--count') as number;
      const chunk = readCount(given, '--chunk');
      return async (batches) => {
        const { batchId } = await batches.submit({ ...request, count, chunk });
        context.stdout.write(formatJson({ BatchId: batchId }));
        return exitCodes.success;
      };
    },
  },

  status: {
    operation: 'DescribeBatch',
    id: 'optional',
    options: ['--watch'],
    act({ given, context, id }) {
      return async (batches, signal) => {
        const read = async () => (id === '' ? batches.list() : [await batches.status(id)]);
        const found = given.has('--watch') ? await watch(read, context, signal) : await read();
        const shown = found.map(describe);
        context.stdout.write(formatJson(id === '' ? { Batches: shown } : (shown[0] as object)));
        return exitCodes.success;
      };
    },
  },

  list: {
    operation: 'ListBatches',
    id: 'none',
    options: [],
    act({ context }) {
      return async (batches) => {
        context.stdout.write(formatJson({ Batches: (await batches.list()).map(summarise) }));
        return exitCodes.success;
      };
    },
  },

  cancel: {
    operation: 'CancelBatch',
    id: 'required',
    options: [],
    act({ context, id }) {
      return async (batches) => {
        context.stdout.write(formatJson(summarise(await batches.cancel(id))));
        return exitCodes.success;
      };
    },
  },

  export: {
    operation: 'ExportBatch',
    id: 'required',
    options: ['--out'],
    act({ given, context, id }) {
      return async (batches, signal) => {
        const batch = await batches.status(id);
        const { KeyId, KeyPairSpec, EncryptionContext, done: most } = batch;
        const request = { BatchId: id, KeyId, KeyPairSpec, EncryptionContext };
        const file = given.get('--out');
        return withDestination(file, { request, most }, context, (destination) =>
          exportBatch(batches, batch, destination, context, signal),
        );
      };
    },
  },

  delete: {
    operation: 'DeleteBatch',
    id: 'required',
    options: [],
    act({ id }) {
      return async (batches) => {
        await batches.delete(id);
        return exitCodes.success;
      };
    },
  },
};

export const run: RunCommand = async (given, own, context, [name, id = '']) => {
  const action = actionOf(name, id, given);
  const act = action.act({ given, context, id });
  const stop = stopAt('SIGINT');
  try {
    return await withService(context, oneShot(own), ({ batches }) => act(batches, stop.signal));
  } catch (error) {
    if (stop.signal.aborted) return interrupted(given, context);
    throw isServiceFailure(error) ? new ServiceError(action.operation, error) : error;
  } finally {
    stop.release();
  }
};

function interrupted(given: Given, { stderr }: Context): number {
  const next = given.has('--out') ? '; the same command goes on' : '';
  stderr.write(`pairmint: interrupted${next}\n`);
  return exitCodes.interrupted;
}

/** @throws UsageError, UnknownOptionsError if there is no such action or it is given too much or little */
function actionOf(name: string | undefined, id: string, given: Given): Action {
  const action = choose<Action>(actions, name);
  if (action.id === 'required' && id === '') throw required('BATCH_ID');
  const own = Object.values(actions).flatMap(({ options }) => options);
  const foreign = [...new Set(own)].filter((o) => given.has(o) && !action.options.includes(o));
  const unknown = [...(action.id === 'none' && id !== '' ? [id] : []), ...foreign];
  if (unknown.length > 0) throw new UnknownOptionsError(unknown);
  return action;
}

/** Shows the progress of batches until nothing of them is left to mint. */
async function watch(
  read: () => Promise<BatchDescription[]>,
  { stderr }: Context,
  signal: AbortSignal,
): Promise<BatchDescription[]> {
  let progress: Progress | undefined;
  const told = new Set<string>();
  try {
    for (;;) {
      signal.throwIfAborted();
      const batches = await read();
      const open = batches.filter(({ state }) => openStates.includes(state));
      if (open.length === 0) return batches;
      for (const { batchId, reason } of open) {
        const sentence = `pairmint: the batch ${batchId} is stalled: ${reason}\n`;
        if (reason === undefined || told.has(sentence)) continue;
        told.add(sentence);
        progress?.end();
        stderr.write(sentence);
      }
      // Those that end meanwhile stay in the sums, or the bar would go back.
      const watched = batches.filter(({ state }) => !['cancelled', 'lost'].includes(state));
      const sum = (of: 'count' | 'done') => watched.reduce((all, batch) => all + batch[of], 0);
      progress ??= new Progress(stderr, { total: sum('count'), first: sum('done') });
      progress.update(sum('done'));
      await pause(lookEvery, undefined, { signal });
    }
  } finally {
    progress?.end();
  }
}

async function exportBatch(
  batches: Batches,
  { batchId, count, done, state }: BatchDescription,
  { lines, append }: Destination,
  { stderr }: Context,
  signal: AbortSignal,
): Promise<number> {
  const progress = new Progress(stderr, { total: done, first: lines });
  let written = lines;
  try {
    for await (const pairs of batches.results(batchId, { skip: lines })) {
      signal.throwIfAborted();
      if (!(await append(pairs as Response[]))) return exitCodes.success;
      written += pairs.length;
      progress.update(Math.min(written, done));
    }
  } finally {
    progress.end();
  }
  if (written === count) return exitCodes.success;
  const isOpen = openStates.includes(state);
  const next = isOpen ? `is ${state}: the same command goes on later` : 'was cancelled';
  stderr.write(`pairmint: ${written} of ${count} pairs are exported; the batch ${next}\n`);
  return isOpen ? unfinished : exitCodes.success;
}

function summarise({ batchId, KeyId, KeyPairSpec, state, done, count }: BatchDescription): object {
  return { BatchId: batchId, KeyId, KeyPairSpec, State: state, Done: done, Count: count };
}

function describe(batch: BatchDescription): object {
  return {
    ...summarise(batch),
    Chunk: batch.chunk,
    EncryptionContext: batch.EncryptionContext,
    Rate: rounded(batch.rate),
    SecondsLeft: batch.secondsLeft,
    Reason: batch.reason,
    Submitter: batch.submitter,
    CreationDate: batch.creationDate.toISOString(),
    Workers: batch.workers.map(({ worker, done, rate, isActive }) => ({
      Worker: worker,
      Done: done,
      Rate: rounded(rate),
      Active: isActive,
    })),
  };
}

function rounded(rate: number): number {
  return Math.round(10 * rate) / 10;
}
