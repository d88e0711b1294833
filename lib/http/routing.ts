import { isUtf8 } from 'node:buffer';
import { KmsError } from '../model/errors.ts';
import { type OfferedOperation, operations } from '../operations/index.ts';
import { fieldValue, type HeaderFields, type HttpRequest } from './message.ts';

/** The operation that a request names, and its members as JSON has them. */
export interface RoutedRequest {
  readonly operation: OfferedOperation;
  readonly members: object;
}

const jsonTypes = ['application/x-amz-json-1.1', 'application/json'];
const targets: ReadonlyMap<string | undefined, OfferedOperation> = new Map(
  (Object.keys(operations) as OfferedOperation[]).map((name) => [`TrentService.${name}`, name]),
);

/** Tells whether a request is one to the service at all, by method and content type. */
export function isCall({ method, headers }: HttpRequest): boolean {
  const type = fieldValue(headers, 'content-type') ?? '';
  return method === 'POST' && (jsonTypes.includes(type) || jsonTypes.includes(mediaType(type)));
}

/** The operation that a request names; undefined where it is none that is offered. */
export function operationOf(headers: HeaderFields): OfferedOperation | undefined {
  return targets.get(fieldValue(headers, 'x-amz-target'));
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

/** Without parameters. */
function mediaType(contentType: string): string {
  return contentType.replace(/;.*$/s, '').trim().toLowerCase();
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
