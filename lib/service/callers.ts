import { ConfigurationError } from '../core/configuration-error.ts';
import { requireKnown } from '../core/known-options.ts';
import { requireWhole } from '../core/whole-number.ts';
import type { NewCredential } from '../keys/credential-directory.ts';
import type { Caller } from '../operations/rules/operation.ts';
import { defaultIdentityPolicy, type Policy, parsePolicy } from '../policy/document.ts';
import { parsePrincipal } from '../policy/principal.ts';

/** The identity policy of a caller, and when its credentials were issued. */
export interface CallerOptions {
  /**
   * The caller's IAM policy, as JSON text. By default it allows `kms:*` on everything in the
   * caller's account. An account's root cannot be given such a policy: only key policies decide
   * what it may do.
   */
  readonly identityPolicy?: string | undefined;
  /**
   * When the caller's temporary credentials were issued, in milliseconds since the epoch; now by
   * default. Only sessions of roles and federated users have temporary credentials.
   */
  readonly tokenIssueTime?: number | undefined;
}

/** A caller, and what it can be made of again. */
export interface NamedCaller extends Caller {
  readonly named: CallerOptions & { readonly principal: string };
}

export const callerOptions: Readonly<Record<keyof CallerOptions, true>> = {
  identityPolicy: true,
  tokenIssueTime: true,
};

/**
 * The caller that an ARN names. A malformed policy, and one for a root, is refused: it would not
 * restrict the caller. So is a time that is not one: no date in a policy would compare with it.
 *
 * @throws ConfigurationError if the ARN names no caller, the identity policy is malformed or is a
 *   root's, or `tokenIssueTime` is not a time
 */
export function callerOf(
  arn: string,
  { identityPolicy, tokenIssueTime }: CallerOptions = {},
): NamedCaller {
  const principal = parsePrincipal(arn);
  if (principal === undefined || principal.kind === 'service') {
    throw new ConfigurationError(`'${arn}' is not the ARN of a caller`, {
      hint: 'name a user, role, session or root, as in arn:aws:iam::000000000000:user/alice',
    });
  }
  if (tokenIssueTime !== undefined) requireTime(tokenIssueTime);
  const isSession = principal.kind === 'assumed-role' || principal.kind === 'federated-user';
  const issued = { tokenIssueTime: tokenIssueTime ?? (isSession ? Date.now() : undefined) };
  const named = { principal: arn, identityPolicy, ...issued };
  if (principal.isRoot) {
    if (identityPolicy !== undefined) throw rootHasNoPolicy(arn);
    return { principal, identityPolicy: undefined, ...issued, named };
  }
  return {
    principal,
    ...issued,
    named,
    identityPolicy:
      identityPolicy === undefined
        ? defaultIdentityPolicy(principal.accountId)
        : parseIdentityPolicy(arn, identityPolicy),
  };
}

const credentialOptions: Readonly<Record<keyof NewCredential, true>> = {
  principal: true,
  identityPolicy: true,
  durationSeconds: true,
};

/**
 * Refuses a credential that would not be limited as it seems to be.
 *
 * @throws ConfigurationError if there is no such option, no caller has this ARN, or the policy would
 *   have no effect; TypeError if the duration is not whole
 */
export function checkCaller(credential: NewCredential): void {
  requireKnown('credentials.create', credential, credentialOptions);
  const { principal, identityPolicy, durationSeconds } = credential;
  if (durationSeconds !== undefined) requireWhole('durationSeconds', durationSeconds);
  callerOf(principal, { identityPolicy });
}

function rootHasNoPolicy(arn: string): ConfigurationError {
  return new ConfigurationError(`${arn} is a root, which identity policies do not bind`);
}

function requireTime(milliseconds: number): void {
  if (typeof milliseconds === 'number' && !Number.isNaN(new Date(milliseconds).getTime())) return;
  throw new ConfigurationError(
    `tokenIssueTime must be a time in milliseconds since the epoch, not ${milliseconds}`,
  );
}

function parseIdentityPolicy(arn: string, text: string): Policy {
  try {
    return parsePolicy(text, 'identity');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError(`the identity policy of ${arn} cannot be used: ${reason}`, {
      cause,
    });
  }
}
