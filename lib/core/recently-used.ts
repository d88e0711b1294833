// Enough for the keys that one process uses all the time; an entry takes about a kilobyte.
const usually = 4096;

/** Remembers the values that were set last. */
export class RecentlyUsed<T> {
  readonly #values = new Map<string, T>();
  readonly #most: number;
  // Comparing a long text takes less time than hashing it, and many ask for the same one again.
  #last: { readonly name: string; readonly value: T } | undefined;

  constructor(most = usually) {
    this.#most = most;
  }

  get(name: string): T | undefined {
    if (name === this.#last?.name) return this.#last.value;
    const value = this.#values.get(name);
    if (value !== undefined) this.#last = { name, value };
    return value;
  }

  set(name: string, value: T): void {
    this.delete(name);
    this.#values.set(name, value);
    if (this.#values.size > this.#most)
      this.#values.delete(this.#values.keys().next().value as string);
  }

  delete(name: string): void {
    this.#last = undefined;
    this.#values.delete(name);
  }
}
