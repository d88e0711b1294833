import { KmsError } from '../model/errors.ts';
import { anyCharacter, anything, compileGlob, type GlobToken } from './glob.ts';

/** Values of a condition key, by its lower-case name; undefined if the request has none. */
export type Lookup = (key: string) => readonly string[] | undefined;

/** Whether a text fits; `lookup` resolves policy variables. */
export type Matcher = (text: string, lookup: Lookup) => boolean;

interface Variable {
  readonly key: string;
  readonly fallback: string | undefined;
}

type Token = GlobToken | Variable;

interface Syntax {
  /** Whether `*` and `?` stand for text. */
  readonly wildcards: boolean;
  /** Whether `${…}` is replaced; policies of the version of 2008 know no variables. */
  readonly variables: boolean;
  readonly ignoreCase?: boolean;
}

const ARN_PARTS = 6;
const longestWithQuestionMark = 512;
const variablePattern = /^\s*([^\s,']+)\s*(?:,\s*'([^']*)'\s*)?$/;

/** Compiles a text with wildcards and policy variables, each if the syntax has them. */
export function textPattern(source: string, syntax: Syntax): Matcher {
  const ignoreCase = syntax.ignoreCase === true;
  const matches = compile(tokensOf(ignoreCase ? source.toLowerCase() : source, syntax), ignoreCase);
  return ignoreCase ? (text, lookup) => matches(text.toLowerCase(), lookup) : matches;
}

/**
 * Compiles an ARN. Its six parts are compared one by one, so that a wildcard reaches over a colon
 * only in the last part. `*` alone fits every ARN.
 *
 * @returns undefined if the pattern has fewer parts or another beginning than an ARN
 */
export function arnPattern(source: string, { variables }: { variables: boolean }) {
  if (source === '*') return isArn;
  const parts = splitTokens(tokensOf(source, { wildcards: true, variables }));
  if (parts === undefined || !source.startsWith('arn:')) return undefined;
  const matchers = parts.map((tokens) => compile(tokens, false));
  return (text: string, lookup: Lookup) => {
    let start = 0;
    for (const [index, matches] of matchers.entries()) {
      const colon = index === ARN_PARTS - 1 ? text.length : text.indexOf(':', start);
      if (colon === -1 || !matches(text.slice(start, colon), lookup)) return false;
      start = colon + 1;
    }
    return true;
  };
}

/** The condition keys that a text names as variables. */
export function variableKeys(source: string): readonly string[] {
  return tokensOf(source, { wildcards: false, variables: true }).flatMap((token) =>
    typeof token === 'object' ? [token.key] : [],
  );
}

function isArn(text: string): boolean {
  return text.startsWith('arn:') && text.split(':', ARN_PARTS).length === ARN_PARTS;
}

function splitTokens(tokens: readonly Token[]): Token[][] | undefined {
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    const texts: Token[] =
      typeof token === 'string' ? splitAtMost(token, ARN_PARTS - parts.length) : [token];
    for (const [index, text] of texts.entries()) {
      if (index > 0) parts.push([]);
      parts.at(-1)?.push(text);
    }
  }
  return parts.length === ARN_PARTS ? parts : undefined;
}

function splitAtMost(text: string, colons: number): string[] {
  const parts = text.split(':');
  return parts.length <= colons
    ? parts
    : [...parts.slice(0, colons), parts.slice(colons).join(':')];
}

function tokensOf(source: string, { wildcards, variables }: Syntax): Token[] {
  const tokens: Token[] = [];
  // Searched once: otherwise a text of many `${` would be searched to its end for each.
  const lastClose = variables ? source.lastIndexOf('}') : -1;
  let start = 0;
  let end = 0;
  const take = (token: Token, length: number) => {
    if (end > start) tokens.push(source.slice(start, end));
    tokens.push(token);
    end += length;
    start = end;
  };
  while (end < source.length) {
    const character = source.charAt(end);
    const close = end < lastClose && source.startsWith('${', end) ? source.indexOf('}', end) : -1;
    if (close !== -1) take(variableOf(source.slice(end + 2, close)), close + 1 - end);
    else if (wildcards && character === '*') take(anything, 1);
    else if (wildcards && character === '?') take(anyCharacter, 1);
    else end++;
  }
  if (end > start) tokens.push(source.slice(start));
  return tokens;
}

// ${*}, ${?} and ${$} are those characters themselves.
function variableOf(body: string): Token {
  if (body === '*' || body === '?' || body === '$') return body;
  const [, key, fallback] = variablePattern.exec(body) ?? [];
  return { key: (key ?? body).toLowerCase(), fallback };
}

function compile(tokens: readonly Token[], ignoreCase: boolean): Matcher {
  if (tokens.some((token) => typeof token === 'object')) {
    return (text, lookup) => {
      const resolved = resolve(tokens, lookup, { ignoreCase, longest: text.length });
      return resolved !== undefined && matchesResolved(resolved, text);
    };
  }
  if (tokens.length === 1 && tokens[0] === anything) return () => true;
  const fixed = tokens as readonly GlobToken[];
  if (fixed.every((token) => typeof token === 'string')) {
    const literal = fixed.join('');
    return (text) => text === literal;
  }
  return compileGlob(fixed);
}

function matchesResolved(resolved: readonly GlobToken[], text: string): boolean {
  if (resolved.every((token) => typeof token === 'string')) return text === resolved.join('');
  if (resolved.includes(anyCharacter)) requireShort(resolved);
  return compileGlob(resolved)(text);
}

// Only question marks take more than one step per unit of text and pattern.
function requireShort(resolved: readonly GlobToken[]): void {
  if (lengthOf(resolved) <= longestWithQuestionMark) return;
  throw new KmsError(
    'AccessDeniedException',
    `A policy has a question mark beside variables that stand for more than ` +
      `${longestWithQuestionMark} characters here.`,
  );
}

function lengthOf(tokens: readonly GlobToken[]): number {
  return tokens.reduce((sum, token) => sum + (typeof token === 'string' ? token.length : 0), 0);
}

/**
 * Replaces variables by their values, in which wildcards are ordinary characters. Undefined, which
 * matches nothing, if a variable has neither exactly one value nor a default, or if the result is
 * longer than the compared text: so a pattern that repeats a long value never builds a large text.
 */
function resolve(
  tokens: readonly Token[],
  lookup: Lookup,
  { ignoreCase, longest }: { ignoreCase: boolean; longest: number },
): GlobToken[] | undefined {
  const resolved: GlobToken[] = [];
  let length = 0;
  for (const token of tokens) {
    const part = typeof token === 'object' ? resolvedValue(token, lookup, ignoreCase) : token;
    if (part === undefined) return undefined;
    if (typeof part === 'string') length += part.length;
    if (length > longest) return undefined;
    resolved.push(part);
  }
  return resolved;
}

function resolvedValue(
  { key, fallback }: Variable,
  lookup: Lookup,
  ignoreCase: boolean,
): string | undefined {
  const values = lookup(key);
  const text = values?.length === 1 ? values[0] : fallback;
  return ignoreCase ? text?.toLowerCase() : text;
}
