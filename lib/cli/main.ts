import { packageVersion } from '../core/package-version.ts';
import type { OperationName } from '../model/shapes.ts';
import { type ParsedArguments, parseKnown, takeSubcommand } from './arguments/argument-parser.ts';
import { complain, exitCodeOf } from './arguments/complaints.ts';
import { globalOptions } from './arguments/global-options.ts';
import { findCommand, outerSyntax, ownSyntax, sharedOptions } from './arguments/own-options.ts';
import { invalidChoice, required } from './arguments/usage.ts';
import type { Context, OwnOptions } from './context.ts';
import { exitCodes, UnknownOptionsError, UsageError } from './errors.ts';
import { allCommandDescriptions, awsCommandDescriptions } from './help/command-descriptions.ts';
import { type OwnCommand, ownCommands } from './own-commands.ts';
import type { DebugLog } from './remote/debug-log.ts';
import { promptMode } from './settings/prompt-mode.ts';
import { Settings } from './settings/settings.ts';

/** Runs one command and returns its exit code. Never throws. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  try {
    const name = argv[findCommand(argv)];
    const command = findOwnCommand(name);
    return name !== undefined && command !== undefined
      ? await runOwnCommand(name, command, argv, context)
      : await runPrompted(argv, context);
  } catch (error) {
    return complain(error, context.stderr);
  }
}

/** Lets the user complete the command line on the terminal, if that is asked for. */
async function runPrompted(argv: readonly string[], context: Context): Promise<number> {
  const mode = promptMode(argv, context.env);
  if (mode === 'off') return run(argv, context);
  const { promptArguments } = await import('./help/auto-prompt.ts');
  if (mode === 'on') return run(await promptArguments(argv), context);
  try {
    return await run(argv, context);
  } catch (error) {
    if (exitCodeOf(error) !== exitCodes.parameters) throw error;
    return run(await promptArguments(argv), context);
  }
}

/**
 * Runs a command of the AWS CLI. As there, each layer reads its part of the command line once and
 * leaves the rest to the next: first options that may stand anywhere, then `kms`, then the operation.
 */
async function run(argv: readonly string[], context: Context): Promise<number> {
  const { given, positional: word, rest } = parseKnown(outerSyntax, argv);
  if (given.has('version') || word === 'version') return showVersion(context);
  if (word === 'help' || given.has('--help')) {
    return showHelp([...(word === 'help' || word === undefined ? [] : [word]), ...rest], context);
  }
  if (word === undefined) throw required('command');
  if (Object.hasOwn(awsCommandDescriptions, word) && rest[0] === 'help') {
    return showHelp([word], context);
  }
  if (word === 'configure') {
    const { runConfigure } = await import('./commands/configure.ts');
    return runConfigure(rest, { given, context });
  }
  const debug = given.has('debug') ? await openLog(argv, context) : undefined;
  const settings = await Settings.read(given, context.env);
  const surroundings = { settings, own: ownOptions(given), debug };
  if (word === 'sts') {
    const { runSts } = await import('./commands/caller-identity.ts');
    await runSts(rest, surroundings, context);
    return exitCodes.success;
  }
  // `pairmint kms <operation>` means `pairmint <operation>`, so that `alias aws=pairmint` works.
  const { name, rest: words } =
    word === 'kms' ? takeSubcommand('operation', rest) : { name: word, rest };
  if (name === 'help') return showHelp(words, context);
  const operation = await findOperation(name, word === 'kms' ? 'operation' : 'command');
  const { runOperation } = await import('./commands/operation.ts');
  await runOperation(operation, words, surroundings, context);
  return exitCodes.success;
}

async function openLog(argv: readonly string[], { stderr }: Context): Promise<DebugLog> {
  const { DebugLog } = await import('./remote/debug-log.ts');
  const log = new DebugLog(stderr);
  log.start(argv);
  return log;
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

/** Runs a command that the AWS CLI does not have. */
async function runOwnCommand(
  name: string,
  command: OwnCommand,
  argv: readonly string[],
  context: Context,
): Promise<number> {
  const { given, rest } = parseKnown(ownSyntax(command.options), argv);
  if (given.has('version')) return showVersion(context);
  if (given.has('--help') || rest[0] === 'help') return showHelp([name], context);
  refuseForeignOptions(name, command, given);
  const { operands = [] } = command;
  const unknown = rest.filter((word, i) => i >= operands.length || word.startsWith('-'));
  if (unknown.length > 0) throw new UnknownOptionsError(unknown);
  const { run } = await command.load();
  return run(given as ReadonlyMap<string, string>, ownOptions(given), context, rest);
}

/** Refuses the options of operations, and those for a store if the command uses none. */
function refuseForeignOptions(
  name: string,
  { isStoreless }: OwnCommand,
  given: ParsedArguments['given'],
): void {
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

function showVersion({ stdout }: Context): number {
  stdout.write(`pairmint ${packageVersion()}\n`);
  return exitCodes.success;
}

/** Shows help on the first word that is not an option; on everything if there is none. */
async function showHelp(words: readonly string[], context: Context): Promise<number> {
  const topic = words.find((word) => word !== '' && word !== 'kms' && !word.startsWith('-'));
  const help = await import('./help/help.ts');
  if (topic === undefined || topic === 'help') {
    context.stdout.write(help.generalHelp());
    return exitCodes.success;
  }
  if (Object.hasOwn(allCommandDescriptions, topic)) {
    context.stdout.write(help.commandHelp(topic));
    return exitCodes.success;
  }
  const { operations } = await import('./arguments/operation-names.ts');
  const operation = operations.get(topic);
  if (operation === undefined) {
    const commands = Object.keys(allCommandDescriptions);
    throw invalidChoice('operation', topic, [...operations.keys(), ...commands]);
  }
  context.stdout.write(help.operationHelp(operation));
  return exitCodes.success;
}

function findOwnCommand(name: string | undefined): OwnCommand | undefined {
  return name !== undefined && Object.hasOwn(ownCommands, name) ? ownCommands[name] : undefined;
}

function ownOptions(given: ParsedArguments['given']): OwnOptions {
  const store = given.get('--store');
  const rootKeyFile = given.get('--root-key-file');
  return {
    ...(typeof store === 'string' && { store }),
    ...(typeof rootKeyFile === 'string' && { rootKeyFile }),
  };
}
