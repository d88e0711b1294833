import type { ListShape, MapShape, Shape, StructureShape } from '../../model/shape.ts';
import { type ShapeName, shapes } from '../../model/shapes.ts';
import { GeneralError, ParameterError } from '../errors.ts';
import { decodeBase64 } from '../python/base64.ts';
import { pythonText, pythonType } from '../python/python-text.ts';
import { parseTimestamp } from '../python/timestamp.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { memberShape } from './operation-options.ts';

export type BinaryFormat = 'base64' | 'raw-in-base64-out';

type ReadBlob = (text: string, as: { readonly isSecret: boolean }) => Uint8Array;

const blobReaders: Readonly<Record<BinaryFormat, ReadBlob>> = {
  base64: decodeBase64,
  'raw-in-base64-out': (text) => new TextEncoder().encode(text),
};

/**
 * Turns the text of blobs into bytes, for the AWS CLI takes them as base64 unless it is told that
 * they are written as they are. Bytes from a `fileb://` stay. Throws GeneralError for text that is
 * not base64.
 */
export function decodeBlobs(
  name: ShapeName,
  request: Dictionary,
  format: BinaryFormat = 'base64',
): void {
  replaceAll('blob', name, request, (value, shape) => {
    const isSecret = 'sensitive' in shape;
    return typeof value === 'string' ? blobReaders[format](value, { isSecret }) : value;
  });
}

/** Turns timestamps into dates. Throws GeneralError for a bad one that `checkRequest` did not check. */
export function readTimestamps(name: ShapeName, request: Dictionary): void {
  replaceAll('timestamp', name, request, (value) => {
    const date = parseTimestamp(value);
    if (date !== undefined) return date;
    throw new GeneralError(
      `Invalid timestamp "${pythonText(value)}": Unknown string format: ${pythonText(value)}`,
    );
  });
}

/** Replaces all values of one type, wherever they are in a request. */
function replaceAll(
  type: Shape['type'],
  name: ShapeName,
  value: Value,
  read: (value: Value, shape: Shape) => Value,
): Value {
  const shape = shapes[name];
  if (shape.type === type) return read(value, shape);
  if (shape.type === 'list' && Array.isArray(value)) {
    return value.map((item) => replaceAll(type, shape.member, item, read));
  }
  if (value instanceof Dictionary && (shape.type === 'structure' || shape.type === 'map')) {
    for (const [key, member] of value) {
      const memberName = memberShape(shape, key);
      value.set(
        key,
        memberName === undefined ? member : replaceAll(type, memberName, member, read),
      );
    }
  }
  return value;
}

/**
 * Refuses what AWS's clients refuse before they send anything: wrong types, missing and unknown
 * members, and what is below a minimum. All else is left to the service. Throws ParameterError.
 */
export function checkRequest(name: ShapeName, request: Dictionary): void {
  const problems = [...findProblems(name, request, '')];
  if (problems.length > 0) {
    throw new ParameterError(`Parameter validation failed:\n${problems.join('\n')}`);
  }
}

const valueTypes = {
  string: ['str'],
  integer: ['int'],
  boolean: ['bool'],
  list: ['list', 'tuple'],
  map: ['dict'],
  structure: ['dict'],
  blob: ['bytes', 'bytearray'],
  timestamp: ['datetime.datetime'],
} as const satisfies Record<Shape['type'], readonly string[]>;

const isOfType: Readonly<Record<Shape['type'], (value: Value) => boolean>> = {
  string: (value) => typeof value === 'string',
  // Python's booleans are integers.
  integer: (value) => typeof value === 'bigint' || typeof value === 'boolean',
  boolean: (value) => typeof value === 'boolean',
  list: Array.isArray,
  map: (value) => value instanceof Dictionary,
  structure: (value) => value instanceof Dictionary,
  blob: (value) => value instanceof Uint8Array,
  timestamp: (value) => parseTimestamp(value) !== undefined,
};

function* findProblems(name: ShapeName, value: Value, path: string): Generator<string> {
  const shape = shapes[name];
  if (!isOfType[shape.type](value)) {
    yield wrongType(shape, value, path);
    return;
  }
  yield* belowMinimum(shape, value, path);
  if (value instanceof Dictionary) {
    yield* dictionaryProblems(shape, value, path);
  } else if (Array.isArray(value)) {
    yield* itemProblems(shape as ListShape, value, path);
  }
}

function wrongType(shape: Shape, value: Value, path: string): string {
  const types: string[] = valueTypes[shape.type].map((type) => `<class '${type}'>`);
  if (shape.type === 'blob') {
    types.push('file-like object');
  } else if (shape.type === 'timestamp') {
    types.push('timestamp-string');
  }
  return (
    `Invalid type for parameter ${shown(path)}, value: ${pythonText(value)}, ` +
    `type: ${pythonType(value)}, valid types: ${types.join(', ')}`
  );
}

function* belowMinimum(shape: Shape, value: Value, path: string): Generator<string> {
  const minimum = 'min' in shape ? shape.min : undefined;
  if (minimum === undefined || shape.type === 'blob') return;
  if (shape.type === 'integer') {
    if (Number(value) < minimum) {
      yield `Invalid value for parameter ${shown(path)}, value: ${pythonText(value)}, ` +
        `valid min value: ${minimum}`;
    }
    return;
  }
  const length = Array.from(value as string | Value[]).length;
  if (length < minimum) {
    yield `Invalid length for parameter ${shown(path)}, value: ${length}, ` +
      `valid min length: ${minimum}`;
  }
}

function* dictionaryProblems(shape: Shape, value: Dictionary, path: string): Generator<string> {
  if (shape.type === 'structure') {
    yield* memberProblems(shape, value, path);
  } else {
    yield* entryProblems(shape as MapShape, value, path);
  }
}

function* memberProblems(
  shape: StructureShape,
  value: Dictionary,
  path: string,
): Generator<string> {
  for (const required of shape.required ?? []) {
    if (!value.has(required)) yield `Missing required parameter in ${shown(path)}: "${required}"`;
  }
  const members = new Map(Object.entries(shape.members));
  for (const key of value.keys()) {
    if (!members.has(key)) {
      const names = [...members.keys()].join(', ');
      yield `Unknown parameter in ${shown(path)}: "${key}", must be one of: ${names}`;
    }
  }
  for (const [key, member] of value) {
    const name = members.get(key);
    if (name !== undefined) yield* findProblems(name, member, `${path}.${key}`);
  }
}

function* entryProblems(shape: MapShape, value: Dictionary, path: string): Generator<string> {
  for (const [key, member] of value) {
    yield* findProblems(shape.key, key, `${path} (key: ${key})`);
    yield* findProblems(shape.value, member, `${path}.${key}`);
  }
}

function* itemProblems(shape: ListShape, value: Value[], path: string): Generator<string> {
  for (const [index, item] of value.entries()) {
    yield* findProblems(shape.member, item, `${path}[${index}]`);
  }
}

function shown(path: string): string {
  return path.replace(/^\./, '') || 'input';
}
