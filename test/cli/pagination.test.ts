import { describe, expect, it } from 'vitest';
import { operationNames } from '../../lib/cli/help/operation-descriptions.ts';
import { printPages } from '../../lib/cli/output/output.ts';
import { pagingOptions, responsePages } from '../../lib/cli/output/paginated-call.ts';
import { recordedOutputs, responses, runOn } from './recorded-outputs.ts';

const ofLists = recordedOutputs.filter(({ args }) => args[0] === 'list-keys');

describe('lists are paged as AWS CLI 2.9 was recorded to page them', () => {
  it.each(ofLists.map((known) => [known.args.join(' '), known.response, known] as const))(
    '%s (%s)',
    async (_, response, { args, exitCode, stdout, stderr, requests }) => {
      const outcome = await runOn(responses[response] as readonly object[], args);
      expect(outcome).toMatchObject({ exitCode, stdout, stderr, requests });
    },
  );
});

const keys = Array.from({ length: 23 }, (_, i) => ({ KeyId: `k${i}`, KeyArn: `arn:${i}` }));

/** A service with 23 keys, at most five of them in a page. */
const service = {
  requests: 0,
  async call(_operation: string, request: { Limit?: number; Marker?: string }) {
    this.requests++;
    const start = Number(request.Marker ?? 0);
    const end = start + Math.min(request.Limit ?? 5, 5);
    const Keys = keys.slice(start, end);
    const isLast = end >= keys.length;
    return { Keys, Truncated: !isLast, ...(!isLast && { NextMarker: String(end) }) };
  },
};

async function readPages(paging: { maxItems?: number; pageSize?: number; startingToken?: string }) {
  const pages = responsePages(service as never, 'ListKeys', {}, { paginate: true, ...paging });
  const items: object[] = [];
  for await (const page of pages) {
    items.push(...(page as { Keys: object[] }).Keys);
  }
  return { items, nextToken: pages.nextToken };
}

describe('a list that is read in pieces', () => {
  it.each([1, 2, 4, 5, 7, 10, 22, 23, 24])(
    'is complete with %i items a piece, whatever the size of pages',
    async (maxItems) => {
      for (const pageSize of [1, 3, 5]) {
        const all: object[] = [];
        let startingToken: string | undefined;
        do {
          const piece = await readPages({
            maxItems,
            pageSize,
            ...(startingToken && { startingToken }),
          });
          expect(piece.items.length).toBeLessThanOrEqual(maxItems);
          all.push(...piece.items);
          startingToken = piece.nextToken;
        } while (startingToken !== undefined);
        expect(all).toEqual(keys);
      }
    },
  );

  it('is not asked for once its reader has stopped', async () => {
    service.requests = 0;
    const pages = responsePages(service as never, 'ListKeys', {}, { paginate: true });
    const sink = { write: () => {}, drained: async () => false };
    const output = { format: 'text', query: undefined, color: 'off' } as const;
    await printPages('ListKeys', pages, output, sink);
    expect(service.requests).toBe(1);
  });
});

describe('the options of pages', () => {
  it('are those of the eight lists of KMS, and of no other operation', () => {
    const paged = operationNames.filter((operation) => pagingOptions(operation).length > 0);
    expect(paged.sort()).toEqual([
      'DescribeCustomKeyStores',
      'ListAliases',
      'ListGrants',
      'ListKeyPolicies',
      'ListKeyRotations',
      'ListKeys',
      'ListResourceTags',
      'ListRetirableGrants',
    ]);
  });
});
