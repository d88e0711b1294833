// What is fed with spoilt input, and what must hold of each answer. Runs on the compiled package.
// Each target prepares a service and gives the property that fast-check tries.
import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
} from 'node:crypto';
import { devNull } from 'node:os';
import fc from 'fast-check';
import { main } from '../../dist/cli/main.js';
import { createHandler, headerFields } from '../../dist/server.js';

/** Something that must not have been answered so. */
class Finding extends Error {
  name = 'Finding';
}

const edit = fc.record({
  kind: fc.constantFrom('flip', 'set', 'insert', 'remove', 'repeat', 'cut'),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
});
const edits = fc.array(edit, { minLength: 1, maxLength: 6 });

const kinds = {
  flip: (text, at, [byte]) => text.with(at, text[at] ^ (1 << (byte & 7))),
  set: (text, at, [byte]) => text.with(at, byte),
  insert: (text, at, bytes) => Buffer.concat([text.subarray(0, at), bytes, text.subarray(at)]),
  remove: (text, at, [byte]) =>
    Buffer.concat([text.subarray(0, at), text.subarray(at + 1 + (byte & 15))]),
  repeat: (text, at, [byte]) =>
    Buffer.concat([text.subarray(0, at + (byte & 63)), text.subarray(at)]),
  cut: (text, at) => text.subarray(0, at),
};

function spoil(original, changes) {
  let spoilt = Buffer.from(original);
  for (const { kind, at, bytes } of changes) {
    if (spoilt.length === 0) return spoilt;
    spoilt = Buffer.from(kinds[kind](spoilt, Math.floor(at * spoilt.length), bytes));
  }
  return spoilt;
}

const spoiltText = (original, changes) => spoil(original, changes).toString('utf8');

/** Resolves to the name of the refusal, or undefined. Anything else than a refusal is a finding. */
async function refusal(promise) {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (typeof error.$fault !== 'string' || error.name === 'KMSInternalException') {
      throw new Finding(`${error.stack}\n${error.cause?.stack ?? ''}`);
    }
    return error.name;
  }
}

function expectOneOf(name, allowed) {
  if (!allowed.includes(name)) throw new Finding(`answered with ${name ?? 'success'}`);
}

// docs/envelope.md: where a blob names its key. A blob of no key here is refused as AWS does.
const keyIdOf = (blob) => blob.subarray(8, 24);

/** A ciphertext: every spoilt one is refused alike, or for its length or key. */
async function ciphertexts(kms) {
  const KeyId = 'alias/pairmint/default';
  const EncryptionContext = { of: 'the fuzzer' };
  const request = { KeyId, EncryptionContext };
  const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext: Buffer.from('plain') });
  const pair = await kms.generateDataKeyPairWithoutPlaintext({
    ...request,
    KeyPairSpec: 'ECC_NIST_P256',
  });
  const blobs = [CiphertextBlob, pair.PrivateKeyCiphertextBlob].map((blob) => Buffer.from(blob));
  return fc.asyncProperty(
    fc.record({ blob: fc.constantFrom(...blobs), changes: edits }),
    async ({ blob, changes }) => {
      const spoilt = spoil(blob, changes);
      const name = await refusal(kms.decrypt({ EncryptionContext, CiphertextBlob: spoilt }));
      if (spoilt.equals(blob)) return expectOneOf(name, [undefined]);
      if (spoilt.length === 0 || spoilt.length > 6144) {
        return expectOneOf(name, ['ValidationException']);
      }
      const sameKey = keyIdOf(spoilt).equals(keyIdOf(blob));
      const names = ['InvalidCiphertextException', ...(sameKey ? [] : ['AccessDeniedException'])];
      expectOneOf(name, names);
    },
  );
}

/** A private key to import: refused, or a key that signs what its public key verifies. */
async function keyMaterial(kms) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const { KeyMetadata } = await kms.createKey({
    KeySpec: 'ECC_NIST_P256',
    KeyUsage: 'SIGN_VERIFY',
    Origin: 'EXTERNAL',
  });
  const { KeyId } = KeyMetadata;
  const parameters = await kms.getParametersForImport({
    KeyId,
    WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
    WrappingKeySpec: 'RSA_2048',
  });
  const key = createPublicKey({
    key: Buffer.from(parameters.PublicKey),
    format: 'der',
    type: 'spki',
  });
  const wrap = (material) =>
    publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, material);
  const message = { KeyId, Message: Buffer.from('message'), SigningAlgorithm: 'ECDSA_SHA_256' };
  return fc.asyncProperty(
    fc.record({ part: fc.constantFrom('material', 'wrapped', 'token'), changes: edits }),
    async ({ part, changes }) => {
      const of = (name, original) => (part === name ? spoil(original, changes) : original);
      const material = of('material', der);
      // More does not fit into the padding.
      if (material.length > 190) return;
      const imported = await refusal(
        kms.importKeyMaterial({
          KeyId,
          ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
          EncryptedKeyMaterial: of('wrapped', wrap(material)),
          ImportToken: of('token', Buffer.from(parameters.ImportToken)),
        }),
      );
      if (imported !== undefined) return;
      const { Signature } = await kms.sign(message);
      const { SignatureValid } = await kms.verify({ ...message, Signature });
      if (!SignatureValid) throw new Finding('imported a key that does not verify its signature');
      await kms.deleteImportedKeyMaterial({ KeyId });
    },
  );
}

/** A policy: refused, or one that can be read, evaluated and replaced. */
async function policies(kms) {
  const { KeyMetadata } = await kms.createKey({});
  const { KeyId } = KeyMetadata;
  const { Policy: usual } = await kms.getKeyPolicy({ KeyId, PolicyName: 'default' });
  const rich = JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Sid: 'one',
      Effect: 'Allow',
      Principal: { AWS: ['arn:aws:iam::000000000000:user/*', '000000000000'] },
      NotAction: ['kms:Decrypt*', 'kms:?ncrypt'],
      Resource: '*',
      Condition: {
        StringLike: { 'kms:EncryptionContext:a': ['b*', 'c?'] },
        'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['a'] },
        NumericLessThan: { 'kms:RotationPeriodInDays': '365' },
        IpAddress: { 'aws:SourceIp': '10.0.0.0/8' },
        DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' },
        Bool: { 'kms:GrantIsForAWSResource': 'true' },
      },
    },
  });
  const somebody = kms.as('arn:aws:iam::000000000000:user/somebody');
  return fc.asyncProperty(
    fc.record({ policy: fc.constantFrom(usual, rich), changes: edits }),
    async ({ policy, changes }) => {
      const Policy = spoiltText(policy, changes);
      const name = await refusal(
        kms.putKeyPolicy({ KeyId, Policy, BypassPolicyLockoutSafetyCheck: true }),
      );
      if (name === undefined) {
        const EncryptionContext = { a: 'b' };
        await refusal(somebody.generateDataKey({ KeyId, KeySpec: 'AES_256', EncryptionContext }));
        await refusal(somebody.describeKey({ KeyId }));
      }
    },
  );
}

/** A call over HTTP: an answer that clients can read, and never a failure of the server's own. */
async function calls(kms) {
  const handle = createHandler(kms, { auth: false });
  const body = JSON.stringify({
    KeyId: 'alias/pairmint/default',
    KeyPairSpec: 'ECC_NIST_P256',
    EncryptionContext: { a: 'b' },
    GrantTokens: ['token'],
    DryRun: true,
  });
  const targets = ['GenerateDataKeyPair', 'DescribeKey', 'Encrypt', 'CreateGrant', 'TagResource'];
  return fc.asyncProperty(
    fc.record({
      operation: fc.constantFrom(...targets),
      part: fc.constantFrom('method', 'path', 'type', 'target', 'body'),
      changes: edits,
    }),
    async ({ operation, part, changes }) => {
      const of = (name, text) => (part === name ? spoil(text, changes) : Buffer.from(text));
      const text = (name, original) => of(name, original).toString('latin1');
      const answer = await handle({
        method: text('method', 'POST'),
        path: text('path', '/?a=b'),
        headers: new Map([
          ['host', ['localhost']],
          ['content-type', [text('type', 'application/x-amz-json-1.1')]],
          ['x-amz-target', [text('target', `TrentService.${operation}`)]],
        ]),
        body: of('body', body),
      });
      if (answer.status >= 500) throw new Finding(`${answer.status} ${answer.body}`);
      if (answer.body.startsWith('{')) JSON.parse(answer.body);
    },
  );
}

const nameOf = ({ body }) => /"__type":"(\w+)"/.exec(body)?.[1] ?? /^<(\w+)>/.exec(body)?.[1];

const longest = 2000;

/** What `work` resolves to; it must not hold anything up. */
async function atOnce(work) {
  const began = performance.now();
  const result = await work();
  const took = performance.now() - began;
  if (took > longest) throw new Finding(`took ${took} ms`);
  return result;
}

const bracket = fc.constantFrom('[', '{', '{"a":', '"', '\\', ']', '}', ',', '"a"', ':', '0', ' ');
const tangles = fc.oneof(
  fc.array(bracket, { maxLength: 300 }).map((parts) => parts.join('')),
  fc
    .record({ unit: bracket, times: fc.nat(120_000) })
    .map(({ unit, times }) => unit.repeat(times).slice(0, 131_072)),
);

/**
 * A body: of a stranger it is never looked at, and of anyone else it is JSON or refused, at once.
 */
async function bodies(kms) {
  const closed = createHandler(kms);
  const open = createHandler(kms, { auth: false });
  const headers = headerFields([
    ...['host', 'localhost', 'content-type', 'application/x-amz-json-1.1'],
    ...['x-amz-target', 'TrentService.ListKeys'],
  ]);
  return fc.asyncProperty(
    fc.oneof(tangles, fc.string({ unit: 'binary' }), fc.json()),
    async (text) => {
      const request = { method: 'POST', path: '/', headers, body: Buffer.from(text) };
      const refused = await atOnce(() => closed(request));
      expectOneOf(nameOf(refused), ['MissingAuthenticationTokenException']);
      const answer = await atOnce(() => open(request));
      if (answer.status >= 500) throw new Finding(`${answer.status} ${answer.body}`);
      if (answer.body.length > 20_000) throw new Finding('echoes what it refuses');
      // What our own reading of depths lets through, JSON.parse must have understood, too.
      if (answer.status === 200) JSON.parse(text);
    },
  );
}

/** Signature Version 4, for a request with an empty path. */
function signatureOf({ secretAccessKey }, scope, timestamp, head, body) {
  const hash = (text) => createHash('sha256').update(text).digest('hex');
  const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce(hmac, `AWS4${secretAccessKey}`);
  const text = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hash(`${head}${hash(body)}`)}`;
  return hmac(key, text).toString('hex');
}

/** The header fields of a signed call: served as it was signed, or refused for a reason of theirs. */
async function headers(kms) {
  const key = await kms.credentials.create({ principal: kms.principal });
  const timestamp = '20260101T000000Z';
  const scope = '20260101/us-east-1/kms/aws4_request';
  const handle = createHandler(kms, { now: () => Date.UTC(2026) });
  const fields = {
    'content-type': 'application/x-amz-json-1.1',
    host: 'localhost',
    'x-a': 'a b',
    'x-amz-date': timestamp,
    'x-amz-target': 'TrentService.ListKeys',
  };
  const names = Object.keys(fields).join(';');
  const lines = Object.entries(fields).map(([name, value]) => `${name}:${value}\n`);
  const signature = signatureOf(
    key,
    scope,
    timestamp,
    `POST\n/\n\n${lines.join('')}\n${names}\n`,
    '{}',
  );
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names}, Signature=${signature}`;
  const raw = Object.entries({ ...fields, authorization }).flat();
  const refusals = [
    ...['AccessDenied', 'IncompleteSignature', 'InvalidSignature', 'MissingAuthenticationToken'],
    ...['UnknownOperation', 'UnrecognizedClient'],
  ].map((name) => `${name}Exception`);
  const send = (sent) =>
    handle({ method: 'POST', path: '/', headers: headerFields(sent), body: Buffer.from('{}') });
  expectOneOf(nameOf(await send(raw)), [undefined]);
  const tidy = (text) => text.replace(/[\t-\r ]+/g, ' ').trim();
  return fc.asyncProperty(
    fc.record({ at: fc.nat(raw.length - 1), twice: fc.boolean(), changes: edits }),
    async ({ at, twice, changes }) => {
      const spoilt = spoil(raw[at], changes).toString('latin1');
      const sent = twice ? [...raw, ...raw.slice(at & ~1, (at | 1) + 1)] : raw.with(at, spoilt);
      const answer = await atOnce(() => send(sent));
      if (answer.status !== 200) return expectOneOf(nameOf(answer), refusals);
      // The value of the Authorization field may be spoilt in a part that is not read.
      const mayDiffer = !twice && raw[at | 1] === authorization;
      const same = !twice && tidy(spoilt).toLowerCase() === tidy(raw[at]).toLowerCase();
      if (!mayDiffer && !same) throw new Finding(`served with ${JSON.stringify(sent)}`);
    },
  );
}

/** A command line: an exit code of the table, and no failure of the program's own. */
async function commandLines(kms) {
  const service = new Proxy(kms, {
    get: (target, name) => {
      if (name === 'close') return async () => {};
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const lines = [
    ['describe-key', '--key-id', 'alias/pairmint/default'],
    ['encrypt', '--key-id', 'alias/pairmint/default', '--plaintext', 'AAAA'],
    ['generate-data-key', '--key-id', 'x', '--encryption-context', 'a=b,c="d\\"e",f=[g]'],
    ['generate-data-key', '--key-id', 'x', '--encryption-context', '{"a": "b\\u00e9", "c": ""}'],
    ['create-key', '--tags', 'TagKey=a,TagValue=b', '--no-multi-region', '--description', ''],
    ['create-grant', '--key-id', 'x', '--constraints', 'EncryptionContextSubset={a=b}'],
    [
      'list-aliases',
      '--output',
      'table',
      '--query',
      'Aliases[?contains(AliasName,`a`)].[AliasArn]',
    ],
    [
      'describe-key',
      '--cli-input-yaml',
      'KeyId: "alias/pairmint/default" # a key\nGrantTokens: [a]',
    ],
    [
      'describe-key',
      '--cli-input-json',
      '{"KeyId": "alias/pairmint/default", "GrantTokens": ["a"]}',
    ],
    [
      'list-keys',
      '--output',
      'yaml',
      '--max-items',
      '1',
      '--starting-token',
      'eyJNYXJrZXIiOiAiYSJ9',
    ],
  ];
  // Nobody's settings.
  const env = { AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull };
  return fc.asyncProperty(
    fc.record({ line: fc.constantFrom(...lines), word: fc.nat(), changes: edits }),
    async ({ line, word, changes }) => {
      // Files are the system's own; what is in them is not the input here.
      const argv = line.map((text, i) =>
        i === word % line.length ? spoiltText(text, changes).replace(/fileb?:/g, 'f') : text,
      );
      let written = '';
      const sink = { write: (text) => (written += text) };
      const code = await main(argv, { stdout: sink, stderr: sink, env, open: async () => service });
      if (![0, 252, 253, 254, 255].includes(code) || written.includes('internal failure')) {
        throw new Finding(`${JSON.stringify(argv)}: ${code} ${written}`);
      }
    },
  );
}

export const targets = {
  ciphertexts,
  keyMaterial,
  policies,
  calls,
  bodies,
  headers,
  commandLines,
};
