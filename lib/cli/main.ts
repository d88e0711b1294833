import type { OperationName } from '../model/shapes.ts';
import { packageVersion } from '../package-version.ts';
import { type ParsedArguments, parseKnown, type Syntax } from './argument-parser.ts';
import { complain } from './complaints.ts';
import type { Context, OwnOptions } from './context.ts';
import { exitCodes, UnknownOptionsError, UsageError } from './errors.ts';
import { type OwnCommand, ownCommands, sharedOptions } from './own-commands.ts';
import { invalidChoice } from './usage.ts';

/** What may stand anywhere on a command line. Never abbreviated: AWS's options come first there. */
const ownSyntax: Syntax = {
  options: [
    ...sharedOptions.map(({ name }) => ({ name, key: name, takes: 'one' }) as const),
    { name: '--version', key: '--version', takes: 'nothing' },
    { name: '--help', key: '--help', takes: 'nothing' },
    { name: '-h', key: '--help', takes: 'nothing' },
  ],
  positional: { name: 'command', required: false },
  abbreviations: false,
};

/** Runs one command and returns its exit code. Never throws. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  try {
    return await run(parseKnown(ownSyntax, argv), context);
  } catch (error) {
    return complain(error, context.stderr);
  }
}

async function run(line: ParsedArguments, context: Context): Promise<number> {
  if (line.given.has('--version') || line.positional === 'version') {
    context.stdout.write(`pairmint ${packageVersion()}\n`);
    return exitCodes.success;
  }
  if (line.positional === 'help' || line.given.has('--help')) {
    const topic = line.positional === 'help' ? [] : [line.positional ?? ''];
    return showHelp([...topic, ...line.rest], context);
  }
  if (line.positional === undefined) {
    throw new UsageError('the following arguments are required: command');
  }
  const command = findOwnCommand(line.positional);
  if (command !== undefined) {
    return runOwnCommand(line.positional, command, line, context);
  }
  return line.positional === 'kms'
    ? runKms(line, context)
    : runOperation(line.positional, line.rest, line, context);
}

/** `pairmint kms <operation>` means `pairmint <operation>`, so that the program can stand for aws. */
async function runKms(line: ParsedArguments, context: Context): Promise<number> {
  const positional = { name: 'operation', required: true };
  const inner = parseKnown({ options: [], positional, abbreviations: false }, line.rest);
  if (inner.positional === 'help') {
    return showHelp(inner.rest, context);
  }
  return runOperation(inner.positional ?? '', inner.rest, line, context, 'operation');
}

async function runOperation(
  word: string,
  argv: readonly string[],
  { given }: ParsedArguments,
  context: Context,
  argument: 'command' | 'operation' = 'command',
): Promise<number> {
  const operations = await loadOperations();
  const operation = operations.get(word);
  if (operation === undefined) {
    const others = argument === 'command' ? [...Object.keys(ownCommands), 'kms', 'version'] : [];
    throw invalidChoice(argument, word, [...operations.keys(), ...others, 'help']);
  }
  const commands = await import('./commands/operation.ts');
  await commands.runOperation(operation, argv, ownOptions(given), context);
  return exitCodes.success;
}

async function runOwnCommand(
  name: string,
  command: OwnCommand,
  line: ParsedArguments,
  context: Context,
): Promise<number> {
  if (line.rest[0] === 'help') {
    return showHelp([name], context);
  }
  const options = command.options.map((option) => {
    const takes = option.value === undefined ? 'nothing' : 'one';
    return { name: option.name, key: option.name, takes } as const;
  });
  const { given, rest } = parseKnown({ options, abbreviations: true }, line.rest);
  const { operands = [] } = command;
  const unknown = rest.filter((word, i) => i >= operands.length || word.startsWith('-'));
  if (unknown.length > 0) {
    throw new UnknownOptionsError(unknown);
  }
  const { run } = await command.load();
  return run(given as ReadonlyMap<string, string>, ownOptions(line.given), context, rest);
}

/** Shows help on the first word that is not an option; on everything if there is none. */
async function showHelp(words: readonly string[], context: Context): Promise<number> {
  const topic = words.find((word) => word !== '' && word !== 'kms' && !word.startsWith('-'));
  const help = await import('./help.ts');
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

function findOwnCommand(name: string): OwnCommand | undefined {
  return Object.hasOwn(ownCommands, name) ? ownCommands[name] : undefined;
}

async function loadOperations(): Promise<ReadonlyMap<string, OperationName>> {
  const { operationNames } = await import('./operation-descriptions.ts');
  const { kebabCase } = await import('./operation-options.ts');
  return new Map(operationNames.map((name) => [kebabCase(name), name]));
}

function ownOptions(given: ParsedArguments['given']): OwnOptions {
  const store = given.get('--store');
  const rootKeyFile = given.get('--root-key-file');
  return {
    ...(typeof store === 'string' && { store }),
    ...(typeof rootKeyFile === 'string' && { rootKeyFile }),
  };
}
