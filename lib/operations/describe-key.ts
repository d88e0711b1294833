import { findKey } from './rules/key-lookup.ts';
import { keyMetadata } from './rules/key-metadata.ts';
import type { Operation } from './rules/operation.ts';

/** KMS API Reference, DescribeKey. */
export const describeKey: Operation<'DescribeKey'> = {
  name: 'DescribeKey',
  readOnly: true,
  async run(services, { KeyId }) {
    const key = await findKey(services, KeyId);
    return { KeyMetadata: keyMetadata(key) };
  },
};
