import type { Key } from '../keys/key.ts';
import { requireNotPendingDeletion } from '../keys/key-checks.ts';
import { KmsError } from '../model/errors.ts';
import { authorizeChanged } from './key-change.ts';
import { authorize, authorizeAlias } from './rules/access.ts';
import { findOwnKey, ownAlias } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';

// AWS's quota: aliases per KMS key.
const maxAliases = 50;

/** KMS API Reference, CreateAlias. */
export const createAlias: Operation<'CreateAlias'> = {
  name: 'CreateAlias',
  async run(services, { AliasName, TargetKeyId }) {
    checkNewAliasName(AliasName);
    authorizeAlias(services, AliasName);
    const target = await findTarget(services, TargetKeyId);
    const alias = ownAlias(services, AliasName);
    await services.keysToChange().createAlias(alias, target.record, async (key) => {
      await authorizeChanged(services, key, target);
      requireNotPendingDeletion(key);
      requireAliasQuota(key);
    });
    return {};
  },
};

/** KMS API Reference, UpdateAlias. */
export const updateAlias: Operation<'UpdateAlias'> = {
  name: 'UpdateAlias',
  async run(services, { AliasName, TargetKeyId }) {
    checkAliasName(AliasName);
    authorizeAlias(services, AliasName);
    const alias = ownAlias(services, AliasName);
    const key = await services.keys.find(alias);
    await authorize(services, key);
    const target = await findTarget(services, TargetKeyId);
    await services.keysToChange().updateAlias(alias, target.record, async (next, current) => {
      await authorizeChanged(services, current, key);
      await authorizeChanged(services, next, target);
      requireNotPendingDeletion(next);
      requireSameKind(next, current);
      if (next.arn !== current.arn) requireAliasQuota(next);
    });
    return {};
  },
};

/** KMS API Reference, DeleteAlias. */
export const deleteAlias: Operation<'DeleteAlias'> = {
  name: 'DeleteAlias',
  async run(services, { AliasName }) {
    checkAliasName(AliasName);
    authorizeAlias(services, AliasName);
    const alias = ownAlias(services, AliasName);
    const key = await services.keys.find(alias);
    await authorize(services, key);
    await services
      .keysToChange()
      .deleteAlias(alias, (current) => authorizeChanged(services, current, key));
    return {};
  },
};

async function findTarget(services: Services, keyId: string): Promise<Key> {
  if (/^(arn:.*:)?alias\//s.test(keyId)) {
    throw new KmsError('ValidationException', 'Aliases must refer to keys. Not aliases');
  }
  return findOwnKey(services, keyId);
}

/** @throws KmsError if no alias of a user can have this name */
export function checkAliasName(name: string): void {
  if (!name.startsWith('alias/') || name === 'alias/') {
    throw new KmsError(
      'ValidationException',
      'Alias must start with the prefix "alias/". Please see ' +
        'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  }
  if (name.startsWith('alias/aws/')) throw new KmsError('NotAuthorizedException');
}

/** Checks the name of an alias that is made now. The model allows colons, and AWS does not. */
export function checkNewAliasName(name: string): void {
  checkAliasName(name);
  if (!name.includes(':')) return;
  throw new KmsError('ValidationException', `${name} contains invalid characters for an alias`);
}

/** @throws KmsError LimitExceededException if the key cannot have another alias */
export function requireAliasQuota({ arn, record }: Key): void {
  if (record.aliases.length < maxAliases) return;
  throw new KmsError(
    'LimitExceededException',
    `${arn} has ${maxAliases} aliases, the most it can have.`,
  );
}

function requireSameKind({ record: next }: Key, { record: current }: Key): void {
  const symmetric = (spec: string) => spec === 'SYMMETRIC_DEFAULT';
  if (
    next.keyUsage === current.keyUsage &&
    symmetric(next.keySpec) === symmetric(current.keySpec)
  ) {
    return;
  }
  throw new KmsError(
    'ValidationException',
    'An alias can only be moved to a key of the same type and key usage.',
  );
}
