// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';
import { generateWithNode } from '../support/kms-keys.ts';
import { keyId, otherKeyId, refusalOf, seedFile, seedOf, storeIn } from './support.ts';

const hex = '5cdaead27fe7da2de47945d73cd6d79e36494e73802f3cd3869f1d2cb0b5d7a9';
const pem = generateWithNode('ECC_NIST_P256').export({ format: 'pem', type: 'pkcs8' });
const keyMembers =
  'known here: KeyId, KeySpec, KeyUsage, Origin, Description, Enabled, MultiRegion, Policy, Tags, ' +
  'Aliases, KeyMaterial, PrivateKeyPem, RotationPeriodInDays, NextRotationDate, Grants';

describe('a seed is refused', () => {
  it.each<[string, object, string]>([
    [
      'with another version',
      { version: 2 },
      'version: a seed begins with `version: 1`, the only version there is',
    ],
    ['with no version', { keys: [] }, 'a seed begins with `version: 1`, the only version there is'],
    ['that is a list', [], 'this must have members'],
    [
      'with a member that it does not have',
      { version: 1, keyz: [] },
      'keyz: there is no such member\nknown here: version, keys, aliases',
    ],
    ['whose keys are no list', { version: 1, keys: {} }, 'keys: this must be a list'],
    ['with a key that is text', { version: 1, keys: ['a'] }, 'keys[0]: this must have members'],
    [
      'with two keys of one id',
      { version: 1, keys: [{ KeyId: keyId }, { KeyId: keyId }] },
      'keys[1].KeyId: another key has this id',
    ],
    [
      'with two keys that ciphertexts cannot tell apart',
      { version: 1, keys: [{ KeyId: keyId }, { KeyId: `mrk-${keyId.replaceAll('-', '')}` }] },
      'keys[1].KeyId: another key has this id',
    ],
    [
      'with an alias for no key',
      { version: 1, aliases: [{ AliasName: 'alias/a', TargetKeyId: keyId }] },
      `aliases[0].AliasName: there is no key '${keyId}' for it`,
    ],
    [
      'with an alias without a target',
      { version: 1, aliases: [{ AliasName: 'alias/a' }] },
      'aliases[0].TargetKeyId: Member must not be null',
    ],
    [
      'with an alias twice',
      {
        version: 1,
        keys: [
          { KeyId: keyId, Aliases: ['alias/a'] },
          { KeyId: otherKeyId, Aliases: ['alias/a'] },
        ],
      },
      'keys[1].Aliases[0]: this alias is there twice',
    ],
  ])('%s', async (_, seed, text) => {
    expect(await refusalOf(seed)).toBe(`seed: ${text}`);
  });
});

describe('a key of a seed is refused', () => {
  const idHint = 'key ids are UUIDs, or mrk- and 32 hex digits, in lower case';
  const tooLong = (most: number) => `Member must have length less than or equal to ${most}`;
  it.each<[string, object, string]>([
    ['without an id', { KeyId: undefined }, '.KeyId: Member must not be null'],
    // [BC]: the text for an invalid id.
    ['with an invalid id', { KeyId: 'my-key' }, `.KeyId: Invalid keyId 'my-key'\n${idHint}`],
    [
      'with an id in upper case',
      { KeyId: keyId.toUpperCase() },
      `.KeyId: Invalid keyId '${keyId.toUpperCase()}'\n${idHint}`,
    ],
    [
      'with an ARN for an id',
      { KeyId: `arn:aws:kms:us-east-1:000000000000:key/${keyId}` },
      `.KeyId: Invalid keyId 'arn:aws:kms:us-east-1:000000000000:key/${keyId}'\n${idHint}`,
    ],
    [
      'with a number for text',
      { Description: 5 },
      '.Description: expected a String, got number\nwrite it in quotes',
    ],
    [
      'with a member that keys do not have',
      { Name: 'x' },
      `.Name: there is no such member\n${keyMembers}`,
    ],
    [
      'with a description that is too long',
      { Description: 'x'.repeat(8193) },
      `.Description: ${tooLong(8192)}`,
    ],
    [
      'with an invalid KeyUsage',
      { KeyUsage: 'ALL' },
      '.KeyUsage: Member must satisfy enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]',
    ],
    [
      'with a KeyUsage that its KeySpec has not',
      { KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' },
      ': KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048',
    ],
    [
      'without a KeyUsage',
      { KeySpec: 'RSA_2048' },
      ': You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    ],
    ['with Enabled as text', { Enabled: 'yes' }, '.Enabled: expected true or false'],
    [
      'with an id of one Region for several',
      { MultiRegion: true },
      '.MultiRegion: the ids of multi-Region keys, and only theirs, begin with mrk-',
    ],
    [
      'with a tag value that is too long',
      { Tags: { a: 'b', c: 'x'.repeat(257) } },
      `.Tags.c: ${tooLong(256)}`,
    ],
    [
      'with the same in a list',
      { Tags: [{ TagKey: 'c', TagValue: 'x'.repeat(257) }] },
      `.Tags[0].TagValue: ${tooLong(256)}`,
    ],
    [
      'with a tag without a value',
      { Tags: [{ TagKey: 'c' }] },
      '.Tags[0].TagValue: Member must not be null',
    ],
    [
      'with a member that tags do not have',
      { Tags: [{ Key: 'c', Value: 'd' }] },
      '.Tags[0].Key: there is no such member',
    ],
    [
      'with a tag twice',
      {
        Tags: [
          { TagKey: 'c', TagValue: '' },
          { TagKey: 'c', TagValue: 'd' },
        ],
      },
      '.Tags: Duplicate tag keys',
    ],
    [
      'with a tag of AWS',
      { Tags: { 'aws:a': 'b' } },
      '.Tags: Tags beginning with aws: are reserved',
    ],
    [
      'with too many tags',
      { Tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, ''])) },
      '.Tags: Too many tags',
    ],
    ['with an invalid policy', { Policy: '{' }, '.Policy: The policy is not valid JSON.'],
    [
      'with a policy without a principal',
      { Policy: { Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }] } },
      '.Policy: Policy contains a statement with no principal.',
    ],
    [
      'with an alias without its prefix',
      { Aliases: ['a'] },
      '.Aliases[0]: Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    ],
    ['with an alias of AWS', { Aliases: ['alias/aws/s3'] }, '.Aliases[0]: NotAuthorizedException'],
    [
      'with too many aliases',
      { Aliases: Array.from({ length: 51 }, (_, i) => `alias/a${i}`) },
      `.Aliases[50]: ${keyId} has 50 aliases, the most it can have.`,
    ],
    [
      'with material that is too short',
      { KeyMaterial: 'abcd' },
      '.KeyMaterial: expected 32 bytes in hex or base64, for KeySpec SYMMETRIC_DEFAULT',
    ],
    [
      'with material that is no hex',
      { KeyMaterial: `${hex.slice(1)}x` },
      '.KeyMaterial: expected 32 bytes in hex or base64, for KeySpec SYMMETRIC_DEFAULT',
    ],
    [
      'with one material too short of several',
      { KeyMaterial: [hex, 'ab'] },
      '.KeyMaterial[1]: expected 32 bytes in hex or base64, for KeySpec SYMMETRIC_DEFAULT',
    ],
    ['with material that is a number', { KeyMaterial: 5 }, '.KeyMaterial: expected text'],
    [
      'with the same material twice',
      { KeyMaterial: [hex, hex] },
      '.KeyMaterial[1]: this key material is there twice',
    ],
    [
      'with several materials that cannot rotate',
      { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', KeyMaterial: [hex, hex] },
      '.KeyMaterial: KeySpec HMAC_256 has one key material, not several',
    ],
    [
      'with a private key and a secret',
      { PrivateKeyPem: pem, KeyMaterial: hex, KeyUsage: 'SIGN_VERIFY' },
      '.PrivateKeyPem: there is KeyMaterial, too',
    ],
    [
      'with a private key that has no use for one',
      { KeySpec: 'SYMMETRIC_DEFAULT', PrivateKeyPem: pem },
      '.PrivateKeyPem: KeySpec SYMMETRIC_DEFAULT has KeyMaterial, not a private key',
    ],
    [
      'with a private key of another KeySpec',
      { KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY', PrivateKeyPem: pem },
      '.PrivateKeyPem: this is not key material of KeySpec ECC_NIST_P384',
    ],
    [
      'with invalid PEM',
      { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', PrivateKeyPem: 'x' },
      '.PrivateKeyPem: expected a private key in PEM',
    ],
    [
      'with PEM of an encrypted key',
      {
        KeySpec: 'RSA_2048',
        KeyUsage: 'SIGN_VERIFY',
        PrivateKeyPem:
          '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----',
      },
      '.PrivateKeyPem: expected a private key that is not encrypted',
    ],
    [
      'with a period that is too short',
      { RotationPeriodInDays: 89 },
      '.RotationPeriodInDays: Member must have value greater than or equal to 90',
    ],
    [
      'with a rotation that it cannot have',
      { Origin: 'EXTERNAL', RotationPeriodInDays: 90 },
      '.RotationPeriodInDays: only KeySpec SYMMETRIC_DEFAULT with Origin AWS_KMS rotates by itself',
    ],
    [
      'with an invalid date',
      { NextRotationDate: 'tomorrow' },
      '.NextRotationDate: expected a date as in 2030-01-31T00:00:00Z',
    ],
    ['from a custom key store', { Origin: 'AWS_CLOUDHSM' }, ': Custom key stores are not offered'],
    [
      'with a grant without a grantee',
      { Grants: [{ Operations: ['Decrypt'] }] },
      ".Grants[0]: 1 validation error detected: Value null at 'granteePrincipal' failed to satisfy constraint: Member must not be null",
    ],
    [
      'with a grant to something',
      { Grants: [{ GranteePrincipal: 'alice', Operations: ['Decrypt'] }] },
      '.Grants[0]: Invalid principal: alice',
    ],
    [
      'with a grant of what the key cannot do',
      { Grants: [{ GranteePrincipal: 'arn:aws:iam::000000000000:root', Operations: ['Sign'] }] },
      '.Grants[0]: Operation Sign is not supported for key spec SYMMETRIC_DEFAULT and key usage ENCRYPT_DECRYPT.',
    ],
    [
      'with an unknown constraint',
      {
        Grants: [
          {
            GranteePrincipal: 'arn:aws:iam::000000000000:root',
            Operations: ['Decrypt'],
            Constraints: { Source: 'x' },
          },
        ],
      },
      '.Grants[0].Constraints.Source: there is no such member',
    ],
  ])('%s', async (_, members, text) => {
    const refused = await refusalOf(seedOf(members));
    expect(refused.startsWith(`seed: keys[0]${text}`), refused).toBe(true);
    expect(refused).not.toContain(hex);
  });
});

it('is refused without repeating a secret that stands in the place of a name', async () => {
  for (const seed of [
    seedOf({ KeyId: hex }),
    seedOf({ Aliases: [hex] }),
    seedOf({ [hex]: 1 }),
    seedOf({ Tags: { [hex]: 1 } }),
    { version: 1, aliases: [{ AliasName: 'alias/a', TargetKeyId: hex }] },
  ]) {
    expect(await refusalOf(seed)).not.toContain(hex.slice(4, 20));
  }
});

describe('a seed file', () => {
  it('is refused with the line that the member stands in', async () => {
    const file = seedFile(`# the keys of the tests
version: 1
keys:
  - KeyId: ${keyId}
  - KeyId: ${otherKeyId}
    Tags:
      Stage: test
      Build: 5
`);
    expect(await refusalOf(file)).toBe(
      `${file}:8: keys[1].Tags.Build: expected a String, got number\nwrite it in quotes`,
    );
  });

  it('in JSON, tabs and all, is read as well', async () => {
    const text = JSON.stringify(seedOf({ Description: 'a', Enabled: 1 }), null, '\t');
    const file = seedFile(text, 'seed.json');
    expect(await refusalOf(file)).toBe(`${file}:7: keys[0].Enabled: expected true or false`);
  });

  it.each([
    ['with a member twice', 'version: 1\nkeys: []\nkeys: []\n', 3, 'a member is there twice'],
    ['with two documents', 'version: 1\n---\nversion: 1\n', 2, 'there is more than one document'],
    ['with wrong indentation', 'version: 1\n  keys: []\n', 1, 'this is not YAML'],
    ['with a tag', 'version: !int 1\n', 1, 'a tag (!) is unknown'],
    ['with text around a secret', `version: 1\nkeys: "${hex}" x\n`, 2, 'this is not YAML'],
  ])('%s is refused', async (_, text, line, reason) => {
    const file = seedFile(text);
    expect(await refusalOf(file)).toBe(`${file}:${line}: ${reason}`);
  });

  it.each([
    ['that is not there', '/nonexistent/seed.yaml', 'ENOENT: no such file or directory, open'],
    ['that is a folder', '/tmp', 'EISDIR: illegal operation on a directory, read'],
  ])('%s is refused', async (_, file, reason) => {
    expect(await refusalOf(file)).toContain(`the seed ${file} cannot be read: ${reason}`);
  });

  it('that is not text is refused', async () => {
    const file = seedFile(Buffer.from([0x76, 0xff, 0xfe]));
    expect(await refusalOf(file)).toBe(`the seed ${file} cannot be read: it is not UTF-8 text`);
  });

  it('may hold a secret in hex that looks like a number', async () => {
    for (const digits of ['1234'.repeat(16), `1e${'23'.repeat(31)}`, `0${'9'.repeat(63)}`]) {
      const file = seedFile(
        `version: 1\nkeys:\n  - KeyId: ${keyId}\n    KeyMaterial: ${digits}\n    Enabled: 5\n`,
      );
      expect(await refusalOf(file)).toBe(`${file}:5: keys[0].Enabled: expected true or false`);
      const secret = seedFile(
        `version: 1\nkeys:\n  - KeyId: ${keyId}\n    KeyMaterial: ${digits}\n`,
      );
      await expect(refusalOf(secret)).rejects.toThrow('expected a refusal');
    }
  });

  it('may repeat a policy by an alias', async () => {
    const file = seedFile(`version: 1
keys:
  - KeyId: ${keyId}
    Policy: &policy
      Statement: { Effect: Allow, Principal: '*', Action: 'kms:*', Resource: '*' }
  - KeyId: ${otherKeyId}
    Policy: *policy
`);
    await expect(refusalOf(file)).rejects.toThrow('expected a refusal');
  });

  it('that is refused makes no store', async () => {
    const folder = temporaryFolder();
    await refusalOf(seedOf({ KeyMaterial: 'x' }), storeIn(folder));
    expect(existsSync(`${folder}/store.db`)).toBe(false);
    expect(existsSync(`${folder}/root.key`)).toBe(false);
  });
});
