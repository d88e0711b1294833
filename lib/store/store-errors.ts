import { KmsError } from '../model/errors.ts';

/** Something in the store is not as pairmint wrote it. */
export function damaged(what: string): KmsError {
  return new KmsError(
    'KMSInternalException',
    `The key store is damaged: the record ${what} is not as pairmint wrote it.`,
  );
}

/** What a request fails with where the store itself fails. */
export function unavailable(cause: unknown): never {
  // Whoever is asked before a commit may have refused it in words of its own.
  if (cause instanceof KmsError) throw cause;
  throw new KmsError('KMSInternalException', 'The key store could not complete the request.', {
    cause,
  });
}
