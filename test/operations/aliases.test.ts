import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { keyKinds } from './calls.ts';
import {
  absentKeyId,
  aliasArn,
  allPages,
  complaint,
  failureText,
  keyArn,
  type MadeKey,
  members,
  newKey,
  openKms,
  outcomeOf,
  validation,
} from './support.ts';

const prefixText =
  'ValidationException: Alias must start with the prefix "alias/". Please see ' +
  'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html';

let kms: Pairmint;
let key: MadeKey;
let other: MadeKey;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:00Z') });
  kms = await openKms();
  key = await newKey(kms);
  other = await newKey(kms);
});

afterEach(() => {
  vi.useRealTimers();
});

const create = (AliasName: string, TargetKeyId = key.KeyId) =>
  kms.createAlias({ AliasName, TargetKeyId });

const targetOf = async (alias: string) =>
  (await kms.describeKey({ KeyId: alias })).KeyMetadata?.KeyId;

const list = (request: { KeyId?: string; Limit?: number } = {}) =>
  allPages(async (Marker) => {
    const response = await kms.listAliases({ ...request, ...(Marker !== undefined && { Marker }) });
    const { Aliases = [], NextMarker, Truncated } = response;
    expect(Truncated).toBe(NextMarker !== undefined);
    return { items: Aliases, NextMarker };
  });

const names = async (KeyId?: string) =>
  (await list(KeyId === undefined ? {} : { KeyId })).flat().map(({ AliasName }) => AliasName);

describe('CreateAlias', () => {
  test.each([
    ['a key id', () => key.KeyId],
    ['a key ARN', () => key.Arn],
  ])('answers with nothing and takes %s', async (_, target) => {
    expect(await create('alias/a', target())).toEqual({});
    expect(await targetOf('alias/a')).toBe(key.KeyId);
  });

  test('every character of the model but the colon is allowed, up to 256 of them', async () => {
    for (const name of ['alias/A-z_0/9x', `alias/${'n'.repeat(250)}`, 'alias/alias/x', 'alias//']) {
      await create(name);
      expect(await targetOf(name)).toBe(key.KeyId);
    }
  });

  // Measured on AWS, as many have reported; the model allows colons.
  test('a colon in a name is refused', async () => {
    for (const name of ['alias/Service:Test', 'alias/:', 'alias/a:b:c']) {
      expect(await failureText(create(name))).toBe(
        `ValidationException: ${name} contains invalid characters for an alias`,
      );
    }
    expect(await failureText(create('alias/aws/a:b'))).toBe('NotAuthorizedException: ');
    expect(await names()).toEqual([]);
  });

  test('names differ by case', async () => {
    await create('alias/a');
    await create('alias/A', other.KeyId);
    expect(await targetOf('alias/a')).toBe(key.KeyId);
    expect(await targetOf('alias/A')).toBe(other.KeyId);
  });

  test('a name that is taken is refused, by its own key too', async () => {
    await create('alias/a');
    const text = `AlreadyExistsException: An alias with the name ${aliasArn('alias/a')} already exists`;
    expect(await failureText(create('alias/a'))).toBe(text);
    expect(await failureText(create('alias/a', other.KeyId))).toBe(text);
    expect(await targetOf('alias/a')).toBe(key.KeyId);
  });

  test('a target that is not there is named', async () => {
    expect(await failureText(create('alias/a', absentKeyId))).toBe(
      `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
    );
    expect(await names()).toEqual([]);
  });

  // docs/aws-parity.md says why.
  test('an alias is refused as the target of another, new or moved', async () => {
    const text = 'ValidationException: Aliases must refer to keys. Not aliases';
    await create('alias/a');
    for (const target of ['alias/a', 'alias/absent', aliasArn('alias/a'), aliasArn('alias/b')]) {
      expect(await failureText(create('alias/b', target))).toBe(text);
      const moving = kms.updateAlias({ AliasName: 'alias/a', TargetKeyId: target });
      expect(await failureText(moving)).toBe(text);
    }
    expect(await names()).toEqual(['alias/a']);
  });

  test('members that are missing are named', async () => {
    expect(await failureText(kms.call('CreateAlias', { AliasName: 'alias/a' }))).toBe(
      validation(complaint('null', 'targetKeyId', 'not be null')),
    );
    expect(await failureText(kms.call('CreateAlias', { TargetKeyId: key.KeyId }))).toBe(
      validation(complaint('null', 'aliasName', 'not be null')),
    );
  });

  test('a key has 50 aliases at most', async () => {
    for (let i = 0; i < 50; i++) await create(`alias/${i}`);
    expect(await failureText(create('alias/50'))).toMatch(/^LimitExceededException: /);
    await create('alias/50', other.KeyId);
    expect(
      await failureText(kms.updateAlias({ AliasName: 'alias/50', TargetKeyId: key.KeyId })),
    ).toMatch(/^LimitExceededException: /);
    await kms.updateAlias({ AliasName: 'alias/0', TargetKeyId: key.KeyId });
    await kms.deleteAlias({ AliasName: 'alias/0' });
    await kms.updateAlias({ AliasName: 'alias/50', TargetKeyId: key.KeyId });
    expect(await names(key.KeyId)).toHaveLength(50);
  });
});

describe.each([
  ['CreateAlias', () => ({ TargetKeyId: key.KeyId })],
  ['UpdateAlias', () => ({ TargetKeyId: key.KeyId })],
  ['DeleteAlias', () => ({})],
])('%s checks the name', (operation, rest) => {
  const call = (AliasName: string) => failureText(kms.call(operation, { AliasName, ...rest() }));
  const pattern = 'satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$';

  test.each(['a', 'Alias/a', 'alias', 'alias/', 'key/a', 'xalias/a'])(
    '%s lacks the prefix or what follows it',
    async (name) => {
      expect(await call(name)).toBe(prefixText);
    },
  );

  test('the names of AWS’s own aliases are refused', async () => {
    expect(await call('alias/aws/s3')).toBe('NotAuthorizedException: ');
  });

  test.each(['alias/é', 'alias/a b', 'alias/a.b', 'alias/a\n', 'alias/*'])(
    '%j breaks the pattern',
    async (name) => {
      expect(await call(name)).toBe(validation(complaint(`'${name}'`, 'aliasName', pattern)));
    },
  );

  test('an empty name breaks two constraints, one of 257 characters one', async () => {
    expect(await call('')).toBe(
      validation(
        complaint("''", 'aliasName', 'have length greater than or equal to 1'),
        complaint("''", 'aliasName', pattern),
      ),
    );
    const long = `alias/${'n'.repeat(251)}`;
    expect(await call(long)).toBe(
      validation(complaint(`'${long}'`, 'aliasName', 'have length less than or equal to 256')),
    );
  });
});

test.each([
  ['UpdateAlias', () => ({ TargetKeyId: key.KeyId })],
  ['DeleteAlias', () => ({})],
])('%s names a missing alias by its ARN', async (operation, rest) => {
  const request = { AliasName: 'alias/nope', ...rest() };
  expect(await failureText(kms.call(operation, request))).toBe(
    `NotFoundException: Alias ${aliasArn('alias/nope')} is not found.`,
  );
});

describe('UpdateAlias', () => {
  test('moves the alias, keeps its creation date and dates the change', async () => {
    await create('alias/a');
    const created = new Date();
    vi.setSystemTime(created.getTime() + 5000);
    const request = { AliasName: 'alias/a', TargetKeyId: other.Arn };
    expect(await kms.updateAlias(request)).toEqual({});
    expect((await list()).flat()).toEqual([
      {
        AliasName: 'alias/a',
        AliasArn: aliasArn('alias/a'),
        TargetKeyId: other.KeyId,
        CreationDate: created,
        LastUpdatedDate: new Date(),
      },
    ]);
    expect(await targetOf('alias/a')).toBe(other.KeyId);
    expect(await names(key.KeyId)).toEqual([]);
    expect(await names(other.KeyId)).toEqual(['alias/a']);
  });

  test('to the key it has already dates the change and changes nothing else', async () => {
    await create('alias/a');
    await create('alias/b');
    vi.setSystemTime(Date.now() + 5000);
    await kms.updateAlias({ AliasName: 'alias/a', TargetKeyId: key.KeyId });
    const [a, b] = (await list()).flat();
    expect(a?.LastUpdatedDate?.getTime()).toBe(Number(a?.CreationDate?.getTime()) + 5000);
    expect(b?.LastUpdatedDate).toEqual(b?.CreationDate);
    expect(await names(key.KeyId)).toEqual(['alias/a', 'alias/b']);
  });

  test('leaves everything as it was if the new target is refused', async () => {
    await create('alias/a');
    await kms.scheduleKeyDeletion({ KeyId: other.KeyId });
    const move = (TargetKeyId: string) => kms.updateAlias({ AliasName: 'alias/a', TargetKeyId });
    expect(await failureText(move(other.KeyId))).toBe(
      `KMSInvalidStateException: ${other.Arn} is pending deletion.`,
    );
    expect(await failureText(move(absentKeyId))).toBe(
      `NotFoundException: Key '${keyArn(absentKeyId)}' does not exist`,
    );
    expect(await targetOf('alias/a')).toBe(key.KeyId);
  });

  test('takes an alias away from a key that is pending deletion', async () => {
    await create('alias/a');
    await kms.scheduleKeyDeletion({ KeyId: key.KeyId });
    await kms.updateAlias({ AliasName: 'alias/a', TargetKeyId: other.KeyId });
    expect(await targetOf('alias/a')).toBe(other.KeyId);
  });
});

describe('the kind of the target', () => {
  // KMS API Reference, UpdateAlias: the same type and the same usage; the text is (unverified).
  test.each([
    ['symmetric', 'symmetric', true],
    ['symmetric', 'encryption', false],
    ['symmetric', 'mac', false],
    ['signing', 'signing', true],
    ['signing', 'agreement', false],
    ['signing', 'encryption', false],
    ['mac', 'symmetric', false],
  ] as const)('an alias of a %s key moves to a %s key: %s', async (from, to, moves) => {
    const AliasName = 'alias/a';
    const [source, target] = [await newKey(kms, keyKinds[from]), await newKey(kms, keyKinds[to])];
    await create(AliasName, source.KeyId);
    const outcome = await outcomeOf(kms.updateAlias({ AliasName, TargetKeyId: target.KeyId }));
    expect(outcome).toMatch(moves ? /^ok$/ : /^ValidationException: ./);
    expect(await targetOf(AliasName)).toBe(moves ? target.KeyId : source.KeyId);
  });
});

describe('DeleteAlias', () => {
  test.each(['Enabled', 'Disabled', 'PendingDeletion'])(
    'works while its key is %s, and touches the alias alone',
    async (state) => {
      await create('alias/a');
      await create('alias/b');
      if (state === 'Disabled') await kms.disableKey({ KeyId: key.KeyId });
      if (state === 'PendingDeletion') await kms.scheduleKeyDeletion({ KeyId: key.KeyId });
      expect(await kms.deleteAlias({ AliasName: 'alias/a' })).toEqual({});
      expect(await names()).toEqual(['alias/b']);
      expect((await kms.describeKey({ KeyId: key.KeyId })).KeyMetadata?.KeyState).toBe(state);
    },
  );

  test('frees the name', async () => {
    await create('alias/a');
    await kms.deleteAlias({ AliasName: 'alias/a' });
    await create('alias/a', other.KeyId);
    expect(await targetOf('alias/a')).toBe(other.KeyId);
  });
});

describe('ListAliases', () => {
  test('an entry has exactly what AWS shows of an alias', async () => {
    await create('alias/a');
    const response = await kms.listAliases({});
    expect(members(response)).toEqual(['Aliases', 'Truncated']);
    expect(response).toEqual({
      Aliases: [
        {
          AliasName: 'alias/a',
          AliasArn: aliasArn('alias/a'),
          TargetKeyId: key.KeyId,
          CreationDate: new Date(),
          LastUpdatedDate: new Date(),
        },
      ],
      Truncated: false,
    });
  });

  test('KeyId keeps the aliases of that key', async () => {
    await create('alias/a');
    await create('alias/b', other.KeyId);
    await create('alias/c');
    expect(await names(key.KeyId)).toEqual(['alias/a', 'alias/c']);
    expect(await names(key.Arn)).toEqual(['alias/a', 'alias/c']);
    expect(await names(other.KeyId)).toEqual(['alias/b']);
  });

  test('50 aliases are a page, 100 the most', async () => {
    const third = await newKey(kms);
    for (let i = 0; i < 101; i++) {
      await create(`alias/${i}`, [key, other, third][i % 3]?.KeyId);
    }
    const sizes = async (request = {}) => (await list(request)).map((page) => page.length);
    expect(await sizes()).toEqual([50, 50, 1]);
    expect(await sizes({ Limit: 100 })).toEqual([100, 1]);
    expect(await sizes({ Limit: 1000 })).toEqual([100, 1]);
    expect(await sizes({ Limit: 17, KeyId: key.KeyId })).toEqual([17, 17]);
  });

  test('any Limit gives every alias exactly once, of one key or of all', async () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9/_-]{1,4}$/).filter((n) => !n.startsWith('aws/'));
    const lists = fc.uniqueArray(name, { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(lists, fc.integer({ min: 1, max: 14 }), async (suffixes, Limit) => {
        kms = await openKms();
        const { KeyId } = await newKey(kms);
        const wanted = suffixes.map((suffix) => `alias/${suffix}`).sort();
        for (const each of wanted) await create(each, KeyId);
        for (const request of [{ Limit }, { Limit, KeyId }]) {
          const pages = await list(request);
          expect(pages.slice(0, -1).every((page) => page.length === Limit)).toBe(true);
          expect(pages.flat().map(({ AliasName }) => AliasName)).toEqual(wanted);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a page goes on where the last one ended, though its last alias is gone', async () => {
    for (const name of ['a', 'b', 'c']) await create(`alias/${name}`);
    const { NextMarker = '' } = await kms.listAliases({ Limit: 2 });
    await kms.deleteAlias({ AliasName: 'alias/b' });
    const { Aliases } = await kms.listAliases({ Marker: NextMarker });
    expect(Aliases?.map(({ AliasName }) => AliasName)).toEqual(['alias/c']);
  });
});

describe('alias/pairmint/default', () => {
  const KeyId = 'alias/pairmint/default';

  test.each([KeyId, aliasArn(KeyId)])('%s is made when it is first used', async (id) => {
    const { KeyMetadata } = await kms.describeKey({ KeyId: id });
    expect(KeyMetadata).toMatchObject({ KeyManager: 'CUSTOMER', KeyState: 'Enabled' });
    expect(await targetOf(KeyId)).toBe(KeyMetadata?.KeyId);
    expect(await names()).toEqual([KeyId]);
  });

  test('first uses at the same time make one key', async () => {
    const request = { KeyId, KeySpec: 'AES_256' } as const;
    const dataKeys = await Promise.all(
      Array.from({ length: 20 }, () => kms.generateDataKey(request)),
    );
    expect(new Set(dataKeys.map((each) => each.KeyId)).size).toBe(1);
    expect((await kms.listKeys({})).Keys).toHaveLength(3);
  });

  test('it is an alias like any other: it can be made, moved and deleted', async () => {
    await create(KeyId);
    expect(await targetOf(KeyId)).toBe(key.KeyId);
    await kms.updateAlias({ AliasName: KeyId, TargetKeyId: other.KeyId });
    expect(await targetOf(KeyId)).toBe(other.KeyId);
    await kms.deleteAlias({ AliasName: KeyId });
    expect(await targetOf(KeyId)).not.toBe(other.KeyId);
  });

  test('it is made anew when its key is gone', async () => {
    const first = (await targetOf(KeyId)) as string;
    await kms.scheduleKeyDeletion({ KeyId: first, PendingWindowInDays: 7 });
    expect(await targetOf(KeyId)).toBe(first);
    vi.setSystemTime(Date.now() + 7 * 86_400_000);
    const second = await targetOf(KeyId);
    expect(second).not.toBe(first);
    expect(await targetOf(KeyId)).toBe(second);
    expect(await names()).toEqual([KeyId]);
  });

  test('no other missing alias is made', async () => {
    const id = 'alias/pairmint/other';
    expect(await failureText(kms.describeKey({ KeyId: id }))).toBe(
      `NotFoundException: Alias ${aliasArn(id)} is not found.`,
    );
  });
});
