/** Counts work under way, so that its end can be waited for. */
export class UnderWay {
  #count = 0;
  #onIdle: (() => void) | undefined;
  readonly #end = () => {
    this.#count--;
    if (this.#count === 0) this.#onIdle?.();
  };

  /** Counts one piece of work until the returned function is called. */
  begin(): () => void {
    // Work that begins during a wait is not waited for: new work might never stop coming.
    if (this.#onIdle !== undefined) return () => {};
    this.#count++;
    return this.#end;
  }

  /** Resolves when all work that is under way now has ended. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#count === 0) resolve();
    });
  }
}
