// Enough for the keys that a process uses all the time, at about a kilobyte per entry.
const usually = 4096;

/** Remembers the values that were set last. */
export class RecentlyUsed<T> {
  readonly #values = new Map<string, T>();
  readonly #most: number;
  // The same name is often asked for twice in a row, and comparing a long text is faster than
  // hashing it.
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
