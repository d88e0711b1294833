import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export interface Printed {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLine {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

const usage = `usage: aws [options] <command> <subcommand> [<subcommand> ...] [parameters]
To see help text, you can run:

  aws help
  aws <command> help
  aws <command> <subcommand> help
`;

/** A real AWS CLI version 2: what PAIRMINT_TEST_AWS_CLI names, or the system's. */
export function findAwsCli(): string | undefined {
  const { PAIRMINT_TEST_AWS_CLI: named } = process.env;
  const command = named ?? '/usr/bin/aws';
  if (named === undefined && !existsSync(command)) return undefined;
  const version = String(execFileSync(command, ['--version']));
  if (version.startsWith('aws-cli/2.')) return command;
  if (named === undefined) return undefined;
  throw new Error(`${command} is not an AWS CLI version 2: ${version}`);
}

/** Puts the model of this package where the AWS CLI looks for one that is newer than its own. */
export function giveModel(home: string): void {
  const folder = path.join(home, '.aws', 'models', 'kms', '2014-11-01');
  mkdirSync(folder, { recursive: true });
  const model = fileURLToPath(new URL('../../lib/model/service-2.json', import.meta.url));
  copyFileSync(model, path.join(folder, 'service-2.json'));
}

/** Runs command lines of `command`, a few at a time, and returns what each printed. */
export async function runAll(
  command: string,
  lines: readonly CommandLine[],
): Promise<readonly Printed[]> {
  const printed: Printed[] = [];
  const left = lines.entries();
  const work = async () => {
    for (const [index, line] of left) printed[index] = await runOne(command, line);
  };
  await Promise.all([work(), work(), work()]);
  return printed;
}

async function runOne(command: string, { args, env, cwd }: CommandLine): Promise<Printed> {
  const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exitCode: await closed, stdout, stderr: normalized(stderr) };
}

/** Without what tells the two programs apart: their names, and the place in Python's source. */
function normalized(stderr: string): string {
  return stderr
    .replace(usage, '<usage>\n')
    .replace('aws: error:', '<program>: error:')
    .replace(/ \(_ssl\.c:\d+\)/, '');
}
