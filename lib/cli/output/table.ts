import type { Value } from '../python/value.ts';
import { columnsOf } from './character-width.ts';
import { type Section, tableSections } from './table-sections.ts';

export interface TableOptions {
  readonly title: string;
  /** If the table does not fit, single rows under their headers are printed upright. */
  readonly width: number;
  readonly hasColor: boolean;
}

interface Style {
  readonly value: (text: string) => string;
  readonly edge: string;
}

const cellPadding = 4;

const styles = {
  plain: { value: (text: string) => text, edge: '|' },
  colored: {
    value: (text: string) => `\x1b[1m\x1b[34m${text}\x1b[0m`,
    edge: '\x1b[2m\x1b[33m|\x1b[0m',
  },
} as const;

/** The pieces of a table, in the order and division in which the AWS CLI writes them. */
export function tablePieces(value: Value, options: TableOptions): readonly string[] {
  const sections = fitting(tableSections(options.title, value), options.width);
  if (sections.length === 0) return [];
  const width = tableWidth(sections);
  const style = options.hasColor ? styles.colored : styles.plain;
  const pieces = [`${'-'.repeat(width)}\n`];
  for (const section of sections) {
    const edge = style.edge.repeat(section.indent);
    for (const line of sectionLines(section, width - 2 * section.indent, style)) {
      pieces.push(edge, line, edge, '\n');
    }
  }
  return pieces;
}

function fitting(sections: readonly Section[], width: number): readonly Section[] {
  return sections.length > 0 && tableWidth(sections) > width ? sections.map(upright) : sections;
}

function upright(section: Section): Section {
  const [row, ...more] = section.rows;
  if (row === undefined || more.length > 0 || section.headers.length === 0) return section;
  const rows = section.headers.map((header, i) => [header, row[i] as string]);
  return { ...section, headers: [], formerHeaders: [], rows };
}

function tableWidth(sections: readonly Section[]): number {
  return sections.reduce((widest, section) => Math.max(widest, sectionWidth(section)), 0);
}

function sectionWidth(section: Section): number {
  const border = 2 + 2 * section.indent;
  // Python measures a title that is None by the word.
  const title = columnsOf(section.title ?? 'None');
  const cells = columnWidths(section).reduce((total, width) => total + width + cellPadding, 0);
  return border + Math.max(title, cells);
}

function columnWidths({ headers, formerHeaders, rows }: Section): number[] {
  const widths: number[] = [];
  for (const row of [...formerHeaders, headers, ...rows]) {
    for (const [i, cell] of row.entries()) {
      widths[i] = Math.max(widths[i] ?? 0, columnsOf(cell));
    }
  }
  return widths;
}

function* sectionLines(section: Section, width: number, style: Style): Generator<string> {
  const { title, headers, rows } = section;
  if (title !== null && title !== '') {
    yield centered(title, width, '|');
    if (headers.length === 0 && rows.length === 0) yield `+${'-'.repeat(width - 2)}+`;
  }
  const widths = stretched(columnWidths(section), width);
  const rule = widths.map((column, i) => '-'.repeat(Math.max(0, column - (i === 0 ? 2 : 1))));
  const ruleLine = `+${rule.join('+')}+`;
  if (headers.length > 0) {
    yield ruleLine;
    yield headers.map((header, i) => centered(header, widths[i] as number, leftEdge(i))).join('');
  }
  if (widths.length > 0 && rows.length > 0) {
    yield ruleLine;
    for (const row of rows) {
      yield row
        .map((cell, i) => leftAligned(cell, widths[i] as number, leftEdge(i), style))
        .join('');
    }
    yield ruleLine;
  }
}

/** Only the first cell of a row has an edge on its left. */
function leftEdge(column: number): string {
  return column === 0 ? '|' : '';
}

/** Divides the width among the columns in proportion to what they need. */
function stretched(needed: readonly number[], width: number): number[] {
  if (needed.length === 0) return [];
  const padded = needed.map((column) => column + cellPadding);
  const factor = width / padded.reduce((total, column) => total + column, 0);
  const widths = padded.map((column) => roundHalfToEven(factor * column));
  let excess = widths.reduce((total, column) => total + column, 0) - width;
  for (let i = 0; excess !== 0; i = (i + 1) % widths.length) {
    const step = Math.sign(excess);
    const column = step > 0 ? i : widths.length - 1 - i;
    widths[column] = (widths[column] as number) - step;
    excess -= step;
  }
  return widths;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const isHalf = value - floor === 0.5;
  return isHalf ? floor + (floor % 2) : Math.round(value);
}

function centered(text: string, width: number, left: string): string {
  const length = columnsOf(text);
  const before = Math.floor(width / 2) - Math.floor(length / 2) - 1;
  const after = width - 1 - (left.length + before + length);
  return `${left}${spaces(before)}${text}${spaces(after)}|`;
}

function leftAligned(text: string, width: number, left: string, style: Style): string {
  const length = columnsOf(text);
  const padding = width >= length + 2 + left.length + 1 ? 2 : 0;
  const after = width - (left.length + padding + length) - 1;
  return `${left}${spaces(padding)}${style.value(text)}${spaces(after)}|`;
}

function spaces(count: number): string {
  return ' '.repeat(Math.max(0, count));
}
