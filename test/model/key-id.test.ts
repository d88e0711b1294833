import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aliasArn, isKeyId, keyArn, notFound, parseKeyId } from '../../lib/model/key-id.ts';
import { failureText } from './failures.ts';

const place = { region: 'us-east-1', accountId: '111122223333' };
const scope = { ...place, aliases: 'allowed' } as const;
const keyOnly = { ...place, aliases: 'refused' } as const;
const uuid = '1234abcd-12ab-34cd-56ef-1234567890ab';
const multiRegion = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const prefix = 'arn:aws:kms:us-east-1:111122223333';

describe('the four forms', () => {
  test.each([uuid, multiRegion])('a key id and its ARN mean the same key: %s', (keyId) => {
    const expected = { kind: 'key', keyId, ...place };
    expect(parseKeyId(keyId, scope)).toEqual(expected);
    expect(parseKeyId(`${prefix}:key/${keyId}`, scope)).toEqual(expected);
    expect(parseKeyId(keyId, keyOnly)).toEqual(expected);
    expect(keyArn({ keyId, ...place })).toBe(`${prefix}:key/${keyId}`);
  });

  test.each(['alias/x', 'alias/aws/s3', 'alias/a:b/c'])(
    'an alias and its ARN mean the same alias: %s',
    (name) => {
      const expected = { kind: 'alias', name, ...place };
      expect(parseKeyId(name, scope)).toEqual(expected);
      expect(parseKeyId(`${prefix}:${name}`, scope)).toEqual(expected);
      expect(aliasArn({ name, ...place })).toBe(`${prefix}:${name}`);
    },
  );

  test('an ARN of another account is left to the caller', () => {
    const other = 'arn:aws:kms:us-east-1:999988887777';
    expect(parseKeyId(`${other}:key/${uuid}`, scope)).toMatchObject({ accountId: '999988887777' });
    expect(parseKeyId(`${other}:alias/x`, scope)).toMatchObject({ accountId: '999988887777' });
  });

  test('an upper-case UUID is kept as it was sent', () => {
    const upper = uuid.toUpperCase();
    const reference = parseKeyId(upper, scope);
    expect(reference).toMatchObject({ kind: 'key', keyId: upper });
    expect(notFound(reference).message).toBe(`Key '${prefix}:key/${upper}' does not exist`);
  });
});

describe('refusals', () => {
  test.each([
    'foo',
    uuid.replaceAll('-', ''),
    'mrk-1234',
    multiRegion.toUpperCase(),
    '',
    ' ',
    'key/x',
  ])('a malformed key id is quoted: %j', (text) => {
    expect(failureText(() => parseKeyId(text, scope))).toBe(
      `NotFoundException: Invalid keyId '${text}'`,
    );
  });

  test.each(['foo', '1234', 'mrk-1234', ''])('in a key ARN it is not quoted: %j', (text) => {
    expect(failureText(() => parseKeyId(`${prefix}:key/${text}`, scope))).toBe(
      `NotFoundException: Invalid keyId ${text}`,
    );
  });

  test.each([`key/${uuid}`, 'key/foo', 'alias/x'])('a foreign region is named: %s', (resource) => {
    const arn = `arn:aws:kms:us-west-2:111122223333:${resource}`;
    expect(failureText(() => parseKeyId(arn, scope))).toBe(
      'NotFoundException: Invalid arn us-west-2',
    );
  });

  test.each(['alias/x', `${prefix}:alias/x`])('operations on keys refuse aliases: %s', (text) => {
    expect(failureText(() => parseKeyId(text, keyOnly))).toBe(
      'InvalidArnException: Key Aliases are not supported for this operation.',
    );
  });

  test.each([
    'arn:aws:s3:::x',
    'arn:aws:kms',
    'arn:aws:kms:us-east-1:111122223333',
    `arn:aws:kms:us-east-1::key/${uuid}`,
    `arn:aws-cn:kms:us-east-1:111122223333:key/${uuid}`,
    `${prefix}:grant/x`,
  ])('a malformed ARN is echoed: %s', (text) => {
    expect(failureText(() => parseKeyId(text, scope))).toBe(
      `NotFoundException: Invalid arn ${text}`,
    );
  });

  test('a key that does not exist is named by its ARN', () => {
    expect(notFound(parseKeyId(uuid, scope)).message).toBe(
      `Key '${prefix}:key/${uuid}' does not exist`,
    );
    expect(notFound(parseKeyId('alias/x', scope)).message).toBe(
      `Alias ${prefix}:alias/x is not found.`,
    );
    expect(notFound(parseKeyId('alias/x', scope)).name).toBe('NotFoundException');
  });
});

test('any text is either read or refused with a KmsError', () => {
  const tricky = fc.constantFrom('arn:', 'aws:', 'kms:', 'us-east-1:', ':', 'key/', 'alias/', '\n');
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.oneof(tricky, fc.string())).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, fc.constantFrom(scope, keyOnly), (sent, where) => {
      try {
        parseKeyId(sent, where);
      } catch {
        expect(failureText(() => parseKeyId(sent, where))).toMatch(
          /^(NotFoundException: Invalid|InvalidArnException: Key Aliases)/,
        );
      }
    }),
  );
});

test('every UUID is a key id in either case', () => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      expect([isKeyId(id), isKeyId(id.toUpperCase())]).toEqual([true, true]);
    }),
  );
});
