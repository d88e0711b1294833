import { parseDocument, type ScalarTag, type Tags } from 'yaml';
import { GeneralError, ParameterError } from '../errors.ts';
import { decodeBase64 } from '../python/base64.ts';
import { pythonText, pythonType } from '../python/python-text.ts';
import { parseIso8601 } from '../python/timestamp.ts';
import { CalendarDate, Dictionary, type Value } from '../python/value.ts';

/** Tells that a text is not YAML. The AWS CLI does not tell its users why. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

// ruamel.yaml, the AWS CLI's library, also reads what the schema of YAML 1.2 lacks: binary numbers,
// underscores between digits, dates and bytes.
const integer: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?(?:0b[01][01_]*|0o?[0-7][0-7_]*|\d[\d_]*|0x[\da-fA-F][\da-fA-F_]*)$/,
  resolve: (text) => {
    const digits = text.replaceAll('_', '').replace(/^\+/, '');
    return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits);
  },
};

const float: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?\d+)?|\.[\d_]*\d[\d_]*(?:[eE][-+]\d+)?)$/,
  resolve: (text) => Number(text.replaceAll('_', '')),
};

const date: ScalarTag = {
  tag: 'tag:yaml.org,2002:timestamp',
  default: true,
  test: /^\d{4}-\d\d-\d\d$/,
  resolve: (text) => new CalendarDate(readDate(text)),
};

const timestamp: ScalarTag = {
  tag: 'tag:yaml.org,2002:timestamp',
  default: true,
  test: /^\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$/,
  resolve: readDate,
};

const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  resolve: (text) => decodeBase64(text),
};

// The characters that ruamel.yaml takes for printable.
const printable = /^[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;

// As deep as JSON may be, see json.ts.
const maxDepth = 900;

/** Reads YAML as the AWS CLI does, whose version is 1.2: `yes` and `on` are texts. Throws YamlError. */
export function parseYaml(text: string): Value {
  if (!printable.test(text)) throw new YamlError('a character is not printable');
  return toValue(parse(text), '', 0);
}

function parse(text: string): unknown {
  try {
    const document = parseDocument(text, { customTags: withOurs, intAsBigInt: true, merge: true });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem === undefined) return document.toJS({ mapAsMap: true });
    throw problem;
  } catch (error) {
    throw new YamlError((error as Error).message);
  }
}

/** A document may say that it is of YAML 1.1, which reads numbers in its own way. */
function withOurs(tags: Tags): Tags {
  const isOld = tags.some(
    (tag) => typeof tag === 'object' && 'format' in tag && tag.format === 'BIN',
  );
  return [date, timestamp, binary, ...(isOld ? [] : [integer, float]), ...tags];
}

function readDate(text: string): Date {
  const date = parseIso8601(text);
  if (date === undefined) throw new RangeError(`there is no ${text}`);
  return date;
}

function toValue(value: unknown, path: string, depth: number): Value {
  if (depth > maxDepth) {
    throw new GeneralError('maximum recursion depth exceeded while reading YAML');
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => toValue(item, `${path}[${index}]`, depth + 1));
  }
  return value instanceof Map ? toDictionary(value, path, depth) : (value as Value);
}

function toDictionary(map: Map<unknown, unknown>, path: string, depth: number): Dictionary {
  const dictionary = new Dictionary();
  for (const [key, member] of map) {
    if (typeof key !== 'string') throw wrongKey(key as Value, path);
    dictionary.set(key, toValue(member, path === '' ? key : `${path}.${key}`, depth + 1));
  }
  return dictionary;
}

/** Python's own complaint about the members of a request, botocore's about the keys of a map. */
function wrongKey(key: Value, path: string): Error {
  return path === ''
    ? new GeneralError('keywords must be strings')
    : new ParameterError(
        `Parameter validation failed:\nInvalid type for parameter ${path} ` +
          `(key: ${pythonText(key)}), value: ${pythonText(key)}, type: ${pythonType(key)}, ` +
          "valid types: <class 'str'>",
      );
}
