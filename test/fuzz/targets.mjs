// What is fed with spoilt input, and what must hold of each answer. Runs on the compiled package.
// Each target prepares a service and gives the property that fast-check tries.
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt } from 'node:crypto';
import { devNull } from 'node:os';
import fc from 'fast-check';
import { main } from '../../dist/cli/main.js';
import { createHandler } from '../../dist/server.js';

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

export const targets = { ciphertexts, keyMaterial, policies, calls, commandLines };
