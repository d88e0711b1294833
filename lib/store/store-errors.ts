import { KmsError } from '../model/errors.ts';

/** What a store failed of: for operators, who find it as the cause of KMSInternalException. */
export type StoreFault =
  /** Another process held the lock on writing for longer than the limit. */
  | 'busy'
  /** The disk is full. */
  | 'full'
  /** The store, or its file system, cannot be written to. */
  | 'read-only'
  /** The file is not as the engine wrote it. */
  | 'corrupt'
  /** The file is another program's, or another version's. */
  | 'foreign'
  /** The file was moved or replaced while it was open. */
  | 'replaced'
  /** The store is in an earlier state than it was, or may be. */
  | 'put back'
  /** The store was copied to another one, which has taken its place. */
  | 'moved'
  /** A commit failed at its last step: after a crash it may turn out to be there. */
  | 'outcome unknown'
  /** Anything else, such as a disk that fails. */
  | 'failed';

/** The failure of a store. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.fault = fault;
  }
}

/** Something in the store is not as pairmint wrote it. */
export function damaged(what: string): KmsError {
  return new KmsError(
    'KMSInternalException',
    `The key store is damaged: the record ${what} is not as pairmint wrote it.`,
  );
}

/** A record is older than one that this process has seen. */
export function wentBack(what: string): KmsError {
  return new KmsError(
    'KMSInternalException',
    `The key store went back in time: the record ${what} is older than one that was read before. ` +
      "If a backup was put in place, run 'pairmint store fence'.",
  );
}

/** What a request fails with if the store itself fails. */
export function unavailable(cause: unknown): never {
  throw new KmsError('KMSInternalException', 'The key store could not complete the request.', {
    cause,
  });
}
