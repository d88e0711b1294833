/** Counts work that is under way, for whoever has to wait for it. */
export class UnderWay {
  #count = 0;
  #onIdle: (() => void) | undefined;
  readonly #end = () => {
    this.#count--;
    if (this.#count === 0) this.#onIdle?.();
  };

  /** Returns what is to be called when the work has ended. */
  begin(): () => void {
    // What comes while somebody waits is refused, and not waited for: it may never stop coming.
    if (this.#onIdle !== undefined) return () => {};
    this.#count++;
    return this.#end;
  }

  /** Resolves when what is under way now has ended. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#count === 0) resolve();
    });
  }
}
