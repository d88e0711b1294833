import type { Policy } from './document.ts';
import { type AccessRequest, decide } from './evaluate.ts';

export interface FuturePut extends Omit<AccessRequest, 'action' | 'resource'> {
  readonly keyArn: string;
  /** The key's account. */
  readonly accountId: string;
  /** The caller's, as `decide` takes it. */
  readonly identity: Policy | undefined;
}

/**
 * Tells whether a key with this policy would still let the caller put another. Grants cannot help:
 * none can give PutKeyPolicy.
 */
export function allowsFuturePut(
  policy: Policy,
  { keyArn, accountId, identity, caller, condition }: FuturePut,
): boolean {
  const request = { action: 'kms:PutKeyPolicy', resource: keyArn, caller, condition };
  const key = { policy, accountId };
  return decide(request, { key, identity, grantAllows: () => false }) === 'allowed';
}
