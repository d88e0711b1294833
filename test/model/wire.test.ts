import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRequest } from '../../lib/model/request.ts';
import { fromJson, toJson, writeJson } from '../../lib/model/wire.ts';
import { failureText } from './failures.ts';

const epoch = { timestamps: 'epoch' } as const;
const iso8601 = { timestamps: 'iso8601' } as const;

describe('reading JSON', () => {
  test('base64 becomes bytes and epoch seconds become dates', () => {
    const json = {
      KeyId: 'k',
      ImportToken: 'AQ==',
      EncryptedKeyMaterial: 'AQI=',
      ValidTo: 1571767572.317,
    };
    expect(fromJson('ImportKeyMaterialRequest', json)).toEqual({
      KeyId: 'k',
      ImportToken: new Uint8Array([1]),
      EncryptedKeyMaterial: new Uint8Array([1, 2]),
      ValidTo: new Date('2019-10-22T18:06:12.317Z'),
    });
  });

  test('blobs own their memory', () => {
    const { Plaintext } = fromJson('EncryptRequest', { Plaintext: 'AQID' }) as {
      Plaintext: Uint8Array;
    };
    expect(Plaintext.buffer.byteLength).toBe(3);
  });

  test('unknown and null members are dropped', () => {
    expect(fromJson('DescribeKeyRequest', { KeyId: 'k', GrantTokens: null, X: 1 })).toEqual({
      KeyId: 'k',
    });
  });

  test('an inherited name is not a member, and __proto__ is an ordinary context key', () => {
    const json = JSON.parse('{"KeyId":"k","EncryptionContext":{"__proto__":"p"}}');
    const request = fromJson('EncryptRequest', json) as { EncryptionContext: object };
    expect(Object.entries(request.EncryptionContext)).toEqual([['__proto__', 'p']]);
    expect(({} as Record<string, unknown>).p).toBeUndefined();
  });

  test.each([
    [
      'x',
      "'x' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 1",
    ],
    [
      'AQ',
      "'AQ' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 2",
    ],
    ['AQ=\n', "'AQ=\n' can not be converted to a Blob: Invalid Base64 character"],
    ['A-_=', "'A-_=' can not be converted to a Blob: Invalid Base64 character"],
    ['A===', "'A===' can not be converted to a Blob: Invalid Base64 character"],
    ['AQ==AQ==', "'AQ==AQ==' can not be converted to a Blob: Invalid Base64 character"],
    ['AR==', "'AR==' can not be converted to a Blob: Invalid last non-pad Base64 character"],
  ])('base64 is read strictly: %j', (text, message) => {
    expect(failureText(() => fromJson('DecryptRequest', { CiphertextBlob: text }))).toBe(
      `SerializationException: ${message}`,
    );
  });

  test('a secret is not repeated when it cannot be decoded', () => {
    expect(failureText(() => fromJson('EncryptRequest', { Plaintext: 'pass!' }))).not.toMatch(
      /pass/,
    );
  });

  test('only texts that bytes encode to are read', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'AQgwB/+=') }), (text) => {
        let bytes: unknown;
        try {
          bytes = fromJson('CiphertextType', text);
        } catch {
          return;
        }
        expect(Buffer.from(bytes as Uint8Array).toString('base64')).toBe(text);
      }),
    );
  });

  test('wrong types are left for the request parser to refuse', () => {
    const parse = (json: unknown) => parseRequest('Encrypt', fromJson('EncryptRequest', json));
    expect(failureText(() => parse({ KeyId: 1 }))).toBe(
      'SerializationException: NUMBER_VALUE can not be converted to a String',
    );
    expect(failureText(() => parse({ KeyId: 'k', Plaintext: 1 }))).toBe(
      'SerializationException: NUMBER_VALUE can not be converted to a Blob',
    );
    expect(failureText(() => parse([]))).toBe('SerializationException: ');
    expect(failureText(() => parse('x'))).toBe('SerializationException: ');
    expect(failureText(() => parse(null))).toBe('SerializationException: ');
  });

  test('any JSON is read or refused with a KmsError', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (json, part) => {
        for (const value of [json, { KeyId: part, ValidTo: part, EncryptedKeyMaterial: part }]) {
          try {
            parseRequest('ImportKeyMaterial', fromJson('ImportKeyMaterialRequest', value));
          } catch {
            failureText(() =>
              parseRequest('ImportKeyMaterial', fromJson('ImportKeyMaterialRequest', value)),
            );
          }
        }
      }),
    );
  });
});

describe('writing JSON', () => {
  test('members come in the order of the model, absent ones are left out, blobs are base64', () => {
    const response = {
      KeyMaterialId: 'ab',
      KeyId: 'arn',
      Unknown: 1,
      PublicKey: Buffer.from([1, 2]),
      KeyPairSpec: undefined,
      PrivateKeyCiphertextBlob: new Uint8Array([0, 255, 0]).subarray(1),
    };
    expect(JSON.stringify(toJson('GenerateDataKeyPairResponse', response, epoch))).toBe(
      '{"PrivateKeyCiphertextBlob":"/wA=","PublicKey":"AQI=","KeyId":"arn","KeyMaterialId":"ab"}',
    );
  });

  test('timestamps are epoch seconds or what AWS CLI 2 prints', () => {
    const at = (text: string) => ({ KeyMetadata: { KeyId: 'k', CreationDate: new Date(text) } });
    const write = (text: string, options: typeof epoch | typeof iso8601) =>
      JSON.stringify(toJson('DescribeKeyResponse', at(text), options));
    const fraction = '2019-10-22T18:06:12.317Z';
    expect(write(fraction, epoch)).toContain('"CreationDate":1571767572.317}');
    expect(write(fraction, iso8601)).toContain('"2019-10-22T18:06:12.317000+00:00"');
    const whole = '2019-10-22T18:06:12Z';
    expect(write(whole, epoch)).toContain('"CreationDate":1571767572}');
    expect(write(whole, iso8601)).toContain('"2019-10-22T18:06:12+00:00"');
  });

  test('false, zero and empty values are written', () => {
    expect(toJson('ListKeysResponse', { Truncated: false, Keys: [] }, epoch)).toEqual({
      Keys: [],
      Truncated: false,
    });
    const described = toJson('DescribeKeyResponse', { KeyMetadata: { Description: '' } }, epoch);
    expect(described).toEqual({ KeyMetadata: { Description: '' } });
  });

  test('a __proto__ key of a map is written', () => {
    const Constraints = { EncryptionContextEquals: JSON.parse('{"__proto__":"p"}') };
    const json = toJson('ListGrantsResponse', { Grants: [{ Constraints }] }, epoch);
    expect(JSON.stringify(json)).toBe(
      '{"Grants":[{"Constraints":{"EncryptionContextEquals":{"__proto__":"p"}}}]}',
    );
  });

  test('a server writes what JSON.stringify does', () => {
    const special = fc.constantFrom('"', '\\', '\n', '\x7f', 'a');
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: special }));
    const grant = fc.record(
      {
        Name: text,
        CreationDate: fc.date({ noInvalidDate: true }),
        Operations: fc.array(fc.constantFrom('Decrypt', 'Encrypt')),
        Constraints: fc.record({ EncryptionContextEquals: fc.dictionary(text, text) }),
      },
      { requiredKeys: [] },
    );
    const grants = fc.record({ Grants: fc.array(grant), Truncated: fc.boolean() });
    const data = fc.record({ CiphertextBlob: fc.uint8Array() }, { requiredKeys: [] });
    fc.assert(
      fc.property(grants, data, (list, blob) => {
        const written = JSON.stringify(toJson('ListGrantsResponse', list, epoch));
        expect(writeJson('ListGrantsResponse', list)).toBe(written);
        const bytes = JSON.stringify(toJson('EncryptResponse', blob, epoch));
        expect(writeJson('EncryptResponse', blob)).toBe(bytes);
      }),
    );
  });

  test('what is written reads back', () => {
    const response = fc.record(
      {
        CiphertextBlob: fc.uint8Array(),
        KeyId: fc.string(),
        Plaintext: fc.uint8Array(),
      },
      { requiredKeys: [] },
    );
    const entry = fc.record({
      KeyId: fc.string(),
      KeyCreationDate: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999') }),
    });
    fc.assert(
      fc.property(response, entry, (data, usage) => {
        const json = JSON.parse(JSON.stringify(toJson('GenerateDataKeyResponse', data, epoch)));
        expect(fromJson('GenerateDataKeyResponse', json)).toEqual(data);
        const times = JSON.parse(JSON.stringify(toJson('GetKeyLastUsageResponse', usage, epoch)));
        expect(fromJson('GetKeyLastUsageResponse', times)).toEqual(usage);
      }),
    );
  });
});

test('of a structure that limits something, members that are not understood are left to be refused', () => {
  const Constraints = { SourceVpc: 'vpc-1', EncryptionContextEquals: { a: 'b' }, Other: null };
  const read = fromJson('CreateGrantRequest', { Constraints, Unknown: 1 });
  expect(read).toEqual({
    Constraints: { SourceVpc: 'vpc-1', EncryptionContextEquals: { a: 'b' } },
  });
});
