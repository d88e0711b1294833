import { types } from 'node:util';
import { findComplaints, validationError } from './constraints.ts';
import { checkEncryptionContext } from './encryption-context.ts';
import { KmsError } from './errors.ts';
import type { ListShape, MapShape, StructureShape } from './shape.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from './shapes.ts';
import type { Requests } from './types.ts';
import { unknownMembers } from './wire.ts';

/** A request that passed the model's constraints: required members are there. */
export type Checked<T> = {
  [K in keyof T]: object extends Pick<T, K> ? T[K] : Exclude<T[K], undefined>;
};

export type CheckedRequest<O extends OperationName> = Checked<Requests[O]>;

/** Whether AWS's model has an operation of this name; false for inherited property names. */
export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(operationShapes, name);
}

/**
 * Copies a request out of the caller's hands and checks it against AWS's model.
 *
 * Every member is read exactly once, so a getter or a later change cannot make the copy differ from
 * what was checked. Members the operation does not have are dropped, unless they are in a structure
 * that limits something; null and undefined are absent.
 * Maps come back without a prototype: `__proto__` is a key of an encryption context like any other.
 * Optional members stay optional even where the service demands them (Decrypt's CiphertextBlob):
 * operations check those with `missingMemberError`.
 *
 * @param operation the operation's name in AWS's model
 * @param input members as @aws-sdk/client-kms takes them: blobs are array buffer views, timestamps
 *   Date objects or epoch seconds
 * @throws KmsError SerializationException if a type is wrong; its cause names the member
 * @throws KmsError ValidationException with every broken constraint, in model member order, or for
 *   a member of a limiting structure that is not understood
 */
export function parseRequest<O extends OperationName>(
  operation: O,
  input: unknown,
): CheckedRequest<O> {
  if (!isOperationName(operation)) throw new KmsError('UnknownOperationException');
  const shape = operationShapes[operation].input;
  const request = readRequest(shape, input);
  const complaints = findComplaints(shape, request);
  if (complaints.length > 0) throw validationError(complaints);
  return request as CheckedRequest<O>;
}

function readRequest(shape: ShapeName, input: unknown): object {
  if (!isRecord(input)) throw typeError('', 'request', `expected an object, got ${kindOf(input)}`);
  try {
    return readStructure(shapes[shape] as StructureShape, input, '');
  } catch (error) {
    if (error instanceof KmsError) throw error;
    // A getter or a proxy of the caller's threw.
    throw new KmsError('SerializationException', 'The request could not be read', { cause: error });
  }
}

function readStructure(shape: StructureShape, value: object, prefix: string): object {
  const out: Record<string, unknown> = {};
  const unknown = shape.limits ? unknownMembers(shape, value)[0] : undefined;
  if (unknown !== undefined) {
    throw new KmsError('ValidationException', `${prefix}${unknown} is not supported.`);
  }
  for (const name of Object.keys(shape.members)) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined || member === null) continue;
    out[name] = readValue(shape.members[name] as ShapeName, member, prefix + name);
  }
  return out;
}

function readValue(name: ShapeName, value: unknown, path: string): unknown {
  const shape = shapes[name];
  switch (shape.type) {
    case 'structure':
      if (!isRecord(value)) return refuseContainer('null', value, path);
      return readStructure(shape, value, `${path}.`);
    case 'list':
      if (!Array.isArray(value)) return refuseContainer('list or null', value, path);
      return readList(shape, value, path);
    case 'map':
      if (!isRecord(value)) return refuseContainer('map or null', value, path);
      return readContext(readMap(shape, value, path), path);
    case 'string':
      return typeof value === 'string' ? value : refuseScalar('a String', value, path);
    case 'boolean':
      return typeof value === 'boolean' ? value : refuseScalar('a Boolean', value, path);
    case 'integer':
      // Adding 0 turns -0 into 0.
      return Number.isSafeInteger(value)
        ? Number(value) + 0
        : refuseScalar('an Integer', value, path);
    case 'blob':
      return ArrayBuffer.isView(value) ? copyBytes(value) : refuseScalar('a Blob', value, path);
    case 'timestamp':
      return readTimestamp(value, path);
  }
}

function readList(shape: ListShape, value: unknown[], path: string): unknown[] {
  const out: unknown[] = [];
  const { length } = value;
  for (let index = 0; index < length; index++) {
    out.push(readValue(shape.member, value[index], `${path}[${index}]`));
  }
  return out;
}

function readMap(shape: MapShape, value: object, path: string): Record<string, string> {
  const out: Record<string, unknown> = Object.create(null);
  const keys = Object.keys(value);
  if (hidesEntries(value, keys)) {
    throw typeError(
      'Expected map or null',
      path,
      'expected members of its own, got inherited ones',
    );
  }
  for (const key of keys) {
    const entry = (value as Record<string, unknown>)[key];
    out[key] = readValue(shape.value, entry, `${path}.${key}`);
  }
  return out as Record<string, string>;
}

// The model's only maps are encryption contexts and the constraints on them. AWS's model bounds
// none: what policies compare, and grants keep, is bounded here, before anybody is authorised by
// it.
function readContext(pairs: Record<string, string>, path: string): object {
  checkEncryptionContext(pairs, path);
  return pairs;
}

function readTimestamp(value: unknown, path: string): Date {
  if (!types.isDate(value) && typeof value !== 'number') {
    return refuseScalar('a Date', value, path);
  }
  // Date's own getTime, whatever the caller put on the object.
  const time = types.isDate(value) ? Date.prototype.getTime.call(value) : Math.round(value * 1000);
  const copy = new Date(time);
  return Number.isNaN(copy.getTime()) ? refuseScalar('a Date', value, path) : copy;
}

function copyBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

/**
 * Whether an object may have entries that are not its own: they would be dropped from a context.
 */
function hidesEntries(value: object, keys: readonly string[]): boolean {
  for (const name in value) if (!Object.hasOwn(value, name)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of other realms have another Object.prototype, above which there is nothing either.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return keys.length === 0 && !isPlain;
}

// The tag keeps out what has its entries elsewhere: a Map would pass for an empty encryption
// context.
function isRecord(value: unknown): value is object {
  return typeof value === 'object' && tagOf(value) === 'Object';
}

function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice('[object '.length, -1);
  } catch {
    return 'revoked Proxy';
  }
}

function refuseContainer(expected: string, value: unknown, path: string): never {
  const isContainer = Array.isArray(value) || isRecord(value);
  const text = isContainer ? startOf(value) : `Expected ${expected}`;
  throw typeError(text, path, `expected ${expected}, got ${kindOf(value)}`);
}

function refuseScalar(expected: string, value: unknown, path: string): never {
  const isContainer = Array.isArray(value) || isRecord(value);
  const text = isContainer
    ? startOf(value)
    : `${tokenOf(value)} can not be converted to ${expected}`;
  throw typeError(text, path, `expected ${expected}, got ${kindOf(value)}`);
}

function startOf(value: unknown): string {
  return Array.isArray(value)
    ? 'Start of list found where not expected'
    : 'Start of structure or map found where not expected.';
}

// AWS names the JSON token. What JSON cannot express is named by its JavaScript type.
function tokenOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return `${kindOf(value).toUpperCase()}_VALUE`;
}

function kindOf(value: unknown): string {
  return typeof value === 'object' ? tagOf(value).toLowerCase() : typeof value;
}

// AWS's texts do not say which member is meant; the cause does.
function typeError(text: string, path: string, detail: string): KmsError {
  const cause = new TypeError(`${path}: ${detail}`);
  return new KmsError('SerializationException', text, { cause });
}
