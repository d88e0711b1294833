import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kebabCase } from '../../lib/cli/arguments/operation-names.ts';
import { type OperationName, operationShapes } from '../../lib/model/shapes.ts';
import { configurations } from './configurations.ts';
import { AwsCli, type CommandLine, findAwsCli, giveModel, type Printed } from './oracle.ts';
import { runRemote } from './run.ts';
import {
  createCredentials,
  makeCertificate,
  type Served,
  startServe,
  startSilentServer,
  startStrangeServer,
  startTlsServer,
  strangeAnswers,
  unreadableAnswers,
} from './servers.ts';

const isReadable = (answer: string) => !unreadableAnswers.includes(answer);

const command = findAwsCli();
if (command === undefined) {
  const why = 'the comparison needs an AWS CLI version 2: install awscli';
  if (process.env.CI !== undefined) throw new Error(why);
  console.warn(`skipped: ${why}`);
}

const recordedFolder = new URL('recorded/', import.meta.url);
const recorded = JSON.parse(
  readFileSync(new URL('aws-cli.json', recordedFolder), 'utf8'),
) as readonly { readonly args: readonly string[] }[];

const home = mkdtempSync(path.join(os.tmpdir(), 'pairmint-oracle-'));
const aws = command === undefined ? undefined : new AwsCli(command, home);
const servers: Record<string, Served> = {};
let base: NodeJS.ProcessEnv;
let key = '';

beforeAll(async () => {
  giveModel(home);
  writeFileSync(path.join(home, '.aws', 'config'), configuration);
  const files = makeCertificate(home);
  base = {
    HOME: home,
    PATH: '/usr/bin:/bin',
    LC_ALL: 'C.UTF-8',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_REGION: 'us-east-1',
    ...createCredentials(home),
  };
  servers.serve = await startServe(home);
  servers.strange = await startStrangeServer();
  servers.silent = await startSilentServer();
  servers.tls = await startTlsServer({
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
  });
  await prepare();
});
afterAll(async () => {
  aws?.stop();
  await Promise.all(Object.values(servers).map((server) => server.stop()));
  rmSync(home, { recursive: true });
});

const configuration = `[profile table]
output = table
region = us-east-1
[profile elsewhere]
region = eu-west-1
endpoint_url = http://127.0.0.1:1
[profile half]
region = us-east-1
aws_access_key_id = AKIAHALF
`;

/** `<serve>` and its like stand for the URLs of servers, `<home>` and `<key>` for what they name. */
function placed(args: readonly string[]): readonly string[] {
  const urls = Object.entries(servers).map(([name, { url }]) => [name, url] as const);
  const places = new Map([...urls, ['home', home], ['key', key]]);
  return args.map((word) => word.replace(/<(\w+)>/g, (whole, name) => places.get(name) ?? whole));
}

const serve = ['--endpoint-url', '<serve>', 'kms'];
const strange = ['--endpoint-url', '<strange>', 'kms'];
const describeKey = ['describe-key', '--key-id', 'alias/one'];

/** Makes a key with what describes it, and two more aliases, so that lists have pages. */
async function prepare(): Promise<void> {
  const text = 'the “first” key\nof two';
  const id = ['--query', 'KeyMetadata.KeyId', '--output', 'text'];
  key = (await run([...serve, 'create-key', '--description', text, ...id])).trim();
  for (const name of ['one', 'Owner', 'Team']) {
    await run([
      ...[...serve, 'create-alias', '--alias-name', `alias/${name}`],
      ...['--target-key-id', '<key>'],
    ]);
  }
  const tags = ['--tags', 'TagKey=a,TagValue=1', 'TagKey=b,TagValue=2'];
  await run([...serve, 'tag-resource', '--key-id', '<key>', ...tags]);
}

async function run(args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runRemote(placed(args), base);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

/** Something that both programs are given, with what of the environment it needs. */
interface Situation {
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Runs both programs and compares all that they print, and their exit codes. */
function compare(
  title: string,
  situations: readonly Situation[],
  seen = (printed: Printed) => printed,
) {
  describe.skipIf(aws === undefined)(title, () => {
    const lines = () =>
      situations.map(
        ({ args, env, cwd }): CommandLine => ({
          args: placed(args),
          env: { ...base, ...env },
          ...(cwd !== undefined && { cwd }),
        }),
      );
    let expected: readonly Printed[] = [];
    beforeAll(async () => {
      expected = (await aws?.runAll(lines())) ?? [];
    }, 600_000);

    it.each(
      situations.map(({ args, env }, index) => {
        const names = Object.entries(env ?? {}).map(([name, value]) => `${name}=${value ?? ''}`);
        return [[...names, ...args].join(' '), index] as const;
      }),
    )('%s', async (_, index) => {
      const { args, env, cwd } = lines()[index] as CommandLine;
      const before = process.cwd();
      if (cwd !== undefined) process.chdir(cwd);
      const { exitCode, stdout, stderr } = await runRemote(args, env);
      process.chdir(before);
      expect(seen({ exitCode, stdout, stderr })).toEqual(seen(expected[index] as Printed));
    });
  });
}

const files = fileURLToPath(new URL('files', recordedFolder));
compare(
  'an encryption context',
  recorded
    .filter(({ args }) => args.some((word) => word.startsWith('--encryption-context')))
    .map(({ args }) => ({ args: [...strange, ...args], cwd: files })),
);

const timestamps = [
  '2027-01-01T00:00:00Z',
  '2027-01-01T00:00:00.987+02:00',
  '2027-01-01 10:20:30 -0530',
  '2027-1-2T3:04',
  '2027-01-01',
  '2027/01/01 12:00 UTC',
  '1798761600',
  '1798761600.9',
  '1.7987616e9',
  '-1',
  '20270101',
  'Fri, 01 Jan 2027 00:00:00 GMT',
  'Fri, 01 Jan 2027 00:00:00 +0100',
  '2027-02-30T00:00:00Z',
  '2027-13-01',
  '2027-01-01T24:00:00Z',
  '2027-01-01T00:60:00Z',
  '1e15',
  'soon',
  '',
];
const importKeyMaterial = [
  ...['import-key-material', '--key-id', 'k', '--import-token', 'AQID'],
  ...['--encrypted-key-material', 'AQID'],
];
compare('a timestamp', [
  ...timestamps.map((text) => ({ args: [...strange, ...importKeyMaterial, `--valid-to=${text}`] })),
  ...['1798761600', '"2027-01-01T00:00:00"', '1798761600.5', 'true', 'null', '[]'].map((json) => ({
    args: [...strange, ...importKeyMaterial, '--cli-input-json', `{"ValidTo": ${json}}`],
  })),
  ...['1798761600', '2027-01-01T00:00:00Z', '2027-01-01', '2027-01-01 00:00:00 -5'].map((yaml) => ({
    args: [...strange, ...importKeyMaterial, '--cli-input-yaml', `ValidTo: ${yaml}`],
  })),
]);

const requests = ['--cli-input-json', '--cli-input-yaml'];
compare('what makes the required options optional', [
  ...requests.flatMap((option) => [
    { args: [...strange, 'describe-key', option, '{"KeyId": "k"}'] },
    { args: [...strange, 'describe-key', `${option}={"KeyId": "k"}`] },
    { args: [...strange, 'describe-key', option.slice(0, -1), '{"KeyId": "k"}'] },
    { args: [...strange, 'describe-key', option.slice(0, -1), '{}', '--key-id', 'k'] },
  ]),
  { args: ['kms', 'describe-key', '--generate-cli-skeleton=input'] },
  { args: ['kms', 'describe-key', '--generate-cli-skel'] },
]);

compare(
  'a configuration file',
  Object.entries(configurations).map(([title, [text]]) => {
    const file = path.join(home, `${title}.ini`);
    writeFileSync(file, text);
    // A profile of the command line would forbid the credentials of the environment.
    return { args: [...serve, ...describeKey], env: { AWS_PROFILE: 'p', AWS_CONFIG_FILE: file } };
  }),
);

const operationNames = Object.keys(operationShapes) as OperationName[];
compare(
  'a skeleton in JSON',
  operationNames.map((name) => ({ args: ['kms', kebabCase(name), '--generate-cli-skeleton'] })),
);

// The comments are sentences: AWS's there, our own here.
compare(
  'a skeleton in YAML, but for its comments',
  operationNames.map((name) => ({
    args: ['kms', kebabCase(name), '--generate-cli-skeleton', 'yaml-input'],
  })),
  ({ stdout, ...others }) => ({ ...others, stdout: stdout.replace(/ +#.*/g, '') }),
);

const formats = ['json', 'text', 'table', 'yaml', 'yaml-stream'];
const answers = [
  describeKey,
  ['list-aliases'],
  ['list-keys'],
  ['list-aliases', '--max-items', '1'],
  ['list-aliases', '--page-size', '1'],
  ['list-aliases', '--limit', '1'],
  ['list-resource-tags', '--key-id', '<key>'],
  ['get-key-policy', '--key-id', '<key>'],
  ['list-key-policies', '--key-id', '<key>'],
  ['get-key-rotation-status', '--key-id', '<key>'],
  ['list-grants', '--key-id', '<key>'],
  ['enable-key', '--key-id', '<key>'],
];
compare(
  'an answer',
  answers.flatMap((args) =>
    formats.map((format) => ({ args: [...serve, ...args, '--output', format] })),
  ),
);

const queries = [
  'KeyMetadata.KeyId',
  'KeyMetadata.Enabled',
  'KeyMetadata.Nope',
  'KeyMetadata.[KeyId,KeyState]',
  'KeyMetadata.{Id:KeyId,State:KeyState}',
  'KeyMetadata.EncryptionAlgorithms',
  'keys(KeyMetadata)',
  'length(KeyMetadata.Arn)',
];
compare(
  'what a query selects',
  queries.flatMap((query) =>
    formats.map((format) => ({
      args: [...serve, ...describeKey, '--query', query, '--output', format],
    })),
  ),
);

const unset = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
const described = [...describeKey, '--endpoint-url', '<serve>'];
compare('a complaint', [
  ...Object.keys(strangeAnswers)
    .filter(isReadable)
    .map((answer) => ({
      args: ['--endpoint-url', `<strange>${answer}`, 'kms', ...describeKey],
    })),
  { args: ['--endpoint-url', '<strange>/close', 'kms', ...describeKey] },
  { args: ['--endpoint-url', '<strange>/hang', '--cli-read-timeout', '1', 'kms', ...describeKey] },
  { args: ['--endpoint-url', 'http://127.0.0.1:1', 'kms', ...describeKey] },
  { args: ['--endpoint-url', 'http://127.0.0.1:1/path', 'kms', ...describeKey] },
  { args: ['--endpoint-url', 'http://nobody.invalid/', 'kms', ...describeKey] },
  {
    args: [
      ...['--endpoint-url', '<silent>', '--cli-read-timeout', '1', '--cli-connect-timeout', '1'],
      ...['kms', ...describeKey],
    ],
  },
  { args: ['--endpoint-url', '<tls>', '--ca-bundle', '<home>/cert.pem', 'kms', 'list-keys'] },
  { args: ['--endpoint-url', '<tls>', '--ca-bundle', '/nowhere', 'kms', 'list-keys'] },
  { args: ['--endpoint-url', '<tls>', '--ca-bundle', '/etc/passwd', 'kms', 'list-keys'] },
  { args: ['--endpoint-url', '<strange>', '--ca-bundle', '/nowhere', 'kms', ...describeKey] },
  {
    args: ['--endpoint-url', '<tls>', 'kms', 'list-keys'],
    env: { AWS_CA_BUNDLE: path.join(home, 'cert.pem') },
  },
  { args: ['--no-sign-request', ...serve, ...describeKey] },
  { args: ['--no-sign-request', ...strange, ...describeKey], env: unset },
  { args: [...serve, ...describeKey], env: unset },
  { args: [...serve, ...describeKey], env: { AWS_SECRET_ACCESS_KEY: undefined } },
  { args: [...serve, ...describeKey], env: { AWS_ACCESS_KEY_ID: undefined } },
  { args: [...serve, ...describeKey], env: { AWS_SECRET_ACCESS_KEY: 'wrong' } },
  { args: [...serve, ...describeKey], env: { AWS_REGION: undefined } },
  {
    args: [...serve, ...describeKey],
    env: { AWS_REGION: undefined, AWS_DEFAULT_REGION: 'us-east-1' },
  },
  { args: [...serve, ...describeKey], env: { AWS_REGION: 'eu-west-1' } },
  { args: [...serve, ...describeKey], env: { AWS_PROFILE: 'nope' } },
  { args: [...serve, ...describeKey], env: { AWS_PROFILE: 'half', ...unset } },
  { args: [...serve, ...describeKey], env: { AWS_PROFILE: 'table' } },
  { args: [...serve, ...describeKey], env: { AWS_PROFILE: 'table', AWS_DEFAULT_OUTPUT: 'text' } },
  { args: [...serve, ...describeKey], env: { AWS_DEFAULT_OUTPUT: 'nonsense' } },
  { args: ['--profile', 'nope', ...serve, ...describeKey] },
  { args: ['--profile', 'nope', ...serve, 'describe-key'] },
  { args: ['--profile', 'nope', ...serve, 'describe-key', '--key-id', 'k', '--key', 'v'] },
  { args: ['--profile', 'elsewhere', ...serve, ...describeKey] },
  { args: ['--profile', 'half', ...serve, ...describeKey] },
  { args: [...strange, ...describeKey, '--region', 'bad region'] },
  { args: [...strange, ...describeKey, '--region', 'mars-1'] },
  { args: ['kms', ...described, '--output', 'x'] },
  { args: ['kms', ...described, '--output'] },
  { args: ['kms', ...described, '--outp', 'text'] },
  { args: ['kms', ...described, '--output', 'text', '--output', 'yaml'] },
  { args: ['kms', ...described, '--color', 'purple'] },
  { args: ['kms', ...described, '--color', 'on', '--output', 'table'] },
  { args: ['kms', ...described, '--cli-binary-format', 'x'] },
  { args: ['kms', ...described, '--cli-read-timeout', '1x'] },
  { args: ['kms', ...described, '--cli-connect-timeout', '-1'] },
  { args: ['kms', ...described, '--cli-read-timeout', '0', '--cli-connect-timeout', '0'] },
  { args: ['kms', ...described, '--cli-', 'x'] },
  { args: ['kms', ...described, '--query', 'bad['] },
  { args: ['kms', 'describe-keys', '--query', 'bad['] },
  { args: ['kms', 'describe-key', '--query', 'bad['] },
  { args: ['kms', ...described, '--no-cli-pager='] },
  { args: ['kms', ...described, '--no-cli-auto-prompt', '--cli-auto-prompt'] },
  { args: ['kms', ...describeKey, '--endpoint-url', 'not-a-url'] },
  { args: ['kms', ...describeKey, '--endpoint-url', 'ftp://127.0.0.1/'] },
  { args: ['kms', ...describeKey, '--endpoint-url', 'http:///x'] },
  { args: [...serve, 'describe-key', '--key-id', 'alias/none'] },
  { args: [...serve, 'describe-key', '--key-id', ''] },
  { args: [...serve, 'describe-key', '--key-id', ''], env: { AWS_REGION: undefined } },
  { args: [...serve, 'describe-key', '--key-id', ''], env: { AWS_SECRET_ACCESS_KEY: undefined } },
  { args: [...serve, 'describe-key'] },
  { args: [...serve, 'describe-key', '--key-id'] },
  { args: [...serve, ...describeKey, '--bogus', '1'] },
  { args: [...serve, ...describeKey, 'word'] },
  { args: [...serve, ...describeKey, '--generate-cli-skeleton', 'bogus'] },
  { args: [...serve, 'describe-keys'] },
  { args: ['kms'] },
  { args: [] },
  { args: [...strange, 'decrypt', '--ciphertext-blob', 'not base64!'] },
  { args: [...strange, 'decrypt', '--ciphertext-blob', 'AQID'] },
  {
    args: [
      ...strange,
      'decrypt',
      '--ciphertext-blob',
      'AQID',
      '--cli-binary-format',
      'raw-in-base64-out',
    ],
  },
  { args: [...serve, 'list-aliases', '--no-paginate', '--page-size', '1'] },
  { args: [...serve, 'list-aliases', '--starting-token', 'nonsense'] },
  { args: [...strange, ...describeKey], env: { AWS_RETRY_MODE: 'legacy' } },
  { args: [...strange, ...describeKey], env: { AWS_MAX_ATTEMPTS: 'x' } },
  {
    args: ['--endpoint-url', '<strange>/internal', 'kms', ...describeKey],
    env: { AWS_MAX_ATTEMPTS: '1' },
  },
  {
    args: [
      ...[...serve, 'generate-data-key-pair-without-plaintext', '--key-id', 'alias/one'],
      ...['--key-pair-spec', 'ECC_NIST_P256', '--dry-run'],
    ],
  },
  {
    args: [
      ...[...serve, 'generate-data-key-pair-without-plaintext', '--key-id', 'alias/one'],
      ...['--key-pair-spec', 'SM2', '--query', '[KeyId,KeyPairSpec]', '--output', 'text'],
    ],
  },
]);
