import type { Policy } from './document.ts';
import type { Lookup } from './pattern.ts';
import type { Principal, Reach } from './principal.ts';

export interface AccessRequest {
  /** `kms:Decrypt`, `kms:ReEncryptFrom`. */
  readonly action: string;
  /** A key's or an alias's ARN, or `*`. */
  readonly resource: string;
  readonly caller: Principal;
  /** Values of a condition key, by its lower-case name; undefined if the request has none. */
  readonly condition: Lookup;
}

export type Decision =
  | 'allowed'
  | 'explicit-deny-in-key-policy'
  | 'explicit-deny-in-identity-policy'
  | 'no-key-policy-allows'
  | 'no-identity-policy-allows';

export interface Policies {
  /** Undefined for operations that are authorised for no key. */
  readonly key?: { readonly policy: Policy; readonly accountId: string } | undefined;
  /**
   * Undefined if the caller is an account's root or an AWS service, which may do all that key
   * policies let them.
   */
  readonly identity: Policy | undefined;
  /**
   * Whether a grant on the key covers the request. Asked last, and told whether the caller's
   * identity policy allows it too, which a grant to a whole account needs.
   */
  grantAllows(identityAllows: boolean): boolean;
}

/** The operations on keys that another account's principals can be allowed. */
const acrossAccounts: ReadonlySet<string> = new Set([
  'kms:CreateGrant',
  'kms:Decapsulate',
  'kms:Decrypt',
  'kms:DeriveSharedSecret',
  'kms:DescribeKey',
  'kms:Encapsulate',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyPair',
  'kms:GenerateDataKeyPairWithoutPlaintext',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:GenerateMac',
  'kms:GetKeyRotationStatus',
  'kms:GetPublicKey',
  'kms:ListGrants',
  'kms:ListKeyRotations',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
  'kms:RetireGrant',
  'kms:RevokeGrant',
  'kms:Sign',
  'kms:Verify',
  'kms:VerifyMac',
]);

/**
 * Decides a request as AWS does: an explicit deny anywhere wins; a key policy that names the
 * caller suffices within an account; one that names the account leaves it to the identity policy; a
 * grant suffices too; across accounts both sides must allow.
 */
export function decide(request: AccessRequest, policies: Policies): Decision {
  const { key, identity } = policies;
  if (request.action === 'kms:RetireGrant') return decideRetirement(request, policies);
  if (key !== undefined && denies(key.policy, request)) return 'explicit-deny-in-key-policy';
  if (key !== undefined && request.caller.accountId !== key.accountId) {
    return decideAcrossAccounts(request, key.policy, policies);
  }
  if (identity !== undefined && denies(identity, request)) {
    return 'explicit-deny-in-identity-policy';
  }
  if (key === undefined) {
    return identityAllows(request, identity) ? 'allowed' : 'no-identity-policy-allows';
  }
  return decideInAccount(request, key.policy, policies);
}

// The grant decides. Key policies do not count, and identity policies can only deny.
function decideRetirement(request: AccessRequest, { identity, grantAllows }: Policies): Decision {
  if (identity !== undefined && denies(identity, request)) {
    return 'explicit-deny-in-identity-policy';
  }
  return grantAllows(identityAllows(request, identity)) ? 'allowed' : 'no-key-policy-allows';
}

function decideInAccount(request: AccessRequest, policy: Policy, policies: Policies): Decision {
  const reach = allowance(policy, request);
  if (reach === 'named') return 'allowed';
  const byIdentity = identityAllows(request, policies.identity);
  if (reach === 'delegated' && byIdentity) return 'allowed';
  if (policies.grantAllows(byIdentity)) return 'allowed';
  return reach === 'delegated' ? 'no-identity-policy-allows' : 'no-key-policy-allows';
}

// The key's side first: about a key that is not shared, the caller learns nothing else.
function decideAcrossAccounts(
  request: AccessRequest,
  policy: Policy,
  policies: Policies,
): Decision {
  if (!acrossAccounts.has(request.action)) return 'no-key-policy-allows';
  const { identity } = policies;
  const denied = identity !== undefined && denies(identity, request);
  const byIdentity = !denied && identityAllows(request, identity);
  if (allowance(policy, request) === undefined && !policies.grantAllows(byIdentity)) {
    return 'no-key-policy-allows';
  }
  if (denied) return 'explicit-deny-in-identity-policy';
  return byIdentity ? 'allowed' : 'no-identity-policy-allows';
}

function denies(policy: Policy, { caller, action, resource, condition }: AccessRequest): boolean {
  for (const statement of policy.denies) {
    if (statement.reach(caller) !== undefined && statement.covers(action, resource, condition)) {
      return true;
    }
  }
  return false;
}

/** The strongest of the policy's Allow statements that reach the caller. */
function allowance(
  policy: Policy,
  { caller, action, resource, condition }: AccessRequest,
): Reach | undefined {
  let best: Reach | undefined;
  for (const statement of policy.allows) {
    const reach = statement.reach(caller);
    if (reach === undefined || !statement.covers(action, resource, condition)) continue;
    if (reach === 'named') return reach;
    best = reach;
  }
  return best;
}

function identityAllows(request: AccessRequest, identity: Policy | undefined): boolean {
  if (identity !== undefined) return allowance(identity, request) !== undefined;
  return request.caller.isRoot || request.caller.kind === 'service';
}
