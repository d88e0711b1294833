import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
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

const server = fileURLToPath(new URL('aws-cli-server.py', import.meta.url));

/** Processes that run command lines of the AWS CLI, each one at a time, having imported it once. */
export class AwsCli {
  readonly #runners: readonly Runner[];

  /** Its imports say where it finds models: below `home`, among others. */
  constructor(command: string, home: string) {
    this.#runners = Array.from({ length: 3 }, () => new Runner(command, home));
  }

  async runAll(lines: readonly CommandLine[]): Promise<readonly Printed[]> {
    const printed: Printed[] = [];
    const left = lines.entries();
    const work = async (runner: Runner) => {
      for (const [index, line] of left) printed[index] = await runner.run(line);
    };
    await Promise.all(this.#runners.map(work));
    return printed;
  }

  stop(): void {
    for (const runner of this.#runners) runner.stop();
  }
}

class Runner {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(command: string, home: string) {
    // Its modules may be those of one Python only, which its first line names.
    const [, python = ''] = /^#!(\S+)/.exec(readFileSync(command, 'latin1')) ?? [];
    const env = { HOME: home, LC_ALL: 'C.UTF-8' };
    this.#child = spawn(python, [server, command], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async run({ args, env, cwd }: CommandLine): Promise<Printed> {
    this.#child.stdin.write(`${JSON.stringify({ args, env, cwd })}\n`);
    const { done, value } = await this.#answers.next();
    if (done === true) throw new Error(`the AWS CLI's process ended at ${args.join(' ')}`);
    const { exitCode, stdout, stderr } = JSON.parse(value);
    return { exitCode, stdout, stderr: normalized(stderr) };
  }

  stop(): void {
    this.#child.stdin.end();
  }
}

/** Without what tells the two programs apart: their names, and the place in Python's source. */
function normalized(stderr: string): string {
  return stderr
    .replace(usage, '<usage>\n')
    .replace('aws: error:', '<program>: error:')
    .replace(/ \(_ssl\.c:\d+\)/, '');
}
