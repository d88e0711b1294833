/** Plain if that cannot be misread, else single quotes; double quotes can hold anything. */
export type ScalarStyle = 'plain' | 'single' | 'double';

/**
 * What a reader of YAML 1.2 would take for something else than text: booleans, null, numbers, dates
 * and the two special keys.
 */
const otherTypes: readonly RegExp[] = [
  /^(?:true|True|TRUE|false|False|FALSE)$/,
  /^(?:~|null|Null|NULL|)$/,
  /^(?:[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*|0x[0-9a-fA-F_]+)|[-+]_[0-9_]*)$/,
  /^[-+]?[0-9][0-9_]*(?:\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$/,
  /^[-+]?\.(?:[0-9_]+(?:[eE][-+][0-9]+)?|inf|Inf|INF)$/,
  /^\.(?:nan|NaN|NAN)$/,
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/,
  /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]| +)[0-9]{1,2}(?::[0-9]{2}){2}(?:\.[0-9]*)?(?: *(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?$/,
  /^(?:<<|=)$/,
];

export const lineBreak = /[\n\r\x85\u2028\u2029]/;
const breakNextToSpace = / [\n\u2028\u2029]|[\n\u2028\u2029] /;

/** Nothing beyond the basic plane is printable for libyaml, which the AWS CLI writes YAML with. */
export const notPrintable = /[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;

const indicatorAtStart = /^(?:[#,[\]{}&*!|>'"%@`]|---|\.\.\.|[-?:](?: |$))/;
const indicatorInside = /:(?: |$)| #/;

/** The simplest style for a text. */
export function scalarStyle(text: string): ScalarStyle {
  if (breakNextToSpace.test(text) || notPrintable.test(text)) return 'double';
  const needsQuotes =
    lineBreak.test(text) ||
    text.startsWith(' ') ||
    text.endsWith(' ') ||
    indicatorAtStart.test(text) ||
    indicatorInside.test(text) ||
    otherTypes.some((type) => type.test(text));
  return needsQuotes ? 'single' : 'plain';
}

const namedEscapes: Readonly<Record<string, string>> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\u2028': 'L',
  '\u2029': 'P',
};

/** A character as double quotes hold it. */
export function escaped(character: string): string {
  const name = namedEscapes[character];
  if (name !== undefined) return `\\${name}`;
  if (!notPrintable.test(character)) return character;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`;
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`;
}
