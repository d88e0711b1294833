export interface StopSignals {
  readonly signal: AbortSignal;
  /** Which one came. */
  readonly received: NodeJS.Signals | undefined;
  release(): void;
}

/** Aborts at the first of these signals of the system. The second one acts as it does without this. */
export function stopAt(...names: readonly NodeJS.Signals[]): StopSignals {
  const stop = new AbortController();
  let received: NodeJS.Signals | undefined;
  const listener = (name: NodeJS.Signals) => {
    received = name;
    release();
    stop.abort();
  };
  const release = () => {
    for (const name of names) process.off(name, listener);
  };
  for (const name of names) process.on(name, listener);
  return {
    signal: stop.signal,
    get received() {
      return received;
    },
    release,
  };
}
