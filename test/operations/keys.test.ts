import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KeyListEntry } from '../../lib/model/types.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import {
  accountId,
  allPages,
  complaint,
  failureText,
  keyArn,
  members,
  newKey,
  openKms,
  region,
  validation,
} from './support.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const defaultMembers = [
  'AWSAccountId',
  'Arn',
  'CreationDate',
  'CurrentKeyMaterialId',
  'CustomerMasterKeySpec',
  'Description',
  'Enabled',
  'EncryptionAlgorithms',
  'KeyId',
  'KeyManager',
  'KeySpec',
  'KeyState',
  'KeyUsage',
  'MultiRegion',
  'Origin',
];

let kms: Pairmint;

beforeAll(async () => {
  kms = await openKms();
});

describe('CreateKey', () => {
  test('a default key is described exactly as AWS describes one', async () => {
    const before = Date.now();
    const response = await kms.createKey({});
    expect(members(response)).toEqual(['KeyMetadata']);
    const { KeyMetadata = {} } = response;
    expect(members(KeyMetadata)).toEqual(defaultMembers);
    const {
      KeyId = '',
      CreationDate,
      CurrentKeyMaterialId,
      ...fixed
    } = KeyMetadata as NonNullable<typeof response.KeyMetadata>;
    expect(KeyId).toMatch(uuid);
    expect(CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
    expect(CreationDate?.getTime()).toBeLessThanOrEqual(Date.now());
    expect(CurrentKeyMaterialId).toMatch(/^[0-9a-f]{64}$/);
    expect(fixed).toEqual({
      AWSAccountId: accountId,
      Arn: keyArn(KeyId),
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      Description: '',
      Enabled: true,
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      KeyManager: 'CUSTOMER',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyState: 'Enabled',
      KeyUsage: 'ENCRYPT_DECRYPT',
      MultiRegion: false,
      Origin: 'AWS_KMS',
    });
  });

  test.each([
    {},
    { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'AWS_KMS' },
    { CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
    { BypassPolicyLockoutSafetyCheck: true, MultiRegion: false, Tags: [] },
  ] as const)('DescribeKey repeats what CreateKey answered: %j', async (request) => {
    const created = await kms.createKey(request as never);
    const found = await kms.describeKey({ KeyId: created.KeyMetadata?.KeyId ?? '' });
    expect(found).toEqual(created);
    expect(members(created.KeyMetadata ?? {})).toEqual(defaultMembers);
  });

  test('a description of up to 8,192 characters is kept as it is', async () => {
    for (const Description of ['für \u{1f511}', 'd'.repeat(8192)]) {
      const { KeyId } = await newKey(kms, { Description });
      const { KeyMetadata } = await kms.describeKey({ KeyId });
      expect(KeyMetadata?.Description).toBe(Description);
    }
    const Description = 'd'.repeat(8193);
    expect(await failureText(kms.createKey({ Description }))).toBe(
      validation(
        complaint(`'${Description}'`, 'description', 'have length less than or equal to 8192'),
      ),
    );
  });

  test('a multi-Region key has an id of its own kind and says where it is primary', async () => {
    const { KeyMetadata } = await kms.createKey({ MultiRegion: true });
    expect(KeyMetadata?.KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    expect(members(KeyMetadata ?? {})).toEqual(
      [...defaultMembers, 'MultiRegionConfiguration'].sort(),
    );
    expect(KeyMetadata).toMatchObject({
      MultiRegion: true,
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: { Arn: KeyMetadata?.Arn, Region: region },
        ReplicaKeys: [],
      },
    });
  });

  // docs/aws-parity.md says why.
  test.each([
    { KeySpec: 'RSA_2048', CustomerMasterKeySpec: 'RSA_3072', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'RSA_2048', CustomerMasterKeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
  ] as const)('KeySpec and its older name do not come together: %j', async (request) => {
    expect(await failureText(kms.createKey(request))).toBe(
      'ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same ' +
        'request. CustomerMasterKeySpec is deprecated.',
    );
  });

  const notOffered = [
    { Origin: 'AWS_CLOUDHSM' },
    { Origin: 'EXTERNAL_KEY_STORE' },
    { XksKeyId: 'x' },
  ] as const;

  test.each(notOffered)('%j is not offered, and that is said', async (request) => {
    expect(await failureText(kms.createKey(request))).toMatch(
      /^UnsupportedOperationException: Custom key stores are not offered: ./,
    );
  });

  test.each([
    { CustomKeyStoreId: 'cks-1' },
    { CustomKeyStoreId: 'cks-1', Origin: 'AWS_CLOUDHSM' },
    { CustomKeyStoreId: 'cks-1', Origin: 'EXTERNAL_KEY_STORE', XksKeyId: 'x' },
  ] as const)('%j names a custom key store, and none is found', async (request) => {
    expect(await failureText(kms.createKey(request))).toBe('CustomKeyStoreNotFoundException: ');
  });

  test('nothing is made if a request is refused', async () => {
    const fresh = await openKms();
    const refused = [
      ...notOffered,
      { CustomKeyStoreId: 'cks-1' },
      { KeySpec: 'HMAC_256' as const },
      { Tags: [{ TagKey: 'aws:x', TagValue: '' }] },
      { Policy: '{}' },
    ];
    for (const request of refused) await failureText(fresh.createKey(request));
    expect((await fresh.listKeys({})).Keys).toEqual([]);
  });

  describe('tags', () => {
    const tag = (TagKey: string, TagValue = 'v') => ({ TagKey, TagValue });
    const many = (count: number) => Array.from({ length: count }, (_, i) => tag(`t${i}`));

    test('50 tags, empty values and keys that differ by case are allowed', async () => {
      await newKey(kms, { Tags: many(50) });
      await newKey(kms, { Tags: [tag('a', ''), tag('A', '')] });
    });

    test.each([
      [many(51), 'Too many tags'],
      [[tag('a'), tag('b'), tag('a')], 'Duplicate tag keys'],
      [[tag('aws:a')], 'Tags beginning with aws: are reserved'],
      [[tag('AwS:a')], 'Tags beginning with aws: are reserved'],
    ])('tags are refused by rules of their own: %#', async (Tags, text) => {
      expect(await failureText(kms.createKey({ Tags }))).toBe(`TagException: ${text}`);
    });

    test('lengths are complained about in AWS’s words, with the place in the list', async () => {
      const long = 'k'.repeat(129);
      expect(await failureText(kms.createKey({ Tags: [tag(long)] }))).toBe(
        validation(
          complaint(`'${long}'`, 'tags.1.member.tagKey', 'have length less than or equal to 128'),
        ),
      );
      const value = 'v'.repeat(257);
      expect(await failureText(kms.createKey({ Tags: [tag('a'), tag('b', value)] }))).toBe(
        validation(
          complaint(
            `'${value}'`,
            'tags.2.member.tagValue',
            'have length less than or equal to 256',
          ),
        ),
      );
    });
  });
});

describe('ListKeys', () => {
  const list = async (from: Pairmint, Limit?: number) =>
    allPages(async (Marker) => {
      const response = await from.listKeys({
        ...(Limit !== undefined && { Limit }),
        ...(Marker !== undefined && { Marker }),
      });
      const { Keys = [], NextMarker, Truncated } = response;
      expect(Truncated).toBe(NextMarker !== undefined);
      expect(members(response)).toEqual(
        Truncated ? ['Keys', 'NextMarker', 'Truncated'] : ['Keys', 'Truncated'],
      );
      return { items: Keys, NextMarker };
    });

  test('an empty store has no keys, and the list is whole', async () => {
    const fresh = await openKms();
    expect(await fresh.listKeys({})).toEqual({ Keys: [], Truncated: false });
  });

  test('each entry has the id and the ARN, whatever state the key is in', async () => {
    const fresh = await openKms();
    const [enabled, disabled, doomed] = [
      await newKey(fresh),
      await newKey(fresh, { MultiRegion: true }),
      await newKey(fresh),
    ];
    await fresh.disableKey({ KeyId: disabled.KeyId });
    await fresh.scheduleKeyDeletion({ KeyId: doomed.KeyId });
    const [entries = []] = await list(fresh);
    const byId = (a: KeyListEntry, b: KeyListEntry) => (String(a.KeyId) < String(b.KeyId) ? -1 : 1);
    const expected = [enabled, disabled, doomed].map(({ KeyId, Arn }) => ({ KeyId, KeyArn: Arn }));
    expect([...entries].sort(byId)).toEqual(expected.sort(byId));
    expect(await list(fresh)).toEqual([entries]);
  });

  test('100 keys are a page unless another Limit is given', async () => {
    const fresh = await openKms();
    for (let i = 0; i < 101; i++) await newKey(fresh);
    expect((await list(fresh)).map((page) => page.length)).toEqual([100, 1]);
    expect((await list(fresh, 1000)).map((page) => page.length)).toEqual([101]);
    expect((await list(fresh, 101)).map((page) => page.length)).toEqual([101]);
    expect((await list(fresh, 100)).map((page) => page.length)).toEqual([100, 1]);
  });

  test('any Limit gives every key exactly once, in pages that are full but the last', async () => {
    const sizes = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 14 }));
    await fc.assert(
      fc.asyncProperty(sizes, async ([count, limit]) => {
        const fresh = await openKms();
        const ids: string[] = [];
        for (let i = 0; i < count; i++) ids.push((await newKey(fresh)).KeyId);
        const pages = await list(fresh, limit);
        expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true);
        expect(pages.flat().map(({ KeyId }) => KeyId)).toEqual(ids.sort());
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    [0, 'have value greater than or equal to 1'],
    [1001, 'have value less than or equal to 1000'],
  ])('a Limit of %i is out of range', async (Limit, constraint) => {
    expect(await failureText(kms.listKeys({ Limit }))).toBe(
      validation(complaint(`'${Limit}'`, 'limit', constraint)),
    );
  });

  test.each(['garbage', 'é', '====', Buffer.from('pairmint/2/x').toString('base64')])(
    'a marker that no list gave is refused: %s',
    async (Marker) => {
      expect(await failureText(kms.listKeys({ Marker }))).toMatch(/^InvalidMarkerException: ./);
      expect(await failureText(kms.listAliases({ Marker }))).toMatch(/^InvalidMarkerException: ./);
    },
  );
});
