import { type OperationName, operationShapes } from '../../model/shapes.ts';
import { toJson } from '../../model/wire.ts';
import { Dictionary, type Value } from '../value.ts';

/** A response as it is printed and queried: bytes as base64, times as ISO 8601. */
export function responseValue(operation: OperationName, response: object | undefined): Dictionary {
  const { output } = operationShapes[operation];
  if (output === undefined || response === undefined) {
    return new Dictionary();
  }
  return toValue(toJson(output, response, { timestamps: 'iso8601' })) as Dictionary;
}

function toValue(json: unknown): Value {
  if (Array.isArray(json)) {
    return json.map(toValue);
  }
  if (typeof json === 'object' && json !== null) {
    return new Dictionary(Object.entries(json).map(([key, member]) => [key, toValue(member)]));
  }
  // The model has no numbers but whole ones.
  return typeof json === 'number' ? BigInt(json) : (json as Value);
}
