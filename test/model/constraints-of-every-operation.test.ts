// Labels such as [LS] name the evidence of AWS's answer: docs/aws-parity.md explains them.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Shape, StringShape, StructureShape } from '../../lib/model/shape.ts';
import {
  type OperationName,
  operationShapes,
  type ShapeName,
  shapes,
} from '../../lib/model/shapes.ts';
import { fromJson } from '../../lib/model/wire.ts';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { complaint, newKey, openKms, outcomeOf, validation } from '../operations/support.ts';

// The requests and what AWS says of them are worked out here, from the model and semantics of the
// service alone, so that a mistake in lib/model/constraints.ts cannot excuse itself.

/** A value that breaks constraints, and AWS's complaints about it if it is at `path`. */
interface Violation {
  readonly label: string;
  readonly value: unknown;
  complaints(path: string): string[];
}

let kms: Pairmint;
let keyId: string;
let store: MemoryStore;
let sent = 0;

beforeAll(async () => {
  const commit = vi.spyOn(MemoryStore.prototype, 'commit');
  kms = await openKms();
  ({ KeyId: keyId } = await newKey(kms, { Tags: [{ TagKey: 'a', TagValue: 'b' }] }));
  await kms.createAlias({ AliasName: 'alias/x', TargetKeyId: keyId });
  store = commit.mock.contexts[0] as MemoryStore;
  vi.restoreAllMocks();
});

afterAll(() => {
  expect(sent).toBeGreaterThan(2500);
});

/** Everything that the store holds. */
async function listing(): Promise<string> {
  const entries = await store.list('', { limit: Number.POSITIVE_INFINITY });
  expect(entries.length).toBeGreaterThan(2);
  return JSON.stringify(
    entries.map(({ path, value }) => [path, Buffer.from(value).toString('hex')]),
  );
}

/** The outcome of a request that must leave everything as it is. */
async function outcome(request: () => Promise<unknown>): Promise<string> {
  const before = await listing();
  const result = await outcomeOf(request());
  expect(await listing()).toBe(before);
  sent++;
  return result;
}

const shapeOf = (name: ShapeName) => shapes[name];
const lowerFirst = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);

/** Texts that fit, of the shapes for which a few letters do not. */
const texts: Partial<Record<ShapeName, string>> = {
  AccountIdType: '123456789012',
  AliasNameType: 'alias/y',
  CloudHsmClusterIdType: 'cluster-abcdefghijk',
  RegionType: 'eu-west-1',
  XksProxyAuthenticationAccessKeyIdType: 'A'.repeat(20),
  GrantConstraintSourceArnType: 'arn:aws:s3:us-east-1:000000000000:bucket',
  ServicePrincipalType: 's3.amazonaws.com',
  XksProxyUriEndpointType: 'https://xks.example',
  XksProxyUriPathType: '/kms/xks/v1',
  XksProxyVpcEndpointServiceNameType: 'com.amazonaws.vpce.us-east-1.vpce-svc-0a',
};

/** A value that fits, with no more members than it needs. */
function sample(name: ShapeName): unknown {
  const shape = shapeOf(name);
  if (name === 'KeyIdType') return keyId;
  if (shape.type === 'string') {
    return shape.enum?.[0] ?? texts[name] ?? 'a'.repeat(Math.max(shape.min ?? 1, 1));
  }
  if (shape.type === 'blob') return Buffer.alloc(Math.max(shape.min ?? 1, 1), 'b');
  if (shape.type === 'integer') return shape.min ?? 1;
  if (shape.type === 'boolean') return true;
  if (shape.type === 'timestamp') return new Date(1e12);
  if (shape.type === 'list') return [sample(shape.member)];
  if (shape.type === 'map') return { k: 'v' };
  return sampleStructure(shape);
}

function sampleStructure({ members, required = [] }: StructureShape): Record<string, unknown> {
  return Object.fromEntries(required.map((name) => [name, sample(members[name] as ShapeName)]));
}

const atMost = (noun: string, bound: number) => `have ${noun} less than or equal to ${bound}`;
const atLeast = (noun: string, bound: number) => `have ${noun} greater than or equal to ${bound}`;

function listedBy({ listed, enum: values = [] }: StringShape): string {
  const shown = listed === undefined ? values : (shapeOf(listed) as StringShape).enum;
  return `satisfy enum value set: [${(shown ?? []).join(', ')}]`;
}

// A Java pattern has to match the whole text. No text here has a space that Java does not know.
function matches(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`, 'u').test(text);
}

/** The faults of a text: first its length, then its characters [FL]. */
function faultsOf(shape: StringShape, text: string): string[] {
  const { min = 0, max = Number.POSITIVE_INFINITY, pattern, enum: values } = shape;
  const faults: string[] = [];
  if (text.length > max) faults.push(atMost('length', max));
  if (text.length < min) faults.push(atLeast('length', min));
  if (pattern !== undefined && !matches(pattern, text)) {
    faults.push(`satisfy regular expression pattern: ${pattern}`);
  }
  if (values !== undefined && !values.includes(text)) faults.push(listedBy(shape));
  return faults;
}

function textViolations(name: ShapeName, shape: StringShape): Violation[] {
  const good = sample(name) as string;
  const { min = 0, max = 0 } = shape;
  const candidates = {
    'the empty text': '',
    'a text that is too short': good.slice(0, Math.max(min - 1, 0)),
    'a text that is too long': good.padEnd(max + 1, good.at(-1)),
    'a text with a character from elsewhere': `${good.slice(0, -1)}\u0416`,
    'a text with a line feed': `${good.slice(0, -1)}\n`,
    'a word in small letters': good.toLowerCase(),
    'a word and more': `${good}X`,
  };
  return Object.entries(candidates).flatMap(([label, value]) => {
    const faults = faultsOf(shape, value);
    if (faults.length === 0) return [];
    // [FL, LS test_key_with_long_tag_value_raises_error] in full, and secrets not at all.
    const shown = shape.sensitive ? '' : `'${value}'`;
    return {
      label,
      value,
      complaints: (path) => faults.map((fault) => complaint(shown, path, fault)),
    };
  });
}

/** Bounds of what is not a text. `make` makes a value of a size, `show` shows it. */
function boundViolations(
  { min, max }: { min?: number; max?: number },
  noun: string,
  { make, show }: { make: (size: number) => unknown; show: (value: unknown) => string },
): Violation[] {
  const violation = (label: string, size: number, constraint: string): Violation => {
    const value = make(size);
    return { label, value, complaints: (path) => [complaint(show(value), path, constraint)] };
  };
  return [
    ...(min ? [violation('too little', min - 1, atLeast(noun, min))] : []),
    ...(max !== undefined ? [violation('too much', max + 1, atMost(noun, max))] : []),
  ];
}

function listViolations(shape: Shape & { type: 'list' }): Violation[] {
  const member = shapeOf(shape.member);
  const show = (value: unknown) => `'[${(value as unknown[]).join(', ')}]'`;
  const make = (size: number) => Array.from({ length: size }, () => sample(shape.member));
  const ofElements = violationsOf(shape.member).map(({ label, value, complaints }) => {
    const list = [sample(shape.member), value];
    return {
      label: `second, ${label}`,
      value: list,
      complaints: (path: string) =>
        member.type === 'structure'
          ? // [LS test_create_key_with_invalid_tag_key]
            complaints(`${path}.2.member`)
          : [complaint(show(list), path, everyConstraintOf(member as StringShape))],
    };
  });
  return [...boundViolations(shape, 'length', { make, show }), ...ofElements];
}

/** [CORAL] The complaint about a list of texts: every constraint of its elements, the longest first. */
function everyConstraintOf(shape: StringShape): string {
  const all = [
    ...(shape.max === undefined ? [] : [atMost('length', shape.max)]),
    ...(shape.min === undefined ? [] : [atLeast('length', shape.min)]),
    ...(shape.enum === undefined ? [] : [listedBy(shape)]),
  ];
  return `satisfy constraint: [${all.map((text) => `Member must ${text}`).join(', ')}]`;
}

function structureViolations(shape: StructureShape): Violation[] {
  return Object.entries(shape.members).flatMap(([name, member]) => {
    const at = (path: string) => (path === '' ? lowerFirst(name) : `${path}.${lowerFirst(name)}`);
    const ofMember = violationsOf(member).map(({ label, value, complaints }) => ({
      label: `${name}: ${label}`,
      value: { ...sampleStructure(shape), [name]: value },
      complaints: (path: string) => complaints(at(path)),
    }));
    const ofAbsence = shape.required?.includes(name)
      ? absences(shape, name).map((violation) => ({
          ...violation,
          complaints: (path: string) => [nullComplaint(member, at(path))],
        }))
      : [];
    return [...ofAbsence, ...ofMember];
  });
}

function absences(shape: StructureShape, name: string) {
  const { [name]: _, ...without } = sampleStructure(shape);
  return [
    { label: `${name}: absent`, value: without },
    { label: `${name}: null`, value: { ...without, [name]: null } },
  ];
}

/** [FL] `Value null`; of secrets not even that [LS test_plaintext_size_for_encrypt]. */
function nullComplaint(member: ShapeName, path: string): string {
  const shape = shapeOf(member);
  const sensitive = 'sensitive' in shape && shape.sensitive === true;
  return complaint(sensitive ? '' : 'null', path, 'not be null');
}

/** Every way that a value of the shape can break the model's constraints. */
function violationsOf(name: ShapeName): Violation[] {
  const shape = shapeOf(name);
  if (shape.type === 'string') return textViolations(name, shape);
  if (shape.type === 'structure') return structureViolations(shape);
  if (shape.type === 'list') return listViolations(shape);
  if (shape.type === 'integer') {
    const show = (value: unknown) => `'${value}'`;
    return boundViolations(shape, 'value', { make: (size) => size, show });
  }
  if (shape.type === 'blob') {
    return boundViolations(shape, 'length', { make: (size) => Buffer.alloc(size), show: () => '' });
  }
  return [];
}

const operationNames = Object.keys(operationShapes) as OperationName[];
const inputOf = (operation: OperationName) =>
  shapeOf(operationShapes[operation].input) as StructureShape;

test('every sample fits its shape', () => {
  for (const [name, shape] of Object.entries(shapes) as [ShapeName, Shape][]) {
    if (shape.type === 'string') expect(faultsOf(shape, sample(name) as string), name).toEqual([]);
  }
});

test('the keys and values of maps have no constraints that could be broken', () => {
  for (const shape of Object.values(shapes)) {
    if (shape.type !== 'map') continue;
    expect([shapeOf(shape.key), shapeOf(shape.value)]).toEqual([
      { type: 'string' },
      { type: 'string' },
    ]);
  }
});

describe('a broken constraint is complained about in AWS’s words, and changes nothing', () => {
  test.each(operationNames)('%s', async (operation) => {
    const violations = structureViolations(inputOf(operation));
    const said: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const { label, value, complaints } of violations) {
      said[label] = await outcome(() => kms.call(operation, value));
      expected[label] = validation(...complaints(''));
    }
    expect(Object.keys(said)).toHaveLength(violations.length);
    expect(said).toEqual(expected);
  });
});

describe('all that is wrong with a request is said at once, in the order of the model', () => {
  test.each(operationNames)('%s', async (operation) => {
    const { members, required = [] } = inputOf(operation);
    const names = Object.keys(members);
    const absent = names
      .filter((name) => required.includes(name))
      .map((name) => nullComplaint(members[name] as ShapeName, lowerFirst(name)));
    if (absent.length > 0) {
      expect(await outcome(() => kms.call(operation, {}))).toBe(validation(...absent));
    }
    const bad = names.flatMap((name) => {
      const [violation] = violationsOf(members[name] as ShapeName);
      return violation === undefined ? [] : [{ name, ...violation }];
    });
    if (bad.length === 0) return;
    const request = Object.fromEntries(bad.map(({ name, value }) => [name, value]));
    const all = bad.flatMap(({ name, complaints }) => complaints(lowerFirst(name)));
    expect(await outcome(() => kms.call(operation, request))).toBe(validation(...all));
  });
});

const json = {
  string: 'text',
  'no base64': 'a b!',
  integer: 1,
  fraction: 1.5,
  boolean: true,
  list: [],
  structure: {},
} as const;

type Json = keyof typeof json;

/** The JSON that each type is written in. */
const writtenIn: Readonly<Record<Shape['type'], readonly Json[]>> = {
  string: ['string', 'no base64'],
  blob: ['string'],
  integer: ['integer'],
  boolean: ['boolean'],
  timestamp: ['integer', 'fraction'],
  list: ['list'],
  map: ['structure'],
  structure: ['structure'],
};

/** JSON of other types for a value of the shape, and for its members. */
function wrongJson(name: ShapeName): { label: string; value: unknown }[] {
  const shape = shapeOf(name);
  const wrong = (Object.keys(json) as Json[])
    .filter((type) => !writtenIn[shape.type].includes(type))
    .map((label) => ({ label: label as string, value: json[label] as unknown }));
  if (shape.type === 'list') {
    const inner = wrongJson(shape.member);
    wrong.push(...inner.map(({ label, value }) => ({ label: `[${label}]`, value: [value] })));
  } else if (shape.type === 'map') {
    const inner = wrongJson(shape.value);
    wrong.push(...inner.map(({ label, value }) => ({ label: `{${label}}`, value: { k: value } })));
  } else if (shape.type === 'structure') {
    for (const [member, inner] of Object.entries(shape.members)) {
      for (const { label, value } of wrongJson(inner)) {
        wrong.push({ label: `${member}: ${label}`, value: { [member]: value } });
      }
    }
  }
  return wrong;
}

describe('JSON of a wrong type is refused as malformed [CORAL], and changes nothing', () => {
  test.each(operationNames)('%s', async (operation) => {
    const { input } = operationShapes[operation];
    const accepted: string[] = [];
    for (const { label, value } of wrongJson(input)) {
      const said = await outcome(async () => kms.call(operation, fromJson(input, value)));
      if (!said.startsWith('SerializationException: ')) accepted.push(`${label}: ${said}`);
    }
    expect(accepted).toEqual([]);
  });
});
