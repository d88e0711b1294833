import { pythonText } from '../python/python-text.ts';
import { type ExpressionError, incomplete, unexpected } from './errors.ts';
import { type Token, type TokenType, tokenize } from './lexer.ts';
import type { Node } from './nodes.ts';
import * as nodes from './nodes.ts';

/**
 * How strongly a token binds what is on its left. Those that are missing bind nothing, and end an
 * expression. https://jmespath.org/specification.html says which is weaker than which.
 */
const bindingPowers: Readonly<Partial<Record<TokenType, number>>> = {
  pipe: 1,
  or: 2,
  and: 3,
  eq: 5,
  ne: 5,
  lt: 5,
  lte: 5,
  gt: 5,
  gte: 5,
  flatten: 9,
  star: 20,
  filter: 21,
  dot: 40,
  not: 45,
  lbrace: 50,
  lbracket: 55,
  lparen: 60,
};

/** An operator that binds less applies to the result of a projection on its left, not to its items. */
const projectionStop = 10;

const memberTokens = ['quoted_identifier', 'unquoted_identifier', 'lbracket', 'lbrace'] as const;
const keyTokens = ['quoted_identifier', 'unquoted_identifier'] as const;

/** Reads a JMESPath expression as the AWS CLI does, or throws ExpressionError. */
export function parseExpression(expression: string): Node {
  return new Parser(expression).parse();
}

/** Top-down operator precedence, after Pratt. */
class Parser {
  readonly #expression: string;
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#tokens = tokenize(expression);
  }

  parse(): Node {
    const node = this.#parse(0);
    if (this.#type !== 'eof') {
      throw this.#unexpected(`Unexpected token: ${pythonText(this.#token.value)}`);
    }
    return node;
  }

  #parse(power: number): Node {
    let left = this.#parseStart(this.#take());
    while (power < bindingPower(this.#type)) {
      left = this.#parseContinuation(left);
    }
    return left;
  }

  #parseStart(token: Token): Node {
    switch (token.type) {
      case 'literal':
        return nodes.literal(token.value);
      case 'unquoted_identifier':
        return nodes.field(String(token.value));
      case 'quoted_identifier':
        return this.#parseQuotedField(token);
      case 'current':
        return nodes.current;
      case 'star':
        return nodes.valueProjection(nodes.current, this.#parseStarStart());
      case 'flatten':
        return this.#parseFlatten(nodes.current);
      case 'filter':
        return this.#parseFilter(nodes.current);
      case 'lbracket':
        return this.#parseBracketStart();
      case 'lbrace':
        return this.#parseMultiSelectHash();
      case 'not':
        return nodes.not(this.#parse(bindingPower('not')));
      case 'expref':
        return nodes.reference(this.#parse(0));
      case 'lparen':
        return this.#parseGroup();
      case 'eof':
        throw incomplete(this.#expression);
      default:
        throw this.#unexpected('invalid token', token);
    }
  }

  #parseContinuation(left: Node): Node {
    const token = this.#token;
    const power = bindingPower(token.type);
    switch (token.type) {
      case 'dot':
        this.#take();
        return this.#parseMember(left);
      case 'pipe':
        this.#take();
        return nodes.chain(left, this.#parse(power));
      case 'or':
        this.#take();
        return nodes.or(left, this.#parse(power));
      case 'and':
        this.#take();
        return nodes.and(left, this.#parse(power));
      case 'eq':
      case 'ne':
      case 'lt':
      case 'lte':
      case 'gt':
      case 'gte':
        this.#take();
        return nodes.comparison(token.type, left, this.#parse(power));
      case 'flatten':
        this.#take();
        return this.#parseFlatten(left);
      case 'filter':
        this.#take();
        return this.#parseFilter(left);
      case 'lbracket':
        this.#take();
        return this.#parseBracket(left);
      case 'lparen':
        return this.#parseCall(left);
      default:
        throw this.#unexpected('invalid token');
    }
  }

  #parseQuotedField({ value }: Token): Node {
    if (this.#type === 'lparen') {
      const problem = 'Quoted identifier not allowed for function names.';
      throw this.#unexpected(problem, { ...this.#token, start: 0 });
    }
    return nodes.field(String(value));
  }

  #parseStarStart(): Node {
    return this.#type === 'rbracket' ? nodes.current : this.#parseProjected(bindingPower('star'));
  }

  #parseGroup(): Node {
    const node = this.#parse(0);
    this.#expect('rparen');
    return node;
  }

  #parseMember(left: Node): Node {
    const power = bindingPower('dot');
    if (this.#type === 'star') {
      this.#take();
      return nodes.valueProjection(left, this.#parseProjected(power));
    }
    return nodes.chain(left, this.#parseAfterDot(power));
  }

  #parseAfterDot(power: number): Node {
    switch (this.#type) {
      case 'quoted_identifier':
      case 'unquoted_identifier':
      case 'star':
        return this.#parse(power);
      case 'lbracket':
        this.#take();
        return this.#parseMultiSelectList();
      case 'lbrace':
        this.#take();
        return this.#parseMultiSelectHash();
      default:
        throw this.#unexpected(expecting(memberTokens, this.#type));
    }
  }

  #parseFlatten(left: Node): Node {
    return nodes.projection(nodes.flatten(left), this.#parseProjected(bindingPower('flatten')));
  }

  #parseFilter(left: Node): Node {
    const condition = this.#parse(0);
    this.#expect('rbracket');
    const right =
      this.#type === 'flatten' ? nodes.current : this.#parseProjected(bindingPower('filter'));
    return nodes.filterProjection(left, condition, right);
  }

  #parseBracketStart(): Node {
    if (this.#type === 'number' || this.#type === 'colon') return this.#parseIndex(nodes.current);
    if (this.#type === 'star' && this.#tokens[this.#index + 1]?.type === 'rbracket') {
      return this.#parseBracket(nodes.current);
    }
    return this.#parseMultiSelectList();
  }

  #parseBracket(left: Node): Node {
    if (this.#type === 'number' || this.#type === 'colon') return this.#parseIndex(left);
    this.#expect('star');
    this.#expect('rbracket');
    return nodes.projection(left, this.#parseProjected(bindingPower('star')));
  }

  #parseIndex(left: Node): Node {
    const isSlice = this.#type === 'colon' || this.#tokens[this.#index + 1]?.type === 'colon';
    if (!isSlice) {
      const index = this.#take().value as bigint;
      this.#expect('rbracket');
      return nodes.indexed(left, nodes.index(index));
    }
    const slice = this.#parseSlice();
    // A slice right behind an index does not project: what follows applies to the whole list.
    return left.kind === 'indexed'
      ? nodes.indexed(left, slice)
      : nodes.projection(nodes.chain(left, slice), this.#parseProjected(bindingPower('star')));
  }

  #parseSlice(): Node {
    const parts: [bigint?, bigint?, bigint?] = [];
    let part = 0;
    while (this.#type !== 'rbracket') {
      const isColon = this.#type === 'colon';
      if (isColon ? ++part === 3 : this.#type !== 'number') throw this.#unexpected('syntax error');
      const { value } = this.#take();
      if (!isColon) parts[part] = value as bigint;
    }
    this.#take();
    return nodes.slice(parts);
  }

  /** Commas between arguments may be missing; one may follow the last. */
  #parseCall(left: Node): Node {
    if (left.kind !== 'field') {
      const before = this.#tokens[this.#index - 1] as Token;
      throw this.#unexpected(`Invalid function name '${pythonText(before.value)}'`, before);
    }
    this.#take();
    const args: Node[] = [];
    while (this.#type !== 'rparen') {
      args.push(this.#parse(0));
      if (this.#type === 'comma') this.#take();
    }
    this.#take();
    return nodes.call(left.name, args);
  }

  #parseMultiSelectList(): Node {
    const items = [this.#parse(0)];
    while (this.#type !== 'rbracket') {
      this.#expect('comma');
      items.push(this.#parse(0));
    }
    this.#take();
    return nodes.multiSelectList(items);
  }

  #parseMultiSelectHash(): Node {
    const entries: [string, Node][] = [];
    for (;;) {
      const key = String(this.#expect(...keyTokens).value);
      this.#expect('colon');
      entries.push([key, this.#parse(0)]);
      if (this.#type === 'rbrace') {
        this.#take();
        return nodes.multiSelectHash(entries);
      }
      if (this.#type === 'comma') this.#take();
    }
  }

  /** The expression that is applied to each item of a projection. */
  #parseProjected(power: number): Node {
    if (bindingPower(this.#type) < projectionStop) return nodes.current;
    switch (this.#type) {
      case 'lbracket':
      case 'filter':
        return this.#parse(power);
      case 'dot':
        this.#take();
        return this.#parseAfterDot(power);
      default:
        throw this.#unexpected('syntax error');
    }
  }

  get #token(): Token {
    return this.#tokens[this.#index] as Token;
  }

  get #type(): TokenType {
    return this.#token.type;
  }

  #take(): Token {
    const token = this.#token;
    this.#index++;
    return token;
  }

  #expect(...types: readonly TokenType[]): Token {
    if (types.includes(this.#type)) return this.#take();
    if (this.#type === 'eof') throw incomplete(this.#expression);
    throw this.#unexpected(expecting(types, this.#type));
  }

  #unexpected(problem: string, token = this.#token): ExpressionError {
    return unexpected(problem, this.#expression, token);
  }
}

function bindingPower(type: TokenType): number {
  return bindingPowers[type] ?? 0;
}

function expecting(types: readonly TokenType[], received: TokenType): string {
  const list = types.length === 1 ? types[0] : `[${types.map((type) => `'${type}'`).join(', ')}]`;
  return `Expecting: ${list}, got: ${received}`;
}
