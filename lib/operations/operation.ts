import type { CheckedRequest } from '../model/request.ts';
import type { OperationName } from '../model/shapes.ts';
import type { Responses } from '../model/types.ts';
import type { Native } from '../native.ts';
import type { KeyDirectory } from '../store/key-directory.ts';

/** What an operation may touch. */
export interface Services {
  readonly native: Native;
  readonly keys: KeyDirectory;
  readonly region: string;
  readonly accountId: string;
  /** The caller's, of the request that is served. */
  readonly abortSignal?: AbortSignal | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

/**
 * One KMS operation. AWS's model describes its request and response (lib/model/shapes.ts), and from
 * that follow validation, types, wire and command line; `run` gets a request that fits the model.
 */
export interface Operation<O extends OperationName> {
  readonly name: O;
  run(services: Services, request: CheckedRequest<O>): Promise<Responses[O]>;
}
