import { cpuShare } from '../core/cpu-share.ts';
import { inParallel } from '../core/in-parallel.ts';
import { requireKnown } from '../core/known-options.ts';
import { requireWhole } from '../core/whole-number.ts';
import { type CheckedRequest, parseRequest } from '../model/request.ts';
import type { Requests, Responses } from '../model/types.ts';
import type { Dispatch } from './dispatch.ts';

/** How many pairs are minted, and how. */
export interface BatchOptions {
  readonly count: number;
  /** Whether the responses have PrivateKeyPlaintext; without it they are those of
   * GenerateDataKeyPairWithoutPlaintext. */
  readonly plaintext?: boolean | undefined;
  /**
   * How many pairs may be under way or wait to be taken at a time; by default enough to keep every
   * thread busy. It is the batch's only limit: the limits on waiting work (docs/server.md,
   * Admission) never refuse a batch and do not count its pairs. A quota profile does count them.
   */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const batchOptions: Readonly<Record<keyof BatchOptions, true>> = {
  count: true,
  plaintext: true,
  concurrency: true,
  signal: true,
};

/** @throws ConfigurationError if there is no such option; TypeError if a number is not whole */
export function requireBatchOptions(options: BatchOptions): void {
  requireKnown('mintDataKeyPairs', options, batchOptions);
  requireWhole('count', options.count);
  if (options.concurrency !== undefined) requireWhole('concurrency', options.concurrency);
}

/** Mints several pairs in each crossing into native code, and has several crossings under way. */
export async function* mintBatch(
  dispatch: Dispatch,
  request: Requests['GenerateDataKeyPairWithoutPlaintext'],
  { count, plaintext = false, concurrency, signal }: BatchOptions,
): AsyncGenerator<Responses['GenerateDataKeyPair'], void, undefined> {
  const name = plaintext ? 'GenerateDataKeyPair' : 'GenerateDataKeyPairWithoutPlaintext';
  const { KeyPairSpec } = parseRequest(name, request);
  const { generateSeveral, pairsToACrossing } = await import(
    '../operations/generate-data-key-pair.ts'
  );
  const best = pairsToACrossing(KeyPairSpec);
  const pairsAtOnce = concurrency ?? 4 * cpuShare() * best;
  // Two crossings per thread: one runs while the answers of the other are taken.
  const size = Math.max(1, Math.min(best, Math.floor(pairsAtOnce / (2 * cpuShare()))));
  let left = count;
  const mint = (abortSignal: AbortSignal) => {
    const pairs = Math.min(size, left);
    left -= pairs;
    return dispatch.serve(
      name,
      request,
      { abortSignal },
      {
        count: pairs,
        run: (services, checked) =>
          generateSeveral(services, checked as CheckedRequest<typeof name>, {
            plaintext,
            count: pairs,
          }),
      },
    );
  };
  const crossings = { count: Math.ceil(count / size), concurrency: Math.floor(pairsAtOnce / size) };
  for await (const pairs of inParallel(mint, { ...crossings, signal })) {
    yield* pairs as Responses['GenerateDataKeyPair'][];
  }
}
