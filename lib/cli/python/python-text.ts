import { CalendarDate, Dictionary, JsonDictionary, type Value } from './value.ts';

// The AWS CLI is a Python program and its complaints quote values and types in Python's spelling.
// Scripts match on those texts, so they are kept.

const simpleEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A value as `str()` shows it: text bare, anything else as `repr()`. */
export function pythonText(value: Value): string {
  if (value instanceof Date) return dateText(value);
  return typeof value === 'string' ? value : pythonRepr(value);
}

export function pythonRepr(value: Value): string {
  if (typeof value === 'string') return quoted(value, escapeCharacter);
  if (typeof value === 'number') return floatText(value);
  if (value === null || typeof value === 'boolean') {
    return value === null ? 'None' : value ? 'True' : 'False';
  }
  return typeof value === 'bigint' ? String(value) : compositeRepr(value);
}

export function pythonType(value: Value): string {
  return `<class '${pythonTypeName(value)}'>`;
}

export function pythonTypeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Date) {
    return value instanceof CalendarDate ? 'datetime.date' : 'datetime.datetime';
  }
  if (value instanceof Dictionary) {
    return value instanceof JsonDictionary ? 'collections.OrderedDict' : 'dict';
  }
  const names = { string: 'str', bigint: 'int', number: 'float', boolean: 'bool' } as const;
  return names[typeof value as keyof typeof names];
}

function compositeRepr(value: Date | Uint8Array | Value[] | Dictionary): string {
  if (value instanceof Date) return dateRepr(value);
  if (value instanceof Uint8Array) {
    return `b${quoted(Buffer.from(value).toString('latin1'), escapeByte)}`;
  }
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  if (value instanceof JsonDictionary) {
    const pairs = [...value].map(([key, member]) => `(${pythonRepr(key)}, ${pythonRepr(member)})`);
    return pairs.length === 0 ? 'OrderedDict()' : `OrderedDict([${pairs.join(', ')}])`;
  }
  const members = [...value].map(([key, member]) => `${pythonRepr(key)}: ${pythonRepr(member)}`);
  return `{${members.join(', ')}}`;
}

function quoted(text: string, escapeOne: (character: string) => string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = Array.from(text, (character) =>
    character === quote ? `\\${quote}` : escapeOne(character),
  );
  return quote + body.join('') + quote;
}

function escapeCharacter(character: string): string {
  const simple = simpleEscapes[character];
  if (simple !== undefined || character === ' ' || !/[\p{C}\p{Z}]/u.test(character)) {
    return simple ?? character;
  }
  const code = (character.codePointAt(0) ?? 0).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`;
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`;
}

function escapeByte(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x7f ? escapeCharacter(character) : `\\x${code.toString(16)}`;
}

/** Python writes exponents from 1e16 on and below 1e-4, with two digits at least. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return String(value).toLowerCase().replace('infinity', 'inf');
  const size = Math.abs(value);
  const hasExponent = size >= 1e16 || (size > 0 && size < 1e-4);
  const text = hasExponent ? value.toExponential() : String(value);
  const [digits = '', exponent] = text.split('e');
  if (exponent !== undefined) {
    return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, '0')}`;
  }
  return Object.is(value, -0) ? '-0.0' : Number.isInteger(value) ? `${digits}.0` : digits;
}

function dateText(value: Date): string {
  const [date = '', time = ''] = value.toISOString().slice(0, -1).split('T');
  const fraction = time.endsWith('.000') ? '' : `${time.slice(-4)}000`;
  return value instanceof CalendarDate ? date : `${date} ${time.slice(0, -4)}${fraction}`;
}

function dateRepr(value: Date): string {
  const fields = dateText(value).split(/\D/).map(Number);
  // Python leaves out seconds that are zero.
  const shown = fields.length === 6 && fields[5] === 0 ? fields.slice(0, 5) : fields;
  return `${pythonTypeName(value)}(${shown.join(', ')})`;
}
