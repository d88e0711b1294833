import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { main } from '../../lib/cli/main.ts';
import { Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres, Pooler, secretPassword } from '../support/postgres.ts';
import {
  composeFaults,
  dashboardFaults,
  exampleFaults,
  expressionFaults,
  kubernetesFaults,
  manifests,
  metricNames,
} from './lint.mjs';

const compose = readFileSync('examples/compose/docker-compose.yml', 'utf8');
const dashboard = readFileSync('examples/monitoring/dashboard.json', 'utf8');
const server = readFileSync('examples/kubernetes/server.yaml', 'utf8');

interface Container {
  readonly name: string;
  readonly args: string[];
  readonly ports?: { readonly name: string }[];
  readonly env?: { readonly name: string }[];
  readonly securityContext: object;
  readonly livenessProbe?: { readonly httpGet: { readonly port: string } };
  readonly readinessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector?: { readonly matchLabels?: object };
    readonly podSelector?: { readonly matchLabels: object };
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly template?: {
      readonly metadata: { readonly labels: object };
      readonly spec: {
        readonly securityContext: object;
        readonly containers: Container[];
        readonly volumes: { readonly name: string; readonly secret?: { defaultMode?: number } }[];
      };
    };
  };
}
const all: Manifest[] = manifests().flatMap(({ text }: { text: string }) =>
  parseAllDocuments(text).map((document) => document.toJS() as Manifest),
);
const templates = all.flatMap(({ metadata, spec }) =>
  spec?.template === undefined ? [] : [{ name: metadata.name, template: spec.template }],
);

const { services } = parse(compose, { merge: true }) as {
  services: Record<string, { command?: string[] }>;
};
const composed = Object.entries(services).flatMap(([name, { command }]) =>
  command === undefined ? [] : [{ name, command }],
);

describe('the examples', () => {
  it('are as the schemas and the metrics want them', () => {
    expect(exampleFaults()).toEqual([]);
  });

  it.each([
    [
      'a member that Compose does not have',
      'read_only: true',
      'readonly: true',
      'additional properties',
    ],
    ['a value that Compose does not take', 'retries: 30', 'retries: [30]', 'healthcheck/retries'],
  ])('are refused with %s', (_what, from, to, named) => {
    const faults = composeFaults(compose.replace(from, to));
    expect(faults.join('\n')).toContain(named);
  });

  it.each([
    ['a misspelt member', 'readinessProbe:', 'readinesProbe:', /readinesProbe/],
    ['a value of another type', 'replicas: 2', 'replicas: two', /replicas must be integer/],
    ['a word that Kubernetes does not know', 'scheme: HTTPS', 'scheme: TLS', /scheme must be/],
    [
      'a member left out',
      '  selector:\n    matchLabels',
      '  chooser:\n    matchLabels',
      /selector/,
    ],
    ['a kind that is not there', 'apps/v1', 'apps/v2', /there is no Deployment in apps\/v2/],
  ])('are refused with %s in a manifest', (_what, from, to, fault) => {
    expect(server).toContain(from);
    expect(kubernetesFaults(server.replace(from, to)).join('\n')).toMatch(fault);
  });

  it.each([
    ['a misspelt member', '"gridPos"', '"gridPosition"', /gridPosition/],
    ['a value of another type', '"schemaVersion": 41', '"schemaVersion": "41"', /number/],
  ])('are refused with %s in the dashboard', (_what, from, to, fault) => {
    expect(dashboard).toContain(from);
    expect(dashboardFaults(dashboard.replace(from, to)).join('\n')).toMatch(fault);
  });

  it.each([
    ['rate(pairmint_request_total[5m])', /no metric pairmint_request_total/],
    ['sum(pairmint_requests_total', /not understood/],
    ['pairmint_requests_total_bucket', /no metric/],
    ['max(pairmint_pool_pairs) > nonsense', /no metric nonsense/],
  ])('are refused with the expression %s', (expression, fault) => {
    expect(expressionFaults(expression).join('\n')).toMatch(fault);
  });

  it('know the metrics that are documented', () => {
    const documented = [
      ...readFileSync('docs/server.md', 'utf8').matchAll(/^\| `(pairmint_\w+)` \|/gm),
    ].map(([, name = '']) => name);
    const known = [...metricNames()].filter(
      (name) => name.startsWith('pairmint_') && !/_(bucket|sum|count)$/.test(name),
    );
    expect(known.sort()).toEqual(documented.sort());
  });

  it('have the alerts that are documented', () => {
    const { groups } = parse(readFileSync('examples/monitoring/alerts.yml', 'utf8')) as {
      groups: { rules: { alert: string; expr: string }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    const section = /## Monitoring\n(.*)/s.exec(readFileSync('docs/scale.md', 'utf8'))?.[1] ?? '';
    const rows = [...section.matchAll(/^\| (`.*) \| .* \| (.*) \|$/gm)];
    const documented = rows.flatMap(([, , alerts = '']) => alerts.split(', '));
    expect(documented.sort()).toEqual(rules.map(({ alert }) => alert).sort());
    // Each stands beside a metric that its expression reads.
    for (const { alert, expr } of rules) {
      const [, watched = ''] =
        rows.find(([, , alerts]) => alerts?.split(', ').includes(alert)) ?? [];
      const names = [...watched.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
      expect(
        names.some((name) => expr.includes(name)),
        alert,
      ).toBe(true);
    }
  });

  it('name no host of a registry of images or packages', () => {
    const files = ['examples/Dockerfile', 'examples/compose/pgbouncer/Dockerfile'];
    const texts = [compose, ...files.map((file) => readFileSync(file, 'utf8'))];
    const images = texts.flatMap((text) => [...text.matchAll(/(?:image:|FROM) (\S+)/g)]);
    expect(
      images.map(([, name = '']) => name).filter((name) => /^[^/]+\.[^/]+\//.test(name)),
    ).toEqual([]);
    expect(images.length).toBeGreaterThan(4);
  });
});

describe('the manifests', () => {
  it.each(templates)('run $name without any right that it does not need', ({ template }) => {
    expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true });
    for (const { securityContext } of template.spec.containers) {
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  it('mount the root key so that its owner alone reads it', () => {
    const modes = templates.flatMap(({ template }) =>
      template.spec.volumes.flatMap(({ name, secret }) =>
        name === 'root-key' ? [secret?.defaultMode] : [],
      ),
    );
    expect(modes).toEqual([0o400, 0o400]);
  });

  it('select pods that there are, and scale a Deployment that there is', () => {
    const labels = templates.map(({ template }) => template.metadata.labels);
    for (const { metadata, spec } of all) {
      const wanted = spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels;
      if (wanted === undefined) continue;
      const matching = labels.filter((found) => {
        return Object.entries(wanted).every(([k, v]) => (found as Record<string, string>)[k] === v);
      });
      expect(matching.length, metadata.name).toBeGreaterThan(0);
    }
    const target = all.find(({ kind }) => kind === 'HorizontalPodAutoscaler')?.spec.scaleTargetRef;
    expect(all).toContainEqual(
      expect.objectContaining({
        kind: target?.kind,
        metadata: expect.objectContaining({ name: target?.name }),
      }),
    );
  });

  it('probe ports that the containers name', () => {
    for (const { template } of templates) {
      for (const { ports = [], livenessProbe, readinessProbe } of template.spec.containers) {
        const names = ports.map(({ name }) => name);
        for (const probe of [livenessProbe, readinessProbe]) {
          if (probe !== undefined) expect(names).toContain(probe.httpGet.port);
        }
      }
    }
    const probes = templates.flatMap(({ template }) => template.spec.containers);
    expect(probes.map(({ readinessProbe }) => readinessProbe?.httpGet.path)).toContain('/readyz');
  });
});

/** The command lines of pairmint in the README, of which those that are continued are joined. */
const written = [
  ...readFileSync('examples/README.md', 'utf8')
    .replace(/\\\n\s*/g, ' ')
    .matchAll(/^(?:pairmint|docker compose run --rm worker) (.*)$/gm),
].map(([, line = '']) => line.match(/"[^"]*"|\S+/g)?.map((word) => word.replace(/"/g, '')) ?? []);

describe('every command line in the examples', () => {
  const lines = [
    ...composed.map(({ command }) => command),
    ...templates.flatMap(({ template }) => template.spec.containers.map(({ args }) => args)),
    ...written,
  ];

  it('is found', () => {
    expect(composed.map(({ name }) => name).sort()).toEqual([
      'init',
      'migrate',
      'server',
      'worker',
    ]);
    expect(templates).toHaveLength(3);
    expect(written.length).toBeGreaterThan(3);
  });

  it.each(lines.map((line) => ({ line })))('is understood: $line', async ({ line }) => {
    // Read before anything is opened; what is in it counts when the server listens.
    const certificate = 'package.json';
    // `store migrate` connects by itself; nobody listens there.
    const args = line.map((word) =>
      word
        .replace(/=\/etc\/pairmint\/tls\/.*/, `=${certificate}`)
        .replace(/@[\w.:]+\//, '@127.0.0.1:1/')
        .replace(/sslmode=\S+/, 'sslmode=disable'),
    );
    const said: string[] = [];
    const sink = { write: (text: string) => said.push(text) };
    const open = vi.fn(() => Promise.reject(new Error('opened')));
    await main(args, {
      stdout: sink,
      stderr: sink,
      env: {},
      open,
    } as unknown as Parameters<typeof main>[1]);
    const isOpened = open.mock.calls.length > 0;
    expect(isOpened ? 'opened' : said.join('')).toMatch(
      /opened|cannot be opened: 127\.0\.0\.1:1: /,
    );
  });
});

describe.skipIf(!hasPostgres)('what Compose runs', () => {
  let cluster: Cluster;
  let pooler: Pooler;
  const passwords = { owner: 'of-the-owner', app: 'of-the-app' };
  const psqlEnvironment = () => ({
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: `${cluster.port}`,
    PGUSER: 'owner',
    PGDATABASE: 'pairmint',
    PGPASSWORD: secretPassword,
    PAIRMINT_OWNER_PASSWORD: passwords.owner,
    PAIRMINT_APP_PASSWORD: passwords.app,
  });
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.query('create database pairmint');
    execFileSync(
      'psql',
      ['--quiet', '--set=ON_ERROR_STOP=1', '--file=examples/compose/postgres/roles.sql'],
      {
        env: psqlEnvironment(),
      },
    );
    pooler = await Pooler.start(cluster, {
      ini: readFileSync('examples/compose/pgbouncer/pgbouncer.ini', 'utf8'),
      user: 'pairmint_app',
      password: passwords.app,
    });
  });
  afterAll(async () => {
    await pooler?.stop();
    await cluster?.remove();
  });

  it('works with the same arguments, roles and pooler: migrate, init, server and worker', async () => {
    const folder = temporaryFolder();
    const here = (text: string) =>
      text
        .replace('@postgres:5432', `@127.0.0.1:${cluster.port}`)
        .replace('@pgbouncer:6432', `@127.0.0.1:${pooler.port}`);
    const { environment } = services.server as unknown as { environment: Record<string, string> };
    const env = {
      PAIRMINT_STORE: here(environment.PAIRMINT_STORE as string),
      PAIRMINT_ROOT_KEY_FILE: `${folder}/root.key`,
      PGPASSWORD: passwords.app,
    };
    const commands = new Commands(`${folder}/home`, { env });
    const argumentsOf = (name: string) => {
      const { command = [] } = services[name] ?? {};
      // Ports of containers are their own.
      return command.map((word) => here(word).replace('--metrics-port=9464', '--metrics-port=0'));
    };
    const owner = new Commands(`${folder}/home`, { env: { PGPASSWORD: passwords.owner } });
    const migrated = await owner.run(...argumentsOf('migrate'));
    expect(migrated).toMatchObject({ code: 0 });
    // As it does when the services are started again.
    for (let i = 0; i < 2; i++) {
      const made = await commands.run(...argumentsOf('init'));
      expect([made.code, JSON.parse(made.stdout)]).toMatchObject([0, { Region: 'eu-central-1' }]);
    }
    const started = commands.start(...argumentsOf('server'), '--port=0');
    const said = await firstLine(started.child.stdout, /listening on (\S+)/);
    const url = said.replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const worker = commands.start(...argumentsOf('worker'));
    const metrics = await firstLine(worker.child.stderr, /metrics at (\S+)/);
    const text = await (await fetch(metrics.replace('0.0.0.0', '127.0.0.1'))).text();
    expect(text).toContain('pairmint_store_cut_off 0');
    const dump = execFileSync('pg_dump', ['--schema=pairmint', '--role=pairmint_backup'], {
      env: psqlEnvironment(),
      encoding: 'utf8',
    });
    expect(dump).toMatch(/^COPY pairmint\.record/m);
    for (const { child, ended } of [worker, started]) {
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 0 });
    }
  }, 180_000);
});

/** What the first match in a stream has captured. */
async function firstLine(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    stream.on('data', (bytes) => {
      text += bytes;
      const [, found] = pattern.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
}
