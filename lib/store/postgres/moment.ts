/** A moment by two clocks: one stands still while the machine is suspended, the other may be set. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

/** Before everything. */
export const never: Moment = {
  monotonic: Number.NEGATIVE_INFINITY,
  wall: Number.NEGATIVE_INFINITY,
};

export function moment(): Moment {
  return { monotonic: performance.now(), wall: Date.now() };
}

/** Milliseconds from one moment to another, by the clock that shows more: too long does no harm here. */
export function elapsed(from: Moment, to: Moment = moment()): number {
  return Math.max(to.monotonic - from.monotonic, to.wall - from.wall);
}
