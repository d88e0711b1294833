// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  absentKeyId,
  allPages,
  complaint,
  failureText,
  keyArn,
  type MadeKey,
  newKey,
  openKms,
  validation,
} from './support.ts';

let kms: Pairmint;
let key: MadeKey;

beforeAll(async () => {
  kms = await openKms();
});

beforeEach(async () => {
  key = await newKey(kms);
});

const tag = (TagKey: string, TagValue = 'v') => ({ TagKey, TagValue });
const many = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, i) => tag(`${prefix}${i}`));

const add = (...Tags: ReturnType<typeof tag>[]) => kms.tagResource({ KeyId: key.KeyId, Tags });
const remove = (...TagKeys: string[]) => kms.untagResource({ KeyId: key.KeyId, TagKeys });
const tags = async () => (await kms.listResourceTags({ KeyId: key.KeyId })).Tags;

describe('TagResource', () => {
  test('adds tags, and gives another value to one that is there', async () => {
    expect(await add(tag('b', '1'), tag('a', ''))).toEqual({});
    expect(await tags()).toEqual([tag('a', ''), tag('b', '1')]);
    await add(tag('b', '2'));
    expect(await tags()).toEqual([tag('a', ''), tag('b', '2')]);
  });

  test('tells tag keys apart by their case', async () => {
    await add(tag('name', '1'), tag('Name', '2'));
    expect(await tags()).toEqual([tag('Name', '2'), tag('name', '1')]);
  });

  // [LS test_tag_existing_key_with_invalid_tag_key] and its siblings of CreateKey
  test.each([
    [[tag('a'), tag('b'), tag('a')], 'Duplicate tag keys'],
    [[tag('a'), tag('aws:b')], 'Tags beginning with aws: are reserved'],
    [[tag('AWS:b')], 'Tags beginning with aws: are reserved'],
    [many(51), 'Too many tags'],
  ])('refuses %#, and adds none of them', async (Tags, text) => {
    expect(await failureText(add(...Tags))).toBe(`TagException: ${text}`);
    expect(await tags()).toEqual([]);
  });

  test('counts the tags that are there', async () => {
    await add(...many(50));
    expect(await failureText(add(tag('one more')))).toBe('TagException: Too many tags');
    await add(...many(50).map(({ TagKey }) => tag(TagKey, 'another value')));
    await remove('t0');
    await add(tag('one more'));
    const listed = await tags();
    expect(listed).toHaveLength(50);
    expect(listed?.filter(({ TagValue }) => TagValue === 'another value')).toHaveLength(49);
  });

  // [LS test_create_key_with_invalid_tag_key], on another operation
  test('complains about lengths in AWS’s words', async () => {
    const [long, value] = ['k'.repeat(129), 'v'.repeat(257)];
    expect(await failureText(add(tag(long)))).toBe(
      validation(
        complaint(`'${long}'`, 'tags.1.member.tagKey', 'have length less than or equal to 128'),
      ),
    );
    expect(await failureText(add(tag('a'), tag('b', value)))).toBe(
      validation(
        complaint(`'${value}'`, 'tags.2.member.tagValue', 'have length less than or equal to 256'),
      ),
    );
    await add(tag('k'.repeat(128), 'v'.repeat(256)));
  });

  test('loses nothing when many requests tag a key at once', async () => {
    const expected = many(40, 'at-once-');
    await Promise.all(expected.map((one) => add(one)));
    expect(new Set((await tags())?.map(({ TagKey }) => TagKey))).toEqual(
      new Set(expected.map(({ TagKey }) => TagKey)),
    );
  });
});

describe('UntagResource', () => {
  // moto and LocalStack; not captured from AWS
  test('removes tags, and passes over those that are not there', async () => {
    await add(tag('a'), tag('b'), tag('c'));
    expect(await remove('a', 'c', 'absent')).toEqual({});
    expect(await tags()).toEqual([tag('b')]);
    await remove('absent');
    expect(await tags()).toEqual([tag('b')]);
  });

  test('leaves reserved tags alone', async () => {
    expect(await failureText(remove('aws:x'))).toBe(
      'TagException: Tags beginning with aws: are reserved',
    );
  });
});

describe('ListResourceTags', () => {
  test('shows the tags that a key was made with', async () => {
    const Tags = [tag('b'), tag('a')];
    const { KeyId } = await newKey(kms, { Tags });
    expect(await kms.listResourceTags({ KeyId })).toEqual({
      Tags: [tag('a'), tag('b')],
      Truncated: false,
    });
  });

  test.each([1, 7, 49, 50, 1000])('comes in pages of %i', async (Limit) => {
    await add(...many(50));
    const { KeyId } = key;
    const pages = await allPages(async (Marker) => {
      const { Tags = [], NextMarker } = await kms.listResourceTags({ KeyId, Limit, Marker });
      return { items: Tags, NextMarker };
    });
    expect(pages.slice(0, -1).every((page) => page.length === Limit)).toBe(true);
    expect(pages.flat()).toEqual(await tags());
    expect(pages.flat()).toHaveLength(50);
  });

  test('refuses a marker that it did not give', async () => {
    const asking = kms.listResourceTags({ KeyId: key.KeyId, Marker: 'garbage' });
    expect(await failureText(asking)).toMatch(/^InvalidMarkerException: /);
  });
});

test('tags are those of a map, whatever is done in whatever order', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'é');
  const step = fc.oneof(
    fc.record({ add: fc.uniqueArray(name, { minLength: 1 }), value: fc.string({ maxLength: 5 }) }),
    fc.record({ remove: fc.array(name, { minLength: 1 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      key = await newKey(kms);
      const expected = new Map<string, string>();
      for (const one of steps) {
        if ('add' in one) {
          await add(...one.add.map((TagKey) => tag(TagKey, one.value)));
          for (const TagKey of one.add) expected.set(TagKey, one.value);
        } else {
          await remove(...one.remove);
          for (const TagKey of one.remove) expected.delete(TagKey);
        }
      }
      const listed = (await tags())?.map(({ TagKey, TagValue }) => [TagKey, TagValue]);
      expect(listed).toEqual([...expected].sort(([a], [b]) => (a < b ? -1 : 1)));
    }),
    { numRuns: 50 },
  );
});

describe('UpdateKeyDescription', () => {
  const description = async () =>
    (await kms.describeKey({ KeyId: key.KeyId })).KeyMetadata?.Description;
  const update = (Description: string) =>
    kms.updateKeyDescription({ KeyId: key.KeyId, Description });

  test.each(['what it is for', '', 'ключ\n🔑', 'x'.repeat(8192)])(
    'sets it, and DescribeKey shows it: %#',
    async (text) => {
      expect(await update(text)).toEqual({});
      expect(await description()).toBe(text);
    },
  );

  test('takes 8,192 characters', async () => {
    const text = 'x'.repeat(8193);
    expect(await failureText(update(text))).toBe(
      validation(complaint(`'${text}'`, 'description', 'have length less than or equal to 8192')),
    );
    expect(await description()).toBe('');
  });
});

describe.each([
  ['TagResource', { Tags: [tag('a')] }],
  ['UntagResource', { TagKeys: ['a'] }],
  ['UpdateKeyDescription', { Description: 'x' }],
])('%s', (operation, request) => {
  // [FL keyManagementRejectsAKeyPendingDeletion]
  test('refuses a key pending deletion', async () => {
    const { KeyId, Arn } = key;
    await kms.scheduleKeyDeletion({ KeyId });
    expect(await failureText(kms.call(operation, { KeyId, ...request }))).toBe(
      `KMSInvalidStateException: ${Arn} is pending deletion.`,
    );
  });

  // [DG] key-state.md
  test('takes a key that is disabled, and one that is pending import', async () => {
    const external = await newKey(kms, { Origin: 'EXTERNAL' });
    await kms.disableKey({ KeyId: key.KeyId });
    for (const { KeyId } of [key, external]) {
      expect(await kms.call(operation, { KeyId, ...request })).toEqual({});
    }
  });

  test('names an absent key, and takes no alias', async () => {
    expect(await failureText(kms.call(operation, { KeyId: absentKeyId, ...request }))).toBe(
      `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
    );
    expect(await failureText(kms.call(operation, { KeyId: 'alias/x', ...request }))).toBe(
      'InvalidArnException: Key Aliases are not supported for this operation.',
    );
  });
});
