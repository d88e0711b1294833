import type { Stamp } from '../key-store.ts';

// Beyond this all that was remembered is let go of: it would cost more to tell what still holds.
const mostPaths = 20_000;

/**
 * What a process has heard of changes of a store. Stamps are numbers of this process: they count
 * the changes that it made or heard of.
 */
export class Heard {
  #tick = 0;
  /** What was read before this holds no more, whatever the path. */
  #floor = 0;
  /** When each path was last changed. */
  readonly #changed = new Map<string, Stamp>();
  /** The epochs of changes that this process made and has not heard of yet. */
  readonly #own = new Map<string, number>();

  get stamp(): Stamp {
    return this.#tick;
  }

  holds(path: string, stamp: Stamp): boolean {
    return stamp >= this.#floor && stamp >= (this.#changed.get(path) ?? 0);
  }

  /** Notes changes that this process has made. */
  made(paths: readonly string[], epoch: number): void {
    for (const path of paths) {
      this.#note(path);
      this.#own.set(path, epoch);
    }
  }

  /** Notes changes of the store up to an epoch; says whether others have made any of them. */
  hear(changes: readonly { path: string; epoch: number }[], epoch: number): boolean {
    const foreign = changes.filter(({ path, epoch: changed }) => this.#own.get(path) !== changed);
    for (const { path } of foreign) this.#note(path);
    for (const [path, made] of this.#own) if (made <= epoch) this.#own.delete(path);
    return foreign.length > 0;
  }

  /** Lets go of everything that was read before. */
  dropAll(): void {
    this.#floor = ++this.#tick;
    this.#changed.clear();
    this.#own.clear();
  }

  #note(path: string): void {
    if (this.#changed.size >= mostPaths) this.dropAll();
    this.#changed.set(path, ++this.#tick);
  }
}
