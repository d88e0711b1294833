import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

/** Where commands run that do not use the store in their home. */
export interface CommandPlace {
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments that run the command, such as one that enters a namespace. */
  readonly within?: readonly string[];
}

/** The compiled command line on a store in the folder `home`, each command a process of its own. */
export class Commands {
  readonly #home: string;
  readonly #place: CommandPlace;

  constructor(home: string, place: CommandPlace = {}) {
    this.#home = home;
    this.#place = place;
  }

  /** Starts a command, which is killed when the test is over. */
  start(...args: string[]) {
    const { PAIRMINT_STORE: _, PAIRMINT_ROOT_KEY_FILE: __, ...rest } = process.env;
    const env = { ...rest, PAIRMINT_HOME: this.#home, ...this.#place.env };
    const [program, ...all] = [...(this.#place.within ?? []), process.execPath, bin, ...args];
    const child = spawn(program as string, all, { env });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const closed = once(child, 'close');
    const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(
      ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
    );
    return { child, ended };
  }

  run(...args: string[]) {
    return this.start(...args).ended;
  }

  /** What a command prints. @throws Error if it fails */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    return (stdout === '' ? {} : JSON.parse(stdout)) as T;
  }
}
