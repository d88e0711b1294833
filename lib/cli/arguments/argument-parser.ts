import { UsageError } from '../errors.ts';
import { pythonRepr } from '../python/python-text.ts';
import { invalidChoice, required } from './usage.ts';

/** An option. Several may share a `key`: `--dry-run` and `--no-dry-run` do. */
export interface OptionSyntax {
  readonly name: string;
  readonly key: string;
  readonly takes: 'nothing' | 'one' | 'optional' | 'any';
  /** The value of an option that takes nothing. */
  readonly means?: boolean;
  /** The default of an optional value. */
  readonly otherwise?: string;
  readonly required?: boolean;
  /** The only values that it takes; by default any. */
  readonly choices?: readonly string[];
  /** Values that it takes, too, and does not offer: newer than what it stands in for. */
  readonly unlistedChoices?: readonly string[];
  /** Never abbreviated, even if others may be. */
  readonly exact?: true;
  /** Words behind it are not read. */
  readonly last?: true;
}

export interface Syntax {
  readonly options: readonly OptionSyntax[];
  readonly positional?: { readonly name: string; readonly required: boolean };
  /** Whether a unique prefix of an option's name is enough. */
  readonly abbreviations: boolean;
}

export type GivenValue = string | readonly string[] | boolean;

export interface ParsedArguments {
  readonly given: ReadonlyMap<string, GivenValue>;
  readonly positional: string | undefined;
  /** The words that the syntax does not know, in their order. */
  readonly rest: readonly string[];
}

type Word =
  | { readonly kind: 'value' | 'dashes'; readonly text: string }
  | { readonly kind: 'unknown'; readonly text: string }
  | { readonly kind: 'option'; readonly text: string; readonly match: OptionMatch };

interface OptionMatch {
  readonly option: OptionSyntax;
  readonly attached: string | undefined;
}

/**
 * Reads `argv` as Python's argparse does, which the AWS CLI uses: every word is first classified by
 * itself, then options take the values that follow them and values left over go to the positional.
 * Throws UsageError with argparse's text.
 */
export function parseKnown(syntax: Syntax, argv: readonly string[]): ParsedArguments {
  return new ArgumentReader(syntax, classify(syntax, argv)).read();
}

/**
 * Takes the name of a subcommand off the words, and leaves options to the subcommand.
 *
 * @throws UsageError, which calls the subcommand `argument`, if it is missing
 */
export function takeSubcommand(
  argument: string,
  words: readonly string[],
): { readonly name: string; readonly rest: readonly string[] } {
  const positional = { name: argument, required: true };
  const { positional: name = '', rest } = parseKnown(
    { options: [], positional, abbreviations: false },
    words,
  );
  return { name, rest };
}

class ArgumentReader {
  readonly #syntax: Syntax;
  readonly #words: readonly Word[];
  readonly #given = new Map<string, GivenValue>();
  readonly #seen = new Set<string>();
  readonly #rest: string[] = [];
  #positional: string | undefined;

  constructor(syntax: Syntax, words: readonly Word[]) {
    this.#syntax = syntax;
    this.#words = words;
  }

  read(): ParsedArguments {
    let index = 0;
    for (let next = this.#nextOption(0); next !== -1; next = this.#nextOption(index)) {
      const afterPositional = index === next ? index : this.#takePositional(index);
      if (afterPositional > index) {
        index = afterPositional;
        continue;
      }
      this.#leave(index, next);
      index = this.#takeOption(next);
    }
    index = this.#takePositional(index);
    this.#leave(index, this.#words.length);
    this.#requireAll();
    return { given: this.#given, positional: this.#positional, rest: this.#rest };
  }

  #nextOption(from: number): number {
    return this.#words.findIndex(
      (word, index) => index >= from && (word.kind === 'option' || word.kind === 'unknown'),
    );
  }

  #leave(from: number, to: number): void {
    this.#rest.push(...this.#words.slice(from, to).map((word) => word.text));
  }

  /** The positional takes one value and the `--` on either side of it. Returns where it stopped. */
  #takePositional(from: number): number {
    const { positional } = this.#syntax;
    if (positional === undefined || this.#seen.has(positional.name)) return from;
    let index = this.#skipDashes(from);
    const word = this.#words[index];
    if (word?.kind === 'value') {
      this.#positional = word.text;
      index = this.#skipDashes(index + 1);
    } else if (positional.required) {
      return from;
    }
    this.#seen.add(positional.name);
    return index;
  }

  #skipDashes(index: number): number {
    return this.#words[index]?.kind === 'dashes' ? index + 1 : index;
  }

  #takeOption(index: number): number {
    const word = this.#words[index];
    if (word?.kind !== 'option') {
      this.#leave(index, index + 1);
      return index + 1;
    }
    const { option, attached } = word.match;
    const values = attached === undefined ? this.#valuesFrom(index + 1) : [attached];
    if (option.takes === 'nothing' && attached !== undefined) {
      throw complaint(option, `ignored explicit argument ${pythonRepr(attached)}`);
    }
    this.#seen.add(option.name);
    const next = this.#take(option, values, attached === undefined ? index + 1 : index);
    return option.last === true ? this.#words.length : next;
  }

  /** Stores what the option takes of `values`, the later of two wins, and returns where it ends. */
  #take(option: OptionSyntax, values: readonly string[], firstValue: number): number {
    if (option.takes === 'nothing') {
      this.#given.set(option.key, option.means ?? true);
      return firstValue;
    }
    if (option.takes === 'any') {
      this.#given.set(option.key, values);
      return firstValue + Math.max(values.length, 0);
    }
    const [value] = values;
    if (value === undefined) return this.#takeOmitted(option, firstValue);
    checkChoice(option, value);
    this.#given.set(option.key, value);
    return firstValue + 1;
  }

  #takeOmitted(option: OptionSyntax, next: number): number {
    if (option.otherwise === undefined) throw complaint(option, 'expected one argument');
    this.#given.set(option.key, option.otherwise);
    return next;
  }

  #valuesFrom(start: number): readonly string[] {
    const end = this.#words.findIndex((word, index) => index >= start && word.kind !== 'value');
    return this.#words.slice(start, end === -1 ? undefined : end).map((word) => word.text);
  }

  #requireAll(): void {
    const { options, positional } = this.#syntax;
    const names = options.filter((option) => option.required).map((option) => option.name);
    if (positional?.required === true) names.push(positional.name);
    const missing = names.filter((name) => !this.#seen.has(name));
    if (missing.length > 0) throw required(...missing);
  }
}

function checkChoice({ name, choices, unlistedChoices = [] }: OptionSyntax, value: string): void {
  if (choices !== undefined && !choices.includes(value) && !unlistedChoices.includes(value)) {
    throw invalidChoice(name, value, choices);
  }
}

function complaint(option: OptionSyntax, text: string): UsageError {
  return new UsageError(`argument ${option.name}: ${text}`);
}

function classify(syntax: Syntax, argv: readonly string[]): readonly Word[] {
  const dashes = argv.indexOf('--');
  return argv.map((text, index): Word => {
    if (dashes !== -1 && index >= dashes) {
      return { kind: index === dashes ? 'dashes' : 'value', text };
    }
    return classifyWord(syntax, text);
  });
}

function classifyWord(syntax: Syntax, text: string): Word {
  if (!text.startsWith('-') || text === '-') return { kind: 'value', text };
  const match = findOption(syntax, text);
  if (match !== undefined) return { kind: 'option', text, match };
  // A negative number and a text with spaces are values although they begin with a dash.
  const isValue = /^-\d+$|^-\d*\.\d+$/.test(text) || text.includes(' ');
  return { kind: isValue ? 'value' : 'unknown', text };
}

function findOption(syntax: Syntax, text: string): OptionMatch | undefined {
  const equals = text.indexOf('=');
  const name = equals === -1 ? text : text.slice(0, equals);
  const attached = equals === -1 ? undefined : text.slice(equals + 1);
  const option = syntax.options.find((candidate) => candidate.name === name);
  if (option !== undefined) return { option, attached };
  if (!syntax.abbreviations || !text.startsWith('--')) return undefined;
  const candidates = syntax.options.filter(
    (candidate) => candidate.exact !== true && candidate.name.startsWith(name),
  );
  if (candidates.length > 1) {
    const names = candidates.map((candidate) => candidate.name).join(', ');
    throw new UsageError(`ambiguous option: ${text} could match ${names}`);
  }
  return candidates[0] && { option: candidates[0], attached };
}
