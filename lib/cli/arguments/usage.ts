import { UsageError } from '../errors.ts';
import { pythonRepr } from '../python/python-text.ts';
import { closeMatches } from './close-matches.ts';

/** Precedes every complaint about a command line. */
export const usage = `usage: pairmint <operation> [options]
       pairmint kms <operation> [options]
To see help text, you can run:

  pairmint help
  pairmint help <operation>
  pairmint <operation> --help
`;

export function required(...names: readonly string[]): UsageError {
  return new UsageError(`the following arguments are required: ${names.join(', ')}`);
}

/**
 * The row of a table that a word of the command line names.
 * @throws UsageError if there is no word, or no such row
 */
export function choose<Row>(
  rows: Readonly<Record<string, Row>>,
  word: string | undefined,
  argument = 'action',
): Row {
  const names = Object.keys(rows);
  if (word === undefined) throw required(names.join('|'));
  const row = Object.hasOwn(rows, word) ? rows[word] : undefined;
  if (row === undefined) throw invalidChoice(argument, word, names);
  return row;
}

/** Lists what might have been meant, in two columns, and what most likely was. */
export function invalidChoice(
  argument: string,
  word: string,
  choices: readonly string[],
): UsageError {
  const padded = choices.map((choice) => choice.padEnd(40));
  const lines = padded.flatMap((_, index) =>
    index % 2 === 0 ? [padded.slice(index, index + 2).join(' | ')] : [],
  );
  const likely = closeMatches(word, choices);
  const guess =
    likely.length === 0
      ? []
      : [
          `\n\nInvalid choice: ${pythonRepr(word)}, maybe you meant:\n`,
          ...likely.map((choice) => `  * ${choice}`),
        ];
  const message = ['Invalid choice, valid choices are:\n', ...lines, ...guess].join('\n');
  return new UsageError(`argument ${argument}: ${message}`);
}
