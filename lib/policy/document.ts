import { KmsError } from '../model/errors.ts';
import { isNestedTooDeep } from '../model/json-nesting.ts';
import { whyUnknown } from './condition-keys.ts';
import { type Condition, compileCondition } from './conditions.ts';
import { duplicateMember } from './json-members.ts';
import { arnPattern, type Lookup, type Matcher, textPattern, variableKeys } from './pattern.ts';
import { type Principal, principalName, type Reach, reachOf, rootArn } from './principal.ts';

export type PolicyKind = 'key' | 'identity';

/** A policy document, compiled. */
export interface Policy {
  readonly denies: readonly Statement[];
  readonly allows: readonly Statement[];
}

export interface Statement {
  /** Whether the statement is about the caller; every statement of an identity policy is. */
  reach(caller: Principal): Reach | undefined;
  /** Whether it is about the action on the resource, and its conditions hold. */
  covers(action: string, resource: string, lookup: Lookup): boolean;
}

/** AWS's limit for a key policy. */
const MAX_POLICY_BYTES = 32_768;

const versions = ['2008-10-17', '2012-10-17'];

/** The elements of a statement, and which policies have them. */
const elements: Readonly<Record<string, readonly PolicyKind[]>> = {
  Sid: ['key', 'identity'],
  Effect: ['key', 'identity'],
  Principal: ['key'],
  NotPrincipal: ['key'],
  Action: ['key', 'identity'],
  NotAction: ['key', 'identity'],
  Resource: ['key', 'identity'],
  NotResource: ['key', 'identity'],
  Condition: ['key', 'identity'],
};

const actionPattern = /^(?:\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$/;

// AWS refuses ForAllValues on these, which hold at most one value and are absent as a rule.
const singleValued = [
  { prefix: 'kms:encryptioncontext:', what: 'encryption context' },
  { prefix: 'aws:requesttag/', what: 'tag' },
];

/**
 * The operations that are authorised for no key, alias or other ARN; ListRetirableGrants among
 * them, which is authorised for the account.
 */
const operationsWithoutResource = [
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'CreateKey',
  'DeleteCustomKeyStore',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'GenerateRandom',
  'ListAliases',
  'ListKeys',
  'ListRetirableGrants',
  'UpdateCustomKeyStore',
];

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads and compiles a policy document. Anything that could be misunderstood is refused: unknown
 * and duplicate members, invalid principals and condition operators, conditions without a value,
 * and condition keys, as variables too, whose values pairmint does not know.
 *
 * @param options `stored`: the policy may be older than some of these rules; a condition key that
 *   is not known then counts as absent
 * @throws KmsError MalformedPolicyDocumentException, its message naming the statement
 * @throws KmsError LimitExceededException if the document is larger than 32,768 bytes
 */
export function parsePolicy(
  text: string,
  kind: PolicyKind,
  { stored = false }: { stored?: boolean } = {},
): Policy {
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES) {
    throw new KmsError(
      'LimitExceededException',
      `A policy document has at most ${MAX_POLICY_BYTES} bytes.`,
    );
  }
  const document = readDocument(text);
  const variables = document.Version === '2012-10-17';
  const denies: Statement[] = [];
  const allows: Statement[] = [];
  const ids = new Set<unknown>();
  for (const [index, source] of statementsOf(document).entries()) {
    const statement = inStatement(index + 1, () => {
      if (!isObject(source)) throw new RangeError('A statement must be an object.');
      if (kind === 'identity') requireNewId(source.Sid, ids);
      if (!stored) {
        refuseUnknownKeys(source, variables);
        refuseIdleConditions(source);
      }
      return compileStatement(source, { kind, variables });
    });
    (source.Effect === 'Deny' ? denies : allows).push(statement);
  }
  return { denies, allows };
}

/**
 * The text of a key's default policy, which leaves the decision to the account's identity policies.
 */
export function defaultKeyPolicy(accountId: string): string {
  return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "${rootArn(accountId)}"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`;
}

/** The identity policy of callers without one of their own: everything in their account. */
export function defaultIdentityPolicy(accountId: string): Policy {
  const statements = [
    { Effect: 'Allow', Action: 'kms:*', Resource: `arn:aws:kms:*:${accountId}:*` },
    {
      Effect: 'Allow',
      Action: operationsWithoutResource.map((operation) => `kms:${operation}`),
      Resource: '*',
    },
  ];
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'identity');
}

function readDocument(text: string): Json {
  const document = parseJson(text);
  if (!isObject(document)) throw malformed('The policy must be a JSON object.');
  const duplicate = duplicateMember(text);
  if (duplicate !== undefined) {
    throw malformed(`The policy has a duplicate member: ${JSON.stringify(duplicate)}.`);
  }
  for (const name of Object.keys(document)) {
    if (!['Version', 'Id', 'Statement'].includes(name)) {
      throw malformed(`The policy has an unknown element: ${JSON.stringify(name)}.`);
    }
  }
  const { Version: version, Id: id } = document;
  if (version !== undefined && !versions.includes(version as string)) {
    throw malformed(
      `The policy must contain a valid version string: ${versions.join(' or ')}, not ${JSON.stringify(version)}.`,
    );
  }
  if (id !== undefined && typeof id !== 'string') throw malformed('Id must be a string.');
  return document;
}

function parseJson(text: string): unknown {
  if (isNestedTooDeep(text)) throw malformed('The policy is nested too deep.');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed('The policy is not valid JSON.', { cause: error });
  }
}

function statementsOf({ Statement: statements }: Json): readonly Json[] {
  if (isObject(statements)) return [statements];
  if (Array.isArray(statements) && statements.length > 0) return statements;
  throw malformed('The policy must contain a statement.');
}

function inStatement<T>(position: number, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw malformed(`${error.message} (Statement ${position})`);
  }
}

// IAM's rule, which key policies do not have: "Enable IAM User Permissions" has spaces.
function requireNewId(id: unknown, ids: Set<unknown>): void {
  if (id === undefined) return;
  if (typeof id === 'string' && !/^[0-9A-Za-z]*$/.test(id)) {
    throw new RangeError('Statement IDs (SID) must be alpha-numeric.');
  }
  if (ids.has(id)) throw new RangeError('Statement IDs (SID) in a single policy must be unique.');
  ids.add(id);
}

interface Context {
  readonly kind: PolicyKind;
  readonly variables: boolean;
}

function refuseUnknownKeys(source: Json, variables: boolean): void {
  const { Condition: conditions, Resource, NotResource } = source;
  const lines = isObject(conditions) ? Object.values(conditions).filter(isObject) : [];
  const keys = lines.flatMap((line) => Object.keys(line));
  const values = [Resource, NotResource, ...lines.flatMap((line) => Object.values(line))].flat();
  const named = variables ? values.flatMap(variablesOf) : [];
  for (const key of [...keys, ...named]) {
    const reason = whyUnknown(key);
    if (reason === undefined) continue;
    throw new RangeError(`The condition key ${JSON.stringify(key)} cannot be used: ${reason}.`);
  }
}

/**
 * Refuses conditions that say something else than they seem to: without a value, an operator holds
 * always or never, and the path of a role is not known of its sessions.
 */
function refuseIdleConditions({ Condition: conditions }: Json): void {
  const lines = isObject(conditions) ? Object.values(conditions).filter(isObject) : [];
  for (const [key, value] of lines.flatMap((line) => Object.entries(line))) {
    if (Array.isArray(value) && value.length === 0) {
      throw new RangeError(`The condition key ${JSON.stringify(key)} has no value.`);
    }
    if (key.toLowerCase() === 'aws:principalarn') [value].flat().forEach(refuseRolePath);
  }
}

function refuseRolePath(value: unknown): void {
  if (typeof value !== 'string' || !/:role\/.*\//s.test(value)) return;
  throw new RangeError(
    `The value ${JSON.stringify(value)} of aws:PrincipalArn cannot be used: pairmint does not know ` +
      "the path of a role from its sessions. Name the role without its path, as in 'role/NAME'.",
  );
}

function variablesOf(value: unknown): readonly string[] {
  return typeof value === 'string' ? variableKeys(value) : [];
}

function compileStatement(source: Json, context: Context): Statement {
  for (const name of Object.keys(source)) {
    const kinds = Object.hasOwn(elements, name) ? elements[name] : undefined;
    if (kinds === undefined) throw new RangeError(`Unknown element: ${JSON.stringify(name)}.`);
    if (!kinds.includes(context.kind)) {
      throw new RangeError(`An identity policy cannot have the element ${name}.`);
    }
  }
  const { Sid: id, Effect: effect } = source;
  if (id !== undefined && typeof id !== 'string') throw new RangeError('Sid must be a string.');
  if (effect !== 'Allow' && effect !== 'Deny') {
    throw new RangeError('Effect must be Allow or Deny.');
  }
  const actionFits = compileActions(source);
  const resourceFits = compileResources(source, context);
  const conditions = compileConditions(source.Condition, { ...context, effect });
  return {
    reach: context.kind === 'key' ? compilePrincipals(source, effect) : () => 'named',
    covers: (action, resource, lookup) =>
      actionFits(action, lookup) &&
      resourceFits(resource, lookup) &&
      conditions.every((holds) => holds(lookup)),
  };
}

function compileActions(source: Json): Matcher {
  const { values, negated } = oneOf(source, 'Action', 'The statement must contain actions.');
  const matchers = values.map((action) => {
    if (!actionPattern.test(action)) {
      throw new RangeError(
        `Actions must be prefaced by a vendor, as in kms:Decrypt: ${JSON.stringify(action)}.`,
      );
    }
    return action === 'kms:*'
      ? isKmsAction
      : textPattern(action, { wildcards: true, variables: false, ignoreCase: true });
  });
  return anyOf(matchers, negated);
}

// The commonest pattern, without lowering the action's case.
function isKmsAction(action: string): boolean {
  return action.startsWith('kms:');
}

function compileResources(source: Json, { variables }: Context): Matcher {
  const { values, negated } = oneOf(source, 'Resource', 'The statement must contain resources.');
  const matchers = values.map((resource) => {
    if (resource === '*') return () => true;
    const matcher = arnPattern(resource, { variables });
    if (matcher !== undefined) return matcher;
    throw new RangeError(`Resource ${resource} must be in ARN format or "*".`);
  });
  return anyOf(matchers, negated);
}

function anyOf(matchers: readonly Matcher[], negated: boolean): Matcher {
  const [only] = matchers;
  if (only !== undefined && matchers.length === 1 && !negated) return only;
  return (text, lookup) => matchers.some((matches) => matches(text, lookup)) !== negated;
}

/** The values of an element or its opposite; a statement has exactly one of the two. */
function oneOf(source: Json, name: string, absent: string) {
  const negated = Object.hasOwn(source, `Not${name}`);
  if (negated && Object.hasOwn(source, name)) {
    throw new RangeError(`A statement cannot have both ${name} and Not${name}.`);
  }
  const present = negated ? `Not${name}` : name;
  const values = stringsOf(source[present], present);
  if (values.length === 0) throw new RangeError(absent);
  return { values, negated };
}

function stringsOf(value: unknown, name: string): readonly string[] {
  if (value === undefined) return [];
  const values = Array.isArray(value) ? value : [value];
  if (values.every((one) => typeof one === 'string')) return values;
  throw new RangeError(`${name} must be a string or a list of strings.`);
}

function compilePrincipals(source: Json, effect: string): Statement['reach'] {
  const negated = Object.hasOwn(source, 'NotPrincipal');
  if (negated && Object.hasOwn(source, 'Principal')) {
    throw new RangeError('A statement cannot have both Principal and NotPrincipal.');
  }
  if (negated && effect === 'Allow') {
    throw new RangeError('NotPrincipal must be used with "Effect": "Deny".');
  }
  const names = principalsOf(negated ? source.NotPrincipal : source.Principal);
  const everyone = names.includes('*');
  // In NotPrincipal, an account means its root alone; otherwise the statement could deny no one in
  // it.
  if (negated) {
    const excepted = (caller: Principal) =>
      everyone || names.some((name) => reachOf(name, caller) === 'named');
    return (caller) => (excepted(caller) ? undefined : 'named');
  }
  return everyone ? () => 'named' : (caller) => reachOfAny(names, caller);
}

function reachOfAny(names: readonly string[], caller: Principal): Reach | undefined {
  let best: Reach | undefined;
  for (const name of names) {
    const reach = reachOf(name, caller);
    if (reach === 'named') return reach;
    best ??= reach;
  }
  return best;
}

function principalsOf(value: unknown): readonly string[] {
  if (value === undefined) throw malformed('Policy contains a statement with no principal.');
  if (value === '*') return ['*'];
  if (!isObject(value)) throw invalidPrincipals();
  const names = Object.entries(value).flatMap(([type, texts]) =>
    principalTexts(texts).map((text) => {
      if (type === 'AWS' && text === '*') return '*';
      const name = principalName(text);
      const isService = name?.endsWith('.amazonaws.com') === true;
      if (name === undefined || type !== (isService ? 'Service' : 'AWS')) throw invalidPrincipals();
      return name;
    }),
  );
  if (names.length === 0) throw invalidPrincipals();
  return names;
}

function principalTexts(value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? value : [value];
  if (texts.every((text) => typeof text === 'string')) return texts;
  throw invalidPrincipals();
}

// AWS's sentence, to the letter.
function invalidPrincipals(): KmsError {
  return malformed('Policy contains a statement with one or more invalid principals.');
}

function compileConditions(
  source: unknown,
  context: Context & { effect: 'Allow' | 'Deny' },
): readonly Condition[] {
  if (source === undefined) return [];
  if (!isObject(source)) throw new RangeError('Condition must be an object.');
  return Object.entries(source).flatMap(([operator, lines]) => {
    if (!isObject(lines)) {
      throw new RangeError(`The condition ${JSON.stringify(operator)} must be an object.`);
    }
    return Object.entries(lines).map(([key, value]) => {
      requireConditionKey(operator, key, context.kind);
      return compileCondition({ ...context, operator, key, values: conditionValues(key, value) });
    });
  });
}

function requireConditionKey(operator: string, key: string, kind: PolicyKind): void {
  if (!/^[a-zA-Z0-9.-]+:./s.test(key)) {
    throw new RangeError(
      `Conditions must be prefaced by a vendor, as in kms:KeySpec: ${JSON.stringify(key)}.`,
    );
  }
  if (kind !== 'key' || !operator.startsWith('ForAllValues:')) return;
  const row = singleValued.find(({ prefix }) => key.toLowerCase().startsWith(prefix));
  if (row === undefined) return;
  throw new RangeError(
    'OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued ' +
      `condition key matches requests without the specified ${row.what} or with an unspecified ` +
      `${row.what}. To fix, remove ForAllValues.`,
  );
}

// AWS takes "true" and true, "7" and 7 alike.
function conditionValues(key: string, value: unknown): readonly string[] {
  const values = Array.isArray(value) ? value : [value];
  return values.map((one) => {
    if (typeof one === 'string' || typeof one === 'boolean' || typeof one === 'number') {
      return String(one);
    }
    throw new RangeError(
      `The condition key ${JSON.stringify(key)} takes strings, numbers and booleans.`,
    );
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string, options?: ErrorOptions): KmsError {
  return new KmsError('MalformedPolicyDocumentException', message, options);
}
