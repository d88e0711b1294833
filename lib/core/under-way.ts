// Of all `UnderWay`s, and of servers.
let inProcess = 0;

/** Whether one piece of work is under way in this process, and no other. */
export function isAlone(): boolean {
  return inProcess === 1;
}

/** Counts as work under way in this process until the returned function is called. */
export function keepCompany(): () => void {
  inProcess++;
  let ended = false;
  return () => {
    if (!ended) inProcess--;
    ended = true;
  };
}

/** Counts work under way, so that its end can be waited for. */
export class UnderWay {
  #count = 0;
  #onIdle: (() => void) | undefined;
  readonly #end = () => {
    inProcess--;
    this.#count--;
    if (this.#count === 0) this.#onIdle?.();
  };

  /** Counts one piece of work until the returned function is called. */
  begin(): () => void {
    // Work that begins during a wait is not waited for: new work might never stop coming.
    if (this.#onIdle !== undefined) return () => {};
    inProcess++;
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
