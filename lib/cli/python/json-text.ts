import { pythonText } from './python-text.ts';
import { Dictionary, type Value } from './value.ts';

const indentation = '    ';

/** JSON as the AWS CLI prints it: four spaces a level, characters beyond ASCII as they are. */
export function indentedJson(value: Value, indent = ''): string {
  const inner = `${indent}${indentation}`;
  if (Array.isArray(value)) {
    return block(
      '[',
      value.map((item) => indentedJson(item, inner)),
      ']',
      indent,
    );
  }
  if (value instanceof Dictionary) {
    const members = [...value].map(
      ([key, member]) => `${JSON.stringify(key)}: ${indentedJson(member, inner)}`,
    );
    return block('{', members, '}', indent);
  }
  return scalarJson(value);
}

/** JSON without spaces, in ASCII: what JMESPath's to_string makes. */
export function asciiJson(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(asciiJson).join(',')}]`;
  if (value instanceof Dictionary) {
    const members = [...value].map(([key, member]) => `${asciiJson(key)}:${asciiJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return scalarJson(value).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function block(open: string, items: readonly string[], close: string, indent: string): string {
  if (items.length === 0) return open + close;
  const lines = items.map((item) => `\n${indent}${indentation}${item}`);
  return `${open}${lines.join(',')}\n${indent}${close}`;
}

/** Numbers as Python writes them: a float keeps its point, and NaN and the infinities are named. */
function scalarJson(value: Value): string {
  if (typeof value === 'number') return Number.isFinite(value) ? pythonText(value) : String(value);
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}
