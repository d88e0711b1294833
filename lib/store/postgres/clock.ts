// Rounding, and what one machine's clock is corrected by meanwhile.
const tolerance = 5;

/**
 * The database's clock as this process knows it: what falls due falls due on all machines at once, whatever
 * their own clocks say.
 */
export class DatabaseClock {
  /** The database's time when performance.now() was 0, as far as its answers tell. */
  #base: number | undefined;

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#base === undefined ? Date.now() : Math.round(this.#base + performance.now());
  }

  /** How many milliseconds this machine's clock is ahead. */
  ahead(): number {
    return Date.now() - this.now();
  }

  /** Notes the time that the database gave between two moments by performance.now(). */
  heard(time: number, asked: number, answered: number): void {
    const base = time - (asked + answered) / 2;
    const error = (answered - asked) / 2 + tolerance;
    // Within that it may be as right as before, and time shall not jump.
    if (this.#base !== undefined && Math.abs(base - this.#base) <= error) return;
    this.#base = base;
  }
}
