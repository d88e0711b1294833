import { randomUUID } from 'node:crypto';
import { requireKnown } from '../core/known-options.ts';
import { KmsError } from '../model/errors.ts';
import { type CheckedRequest, parseRequest } from '../model/request.ts';
import { isNativeError } from '../native/addon.ts';
import {
  isOffered,
  loadedOperation,
  loadOperation,
  type OfferedOperation,
} from '../operations/index.ts';
import type { Call, Caller, Services } from '../operations/rules/operation.ts';
import { after, type BeforeChange } from '../store/after.ts';
import { workOf } from './admission.ts';
import { AuditTrail } from './audit-trail.ts';
import { type Core, requireOpen } from './core.ts';
import { type RequestOptions, requestOptions, requireOrigin } from './options.ts';

/** A request as it came; only its options are checked. */
interface Incoming extends RequestOptions {
  readonly operation: string;
  readonly request: unknown;
}

/** A request that fits the model. */
interface CheckedCall extends Call {
  readonly operation: OfferedOperation;
  readonly request: CheckedRequest<OfferedOperation>;
}

type Changing = Pick<Services, 'keysToChange' | 'keysToCreate'>;

/** A request made `count` times at once; `run` replaces the operation's own. */
export interface Batch {
  readonly count: number;
  run(services: Services, request: CheckedRequest<OfferedOperation>): Promise<object>;
}

/**
 * Takes the requests of one caller in one region through their steps: receive, identify, check,
 * admit, run. The operation itself authorizes the caller as it runs, once it knows the key.
 */
export class Dispatch {
  readonly #core: Core;
  readonly #caller: Caller;
  readonly #region: string;
  /** Shared by all calls that are not recorded. */
  readonly #unrecorded: Changing;
  /** Undefined if no audit is kept. */
  readonly trail: AuditTrail | undefined;

  constructor(core: Core, caller: Caller, region: string) {
    this.#core = core;
    this.#caller = caller;
    this.#region = region;
    const { audit: sink, keys, now } = core;
    this.#unrecorded = { keysToChange: () => keys, keysToCreate: () => keys };
    this.trail = sink && new AuditTrail({ sink, caller: caller.principal, region, now });
  }

  /** Serves a request. @throws KmsError; the reason of an aborted signal; TypeError */
  async serve(
    operation: string,
    request: unknown,
    options: RequestOptions,
    batch?: Batch,
  ): Promise<object> {
    const incoming = receive(operation, request, options);
    const end = this.#core.underWay.begin();
    try {
      return this.trail === undefined
        ? await this.#run(check(identify(incoming), incoming), batch)
        : await this.#recorded(this.trail, incoming, batch);
    } finally {
      end();
    }
  }

  async #recorded(trail: AuditTrail, incoming: Incoming, batch?: Batch): Promise<object> {
    const { operation, requestId = randomUUID() } = incoming;
    let call: CheckedCall;
    try {
      call = check(identify(incoming), incoming);
    } catch (error) {
      await trail.refused({ operation, request: undefined, requestId, keyArns: [] }, error);
      throw error;
    }
    return trail.recorded(
      { operation, request: call.request, requestId, keyArns: call.keyArns },
      (beforeChange) => this.#run(call, batch, beforeChange),
      { count: batch?.count ?? 1 },
    );
  }

  async #run(call: CheckedCall, batch?: Batch, beforeChange?: BeforeChange): Promise<object> {
    const { operation: name, request, abortSignal } = call;
    const leave = this.#admit(call, batch);
    try {
      const operation = loadedOperation(name) ?? (await loadOperation(name));
      return await (batch?.run ?? operation.run)(this.services(call, beforeChange), request);
    } catch (error) {
      throw failureOf(error, abortSignal);
    } finally {
      leave?.();
    }
  }

  /**
   * Admits a call; the returned function must be called when the call has ended.
   *
   * @throws KmsError ThrottlingException if a quota is used up, or too much work waits;
   *   KMSInternalException once the service is closed; the reason of an aborted signal
   */
  #admit(
    { operation, request, abortSignal }: CheckedCall,
    batch: Batch | undefined,
  ): (() => void) | undefined {
    abortSignal?.throwIfAborted();
    requireOpen(this.#core);
    const { admission, quotas } = this.#core;
    const { arn, accountId } = this.#caller.principal;
    if (quotas !== undefined) {
      try {
        const count = batch?.count ?? 1;
        quotas.admit({ operation, request, region: this.#region, accountId, count });
      } catch (error) {
        admission.countQuota();
        throw error;
      }
    }
    const work = workOf(operation, request);
    if (work === undefined) return undefined;
    // A batch is limited by its own concurrency, which its caller has chosen.
    return batch === undefined ? admission.enter(arn, work) : admission.count(work.kind);
  }

  /** The services of an operation; `beforeChange` is called before each change that the call makes. */
  services(call: Call, beforeChange?: BeforeChange): Services {
    const { native, keys, grants, pools, now } = this.#core;
    const changing =
      beforeChange === undefined ? this.#unrecorded : this.#changing(call, beforeChange);
    return {
      native,
      keys,
      keysToChange: changing.keysToChange,
      keysToCreate: changing.keysToCreate,
      grants,
      pools,
      region: this.#region,
      accountId: this.#caller.principal.accountId,
      caller: this.#caller,
      call,
      now,
    };
  }

  /** Made only for calls that are recorded: reads, the most common calls, share `#unrecorded`. */
  #changing({ keyArns }: Call, beforeChange: BeforeChange): Changing {
    const { keys, opened } = this.#core;
    const keysToChange = () => keys.through(after(beforeChange, opened.store));
    return {
      keysToChange,
      keysToCreate(arn) {
        keyArns.add(arn);
        return keysToChange();
      },
    };
  }
}

/**
 * @throws TypeError if the signal is not one, or the options are null; ConfigurationError if there
 *   is no such option, or the origin is not one
 */
function receive(operation: string, request: unknown, options: RequestOptions): Incoming {
  const abortSignal = options === null ? null : options.abortSignal;
  if (abortSignal !== undefined && !(abortSignal instanceof AbortSignal)) {
    throw new TypeError('abortSignal must be an AbortSignal');
  }
  requireKnown('a request', options, requestOptions);
  const { requestId, origin } = options;
  if (origin !== undefined) requireOrigin(origin);
  return { operation, request, abortSignal, requestId, origin };
}

/** The operation that a request is for. @throws KmsError UnknownOperationException */
function identify({ operation }: Incoming): OfferedOperation {
  if (!isOffered(operation)) throw new KmsError('UnknownOperationException');
  return operation;
}

/** @throws KmsError ValidationException, SerializationException */
function check(
  operation: OfferedOperation,
  { request, abortSignal, origin }: Incoming,
): CheckedCall {
  const checked = parseRequest(operation, request) as CheckedRequest<OfferedOperation>;
  return { operation, request: checked, abortSignal, origin, keyArns: new Set() };
}

/** The error that a caller gets; a cause that is not AWS's never leaves the service. */
function failureOf(error: unknown, abortSignal: AbortSignal | undefined): unknown {
  if (error instanceof KmsError) return error;
  if (abortSignal?.aborted && (error === abortSignal.reason || isNativeError(error, 'ABORTED'))) {
    return abortSignal.reason;
  }
  return new KmsError('KMSInternalException', 'internal failure', { cause: error });
}
