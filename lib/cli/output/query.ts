import { ParameterError } from '../errors.ts';
import { ExpressionError } from '../jmespath/errors.ts';
import { parseExpression } from '../jmespath/parser.ts';
import type { Value } from '../python/value.ts';

/** The part of a response to print. */
export interface Query {
  /** Throws GeneralError, as the AWS CLI does, for what a function in it does not take. */
  search(response: Value): Value;
}

/** Reads a JMESPath expression. Throws ParameterError with the AWS CLI's text for it. */
export function parseQuery(text: string): Query {
  try {
    const { evaluate } = parseExpression(text);
    return { search: evaluate };
  } catch (error) {
    if (error instanceof ExpressionError) {
      throw new ParameterError(`Bad value for --query ${text}: ${error.message}`);
    }
    throw error;
  }
}
