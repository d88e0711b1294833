// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are spelled like that
import { beforeAll, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { policyText, somebody } from './every-request.ts';
import { openKms, outcomeOf, caller as root } from './support.ts';

// A caller that may make a key may write its policy: no policy may hold up, or end, the process.

const everything = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
const variable = '${kms:EncryptionContext:k}';
// The room that the rest of a document leaves.
const room = 32_000;
// Less than a second on any machine; it took many, or ended the process.
const soon = 3000;

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

async function keyWith(Condition: object): Promise<string> {
  const deny = { Effect: 'Deny', Principal: '*', Action: 'kms:Encrypt', Resource: '*', Condition };
  const { KeyMetadata } = await kms.createKey({ Policy: policyText(everything, deny) });
  return KeyMetadata?.KeyId ?? '';
}

async function encrypt(KeyId: string, EncryptionContext: Record<string, string>) {
  const started = performance.now();
  const outcome = await outcomeOf(
    kms.encrypt({ KeyId, Plaintext: Buffer.from('a'), EncryptionContext }),
  );
  return { outcome, milliseconds: performance.now() - started };
}

const repeated = (text: string) => text.repeat(Math.floor(room / text.length));
const listOf = (text: string) =>
  Array.from({ length: Math.floor(room / (text.length + 3)) }, () => text);

const hostile: readonly [string, object][] = [
  [
    'one text of nothing but variables',
    { StringLike: { 'kms:EncryptionContext:k': repeated(variable) } },
  ],
  [
    'variables between asterisks',
    { StringLike: { 'kms:EncryptionContext:k': repeated(`${variable}*`) } },
  ],
  [
    'many texts with a variable',
    { StringLike: { 'kms:EncryptionContext:k': listOf(`*${variable}b*`) } },
  ],
  [
    'many texts with a variable and a question mark',
    { StringLike: { 'kms:EncryptionContext:k': listOf(`*${variable}?*`) } },
  ],
  ['many texts with asterisks', { StringLike: { 'kms:EncryptionContext:k': listOf('*aaaaab*') } }],
  [
    'one long text between asterisks',
    { StringLike: { 'kms:EncryptionContext:k': `*${'a'.repeat(room)}*` } },
  ],
  ['question marks', { StringLike: { 'kms:EncryptionContext:k': `*${'?a'.repeat(room / 2)}*` } }],
];

describe.each(hostile)('a policy with %s', (_what, condition) => {
  test.each([
    ['one long value', { k: 'a'.repeat(8100) }],
    ['many pairs', Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 'a']))],
    ['many spellings of a key', { K: 'a'.repeat(4000), k: 'a'.repeat(4000) }],
  ])('is decided soon for a context of %s', async (_how, context) => {
    const { outcome, milliseconds } = await encrypt(await keyWith(condition), context);
    expect(outcome).toMatch(/^(ok|AccessDeniedException: )/);
    expect(milliseconds).toBeLessThan(soon);
  });
});

test.each([
  ['EncryptionContext', 'Encrypt', { Plaintext: Buffer.from('a') }],
  ['EncryptionContext', 'Decrypt', { CiphertextBlob: Buffer.alloc(200) }],
  ['EncryptionContext', 'GenerateDataKey', { KeySpec: 'AES_256' }],
  ['EncryptionContext', 'GenerateDataKeyPair', { KeyPairSpec: 'ECC_NIST_P256' }],
  [
    'SourceEncryptionContext',
    'ReEncrypt',
    { CiphertextBlob: Buffer.alloc(200), DestinationKeyId: 'alias/a' },
  ],
  [
    'DestinationEncryptionContext',
    'ReEncrypt',
    { CiphertextBlob: Buffer.alloc(200), DestinationKeyId: 'alias/a' },
  ],
])(
  'a %s of a megabyte is refused before %s is authorised by it',
  async (member, operation, more) => {
    const KeyId = await keyWith({ StringLike: { 'kms:EncryptionContext:k': repeated(variable) } });
    const request = { KeyId, ...more, [member]: { k: 'a'.repeat(1_000_000) } };
    expect(await outcomeOf(kms.as(somebody).call(operation, request))).toBe(
      `ValidationException: ${member} takes 1000013 bytes when encoded; at most 8192 are allowed`,
    );
  },
);

test('constraints of a megabyte are refused before CreateGrant is authorised by them', async () => {
  const KeyId = await keyWith({ StringLike: { 'kms:EncryptionContext:k': repeated(variable) } });
  const Constraints = { EncryptionContextEquals: { k: 'a'.repeat(1_000_000) } };
  const asked = kms.as(somebody).createGrant({
    KeyId,
    GranteePrincipal: root,
    Operations: ['Decrypt'],
    Constraints,
  });
  expect(await outcomeOf(asked)).toMatch(
    /^ValidationException: Constraints.EncryptionContextEquals takes 1000013 bytes/,
  );
});

test('more tags than a key can have are refused before they are authorised', async () => {
  const nobody = kms.as(somebody, {
    identityPolicy: policyText({ Effect: 'Deny', Action: '*', Resource: '*' }),
  });
  const KeyId = await keyWith({ Null: { 'aws:username': 'true' } });
  const names = Array.from({ length: 51 }, (_, i) => `t${i}`);
  const Tags = names.map((TagKey) => ({ TagKey, TagValue: 'v' }));
  const tooMany = 'TagException: Too many tags';
  expect(await outcomeOf(nobody.untagResource({ KeyId, TagKeys: names }))).toBe(tooMany);
  expect(await outcomeOf(nobody.tagResource({ KeyId, Tags }))).toBe(tooMany);
  expect(await outcomeOf(nobody.createKey({ Tags }))).toBe(tooMany);
});
