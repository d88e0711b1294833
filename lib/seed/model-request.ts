import { KmsError } from '../model/errors.ts';
import { type CheckedRequest, parseRequest } from '../model/request.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../model/shapes.ts';
import { type Path, refusal, type SeedDocument } from './seed-document.ts';
import type { Entry } from './seed-entries.ts';

/**
 * Makes the request that would make what an entry describes, checked against AWS's model. A
 * complaint says where in the seed the member stands, and never shows its value.
 *
 * @throws ConfigurationError
 */
export function modelRequest<O extends OperationName>(
  document: SeedDocument,
  operation: O,
  entry: Entry,
  members: object,
): CheckedRequest<O> {
  const unknown = unknownMember(operationShapes[operation].input, members, []);
  if (unknown !== undefined) {
    throw refusal(document, placeIn(entry, unknown), 'there is no such member');
  }
  try {
    return parseRequest(operation, members);
  } catch (error) {
    const { path, reason, hint } = complaintOf(error);
    throw refusal(document, placeIn(entry, path), reason, hint);
  }
}

/** Runs one of the service's checks; its error then names the place in the seed. */
export function checked<T>(document: SeedDocument, at: Path, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof KmsError)) throw error;
    throw refusal(document, at, error.message || error.name);
  }
}

/** Where a member of an entry stands, or would stand if it were there. */
export function placeIn({ at, members }: Entry, [name, ...rest]: Path): Path {
  if (name === undefined) return at;
  const located = members.get(String(name));
  if (located === undefined) return [...at, name];
  const [index] = rest;
  // Tags may be given as a map.
  if (typeof index === 'number' && !Array.isArray(located.value)) {
    return [...located.at, ...Object.keys(located.value as object).slice(index, index + 1)];
  }
  return [...located.at, ...rest];
}

/** The path of a member that the model does not know; requests drop these without a word. */
function unknownMember(name: ShapeName, value: unknown, path: Path): Path | undefined {
  const shape = shapes[name];
  if (typeof value !== 'object' || value === null) return undefined;
  if (shape.type === 'list' && Array.isArray(value)) {
    return firstOf(value.entries(), ([index, element]) =>
      unknownMember(shape.member, element, [...path, index]),
    );
  }
  if (shape.type !== 'structure') return undefined;
  return firstOf(Object.entries(value), ([member, inner]) => {
    const at = [...path, member];
    return Object.hasOwn(shape.members, member)
      ? unknownMember(shape.members[member] as ShapeName, inner, at)
      : at;
  });
}

function firstOf<T, R>(values: Iterable<T>, find: (value: T) => R | undefined): R | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Complaint {
  readonly path: Path;
  readonly reason: string;
  readonly hint?: string;
}

function complaintOf(error: unknown): Complaint {
  if (!(error instanceof KmsError)) throw error;
  const { cause } = error;
  const typeFault = cause instanceof Error && /^(.*): (expected .*)$/s.exec(cause.message);
  if (typeFault) {
    const [, path = '', reason = ''] = typeFault;
    const hint = /^expected a String, got (?:number|boolean)/.test(reason)
      ? 'write it in quotes'
      : undefined;
    return { path: stepsOf(path), reason, ...(hint && { hint }) };
  }
  // Greedy, because the value before it may contain anything: this finds the last complaint.
  const [, path = '', reason = error.message] =
    /^.* at '([\w.]+)' failed to satisfy constraint: (.*)$/s.exec(error.message) ?? [];
  return { path: modelSteps(path), reason };
}

/** Reads `Tags[0].TagKey`. */
function stepsOf(path: string): Path {
  return path
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}

/** Reads `tags.1.member.tagKey`, where complaints count from one and write names small. */
function modelSteps(path: string): Path {
  return path
    .split('.')
    .filter((step) => step !== '' && step !== 'member')
    .map((step) =>
      /^\d+$/.test(step) ? Number(step) - 1 : step.charAt(0).toUpperCase() + step.slice(1),
    );
}
