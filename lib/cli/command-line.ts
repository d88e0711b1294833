import type { OperationName } from '../model/shapes.ts';
import {
  type OptionSyntax,
  type ParsedArguments,
  parseKnown,
  type Syntax,
  takeSubcommand,
} from './arguments/argument-parser.ts';
import { globalOptions } from './arguments/global-options.ts';
import { findCommand, outerSyntax, ownSyntax, sharedOptions } from './arguments/own-options.ts';
import { invalidChoice, required } from './arguments/usage.ts';
import type { OwnOptions } from './context.ts';
import { UnknownOptionsError, UsageError } from './errors.ts';
import {
  allCommandDescriptions,
  awsCommandDescriptions,
  type CommandDescription,
  commandDescriptions,
  type OwnCommandName,
} from './help/command-descriptions.ts';

/** The options of a command line by the keys of their rows. */
export type Given = ParsedArguments['given'];

export interface VersionLine {
  readonly kind: 'version';
}

/** Asks for help on the first of these words that is not an option, or on everything. */
export interface HelpLine {
  readonly kind: 'help';
  readonly words: readonly string[];
}

/** A command that the AWS CLI does not have. */
export interface OwnLine {
  readonly kind: 'own';
  readonly name: OwnCommandName;
  /** By the names of the options. */
  readonly given: ReadonlyMap<string, string>;
  readonly own: OwnOptions;
  readonly operands: readonly string[];
}

/** `configure`, which works on files alone. */
export interface ConfigureLine {
  readonly kind: 'configure';
  readonly given: Given;
  readonly action: string;
  readonly words: readonly string[];
}

/** A command that needs the settings, and mostly the service. */
export interface ServiceLine {
  readonly kind: 'service';
  /** The global options. */
  readonly given: Given;
  readonly own: OwnOptions;
  readonly asks: HelpLine | IdentityLine | OperationLine | MistakenLine;
}

/** `sts get-caller-identity`. */
export interface IdentityLine {
  readonly kind: 'identity';
}

export interface OperationLine {
  readonly kind: 'operation';
  readonly operation: OperationName;
  readonly words: OperationWords | HelpLine | MistakenLine;
}

/** The options of an operation, those of its request under the members that they set. */
export interface OperationWords {
  readonly kind: 'options';
  readonly given: Given;
}

/** A complaint that waits: the AWS CLI complains of the settings before it reads what follows. */
export interface MistakenLine {
  readonly kind: 'mistaken';
  readonly error: unknown;
}

/**
 * Parses the command line of one of our own commands; undefined if it is another's.
 *
 * @throws UsageError, UnknownOptionsError
 */
export function parseOwnCommand(
  argv: readonly string[],
): VersionLine | HelpLine | OwnLine | undefined {
  const name = argv[findCommand(argv)];
  if (!isOwnCommand(name)) return undefined;
  const command: CommandDescription = commandDescriptions[name];
  const { given, rest } = parseKnown(ownSyntax(command.options), argv);
  if (given.has('version')) return { kind: 'version' };
  if (given.has('--help') || rest[0] === 'help') return { kind: 'help', words: [name] };
  refuseForeignOptions(name, command, given);
  const { operands = [] } = command;
  const unknown = rest.filter((word, i) => i >= operands.length || word.startsWith('-'));
  if (unknown.length > 0) throw new UnknownOptionsError(unknown);
  const own = ownOptions(given);
  return { kind: 'own', name, given: given as OwnLine['given'], own, operands: rest };
}

function isOwnCommand(name: string | undefined): name is OwnCommandName {
  return name !== undefined && Object.hasOwn(commandDescriptions, name);
}

/** Refuses the options of operations, and those for a store if the command uses none. */
function refuseForeignOptions(name: string, { isStoreless }: CommandDescription, given: Given) {
  if (given.has('endpointUrl')) {
    throw new UsageError(`${name} works on a store, not on a server: leave --endpoint-url away`);
  }
  const foreign = globalOptions.filter((option) => {
    // `--cli-auto-prompt` and `--no-cli-auto-prompt` have one key.
    return (
      given.has(option.key) && (!('means' in option) || given.get(option.key) === option.means)
    );
  });
  const storeOptions = isStoreless ? sharedOptions.filter(({ name }) => given.has(name)) : [];
  const names = [...foreign, ...storeOptions].map((option) => option.name);
  if (names.length > 0) throw new UnknownOptionsError(names);
}

/**
 * Parses the command line of a command of the AWS CLI. As there, options that may stand anywhere are
 * taken first, then the command, then the operation, then the operation's own options.
 *
 * @throws UsageError, UnknownOptionsError for what is wrong before the global options are known
 */
export async function parseAwsCommand(
  argv: readonly string[],
): Promise<VersionLine | HelpLine | ConfigureLine | ServiceLine> {
  const { given, positional: word, rest } = parseKnown(outerSyntax, argv);
  if (given.has('version') || word === 'version') return { kind: 'version' };
  if (word === 'help' || given.has('--help')) {
    const first = word === 'help' || word === undefined ? [] : [word];
    return { kind: 'help', words: [...first, ...rest] };
  }
  if (word === undefined) throw required('command');
  if (Object.hasOwn(awsCommandDescriptions, word) && rest[0] === 'help') {
    return { kind: 'help', words: [word] };
  }
  if (word === 'configure') {
    const { name: action, rest: words } = takeSubcommand('subcommand', rest);
    return { kind: 'configure', given, action, words };
  }
  const asks = await waiting<IdentityLine | HelpLine | OperationLine>(() =>
    word === 'sts' ? parseSts(rest) : parseKms(word, rest),
  );
  return { kind: 'service', given, own: ownOptions(given), asks };
}

async function waiting<Line>(parse: () => Line | Promise<Line>): Promise<Line | MistakenLine> {
  try {
    return await parse();
  } catch (error) {
    return { kind: 'mistaken', error };
  }
}

const identityOperation = 'get-caller-identity';

function parseSts(words: readonly string[]): IdentityLine {
  const { name, rest } = takeSubcommand('operation', words);
  if (name !== identityOperation) throw invalidChoice('operation', name, [identityOperation]);
  if (rest.length > 0) throw new UnknownOptionsError(rest);
  return { kind: 'identity' };
}

/** `pairmint kms <operation>` means `pairmint <operation>`, so that `alias aws=pairmint` works. */
async function parseKms(word: string, rest: readonly string[]): Promise<HelpLine | OperationLine> {
  const { name, rest: words } =
    word === 'kms' ? takeSubcommand('operation', rest) : { name: word, rest };
  if (name === 'help') return { kind: 'help', words };
  const operation = await findOperation(name, word === 'kms' ? 'operation' : 'command');
  return {
    kind: 'operation',
    operation,
    words: await waiting(() => parseOptions(operation, words)),
  };
}

async function findOperation(
  word: string,
  argument: 'command' | 'operation',
): Promise<OperationName> {
  const { operations } = await import('./arguments/operation-names.ts');
  const operation = operations.get(word);
  if (operation === undefined) {
    const others =
      argument === 'command' ? [...Object.keys(allCommandDescriptions), 'kms', 'version'] : [];
    throw invalidChoice(argument, word, [...operations.keys(), ...others, 'help']);
  }
  return operation;
}

async function parseOptions(
  operation: OperationName,
  words: readonly string[],
): Promise<OperationWords | HelpLine> {
  if (words.length === 1 && words[0] === 'help') return { kind: 'help', words };
  const syntax = await operationSyntax(operation, words);
  const { given, positional, rest } = parseKnown(syntax, words);
  if (positional === 'help') return { kind: 'help', words: [positional] };
  // argparse gives the first loose word to `help`; it is listed last when it is another word.
  const unknown = positional === undefined ? rest : [...rest, positional];
  if (unknown.length > 0) throw new UnknownOptionsError(unknown);
  return { kind: 'options', given };
}

async function operationSyntax(
  operation: OperationName,
  words: readonly string[],
): Promise<Syntax> {
  const { inputOptions, skeletonOption } = await import('./arguments/cli-input.ts');
  const { optionSyntax, requestOptions } = await import('./arguments/operation-options.ts');
  const { pagingOptions } = await import('./output/paginated-call.ts');
  // Written in full, options that bring or ask for a whole request make all others optional. Only a
  // sample of the response needs a request.
  const skeleton = words.indexOf(skeletonOption.name);
  const isWhole =
    inputOptions.some(({ name }) => words.includes(name)) ||
    (skeleton !== -1 && words[skeleton + 1] !== 'output');
  const members = optionSyntax(requestOptions(operation)).map((row): OptionSyntax => {
    return isWhole ? { ...row, required: false } : row;
  });
  return {
    options: [...members, ...inputOptions, ...pagingOptions(operation), skeletonOption],
    positional: { name: 'help', required: false },
    abbreviations: true,
  };
}

function ownOptions(given: Given): OwnOptions {
  const store = given.get('--store');
  const rootKeyFile = given.get('--root-key-file');
  return {
    ...(typeof store === 'string' && { store }),
    ...(typeof rootKeyFile === 'string' && { rootKeyFile }),
  };
}
