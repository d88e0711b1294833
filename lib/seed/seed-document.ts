import { open } from 'node:fs/promises';
import type { Document, LineCounter, Scalar, YAMLError, YAMLMap } from 'yaml';
import { ConfigurationError } from '../core/configuration-error.ts';

/** Member names and indexes, from the outermost. */
export type Path = readonly (string | number)[];

/** A seed as it was written. */
export interface SeedDocument {
  readonly value: unknown;
  /** The prefix of complaints: the file and, if known, the line. */
  placeOf(path: Path): string;
}

type Yaml = typeof import('yaml');

// A key with RSA_4096 material takes 4 KB, and YAML a second for these many bytes.
const mostBytes = 4 * 1024 * 1024;
// A thousand keys with everything that keys can have.
const mostValues = 25_000;
// Signs, texts, spaces and line ends: few of them make a value.
const mostLexemes = 8 * mostValues;
const mostLevels = 64;
// No number of a seed is that long; a secret in hex that has no letters, or a lone e, is.
const longestNumber = 20;
const mostAliases = 1000;

/** Reads a seed from a file, YAML or JSON, or from an object of the same form. */
export async function readDocument(source: string | object): Promise<SeedDocument> {
  const document =
    typeof source === 'string'
      ? await parseText(source, await readText(source))
      : { value: source, placeOf: () => 'seed' };
  requireModest(document);
  return document;
}

/** Refuses a seed, or something in it. */
export function refusal(
  document: SeedDocument,
  path: Path,
  reason: string,
  hint?: string,
): ConfigurationError {
  const where = path.length === 0 ? '' : `${pathText(path)}: `;
  const message = `${document.placeOf(path)}: ${withoutSecrets(where + reason)}`;
  return new ConfigurationError(message, hint === undefined ? {} : { hint });
}

// Some reasons quote names, and a secret may be written in the place of a name. The longest
// harmless run of digits is the 32 of a multi-Region key's id.
function withoutSecrets(text: string): string {
  return text.replace(/[A-Za-z0-9+=]{33,}|[A-Za-z0-9+/=]{40,}/g, '…');
}

async function readText(file: string): Promise<string> {
  const bytes = Buffer.alloc(mostBytes + 1);
  try {
    const length = await readInto(bytes, file);
    if (length > mostBytes) throw new RangeError(`it has more than ${mostBytes} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8 text' : message;
    throw new ConfigurationError(`the seed ${file} cannot be read: ${reason}`, { cause: error });
  } finally {
    bytes.fill(0);
  }
}

/** Reads until the end, or until the buffer is full: what is read may be a pipe. */
async function readInto(bytes: Buffer, file: string): Promise<number> {
  const handle = await open(file);
  try {
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length;
  } finally {
    await handle.close();
  }
}

async function parseText(file: string, text: string): Promise<SeedDocument> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const lineAt = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  const composer = new yaml.Composer({ prettyErrors: false, stringKeys: true, uniqueKeys: false });
  const tokens = tokensOf(yaml, text, lines);
  const documents = composer.compose(tokens, true, text.length);
  const document = attempt(() => documents.next().value, file) as Document.Parsed;
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    throw new ConfigurationError(`${lineAt(fault.pos[0])}: ${describe(fault)}`);
  }
  const second = attempt(() => documents.next().value, file);
  if (second) {
    throw new ConfigurationError(`${lineAt(second.range[0])}: there is more than one document`);
  }
  yaml.visit(document, {
    Scalar: (_, node) => keepDigits(node),
    Map: (_, node) => requireDistinctNames(node, lineAt),
  });
  const value = attempt(() => document.toJS({ maxAliasCount: mostAliases }), file);
  return {
    value,
    placeOf(path) {
      for (let length = path.length; length >= 0; length--) {
        const range = rangeOf(yaml, document, path.slice(0, length));
        if (range) return lineAt(range[0]);
      }
      return file;
    },
  };
}

/**
 * The parser's tokens, before values are composed. Composing recurses and may end the process if it
 * runs out of stack, so the depth is checked here, without recursion.
 */
function* tokensOf({ Lexer, Parser }: Yaml, text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let left = mostLexemes;
  for (const lexeme of new Lexer().lex(text)) {
    if (--left < 0) throw new RangeError(tooMany);
    yield* parser.next(lexeme);
    // A level takes two places there at most, and the document one.
    if (parser.stack.length > 2 * mostLevels + 1) throw new RangeError(tooDeep);
  }
  yield* parser.end();
}

/** Where a value stands; a member stands where its name does. */
function rangeOf({ isMap, isNode }: Yaml, document: Document.Parsed, path: Path) {
  const parent = document.getIn(path.slice(0, -1), true);
  const name = path.at(-1);
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => (key as Scalar | null)?.value === name)
    : undefined;
  const node = path.length > 0 && pair !== undefined ? pair.key : document.getIn(path, true);
  return isNode(node) ? node.range : undefined;
}

// The parser's own check compares every name of a map with every other.
function requireDistinctNames({ items }: YAMLMap, lineAt: (offset: number) => string): void {
  const names = new Set<unknown>();
  for (const key of items.map((item) => item.key as Scalar | null)) {
    if (names.has(key?.value)) {
      throw new ConfigurationError(`${lineAt(key?.range?.[0] ?? 0)}: a member is there twice`);
    }
    names.add(key?.value);
  }
}

function keepDigits(node: Scalar): void {
  if (typeof node.value === 'number' && (node.source?.length ?? 0) > longestNumber) {
    node.value = node.source;
  }
}

/** Runs a step that throws what it makes of hostile texts. */
function attempt<T>(step: () => T, file: string): T {
  try {
    return step();
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof RangeError) throw new ConfigurationError(`${file}: ${message}`);
    if (!(error instanceof ReferenceError)) throw error;
    const excessive = message.startsWith('Excessive');
    throw new ConfigurationError(`${file}: ${excessive ? tooMuch : 'an alias (*) of nothing'}`);
  }
}

const tooDeep = `values are nested more than ${mostLevels} deep`;
const tooMany = `there are more than ${mostValues} values`;
const tooMuch = 'aliases (*) repeat too much';

const faults: Readonly<Record<string, string>> = {
  BAD_INDENT: 'wrong indentation',
  NON_STRING_KEY: 'the name of a member is not text',
  TAB_AS_INDENT: 'a tab is used as indentation',
  TAG_RESOLVE_FAILED: 'a tag (!) is unknown',
};

// The parser's own messages may quote the text, and that may be a secret.
function describe({ code }: YAMLError): string {
  return faults[code] ?? 'this is not YAML';
}

// Counts repeats by aliases, too; the limit also ends it if a value contains itself.
function requireModest(document: SeedDocument): void {
  let left = mostValues;
  const count = (value: unknown, path: Path): void => {
    if (--left < 0) throw refusal(document, [], tooMany);
    if (path.length > mostLevels) throw refusal(document, path.slice(0, 1), tooDeep);
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
    for (const [name, member] of Object.entries(value)) count(member, [...path, name]);
  };
  count(document.value, []);
}

function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (!/^[\w-]{1,64}$/.test(step)) return `${text}[${JSON.stringify(step.slice(0, 64))}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}
