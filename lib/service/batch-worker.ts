import { randomBytes, randomUUID } from 'node:crypto';
import os from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { BatchDirectory, BatchRecord, Submitter } from '../batch/batch-directory.ts';
import type { Pair } from '../batch/chunk-value.ts';
import { cpuShare } from '../core/cpu-share.ts';
import { messageOf } from '../core/error-message.ts';
import { requireKnown } from '../core/known-options.ts';
import { requireWhole } from '../core/whole-number.ts';
import { KmsError } from '../model/errors.ts';
import { parseRequest } from '../model/request.ts';
import { generateSeveral, pairsToACrossing } from '../operations/generate-data-key-pair.ts';
import { loadOperation } from '../operations/index.ts';
import type { ChunkClaim } from '../store/batch-store.ts';
import type { BatchCounts } from './batch-counts.ts';
import { Chunk } from './chunk.ts';
import type { Dispatch } from './dispatch.ts';

export interface WorkOptions {
  /** Ends the work; chunks that are not finished are given back. */
  readonly signal?: AbortSignal | undefined;
  /** Whether to end when there is no chunk to claim, rather than to wait for one. */
  readonly untilIdle?: boolean | undefined;
  /** How many crossings into native code are under way at a time; two per thread by default. */
  readonly concurrency?: number | undefined;
  /** Called when the pairs of a chunk are in the store. */
  readonly onSettled?: ((pairs: number, batchId: string) => void) | undefined;
  /**
   * Called once when a chunk cannot be minted or the store fails, and again only after a success.
   */
  readonly onTrouble?: ((sentence: string) => void) | undefined;
}

const workOptions: Readonly<Record<keyof WorkOptions, true>> = {
  signal: true,
  untilIdle: true,
  concurrency: true,
  onSettled: true,
  onTrouble: true,
};

/** @throws ConfigurationError if there is no such option; TypeError if a number is not whole */
export function requireWorkOptions(options: WorkOptions): void {
  requireKnown('work of batches', options, workOptions);
  if (options.concurrency !== undefined) requireWhole('concurrency', options.concurrency);
}

// Seconds and milliseconds. A worker that ends is replaced when its lease has run out and the others
// have looked: within 8 seconds. Two renewals may fail before a lease is lost.
const lease = 6;
const renewEvery = 2000;
// The others count from when the store noted the lease, this worker from before it asked for it.
const margin = 1000;
const lookEvery = 750;
const settleAgainAfter = 250;
const longestPause = 10_000;
// As much as a worker claims at a time, in milliseconds, and in chunks.
const workAtOnce = 2000;
const mostAtOnce = 64;

const operation = 'GenerateDataKeyPairWithoutPlaintext' as const;

/** Mints chunks of batches and stores them, each as who submitted its batch. */
export class BatchWorker {
  readonly #directory: BatchDirectory;
  readonly #dispatchAs: (submitter: Submitter, region: string) => Dispatch;
  readonly #counts: BatchCounts;
  readonly #options: WorkOptions;
  readonly #concurrency: number;
  readonly #name = `${os.hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`;
  /** Those that are minted, and those that are over and being settled or given back. */
  readonly #chunks = new Set<Chunk>();
  readonly #over = new Set<Chunk>();
  readonly #dispatches = new WeakMap<BatchRecord, Dispatch>();
  readonly #settling = new Set<Promise<void>>();
  #underWay = 0;
  #settled = 0;
  #isClaiming = false;
  /** Whether the last claim found nothing. */
  #isIdle = false;
  #claimAt = 0;
  #failures = 0;
  #isRenewing = false;
  #troubles = new Set<string>();
  /** How long a chunk takes, in milliseconds; undefined until one is settled. */
  #chunkTime: number | undefined;
  #settledAt = performance.now();
  #wake = () => {};

  constructor(
    core: {
      directory: BatchDirectory;
      /** @throws ConfigurationError if nobody can act as this submitter */
      dispatchAs: (submitter: Submitter, region: string) => Dispatch;
      counts: BatchCounts;
    },
    options: WorkOptions,
  ) {
    this.#directory = core.directory;
    this.#dispatchAs = core.dispatchAs;
    this.#counts = core.counts;
    this.#options = options;
    this.#concurrency = options.concurrency ?? 2 * cpuShare();
  }

  /** Works until the signal and returns how many pairs it has stored. Never fails. */
  async run(signal: AbortSignal): Promise<number> {
    // The audit asks what kind of operation it records.
    await loadOperation(operation);
    const renewals = setInterval(() => void this.#renew(), renewEvery);
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted && !this.#isOver()) {
        this.#startMore();
        this.#claimMore();
        await this.#nextEvent();
      }
    } finally {
      signal.removeEventListener('abort', wake);
      await this.#end();
      clearInterval(renewals);
    }
    return this.#settled;
  }

  #isOver(): boolean {
    const { untilIdle = false } = this.#options;
    return untilIdle && this.#isIdle && !this.#isClaiming && this.#chunks.size === 0;
  }

  /** Waits until something ends, or it is time to look for chunks. */
  async #nextEvent(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const wait = this.#claimAt - performance.now();
      if (!this.#isClaiming && wait > 0) timer = setTimeout(resolve, wait);
    });
    clearTimeout(timer);
  }

  #startMore(): void {
    for (const chunk of this.#chunks) {
      while (chunk.left > 0 && this.#underWay < this.#concurrency) this.#start(chunk);
    }
  }

  #start(chunk: Chunk): void {
    this.#underWay++;
    void chunk.mintSome().then(() => {
      this.#underWay--;
      if (this.#chunks.has(chunk) && chunk.hasEnded) this.#finish(chunk);
      this.#wake();
    });
  }

  /** Claims about two seconds of work before the last chunk's end, so that no thread waits. */
  #claimMore(): void {
    const waiting = [...this.#chunks].reduce((sum, { unitsLeft }) => sum + unitsLeft, 0);
    if (waiting >= this.#concurrency || this.#isClaiming || performance.now() < this.#claimAt)
      return;
    this.#isClaiming = true;
    void this.#claim().then(() => {
      this.#isClaiming = false;
      this.#wake();
    });
  }

  async #claim(): Promise<void> {
    const began = performance.now();
    const most = Math.round(workAtOnce / (this.#chunkTime ?? workAtOnce));
    try {
      const wanted = Math.max(1, Math.min(most, mostAtOnce));
      const claims = await this.#directory.claim(this.#name, wanted, lease);
      for (const claim of claims) await this.#take(claim, began);
      this.#recovered('the batches');
      this.#failures = 0;
      if (claims.length === 0) await this.#rest();
      else this.#isIdle = false;
    } catch (error) {
      this.#isIdle = true;
      this.#claimAt = performance.now() + Math.min(lookEvery * 2 ** this.#failures++, longestPause);
      this.#trouble('the batches', messageOf(error));
    }
  }

  async #rest(): Promise<void> {
    if (!this.#isIdle) await this.#directory.purge();
    this.#isIdle = true;
    this.#claimAt = performance.now() + lookEvery;
  }

  async #take(claim: ChunkClaim, claimedAt: number): Promise<void> {
    try {
      const record = await this.#directory.recordOf(claim);
      if (record === undefined || record.cancellationDate !== undefined) {
        // Of a batch that was deleted or cancelled meanwhile no chunk is given again.
        return await this.#directory.store.release([claim], 'The batch was cancelled or deleted.');
      }
      const chunk = new Chunk({
        claim,
        record,
        unit: pairsToACrossing(record.spec),
        mint: (count, signal) => this.#mint(record, count, signal),
        onLate: () => this.#lose(chunk),
      });
      chunk.lastUntil(claimedAt + 1000 * lease - margin);
      this.#chunks.add(chunk);
      this.#counts.held++;
    } catch (error) {
      await this.#refuse(claim, undefined, error);
    }
  }

  async #mint(record: BatchRecord, count: number, abortSignal: AbortSignal): Promise<Pair[]> {
    const dispatch = this.#dispatchOf(record);
    const call = { ...callOf(record), abortSignal };
    const trail = dispatch.trail?.onlyChanges({ ...call, requestId: randomUUID() });
    const pairs = await generateSeveral(dispatch.services(call, trail), call.request, {
      plaintext: false,
      count,
    });
    const other = pairs.find(({ KeyId }) => KeyId !== record.keyArn)?.KeyId;
    if (other === undefined) return pairs;
    throw new KmsError(
      'KMSInvalidStateException',
      `${record.keyId} is ${other} now; the batch is for ${record.keyArn}.`,
    );
  }

  #dispatchOf(record: BatchRecord): Dispatch {
    let dispatch = this.#dispatches.get(record);
    if (dispatch === undefined) {
      dispatch = this.#dispatchAs(record.submitter, record.region);
      this.#dispatches.set(record, dispatch);
    }
    return dispatch;
  }

  /** Settles a chunk that is minted, or gives back one that could not be. */
  #finish(chunk: Chunk): void {
    const { claim, record, failure } = chunk;
    // The last of its crossings may have ended together.
    if (this.#over.has(chunk)) return;
    this.#over.add(chunk);
    chunk.close();
    const work =
      failure === undefined ? this.#settle(chunk) : this.#refuse(claim, record, failure.error);
    const ended: Promise<void> = work.finally(() => {
      this.#over.delete(chunk);
      this.#forget(chunk);
      this.#settling.delete(ended);
      this.#wake();
    });
    this.#settling.add(ended);
  }

  async #settle(chunk: Chunk): Promise<void> {
    const { claim, record } = chunk;
    let isOurs: boolean | undefined;
    while (isOurs === undefined) {
      try {
        isOurs = await this.#directory.settle(this.#name, record, claim, chunk.pairs);
      } catch (error) {
        // Its outcome may be unknown: settling again tells. After the lease others mint the chunk.
        this.#trouble('the batches', messageOf(error));
        if (performance.now() > chunk.end) {
          this.#counts.lost++;
          return;
        }
        await pause(settleAgainAfter);
      }
    }
    if (isOurs) await this.#noteSettled(record, claim.pairs);
    else this.#counts.lost++;
  }

  async #noteSettled(record: BatchRecord, count: number): Promise<void> {
    const now = performance.now();
    this.#chunkTime = now - this.#settledAt;
    this.#settledAt = now;
    this.#settled += count;
    this.#counts.settled(record.spec, count);
    // If the batch was refused before, its other chunks can be claimed now.
    this.#isIdle = false;
    this.#claimAt = now;
    this.#recovered(record.batchId);
    this.#options.onSettled?.(count, record.batchId);
    const { trail } = this.#dispatchOf(record);
    const call = { ...callOf(record, [record.keyArn]), requestId: randomUUID() };
    await trail?.recorded(call, async () => {}, { count });
  }

  /** Gives back a chunk that cannot be minted now, and says why. */
  async #refuse(claim: ChunkClaim, record: BatchRecord | undefined, error: unknown): Promise<void> {
    const reason = reasonOf(error);
    this.#counts.refused++;
    this.#trouble(record?.batchId ?? claim.batch, reason);
    try {
      await this.#directory.store.release([claim], reason);
      const trail = record && this.#dispatchOf(record).trail;
      const call = record && callOf(record, [record.keyArn]);
      if (call !== undefined) await trail?.refused({ ...call, requestId: randomUUID() }, error);
    } catch {
      // Its lease runs out.
    }
  }

  /** Renews all leases. A chunk whose lease was lost is minted no longer: others may have it. */
  async #renew(): Promise<void> {
    const chunks = [...this.#chunks];
    if (this.#isRenewing || chunks.length === 0) return;
    this.#isRenewing = true;
    const began = performance.now();
    try {
      const claims = chunks.map(({ claim }) => claim);
      const renewed = await this.#directory.store.renew(this.#name, claims, lease);
      chunks.forEach((chunk, i) => {
        if (!this.#chunks.has(chunk)) return;
        if (renewed[i]) chunk.lastUntil(began + 1000 * lease - margin);
        else this.#lose(chunk);
      });
    } catch (error) {
      this.#trouble('the batches', messageOf(error));
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Stops minting a chunk that others may have by now. */
  #lose(chunk: Chunk): void {
    if (!this.#over.has(chunk)) this.#counts.lost++;
    this.#drop(chunk);
  }

  #forget(chunk: Chunk): void {
    if (this.#chunks.delete(chunk)) this.#counts.held--;
  }

  /** Stops minting a chunk. One that is over is left to the store, which knows whose it is. */
  #drop(chunk: Chunk): void {
    if (this.#over.has(chunk)) return;
    chunk.close();
    this.#forget(chunk);
    this.#wake();
  }

  /** Abandons what is minted, gives it back, and waits for what is settled. */
  async #end(): Promise<void> {
    while (this.#isClaiming) await this.#nextEvent();
    const unfinished = [...this.#chunks].filter((chunk) => !this.#over.has(chunk));
    for (const chunk of unfinished) this.#drop(chunk);
    while (this.#underWay > 0) await this.#nextEvent();
    await Promise.all(this.#settling);
    const claims = unfinished.map(({ claim }) => claim);
    // Otherwise their leases run out.
    if (claims.length > 0) await this.#directory.store.release(claims).catch(() => {});
  }

  #trouble(what: string, reason: string): void {
    if (this.#troubles.has(what)) return;
    this.#troubles.add(what);
    const subject = what === 'the batches' ? what : `the batch ${what}`;
    this.#options.onTrouble?.(`${subject} cannot be minted: ${reason}`);
  }

  #recovered(what: string): void {
    this.#troubles.delete(what);
  }
}

/** The request that each pair of a batch answers. */
function callOf({ keyId, spec, encryptionContext }: BatchRecord, keyArns: string[] = []) {
  const context = encryptionContext && { EncryptionContext: encryptionContext };
  const request = parseRequest(operation, { KeyId: keyId, KeyPairSpec: spec, ...context });
  return { operation, request, keyArns: new Set(keyArns) };
}

/** Why a chunk cannot be minted, for people; causes stay inside, as in answers to requests. */
function reasonOf(error: unknown): string {
  if (error instanceof KmsError) return `${error.name}: ${error.message}`;
  const isSetting = error instanceof Error && error.name === 'ConfigurationError';
  return isSetting ? messageOf(error) : 'KMSInternalException: internal failure';
}
