import { KmsError } from '../model/errors.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';

/**
 * KMS API Reference, GetKeyLastUsage: not offered. Noting the last use would make every Decrypt wait
 * for the disk, and notes taken now and then would call a key unused that is not: people delete keys
 * by this answer. The audit has every use.
 */
export const getKeyLastUsage: Operation<'GetKeyLastUsage'> = {
  name: 'GetKeyLastUsage',
  readOnly: true,
  async run(services, { KeyId }) {
    await findOwnKey(services, KeyId);
    throw new KmsError(
      'UnsupportedOperationException',
      'GetKeyLastUsage is not offered: pairmint does not note when keys are used. The audit does.',
    );
  },
};
