import type { Alias } from '../keys/key.ts';
import type { CheckedRequest } from '../model/request.ts';
import { authorizeIdentity, refuseForeign } from './rules/access.ts';
import { lookUpOwn } from './rules/key-lookup.ts';
import type { Operation, Services } from './rules/operation.ts';
import { type PageRequest, page } from './rules/pages.ts';

/** KMS API Reference, ListAliases. */
export const listAliases: Operation<'ListAliases'> = {
  name: 'ListAliases',
  readOnly: true,
  async run(services, request) {
    authorizeIdentity(services);
    const { items, ...more } = await page(
      request,
      { usual: 50, largest: 100 },
      await sourceOf(services, request),
      nameAfterPrefix,
    );
    return {
      Aliases: items.map(({ record, arn, targetKeyId }) => ({
        AliasName: record.name,
        AliasArn: arn,
        TargetKeyId: targetKeyId,
        CreationDate: new Date(record.creationDate),
        LastUpdatedDate: new Date(record.lastUpdatedDate),
      })),
      ...more,
    };
  },
};

async function sourceOf(
  services: Services,
  { KeyId }: CheckedRequest<'ListAliases'>,
): Promise<(wanted: PageRequest) => Promise<Alias[]>> {
  if (KeyId === undefined) return (wanted) => services.keys.listAliases(services, wanted);
  const key = await lookUpOwn(services, KeyId);
  // Listing aliases is not authorised for a key, so another account's are never shown.
  if (key.record.accountId !== services.accountId) refuseForeign(services);
  return async ({ after, limit }) =>
    services.keys
      .aliasesOf(key)
      .filter((alias) => after === undefined || nameAfterPrefix(alias) > after)
      .slice(0, limit);
}

function nameAfterPrefix({ record }: Alias): string {
  return record.name.slice('alias/'.length);
}
