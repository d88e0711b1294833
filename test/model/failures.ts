import { KmsError } from '../../lib/model/errors.ts';

/** Runs something that must throw a KmsError, and returns it. */
export function failureOf(run: () => unknown): KmsError {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    if (error instanceof KmsError) return error;
    throw new Error(`expected a KmsError, got ${String(error)}`, { cause: error });
  }
  throw new Error(`expected a KmsError, got ${JSON.stringify(result)}`);
}

/** The same, as one line: `Name: message`. */
export function failureText(run: () => unknown): string {
  const { name, message } = failureOf(run);
  return `${name}: ${message}`;
}
