import { checkbox, input, search } from '@inquirer/prompts';
import { operations } from '../arguments/operation-names.ts';
import { requestOptions } from '../arguments/operation-options.ts';
import { findCommand } from '../arguments/own-options.ts';
import type { Terminal } from '../context.ts';
import { allCommandDescriptions } from './command-descriptions.ts';
import { type OptionHint, optionsOf, splitWords } from './completion.ts';
import { operationDescriptions } from './operation-descriptions.ts';

interface Choice {
  readonly value: string;
  readonly name?: string;
  readonly description?: string;
}

const enough: Choice = { value: '', name: 'run the command', description: 'No more options.' };

// Either brings or asks for a whole request, and nothing is required beside it.
const wholeRequest = ['--cli-input-json', '--cli-input-yaml', '--generate-cli-skeleton'];

const passedWords = ['kms', 'help'];

/** Asks for all that a command line may have and this one has not, and shows what will be run. */
export async function askForArguments(
  argv: readonly string[],
  terminal: Terminal,
): Promise<string[]> {
  const words = argv.filter((word) => word !== '--cli-auto-prompt');
  const command = words[findCommand(words, passedWords)];
  if (command !== undefined && Object.hasOwn(allCommandDescriptions, command)) return words;
  const questions = new Questions(words, terminal);
  const name = await questions.askOperation();
  await questions.askOptions(name);
  terminal.output.write(`> pairmint ${words.map(quoted).join(' ')}\n`);
  return words;
}

/** Every answer is added to the words of the command line. */
class Questions {
  readonly #words: string[];
  readonly #terminal: Terminal;

  constructor(words: string[], terminal: Terminal) {
    this.#words = words;
    this.#terminal = terminal;
  }

  /** A first word that names no operation becomes the start of the search for one. */
  async askOperation(): Promise<string> {
    const at = findCommand(this.#words, passedWords);
    const word = this.#words[at];
    if (word !== undefined && operations.has(word)) return word;
    const choices = [...operations].map(([value, operation]) => ({
      value,
      description: operationDescriptions[operation]?.summary ?? '',
    }));
    const chosen = await this.#choose('Operation', choices, word);
    const place = word === undefined ? this.#words.indexOf('kms') + 1 : at;
    this.#words.splice(place, word === undefined ? 0 : 1, chosen);
    return chosen;
  }

  async askOptions(name: string): Promise<void> {
    const operation = operations.get(name);
    if (operation === undefined) return;
    const all = optionsOf(operation);
    const required = requestOptions(operation).filter(({ isRequired }) => isRequired);
    for (const option of all) {
      if (required.some((row) => row.option === option.name) && !this.#needsNo(option)) {
        await this.#askValue(option, { isRequired: true });
      }
    }
    for (;;) {
      const others = all.filter(({ name }) => !this.#has(name) && name !== '--cli-auto-prompt');
      const choices = others.map(({ name, explanation }) => ({
        value: name,
        description: explanation,
      }));
      const chosen = await this.#choose('Option', [enough, ...choices]);
      const option = others.find(({ name }) => name === chosen);
      if (option === undefined) return;
      await this.#askValue(option, { isRequired: false });
    }
  }

  async #askValue(option: OptionHint, { isRequired }: { isRequired: boolean }): Promise<void> {
    const { name, values, isList } = option;
    if (values === undefined) {
      this.#words.push(name);
      return;
    }
    const choices = values.filter((value) => !value.endsWith('/'));
    if (isList === true) {
      this.#words.push(name, ...(await this.#askList(option, choices, isRequired)));
      return;
    }
    const value =
      choices.length > 0
        ? await this.#choose(
            name,
            choices.map((value) => ({ value })),
          )
        : await this.#ask(option, isRequired);
    // In one word, for a value that begins with a dash would be an option by itself.
    this.#words.push(`${name}=${value}`);
  }

  async #askList(
    option: OptionHint,
    choices: readonly string[],
    isRequired: boolean,
  ): Promise<readonly string[]> {
    if (choices.length === 0) return splitWords(await this.#ask(option, isRequired));
    return checkbox({ message: option.name, choices, required: isRequired }, this.#terminal);
  }

  #ask({ name, explanation }: OptionHint, isRequired: boolean): Promise<string> {
    const message = `${name} (${explanation.replace(/\.$/, '')})`;
    return input({ message, required: isRequired }, this.#terminal);
  }

  #choose(message: string, choices: readonly Choice[], begun?: string): Promise<string> {
    const source = (term = '') =>
      choices.filter(({ value, name }) => (name ?? value).includes(term.trim()));
    const start = begun === undefined ? {} : { initialValue: begun };
    return search({ message, source, ...start }, this.#terminal);
  }

  #needsNo({ name }: OptionHint): boolean {
    return this.#has(name) || wholeRequest.some((option) => this.#words.includes(option));
  }

  /** Options may be shortened. */
  #has(name: string): boolean {
    return this.#words.some(
      (word) => /^--\w/.test(word) && name.startsWith(word.split('=')[0] ?? ''),
    );
  }
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
