import { KmsError } from './errors.ts';
import type { StructureShape } from './shape.ts';
import { type ShapeName, shapes } from './shapes.ts';

/**
 * How timestamps are written: AWS's JSON protocol counts seconds, AWS CLI 2 prints ISO 8601. A
 * function writes them in its own way.
 */
export interface WireOptions {
  readonly timestamps: 'epoch' | 'iso8601' | ((date: Date) => unknown);
}

type Convert = (name: ShapeName, value: unknown) => unknown;

/**
 * Turns parsed JSON into the types of the API: base64 text into bytes, epoch seconds into dates.
 *
 * Unknown and null members are dropped, but for those of structures that limit something. Anything
 * whose JSON type is wrong is left as it is, for `parseRequest` to refuse in its own words.
 *
 * @throws KmsError SerializationException if a blob is not base64 with padding
 */
export function fromJson(name: ShapeName, json: unknown): unknown {
  const shape = shapes[name];
  if (shape.type === 'blob' && typeof json === 'string') {
    return decodeBase64(json, shape.sensitive === true);
  }
  if (shape.type === 'timestamp' && typeof json === 'number') return fromEpoch(json);
  return convertContainer(name, json, fromJson);
}

/**
 * Writes a response as the JSON of AWS's protocol: bytes as base64, times as seconds since the
 * epoch, members in model order, absent ones left out. What a server does with every answer, in
 * less time than `toJson` and `JSON.stringify` take.
 */
export function writeJson(name: ShapeName, value: unknown): string {
  return writerOf(name)(value);
}

type Write = (value: unknown) => string;
const writers = new Map<ShapeName, Write>();

/** Shapes are read once: what depends on the value alone is left for every answer. */
function writerOf(name: ShapeName): Write {
  let write = writers.get(name);
  if (write === undefined) {
    write = makeWriter(name);
    writers.set(name, write);
  }
  return write;
}

function makeWriter(name: ShapeName): Write {
  const shape = shapes[name];
  switch (shape.type) {
    case 'structure':
      return structureWriter(shape);
    case 'list': {
      const write = writerOf(shape.member);
      return (items) => `[${(items as unknown[]).map(write).join(',')}]`;
    }
    case 'blob':
      return (bytes) => `"${encodeBase64(bytes as Uint8Array)}"`;
    case 'timestamp':
      return (date) => String(toEpoch(date as Date));
    case 'string':
      return (text) => (plainText.test(text as string) ? `"${text}"` : JSON.stringify(text));
    case 'boolean':
      return String;
    default:
      // Maps, too: responses have none but of texts.
      return JSON.stringify;
  }
}

// Types whose values JSON leaves as they are.
const plainText = /^[ !#-[\]-~]*$/;

function structureWriter({ members }: StructureShape): Write {
  const rows = Object.entries(members).map(([name, member]) => {
    return { name, label: `"${name}":`, write: writerOf(member) };
  });
  return (value) => {
    let out = '{';
    for (const { name, label, write } of rows) {
      const part = (value as Record<string, unknown>)[name];
      if (part === undefined || part === null) continue;
      if (out.length > 1) out += ',';
      out += label + write(part);
    }
    return `${out}}`;
  };
}

/**
 * Turns a response into what `JSON.stringify` writes: bytes as base64, dates as `timestamps` says,
 * members in model order, absent ones left out.
 */
export function toJson(name: ShapeName, value: unknown, options: WireOptions): unknown {
  const { type } = shapes[name];
  if (type === 'blob') return encodeBase64(value as Uint8Array);
  if (type === 'timestamp') return writeTime(value as Date, options);
  return convertContainer(name, value, (inner, part) => toJson(inner, part, options));
}

function convertContainer(name: ShapeName, value: unknown, convert: Convert): unknown {
  const shape = shapes[name];
  if (shape.type === 'list' && Array.isArray(value)) {
    return value.map((item) => convert(shape.member, item));
  }
  if (!isRecord(value)) return value;
  if (shape.type === 'structure') return convertStructure(shape, value, convert);
  return shape.type === 'map' ? convertMap(shape.value, value, convert) : value;
}

function convertStructure(
  shape: StructureShape,
  value: Record<string, unknown>,
  convert: Convert,
): object {
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(shape.members)) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    if (member === undefined || member === null) continue;
    out[name] = convert(shape.members[name] as ShapeName, member);
  }
  if (shape.limits) for (const name of unknownMembers(shape, value)) out[name] = value[name];
  return out;
}

/** The members of a value that its shape does not have, null and undefined ones apart. */
export function unknownMembers(shape: StructureShape, value: object): string[] {
  const found: string[] = [];
  // Inherited ones, too: known members are read from prototypes as well.
  for (const name in value) {
    if (Object.hasOwn(shape.members, name)) continue;
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined && member !== null) found.push(name);
  }
  return found;
}

// Without a prototype, so that a key `__proto__` is an entry like any other.
function convertMap(name: ShapeName, value: Record<string, unknown>, convert: Convert): object {
  const out: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value)) out[key] = convert(name, value[key]);
  return out;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/;

// As strict as AWS's decoder: Buffer.from would skip characters that it does not understand.
function decodeBase64(text: string, isSecret: boolean): Uint8Array {
  const fault = base64Fault(text);
  if (fault === undefined) return new Uint8Array(Buffer.from(text, 'base64'));
  const shown = isSecret ? 'Value' : `'${text}'`;
  throw new KmsError('SerializationException', `${shown} can not be converted to a Blob: ${fault}`);
}

function base64Fault(text: string): string | undefined {
  if (text.length % 4 !== 0) {
    return `Base64 encoded length is expected a multiple of 4 bytes but found: ${text.length}`;
  }
  if (!base64Text.test(text)) return 'Invalid Base64 character';
  // Bits beyond the last byte must be zero, or many texts would stand for the same bytes. Only the
  // last group can have such bits.
  const last = text.slice(-4);
  if (Buffer.from(last, 'base64').toString('base64') !== last) {
    return 'Invalid last non-pad Base64 character';
  }
  return undefined;
}

function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

// Out of Date's range the number is left for parseRequest to refuse.
function fromEpoch(seconds: number): Date | number {
  const date = new Date(Math.round(seconds * 1000));
  return Number.isNaN(date.getTime()) ? seconds : date;
}

function writeTime(date: Date, { timestamps }: WireOptions): unknown {
  if (typeof timestamps === 'function') return timestamps(date);
  return timestamps === 'epoch' ? toEpoch(date) : toIso8601(date);
}

function toEpoch(date: Date): number {
  return date.getTime() / 1000;
}

// Python's isoformat, which AWS CLI 2 prints: microseconds, left out when they are zero, and an
// offset.
function toIso8601(date: Date): string {
  const text = date.toISOString().slice(0, -1);
  const fraction = text.endsWith('.000') ? '' : `${text.slice(-4)}000`;
  return `${text.slice(0, -4)}${fraction}+00:00`;
}
