import { isUtf8 } from 'node:buffer';
import { KmsError } from '../model/errors.ts';
import { isOffered, type OfferedOperation } from '../operations/index.ts';
import { fieldValue, type HeaderFields, type HttpRequest } from './message.ts';

/** The operation that a request names, and its members as JSON has them. */
export interface RoutedRequest {
  readonly operation: OfferedOperation;
  readonly members: object;
}

const targetPrefix = 'TrentService.';
const jsonTypes = ['application/x-amz-json-1.1', 'application/json'];

/** Tells whether a request is one to the service at all, by method and content type. */
export function isCall({ method, headers }: HttpRequest): boolean {
  const [type = ''] = (fieldValue(headers, 'content-type') ?? '').split(';');
  return method === 'POST' && jsonTypes.includes(type.trim().toLowerCase());
}

/** The operation that a request names; undefined where it is none that is offered. */
export function operationOf(headers: HeaderFields): OfferedOperation | undefined {
  const target = fieldValue(headers, 'x-amz-target');
  if (!target?.startsWith(targetPrefix)) return undefined;
  const name = target.slice(targetPrefix.length);
  return isOffered(name) ? name : undefined;
}

/**
 * Reads what a request asks for, as AWS's front end does before it looks at who asks: an absent
 * body, then the body, then the operation. Neither error has a message there.
 *
 * @throws KmsError SerializationException, UnknownOperationException
 */
export function route({ headers, body }: HttpRequest): RoutedRequest {
  const operation = operationOf(headers);
  if (body.length === 0 && operation === undefined) throw new KmsError('UnknownOperationException');
  const members = parseBody(body);
  if (operation === undefined) throw new KmsError('UnknownOperationException');
  return { operation, members };
}

function parseBody(body: Uint8Array): object {
  const members = isUtf8(body) ? parseJson(body) : undefined;
  if (typeof members === 'object' && members !== null && !Array.isArray(members)) return members;
  throw new KmsError('SerializationException');
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
