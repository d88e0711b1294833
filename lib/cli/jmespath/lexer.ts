import { JsonError, parseJson } from '../python/json.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { badCharacters, ExpressionError } from './errors.ts';

export type TokenType =
  | (typeof punctuation)[keyof typeof punctuation]
  | (typeof operators)[number][1]
  | 'unquoted_identifier'
  | 'quoted_identifier'
  | 'number'
  | 'literal'
  | 'eof';

export interface Token {
  readonly type: TokenType;
  readonly value: Value;
  /** Counted in characters, as people count columns. */
  readonly start: number;
}

const punctuation = {
  '.': 'dot',
  '*': 'star',
  ']': 'rbracket',
  ',': 'comma',
  ':': 'colon',
  '@': 'current',
  '(': 'lparen',
  ')': 'rparen',
  '{': 'lbrace',
  '}': 'rbrace',
} as const;

/** Longer ones first. */
const operators = [
  ['[]', 'flatten'],
  ['[?', 'filter'],
  ['[', 'lbracket'],
  ['||', 'or'],
  ['|', 'pipe'],
  ['&&', 'and'],
  ['&', 'expref'],
  ['<=', 'lte'],
  ['<', 'lt'],
  ['>=', 'gte'],
  ['>', 'gt'],
  ['!=', 'ne'],
  ['!', 'not'],
  ['==', 'eq'],
] as const;

const whitespace = /[ \t\r\n]/;
const identifier = /^[A-Za-z_][A-Za-z0-9_]*/;
const number = /^-?[0-9]+/;

/** @throws ExpressionError if the text has something that is not a token of JMESPath */
export function tokenize(expression: string): readonly Token[] {
  if (expression === '') throw new ExpressionError('Invalid JMESPath expression: cannot be empty.');
  return new Lexer(expression).read();
}

class Lexer {
  readonly #expression: string;
  readonly #characters: readonly string[];
  #position = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#characters = Array.from(expression);
  }

  read(): readonly Token[] {
    const tokens: Token[] = [];
    while (this.#position < this.#characters.length) {
      if (whitespace.test(this.#characters[this.#position] ?? '')) {
        this.#position++;
      } else {
        tokens.push(this.#readToken());
      }
    }
    return [...tokens, { type: 'eof', value: '', start: this.#position }];
  }

  #readToken(): Token {
    const start = this.#position;
    const character = this.#characters[start] as string;
    if (Object.hasOwn(punctuation, character)) {
      this.#position++;
      const type = punctuation[character as keyof typeof punctuation];
      return { type, value: character, start };
    }
    switch (character) {
      case "'":
        return { type: 'literal', value: this.#readQuoted().replaceAll("\\'", "'"), start };
      case '`':
        return { type: 'literal', value: this.#readLiteral(), start };
      case '"':
        return { type: 'quoted_identifier', value: this.#readQuotedIdentifier(), start };
      default:
        return this.#readWord(character, start);
    }
  }

  #readWord(character: string, start: number): Token {
    const rest = this.#characters.slice(start).join('');
    const name = identifier.exec(rest)?.[0];
    const digits = number.exec(rest)?.[0];
    const [operator, type = 'number'] = operators.find(([text]) => rest.startsWith(text)) ?? [];
    const text = name ?? digits ?? operator;
    if (text === undefined) {
      const shown = character === '-' || character === '=' ? `'${character}'` : character;
      throw this.#error(`Unknown token ${shown}`, start);
    }
    this.#position += text.length;
    return name === undefined
      ? { type, value: digits === undefined ? text : BigInt(digits), start }
      : { type: 'unquoted_identifier', value: name, start };
  }

  /** The text between two of the character here, escapes untouched. */
  #readQuoted(): string {
    const start = this.#position;
    const delimiter = this.#characters[start] as string;
    let text = '';
    for (;;) {
      let character = this.#characters[++this.#position];
      if (character === delimiter) {
        this.#position++;
        return text;
      }
      if (character === '\\') {
        text += character;
        character = this.#characters[++this.#position];
      }
      if (character === undefined) throw this.#error(`Unclosed ${delimiter} delimiter`, start);
      text += character;
    }
  }

  /** A literal that is not JSON is text: most people leave its quotes out. */
  #readLiteral(): Value {
    const start = this.#position;
    const text = this.#readQuoted().replaceAll('\\`', '`');
    const value = readJson(text) ?? readJson(`"${text.trimStart()}"`);
    if (value === undefined) throw this.#error(`Bad token ${text}`, start);
    return value.json;
  }

  #readQuotedIdentifier(): Value {
    const start = this.#position;
    const text = this.#readQuoted();
    try {
      return parseJson(`"${text}"`);
    } catch (error) {
      throw error instanceof JsonError
        ? this.#error(error.message.split(':', 1)[0] ?? '', start)
        : error;
    }
  }

  #error(problem: string, start: number): ExpressionError {
    return badCharacters(problem, this.#expression, start);
  }
}

function readJson(text: string): { readonly json: Value } | undefined {
  try {
    return { json: withPlainDictionaries(parseJson(text)) };
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Complaints tell a dictionary that came as JSON from others. A literal's is like any other. */
function withPlainDictionaries(value: Value): Value {
  if (Array.isArray(value)) return value.map(withPlainDictionaries);
  return value instanceof Dictionary
    ? new Dictionary([...value].map(([key, member]) => [key, withPlainDictionaries(member)]))
    : value;
}
