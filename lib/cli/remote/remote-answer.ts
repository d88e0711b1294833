import type { Shape, StructureShape } from '../../model/shape.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../../model/shapes.ts';
import { GeneralError } from '../errors.ts';
import { WireTime } from '../output/timestamps.ts';
import { JsonError, parseJson } from '../python/json.ts';
import { parseIso8601 } from '../python/timestamp.ts';
import { Dictionary, type Value } from '../python/value.ts';

/**
 * Reads the answer of a request that succeeded, in the types of the API; times are `WireTime`.
 *
 * What cannot be read is a failure: printed as if it were empty, it would become an empty file, or
 * an empty key. Values are left out of the complaint, as they may be secret.
 *
 * @throws GeneralError
 */
export function readAnswer(operation: string, text: string, endpointUrl: string): object {
  const { output } = operationShapes[operation as OperationName];
  if (output === undefined) return {};
  try {
    return readStructure(shapes[output] as StructureShape, parse(text), '') as object;
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw new GeneralError(`The answer of "${endpointUrl}" cannot be read: ${error.message}`);
  }
}

class Unreadable extends Error {}

function parse(text: string): Value {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new Unreadable(text.trim() === '' ? 'it is empty' : 'it is not JSON');
  }
}

type Read = (value: Value) => unknown;

const readers: Readonly<Partial<Record<Shape['type'], readonly [what: string, read: Read]>>> = {
  string: ['a text', (value) => (typeof value === 'string' ? value : undefined)],
  boolean: ['true or false', (value) => (typeof value === 'boolean' ? value : undefined)],
  integer: ['a whole number', (value) => (typeof value === 'bigint' ? Number(value) : undefined)],
  blob: ['base64', readBlob],
  timestamp: ['a time', readTime],
};

function readValue(name: ShapeName, value: Value, path: string): unknown {
  const shape = shapes[name];
  if (shape.type === 'structure') return readStructure(shape, value, path);
  if (shape.type === 'list') {
    if (!Array.isArray(value)) throw wrong(path, 'a list');
    return value.map((item, index) => readValue(shape.member, item, `${path}[${index}]`));
  }
  if (shape.type === 'map') {
    if (!(value instanceof Dictionary)) throw wrong(path, 'an object');
    const entries = [...value].map(([key, entry]): [string, unknown] => [
      key,
      readValue(shape.value, entry, `${path}.${key}`),
    ]);
    return Object.fromEntries(entries);
  }
  const [what, read] = readers[shape.type] as readonly [string, Read];
  const found = read(value);
  if (found === undefined) throw wrong(path, what);
  return found;
}

/** Members that the model does not know are dropped, as every client of AWS's does. */
function readStructure({ members }: StructureShape, value: Value, path: string): object {
  if (!(value instanceof Dictionary)) throw wrong(path, 'an object');
  const out: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(members)) {
    const member = value.get(name) ?? null;
    if (member !== null) out[name] = readValue(shape, member, path ? `${path}.${name}` : name);
  }
  return out;
}

function wrong(path: string, what: string): Unreadable {
  return new Unreadable(`${path || 'it'} is not ${what}`);
}

function readBlob(value: Value): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? new Uint8Array(bytes) : undefined;
}

/** Seconds since 1970, as a number or its text, or ISO 8601; in the years that Python has. */
function readTime(value: Value): WireTime | undefined {
  const time = new WireTime(value, microsecondsOf(value));
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999 ? time : undefined;
}

function microsecondsOf(value: Value): number {
  if (typeof value === 'bigint') return Number(value) * 1e6;
  if (typeof value === 'number') return Math.round(value * 1e6);
  if (typeof value !== 'string') return Number.NaN;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.round(Number(value) * 1e6);
  const date = parseIso8601(value);
  if (date === undefined) return Number.NaN;
  const [, digits = ''] = /[.,](\d+)/.exec(value) ?? [];
  return Math.floor(date.getTime() / 1000) * 1e6 + Number(digits.slice(0, 6).padEnd(6, '0'));
}
