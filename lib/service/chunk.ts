import { setMaxListeners } from 'node:events';
import type { BatchRecord } from '../batch/batch-directory.ts';
import type { Pair } from '../batch/chunk-value.ts';
import type { ChunkClaim } from '../store/batch-store.ts';

/** A chunk that this process has claimed, as it is minted: some pairs at a time, in any order. */
export class Chunk {
  readonly claim: ChunkClaim;
  readonly record: BatchRecord;
  readonly pairs: Pair[] = [];
  readonly #mint: (count: number, signal: AbortSignal) => Promise<Pair[]>;
  readonly #unit: number;
  readonly #onLate: () => void;
  readonly #stop = new AbortController();
  #left: number;
  #underWay = 0;
  #end = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: {
    claim: ChunkClaim;
    record: BatchRecord;
    /** How many pairs are minted together. */
    unit: number;
    mint: (count: number, signal: AbortSignal) => Promise<Pair[]>;
    /** Called when the chunk must not be minted any longer. */
    onLate: () => void;
  }) {
    this.claim = options.claim;
    this.record = options.record;
    this.#left = options.claim.pairs;
    this.#unit = options.unit;
    this.#mint = options.mint;
    this.#onLate = options.onLate;
    // Each crossing that is under way adds a listener.
    setMaxListeners(0, this.#stop.signal);
  }

  /** How many pairs have not been begun. */
  get left(): number {
    return this.#left;
  }

  get unitsLeft(): number {
    return Math.ceil(this.#left / this.#unit);
  }

  /** Whether its minting has ended, well or not. */
  get hasEnded(): boolean {
    return this.#left === 0 && this.#underWay === 0;
  }

  /** Until when it may be minted, by `performance.now()`, a clock that is never set. */
  get end(): number {
    return this.#end;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Sets until when it may be minted. */
  lastUntil(end: number): void {
    this.#end = end;
    clearTimeout(this.#timer);
    if (!this.#stop.signal.aborted) {
      this.#timer = setTimeout(this.#onLate, Math.max(0, end - performance.now()));
    }
  }

  /** Mints some of the pairs that are left. Never rejects: what fails ends the chunk. */
  async mintSome(): Promise<void> {
    const count = Math.min(this.#unit, this.#left);
    this.#left -= count;
    this.#underWay++;
    try {
      this.pairs.push(...(await this.#mint(count, this.#stop.signal)));
    } catch (error) {
      this.#failure ??= { error };
      this.close();
    }
    this.#underWay--;
  }

  /** Ends the minting. */
  close(): void {
    clearTimeout(this.#timer);
    this.#left = 0;
    this.#stop.abort();
  }
}
