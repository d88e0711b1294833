import { type Policy, type PolicyKind, parsePolicy } from '../../lib/policy/document.ts';
import type { AccessRequest } from '../../lib/policy/evaluate.ts';
import { type Principal, parsePrincipal } from '../../lib/policy/principal.ts';

export const account = '111122223333';
export const otherAccount = '444455556666';
export const rootName = `arn:aws:iam::${account}:root`;
export const userName = `arn:aws:iam::${account}:user/bob`;
export const keyArn = `arn:aws:kms:us-east-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;

type Json = Readonly<Record<string, unknown>>;

export function principal(arn: string): Principal {
  const parsed = parsePrincipal(arn);
  if (parsed === undefined) throw new Error(`no principal: ${arn}`);
  return parsed;
}

/** A statement that allows everything to everyone, with changes; an undefined member is left out. */
export function statement(changes: Json = {}): Json {
  return { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*', ...changes };
}

/** The text of a document with these statements, those of an identity policy without principals. */
export function document(statements: readonly Json[], kind: PolicyKind = 'key'): string {
  const fitting = statements.map((one) =>
    kind === 'identity' ? { ...one, Principal: undefined } : one,
  );
  return JSON.stringify({ Version: '2012-10-17', Statement: fitting });
}

export function policy(statements: readonly Json[], kind: PolicyKind = 'key'): Policy {
  return parsePolicy(document(statements, kind), kind);
}

export function request(changes: Partial<AccessRequest> = {}): AccessRequest {
  return {
    action: 'kms:Decrypt',
    resource: keyArn,
    caller: principal(userName),
    condition: () => undefined,
    ...changes,
  };
}
