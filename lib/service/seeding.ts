import { randomUUID } from 'node:crypto';
import { keyArn } from '../model/key-id.ts';
import type { Native } from '../native/addon.ts';
import type { Seed } from '../seed/seed.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { Core } from './core.ts';

/** Reads a seed. @throws ConfigurationError if it is not valid */
export async function loadSeed(source: string | object, native: Native): Promise<Seed> {
  const { readSeed } = await import('../seed/seed.ts');
  return readSeed(source, native);
}

/**
 * Makes what a seed describes. Policies are not asked: a process that opens the store may do so.
 *
 * @returns what was made, in a sentence for people; undefined if everything was there
 */
export async function applySeedTo(
  { keys, grants, opened, now }: Core,
  seed: Seed,
  trail: AuditTrail | undefined,
): Promise<string | undefined> {
  const { applySeed, describeSummary } = await import('../seed/apply-seed.ts');
  const { region, accountId } = opened.identity;
  const summary = await applySeed(seed, {
    keys,
    grants,
    region,
    accountId,
    now,
    record: async (operation, request, key) => {
      const keyArns = [keyArn(key)];
      await trail?.onlyChanges({ operation, request, requestId: randomUUID(), keyArns })();
    },
  });
  return describeSummary(summary);
}
