import { randomUUID } from 'node:crypto';
import type {
  BatchDirectory,
  BatchRecord,
  BatchState,
  Submitter,
} from '../batch/batch-directory.ts';
import { requireKnown } from '../core/known-options.ts';
import type { Place } from '../keys/paths.ts';
import { KmsError } from '../model/errors.ts';
import { keySpecs } from '../model/key-specs.ts';
import type { DataKeyPairSpec, Requests, Responses } from '../model/types.ts';
import { findKey } from '../operations/rules/key-lookup.ts';
import type { Services } from '../operations/rules/operation.ts';
import { rootArn } from '../policy/principal.ts';
import type { ChunkCounts } from '../store/batch-store.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { BatchCounts } from './batch-counts.ts';
import type { WorkOptions } from './batch-worker.ts';
import type { Attended } from './core.ts';
import type { Dispatch } from './dispatch.ts';

/** What a batch is to have: `count` pairs as GenerateDataKeyPairWithoutPlaintext answers them. */
export interface BatchSubmission {
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
  readonly EncryptionContext?: Readonly<Record<string, string>> | undefined;
  /** 1 to 100,000,000. */
  readonly count: number;
  /**
   * How many pairs a worker mints and stores together, 1 to 10,000; by default 50 RSA pairs or 2,000
   * others, which take some seconds, and more if the batch would have more than 200,000 chunks.
   */
  readonly chunk?: number | undefined;
}

/**
 * `waiting`: no worker has a chunk; `running`; `stalled`: the last chunk that was tried could not be
 * minted; `done`; `cancelled`; `lost`: the store has only the record, since it was restored from a
 * backup.
 */
export type BatchStateName = 'waiting' | 'running' | 'stalled' | 'done' | 'cancelled' | 'lost';

/** A batch and how far it is. */
export interface BatchDescription {
  readonly batchId: string;
  /** The key's ARN. */
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
  readonly count: number;
  readonly chunk: number;
  readonly state: BatchStateName;
  /** How many pairs are in the store. */
  readonly done: number;
  /** Pairs a second, of all workers. */
  readonly rate: number;
  /** Undefined if nobody works on it. */
  readonly secondsLeft: number | undefined;
  /** Why it is stalled. */
  readonly reason: string | undefined;
  /** The ARN of the caller that its pairs are minted as. */
  readonly submitter: string;
  readonly creationDate: Date;
  readonly workers: readonly BatchWorkerShare[];
}

/** What one process did for a batch. */
export interface BatchWorkerShare {
  /** The name of its machine and its process id, and a word that tells it from others of that name. */
  readonly worker: string;
  readonly done: number;
  /** Pairs a second. */
  readonly rate: number;
  /** Whether it was heard of in the last ten seconds. */
  readonly isActive: boolean;
}

type Attend = <T>(work: Attended<T>, signal?: AbortSignal) => Promise<T>;
type Pair = Responses['GenerateDataKeyPairWithoutPlaintext'];

const members: Readonly<Record<keyof BatchSubmission, true>> = {
  KeyId: true,
  KeyPairSpec: true,
  EncryptionContext: true,
  count: true,
  chunk: true,
};

const resultOptions = { skip: true };

const largestCount = 100_000_000;
// A worker that is killed loses what it has minted of its chunks, which are one row each.
const largestChunk = 10_000;
// Their rows are made at once, in about a second.
const mostChunks = 200_000;
const defaultChunks = { rsa: 50, brief: 2000 } as const;

/** The batches of an account and region, for a caller who may mint pairs under their keys. */
export class BatchApi {
  readonly #attend: Attend;
  readonly #services: (request: Requests['GenerateDataKeyPairWithoutPlaintext']) => Services;
  readonly #dispatchAs: (submitter: Submitter, region: string) => Dispatch;
  readonly #place: Place;
  readonly #directory: BatchDirectory;
  readonly #submitter: Submitter;
  readonly #counts: BatchCounts;
  readonly #trail: AuditTrail | undefined;
  readonly #now: () => number;

  constructor(options: {
    /** As of PoolApi. */
    attend: Attend;
    /** The services for a request, which is checked against the model. */
    services: (request: Requests['GenerateDataKeyPairWithoutPlaintext']) => Services;
    /** @throws ConfigurationError if nobody can act as this submitter */
    dispatchAs: (submitter: Submitter, region: string) => Dispatch;
    place: Place;
    directory: BatchDirectory;
    /** This caller. */
    submitter: Submitter;
    counts: BatchCounts;
    trail: AuditTrail | undefined;
    now: () => number;
  }) {
    this.#attend = options.attend;
    this.#services = options.services;
    this.#dispatchAs = options.dispatchAs;
    this.#place = options.place;
    this.#directory = options.directory;
    this.#submitter = options.submitter;
    this.#counts = options.counts;
    this.#trail = options.trail;
    this.#now = options.now;
  }

  /**
   * Submits a batch, for this caller: every chunk is authorised anew when it is minted, and stalls the
   * batch while that fails. It is durable on return; workers mint it.
   *
   * @throws KmsError, as the operation does; ConfigurationError if there is no such member
   */
  async submit(submission: BatchSubmission): Promise<BatchDescription> {
    requireKnown('submit of batches', submission, members);
    const { KeyId, KeyPairSpec, EncryptionContext, count, chunk } = { ...submission };
    return this.#attend(async () => {
      const request = { KeyId, KeyPairSpec, ...(EncryptionContext && { EncryptionContext }) };
      const services = this.#services(request);
      const sizes = sizesOf(KeyPairSpec, count, chunk);
      const batchId = randomUUID();
      const shown = {
        keyId: KeyId,
        keyPairSpec: KeyPairSpec,
        encryptionContext: EncryptionContext,
      };
      const call = { operation: 'SubmitBatch', request: { ...shown, ...sizes, batchId } };
      return this.#recorded(call, services.call.keyArns, async () => {
        const { checkPairRequest } = await import('../operations/generate-data-key-pair.ts');
        const keyArn = await checkPairRequest(services, services.call.request as typeof request);
        const record: BatchRecord = {
          ...this.#place,
          batchId,
          keyId: KeyId,
          keyArn,
          spec: KeyPairSpec,
          ...(EncryptionContext && { encryptionContext: { ...EncryptionContext } }),
          ...sizes,
          submitter: this.#submitter,
          creationDate: this.#now(),
        };
        return async () => {
          await this.#directory.submit(record);
          return describe(await this.#find(batchId));
        };
      });
    });
  }

  /**
   * How many chunks there are of all batches of the store, by how they are: for monitoring, and to decide
   * how many workers there should be.
   */
  async chunks(): Promise<ChunkCounts> {
    return this.#attend(() => this.#directory.store.chunks());
  }

  /** One batch. @throws KmsError NotFoundException */
  async status(batchId: string): Promise<BatchDescription> {
    return this.#attend(async () => describe(await this.#find(batchId)));
  }

  /** All batches of the account and region, the earliest first. */
  async list(): Promise<BatchDescription[]> {
    return this.#attend(async () => (await this.#directory.list(this.#place)).map(describe));
  }

  /**
   * Stops a batch for good; what is minted of it can still be exported. Cancelling it again changes
   * nothing.
   *
   * @throws KmsError NotFoundException; AccessDeniedException; KMSInvalidStateException if it is done
   */
  async cancel(batchId: string): Promise<BatchDescription> {
    return this.#attend(async () => {
      const call = { operation: 'CancelBatch', request: { batchId } };
      return this.#recorded(call, new Set(), async (keyArns) => {
        const state = await this.#own(batchId, keyArns);
        const name = stateOf(state);
        if (name === 'done') throw invalidState(`${batchId} is done.`);
        return async () => {
          if (name !== 'cancelled') await this.#directory.cancel(state.record, this.#now());
          return describe(await this.#find(batchId));
        };
      });
    });
  }

  /**
   * Deletes a batch that is done or cancelled, with its pairs. One whose record is damaged, so that
   * nobody mints it, is deleted by the account's root.
   *
   * @throws KmsError NotFoundException; AccessDeniedException; KMSInvalidStateException if it is to be
   *   minted still
   */
  async delete(batchId: string): Promise<void> {
    return this.#attend(async () => {
      const call = { operation: 'DeleteBatch', request: { batchId } };
      return this.#recorded(call, new Set(), async (keyArns) => {
        const state = await this.#own(batchId, keyArns).catch((error) => {
          const isRoot = this.#submitter.principal === rootArn(this.#place.accountId);
          if (isRoot && error.name === 'KMSInternalException') return undefined;
          throw error;
        });
        const name = state === undefined ? 'lost' : stateOf(state);
        if (!['done', 'cancelled', 'lost'].includes(name)) {
          throw invalidState(`${batchId} is ${name}. Cancel it before you delete it.`);
        }
        return async () => {
          await this.#directory.delete({ ...this.#place, batchId });
        };
      });
    });
  }

  /**
   * The pairs of a batch, in the order of its chunks, some at a time: always in the same order, so that
   * who has some of them can go on behind those. Of a batch that is not done yet it ends before the
   * first chunk that is missing; of one that was cancelled it has all that were minted.
   *
   * @param options `skip`: how many pairs to leave out at the beginning
   * @throws KmsError NotFoundException; AccessDeniedException; KMSInternalException at a pair that is
   *   not as pairmint stored it, or is gone
   */
  async *results(
    batchId: string,
    options: { readonly skip?: number } = {},
  ): AsyncGenerator<Pair[], void, undefined> {
    requireKnown('results of batches', options, resultOptions);
    const { skip = 0 } = options;
    if (!Number.isSafeInteger(skip) || skip < 0) {
      throw new TypeError('skip must be a whole number from 0');
    }
    const state = await this.#attend(() => this.#own(batchId, new Set()));
    if (state.level === undefined) {
      throw invalidState(`The pairs of ${batchId} are not in this store, which was restored.`);
    }
    const { record, level } = state;
    const chunks = this.#directory.results(record, skip);
    let read = skip;
    for (;;) {
      const next = await this.#attend(() => chunks.next());
      if (next.done) break;
      read += next.value.length;
      yield next.value;
    }
    const hasAll = ['done', 'cancelled'].includes(stateOf(state));
    if (!hasAll || read >= level.done || (await this.#isGone(batchId))) return;
    throw new KmsError(
      'KMSInternalException',
      `The key store is damaged: ${level.done - read} pairs of ${batchId} are missing.`,
    );
  }

  /**
   * Works on the batches of the whole store, each as who submitted it, until the signal: mints chunks and
   * stores them, on all cores, together with all other processes that do so.
   *
   * @returns how many pairs it has stored
   * @throws ConfigurationError if there is no such option
   */
  async work(options: WorkOptions = {}): Promise<number> {
    const { BatchWorker, requireWorkOptions } = await import('./batch-worker.ts');
    requireWorkOptions(options);
    if (options.signal?.aborted) return 0;
    return this.#attend(async (signal) => {
      const worker = new BatchWorker(
        { directory: this.#directory, dispatchAs: this.#dispatchAs, counts: this.#counts },
        options,
      );
      return worker.run(signal);
    }, options.signal);
  }

  /**
   * Records a request that changes something before it does so. `prepare` checks it and returns what
   * makes the change.
   */
  async #recorded<T>(
    call: { operation: string; request: object },
    keyArns: Set<string>,
    prepare: (keyArns: Set<string>) => Promise<() => Promise<T>>,
  ): Promise<T> {
    if (this.#trail === undefined) return (await prepare(keyArns))();
    const recorded = { ...call, requestId: randomUUID(), keyArns };
    return this.#trail.recorded(recorded, async (beforeChange) => {
      const change = await prepare(keyArns);
      await beforeChange();
      return change();
    });
  }

  async #find(batchId: string): Promise<BatchState> {
    const state = await this.#directory.find(this.#place, batchId);
    if (state !== undefined) return state;
    throw new KmsError('NotFoundException', `There is no batch ${batchId}.`);
  }

  /** A batch that this caller submitted, or whose key it may mint pairs with. @throws KmsError */
  async #own(batchId: string, keyArns: Set<string>): Promise<BatchState> {
    const state = await this.#find(batchId);
    const { submitter, keyArn: KeyId, spec: KeyPairSpec } = state.record;
    if (submitter.principal !== this.#submitter.principal) {
      await findKey(this.#services({ KeyId, KeyPairSpec }), KeyId);
    }
    keyArns.add(KeyId);
    return state;
  }

  async #isGone(batchId: string): Promise<boolean> {
    return (await this.#directory.find(this.#place, batchId)) === undefined;
  }
}

function sizesOf(
  spec: DataKeyPairSpec,
  count: number,
  given: number | undefined,
): { count: number; chunk: number } {
  requireRange('count', count, largestCount);
  if (given !== undefined) requireRange('chunk', given, largestChunk);
  const kind = keySpecs[spec].minting?.kind === 'rsa' ? 'rsa' : 'brief';
  const chunk = given ?? Math.max(defaultChunks[kind], Math.ceil(count / mostChunks));
  if (Math.ceil(count / chunk) <= mostChunks) return { count, chunk };
  const least = Math.ceil(count / mostChunks);
  throw new KmsError(
    'ValidationException',
    `chunk must be at least ${least} for ${count} pairs: a batch has at most ${mostChunks} chunks`,
  );
}

function requireRange(name: string, value: unknown, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most) return;
  throw new KmsError('ValidationException', `${name} must be a whole number from 1 to ${most}`);
}

function invalidState(message: string): KmsError {
  return new KmsError('KMSInvalidStateException', message);
}

function stateOf({ record, level }: BatchState): BatchStateName {
  if (level === undefined) return 'lost';
  if (level.done >= record.count) return 'done';
  if (level.isCancelled || record.cancellationDate !== undefined) return 'cancelled';
  if (level.refusal !== undefined) return 'stalled';
  return level.workers.some(({ isActive }) => isActive) ? 'running' : 'waiting';
}

function describe(state: BatchState): BatchDescription {
  const { record, level } = state;
  const { encryptionContext, count, chunk, submitter } = record;
  const name = stateOf(state);
  const isOpen = ['waiting', 'running', 'stalled'].includes(name);
  const workers = (level?.workers ?? []).map(({ worker, pairs, rate, isActive }) => ({
    worker,
    done: pairs,
    rate: isOpen ? rate : 0,
    isActive: isOpen && isActive,
  }));
  const rate = workers.reduce((sum, share) => sum + share.rate, 0);
  const done = level?.done ?? 0;
  return {
    batchId: record.batchId,
    KeyId: record.keyArn,
    KeyPairSpec: record.spec,
    ...(encryptionContext && { EncryptionContext: encryptionContext }),
    count,
    chunk,
    state: name,
    done,
    rate,
    secondsLeft: rate > 0 ? Math.ceil((count - done) / rate) : undefined,
    reason: name === 'stalled' ? level?.refusal : undefined,
    submitter: submitter.principal,
    creationDate: new Date(record.creationDate),
    workers,
  };
}
