import { createHash } from 'node:crypto';

/** The caller of a request, or a principal that a policy or a grant names. */
export interface Principal {
  readonly kind: 'root' | 'user' | 'role' | 'assumed-role' | 'federated-user' | 'service';
  /** As it was given; for a service its name, `ec2.amazonaws.com`. */
  readonly arn: string;
  /** Empty for services, which belong to no account. */
  readonly accountId: string;
  readonly isRoot: boolean;
  /** Without the path. For a session the role's name; empty for the root. */
  readonly name: string;
  /** The name of a session of a role. */
  readonly session: string | undefined;
  /** For a role or its session, the role's ARN without the path. */
  readonly role: string | undefined;
  /** The ARN of the account's root, which stands for the account. */
  readonly account: string | undefined;
}

/** Whether a name means the caller itself, or the account that the caller belongs to. */
export type Reach = 'named' | 'delegated';

// IAM's limit for ARNs and a bound for the expressions below.
const MAX_LENGTH = 2048;

const forms: readonly { kind: Principal['kind']; pattern: RegExp }[] = [
  { kind: 'root', pattern: /^arn:aws:iam::(\d{12}):root$/ },
  { kind: 'user', pattern: /^arn:aws:iam::(\d{12}):user\/(?:[\w+=,.@-]+\/)*([\w+=,.@-]+)$/ },
  { kind: 'role', pattern: /^arn:aws:iam::(\d{12}):role\/(?:[\w+=,.@-]+\/)*([\w+=,.@-]+)$/ },
  {
    kind: 'assumed-role',
    pattern: /^arn:aws:sts::(\d{12}):assumed-role\/([\w+=,.@-]+)\/([\w+=,.@-]+)$/,
  },
  { kind: 'federated-user', pattern: /^arn:aws:sts::(\d{12}):federated-user\/([\w+=,.@-]+)$/ },
  { kind: 'service', pattern: /^()([a-z0-9-]+(?:\.[a-z0-9-]+)*)\.amazonaws\.com$/ },
];

/** Reads the ARN of a principal or the name of an AWS service; undefined if it is neither. */
export function parsePrincipal(arn: string): Principal | undefined {
  if (arn.length > MAX_LENGTH) return undefined;
  for (const { kind, pattern } of forms) {
    const match = pattern.exec(arn);
    if (match === null) continue;
    const [, accountId = '', name = '', session] = match;
    return {
      kind,
      arn,
      accountId,
      isRoot: kind === 'root',
      name,
      session,
      role: kind === 'role' || kind === 'assumed-role' ? roleArn(accountId, name) : undefined,
      account: kind === 'service' ? undefined : rootArn(accountId),
    };
  }
  return undefined;
}

export function rootArn(accountId: string): string {
  return `arn:aws:iam::${accountId}:root`;
}

/**
 * The spelling of a principal that `reachOf` compares: an account id becomes the root's ARN, and a
 * role loses its path, which its sessions do not show; role names are unique in an account.
 *
 * @returns undefined if the text names no principal
 */
export function principalName(text: string): string | undefined {
  if (/^\d{12}$/.test(text)) return rootArn(text);
  const principal = parsePrincipal(text);
  return principal?.kind === 'role' ? principal.role : principal?.arn;
}

/** How a principal's name (of `principalName`) reaches the caller; undefined if it does not. */
export function reachOf(name: string, caller: Principal): Reach | undefined {
  if (name === caller.arn || name === caller.role) return 'named';
  return name === caller.account ? 'delegated' : undefined;
}

/**
 * A caller's `aws:userid`. AWS gives users and roles ids, which pairmint cannot know: it derives
 * ids of the same form from their ARNs without path.
 */
export function uniqueId({ kind, accountId, arn, name, role, session }: Principal): string {
  switch (kind) {
    case 'root':
      return accountId;
    case 'federated-user':
      return `${accountId}:${name}`;
    case 'user':
      return `AIDA${idOf(`arn:aws:iam::${accountId}:user/${name}`)}`;
    case 'service':
      return arn;
    default:
      return `AROA${idOf(role as string)}${session === undefined ? '' : `:${session}`}`;
  }
}

const idCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function idOf(arn: string): string {
  const digest = createHash('sha256').update(arn, 'utf8').digest();
  return Array.from(digest.subarray(0, 17), (byte) => idCharacters[byte % 32]).join('');
}

function roleArn(accountId: string, name: string): string {
  return `arn:aws:iam::${accountId}:role/${name}`;
}
