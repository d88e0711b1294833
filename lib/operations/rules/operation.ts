import type { GrantDirectory } from '../../keys/grant-directory.ts';
import type { KeyDirectory } from '../../keys/key-directory.ts';
import type { CheckedRequest } from '../../model/request.ts';
import type { OperationName } from '../../model/shapes.ts';
import type { Responses } from '../../model/types.ts';
import type { Native } from '../../native/addon.ts';
import type { Policy } from '../../policy/document.ts';
import type { Principal } from '../../policy/principal.ts';
import type { RequestOrigin } from '../../policy/request-facts.ts';
import type { Pools } from '../../pool/pools.ts';

/** Who requests are made as. */
export interface Caller {
  readonly principal: Principal;
  /** Undefined for an account's root, which may do all that key policies let it. */
  readonly identityPolicy: Policy | undefined;
  /** When its temporary credentials were issued, in milliseconds; undefined if it has none. */
  readonly tokenIssueTime?: number | undefined;
}

/** The request that is served. */
export interface Call {
  readonly operation: OperationName;
  readonly request: object;
  readonly requestId: string;
  readonly abortSignal?: AbortSignal | undefined;
  /** Where it came from; undefined if that is no network. */
  readonly origin?: RequestOrigin | undefined;
  /** The ARNs of the keys that it is about, as they are found; the audit reads them. */
  readonly keyArns: Set<string>;
}

/** What an operation may touch. */
export interface Services {
  readonly native: Native;
  readonly keys: KeyDirectory;
  readonly grants: GrantDirectory;
  readonly pools: Pools;
  readonly region: string;
  /** The caller's. */
  readonly accountId: string;
  readonly caller: Caller;
  readonly call: Call;
  /** Milliseconds since the epoch. */
  now(): number;
}

/**
 * One KMS operation. AWS's model describes its request and response (lib/model/shapes.ts), and from
 * that follow validation, types, wire and command line; `run` gets a request that fits the model.
 */
export interface Operation<O extends OperationName> {
  readonly name: O;
  /** Whether it changes nothing but what it answers, as CloudTrail's events say. */
  readonly readOnly?: true;
  run(services: Services, request: CheckedRequest<O>): Promise<Responses[O]>;
}
