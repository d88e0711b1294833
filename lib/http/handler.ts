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

/** What an observer learns of a call that was answered. */
export interface RequestEvent {
  readonly requestId: string;
  /** Undefined where the request names none that is offered. */
  readonly operation: OfferedOperation | undefined;
  readonly status: number;
  /** What it failed with. The cause that it may have is for logs alone. */
  readonly error: KmsError | undefined;
  readonly milliseconds: number;
}

export interface HandlerOptions {
  /** Whether requests must be signed; where not, they are made as the service's own caller. */
  readonly auth?: boolean | undefined;
  /** Told of every call when it is answered, probes apart. Must not throw. */
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
  return async (request, abortSignal) => {
    const requestId = randomUUID();
    if (request.method === 'GET' && Object.hasOwn(probes, request.path)) {
      return probe(await probes[request.path as keyof typeof probes](kms), requestId);
    }
    if (!isCall(request)) {
      const unsigned = auth && !isSigned(request);
      const name = unsigned ? 'MissingAuthenticationTokenException' : 'AccessDeniedException';
      return unroutable(name, requestId);
    }
    const started = onRequest && performance.now();
    const { answer, error } = await call(callerOf, request, { requestId, abortSignal });
    onRequest?.({
      requestId,
      operation: operationOf(request.headers),
      status: answer.status,
      error,
      milliseconds: performance.now() - (started as number),
    });
    return answer;
  };
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

interface CallOptions {
  readonly requestId: string;
  readonly abortSignal: AbortSignal | undefined;
}

async function call(
  callerOf: ReturnType<typeof acceptAll>,
  request: HttpRequest,
  options: CallOptions,
): Promise<{ answer: HttpAnswer; error?: KmsError }> {
  const { requestId, abortSignal } = options;
  try {
    const { operation, members } = route(request);
    const caller = await callerOf(request);
    const input = fromJson(operationShapes[operation].input, members);
    const response = await caller.call(operation, input, options);
    return { answer: success(operation, response, requestId) };
  } catch (thrown) {
    if (abortSignal?.aborted && thrown === abortSignal.reason) throw thrown;
    const error =
      thrown instanceof KmsError
        ? thrown
        : new KmsError('KMSInternalException', 'internal failure', { cause: thrown });
    return { answer: failure(error, requestId), error };
  }
}
