import { GeneralError } from '../errors.ts';
import { pythonText, pythonTypeName } from '../python/python-text.ts';
import { compareText } from '../python/text-order.ts';
import { Dictionary, type Value } from '../python/value.ts';

/**
 * Lines of words with tabs between them: the scalars of a structure in the order of their names,
 * then what is nested in it, each line begun with the name of its member in capitals.
 */
export function formatText(value: Value): string {
  return lines(value).join('');
}

/** `columns` are the scalars that some structure in the same list has. */
function lines(value: Value, name?: string, columns?: readonly string[]): string[] {
  if (value instanceof Dictionary) return structureLines(value, name, columns);
  return Array.isArray(value) ? listLines(value, name) : [`${pythonText(value)}\n`];
}

function listLines(list: readonly Value[], name: string | undefined): string[] {
  if (list.some((item) => item instanceof Dictionary)) {
    const columns = scalarNames(list);
    return list.flatMap((item) => lines(item, name, columns));
  }
  const scalars = list.filter((item) => !Array.isArray(item));
  const nested = list.filter((item) => Array.isArray(item));
  return [...scalarLines(scalars, name), ...nested.flatMap((item) => lines(item, name))];
}

function scalarLines(scalars: readonly Value[], name: string | undefined): string[] {
  if (scalars.length === 0) return [];
  const words = scalars.map(pythonText);
  return name === undefined ? [line(words)] : words.map((word) => line([name.toUpperCase(), word]));
}

function structureLines(
  structure: Dictionary,
  name: string | undefined,
  columns: readonly string[] | undefined,
): string[] {
  const inOrder = [...structure.keys()].sort(compareText);
  const scalars = columns ?? inOrder.filter((key) => isScalar(member(structure, key)));
  const words = scalars.map((key) => pythonText(structure.has(key) ? member(structure, key) : ''));
  const first =
    words.length === 0 ? [] : [line(name === undefined ? words : [name.toUpperCase(), ...words])];
  const rest = inOrder.filter((key) => !scalars.includes(key));
  return [...first, ...rest.flatMap((key) => lines(member(structure, key), key))];
}

function member(structure: Dictionary, key: string): Value {
  return structure.get(key) as Value;
}

/** The AWS CLI fails on a list that mixes structures and other values, in Python's words. */
function scalarNames(list: readonly Value[]): string[] {
  const names = new Set<string>();
  for (const item of list) {
    if (!(item instanceof Dictionary)) {
      throw new GeneralError(`'${pythonTypeName(item)}' object has no attribute 'items'`);
    }
    for (const [key, member] of item) {
      if (isScalar(member)) names.add(key);
    }
  }
  return [...names].sort(compareText);
}

function isScalar(value: Value): boolean {
  return !Array.isArray(value) && !(value instanceof Dictionary);
}

function line(words: readonly string[]): string {
  return `${words.join('\t')}\n`;
}
