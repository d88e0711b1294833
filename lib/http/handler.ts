import { randomUUID } from 'node:crypto';
import { requireKnown } from '../core/known-options.ts';
import { KmsError } from '../model/errors.ts';
import { operationShapes } from '../model/shapes.ts';
import { fromJson } from '../model/wire.ts';
import type { OfferedOperation } from '../service/operation-names.ts';
import { failure, type Health, probe, success, unroutable } from './answers.ts';
import { type CallerOf, type Gate, openGate, signatureGate } from './authentication.ts';
import type { HttpAnswer, HttpRequest, RequestHead } from './message.ts';
import { isCall, operationOf, parseBody } from './routing.ts';
import type { Service } from './service.ts';
import { isSigned } from './signature.ts';

/** A request as observers are told of it. */
export interface RequestEvent {
  readonly requestId: string;
  /** Undefined if the request named no operation or probe that is offered. */
  readonly operation: OfferedOperation | keyof typeof probes | undefined;
  /** The ARN of the caller; undefined if the request was refused before the caller was known. */
  readonly principal?: string | undefined;
  /** Undefined if the client went away before it was answered. */
  readonly status: number | undefined;
  /** The error of a failed request. Its cause, if any, is for logs alone. */
  readonly error?: Pick<Error, 'name' | 'cause'> | undefined;
  readonly milliseconds: number;
}

export interface HandlerOptions {
  /** Whether requests must be signed; otherwise they are made as the service's own caller. */
  readonly auth?: boolean | undefined;
  /** The only region that is served; by default every region, as requests are signed for it. */
  readonly region?: string | undefined;
  /** Called for every request when it is answered. Must not throw. */
  readonly onRequest?: ((event: RequestEvent) => void) | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

export const handlerOptions: Readonly<Record<keyof HandlerOptions, true>> = {
  auth: true,
  region: true,
  onRequest: true,
  now: true,
};

/** Rejects only if the signal abandons the request, with the signal's reason. */
export type Handler = (request: HttpRequest, abortSignal?: AbortSignal) => Promise<HttpAnswer>;

/** Answers a request whose head was accepted, once its body is there; rejects as a handler does. */
export type TakeBody = (body: Uint8Array) => Promise<HttpAnswer>;

/**
 * Checks a request's head. Returns the answer if the head alone is reason to refuse the request,
 * otherwise the function that takes the body. Synchronous if nothing has to be read from the store;
 * never rejects.
 */
export type Reception = (
  head: RequestHead,
  abortSignal?: AbortSignal,
) => Received | Promise<Received>;

type Received = HttpAnswer | TakeBody;

/**
 * Makes the function that answers probes and AWS's JSON protocol for a service. It uses no socket,
 * so that any listener, or none, can be in front of it.
 *
 * @throws ConfigurationError if there is no such option
 */
export function createHandler(kms: Service, options: HandlerOptions = {}): Handler {
  requireKnown('createHandler', options, handlerOptions);
  const receive = createReception(kms, options);
  return async (request, abortSignal) => {
    const received = await receive(request, abortSignal);
    return typeof received === 'function' ? received(request.body) : received;
  };
}

/** The same in two steps, so that a listener need not read the bodies of strangers. */
export function createReception(kms: Service, options: HandlerOptions = {}): Reception {
  const { auth = true, region, onRequest, now = () => kms.credentials.now() } = options;
  const gate = (auth ? signatureGate : openGate)(kms, { region, now });
  const receive = (head: RequestHead, course: Course): Received | Promise<Received> => {
    if (isCall(head)) return receiveCall(gate, head, course);
    const asked = probeOf(head);
    if (asked !== undefined) {
      return probes[asked](kms).then((health) => probe(health, course.requestId));
    }
    const unsigned = auth && !isSigned(head);
    const name = unsigned ? 'MissingAuthenticationTokenException' : 'AccessDeniedException';
    course.error = { name };
    return unroutable(name, course.requestId);
  };
  if (onRequest !== undefined) return observed(receive, onRequest);
  return (head, abortSignal) => receive(head, courseOf(abortSignal));
}

/** The facts gathered about a request while it is answered. */
interface Course {
  readonly requestId: string;
  readonly abortSignal: AbortSignal | undefined;
  principal: RequestEvent['principal'];
  error: RequestEvent['error'];
}

function courseOf(abortSignal: AbortSignal | undefined): Course {
  return { requestId: randomUUID(), abortSignal, principal: undefined, error: undefined };
}

function observed(
  receive: (head: RequestHead, course: Course) => Received | Promise<Received>,
  onRequest: (event: RequestEvent) => void,
): Reception {
  return (head, abortSignal) => {
    const course = courseOf(abortSignal);
    let started = performance.now();
    const tell = (status: number | undefined) => {
      const { requestId, principal, error } = course;
      const operation = probeOf(head) ?? operationOf(head.headers);
      const milliseconds = performance.now() - started;
      onRequest({ requestId, operation, principal, status, error, milliseconds });
    };
    const observe = (received: Received): Received => {
      if (typeof received !== 'function') {
        tell(received.status);
        return received;
      }
      return (body) => {
        // Start again: the time that the client took to send the body is not the server's.
        started = performance.now();
        const answer = received(body);
        answer.then(
          ({ status }) => tell(status),
          () => tell(undefined),
        );
        return answer;
      };
    };
    const received = receive(head, course);
    return received instanceof Promise ? received.then(observe) : observe(received);
  };
}

/** Whether the process runs, and whether it can serve: the store may be out of reach. */
const probes = {
  '/healthz': async () => 'ok' as const,
  '/readyz': (kms: Service) =>
    kms.checkStore().then(
      ({ poolsAreRefused }) => (poolsAreRefused ? 'ok, without pools' : 'ok') as Health,
      () => 'unavailable' as const,
    ),
} as const satisfies Record<string, (kms: Service) => Promise<Health>>;

function probeOf({ method, path }: RequestHead): keyof typeof probes | undefined {
  return method === 'GET' && Object.hasOwn(probes, path)
    ? (path as keyof typeof probes)
    : undefined;
}

/** Checks the operation first, as AWS does, then the caller. Only a known caller's body is read. */
function receiveCall(gate: Gate, head: RequestHead, course: Course): Received | Promise<Received> {
  const operation = operationOf(head.headers);
  const admit =
    (callerOf: CallerOf, offered: OfferedOperation): TakeBody =>
    (body) => {
      const { method, path, headers, origin } = head;
      return call(offered, callerOf, { method, path, headers, origin, body }, course);
    };
  try {
    if (operation === undefined) throw new KmsError('UnknownOperationException');
    const entered = gate(head);
    if (!(entered instanceof Promise)) return admit(entered, operation);
    return entered.then(
      (callerOf) => admit(callerOf, operation),
      (thrown) => refuse(thrown, course),
    );
  } catch (thrown) {
    return refuse(thrown, course);
  }
}

async function call(
  operation: OfferedOperation,
  callerOf: CallerOf,
  request: HttpRequest,
  course: Course,
): Promise<HttpAnswer> {
  const { requestId, abortSignal } = course;
  try {
    // Before the signature, as on AWS.
    const members = parseBody(request.body);
    const caller = await callerOf(request);
    course.principal = caller.principal;
    const input = fromJson(operationShapes[operation].input, members);
    const { origin } = request;
    const response = await caller.call(operation, input, { requestId, abortSignal, origin });
    return success(operation, response, requestId);
  } catch (thrown) {
    if (abortSignal?.aborted && thrown === abortSignal.reason) throw thrown;
    return refuse(thrown, course);
  }
}

function refuse(thrown: unknown, course: Course): HttpAnswer {
  const error =
    thrown instanceof KmsError
      ? thrown
      : new KmsError('KMSInternalException', 'internal failure', { cause: thrown });
  course.error = error;
  return failure(error, course.requestId);
}
