import { GeneralError } from '../errors.ts';
import { pythonText, pythonTypeName } from '../python/python-text.ts';
import { compareText } from '../python/text-order.ts';
import { Dictionary, type Value } from '../python/value.ts';

/** A part of a table under a title of its own. */
export interface Section {
  /** Null under a list that is nested in a list. */
  readonly title: string | null;
  /** How deep it is nested. */
  readonly indent: number;
  headers: readonly string[];
  /** Headers that others took the place of. Columns stay as wide as they need. */
  readonly formerHeaders: (readonly string[])[];
  readonly rows: (readonly string[])[];
}

/** Nothing at all for what Python takes for false, as in the AWS CLI. */
export function tableSections(title: string, value: Value): readonly Section[] {
  const builder = new SectionBuilder();
  builder.add(title, value, 0);
  return builder.sections;
}

class SectionBuilder {
  readonly sections: Section[] = [];

  add(title: string | null, value: Value, indent: number): void {
    if (isNothing(value)) return;
    if (title !== null) this.#open(title, indent);
    if (Array.isArray(value)) {
      this.#addList(title, value, indent);
    } else if (value instanceof Dictionary) {
      this.#addStructure(value, indent);
    }
  }

  #addList(title: string | null, list: readonly Value[], indent: number): void {
    if (list[0] instanceof Dictionary) {
      this.#addStructures(title, list.map(asStructure), indent);
      return;
    }
    for (const item of list) {
      const cells = cellsOf(item);
      if (cells.every(isScalar)) {
        this.#addRow(cells);
      } else {
        this.add(null, item, 0);
      }
    }
  }

  /** One row under its headers. A single scalar stands beside its name instead. */
  #addStructure(structure: Dictionary, indent: number): void {
    const { scalars, others } = namesIn([structure]);
    const values = scalars.map((name) => structure.get(name) as Value);
    if (scalars.length === 1) {
      this.#addRow([...scalars, ...values]);
    } else if (scalars.length > 1) {
      this.#addHeaders(scalars);
      this.#addRow(values);
    }
    this.#addNested(structure, others, indent);
  }

  /** One table of all items; if anything is nested in one, a section for each item. */
  #addStructures(title: string | null, list: readonly Dictionary[], indent: number): void {
    const { scalars, others } = namesIn(list);
    this.#addHeaders(scalars);
    for (const [i, structure] of list.entries()) {
      if (i > 0 && others.length > 0) {
        this.#open(title, indent);
        this.#addHeaders(scalars);
      }
      this.#addRow(
        scalars.map((name) => (structure.has(name) ? (structure.get(name) as Value) : '')),
      );
      this.#addNested(structure, others, indent);
    }
  }

  #addNested(structure: Dictionary, names: readonly string[], indent: number): void {
    for (const name of names) {
      this.add(name, structure.get(name) ?? null, indent + 1);
    }
  }

  #open(title: string | null, indent: number): void {
    this.sections.push({ title, indent, headers: [], formerHeaders: [], rows: [] });
  }

  #addHeaders(headers: readonly string[]): void {
    const section = this.#section;
    const [row = section.headers] = section.rows;
    if (row.length > 0 && row.length < headers.length) {
      throw new GeneralError('list index out of range');
    }
    section.formerHeaders.push(section.headers);
    section.headers = headers;
  }

  #addRow(cells: readonly Value[]): void {
    const { headers, rows } = this.#section;
    const width = rows[0]?.length ?? (headers.length > 0 ? headers.length : cells.length);
    if (cells.length !== width) {
      throw new GeneralError(`Row should have ${width} elements, instead it has ${cells.length}`);
    }
    rows.push(cells.map(pythonText));
  }

  get #section(): Section {
    return this.sections.at(-1) as Section;
  }
}

function isNothing(value: Value): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value instanceof Dictionary ? value.size === 0 : !value;
}

function isScalar(value: Value): boolean {
  return !Array.isArray(value) && !(value instanceof Dictionary);
}

/** A structure among lists counts as the list of its names. */
function cellsOf(item: Value): readonly Value[] {
  if (item instanceof Dictionary) return [...item.keys()];
  return Array.isArray(item) ? item : [item];
}

function namesIn(list: readonly Dictionary[]): { scalars: string[]; others: string[] } {
  const scalars = new Set<string>();
  const others = new Set<string>();
  for (const structure of list) {
    for (const [name, value] of structure) {
      (isScalar(value) ? scalars : others).add(name);
    }
  }
  return { scalars: [...scalars].sort(compareText), others: [...others].sort(compareText) };
}

/** The AWS CLI fails on a list that mixes structures and other values, in Python's words. */
function asStructure(item: Value): Dictionary {
  if (item instanceof Dictionary) return item;
  if (item === '' || (Array.isArray(item) && item.length === 0)) return new Dictionary();
  if (typeof item === 'string') {
    throw new GeneralError("string indices must be integers, not 'str'");
  }
  throw new GeneralError(
    Array.isArray(item)
      ? `list indices must be integers or slices, not ${pythonTypeName(item[0] as Value)}`
      : `'${pythonTypeName(item)}' object is not iterable`,
  );
}
