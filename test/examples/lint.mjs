// Checks examples/ against the schemas of Docker Compose, Kubernetes and Grafana, and the expressions in it
// against Prometheus's grammar and the metrics that pairmint has: node test/examples/lint.mjs
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
import { DCLinter } from 'dclint';
import { collectDefaultMetrics, Registry } from 'prom-client';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);
const examples = path.join(root, 'examples');
const read = (...names) => readFileSync(path.join(examples, ...names), 'utf8');

// Rules on the order of members and on quotes.
const taste = {
  'require-quotes-in-ports': 0,
  'service-keys-order': 0,
  'top-level-properties-order': 0,
};

/** What is wrong with a Compose file, a sentence each. */
export function composeFaults(text) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-compose-'));
  try {
    const file = path.join(folder, 'docker-compose.yml');
    writeFileSync(file, text);
    const linter = new DCLinter({ rules: taste, quiet: false, debug: false, exclude: [] });
    return linter
      .lintFiles([file], false)
      .flatMap(({ messages }) =>
        messages.map(({ line, rule, message }) => `line ${line}: ${message} (${rule})`),
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The documents of a YAML file, which must have no fault of its own. */
function documentsOf(text) {
  return parseAllDocuments(text).map((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return document.toJS();
  });
}

const groups = {
  v1: 'v1',
  'apps/v1': 'apps/v1',
  'autoscaling/v2': 'autoscaling/v2',
  'batch/v1': 'batch/v1',
  'networking.k8s.io/v1': 'networking.k8s.io/v1',
  'policy/v1': 'policy/v1',
};

/** The module that has a manifest's model. */
function modelOf({ apiVersion, kind }) {
  const group = groups[apiVersion];
  const module = group && `kubernetes-models/${group}`;
  const model = module && require(module)[kind];
  return model && { module, model };
}

/** What is wrong with manifests of Kubernetes: values that its schema refuses, names that it has not. */
export function kubernetesFaults(text) {
  const faults = [];
  const typed = [];
  for (const manifest of documentsOf(text)) {
    const found = modelOf(manifest);
    const name = `${manifest.kind} ${manifest.metadata?.name}`;
    if (found === undefined) {
      faults.push(`${name}: there is no ${manifest.kind} in ${manifest.apiVersion}`);
      continue;
    }
    try {
      new found.model(manifest).validate();
    } catch (error) {
      faults.push(`${name}: ${error.message}`);
    }
    // The schema lets pass what it does not know; the types do not.
    const type = `ConstructorParameters<typeof import('${found.module}').${manifest.kind}>[0]`;
    const { apiVersion: _, kind: __, ...value } = manifest;
    typed.push({ name, type, value });
  }
  return [...faults, ...typeFaults(typed)];
}

/** What is wrong with a dashboard of Grafana. */
export function dashboardFaults(text) {
  const { panels, ...dashboard } = JSON.parse(text);
  const from = (name) => `import('@grafana/schema').${name}`;
  const typed = panels.map((panel) => ({
    name: `the panel '${panel.title}'`,
    type: from(panel.type === 'row' ? 'RowPanel' : 'Panel'),
    value: panel,
  }));
  return typeFaults([
    { name: 'the dashboard', type: from('Dashboard'), value: dashboard },
    ...typed,
  ]);
}

/** Where values do not have the types that they should, members that a type has not included. */
function typeFaults(typed) {
  const file = path.join(root, 'examples.virtual.ts');
  const lines = typed.map(
    ({ type, value }, i) => `export const v${i}: ${type} = ${JSON.stringify(value)};`,
  );
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    exactOptionalPropertyTypes: false,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2022)
      : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], options, host);
  const source = program.getSourceFile(file);
  return ts.getPreEmitDiagnostics(program, source).map(({ start = 0, messageText }) => {
    const { line } = source.getLineAndCharacterOfPosition(start);
    return `${typed[line]?.name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

/** The names of all metrics that pairmint has, as they stand in expressions. */
export function metricNames() {
  const names = new Set(['up']);
  const add = (name, type) => {
    names.add(name);
    if (type === 'histogram')
      for (const end of ['bucket', 'sum', 'count']) names.add(`${name}_${end}`);
  };
  for (const file of readdirSync(path.join(root, 'lib/http'))) {
    const text = readFileSync(path.join(root, 'lib/http', file), 'utf8');
    for (const [, kind, name] of text.matchAll(/new (\w+)\(\{\s*name: '(pairmint_\w+)'/g)) {
      add(name, kind === 'Durations' ? 'histogram' : kind);
    }
  }
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of registry.getMetricsAsArray()) add(name, type);
  return names;
}

/** What is wrong with an expression of Prometheus: its grammar, or a metric that does not exist. */
export function expressionFaults(expression, names = metricNames()) {
  const text = expression.replaceAll('$__rate_interval', '1m');
  const faults = [];
  parser.parse(text).iterate({
    enter({ type, from, to, node }) {
      const word = text.slice(from, to);
      if (type.isError) faults.push(`not understood at ${from}: ${expression}`);
      const isMetric = type.name === 'Identifier' && node.parent?.type.name === 'VectorSelector';
      if (isMetric && !names.has(word)) faults.push(`there is no metric ${word}: ${expression}`);
    },
  });
  return faults;
}

/** Every expression in examples/, with where it stands. */
export function expressions() {
  const { groups: rules } = parse(read('monitoring', 'alerts.yml'));
  const { panels } = JSON.parse(read('monitoring', 'dashboard.json'));
  const { rules: adapter } = parse(read('monitoring', 'prometheus-adapter.yml'));
  const filled = (query) =>
    query.replace('<<.GroupBy>>', 'namespace').replace(',<<.LabelMatchers>>', '');
  return [
    ...rules.flatMap((group) =>
      group.rules.map(({ alert, expr }) => ({ where: `the alert ${alert}`, expression: expr })),
    ),
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `the panel '${title}'`, expression: expr })),
    ),
    ...adapter.external.flatMap(({ seriesQuery, metricsQuery }) =>
      [seriesQuery, metricsQuery].map((query) => ({
        where: 'prometheus-adapter.yml',
        expression: filled(query),
      })),
    ),
  ];
}

/** The manifests of examples/kubernetes, by file. */
export function manifests() {
  return readdirSync(path.join(examples, 'kubernetes')).map((name) => ({
    name: `kubernetes/${name}`,
    text: read('kubernetes', name),
  }));
}

/** What is wrong with examples/, a sentence each. */
export function exampleFaults() {
  const names = metricNames();
  const named = (name, faults) => faults.map((fault) => `examples/${name}: ${fault}`);
  const everything = manifests().map(({ text }) => text);
  return [
    ...named('compose/docker-compose.yml', composeFaults(read('compose', 'docker-compose.yml'))),
    ...named('kubernetes', kubernetesFaults(everything.join('\n---\n'))),
    ...named('monitoring/dashboard.json', dashboardFaults(read('monitoring', 'dashboard.json'))),
    ...expressions().flatMap(({ where, expression }) =>
      named(`monitoring, ${where}`, expressionFaults(expression, names)),
    ),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = exampleFaults();
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exit(1);
  console.log('The examples are as their schemas want them.');
}
