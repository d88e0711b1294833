import type { OperationName } from '../../model/shapes.ts';
import type { TextSink } from '../context.ts';
import { indentedJson } from '../python/json-text.ts';
import { Dictionary, type Value } from '../python/value.ts';
import type { ResponsePages } from './paginated-call.ts';
import type { Query } from './query.ts';
import { responseValue } from './response-value.ts';
import type { TimestampFormat } from './timestamps.ts';

export interface OutputOptions {
  readonly format: OutputFormat;
  readonly query: Query | undefined;
  /** Only tables have colours; `auto` is on a terminal. */
  readonly color: 'on' | 'off' | 'auto';
  /** ISO 8601 by default. */
  readonly timestamps?: TimestampFormat;
}

interface Output extends OutputOptions {
  readonly operation: OperationName;
  readonly pages: ResponsePages;
  readonly sink: TextSink;
}

/** How each format prints a response. */
export const outputFormats = {
  json: printJson,
  text: printText,
  table: printTable,
  yaml: printYaml,
  'yaml-stream': printYamlStream,
  off: printNothing,
} as const satisfies Readonly<Record<string, (output: Output) => Promise<void>>>;

export type OutputFormat = keyof typeof outputFormats;

/**
 * Prints a response as the AWS CLI does. A list is printed as a whole, except as text and as
 * yaml-stream, which print each page as it comes.
 */
export async function printPages(
  operation: OperationName,
  pages: ResponsePages,
  options: OutputOptions,
  sink: TextSink,
): Promise<void> {
  await outputFormats[options.format]({ ...options, operation, pages, sink });
}

export function formatJson(value: object): string {
  return `${JSON.stringify(value, undefined, 4)}\n`;
}

async function printJson(output: Output): Promise<void> {
  const value = await wholeResult(output);
  if (!isEmpty(value)) output.sink.write(`${indentedJson(value)}\n`);
}

async function printYaml(output: Output): Promise<void> {
  const value = await wholeResult(output);
  if (!isEmpty(value)) {
    const { formatYaml } = await import('./yaml.ts');
    output.sink.write(formatYaml(value));
  }
}

async function printYamlStream(output: Output): Promise<void> {
  const { formatYaml } = await import('./yaml.ts');
  const isList = output.pages.listMember !== undefined;
  for await (const page of output.pages) {
    const value = queried(output, responseValue(output.operation, page, output.timestamps));
    if (isList || !isEmpty(value)) output.sink.write(formatYaml([value]));
    if (!(await isRead(output.sink))) return;
  }
}

async function printTable(output: Output): Promise<void> {
  const { color, operation, sink } = output;
  const value = await wholeResult(output);
  const { tablePieces } = await import('./table.ts');
  const hasColor = color === 'on' || (color === 'auto' && sink.isTerminal === true);
  const pieces = tablePieces(value, { title: operation, width: sink.columns ?? 80, hasColor });
  if (hasColor && sink.isPager !== true) {
    // Python's colorama, which the AWS CLI colours with, turns colours off behind each piece, and
    // once more if the program ends on a terminal.
    const atEnd = sink.isTerminal === true ? resetColor : '';
    sink.write(pieces.map((piece) => piece + resetColor).join('') + atEnd);
  } else {
    sink.write(pieces.join(''));
  }
}

const resetColor = '\x1b[0m';

async function printText(output: Output): Promise<void> {
  const { operation, pages, sink, timestamps } = output;
  const { formatText } = await import('./text.ts');
  const print = (value: Value) => sink.write(formatText(queried(output, value)));
  const { listMember } = pages;
  for await (const page of pages) {
    const value = responseValue(operation, page, timestamps);
    print(listMember === undefined ? value : only(listMember, value));
    if (!(await isRead(sink))) return;
  }
  if (pages.nextToken !== undefined) {
    print(new Dictionary([['NextToken', new Dictionary([['NextToken', pages.nextToken]])]]));
  }
}

/** `--output off` makes the request and says nothing but what goes wrong. */
async function printNothing({ pages }: Output): Promise<void> {
  for await (const _ of pages) {
  }
}

/** The result of the query on the whole response, its pages put together. */
async function wholeResult(output: Output): Promise<Value> {
  const { operation, pages, timestamps } = output;
  const { listMember } = pages;
  let whole = new Dictionary();
  for await (const page of pages) {
    const value = responseValue(operation, page, timestamps);
    whole = listMember === undefined ? value : appended(whole, listMember, value);
  }
  if (pages.nextToken !== undefined) whole.set('NextToken', pages.nextToken);
  return queried(output, whole);
}

/** A list that a page leaves out adds nothing. */
function appended(whole: Dictionary, member: string, page: Dictionary): Dictionary {
  const items = page.get(member) as Value[] | undefined;
  if (items !== undefined) {
    whole.set(member, [...((whole.get(member) as Value[] | undefined) ?? []), ...items]);
  }
  return whole;
}

function only(member: string, page: Dictionary): Dictionary {
  return new Dictionary([[member, page.get(member) ?? null]]);
}

function queried({ query }: Output, value: Value): Value {
  return query === undefined ? value : query.search(value);
}

/** Whether it is the result of an operation without a response, or a query that looks like it. */
function isEmpty(value: Value): boolean {
  return value instanceof Dictionary && value.size === 0;
}

async function isRead(sink: TextSink): Promise<boolean> {
  return (await sink.drained?.()) ?? true;
}
