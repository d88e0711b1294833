import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TextSink } from '../context.ts';
import { GeneralError, SettingsError } from '../errors.ts';

/**
 * Lets `print` write through a pager, and waits until the user has left it. An empty command line
 * means none. The pager is started with the first text: what prints nothing starts nothing.
 *
 * @throws GeneralError if the command line cannot be split, SettingsError if it cannot be started
 */
export async function throughPager(
  commandLine: string,
  { env, terminal }: { readonly env: NodeJS.ProcessEnv; readonly terminal: TextSink },
  print: (sink: TextSink) => Promise<void>,
): Promise<void> {
  if (commandLine.trim() === '') return print(terminal);
  const pager = new Pager(splitWords(commandLine.trim()), env, terminal.columns);
  try {
    await print(pager);
  } finally {
    await pager.close();
  }
}

class Pager implements TextSink {
  readonly isTerminal = true;
  readonly isPager = true;
  readonly columns: number | undefined;
  readonly #words: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  #isLeft = false;

  constructor(words: readonly string[], env: NodeJS.ProcessEnv, columns: number | undefined) {
    this.#words = words;
    this.#env = env;
    this.columns = columns;
  }

  write(text: string): void {
    if (text !== '') {
      this.#process ??= this.#start();
      this.#process.stdin?.write(text);
    }
  }

  async drained(): Promise<boolean> {
    const input = this.#process?.stdin;
    if (input?.writableNeedDrain === true && !this.#isLeft) {
      await Promise.race([once(input, 'drain').catch(() => {}), this.#exited]);
    }
    return !this.#isLeft;
  }

  async close(): Promise<void> {
    this.#process?.stdin?.end();
    await this.#exited;
    if (this.#failure !== undefined) throw cannotStart(this.#words[0] ?? '', this.#failure);
  }

  #start(): ChildProcess {
    const [program = '', ...args] = this.#words;
    // F: nothing to page if it fits; R: colours; X: what was shown stays on the screen.
    const env = { LESS: 'FRX', ...this.#env };
    const started = spawn(program, args, { env, stdio: ['pipe', 'inherit', 'inherit'] });
    // An interrupt from the keyboard is for the pager: it does not end this program below it.
    const ignore = () => {};
    process.on('SIGINT', ignore);
    this.#exited = new Promise<void>((resolve) => {
      started.once('close', () => resolve());
      started.once('error', (error) => {
        this.#failure = error;
        this.#isLeft = true;
        resolve();
      });
    }).finally(() => process.off('SIGINT', ignore));
    // Users leave a pager before its end.
    started.stdin?.on('error', () => {
      this.#isLeft = true;
    });
    return started;
  }
}

function cannotStart(program: string, { code, message }: NodeJS.ErrnoException): SettingsError {
  const reason = code === 'ENOENT' ? `[Errno 2] No such file or directory: '${program}'` : message;
  return new SettingsError(
    'Unable to redirect output to pager. Received the following error when opening pager:\n' +
      `${reason}\n\nSet AWS_PAGER to another program, or to nothing for none.`,
  );
}

const word = /\s*((?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)\s*/suy;
const wordPart = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+)/gsu;

/** Splits a command line as a POSIX shell does, without expanding anything. */
function splitWords(commandLine: string): string[] {
  const words: string[] = [];
  word.lastIndex = 0;
  for (let end = 0; end < commandLine.length; end = word.lastIndex) {
    const [, quoted] = word.exec(commandLine) ?? [];
    if (quoted === undefined) {
      const problem = commandLine.endsWith('\\') ? 'escaped character' : 'closing quotation';
      throw new GeneralError(`No ${problem}`);
    }
    words.push(quoted.replace(wordPart, unquoted));
  }
  return words;
}

function unquoted(_: string, single?: string, double?: string, escaped?: string, plain?: string) {
  return single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? plain ?? '';
}
