import type { Value } from '../python/value.ts';

/** The values of cli_timestamp_format. */
export type TimestampFormat = 'iso8601' | 'wire';

/** A time of a server's answer, which may have more digits than a Date keeps. */
export class WireTime extends Date {
  /** As it came. */
  readonly wire: Value;
  /** Below the millisecond. */
  readonly microseconds: number;

  constructor(wire: Value, microsecondsSince1970: number) {
    super(Math.floor(microsecondsSince1970 / 1000));
    this.wire = wire;
    this.microseconds = microsecondsSince1970 - this.getTime() * 1000;
  }
}

/** A time as it is printed. */
export function timestampValue(date: Date, format: TimestampFormat): Value {
  if (format === 'iso8601') return isoText(date);
  if (date instanceof WireTime) return date.wire;
  const seconds = date.getTime() / 1000;
  return Number.isInteger(seconds) ? BigInt(seconds) : seconds;
}

// Python's isoformat of a local time: microseconds, left out when they are zero, and the offset.
function isoText(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString();
  const below = date instanceof WireTime ? date.microseconds : 0;
  const fraction = `${local.slice(-4, -1)}${String(below).padStart(3, '0')}`;
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map((part) =>
    String(part).padStart(2, '0'),
  );
  const zone = `${offset < 0 ? '-' : '+'}${hours}:${minutes}`;
  return `${local.slice(0, -5)}${fraction === '000000' ? '' : `.${fraction}`}${zone}`;
}
