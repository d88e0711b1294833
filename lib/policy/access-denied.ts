import { KmsError } from '../model/errors.ts';
import type { AccessRequest, Decision } from './evaluate.ts';

export interface DenialOptions {
  /** The key is another account's: the caller must not learn whether it exists. */
  readonly foreign: boolean;
  /** The key was named by a ciphertext alone. */
  readonly ciphertext?: boolean;
  /** The resource is being made, and has no name that the caller knows. */
  readonly unnamed?: boolean;
}

const unknownResource =
  'because the resource does not exist in this Region, no resource-based policies allow access, ' +
  'or a resource-based policy explicitly denies access';

const reasons: Readonly<Record<Exclude<Decision, 'allowed'>, (action: string) => string>> = {
  'explicit-deny-in-key-policy': () => 'with an explicit deny in a resource-based policy',
  'explicit-deny-in-identity-policy': () => 'with an explicit deny in an identity-based policy',
  'no-key-policy-allows': (action) =>
    `because no resource-based policy allows the ${action} action`,
  'no-identity-policy-allows': (action) =>
    `because no identity-based policy allows the ${action} action`,
};

/** Makes the AccessDeniedException of a request that was not allowed, in AWS's newest words. */
export function accessDenied(
  { caller, action, resource }: Pick<AccessRequest, 'caller' | 'action' | 'resource'>,
  decision: Exclude<Decision, 'allowed'>,
  { foreign, ciphertext = false, unnamed = false }: DenialOptions,
): KmsError {
  const byKeyPolicy =
    decision === 'no-key-policy-allows' || decision === 'explicit-deny-in-key-policy';
  const hidden = byKeyPolicy && (foreign || ciphertext);
  const reason = hidden ? unknownResource : reasons[decision](action);
  const on = unnamed ? '' : ` on ${resourceText(resource, { hidden, ciphertext })}`;
  return new KmsError(
    'AccessDeniedException',
    `User: ${caller.arn} is not authorized to perform: ${action}${on} ${reason}`,
  );
}

function resourceText(
  resource: string,
  { hidden, ciphertext }: { hidden: boolean; ciphertext: boolean },
): string {
  if (ciphertext) return 'the resource associated with this ciphertext';
  return hidden ? 'this resource' : `resource: ${resource}`;
}
