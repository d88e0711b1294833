import type { NewKeyRecord } from '../keys/key-record.ts';
import { KmsError } from '../model/errors.ts';
import { keyArn } from '../model/key-id.ts';
import { parsePolicy } from '../policy/document.ts';
import { allowsFuturePut } from '../policy/lock-out.ts';
import { changeKey } from './key-change.ts';
import { conditionsFor, policyTextOf } from './rules/access.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';
import { page } from './rules/pages.ts';

// The only policy name that a key can have.
const policyName = 'default';

/** KMS API Reference, GetKeyPolicy. */
export const getKeyPolicy: Operation<'GetKeyPolicy'> = {
  name: 'GetKeyPolicy',
  readOnly: true,
  async run(services, { KeyId, PolicyName }) {
    const { record } = await findOwnKey(services, KeyId);
    requireDefault(PolicyName);
    return { Policy: policyTextOf(record), PolicyName: policyName };
  },
};

/** KMS API Reference, PutKeyPolicy. */
export const putKeyPolicy: Operation<'PutKeyPolicy'> = {
  name: 'PutKeyPolicy',
  async run(services, { KeyId, PolicyName, Policy, BypassPolicyLockoutSafetyCheck }) {
    const key = await findOwnKey(services, KeyId);
    requireDefault(PolicyName);
    const bypass = BypassPolicyLockoutSafetyCheck === true;
    const policy = checkPolicy(services, key.record, { text: Policy, bypass });
    await changeKey(services, key, (current) => ({ ...current.record, policy }));
    return {};
  },
};

/** KMS API Reference, ListKeyPolicies. */
export const listKeyPolicies: Operation<'ListKeyPolicies'> = {
  name: 'ListKeyPolicies',
  readOnly: true,
  async run(services, request) {
    await findOwnKey(services, request.KeyId);
    const { items, ...more } = await page(
      request,
      { usual: 100, largest: 1000 },
      async ({ after }) => (after === undefined ? [policyName] : []),
      (name) => name,
    );
    return { PolicyNames: items, ...more };
  },
};

/**
 * Checks a key's new policy.
 *
 * @throws KmsError MalformedPolicyDocumentException if it is malformed, or, without `bypass`, if
 *   the caller could not put another one afterwards
 */
export function checkPolicy(
  services: Services,
  record: NewKeyRecord,
  { text, bypass }: { text: string; bypass: boolean },
): string {
  const policy = parsePolicy(text, 'key');
  const { caller } = services;
  const future = {
    keyArn: keyArn(record),
    accountId: record.accountId,
    identity: caller.identityPolicy,
    caller: caller.principal,
    condition: conditionsFor(services, 'PutKeyPolicy', { key: record }),
  };
  if (bypass || allowsFuturePut(policy, future)) return text;
  throw new KmsError(
    'MalformedPolicyDocumentException',
    'The new key policy will not allow you to update the key policy in the future.',
  );
}

function requireDefault(name: string | undefined): void {
  if (name === undefined || name === policyName) return;
  throw new KmsError('NotFoundException', 'No such policy exists');
}
