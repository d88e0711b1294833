import { GeneralError } from '../errors.ts';
import { JsonDictionary, type Value } from './value.ts';

/** Its message is Python's, which the AWS CLI repeats to its users. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

// Python gives up near its recursion limit, about here. Deeper than any request by far.
const maxDepth = 900;

const whitespace = /[ \t\n\r]*/y;
const number = /(-?(?:0|[1-9]\d*))(\.\d+)?([eE][-+]?\d+)?/y;
const plainText = /[^"\\\u0000-\u001f]*/y;

const constants: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Reads JSON as Python's json module does: whole numbers keep every digit, NaN and Infinity are
 * numbers, the last of equal keys wins. Throws JsonError.
 */
export function parseJson(text: string): Value {
  return new JsonReader(text).readDocument();
}

class JsonReader {
  readonly #text: string;
  #index = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readDocument(): Value {
    this.#skipWhitespace();
    const value = this.#readValue();
    this.#skipWhitespace();
    if (this.#index < this.#text.length) throw this.#error('Extra data', this.#index);
    return value;
  }

  #readValue(): Value {
    switch (this.#text[this.#index]) {
      case '"':
        return this.#readString();
      case '{':
        return this.#nested(() => this.#readObject());
      case '[':
        return this.#nested(() => this.#readArray());
      default:
        return this.#readScalar();
    }
  }

  #nested(read: () => Value): Value {
    if (++this.#depth > maxDepth) {
      throw new GeneralError('maximum recursion depth exceeded while decoding JSON');
    }
    this.#index++;
    this.#skipWhitespace();
    const value = read();
    this.#depth--;
    return value;
  }

  #readScalar(): Value {
    const digits = this.#match(number);
    if (digits !== undefined) {
      const [whole = '', integer = '', fraction, exponent] = digits;
      return fraction === undefined && exponent === undefined ? BigInt(integer) : Number(whole);
    }
    for (const [name, value] of constants) {
      if (this.#text.startsWith(name, this.#index)) {
        this.#index += name.length;
        return value;
      }
    }
    throw this.#error('Expecting value', this.#index);
  }

  #readArray(): Value {
    const items: Value[] = [];
    if (this.#skip(']')) return items;
    do {
      this.#skipWhitespace();
      items.push(this.#readValue());
      this.#skipWhitespace();
    } while (!this.#endsAt(']'));
    return items;
  }

  #readObject(): Value {
    const object = new JsonDictionary();
    if (this.#skip('}')) return object;
    do {
      this.#skipWhitespace();
      const key = this.#readKey();
      object.set(key, this.#readValue());
      this.#skipWhitespace();
    } while (!this.#endsAt('}'));
    return object;
  }

  #readKey(): string {
    if (this.#text[this.#index] !== '"') {
      throw this.#error('Expecting property name enclosed in double quotes', this.#index);
    }
    const key = this.#readString();
    this.#skipWhitespace();
    if (!this.#skip(':')) throw this.#error("Expecting ':' delimiter", this.#index);
    this.#skipWhitespace();
    return key;
  }

  /** Whether the closing bracket follows; if not, a comma must. */
  #endsAt(bracket: string): boolean {
    if (this.#skip(bracket)) return true;
    if (!this.#skip(',')) throw this.#error("Expecting ',' delimiter", this.#index);
    return false;
  }

  #readString(): string {
    const start = this.#index++;
    let text = '';
    for (;;) {
      text += this.#match(plainText)?.[0] ?? '';
      const character = this.#text[this.#index];
      if (character === undefined) throw this.#error('Unterminated string starting at', start);
      if (character !== '"' && character !== '\\') {
        throw this.#error('Invalid control character at', this.#index);
      }
      this.#index++;
      if (character === '"') return text;
      text += this.#readEscape(start);
    }
  }

  #readEscape(start: number): string {
    const character = this.#text[this.#index++];
    if (character === undefined) throw this.#error('Unterminated string starting at', start);
    if (character === 'u') return this.#readCodeUnit();
    const plain = escapes[character];
    if (plain === undefined) throw this.#error('Invalid \\escape', this.#index - 2);
    return plain;
  }

  #readCodeUnit(): string {
    const digits = this.#text.slice(this.#index, this.#index + 4);
    // Python wants a character after the digits, which a complete string always has.
    if (!/^[0-9a-fA-F]{4}$/.test(digits) || this.#index + 4 >= this.#text.length) {
      throw this.#error('Invalid \\uXXXX escape', this.#index - 1);
    }
    this.#index += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#index;
    const match = pattern.exec(this.#text);
    this.#index += match?.[0].length ?? 0;
    return match ?? undefined;
  }

  #skipWhitespace(): void {
    this.#match(whitespace);
  }

  #skip(character: string): boolean {
    const isThere = this.#text[this.#index] === character;
    this.#index += isThere ? 1 : 0;
    return isThere;
  }

  /** Positions are counted in characters, not in UTF-16 units. */
  #error(problem: string, index: number): JsonError {
    const before = this.#text.slice(0, index);
    const lines = before.split('\n');
    const column = Array.from(lines.at(-1) ?? '').length + 1;
    const character = Array.from(before).length;
    return new JsonError(`${problem}: line ${lines.length} column ${column} (char ${character})`);
  }
}
