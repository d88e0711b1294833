import { authorizeIdentity } from './rules/access.ts';
import type { Operation } from './rules/operation.ts';
import { page } from './rules/pages.ts';

/** KMS API Reference, ListKeys. */
export const listKeys: Operation<'ListKeys'> = {
  name: 'ListKeys',
  readOnly: true,
  async run(services, request) {
    authorizeIdentity(services);
    const { items, ...more } = await page(
      request,
      { usual: 100, largest: 1000 },
      (wanted) => services.keys.listKeys(services, wanted),
      ({ record }) => record.keyId,
    );
    return {
      Keys: items.map(({ arn, record }) => ({ KeyId: record.keyId, KeyArn: arn })),
      ...more,
    };
  },
};
