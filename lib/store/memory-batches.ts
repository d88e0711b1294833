import {
  type BatchLevel,
  type BatchStore,
  type ChunkClaim,
  type ChunkCounts,
  type ChunkDemand,
  type ChunkResult,
  chunksOf,
  hasEnded,
  isActive,
  longerRest,
  type NewBatch,
  pairsInChunk,
  rateOf,
  type SettledChunk,
} from './batch-store.ts';
import type { Change } from './change.ts';

interface Open {
  attempt: number;
  lease: number;
}

interface Share {
  pairs: number;
  since: number;
  seen: number;
  settledAt: number;
  stint: number;
}

interface MemoryBatch extends NewBatch {
  isCancelled: boolean;
  refusal: string | undefined;
  rest: number;
  restUntil: number;
  turn: number;
  /** The chunks that are not settled. */
  readonly open: Map<number, Open>;
  readonly results: Map<number, ChunkResult>;
  readonly workers: Map<string, Share>;
}

/** The batches of a store in memory. */
export class MemoryBatches implements BatchStore {
  readonly #commit: (changes: readonly Change[]) => boolean;
  readonly #batches = new Map<string, MemoryBatch>();
  #turns = 0;

  /** @param commit applies changes at once, or says that a value is not as expected */
  constructor(commit: (changes: readonly Change[]) => boolean) {
    this.#commit = commit;
  }

  async submit(batch: NewBatch, changes: readonly Change[]): Promise<boolean> {
    if (this.#batches.has(batch.name) || !this.#commit(changes)) return false;
    const open = new Map<number, Open>();
    for (let n = 0; n < chunksOf(batch); n++) open.set(n, { attempt: 0, lease: 0 });
    this.#batches.set(batch.name, {
      ...batch,
      isCancelled: false,
      refusal: undefined,
      rest: 0,
      restUntil: 0,
      turn: 0,
      open,
      results: new Map(),
      workers: new Map(),
    });
    return true;
  }

  async isWaiting(): Promise<boolean> {
    return this.#next(performance.now()) !== undefined;
  }

  async claim({ worker, most, seconds }: ChunkDemand): Promise<ChunkClaim[]> {
    const now = performance.now();
    const batch = this.#next(now);
    if (batch === undefined) return [];
    batch.turn = ++this.#turns;
    if (batch.refusal !== undefined) rest(batch, now);
    const limit = batch.refusal === undefined ? most : 1;
    const claims: ChunkClaim[] = [];
    for (const [n, chunk] of batch.open) {
      if (claims.length >= limit) break;
      if (!hasEnded(chunk.lease, now)) continue;
      chunk.attempt++;
      chunk.lease = now + 1000 * seconds;
      const pairs = pairsInChunk(batch, n);
      claims.push({ batch: batch.name, n, pairs, attempt: chunk.attempt });
    }
    const share = batch.workers.get(worker);
    if (share === undefined || !isActive(share, now)) {
      const begun = { since: now, seen: now, settledAt: now, stint: 0 };
      batch.workers.set(worker, { pairs: share?.pairs ?? 0, ...begun });
    } else share.seen = now;
    return claims;
  }

  async renew(worker: string, claims: readonly ChunkClaim[], seconds: number): Promise<boolean[]> {
    const now = performance.now();
    return claims.map((claim) => {
      const held = this.#held(claim);
      if (held === undefined) return false;
      held.chunk.lease = now + 1000 * seconds;
      const share = held.batch.workers.get(worker);
      if (share !== undefined) share.seen = now;
      return true;
    });
  }

  async settle(worker: string, claim: ChunkClaim, value: Uint8Array): Promise<boolean> {
    const { batch: name, n, pairs, attempt } = claim;
    if (this.#batches.get(name)?.results.get(n)?.attempt === attempt) return true;
    const batch = this.#held(claim)?.batch;
    if (batch === undefined) return false;
    batch.open.delete(n);
    batch.results.set(n, { n, pairs, attempt, value: Uint8Array.from(value) });
    batch.refusal = undefined;
    batch.rest = 0;
    batch.restUntil = 0;
    const now = performance.now();
    const share = batch.workers.get(worker);
    if (share !== undefined) {
      share.pairs += pairs;
      share.stint += pairs;
      share.seen = now;
      share.settledAt = now;
    }
    return true;
  }

  async release(claims: readonly ChunkClaim[], refusal?: string): Promise<void> {
    const now = performance.now();
    const batches = new Set<MemoryBatch>();
    for (const claim of claims) {
      const held = this.#held(claim);
      if (held === undefined) continue;
      held.chunk.lease = 0;
      batches.add(held.batch);
    }
    if (refusal === undefined) return;
    for (const batch of batches) {
      // Otherwise it rests since the claim, or since another worker was refused.
      if (batch.refusal === undefined) rest(batch, now);
      batch.refusal = refusal;
    }
  }

  async levels(names: readonly string[]): Promise<(BatchLevel | undefined)[]> {
    const now = performance.now();
    return names.map((name) => {
      const batch = this.#batches.get(name);
      return batch && levelOf(batch, now);
    });
  }

  async settled(
    name: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<SettledChunk[]> {
    const results = [...(this.#batches.get(name)?.results.values() ?? [])];
    return results
      .filter(({ n }) => n > after)
      .sort((a, b) => a.n - b.n)
      .slice(0, limit)
      .map(({ n, pairs, attempt }) => ({ n, pairs, attempt }));
  }

  async result(name: string, n: number): Promise<ChunkResult | undefined> {
    const result = this.#batches.get(name)?.results.get(n);
    return result && { ...result, value: Uint8Array.from(result.value) };
  }

  async cancel(name: string, changes: readonly Change[]): Promise<boolean> {
    if (!this.#commit(changes)) return false;
    const batch = this.#batches.get(name);
    if (batch !== undefined) batch.isCancelled = true;
    batch?.open.clear();
    return true;
  }

  async delete(name: string, changes: readonly Change[]): Promise<boolean> {
    if (!this.#commit(changes)) return false;
    this.#batches.delete(name);
    return true;
  }

  async purge(): Promise<boolean> {
    return false;
  }

  async fence(): Promise<void> {
    for (const { open } of this.#batches.values()) {
      for (const chunk of open.values()) {
        chunk.attempt++;
        chunk.lease = 0;
      }
    }
  }

  async names(): Promise<string[]> {
    return [...this.#batches.keys()].sort();
  }

  async chunks(): Promise<ChunkCounts> {
    const now = performance.now();
    const counts = { waiting: 0, leased: 0, stalled: 0, done: 0 };
    for (const { isCancelled, open, results, refusal } of this.#batches.values()) {
      if (isCancelled) continue;
      counts.done += results.size;
      const isFree = ({ lease }: Open) => hasEnded(lease, now);
      const free = [...open.values()].filter(isFree).length;
      counts.leased += open.size - free;
      counts[refusal === undefined ? 'waiting' : 'stalled'] += free;
    }
    return counts;
  }

  /** The batch whose turn it is, if it has a chunk to claim. */
  #next(now: number): MemoryBatch | undefined {
    const ready = [...this.#batches.values()].filter(
      ({ open, refusal, restUntil }) =>
        (refusal === undefined || hasEnded(restUntil, now)) &&
        [...open.values()].some(({ lease }) => hasEnded(lease, now)),
    );
    return ready.sort((a, b) => a.turn - b.turn)[0];
  }

  #held({ batch: name, n, attempt }: ChunkClaim) {
    const batch = this.#batches.get(name);
    const chunk = batch?.open.get(n);
    return batch !== undefined && chunk?.attempt === attempt ? { batch, chunk } : undefined;
  }
}

function rest(batch: MemoryBatch, now: number): void {
  batch.rest = longerRest(batch.rest);
  batch.restUntil = now + batch.rest;
}

function levelOf({ results, isCancelled, refusal, workers }: MemoryBatch, now: number): BatchLevel {
  return {
    done: [...results.values()].reduce((sum, { pairs }) => sum + pairs, 0),
    isCancelled,
    refusal,
    workers: [...workers].map(([worker, share]) => ({
      worker,
      pairs: share.pairs,
      rate: rateOf(share, now),
      isActive: isActive(share, now),
    })),
  };
}
