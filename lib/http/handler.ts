import { randomUUID } from 'node:crypto';
import { KmsError } from '../model/errors.ts';
import { operationShapes } from '../model/shapes.ts';
import { fromJson } from '../model/wire.ts';
import type { OfferedOperation } from '../operations/index.ts';
import { failure, probe, success, unroutable } from './answers.ts';
import { acceptAll, authenticator } from './authentication.ts';
import type { HttpAnswer, HttpRequest } from './message.ts';
import { isCall, operationOf, route } from './routing.ts';
import type { Service } from './service.ts';
import { isSigned } from './signature.ts';

/** What an observer learns of a request. */
export interface RequestEvent {
  readonly requestId: string;
  /** What it asked for; undefined where that is none that is offered. */
  readonly operation: OfferedOperation | keyof typeof probes | undefined;
  /** The ARN of who made it; undefined where that was not found out. */
  readonly principal?: string | undefined;
  /** Undefined where the client went away before it was answered. */
  readonly status: number | undefined;
  /** What it failed with. The cause that it may have is for logs alone. */
  readonly error?: Pick<Error, 'name' | 'cause'> | undefined;
  readonly milliseconds: number;
}

export interface HandlerOptions {
  /** Whether requests must be signed; where not, they are made as the service's own caller. */
  readonly auth?: boolean | undefined;
  /** Told of every request when it is answered. Must not throw. */
  readonly onRequest?: ((event: RequestEvent) => void) | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

/** Rejects with the signal's reason where that abandons the request, and with nothing else. */
export type Handler = (request: HttpRequest, abortSignal?: AbortSignal) => Promise<HttpAnswer>;

/**
 * Makes the function that answers AWS's JSON protocol for a service, and probes. It knows of no
 * socket, so that any listener can be in front of it, or none.
 */
export function createHandler(kms: Service, options: HandlerOptions = {}): Handler {
  const { auth = true, onRequest, now = Date.now } = options;
  const callerOf = auth ? authenticator(kms, now) : acceptAll(kms);
  const answerTo = (request: HttpRequest, course: Course): Promise<HttpAnswer> => {
    if (isCall(request)) return call(callerOf, request, course);
    const asked = probeOf(request);
    if (asked !== undefined) {
      return probes[asked](kms).then((status) => probe(status, course.requestId));
    }
    const unsigned = auth && !isSigned(request);
    const name = unsigned ? 'MissingAuthenticationTokenException' : 'AccessDeniedException';
    course.error = { name };
    return Promise.resolve(unroutable(name, course.requestId));
  };
  if (onRequest === undefined) {
    return (request, abortSignal) => answerTo(request, courseOf(abortSignal));
  }
  return async (request, abortSignal) => {
    const started = performance.now();
    const course = courseOf(abortSignal);
    let status: number | undefined;
    try {
      const answer = await answerTo(request, course);
      status = answer.status;
      return answer;
    } finally {
      const { requestId, principal, error } = course;
      const operation = probeOf(request) ?? operationOf(request.headers);
      const milliseconds = performance.now() - started;
      onRequest({ requestId, operation, principal, status, error, milliseconds });
    }
  };
}

/** What is known of a request while it is answered. */
interface Course {
  readonly requestId: string;
  readonly abortSignal: AbortSignal | undefined;
  principal: RequestEvent['principal'];
  error: RequestEvent['error'];
}

function courseOf(abortSignal: AbortSignal | undefined): Course {
  return { requestId: randomUUID(), abortSignal, principal: undefined, error: undefined };
}

/** Whether the process runs, and whether it can serve: the store may be out of reach. */
const probes = {
  '/healthz': async () => 200,
  '/readyz': (kms: Service) =>
    kms.checkStore().then(
      () => 200 as const,
      () => 503 as const,
    ),
} as const satisfies Record<string, (kms: Service) => Promise<200 | 503>>;

function probeOf({ method, path }: HttpRequest): keyof typeof probes | undefined {
  return method === 'GET' && Object.hasOwn(probes, path)
    ? (path as keyof typeof probes)
    : undefined;
}

async function call(
  callerOf: ReturnType<typeof acceptAll>,
  request: HttpRequest,
  course: Course,
): Promise<HttpAnswer> {
  const { requestId, abortSignal } = course;
  try {
    const { operation, members } = route(request);
    const caller = await callerOf(request);
    course.principal = caller.principal;
    const input = fromJson(operationShapes[operation].input, members);
    const { origin } = request;
    const response = await caller.call(operation, input, { requestId, abortSignal, origin });
    return success(operation, response, requestId);
  } catch (thrown) {
    if (abortSignal?.aborted && thrown === abortSignal.reason) throw thrown;
    const error =
      thrown instanceof KmsError
        ? thrown
        : new KmsError('KMSInternalException', 'internal failure', { cause: thrown });
    course.error = error;
    return failure(error, requestId);
  }
}
