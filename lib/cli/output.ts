import { type OperationName, operationShapes } from '../model/shapes.ts';
import { toJson } from '../model/wire.ts';

/**
 * A response as the AWS CLI prints it: JSON with four spaces, members in the model's order. Nothing
 * at all for an operation that returns nothing.
 */
export function formatResponse(operation: OperationName, response: object | undefined): string {
  const { output } = operationShapes[operation];
  if (output === undefined || response === undefined) {
    return '';
  }
  const json = toJson(output, response, { timestamps: 'iso8601' }) as object;
  return Object.keys(json).length === 0 ? '' : formatJson(json);
}

export function formatJson(value: object): string {
  return `${JSON.stringify(value, undefined, 4)}\n`;
}
