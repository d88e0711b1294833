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

/** The principal of a request and what it may do. */
export interface Caller {
  readonly principal: Principal;
  /** Undefined for an account's root, which may do all that key policies let it. */
  readonly identityPolicy: Policy | undefined;
  /** When its temporary credentials were issued, in milliseconds; undefined if it has none. */
  readonly tokenIssueTime?: number | undefined;
}

/** The current request. */
export interface Call {
  readonly operation: OperationName;
  readonly request: object;
  readonly abortSignal?: AbortSignal | undefined;
  /** Where it came from; undefined if it did not come over a network. */
  readonly origin?: RequestOrigin | undefined;
  /** The ARNs of the keys that the request was authorised for or refused; the audit reads them. */
  readonly keyArns: Set<string>;
}

/** The keys of a store as an operation reads them. */
export type KeyReader = Omit<
  KeyDirectory,
  | 'change'
  | 'commit'
  | 'create'
  | 'createAlias'
  | 'creation'
  | 'deleteAlias'
  | 'replicate'
  | 'through'
  | 'updateAlias'
>;

/** Everything that an operation may use. */
export interface Services {
  readonly native: Native;
  readonly keys: KeyReader;
  /** The keys for changes: the audit records the request before each commit. */
  keysToChange(): KeyDirectory;
  /** The keys for a key that does not exist yet: the audit also records its ARN. */
  keysToCreate(arn: string): KeyDirectory;
  readonly grants: GrantDirectory;
  readonly pools: Pools;
  readonly region: string;
  /** The caller's account. */
  readonly accountId: string;
  readonly caller: Caller;
  readonly call: Call;
  /** Milliseconds since the epoch. */
  now(): number;
}

/**
 * One KMS operation. AWS's model of its request and response (lib/model/shapes.ts) drives
 * validation, types, wire format and command line; `run` gets a request that fits the model.
 */
export interface Operation<O extends OperationName> {
  readonly name: O;
  /** Whether it changes nothing; the value of `readOnly` in CloudTrail's events. */
  readonly readOnly?: true;
  run(services: Services, request: CheckedRequest<O>): Promise<Responses[O]>;
}
