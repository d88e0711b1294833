import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startServer } from '../../support/server-process.mjs';

interface Cli {
  readonly command: string;
  readonly version: string;
  /** The exit code for a request that the service refuses. */
  readonly refused: number;
}

/** Every AWS CLI on the PATH, one of each version. */
const found: readonly Cli[] = [
  ...new Map(
    (process.env.PATH ?? '')
      .split(path.delimiter)
      .map((folder) => path.join(folder, 'aws'))
      .filter((command) => existsSync(command))
      .map((command) => {
        const output = execFileSync(command, ['--version'], { encoding: 'utf8' });
        const [, version = ''] = /^aws-cli\/(\S+)/.exec(output) ?? [];
        return [version, { command, version, refused: version.startsWith('1.') ? 255 : 254 }];
      }),
  ).values(),
];

// A command takes a second where nothing else runs, and many where much does.
const patience = { timeout: 240_000 };
const principal = 'arn:aws:iam::000000000000:user/alice';
const modelFile = new URL('../../../lib/model/service-2.json', import.meta.url);

let server: Awaited<ReturnType<typeof startServer>>;
let environment: Record<string, string>;

beforeAll(async () => {
  server = await startServer();
  environment = await environmentFor(server);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

/** A home with nothing but the model, which Debian's CLI is older than, and an access key. */
async function environmentFor({ home, accessKey }: typeof server): Promise<Record<string, string>> {
  const models = path.join(home, '.aws/models/kms/2014-11-01');
  mkdirSync(models, { recursive: true });
  cpSync(modelFile, path.join(models, 'service-2.json'));
  const { accessKeyId, secretAccessKey } = await accessKey(principal);
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line as one types it, but for the endpoint. */
function shell(
  line: string,
  { command }: Cli,
  more: Record<string, string> = {},
): Promise<Outcome> {
  const aws = `aws() { ${command} --endpoint-url "$ENDPOINT" "$@"; }\n`;
  const env = { ENDPOINT: server.url, ...environment, ...more };
  return new Promise((resolve) => {
    execFile('bash', ['-c', aws + line], { env, cwd: server.home }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

/** What a line prints that succeeds, as JSON. */
async function json(line: string, cli: Cli) {
  const { code, stdout, stderr } = await shell(line, cli);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

async function newKeyId(cli: Cli): Promise<string> {
  return (await json('aws kms create-key', cli)).KeyMetadata.KeyId;
}

it('there is an AWS CLI 2 to test with', (context) => {
  const has2 = found.some(({ version }) => version.startsWith('2.'));
  if (!has2 && process.env.CI === undefined)
    context.skip('install Debian’s awscli for these tests');
  expect(has2).toBe(true);
});

describe.each(found)('AWS CLI $version', patience, (cli) => {
  it('makes a pair as its manual says, and OpenSSL reads what is decrypted', async () => {
    const KeyId = await newKeyId(cli);
    // The example of the manual's page, word by word.
    const example = `aws kms generate-data-key-pair-without-plaintext \\
        --key-id 1234abcd-12ab-34cd-56ef-1234567890ab \\
        --key-pair-spec ECC_NIST_P384`;
    const line = example.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, KeyId);
    const { PrivateKeyCiphertextBlob, PublicKey, ...rest } = await json(line, cli);
    expect(rest).toEqual({
      KeyId: expect.stringMatching(`^arn:aws:kms:us-east-1:000000000000:key/${KeyId}$`),
      KeyPairSpec: 'ECC_NIST_P384',
      KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const blob = path.join(server.home, KeyId);
    writeFileSync(blob, Buffer.from(PrivateKeyCiphertextBlob, 'base64'));
    const { stdout, stderr } = await shell(
      `set -o pipefail
       aws kms decrypt --ciphertext-blob fileb://${blob} --output text --query Plaintext |
         base64 -d | openssl pkey -inform DER -pubout -outform DER | base64 -w 0`,
      cli,
    );
    expect(stderr).toBe('');
    expect(stdout).toBe(PublicKey);
  });

  it('makes a pair with its plaintext, under an encryption context', async () => {
    const KeyId = await newKeyId(cli);
    const context = '--encryption-context purpose=test,stage=x';
    const pair = await json(
      `aws kms generate-data-key-pair --key-id ${KeyId} --key-pair-spec RSA_2048 ${context}`,
      cli,
    );
    const blob = path.join(server.home, KeyId);
    writeFileSync(blob, Buffer.from(pair.PrivateKeyCiphertextBlob, 'base64'));
    const decrypt = `aws kms decrypt --ciphertext-blob fileb://${blob}`;
    expect((await json(`${decrypt} ${context}`, cli)).Plaintext).toBe(pair.PrivateKeyPlaintext);
    expect(await shell(decrypt, cli)).toMatchObject({
      code: cli.refused,
      stdout: '',
      stderr: expect.stringContaining('An error occurred (InvalidCiphertextException)'),
    });
  });

  it('makes aliases and grants, and finds a key by them', async () => {
    const KeyId = await newKeyId(cli);
    const alias = `alias/${KeyId}`;
    const silent = { code: 0, stdout: '', stderr: '' };
    const create = `aws kms create-alias --alias-name ${alias} --target-key-id ${KeyId}`;
    expect(await shell(create, cli)).toEqual(silent);
    const { KeyMetadata } = await json(`aws kms describe-key --key-id ${alias}`, cli);
    expect(KeyMetadata.KeyId).toBe(KeyId);
    // Seconds by CLI 1, text by CLI 2.
    const created = KeyMetadata.CreationDate * 1000 || Date.parse(KeyMetadata.CreationDate);
    expect(Math.abs(created - Date.now())).toBeLessThan(600_000);
    const grant = await json(
      `aws kms create-grant --key-id ${KeyId} --grantee-principal ${principal} \\
         --operations Decrypt DescribeKey --constraints EncryptionContextSubset={purpose=test}`,
      cli,
    );
    const { Grants } = await json(`aws kms list-grants --key-id ${KeyId}`, cli);
    expect(Grants).toMatchObject([
      {
        GrantId: grant.GrantId,
        Operations: ['Decrypt', 'DescribeKey'],
        Constraints: { EncryptionContextSubset: { purpose: 'test' } },
      },
    ]);
    const revoke = `aws kms revoke-grant --key-id ${KeyId} --grant-id ${grant.GrantId}`;
    expect(await shell(revoke, cli)).toEqual(silent);
  });

  it('reads a list page by page', async () => {
    const KeyId = await newKeyId(cli);
    const tags = Array.from({ length: 5 }, (_, i) => `TagKey=${i},TagValue=x`);
    await shell(`aws kms tag-resource --key-id ${KeyId} --tags ${tags.join(' ')}`, cli);
    const list = `aws kms list-resource-tags --key-id ${KeyId} --page-size 2`;
    const keys = ({ Tags }: { Tags: { TagKey: string }[] }) => Tags.map(({ TagKey }) => TagKey);
    expect(keys(await json(list, cli))).toEqual(['0', '1', '2', '3', '4']);
    const first = await json(`${list} --max-items 3`, cli);
    expect(keys(first)).toEqual(['0', '1', '2']);
    const rest = await json(`${list} --starting-token ${first.NextToken}`, cli);
    expect(keys(rest)).toEqual(['3', '4']);
  });

  it.each([
    [
      'describe-key --key-id alias/absent',
      {},
      'An error occurred (NotFoundException) when calling the DescribeKey operation: ' +
        `Alias arn:aws:kms:us-east-1:000000000000:alias/absent is not found.`,
    ],
    [
      'generate-data-key-pair --key-id alias/absent --key-pair-spec RSA_1024',
      {},
      'An error occurred (ValidationException) when calling the GenerateDataKeyPair operation: ' +
        "1 validation error detected: Value 'RSA_1024' at 'keyPairSpec' failed to satisfy",
    ],
    [
      'list-keys',
      { AWS_SECRET_ACCESS_KEY: 'wrong' },
      'An error occurred (InvalidSignatureException) when calling the ListKeys operation: ' +
        'The request signature we calculated does not match the signature you provided.',
    ],
    [
      'list-keys --no-sign-request',
      {},
      'An error occurred (MissingAuthenticationTokenException) when calling the ListKeys ' +
        'operation: Missing Authentication Token',
    ],
  ])('says what is wrong with %s %j', async (line, more, text) => {
    expect(await shell(`aws kms ${line}`, cli, more)).toEqual({
      code: cli.refused,
      stdout: '',
      stderr: expect.stringContaining(text),
    });
  });
});

describe.each(found)('AWS CLI $version over TLS', patience, (cli) => {
  it('trusts the certificate that it is given, and no other', async () => {
    const { home } = server;
    const [cert, key] = [path.join(home, 'cert.pem'), path.join(home, 'key.pem')];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const files = ['-keyout', key, '-out', cert, '-days', '2'];
    execFileSync('openssl', ['req', ...kind, ...subject, ...files], { stdio: 'pipe' });
    const secure = await startServer('--tls-cert', cert, '--tls-key', key);
    onTestFinished(async () => {
      expect(await secure.stop()).toBe(0);
    });
    const env = { ...(await environmentFor(secure)), ENDPOINT: secure.url };
    const trusting = await shell(`aws kms list-keys --ca-bundle ${cert}`, cli, env);
    expect(trusting).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(trusting.stdout)).toEqual({ Keys: [] });
    const wary = await shell('aws kms list-keys', cli, env);
    expect(wary).toMatchObject({
      code: expect.toSatisfy((code) => code > 250),
      stderr: expect.stringContaining('SSL validation failed'),
    });
  });
});
