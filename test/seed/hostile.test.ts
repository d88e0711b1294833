import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import { readSeed } from '../../lib/seed/seed.ts';
import { generateWithNode } from '../support/kms-keys.ts';
import { keyId, otherKeyId, refusalOf, seedFile } from './support.ts';

const material = '5cdaead27fe7da2de47945d73cd6d79e36494e73802f3cd3869f1d2cb0b5d7a9';
const pem = generateWithNode('ECC_NIST_P256').export({ format: 'pem', type: 'pkcs8' }).toString();
const [, privateLine = ''] = pem.split('\n');

const valid = `version: 1
keys:
  - KeyId: ${keyId}
    Description: "the first"
    KeyMaterial:
      - ${material}
    Policy: &policy
      Version: '2012-10-17'
      Statement:
        - { Effect: Allow, Principal: "*", Action: "kms:*", Resource: "*" }
    Tags: { Stage: test }
    Aliases: [alias/first]
    RotationPeriodInDays: 90
    Grants:
      - Name: readers
        GranteePrincipal: arn:aws:iam::000000000000:user/alice
        Operations: [Decrypt, Encrypt]
        Constraints:
          EncryptionContextEquals: { app: billing }
  - KeyId: ${otherKeyId}
    KeyUsage: SIGN_VERIFY
    Policy: *policy
    PrivateKeyPem: |
      ${pem.trim().replaceAll('\n', '\n      ')}
aliases:
  - { AliasName: alias/second, TargetKeyId: ${otherKeyId} }
`;

const lines = valid.split('\n');
const junk = fc.constantFrom(
  ...'&*!|>\'"%@`{}[],:?-#~\t\n '.split(''),
  '<<: *policy',
  '&a [*a]',
  '!!binary abc',
  '__proto__: 1',
  'constructor: {}',
  '---',
  '...',
  '.inf',
  '0x10',
  'null',
  '\u0000',
  '\ud800',
  '\ufeff',
);
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(valid.length), text: junk }),
  fc.record({
    kind: fc.constant('cut' as const),
    at: fc.nat(valid.length),
    length: fc.integer({ min: 1, max: 40 }),
  }),
  fc.record({
    kind: fc.constant('swap' as const),
    a: fc.nat(lines.length - 1),
    b: fc.nat(lines.length - 1),
  }),
);

function mutate(text: string, change: typeof mutation extends fc.Arbitrary<infer T> ? T : never) {
  if (change.kind === 'insert') {
    return text.slice(0, change.at) + change.text + text.slice(change.at);
  }
  if (change.kind === 'cut')
    return text.slice(0, change.at) + text.slice(change.at + change.length);
  const rows = text.split('\n');
  const [a = '', b = ''] = [rows[change.a], rows[change.b]];
  rows[change.a] = b;
  rows[change.b] = a;
  return rows.join('\n');
}

it('reads the seed that the others are made from', async () => {
  const { keys, aliases } = await readSeed(seedFile(valid), loadNative());
  expect([keys.length, aliases.length]).toEqual([2, 2]);
});

it('that was damaged is read or refused in one line, without its secrets', async () => {
  const file = seedFile('');
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (changes) => {
      writeFileSync(file, changes.reduce(mutate, valid));
      const error = await readSeed(file, loadNative()).then(
        () => undefined,
        (reason: Error) => reason,
      );
      if (error === undefined) return;
      refused++;
      expect(error.name, error.stack).toBe('ConfigurationError');
      expect(error.message).toContain(file);
      expect(error.message).not.toContain(material.slice(8, 42));
      expect(error.message).not.toContain(privateLine.slice(4, 44));
    }),
    { numRuns: 2000 },
  );
  expect(refused).toBeGreaterThan(600);
}, 120_000);

it('of any JSON is read or refused', async () => {
  const names = [
    'version',
    'keys',
    'aliases',
    'Keys',
    'Aliases',
    'KeyId',
    'Tags',
    'Policy',
    'Grants',
  ];
  const { any } = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(1, null, true, '', keyId, 'alias/x', '\ud800', -0, 1e308),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie('any')),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(any, fc.array(any, { maxLength: 2 }), async (value, keys) => {
      for (const seed of [
        value,
        { version: 1, keys: [{ KeyId: keyId, Tags: value }], aliases: keys },
      ]) {
        if (typeof seed !== 'object' || seed === null) continue;
        const error = await readSeed(seed, loadNative()).catch((reason: Error) => reason);
        if (error instanceof Error) expect(error.name, error.stack).toBe('ConfigurationError');
      }
    }),
    { numRuns: 1000 },
  );
});

it.each([
  [
    'whose aliases multiply',
    `version: 1\na0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]\n`).join('')}`,
    'aliases (*) repeat too much',
  ],
  [
    'with many values through few aliases',
    `version: 1\nkeys: &k [${'1,'.repeat(2000)}]\naliases: [${'*k,'.repeat(400)}]\n`,
    'there are more than 25000 values',
  ],
  ['that holds itself', 'version: 1\nkeys: &k [*k]\n', 'keys: values are nested more than 64 deep'],
  ['with an alias of nothing', 'version: *one\n', 'an alias (*) of nothing'],
  ['of brackets', '['.repeat(1_000_000), 'values are nested more than 64 deep'],
  ['of dashes', '- '.repeat(500_000), 'values are nested more than 64 deep'],
  ['of braces', '{a: '.repeat(500_000), 'values are nested more than 64 deep'],
  ['of brackets that close', ']'.repeat(50_000), 'this is not YAML'],
  ['of documents', '---\n'.repeat(50_000), 'there is more than one document'],
  ['of a long list', '- a\n'.repeat(500_000), 'there are more than 25000 values'],
])('%s is refused', async (_, text, reason) => {
  const refused = await refusalOf(seedFile(text));
  expect(refused).toMatch(/^\S+: /);
  expect(refused.slice(refused.indexOf(': ') + 2)).toBe(reason);
});

it('of more than 4 MiB is refused before it is parsed', async () => {
  const file = seedFile(`version: 1\n#${'x'.repeat(4 * 1024 * 1024)}`);
  const started = performance.now();
  expect(await refusalOf(file)).toBe(
    `the seed ${file} cannot be read: it has more than 4194304 bytes`,
  );
  expect(performance.now() - started).toBeLessThan(1000);
});

it('that never ends is refused', async () => {
  expect(await refusalOf('/dev/zero')).toBe(
    'the seed /dev/zero cannot be read: it has more than 4194304 bytes',
  );
});
