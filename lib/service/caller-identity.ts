import { parsePrincipal, uniqueId } from '../policy/principal.ts';

export interface CallerIdentity {
  /** The value of `aws:userid` in policies. */
  readonly userId: string;
  readonly accountId: string;
}

/** The ids of the caller with this ARN; empty if the ARN is not a principal's. */
export function callerIdentity(arn: string): CallerIdentity {
  const principal = parsePrincipal(arn);
  if (principal === undefined) return { userId: '', accountId: '' };
  return { userId: uniqueId(principal), accountId: principal.accountId };
}
