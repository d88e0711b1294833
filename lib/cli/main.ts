import { packageVersion } from '../core/package-version.ts';
import { complain, exitCodeOf } from './arguments/complaints.ts';
import { invalidChoice } from './arguments/usage.ts';
import {
  type HelpLine,
  type OwnLine,
  parseAwsCommand,
  parseOwnCommand,
  type ServiceLine,
  type VersionLine,
} from './command-line.ts';
import type { Context } from './context.ts';
import { exitCodes } from './errors.ts';
import { allCommandDescriptions } from './help/command-descriptions.ts';
import { ownCommands } from './own-commands.ts';
import type { DebugLog } from './remote/debug-log.ts';
import { promptMode } from './settings/prompt-mode.ts';
import { Settings } from './settings/settings.ts';

/** Runs one command and returns its exit code. Never throws. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  try {
    const line = parseOwnCommand(argv);
    return line === undefined ? await runPrompted(argv, context) : await runOwn(line, context);
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

/** Runs a command of the AWS CLI. */
async function run(argv: readonly string[], context: Context): Promise<number> {
  const line = await parseAwsCommand(argv);
  if (line.kind === 'version') return showVersion(context);
  if (line.kind === 'help') return showHelp(line, context);
  if (line.kind === 'configure') {
    const { runConfigure } = await import('./commands/configure.ts');
    return runConfigure(line, context);
  }
  const debug = line.given.has('debug') ? await openLog(argv, context) : undefined;
  return runService(line, debug, context);
}

async function runService(
  { given, own, asks }: ServiceLine,
  debug: DebugLog | undefined,
  context: Context,
): Promise<number> {
  const settings = await Settings.read(given, context.env);
  const surroundings = { settings, own, debug };
  if (asks.kind === 'mistaken') throw asks.error;
  if (asks.kind === 'help') return showHelp(asks, context);
  if (asks.kind === 'identity') {
    const { runGetCallerIdentity } = await import('./commands/caller-identity.ts');
    await runGetCallerIdentity(surroundings, context);
  } else {
    const { runOperation } = await import('./commands/operation.ts');
    await runOperation(asks, surroundings, context);
  }
  return exitCodes.success;
}

async function openLog(argv: readonly string[], { stderr }: Context): Promise<DebugLog> {
  const { DebugLog } = await import('./remote/debug-log.ts');
  const log = new DebugLog(stderr);
  log.start(argv);
  return log;
}

/** Runs a command that the AWS CLI does not have. */
async function runOwn(line: VersionLine | HelpLine | OwnLine, context: Context): Promise<number> {
  if (line.kind === 'version') return showVersion(context);
  if (line.kind === 'help') return showHelp(line, context);
  const { run } = await ownCommands[line.name]();
  return run(line.given, line.own, context, line.operands);
}

function showVersion({ stdout }: Context): number {
  stdout.write(`pairmint ${packageVersion()}\n`);
  return exitCodes.success;
}

/** Shows help on the first word that is not an option; on everything if there is none. */
async function showHelp({ words }: HelpLine, context: Context): Promise<number> {
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
