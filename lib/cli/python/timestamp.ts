import { CalendarDate, type Value } from './value.ts';

const isoText =
  /^(\d{4})[-/](\d\d?)[-/](\d\d?)(?:(?:T|[ \t]+)(\d\d?)(?::(\d\d)(?::(\d\d)(?:[.,](\d*))?)?)?(?:[ \t]*(?:Z|UTC|GMT|([-+])(\d\d?):?(\d\d)?))?)?$/i;
const rfcText = /^(?:[a-z]{3}, )?\d\d? [a-z]{3} \d{4} \d\d:\d\d(?::\d\d)? (?:GMT|UTC|[-+]\d{4})$/i;
const numberText = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i;

/**
 * Reads a timestamp as AWS's clients do: a date of a file in YAML, seconds since 1970 as a number or
 * its text, ISO 8601 or RFC 822; without an offset it is in UTC. They send whole seconds and drop the
 * rest. Undefined for any other value.
 */
export function parseTimestamp(value: Value): Date | undefined {
  const date = parseAny(value);
  if (date === undefined || Number.isNaN(date.getTime())) return undefined;
  const year = date.getUTCFullYear();
  // Python has no others.
  const exists = year >= 1 && year <= 9999;
  return exists ? new Date(Math.floor(date.getTime() / 1000) * 1000) : undefined;
}

function parseAny(value: Value): Date | undefined {
  if (value instanceof Date) return value instanceof CalendarDate ? undefined : value;
  if (typeof value === 'string') {
    // Eight digits are seconds, not a day.
    return numberText.test(value) ? fromSeconds(Number(value)) : parseText(value);
  }
  // Python's booleans are integers.
  const isNumber = typeof value === 'bigint' || typeof value === 'number';
  return isNumber || typeof value === 'boolean' ? fromSeconds(Number(value)) : undefined;
}

function fromSeconds(seconds: number): Date {
  return new Date(seconds * 1000);
}

function parseText(text: string): Date | undefined {
  return rfcText.test(text) ? new Date(Date.parse(text)) : parseIso8601(text);
}

/** Reads ISO 8601, its fields of one digit and its offset of hours as in YAML included. */
export function parseIso8601(text: string): Date | undefined {
  const found = isoText.exec(text);
  if (found === null) return undefined;
  const [fraction = '', sign, hours, minutes] = found.slice(7);
  const [year = 0, month = 0, ...others] = found.slice(1, 7).map((field) => Number(field ?? 0));
  const local = new Date(Date.UTC(year, month - 1, ...others, Number(`0.${fraction}`) * 1000));
  // A field that is too large carries over into the next one.
  const read = local.toISOString().slice(0, 19).split(/\D/).map(Number);
  if (read.join() !== [year, month, ...others].join()) return undefined;
  const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * (sign === '-' ? -1 : 1);
  return new Date(local.getTime() - offset * 60_000);
}
