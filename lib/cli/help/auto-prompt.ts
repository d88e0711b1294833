import type { Terminal } from '../context.ts';
import { GeneralError, InterruptedError } from '../errors.ts';

/**
 * Completes a command line by asking on the terminal: for the operation, for what it requires, then
 * for other options until there are enough. Throws GeneralError without a terminal and
 * InterruptedError if the user gives up.
 */
export async function promptArguments(
  argv: readonly string[],
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<string[]> {
  if (terminal.input.isTTY !== true) {
    terminal.output.write('Warning: Input is not a terminal (fd=0).\n');
    // The AWS CLI has nothing to add but its empty lines.
    throw new GeneralError('');
  }
  const { askForArguments } = await import('./questions.ts');
  try {
    return await askForArguments(argv, terminal);
  } catch (error) {
    throw (error as Error).name === 'ExitPromptError' ? new InterruptedError() : error;
  }
}
