import { type Principal, principalName, reachOf } from './principal.ts';

type Pairs = Readonly<Record<string, string>>;

export interface GrantConstraints {
  readonly EncryptionContextEquals?: Pairs | undefined;
  readonly EncryptionContextSubset?: Pairs | undefined;
  readonly SourceArn?: string | undefined;
}

/** What a grant lets its grantee do; bounds the grants made through it. */
export interface ChildTerms {
  readonly operations: readonly string[];
  readonly constraints?: GrantConstraints | undefined;
}

export interface GrantTerms extends ChildTerms {
  /** Undefined if the grantee is an AWS service, which calls nothing here. */
  readonly granteePrincipal?: string | undefined;
}

export interface GrantRequest {
  readonly caller: Principal;
  /** As grants name it: `ReEncryptFrom`. */
  readonly operation: string;
  readonly encryptionContext: Pairs | undefined;
  /** The grant that CreateGrant is to make. */
  readonly child?: ChildTerms | undefined;
  /** Whether the caller's identity policy allows it too; a grant to a whole account needs it. */
  readonly identityAllows?: boolean | undefined;
}

/**
 * The constraints that a request gives: an empty map counts as not given, as clients send it for
 * the one that they leave out.
 */
export function givenConstraints(
  constraints: GrantConstraints | undefined,
): GrantConstraints | undefined {
  const entries = Object.entries(constraints ?? {}).filter(([, value]) => isGiven(value));
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function isGiven(value: Pairs | string | undefined): boolean {
  return typeof value === 'object' ? Object.keys(value).length > 0 : value !== undefined;
}

/** The operations that an encryption context constraint does not apply to. */
const withoutContext: ReadonlySet<string> = new Set(['DescribeKey', 'RetireGrant']);

const understood: ReadonlySet<string> = new Set<keyof GrantConstraints>([
  'EncryptionContextEquals',
  'EncryptionContextSubset',
  'SourceArn',
]);

/** Tells whether a grant allows its grantee the request. */
export function grantCovers(terms: GrantTerms, request: GrantRequest): boolean {
  if (!terms.operations.includes(request.operation)) return false;
  if (!reaches(terms.granteePrincipal, request)) return false;
  if (request.operation === 'RetireGrant') return true;
  // A later version may have made the grant: a limit that is not understood is not fulfilled.
  if (Object.keys(terms.constraints ?? {}).some((name) => !understood.has(name))) return false;
  // pairmint gets no calls on behalf of a resource, so a SourceArn is never fulfilled.
  if (terms.constraints?.SourceArn !== undefined) return false;
  if (withoutContext.has(request.operation)) return true;
  if (request.operation === 'CreateGrant') {
    return request.child !== undefined && atLeastAsStrict(request.child, terms);
  }
  return fulfils(request.encryptionContext ?? {}, terms.constraints);
}

/**
 * Tells whether a grant may be made through another: no operation more, and the same constraints or
 * stricter ones. SourceArn and Equals stay as they are; Subset may get more pairs or become Equals.
 */
export function atLeastAsStrict(child: ChildTerms, parent: ChildTerms): boolean {
  if (!child.operations.every((operation) => parent.operations.includes(operation))) return false;
  const { EncryptionContextEquals, EncryptionContextSubset, SourceArn } = parent.constraints ?? {};
  const own = child.constraints ?? {};
  if (SourceArn !== undefined && own.SourceArn !== SourceArn) return false;
  if (EncryptionContextEquals !== undefined) {
    return (
      own.EncryptionContextEquals !== undefined &&
      equal(own.EncryptionContextEquals, EncryptionContextEquals)
    );
  }
  if (EncryptionContextSubset === undefined) return true;
  const ownPairs = own.EncryptionContextEquals ?? own.EncryptionContextSubset ?? {};
  return includes(ownPairs, EncryptionContextSubset);
}

function reaches(grantee: string | undefined, { caller, identityAllows }: GrantRequest): boolean {
  const name = grantee === undefined ? undefined : principalName(grantee);
  const reach = name === undefined ? undefined : reachOf(name, caller);
  return reach === 'named' || (reach === 'delegated' && identityAllows === true);
}

function fulfils(context: Pairs, constraints: GrantConstraints = {}): boolean {
  const { EncryptionContextEquals, EncryptionContextSubset } = constraints;
  if (EncryptionContextEquals !== undefined && !equal(context, EncryptionContextEquals)) {
    return false;
  }
  return EncryptionContextSubset === undefined || includes(context, EncryptionContextSubset);
}

function equal(some: Pairs, others: Pairs): boolean {
  return (
    Object.keys(some).length === Object.keys(others).length &&
    includes(some, others) &&
    includes(others, some)
  );
}

// KMS API Reference, GrantConstraints: the case of a key does not matter, that of a value does.
function includes(whole: Pairs, part: Pairs): boolean {
  const folded = Object.entries(whole).map(([key, value]) => [key.toLowerCase(), value] as const);
  return Object.entries(part).every(([key, value]) =>
    folded.some(([other, otherValue]) => other === key.toLowerCase() && otherValue === value),
  );
}
