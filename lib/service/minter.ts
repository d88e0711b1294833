import type { Place } from '../keys/paths.ts';
import type { Requests } from '../model/types.ts';
import type { Services } from '../operations/rules/operation.ts';
import type { Attended } from './core.ts';

/** A caller who may mint data key pairs, in one account and region. */
export interface Minter {
  /**
   * Runs work that closing the service waits for. Its signal is aborted when the service closes or
   * when `signal` is.
   *
   * @throws KmsError once the service is closed
   */
  attend<T>(work: Attended<T>, signal?: AbortSignal): Promise<T>;
  /** Checks a request against the model and returns the services for it. @throws KmsError */
  services(request: Requests['GenerateDataKeyPairWithoutPlaintext']): Services;
  readonly place: Place;
}
