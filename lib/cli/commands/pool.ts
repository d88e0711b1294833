import type {
  PoolDescription,
  PoolId,
  FillProgress as PoolProgress,
} from '../../service/pool-api.ts';
import { readCount, requestOf, requireOptions } from '../arguments/batch-request.ts';
import { choose } from '../arguments/usage.ts';
import {
  type Context,
  oneShot,
  type RunCommand,
  type Service,
  type TextSink,
  withService,
} from '../context.ts';
import { GeneralError, isServiceFailure, ServiceError } from '../errors.ts';
import type { ActionOf } from '../help/command-descriptions.ts';
import { formatJson } from '../output/output.ts';
import { Progress } from '../output/progress.ts';

type Given = ReadonlyMap<string, string>;
/** Reads the options, then works on the pools and returns the text to print. */
type Action = (given: Given, context: Context) => (pools: Service['pools']) => Promise<string>;

const operation = 'GenerateDataKeyPairWithoutPlaintext';
const naming = ['--key-id', '--key-pair-spec'] as const;

const actions: Readonly<Record<ActionOf<'pool'>, Action>> = {
  create(given) {
    const pool = readPool(given);
    requireOptions(given, ['--target']);
    const target = readCount(given, '--target') as number;
    const low = readCount(given, '--low', 0);
    return async (pools) => formatJson(describe(await pools.create({ ...pool, target, low })));
  },

  list() {
    return async (pools) => formatJson({ Pools: (await pools.list()).map(describe) });
  },

  fill(given, { stderr }) {
    const pool = naming.some((name) => given.has(name)) ? readPool(given) : undefined;
    return async (pools) => {
      const shown = new FillProgress(stderr);
      let refused = 0;
      const minted = await pools
        .fill({
          pool,
          onProgress: (progress) => shown.update(progress),
          onRefusal: ({ KeyId, KeyPairSpec }, error) => {
            if (pool !== undefined) throw error;
            refused++;
            shown.end();
            stderr.write(`pairmint: ${KeyPairSpec} of ${KeyId} is not filled: ${error.message}\n`);
          },
        })
        .finally(() => shown.end());
      if (refused > 0 && minted === 0) throw new GeneralError('pairmint: no pool could be filled');
      return formatJson({ Minted: minted });
    };
  },

  drain(given) {
    const pool = readPool(given);
    return async (pools) => formatJson({ Drained: await pools.drain(pool) });
  },

  delete(given) {
    const pool = readPool(given);
    return async (pools) => {
      await pools.delete(pool);
      return '';
    };
  },
};

export const run: RunCommand = async (given, own, context, [name]) => {
  const perform = choose(actions, name)(given, context);
  const text = await withService(context, oneShot(own), async ({ pools }) => {
    try {
      return await perform(pools);
    } catch (error) {
      throw isServiceFailure(error) ? new ServiceError(operation, error) : error;
    }
  });
  context.stdout.write(text);
  return 0;
};

/** The progress of one pool after the other. */
class FillProgress {
  readonly #sink: TextSink;
  #pool = '';
  #progress: Progress | undefined;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  update({ KeyId, KeyPairSpec, target, level }: PoolProgress): void {
    const pool = `${KeyId} ${KeyPairSpec}`;
    if (pool !== this.#pool) this.end();
    this.#pool = pool;
    this.#progress ??= new Progress(this.#sink, { total: target, first: level });
    this.#progress.update(level);
  }

  end(): void {
    this.#progress?.end();
    this.#progress = undefined;
  }
}

function readPool(given: Given): PoolId {
  requireOptions(given, naming);
  const named = new Map(naming.map((name) => [name as string, given.get(name) as string]));
  return requestOf(operation, named) as PoolId;
}

function describe({ KeyId, KeyPairSpec, target, low, level }: PoolDescription): object {
  return { KeyId, KeyPairSpec, Target: target, Low: low, Level: level };
}
