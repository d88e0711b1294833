import type { MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client';

// Counters of our own for every request: prom-client's build a text of all labels for each count,
// which costs several microseconds.

/** Counts by two labels, grouped by the first. */
export class Counts {
  readonly #counts = new Map<string, Map<string, number>>();

  add(first: string, second: string): void {
    let counts = this.#counts.get(first);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(first, counts);
    }
    counts.set(second, (counts.get(second) ?? 0) + 1);
  }

  *[Symbol.iterator](): Generator<readonly [first: string, second: string, count: number]> {
    for (const [first, counts] of this.#counts) {
      for (const [second, count] of counts) yield [first, second, count];
    }
  }
}

interface Options<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly label: L;
  /** Upper bounds, in rising order. */
  readonly buckets: readonly number[];
  readonly registers: readonly Registry[];
}

interface Series {
  /** How many values fell into each bucket, not cumulated; the last bucket has no bound. */
  readonly counts: number[];
  sum: number;
}

/** A histogram by one label, in a form that prom-client's registry accepts as its own. */
export class Durations<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #label: L;
  readonly #buckets: readonly number[];
  readonly #series = new Map<string, Series>();

  constructor({ name, help, label, buckets, registers }: Options<L>) {
    this.name = name;
    this.help = help;
    this.#label = label;
    this.#buckets = buckets;
    type Registered = Parameters<Registry['registerMetric']>[0];
    for (const registry of registers) registry.registerMetric(this as unknown as Registered);
  }

  observe(label: string, seconds: number): void {
    let series = this.#series.get(label);
    if (series === undefined) {
      series = { counts: Array(this.#buckets.length + 1).fill(0), sum: 0 };
      this.#series.set(label, series);
    }
    let bucket = 0;
    while (seconds > (this.#buckets[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += seconds;
  }

  /** The values, as prom-client's histograms return them. */
  async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help, type, aggregator } = this;
    const values = [...this.#series].flatMap(([label, series]) => this.#valuesOf(label, series));
    return { name, help, type, aggregator, values } as unknown as MetricObjectWithValues<
      MetricValueWithName<string>
    >;
  }

  reset(): void {
    this.#series.clear();
  }

  #valuesOf(label: string, { counts, sum }: Series): MetricValueWithName<string>[] {
    const labels = { [this.#label]: label };
    let count = 0;
    const buckets = counts.map((more, i) => {
      count += more;
      const le = this.#buckets[i] ?? '+Inf';
      return { labels: { le, ...labels }, value: count, metricName: `${this.name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: sum, metricName: `${this.name}_sum` },
      { labels, value: count, metricName: `${this.name}_count` },
    ];
  }
}
