import { STATUS_CODES } from 'node:http';
import type { KmsError } from '../model/errors.ts';
import { type OperationName, operationShapes } from '../model/shapes.ts';
import { writeJson } from '../model/wire.ts';
import type { HttpAnswer } from './message.ts';

export const jsonType = 'application/x-amz-json-1.1';

/** An operation without output answers with an empty body. */
export function success(operation: OperationName, response: object, requestId: string): HttpAnswer {
  const { output } = operationShapes[operation];
  const body = output === undefined ? '' : writeJson(output, response);
  return answer(200, jsonType, requestId, body);
}

export function failure(
  { name, message, httpStatusCode, retryAfter }: KmsError,
  requestId: string,
): HttpAnswer {
  const answer = jsonFailure(httpStatusCode, name, message, requestId);
  if (retryAfter === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, 'Retry-After': `${retryAfter}` } };
}

/** AWS's answer to a body that is too large to be read. */
export function bodyTooLarge(requestId: string): HttpAnswer {
  return jsonFailure(413, 'RequestEntityTooLargeException', '', requestId);
}

/** AWS's answer to requests above its capacity; its clients try again. */
export function throttled(requestId: string): HttpAnswer {
  const message =
    'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.';
  const answer = jsonFailure(400, 'ThrottlingException', message, requestId);
  return { ...answer, headers: { ...answer.headers, 'Retry-After': '1' } };
}

/** A bare HTTP status, for a request that names no operation yet. */
export function plain(status: number, requestId: string): HttpAnswer {
  return answer(status, 'text/plain', requestId, `${STATUS_CODES[status]}\n`);
}

/** AWS's answer to requests that name no service: always XML. */
export function unroutable(refusal: keyof typeof refusals, requestId: string): HttpAnswer {
  const body = `<${refusal}><Message>${refusals[refusal]}</Message></${refusal}>`;
  return answer(403, 'application/xml', requestId, body);
}

/** What a probe is told; only what is unavailable keeps requests away. */
export type Health = 'ok' | 'ok, without pools' | 'unavailable';

/** The answer to a health or readiness probe. */
export function probe(health: Health, requestId: string): HttpAnswer {
  return answer(health === 'unavailable' ? 503 : 200, 'text/plain', requestId, `${health}\n`);
}

const refusals = {
  AccessDeniedException: 'Unable to determine service/operation name to be authorized',
  MissingAuthenticationTokenException: 'Missing Authentication Token',
} as const;

// AWS leaves out an empty message.
function jsonFailure(status: number, __type: string, message: string, requestId: string) {
  const body = JSON.stringify(message === '' ? { __type } : { __type, message });
  return answer(status, jsonType, requestId, body);
}

function answer(status: number, type: string, requestId: string, body: string): HttpAnswer {
  return {
    status,
    headers: {
      'x-amzn-RequestId': requestId,
      'Cache-Control': 'no-cache, no-store, must-revalidate, private',
      Expires: '0',
      Pragma: 'no-cache',
      'Content-Type': type,
      'Content-Length': String(Buffer.byteLength(body)),
    },
    body,
  };
}
