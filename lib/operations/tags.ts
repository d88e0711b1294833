import { requireNotPendingDeletion } from '../keys/key-checks.ts';
import type { KeyTag } from '../keys/key-record.ts';
import { KmsError } from '../model/errors.ts';
import { changeKey } from './key-change.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';
import { page } from './rules/pages.ts';

// AWS's quota: tags per KMS key.
const maxTags = 50;

/** KMS API Reference, TagResource. */
export const tagResource: Operation<'TagResource'> = {
  name: 'TagResource',
  async run(services, { KeyId, Tags }) {
    requireFewTags(Tags);
    const key = await findOwnKey(services, KeyId);
    await changeKey(services, key, (current) => {
      requireNotPendingDeletion(current);
      const added = checkTags(Tags as readonly KeyTag[]);
      const names = new Set(added.map(({ TagKey }) => TagKey));
      const kept = current.record.tags.filter(({ TagKey }) => !names.has(TagKey));
      return { ...current.record, tags: checkTags([...kept, ...added]) };
    });
    return {};
  },
};

/** KMS API Reference, UntagResource. */
export const untagResource: Operation<'UntagResource'> = {
  name: 'UntagResource',
  async run(services, { KeyId, TagKeys }) {
    requireFewTags(TagKeys);
    const key = await findOwnKey(services, KeyId);
    await changeKey(services, key, (current) => {
      requireNotPendingDeletion(current);
      requireOwnTags(TagKeys);
      const tags = current.record.tags.filter(({ TagKey }) => !TagKeys.includes(TagKey));
      return tags.length === current.record.tags.length
        ? current.record
        : { ...current.record, tags };
    });
    return {};
  },
};

/** KMS API Reference, ListResourceTags. */
export const listResourceTags: Operation<'ListResourceTags'> = {
  name: 'ListResourceTags',
  readOnly: true,
  async run(services, request) {
    const { record } = await findOwnKey(services, request.KeyId);
    const sorted = [...record.tags].sort((a, b) => (a.TagKey < b.TagKey ? -1 : 1));
    const { items, ...more } = await page(
      request,
      { usual: 50, largest: 50 },
      async ({ after, limit }) =>
        sorted.filter(({ TagKey }) => after === undefined || TagKey > after).slice(0, limit),
      ({ TagKey }) => TagKey,
    );
    return { Tags: items.map((tag) => ({ ...tag })), ...more };
  },
};

/** @throws KmsError TagException if a key cannot have all of these */
export function checkTags(tags: readonly KeyTag[]): readonly KeyTag[] {
  requireOwnTags(tags.map(({ TagKey }) => TagKey));
  if (new Set(tags.map(({ TagKey }) => TagKey)).size < tags.length) {
    throw new KmsError('TagException', 'Duplicate tag keys');
  }
  requireFewTags(tags);
  return tags;
}

/** @throws KmsError TagException for more tags than a key can have; called before authorisation */
export function requireFewTags({ length }: readonly unknown[]): void {
  if (length > maxTags) throw new KmsError('TagException', 'Too many tags');
}

function requireOwnTags(tagKeys: readonly string[]): void {
  if (tagKeys.some((name) => name.toLowerCase().startsWith('aws:'))) {
    throw new KmsError('TagException', 'Tags beginning with aws: are reserved');
  }
}
