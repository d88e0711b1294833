import type { OptionSyntax, Syntax } from './argument-parser.ts';
import { globalOptions } from './global-options.ts';

/** An option of our own commands, as help describes it. */
export interface OwnOption {
  readonly name: string;
  /** Stands for its value in help. Absent if the option takes none. */
  readonly value?: string;
  readonly explanation: string;
}

/** A word behind a command's name: one of a list, or a value that help calls so. */
export type Operand = string | readonly string[];

export const sharedOptions = [
  {
    name: '--store',
    value: 'URL',
    explanation:
      'the store: sqlite:FILE, postgres://USER@HOST/DATABASE, or memory: for one that lasts as ' +
      'long as the command',
  },
  {
    name: '--root-key-file',
    value: 'FILE',
    explanation: "the file with the store's root key, readable by its owner only",
  },
] as const satisfies readonly OwnOption[];

/** Options of every command, ours and AWS's. They are never abbreviated: AWS's come first there. */
const exactOptions: readonly OptionSyntax[] = [
  ...sharedOptions.map(({ name }) => ({ name, key: name, takes: 'one', exact: true }) as const),
  { name: '--help', key: '--help', takes: 'nothing', exact: true },
  { name: '-h', key: '--help', takes: 'nothing', exact: true },
];

/** The first layer of a command line: what may stand before and behind the command's name. */
export const outerSyntax: Syntax = {
  options: [...globalOptions, ...exactOptions],
  positional: { name: 'command', required: false },
  abbreviations: true,
};

/**
 * The whole command line of one of our own commands. The AWS CLI's options are known, so that they
 * can be refused by name, unless the command has an option of that name itself.
 */
export function ownSyntax(options: readonly OwnOption[]): Syntax {
  const own = options.map(({ name, value }): OptionSyntax => {
    return { name, key: name, takes: value === undefined ? 'nothing' : 'one' };
  });
  const others = outerSyntax.options.filter(({ name }) => !own.some((row) => row.name === name));
  return {
    options: [...own, ...others.map((option): OptionSyntax => ({ ...option, exact: true }))],
    positional: { name: 'command', required: true },
    abbreviations: true,
  };
}

/** The place of the command's name: the first word that is not an option, its value, or in `passed`. */
export function findCommand(words: readonly string[], passed: readonly string[] = []): number {
  return words.findIndex((word, index) => {
    const isWord = !word.startsWith('-') || word === '-';
    return isWord && !passed.includes(word) && !takesNextWord(words[index - 1]);
  });
}

/** Whether the word behind this one is its value. */
function takesNextWord(word: string | undefined): boolean {
  const option = outerSyntax.options.find(({ name }) => name === word);
  return option !== undefined && option.takes !== 'nothing';
}
