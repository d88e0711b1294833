import type { DataKeyPairSpec } from '../model/types.ts';

/** What this process did for batches. */
export interface BatchFigures {
  /** Pairs that it minted and stored. */
  readonly minted: ReadonlyMap<DataKeyPairSpec, number>;
  /** Chunks that it minted and stored. */
  readonly settled: number;
  /** Chunks that it lost before they were stored: to another worker, or to the end of their batch. */
  readonly lost: number;
  /** Chunks that could not be minted and were given back. */
  readonly refused: number;
  /** Chunks that it has now. */
  readonly held: number;
}

/** Counts what a process does for batches, in all calls of `work`. */
export class BatchCounts {
  readonly #minted = new Map<DataKeyPairSpec, number>();
  #settled = 0;
  lost = 0;
  refused = 0;
  held = 0;

  settled(spec: DataKeyPairSpec, pairs: number): void {
    this.#settled++;
    this.#minted.set(spec, (this.#minted.get(spec) ?? 0) + pairs);
  }

  figures(): BatchFigures {
    const { lost, refused, held } = this;
    return { minted: new Map(this.#minted), settled: this.#settled, lost, refused, held };
  }
}
