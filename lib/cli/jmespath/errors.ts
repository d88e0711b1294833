import { GeneralError } from '../errors.ts';
import { pythonRepr, pythonText } from '../python/python-text.ts';
import type { Value } from '../python/value.ts';

/** An expression that cannot be read. Its message is the one that the AWS CLI shows. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

export interface Place {
  readonly type: string;
  readonly value: Value;
  readonly start: number;
}

export function badCharacters(problem: string, expression: string, start: number): ExpressionError {
  const lines = [`Bad jmespath expression: ${problem}:`, expression, `${' '.repeat(start)}^`];
  return new ExpressionError(lines.join('\n'));
}

export function unexpected(problem: string, expression: string, place: Place): ExpressionError {
  const token = `token "${pythonText(place.value)}" (${place.type.toUpperCase()})`;
  const where = `Parse error at column ${place.start}, ${token}, for expression:`;
  return new ExpressionError(`${problem}: ${where}\n${pointed(expression, place.start)}`);
}

export function incomplete(expression: string): ExpressionError {
  const end = Array.from(expression).length;
  const problem = 'Invalid jmespath expression: Incomplete expression:';
  return new ExpressionError(`${problem}\n${pointed(expression, end)}`);
}

function pointed(expression: string, column: number): string {
  return `"${expression}"\n${' '.repeat(column + 1)}^`;
}

/** Says that a function was given what it does not take. */
export function wrongType(
  name: string,
  value: Value,
  received: string,
  expected: readonly string[],
): GeneralError {
  const types = pythonRepr([...expected]);
  return new GeneralError(
    `In function ${name}(), invalid type for value: ${pythonText(value)}, ` +
      `expected one of: ${types}, received: "${received}"`,
  );
}
