/**
 * A parameter on its way from the command line to the request. Whole numbers are `bigint` and all
 * others `number`, because the AWS CLI's complaints tell the two apart.
 */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | Date
  | Uint8Array
  | Value[]
  | Dictionary;

export class Dictionary extends Map<string, Value> {}

/** A dictionary that was written as JSON, which complaints name differently. */
export class JsonDictionary extends Dictionary {}

/** A day without a time, which is no timestamp. */
export class CalendarDate extends Date {}

/** Turns a value into what the API takes. Own properties only, so no key can reach a prototype. */
export function toRequest(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(toRequest);
  if (value instanceof Dictionary) {
    return Object.fromEntries([...value].map(([key, member]) => [key, toRequest(member)]));
  }
  return value;
}
