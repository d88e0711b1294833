// Enough for the keys that one process uses all the time; an entry takes about a kilobyte.
const most = 4096;

/** Remembers the values that were set last. */
export class RecentlyUsed<T> {
  readonly #values = new Map<string, T>();

  get(name: string): T | undefined {
    return this.#values.get(name);
  }

  set(name: string, value: T): void {
    this.#values.delete(name);
    this.#values.set(name, value);
    if (this.#values.size > most) this.#values.delete(this.#values.keys().next().value as string);
  }

  delete(name: string): void {
    this.#values.delete(name);
  }
}
