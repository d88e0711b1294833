import type { StoreFault } from './store-errors.ts';

/** What a statement is for: requests that read, changes, or hearing of other processes' changes. */
export type QueryKind = 'read' | 'write' | 'follow';

/** What a store did in this process so far, and how it is now. */
export interface StoreFigures {
  /** Changes of records: made, or not made because something was not as expected. */
  readonly commits: { readonly done: number; readonly conflict: number };
  readonly queries: Readonly<Record<QueryKind, number>>;
  /** Calls that failed, by what failed. */
  readonly failures: ReadonlyMap<StoreFault, number>;
  /** Only of a store that machines share. */
  readonly shared?: SharedFigures;
}

export interface SharedFigures {
  /** Seconds since the last answered question for changes was asked. */
  readonly staleness: number;
  /** Whether that is too long ago to serve anything from memory. */
  readonly isCutOff: boolean;
  readonly connections: ConnectionFigures;
  /** Statements that were repeated because they met another transaction. */
  readonly retries: number;
}

export interface ConnectionFigures {
  readonly open: number;
  readonly inUse: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** Counts what a store does. */
export class StoreTally {
  readonly commits = { done: 0, conflict: 0 };
  readonly queries: Record<QueryKind, number> = { read: 0, write: 0, follow: 0 };
  readonly failures = new Map<StoreFault, number>();
  retries = 0;

  /** Counts a commit and returns whether it was made. */
  committed(isDone: boolean): boolean {
    this.commits[isDone ? 'done' : 'conflict']++;
    return isDone;
  }

  failed(fault: StoreFault): void {
    this.failures.set(fault, (this.failures.get(fault) ?? 0) + 1);
  }

  figures(): StoreFigures {
    const { commits, queries, failures } = this;
    return { commits: { ...commits }, queries: { ...queries }, failures: new Map(failures) };
  }
}
