import { type OperationName, operationShapes } from '../../model/shapes.ts';
import { toJson } from '../../model/wire.ts';
import { Dictionary, type Value } from '../python/value.ts';
import { type TimestampFormat, timestampValue } from './timestamps.ts';

/** A response as it is printed and queried: bytes as base64, times as `timestamps` says. One that
 * is a dictionary is printed as it is. */
export function responseValue(
  operation: OperationName,
  response: object | undefined,
  timestamps: TimestampFormat = 'iso8601',
): Dictionary {
  if (response instanceof Dictionary) return response;
  const { output } = operationShapes[operation];
  if (output === undefined || response === undefined) return new Dictionary();
  return toValue(
    toJson(output, response, {
      timestamps: (date) => timestampValue(date, timestamps),
    }),
  ) as Dictionary;
}

function toValue(json: unknown): Value {
  if (Array.isArray(json)) return json.map(toValue);
  if (typeof json === 'object' && json !== null) {
    return new Dictionary(Object.entries(json).map(([key, member]) => [key, toValue(member)]));
  }
  return Number.isInteger(json) ? BigInt(json as number) : (json as Value);
}
