import { GeneralError } from '../errors.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { loadParameterFile } from './parameter-file.ts';

/** Its message shows the input with a caret under the place where reading stopped. */
export class ShorthandError extends Error {
  override readonly name = 'ShorthandError';
}

class UnexpectedInput extends ShorthandError {
  constructor(at: { expected: string; received: string; location: string }) {
    super(`Expected: '${at.expected}', received: '${at.received}' for input:\n${at.location}`);
  }
}

// Python's limit on recursion is about here; no request nests like this.
const maxDepth = 300;

const keyText = /[A-Za-z0-9\-_.#/:]*/y;
const asciiWhitespace = /[ \t\n\r\v\f]*/y;
const trailingWhitespace =
  /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/u;

// Values end at a comma that is not escaped. The first of several ends at a closing bracket too, the
// others at an equals sign. No character beyond U+FFFF may stand in a value that is not quoted.
const firstValue =
  /(?:\\,|[!#-&(-+\--<>-Z\\-z|-\uffff])(?:\\,|[\s\x1c-\x1f!#-&(-+\--\\^-|~-\uffff])*/uy;
const laterValue =
  /(?:\\,|[!#-&(-+\--<>-Z\\-z|-\uffff])(?:\\,|[\s\x1c-\x1f!#-&(-+\--<>-\uffff])*/uy;

/**
 * Reads the AWS CLI's shorthand: `a=b,c=[d,e],f={g=h},i=j,k` and, for files, `a@=file://path`.
 *
 *     pairs  = pair *("," pair)
 *     pair   = key ("=" / "@=") values
 *     values = value *("," value) / list / group
 *     list   = "[" item *("," item) "]"
 *     group  = "{" key ("=" / "@=") item *("," ...) "}"
 *     item   = value / list / group
 *     value  = word / 'quoted' / "quoted"
 *
 * Throws ShorthandError, and ParameterFileError for a file that cannot be read.
 */
export function parseShorthand(input: string): Dictionary {
  return new ShorthandReader(input).readPairs();
}

class ShorthandReader {
  readonly #input: string;
  #index = 0;
  #depth = 0;
  #loadsFiles = false;

  constructor(input: string) {
    this.#input = input;
  }

  readPairs(): Dictionary {
    const pairs = new Dictionary();
    this.#readPair(pairs, 0);
    while (!this.#atEnd()) {
      const lastEnd = this.#index;
      this.#expect(',');
      this.#readPair(pairs, lastEnd + 1);
    }
    return pairs;
  }

  #readPair(pairs: Dictionary, start: number): void {
    const key = this.#readKey();
    const value = this.#readValues();
    if (pairs.has(key)) {
      throw new ShorthandError(
        `Second instance of key "${key}" encountered for input:\n${this.#location(start)}\n` +
          'This is often because there is a preceding "," instead of a space.',
      );
    }
    pairs.set(key, value);
  }

  #readKey(): string {
    const key = this.#match(keyText) ?? '';
    this.#match(asciiWhitespace);
    this.#loadsFiles = this.#current() === '@';
    if (this.#loadsFiles) this.#expect('@');
    this.#expect('=');
    return key;
  }

  #readValues(): Value {
    switch (this.#current()) {
      case '':
        return '';
      case '[':
        return this.#readList();
      case '{':
        return this.#readGroup();
      default:
        return this.#readCommaSeparated();
    }
  }

  /** `a=b,c` is a list, but in `a=b,c=d` the comma ends the pair: that is known at the `=` only. */
  #readCommaSeparated(): Value {
    const first = this.#readFirstValue();
    this.#match(asciiWhitespace);
    if (this.#current() !== ',') return first;
    this.#expect(',');
    const values = [first, ...this.#readLaterValues()];
    return values.length === 1 ? first : values;
  }

  #readLaterValues(): Value[] {
    const values: Value[] = [];
    try {
      for (;;) {
        const value = this.#readLaterValue();
        this.#match(asciiWhitespace);
        if (this.#atEnd()) return [...values, value];
        this.#expect(',');
        values.push(value);
      }
    } catch (error) {
      if (!(error instanceof UnexpectedInput) || this.#atEnd()) throw error;
      this.#index = this.#input.lastIndexOf(',', this.#index);
      return values;
    }
  }

  #readList(): Value {
    return this.#nested(() => {
      const items: Value[] = [];
      this.#expect('[');
      while (this.#current() !== ']') {
        items.push(this.#readItem());
        this.#readSeparator(']');
      }
      this.#expect(']', { skipsWhitespace: false });
      return items;
    });
  }

  #readGroup(): Value {
    return this.#nested(() => {
      const group = new Dictionary();
      this.#expect('{');
      while (this.#current() !== '}') {
        const key = this.#readKey();
        const value = this.#readItem();
        this.#readSeparator('}');
        group.set(key, value);
      }
      this.#expect('}', { skipsWhitespace: false });
      return group;
    });
  }

  #nested(read: () => Value): Value {
    if (++this.#depth > maxDepth) throw new GeneralError('maximum recursion depth exceeded');
    const value = read();
    this.#depth--;
    return value;
  }

  #readSeparator(closing: string): void {
    this.#match(asciiWhitespace);
    if (this.#current() !== closing) this.#expect(',');
  }

  #readItem(): Value {
    if (this.#current() === '[') return this.#readList();
    return this.#current() === '{' ? this.#readGroup() : this.#readFirstValue();
  }

  #readFirstValue(): Value {
    const quoted = this.#readQuoted();
    if (quoted !== undefined) return this.#resolve(quoted);
    const word = this.#match(firstValue);
    return word === undefined ? '' : this.#resolve(unescapeWord(word));
  }

  #readLaterValue(): Value {
    const quoted = this.#readQuoted();
    if (quoted !== undefined) return this.#resolve(quoted);
    const word = this.#match(laterValue);
    if (word === undefined) throw this.#unexpected('<second>', '<none>');
    return this.#resolve(unescapeWord(word));
  }

  #readQuoted(): string | undefined {
    const quote = this.#current();
    if (quote !== "'" && quote !== '"') return undefined;
    const end = this.#findClosing(quote);
    if (end === undefined) {
      throw this.#unexpected(quote === "'" ? '<singled quoted>' : '<double quoted>', '<none>');
    }
    const text = this.#input.slice(this.#index + 1, end);
    this.#index = end + 1;
    return text.replaceAll(`\\${quote}`, quote).replaceAll('\\\\', '\\');
  }

  /** The first quote without a backslash of its own; failing that, the last with one. */
  #findClosing(quote: string): number | undefined {
    for (let index = this.#index + 1; index < this.#input.length; index++) {
      const character = this.#input[index];
      if (character === quote) return index;
      const escapes = character === '\\' && ['\\', quote].includes(this.#input[index + 1] ?? '');
      index += escapes ? 1 : 0;
    }
    const last = this.#input.lastIndexOf(quote);
    return last > this.#index ? last : undefined;
  }

  #resolve(text: string): Value {
    return this.#loadsFiles ? (loadParameterFile(text) ?? text) : text;
  }

  #expect(character: string, { skipsWhitespace = true } = {}): void {
    if (skipsWhitespace) this.#match(asciiWhitespace);
    if (this.#current() !== character) {
      throw this.#unexpected(character, this.#atEnd() ? 'EOF' : this.#current());
    }
    this.#index += character.length;
    if (skipsWhitespace) this.#match(asciiWhitespace);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#index;
    const text = pattern.exec(this.#input)?.[0];
    this.#index += text?.length ?? 0;
    return text;
  }

  #atEnd(): boolean {
    return this.#index >= this.#input.length;
  }

  /** The character at hand, whole even if it takes two UTF-16 units; nothing at the end. */
  #current(): string {
    const code = this.#input.codePointAt(this.#index);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  #unexpected(expected: string, received: string): UnexpectedInput {
    return new UnexpectedInput({ expected, received, location: this.#location(this.#index) });
  }

  /** The caret goes on a line of its own below the line it points into. */
  #location(index: number): string {
    const lineStart = index === 0 ? 0 : this.#input.lastIndexOf('\n', index - 1) + 1;
    const nextLine = this.#input.indexOf('\n', index);
    const lineEnd = nextLine === -1 ? this.#input.length : nextLine;
    const indent = ' '.repeat(Array.from(this.#input.slice(lineStart, index)).length);
    return `${this.#input.slice(0, lineEnd)}\n${indent}^${this.#input.slice(lineEnd)}`;
  }
}

function unescapeWord(word: string): string {
  return word.replaceAll('\\,', ',').replace(trailingWhitespace, '');
}
