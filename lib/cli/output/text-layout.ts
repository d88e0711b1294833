const lineWidth = 80;

/** Breaks text into lines of at most 80 columns, each indented. Longer words stay whole. */
export function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > lineWidth) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((content) => ' '.repeat(indent) + content).join('\n');
}

/** A term and its explanation, side by side, or one below the other if the term is long. */
export function definition(term: string, explanation: string, column: number): string {
  const text = wrap(explanation, column);
  const start = `  ${term}`;
  return start.length < column - 1
    ? start.padEnd(column) + text.slice(column)
    : `${start}\n${text}`;
}
