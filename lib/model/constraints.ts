import { KmsError } from './errors.ts';
import type { ListShape, Shape, StringShape, StructureShape } from './shape.ts';
import { type ShapeName, shapes } from './shapes.ts';

const notNull = 'Member must not be null';
const constraintsByShape = new Map<Shape, Constraint[]>();

/**
 * Finds every model constraint that a request breaks and says so in AWS's words.
 *
 * @param name a structure shape
 * @param value a request whose types have been checked
 * @returns complaints in model member order, without the count that precedes them in a message
 */
export function findComplaints(name: ShapeName, value: object): string[] {
  const complaints: string[] = [];
  checkStructure(shapes[name] as StructureShape, value, '', complaints);
  return complaints;
}

/** Joins complaints into the ValidationException that AWS sends. */
export function validationError(complaints: readonly string[]): KmsError {
  const noun = complaints.length === 1 ? 'error' : 'errors';
  const message = `${complaints.length} validation ${noun} detected: ${complaints.join('; ')}`;
  return new KmsError('ValidationException', message);
}

/**
 * Makes the error for an absent member that the model calls optional but the service does not, such
 * as Decrypt's CiphertextBlob.
 *
 * @param member the member's name as the model spells it
 */
export function missingMemberError(member: string): KmsError {
  return validationError([complain('null', lowerFirst(member), notNull)]);
}

function checkStructure(shape: StructureShape, value: object, prefix: string, out: string[]): void {
  for (const { name, shown, shape: memberShape, required } of membersOf(shape)) {
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined) checkMember(memberShape, member, prefix + shown, out);
    else if (required) {
      out.push(complain(isSensitive(memberShape) ? '' : 'null', prefix + shown, notNull));
    }
  }
}

interface Member {
  readonly name: string;
  /** Its name in complaints. */
  readonly shown: string;
  readonly shape: Shape;
  readonly required: boolean;
}

// Worked out once: a request is checked in less time than its shapes are looked up.
const membersByShape = new Map<StructureShape, readonly Member[]>();

function membersOf(shape: StructureShape): readonly Member[] {
  let members = membersByShape.get(shape);
  if (members === undefined) {
    members = Object.entries(shape.members).map(([name, shapeName]) => ({
      name,
      shown: lowerFirst(name),
      shape: shapes[shapeName],
      required: shape.required?.includes(name) ?? false,
    }));
    membersByShape.set(shape, members);
  }
  return members;
}

function checkMember(shape: Shape, value: unknown, path: string, out: string[]): void {
  if (shape.type === 'structure') checkStructure(shape, value as object, `${path}.`, out);
  for (const constraint of constraintsOf(shape)) {
    if (!constraint.holds(value))
      out.push(complain(renderValue(shape, value), path, constraint.text));
  }
  if (shape.type === 'list') checkElements(shape, value as unknown[], path, out);
}

// Structures in a list are complained about one by one. Broken scalars are reported for the whole
// list, with all constraints on its elements, the upper bound first, as other AWS services do.
function checkElements(shape: ListShape, values: unknown[], path: string, out: string[]): void {
  const member = shapes[shape.member];
  if (member.type === 'structure') {
    for (const [index, value] of values.entries()) {
      checkMember(member, value, `${path}.${index + 1}.member`, out);
    }
  } else if (values.some((value) => breaksAny(constraintsOf(member), value))) {
    const all = constraintsOf(member).map(({ text }) => text);
    const constraint = `Member must satisfy constraint: [${all.join(', ')}]`;
    out.push(complain(renderValue(shape, values), path, constraint));
  }
}

interface Constraint {
  readonly text: string;
  holds(value: unknown): boolean;
}

function constraintsOf(shape: Shape): Constraint[] {
  let constraints = constraintsByShape.get(shape);
  if (constraints === undefined) {
    constraints = makeConstraints(shape);
    constraintsByShape.set(shape, constraints);
  }
  return constraints;
}

// Only one bound of a range can be broken, so the bounds' order shows in the list form alone.
function makeConstraints(shape: Shape): Constraint[] {
  if (shape.type === 'integer') return bounds(shape, 'value', (value) => value as number);
  if (shape.type === 'blob') {
    return bounds(shape, 'length', (value) => (value as Uint8Array).byteLength);
  }
  if (shape.type === 'list') return bounds(shape, 'length', (value) => (value as []).length);
  if (shape.type !== 'string') return [];
  return [...bounds(shape, 'length', (value) => (value as string).length), ...textRules(shape)];
}

function breaksAny(constraints: readonly Constraint[], value: unknown): boolean {
  return constraints.some((constraint) => !constraint.holds(value));
}

function bounds(
  { min, max }: { min?: number; max?: number },
  noun: 'length' | 'value',
  measure: (value: unknown) => number,
): Constraint[] {
  const rules: Constraint[] = [];
  if (max !== undefined) {
    const text = `Member must have ${noun} less than or equal to ${max}`;
    rules.push({ text, holds: (value) => measure(value) <= max });
  }
  if (min !== undefined) {
    const text = `Member must have ${noun} greater than or equal to ${min}`;
    rules.push({ text, holds: (value) => measure(value) >= min });
  }
  return rules;
}

function textRules(shape: StringShape): Constraint[] {
  const { pattern, enum: values, listed, unlisted = [] } = shape;
  if (pattern !== undefined) {
    const text = `Member must satisfy regular expression pattern: ${pattern}`;
    const expression = compilePattern(pattern);
    return [{ text, holds: (value) => expression.test(value as string) }];
  }
  if (values === undefined) return [];
  const shown = listed === undefined ? values : (shapes[listed] as StringShape).enum;
  const text = `Member must satisfy enum value set: [${shown?.join(', ')}]`;
  const passing = [...values, ...unlisted];
  return [{ text, holds: (value) => passing.includes(value as string) }];
}

/**
 * Compiles a pattern of AWS's model, which is a Java expression that must match the whole text.
 * Of what the model uses only `\s` differs: Java's knows no Unicode spaces.
 */
export function compilePattern(pattern: string): RegExp {
  const translated = pattern.replaceAll('\\s', ' \\t\\n\\v\\f\\r');
  return new RegExp(`^(?:${translated})$`, 'u');
}

function complain(rendered: string, path: string, constraint: string): string {
  const value = rendered === '' ? 'Value' : `Value ${rendered}`;
  return `${value} at '${path}' failed to satisfy constraint: ${constraint}`;
}

// Secrets are never shown, and AWS shows no blob's value either.
function renderValue(shape: Shape, value: unknown): string {
  if (shape.type === 'blob' || isSensitive(shape)) return '';
  return Array.isArray(value) ? `'[${value.join(', ')}]'` : `'${value}'`;
}

function isSensitive(shape: Shape): boolean {
  return 'sensitive' in shape && shape.sensitive === true;
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
