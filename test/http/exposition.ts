/** A metric as Prometheus's text format has it. */
export interface Family {
  help: string;
  type: string;
  readonly samples: { readonly name: string; readonly labels: Labels; readonly value: number }[];
}

type Labels = Readonly<Record<string, string>>;

const namePattern = /^[a-z][a-z0-9_]*$/;
const samplePattern = /^([a-z][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/;
const labelPattern = /([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/**
 * Parses Prometheus's text format, version 0.0.4, and throws if it is not well-formed: names,
 * labels, one HELP and TYPE before the samples of each metric, no sample twice.
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (families.has(name) || !namePattern.test(name)) throw new Error(line);
      families.set(name, { help: rest, type: '', samples: [] });
      current = name;
    } else if (keyword === 'TYPE') {
      if (name !== current || !(rest in suffixes)) throw new Error(line);
      (families.get(name) as Family).type = rest;
    } else if (line !== '') {
      const family = families.get(current);
      const sample = parseSample(line);
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      const isOfFamily = suffixes[family?.type ?? '']?.some((end) => current + end === sample.name);
      if (!isOfFamily || seen.has(key)) throw new Error(line);
      seen.add(key);
      family?.samples.push(sample);
    }
  }
  return families;
}

function parseSample(line: string) {
  const [, name = '', text = '', number = ''] = samplePattern.exec(line) ?? [];
  const value = Number(number.replace('Inf', 'Infinity'));
  if (number === '' || (Number.isNaN(value) && number !== 'Nan')) throw new Error(line);
  const labels: Record<string, string> = {};
  for (labelPattern.lastIndex = 0; labelPattern.lastIndex < text.length; ) {
    const [, label = '', quoted = ''] = labelPattern.exec(text) ?? [];
    if (label === '') throw new Error(line);
    labels[label] = quoted;
  }
  return { name, labels, value };
}

/** The value of one sample; undefined if no sample has just these labels. */
export function sampleOf(text: string, name: string, labels: Labels = {}): number | undefined {
  const wanted = JSON.stringify(Object.entries(labels).sort());
  for (const { samples } of parseExposition(text).values()) {
    for (const sample of samples) {
      if (sample.name !== name) continue;
      if (JSON.stringify(Object.entries(sample.labels).sort()) === wanted) return sample.value;
    }
  }
  return undefined;
}
