import type { OperationName } from '../model/shapes.ts';
import type { Service } from './context.ts';

/** The list that a paginated operation returns piece by piece. */
const pagedMembers: Readonly<Partial<Record<OperationName, string>>> = {
  DescribeCustomKeyStores: 'CustomKeyStores',
  ListAliases: 'Aliases',
  ListGrants: 'Grants',
  ListKeyPolicies: 'PolicyNames',
  ListKeyRotations: 'Rotations',
  ListKeys: 'Keys',
  ListResourceTags: 'Tags',
  ListRetirableGrants: 'Grants',
};

interface Page extends Readonly<Record<string, unknown>> {
  readonly Truncated?: boolean;
  readonly NextMarker?: string;
}

/**
 * Makes the call. A list is fetched to its end and its markers left out, as the AWS CLI does, unless
 * the request asks for a page by its limit or marker.
 */
export async function callToTheEnd(
  service: Service,
  operation: OperationName,
  request: object,
): Promise<object | undefined> {
  const member = pagedMembers[operation];
  if (member === undefined || 'Limit' in request || 'Marker' in request) {
    return service.call(operation, request);
  }
  const items: unknown[] = [];
  let page = (await service.call(operation, request)) as Page;
  items.push(...(page[member] as unknown[]));
  while (page.Truncated === true) {
    page = (await service.call(operation, { ...request, Marker: page.NextMarker })) as Page;
    items.push(...(page[member] as unknown[]));
  }
  return { [member]: items };
}
