import { isUtf8 } from 'node:buffer';
import { KmsError } from '../model/errors.ts';
import { isNestedTooDeep } from '../model/json-nesting.ts';
import { type OfferedOperation, operationNames } from '../service/operation-names.ts';
import { fieldValue, type HeaderFields, type RequestHead } from './message.ts';

const jsonTypes = ['application/x-amz-json-1.1', 'application/json'];
const targets: ReadonlyMap<string | undefined, OfferedOperation> = new Map(
  operationNames.map((name) => [`TrentService.${name}`, name]),
);

/** Tells by method and content type whether a request is meant for the service. */
export function isCall({ method, headers }: RequestHead): boolean {
  const type = fieldValue(headers, 'content-type') ?? '';
  return method === 'POST' && (jsonTypes.includes(type) || jsonTypes.includes(mediaType(type)));
}

/** The operation that a request names; undefined if it names no supported operation. */
export function operationOf(headers: HeaderFields): OfferedOperation | undefined {
  return targets.get(fieldValue(headers, 'x-amz-target'));
}

/**
 * Reads the members of a JSON body. The error has no message, as on AWS.
 *
 * @throws KmsError SerializationException
 */
export function parseBody(body: Uint8Array): object {
  const members = isUtf8(body) ? parseJson(body) : undefined;
  if (typeof members === 'object' && members !== null && !Array.isArray(members)) return members;
  throw new KmsError('SerializationException');
}

/** Without parameters. */
function mediaType(contentType: string): string {
  return contentType.replace(/;.*$/s, '').trim().toLowerCase();
}

function parseJson(body: Uint8Array): unknown {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  if (isNestedTooDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
