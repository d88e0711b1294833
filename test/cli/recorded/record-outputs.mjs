// Records what a real AWS CLI version 2 prints of the responses in responses.json, so that the tests
// can compare without having one. Only needed to add cases:
//
//     node test/cli/recorded/record-outputs.mjs PATH_OF_AWS
//
// outputs.json was recorded with aws-cli 2.9.19 (Debian 12) and the API model of lib/model, which
// that version reads from ~/.aws/models/kms/2014-11-01/: service-2.json, and beside it
// paginators-1.json as botocore has it today, for that version lacks some lists of KMS.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const formats = ['json', 'text', 'table', 'yaml', 'yaml-stream'];
const tables = {
  operations: {
    describeKey: ['describe-key', '--key-id', 'k'],
    describeKeyWithReplicas: ['describe-key', '--key-id', 'k'],
    listKeys: ['list-keys'],
    listNoKeys: ['list-keys'],
    listAliases: ['list-aliases'],
    listGrants: ['list-grants', '--key-id', 'k'],
    listKeyPolicies: ['list-key-policies', '--key-id', 'k'],
    getKeyPolicy: ['get-key-policy', '--key-id', 'k', '--policy-name', 'default'],
    listResourceTags: ['list-resource-tags', '--key-id', 'k'],
    listKeyRotations: ['list-key-rotations', '--key-id', 'k'],
    getKeyRotationStatus: ['get-key-rotation-status', '--key-id', 'k'],
    getParametersForImport: [
      'get-parameters-for-import',
      ...['--key-id', 'k', '--wrapping-algorithm', 'RSAES_OAEP_SHA_256'],
      ...['--wrapping-key-spec', 'RSA_2048'],
    ],
    getPublicKey: ['get-public-key', '--key-id', 'k'],
    generateDataKeyPair: [
      'generate-data-key-pair',
      '--key-id',
      'k',
      '--key-pair-spec',
      'ECC_NIST_P256',
    ],
    sign: [
      'sign',
      ...['--key-id', 'k', '--message', 'AQID', '--signing-algorithm', 'ECDSA_SHA_256'],
    ],
    verify: [
      'verify',
      ...['--key-id', 'k', '--message', 'AQID', '--signature', 'AQID'],
      ...['--signing-algorithm', 'ECDSA_SHA_256'],
    ],
    describeCustomKeyStores: ['describe-custom-key-stores'],
    deleteAlias: ['delete-alias', '--alias-name', 'alias/a'],
  },
  /** Printed in every format. */
  queries: {
    describeKey: [
      'KeyMetadata.Arn',
      'KeyMetadata.Enabled',
      'KeyMetadata.CreationDate',
      'KeyMetadata.Nope',
      'KeyMetadata.Description',
      'KeyMetadata.[KeyId,KeyState,Enabled]',
      'KeyMetadata.{Id:KeyId,State:KeyState}',
      'KeyMetadata.SigningAlgorithms',
      '[KeyMetadata.KeyState,`1`,`1.0`,`1e20`,`null`,`false`]',
      'length(KeyMetadata)',
      '`[]`',
      '`{}`',
    ],
    describeKeyWithReplicas: [
      'KeyMetadata.MultiRegionConfiguration.ReplicaKeys[].Region',
      'KeyMetadata.MultiRegionConfiguration.ReplicaKeys[*].[Region,Arn]',
      'KeyMetadata.MultiRegionConfiguration.[PrimaryKey,ReplicaKeys]',
      'KeyMetadata.MultiRegionConfiguration.[PrimaryKey.Region,ReplicaKeys[].Region]',
      'KeyMetadata.MultiRegionConfiguration.[ReplicaKeys,ReplicaKeys]',
    ],
    listGrants: [
      'Grants[].{Id:GrantId,Operations:Operations}',
      "Grants[?CreationDate>='2024'].[GrantId,Name]",
      'Grants[?Name==`nightly`].GrantId',
      'Grants[0].Constraints',
      'sort_by(Grants,&CreationDate)[-1].GrantId',
      'Grants[*].Operations',
      'Grants[].Nope',
    ],
    listResourceTags: ['Tags[].TagValue', "Tags[?starts_with(TagKey,'y')]"],
    deleteAlias: ['AliasName'],
  },
  /** Printed as JSON and as text. */
  expressions: [
    'keys(KeyMetadata)',
    'KeyMetadata.*',
    '*.KeyId',
    "contains(KeyMetadata.Arn,'key/')",
    "KeyMetadata.KeyState=='Enabled' && 'usable'",
    'not_null(KeyMetadata.Nope,KeyMetadata.KeyState)',
    'KeyMetadata.SigningAlgorithms[::-1]',
    'KeyMetadata.SigningAlgorithms | [0]',
    "join(' ',KeyMetadata.SigningAlgorithms[?contains(@,'256')])",
    'to_string(KeyMetadata.[Enabled,SigningAlgorithms])',
    '`raw text`',
    "'it\\'s'",
    'avg(`[1,2]`)',
    "'2024'<`1`",
    "KeyMetadata.CreationDate<'2020'",
    'constructor',
    '!KeyMetadata.MultiRegion',
  ],
  /** Refused before a request is made, or when the response is there. */
  badExpressions: [
    ...[
      '',
      'bad[',
      '[',
      'a.',
      'a..b',
      'a b',
      '(a',
      '{a:b',
      '[a b]',
      'a[?b',
      'a=b',
      'a-b',
      '-',
      '#',
    ],
    ...["'abc", '`[1,`', '"\\x"', '"a"(b)', '@(b)', 'a[1:2:3:4]', 'a[:b]', 'a.1', 'a{', '*a', 'é.'],
    ...[
      'foo()',
      'abs()',
      'not_null()',
      'length(`1`)',
      'sum(`["a"]`)',
      'sort_by([KeyMetadata],&Nope)',
    ],
    ...["'a'<`1`", "contains('a',`1`)", "[KeyMetadata,'x']"],
  ],
  /** Of a list of three in two pages. */
  paging: [
    ...[[], ['--no-paginate'], ['--limit', '2'], ['--marker', 'm'], ['--query', 'Keys[].KeyId']],
    ...[
      ['--query', 'Truncated'],
      ['--page-size', '2'],
      ['--page-size', '0'],
      ['--page-size', 'x'],
    ],
    ...[
      ['--max-items', '1'],
      ['--max-items', '2'],
      ['--max-items', '3'],
      ['--max-items', '9'],
    ],
    ...[
      ['--max-items', '0'],
      ['--max-items', '-1'],
      ['--max-items', '1.5'],
      ['--max-items', ' 1_0 '],
    ],
    ['--max-items', '1', '--query', 'Keys[].KeyId'],
    ['--max-items', '1', '--query', 'NextToken'],
    ...['m', 'None___1', 'm___1', 'm___x', 'a___b___c', 'WyJ4Il0=', ''].map((token) => [
      '--starting-token',
      token,
    ]),
    ...[{ Marker: 'm' }, { Marker: null, boto_truncate_amount: 1 }, { Other: 'm' }].map((token) => [
      '--starting-token',
      Buffer.from(JSON.stringify(token)).toString('base64'),
    ]),
    ['--starting-token', 'm___1', '--max-items', '1'],
    ['--starting-token', 'm', '--max-items', '1', '--page-size', '2'],
    ['--no-paginate', '--page-size', '1'],
    ['--no-paginate', '--starting-token', 'm', '--page-size', '1', '--max-items', '1'],
    ['--limit', '1', '--max-items', '1'],
  ],
};

const responses = JSON.parse(readFileSync(new URL('responses.json', import.meta.url), 'utf8'));
const usage = `usage: aws [options] <command> <subcommand> [<subcommand> ...] [parameters]
To see help text, you can run:

  aws help
  aws <command> help
  aws <command> <subcommand> help
`;

function cases() {
  const { operations, queries, expressions, badExpressions, paging } = tables;
  const inFormats = (names, name, ...args) =>
    names.map((format) => [name, [...operations[name], ...args, '--output', format]]);
  const query = (names, name, text) => inFormats(names, name, '--query', text);
  return [
    ...Object.keys(operations).flatMap((name) => inFormats(formats, name)),
    ...['listResourceTags', 'listGrants', 'describeKey'].map((name) => [
      name,
      [...operations[name], '--output', 'table', '--color', 'on'],
    ]),
    ...Object.entries(queries).flatMap(([name, texts]) =>
      texts.flatMap((text) => query(formats, name, text)),
    ),
    ...expressions.flatMap((text) => query(['json', 'text'], 'describeKey', text)),
    ...badExpressions.flatMap((text) => query(['text'], 'describeKey', text)),
    ...paging.flatMap((args) => inFormats(['json', 'text'], 'listKeys', ...args)),
    ...inFormats(['table', 'yaml', 'yaml-stream'], 'listKeys', '--max-items', '1'),
    ...inFormats(['yaml-stream'], 'listKeys', '--starting-token', 'm___1'),
    ...inFormats(formats, 'listKeys', '--no-paginate'),
    ...['json', 'text'].map((format) => ['listKeysForEver', ['list-keys', '--output', format]]),
  ];
}

async function record([name, args]) {
  const requests = [];
  const bodies = [...responses[name]];
  const server = createServer(async (request, response) => {
    requests.push(JSON.parse(await text(request)));
    response.end(JSON.stringify(bodies.length > 1 ? bodies.shift() : bodies[0]));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_DEFAULT_REGION: 'us-east-1',
  };
  const aws = spawn(process.argv[2], ['--endpoint-url', url, 'kms', ...args], { env });
  const closed = new Promise((resolve) => aws.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(aws.stdout), text(aws.stderr)]);
  const exitCode = await closed;
  server.close();
  const complaint = stderr.replace(usage, '<usage>\n').replace('aws: error:', '<program>: error:');
  return { response: name, args, exitCode, stdout, stderr: complaint, requests };
}

const waiting = [...cases().entries()];
const recorded = [];
const worker = async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    recorded[next[0]] = await record(next[1]);
  }
};
await Promise.all([worker(), worker(), worker()]);
const file = new URL('outputs.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(recorded, undefined, 2)}\n`);
