import { KmsError } from '../model/errors.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';

/**
 * KMS API Reference, GetKeyLastUsage: not offered. Noting every use would make each Decrypt wait
 * for the disk; noting only some would report keys as unused that are in use, and people delete
 * keys because of this answer. The audit has every use.
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
