import { packageVersion } from '../core/package-version.ts';
import type { OperationName } from '../model/shapes.ts';
import {
  type OptionSyntax,
  type ParsedArguments,
  parseKnown,
  type Syntax,
} from './arguments/argument-parser.ts';
import { complain, exitCodeOf } from './arguments/complaints.ts';
import { globalOptions } from './arguments/global-options.ts';
import { invalidChoice } from './arguments/usage.ts';
import type { Context, OwnOptions } from './context.ts';
import { exitCodes, UnknownOptionsError, UsageError } from './errors.ts';
import { type OwnCommand, optionsOf, ownCommands, sharedOptions } from './own-commands.ts';
import type { DebugLog } from './remote/debug-log.ts';
import { promptMode } from './settings/prompt-mode.ts';
import { Settings } from './settings/settings.ts';

/** What may stand anywhere on a command line. Ours are never abbreviated: AWS's come first there. */
const ownSyntax: readonly OptionSyntax[] = [
  ...sharedOptions.map(({ name }) => ({ name, key: name, takes: 'one', exact: true }) as const),
  { name: '--help', key: '--help', takes: 'nothing', exact: true },
  { name: '-h', key: '--help', takes: 'nothing', exact: true },
];

const outerSyntax: Syntax = {
  options: [...globalOptions, ...ownSyntax],
  positional: { name: 'command', required: false },
  abbreviations: true,
};

/** Runs one command and returns its exit code. Never throws. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  try {
    return await prompted(argv, context);
  } catch (error) {
    return complain(error, context.stderr);
  }
}

/** Lets the command line be completed on the terminal where that is wished. */
async function prompted(argv: readonly string[], context: Context): Promise<number> {
  const mode = namesOwnCommand(argv) ? 'off' : promptMode(argv, context.env);
  if (mode === 'off') {
    return run(argv, context);
  }
  const { promptArguments } = await import('./help/auto-prompt.ts');
  if (mode === 'on') {
    return run(await promptArguments(argv), context);
  }
  try {
    return await run(argv, context);
  } catch (error) {
    if (exitCodeOf(error) !== exitCodes.parameters) throw error;
    return run(await promptArguments(argv), context);
  }
}

/** Ours do not ask. A line that cannot be read may be asked about. */
function namesOwnCommand(argv: readonly string[]): boolean {
  try {
    return findOwnCommand(parseExact(argv).positional) !== undefined;
  } catch {
    return false;
  }
}

/** Reads as our own commands have it, for their options may begin as those of AWS do. */
function parseExact(argv: readonly string[]): ParsedArguments {
  return parseKnown({ ...outerSyntax, abbreviations: false }, argv);
}

async function run(argv: readonly string[], context: Context): Promise<number> {
  const exact = parseExact(argv);
  const command = findOwnCommand(exact.positional);
  const line = command === undefined ? parseKnown(outerSyntax, argv) : exact;
  const { given, positional: word, rest } = line;
  if (given.has('version') || word === 'version') {
    context.stdout.write(`pairmint ${packageVersion()}\n`);
    return exitCodes.success;
  }
  if (word === 'help' || given.has('--help')) {
    return showHelp([...(word === 'help' || word === undefined ? [] : [word]), ...rest], context);
  }
  if (word === undefined) {
    throw new UsageError('the following arguments are required: command');
  }
  if (command !== undefined) {
    return runOwnCommand(word, command, argv, line, context);
  }
  if (word === 'configure') {
    const { runConfigure } = await import('./commands/configure.ts');
    return runConfigure(rest, { given, context });
  }
  const debug = await openLog(argv, line, context);
  const settings = await Settings.read(given, context.env);
  if (word === 'sts') {
    const { runSts } = await import('./commands/caller-identity.ts');
    await runSts(rest, { settings, own: ownOptions(given), debug }, context);
    return exitCodes.success;
  }
  const found = word === 'kms' ? afterKms(rest) : { word, rest, argument: 'command' as const };
  if (found.word === 'help') {
    return showHelp(found.rest, context);
  }
  const operation = await findOperation(found.word, found.argument);
  const commands = await import('./commands/operation.ts');
  const own = ownOptions(given);
  await commands.runOperation(operation, found.rest, { settings, own, debug }, context);
  return exitCodes.success;
}

async function openLog(
  argv: readonly string[],
  { given }: ParsedArguments,
  { stderr }: Context,
): Promise<DebugLog | undefined> {
  if (!given.has('debug')) {
    return undefined;
  }
  const { DebugLog } = await import('./remote/debug-log.ts');
  const log = new DebugLog(stderr);
  log.start(argv);
  return log;
}

interface OperationWord {
  readonly word: string;
  readonly rest: readonly string[];
  readonly argument: 'command' | 'operation';
}

/** `pairmint kms <operation>` means `pairmint <operation>`, so that the program can stand for aws. */
function afterKms(words: readonly string[]): OperationWord {
  const positional = { name: 'operation', required: true };
  const inner = parseKnown({ options: [], positional, abbreviations: false }, words);
  return { word: inner.positional ?? '', rest: inner.rest, argument: 'operation' };
}

async function findOperation(
  word: string,
  argument: OperationWord['argument'],
): Promise<OperationName> {
  const operations = await loadOperations();
  const operation = operations.get(word);
  if (operation === undefined) {
    const others = argument === 'command' ? [...Object.keys(ownCommands), 'kms', 'version'] : [];
    throw invalidChoice(argument, word, [...operations.keys(), ...others, 'help']);
  }
  return operation;
}

async function runOwnCommand(
  name: string,
  command: OwnCommand,
  argv: readonly string[],
  line: ParsedArguments,
  context: Context,
): Promise<number> {
  if (line.rest[0] === 'help') {
    return showHelp([name], context);
  }
  refuseGlobals(name, command, line);
  const options = command.options.map((option) => {
    const takes = option.value === undefined ? 'nothing' : 'one';
    return { name: option.name, key: option.name, takes } as const;
  });
  const positional = { name: 'command', required: true };
  const syntax = { options: [...ownSyntax, ...options], positional, abbreviations: true };
  const { given, rest } = parseKnown(syntax, argv);
  const { operands = [] } = command;
  const unknown = rest.filter((word, i) => i >= operands.length || word.startsWith('-'));
  if (unknown.length > 0) {
    throw new UnknownOptionsError(unknown);
  }
  const { run } = await command.load();
  return run(given as ReadonlyMap<string, string>, ownOptions(given), context, rest);
}

/** The options of operations, but for those that a command has, too. */
function refuseGlobals(name: string, command: OwnCommand, { given }: ParsedArguments): void {
  const all = [...globalOptions, ...sharedOptions.map(({ name }) => ({ name, key: name }))];
  const own = optionsOf(command).map(({ name }) => name);
  const foreign = all.filter((option) => {
    const isGiven = given.has(option.key) && !own.includes(option.name);
    // Two options may have one key.
    return isGiven && (!('means' in option) || given.get(option.key) === option.means);
  });
  if (foreign.some(({ key }) => key === 'endpointUrl')) {
    throw new UsageError(`${name} works on a store, not on a server: leave --endpoint-url away`);
  }
  if (foreign.length > 0) {
    throw new UnknownOptionsError(foreign.map((option) => option.name));
  }
}

/** Shows help on the first word that is not an option; on everything if there is none. */
async function showHelp(words: readonly string[], context: Context): Promise<number> {
  const topic = words.find((word) => word !== '' && word !== 'kms' && !word.startsWith('-'));
  const help = await import('./help/help.ts');
  if (topic === undefined || topic === 'help') {
    context.stdout.write(help.generalHelp());
    return exitCodes.success;
  }
  if (findOwnCommand(topic) !== undefined) {
    context.stdout.write(help.commandHelp(topic));
    return exitCodes.success;
  }
  const operations = await loadOperations();
  const operation = operations.get(topic);
  if (operation === undefined) {
    throw invalidChoice('operation', topic, [...operations.keys(), ...Object.keys(ownCommands)]);
  }
  context.stdout.write(help.operationHelp(operation));
  return exitCodes.success;
}

function findOwnCommand(name: string | undefined): OwnCommand | undefined {
  return name !== undefined && Object.hasOwn(ownCommands, name) ? ownCommands[name] : undefined;
}

async function loadOperations(): Promise<ReadonlyMap<string, OperationName>> {
  const { operationShapes } = await import('../model/shapes.ts');
  const { kebabCase } = await import('./arguments/operation-options.ts');
  const names = Object.keys(operationShapes) as OperationName[];
  return new Map(names.map((name) => [kebabCase(name), name]));
}

function ownOptions(given: ParsedArguments['given']): OwnOptions {
  const store = given.get('--store');
  const rootKeyFile = given.get('--root-key-file');
  return {
    ...(typeof store === 'string' && { store }),
    ...(typeof rootKeyFile === 'string' && { rootKeyFile }),
  };
}
