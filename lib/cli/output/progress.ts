import type { TextSink } from '../context.ts';

// A terminal is drawn anew as often as one can follow; a log gets a line now and then.
const redrawEvery = 100;
const lineEvery = 10_000;
const barWidth = 24;

/** Tells how far a job of many pairs is: a bar on a terminal, otherwise lines. */
export class Progress {
  readonly #sink: TextSink;
  readonly #total: number;
  readonly #first: number;
  readonly #began = performance.now();
  #shownAt = Number.NEGATIVE_INFINITY;
  #isDrawn = false;

  /** @param first how many there were at the start: they say nothing of the rate */
  constructor(sink: TextSink, { total, first = 0 }: { total: number; first?: number }) {
    this.#sink = sink;
    this.#total = total;
    this.#first = first;
    if (!sink.isTerminal) this.#shownAt = this.#began;
  }

  update(done: number): void {
    const now = performance.now();
    const { isTerminal = false } = this.#sink;
    if (now - this.#shownAt < (isTerminal ? redrawEvery : lineEvery)) return;
    this.#shownAt = now;
    const text = this.#describe(done, now);
    this.#isDrawn = isTerminal;
    this.#sink.write(isTerminal ? `\r${bar(done / this.#total)} ${text}\x1b[K` : `${text}\n`);
  }

  /** Removes the bar, so that something else can be written. */
  end(): void {
    if (this.#isDrawn) this.#sink.write('\r\x1b[K');
    this.#isDrawn = false;
  }

  #describe(done: number, now: number): string {
    const seconds = (now - this.#began) / 1000;
    const rate = seconds > 0 ? (done - this.#first) / seconds : 0;
    const left = rate > 0 ? `, ${duration((this.#total - done) / rate)} left` : '';
    return `${done} of ${this.#total} pairs, ${round(rate)}/s${left}`;
  }
}

function bar(share: number): string {
  const filled = Math.min(barWidth, Math.floor(share * barWidth));
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours = 0, ...rest] = parts;
  const text = rest.map((part) => String(part).padStart(2, '0')).join(':');
  return hours > 0 ? `${hours}:${text}` : text;
}

function round(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : rate.toFixed(0);
}
