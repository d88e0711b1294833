import vm from 'node:vm';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { KmsError } from '../../lib/model/errors.ts';
import { type CheckedRequest, isOperationName, parseRequest } from '../../lib/model/request.ts';
import type { StructureShape } from '../../lib/model/shape.ts';
import { type OperationName, operationShapes, shapes } from '../../lib/model/shapes.ts';
import { failureOf, failureText } from './failures.ts';

const pair = { KeyId: 'alias/x', KeyPairSpec: 'RSA_2048' };
const operations = Object.keys(operationShapes) as OperationName[];

describe('copying', () => {
  test('unknown members are dropped, null and undefined are absent', () => {
    const input = { ...pair, Surprise: 1, DryRun: null, GrantTokens: undefined };
    expect(Object.entries(parseRequest('GenerateDataKeyPair', input))).toEqual([
      ['KeyId', 'alias/x'],
      ['KeyPairSpec', 'RSA_2048'],
    ]);
  });

  test('nothing in the copy is shared with the caller', () => {
    const input = {
      ...pair,
      GrantTokens: ['t'],
      EncryptionContext: { a: 'b' },
      Recipient: { AttestationDocument: new Uint8Array([1]) },
    };
    const request = parseRequest('GenerateDataKeyPair', input);
    input.GrantTokens[0] = 'u';
    input.EncryptionContext.a = 'c';
    input.Recipient.AttestationDocument[0] = 2;
    expect(request.GrantTokens).toEqual(['t']);
    expect(request.EncryptionContext).toEqual({ a: 'b' });
    expect(request.Recipient?.AttestationDocument).toEqual(new Uint8Array([1]));
  });

  test('any view of a buffer is a blob, and only the bytes it shows are copied', () => {
    const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
    const views = [
      bytes.subarray(2, 6),
      Buffer.from(bytes.buffer, 2, 4),
      new DataView(bytes.buffer, 2, 4),
      new Uint16Array(bytes.buffer, 2, 2),
    ];
    for (const CiphertextBlob of views) {
      const copy = parseRequest('Decrypt', { CiphertextBlob }).CiphertextBlob;
      expect(copy).toEqual(new Uint8Array([2, 3, 4, 5]));
      expect(copy?.buffer.byteLength).toBe(4);
    }
  });

  test('shared memory is copied into memory of our own', () => {
    const CiphertextBlob = new Uint8Array(new SharedArrayBuffer(2));
    const copy = parseRequest('Decrypt', { CiphertextBlob }).CiphertextBlob;
    expect(copy?.buffer).toBeInstanceOf(ArrayBuffer);
  });

  test('__proto__ is a context key like any other', () => {
    const EncryptionContext = JSON.parse('{"__proto__":"p","constructor":"c"}');
    const request = parseRequest('GenerateDataKeyPair', { ...pair, EncryptionContext });
    expect(Object.entries(request.EncryptionContext ?? {})).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
    ]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  test('timestamps are dates or epoch seconds', () => {
    const input = {
      KeyId: 'k',
      ImportToken: new Uint8Array(1),
      EncryptedKeyMaterial: Buffer.alloc(1),
    };
    const at = (ValidTo: unknown) =>
      parseRequest('ImportKeyMaterial', { ...input, ValidTo }).ValidTo;
    const date = new Date('2019-10-22T18:06:12.317Z');
    expect(at(date)).toEqual(date);
    expect(at(date)).not.toBe(date);
    expect(at(1571767572.317)).toEqual(date);
    for (const bad of [new Date(Number.NaN), Number.NaN, 1e300, '2019-10-22']) {
      expect(failureText(() => at(bad))).toMatch(/^SerializationException: .*to a Date$/);
    }
  });

  test('each member is read once, so it cannot change between check and use', () => {
    const reads = new Map<string, number>();
    const input = counting({ ...pair, EncryptionContext: counting({ a: 'b' }, reads) }, reads);
    parseRequest('GenerateDataKeyPair', input);
    expect(Object.fromEntries(reads)).toMatchObject({ KeyId: 1, KeyPairSpec: 1, a: 1 });
    expect([...reads.values()].every((count) => count === 1)).toBe(true);
  });

  test('a getter that changes its answer is believed the first time', () => {
    const answers = ['RSA_2048', 'RSA_9999'];
    const input = {
      KeyId: 'k',
      get KeyPairSpec() {
        return answers.shift();
      },
    };
    expect(parseRequest('GenerateDataKeyPair', input).KeyPairSpec).toBe('RSA_2048');
  });
});

describe('types', () => {
  const refusal = (operation: OperationName, input: unknown) =>
    failureText(() => parseRequest(operation, input)).replace(/^SerializationException: /, '');

  test.each([null, undefined, [], 'x', 1, true, Symbol('x'), () => {}, new Map(), new Date(0)])(
    'a request that is no object is refused without a text: %s',
    (input) => {
      const error = failureOf(() => parseRequest('ListKeys', input));
      expect([error.name, error.message]).toEqual(['SerializationException', '']);
      expect(String(error.cause)).toMatch(/^TypeError: request: expected an object, got /);
    },
  );

  test.each([
    [1, 'NUMBER_VALUE can not be converted to a String'],
    [true, 'TRUE_VALUE can not be converted to a String'],
    [false, 'FALSE_VALUE can not be converted to a String'],
    [1n, 'BIGINT_VALUE can not be converted to a String'],
    [[], 'Start of list found where not expected'],
    [{}, 'Start of structure or map found where not expected.'],
  ])('a text that is %s', (KeyId, text) => {
    expect(refusal('DescribeKey', { KeyId })).toBe(text);
  });

  test('a type error hides nothing from the log: its cause names the member', () => {
    const error = failureOf(() => parseRequest('CreateKey', { Tags: [{ TagKey: 1 }] }));
    expect(error.cause).toEqual(new TypeError('Tags[0].TagKey: expected a String, got number'));
  });

  test.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    'a number that is no integer: %s',
    (NumberOfBytes) => {
      expect(refusal('GenerateRandom', { NumberOfBytes })).toBe(
        'NUMBER_VALUE can not be converted to an Integer',
      );
    },
  );

  test('numbers and booleans are not read from texts', () => {
    expect(refusal('GenerateRandom', { NumberOfBytes: '1' })).toBe(
      'STRING_VALUE can not be converted to an Integer',
    );
    expect(refusal('GenerateDataKeyPair', { ...pair, DryRun: 'true' })).toBe(
      'STRING_VALUE can not be converted to a Boolean',
    );
    expect(refusal('GenerateDataKeyPair', { ...pair, DryRun: 1 })).toBe(
      'NUMBER_VALUE can not be converted to a Boolean',
    );
  });

  test('a text is refused as a blob, whatever it encodes', () => {
    expect(refusal('Decrypt', { CiphertextBlob: 'AQ==' })).toBe(
      'STRING_VALUE can not be converted to a Blob',
    );
  });

  test('lists, maps and structures are told apart', () => {
    expect(refusal('DescribeKey', { GrantTokens: 'x' })).toBe('Expected list or null');
    expect(refusal('DescribeKey', { GrantTokens: {} })).toBe(
      'Start of structure or map found where not expected.',
    );
    expect(refusal('Encrypt', { EncryptionContext: 'x' })).toBe('Expected map or null');
    expect(refusal('Encrypt', { EncryptionContext: ['x'] })).toBe(
      'Start of list found where not expected',
    );
    expect(refusal('Decrypt', { Recipient: 'x' })).toBe('Expected null');
  });

  test.each([
    ['from its prototype', Object.create({ a: 'b' })],
    ['beside its own', Object.assign(Object.create({ a: 'b' }), { c: 'd' })],
    [
      'by accessors of its class',
      new (class {
        get a() {
          return 'b';
        }
      })(),
    ],
  ])('an object that has entries %s is not taken for an encryption context', (_how, context) => {
    expect(() =>
      parseRequest('Encrypt', {
        KeyId: 'k',
        Plaintext: Buffer.from('x'),
        EncryptionContext: context,
      }),
    ).toThrow(expect.objectContaining({ name: 'SerializationException' }));
  });

  test('an object of another realm is an encryption context like any other', () => {
    const EncryptionContext = vm.runInNewContext('({ a: "b" })');
    const request = { KeyId: 'k', Plaintext: Buffer.from('x'), EncryptionContext };
    expect(parseRequest('Encrypt', request).EncryptionContext).toEqual(
      Object.assign(Object.create(null), { a: 'b' }),
    );
  });

  test('a Map is not taken for an empty encryption context', () => {
    const EncryptionContext = new Map([['a', 'b']]);
    expect(refusal('Encrypt', { EncryptionContext })).toBe('Expected map or null');
  });

  test('null is refused as an element of a list and as a value of a map', () => {
    const text = 'NULL_VALUE can not be converted to a String';
    expect(refusal('DescribeKey', { GrantTokens: [null] })).toBe(text);
    expect(refusal('Encrypt', { EncryptionContext: { a: null } })).toBe(text);
  });

  test('wrong types are reported before broken constraints', () => {
    expect(refusal('GenerateDataKeyPair', { KeyId: '', DryRun: 1 })).toMatch(/^NUMBER_VALUE/);
  });

  test('a getter that throws is a request that cannot be read', () => {
    const cause = new Error('mine');
    const input = {
      get KeyId(): string {
        throw cause;
      },
    };
    expect(failureOf(() => parseRequest('DescribeKey', input))).toMatchObject({
      name: 'SerializationException',
      message: 'The request could not be read',
      cause,
    });
  });

  test('a revoked proxy is refused, as any request is that is not an object', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(refusal('DescribeKey', proxy)).toBe('');
    expect(failureOf(() => parseRequest('DescribeKey', { KeyId: proxy })).name).toBe(
      'SerializationException',
    );
  });
});

test('only operations of the model are parsed', () => {
  expect(isOperationName('GenerateDataKeyPair')).toBe(true);
  for (const name of ['generateDataKeyPair', 'constructor', '__proto__', '']) {
    expect(isOperationName(name)).toBe(false);
    expect(failureText(() => parseRequest(name as OperationName, {}))).toBe(
      'UnknownOperationException: ',
    );
  }
});

test('required members of a parsed request have a value, optional ones may be undefined', () => {
  type Parsed = CheckedRequest<'GenerateDataKeyPair'>;
  expectTypeOf<Parsed['KeyId']>().toEqualTypeOf<string>();
  expectTypeOf<Parsed['DryRun']>().toEqualTypeOf<boolean | undefined>();
  expectTypeOf<{ KeyId: string; KeyPairSpec: 'SM2' }>().toExtend<Parsed>();
});

describe('whatever the caller sends', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withObjectString: true,
    withNullPrototype: true,
  });
  // Random member names would never meet the model's: give each operation's own members random values.
  const request = fc.constantFrom(...operations).chain((operation) => {
    const { members } = shapes[operationShapes[operation].input] as StructureShape;
    const values = Object.fromEntries(Object.keys(members).map((name) => [name, anything]));
    return fc.tuple(
      fc.constant(operation),
      fc.oneof(fc.record(values, { requiredKeys: [] }), anything),
    );
  });

  test('nothing but a KmsError is thrown, and the input is left as it was', () => {
    fc.assert(
      fc.property(request, ([operation, input]) => {
        const before = fc.stringify(input);
        expectKmsErrorAtMost(operation, input);
        expect(fc.stringify(input)).toBe(before);
      }),
      { numRuns: 1000 },
    );
  });

  test('proxies see each member read at most once', () => {
    fc.assert(
      fc.property(request, ([operation, input]) => {
        if (typeof input !== 'object' || input === null) return;
        const reads = new Map<string, number>();
        expectKmsErrorAtMost(operation, counting(input, reads));
        for (const [name, count] of reads) expect([name, count]).toEqual([name, 1]);
      }),
    );
  });
});

function expectKmsErrorAtMost(operation: OperationName, input: unknown): void {
  try {
    parseRequest(operation, input);
  } catch (error) {
    expect(error).toBeInstanceOf(KmsError);
    expect(['SerializationException', 'ValidationException']).toContain((error as KmsError).name);
  }
}

// Counts reads of members by name; well-known symbols are no members.
function counting<T extends object>(target: T, reads: Map<string, number>): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      if (typeof name === 'string') reads.set(name, (reads.get(name) ?? 0) + 1);
      return Reflect.get(object, name, receiver);
    },
  });
}
