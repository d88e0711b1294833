import { StoreError, type StoreFault } from '../store-errors.ts';

// SQLite's primary result codes (sqlite.org/rescode.html).
const faults: Readonly<Record<number, StoreFault>> = {
  5: 'busy',
  6: 'busy',
  8: 'read-only',
  11: 'corrupt',
  13: 'full',
  26: 'corrupt',
};

const codes: Readonly<Record<string, StoreFault>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EACCES: 'read-only',
};

const explanations: Readonly<Partial<Record<StoreFault, string>>> = {
  busy: 'another process holds the lock on writing',
};

/** Any error as a StoreError. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { errcode, message, code } = error as {
    errcode?: number;
    message?: string;
    code?: string;
  };
  const fault = faults[(errcode ?? 0) & 0xff] ?? codes[code ?? ''] ?? 'failed';
  return new StoreError(fault, explanations[fault] ?? message ?? String(error), { cause: error });
}

/** Whether SQLite found a lock held: trying again may work. */
export function isBusy(error: unknown): boolean {
  return storeError(error).fault === 'busy';
}

/** The error if another file is at the path of a store that this process has open. */
export function replaced(file: string): StoreError {
  return new StoreError(
    'replaced',
    `${file} was moved, removed or replaced while it was open: start again`,
  );
}

/** The error of calls after the store was closed. */
export function closed(): StoreError {
  return new StoreError('failed', 'the store was closed');
}
