import type { ListShape, Shape } from '../../model/shape.ts';
import { shapes } from '../../model/shapes.ts';
import { cannotParse, GeneralError } from '../errors.ts';
import { JsonError, parseJson } from '../python/json.ts';
import { pythonRepr } from '../python/python-text.ts';
import { Dictionary, type Value } from '../python/value.ts';
import type { GivenValue } from './argument-parser.ts';
import { memberShape, type RequestOption } from './operation-options.ts';
import { loadParameterFile, ParameterFileError } from './parameter-file.ts';
import { parseShorthand, ShorthandError } from './shorthand.ts';

/**
 * Turns what was written after an option into the value of its member: shorthand, JSON, a number, a
 * list of words, or a file holding one of those. Types are not enforced here.
 *
 * Throws ParameterError or GeneralError, as the AWS CLI divides them.
 */
export function readParameter(option: RequestOption, given: GivenValue): Value {
  if (typeof given === 'boolean') return given;
  const shape = shapes[option.shape];
  const source = loadSource(option.option, given);
  if (source instanceof Uint8Array) return readBytes(shape, option.option, source);
  if (takesShorthand(shape) && !looksLikeJson(source)) {
    return readShorthand(shape, option.option, source);
  }
  return readPlain(shape, option.option, source);
}

type Source = string | readonly string[];

/** A reference to a file counts only if it is the whole value. */
function loadSource(option: string, given: Source): Source | Uint8Array {
  const [only, ...others] = typeof given === 'string' ? [given] : given;
  if (only === undefined || others.length > 0) return given;
  return explained(option, () => loadParameterFile(only)) ?? given;
}

function readBytes(shape: Shape, option: string, bytes: Uint8Array): Value {
  if (shape.type === 'integer') throw notAnInteger(bytes);
  if (shape.type === 'structure' || shape.type === 'map' || shape.type === 'list') {
    throw new GeneralError(
      `Error parsing parameter '${option}': fileb:// gives bytes; use file:// for text`,
    );
  }
  return bytes;
}

/** Structures, maps, and lists of those. A list of words needs none. */
function takesShorthand(shape: Shape): boolean {
  if (shape.type === 'list') {
    return ['structure', 'map', 'list'].includes(shapes[shape.member].type);
  }
  return shape.type === 'structure' || shape.type === 'map';
}

function looksLikeJson(source: Source): boolean {
  const first = typeof source === 'string' ? source : source[0];
  return first !== undefined && /^\s*[[{]/.test(first);
}

function readShorthand(shape: Shape, option: string, source: Source): Value {
  const texts = typeof source === 'string' ? [source] : source;
  const parsed = texts.map((text) => explained(option, () => parseShorthand(text)));
  const element = shape.type === 'list' ? shapes[shape.member] : shape;
  const values = parsed.map((value) => coerce(element, value));
  return typeof source === 'string' ? (values[0] ?? null) : values;
}

/** Shorthand knows only text; the model says which texts mean something else. */
function coerce(shape: Shape, value: Value): Value {
  if (shape.type === 'list') {
    const items = Array.isArray(value) ? value : [value];
    return items.map((item) => coerce(shapes[shape.member], item));
  }
  if (value instanceof Dictionary && (shape.type === 'structure' || shape.type === 'map')) {
    for (const [key, member] of value) {
      const name = memberShape(shape, key);
      value.set(key, name === undefined ? member : coerce(shapes[name], member));
    }
    return value;
  }
  return typeof value === 'string' ? coerceText(shape, value) : value;
}

function coerceText(shape: Shape, text: string): Value {
  if (shape.type === 'integer') return readInteger(text);
  const lower = text.toLowerCase();
  const isTruth = shape.type === 'boolean' && (lower === 'true' || lower === 'false');
  return isTruth ? lower === 'true' : text;
}

function readPlain(shape: Shape, option: string, source: Source): Value {
  if (shape.type === 'list') return readList(shape, option, source);
  const text = typeof source === 'string' ? source : source.join(' ');
  if (shape.type === 'structure' || shape.type === 'map') return readObject(option, text);
  return shape.type === 'integer' ? readInteger(text) : text;
}

/**
 * One word beginning with `[` is a JSON list. The text of a file is otherwise taken by character.
 */
function readList(shape: ListShape, option: string, source: Source): Value {
  const only = typeof source === 'string' || source.length !== 1 ? source : source[0];
  if (typeof only === 'string' && only.trimStart().startsWith('[')) return readJson(option, only);
  if (source === '') throw new GeneralError('string index out of range');
  return Array.from(source, (word) => readPlain(shapes[shape.member], option, word));
}

function readObject(option: string, text: string): Value {
  if (text.trim() === '') throw new GeneralError('string index out of range');
  if (!text.trimStart().startsWith('{')) throw cannotParse(option, `Invalid JSON:\n${text}`);
  return readJson(option, text);
}

function readJson(option: string, text: string): Value {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) {
      throw cannotParse(option, `Invalid JSON: ${error.message}\nJSON received: ${text}`);
    }
    throw error;
  }
}

/** As Python's int(): spaces around it and single underscores between its digits are allowed. */
function readInteger(text: string): bigint {
  if (!/^\s*[+-]?\d+(?:_\d+)*\s*$/.test(text)) throw notAnInteger(text);
  const digits = text.trim().replaceAll('_', '');
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''));
}

function notAnInteger(value: string | Uint8Array): GeneralError {
  return new GeneralError(`invalid literal for int() with base 10: ${pythonRepr(value)}`);
}

/** Names the option in the complaints of those who do not know it. */
function explained<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShorthandError || error instanceof ParameterFileError) {
      throw cannotParse(option, error.message);
    }
    throw error;
  }
}
