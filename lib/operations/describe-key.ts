import { requireGrantTokens } from './key-checks.ts';
import { findKey } from './key-lookup.ts';
import { keyMetadata } from './key-metadata.ts';
import type { Operation } from './operation.ts';

/** KMS API Reference, DescribeKey. */
export const describeKey: Operation<'DescribeKey'> = {
  name: 'DescribeKey',
  async run(services, { KeyId, GrantTokens }) {
    const key = await findKey(services, 'DescribeKey', KeyId);
    requireGrantTokens(GrantTokens);
    return { KeyMetadata: keyMetadata(key) };
  },
};
