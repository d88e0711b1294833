import { beforeEach, describe, expect, test } from 'vitest';
import { type OfferedOperation, operations } from '../../lib/operations/index.ts';
import type { AuditEvent } from '../../lib/service/audit.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import {
  everyRequest,
  neverServed,
  newGrant,
  nothingAllowed,
  policyText,
  somebody,
} from './every-request.ts';
import { accountId, newKey, outcomeOf, region, caller as root } from './support.ts';

// A request's commit waits, here for the audit, while the caller's permission is taken away: what is
// acknowledged by then must count.

const denied = /^AccessDeniedException: /;
const rootsAll = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
const deny = { Effect: 'Deny', Principal: { AWS: somebody }, Action: 'kms:*', Resource: '*' };

let kms: Pairmint;
/** Done before the next commit of a request that is not the root's. */
let meanwhile: ((event: AuditEvent) => Promise<unknown>) | undefined;

beforeEach(async () => {
  meanwhile = undefined;
  kms = await Pairmint.open({
    store: 'memory:',
    rootKey: { bytes: Buffer.alloc(32, 7) },
    region,
    accountId,
    audit: async (event) => {
      if (event.userIdentity.arn === root) return;
      const work = meanwhile;
      meanwhile = undefined;
      await work?.(event);
    },
  });
});

/** The operations that change keys which are there, and so are authorised for them. */
const changing = Object.keys(operations).filter(
  (name) =>
    /^(Cancel|CreateAlias|CreateGrant|Delete|Disable|Enable|Import|Put|Replicate|Revoke|Rotate|Schedule|Tag|Untag|Update)/.test(
      name,
    ) && !neverServed.has(name),
) as OfferedOperation[];

/** Of operations whose usual request changes nothing. */
const prepared: Partial<Record<OfferedOperation, (from: Pairmint) => Promise<object>>> = {
  DeleteImportedKeyMaterial: async (from) => {
    const request = await everyRequest.ImportKeyMaterial(from);
    await from.importKeyMaterial(request);
    return { KeyId: request.KeyId };
  },
  DisableKeyRotation: async (from) => {
    const { KeyId } = await newKey(from);
    await from.enableKeyRotation({ KeyId });
    return { KeyId };
  },
};

/** Asks as somebody; the keys that the request is about are those that its audit event names. */
async function ask(name: OfferedOperation, work: (keys: readonly string[]) => Promise<unknown>) {
  const request = await (prepared[name] ?? everyRequest[name])(kms);
  meanwhile = ({ resources }) => {
    return work(resources.map(({ ARN }) => ARN).filter((arn) => arn.includes(`:${region}:`)));
  };
  return outcomeOf(kms.as(somebody).call(name, request));
}

describe('a caller who is denied a key while its commit waits changes nothing', () => {
  test('of all operations that change keys', () => {
    expect(changing.length).toBeGreaterThan(18);
  });

  test.each(changing)('%s', async (name) => {
    let count = 0;
    expect(await ask(name, async (keys) => (count = keys.length))).toBe('ok');
    expect(count).toBeGreaterThan(0);
    for (let i = 0; i < count; i++) {
      const outcome = await ask(name, async (keys) => {
        const KeyId = keys[i] as string;
        await kms.putKeyPolicy({ KeyId, Policy: policyText(rootsAll, deny) });
      });
      expect(outcome, `key ${i}`).toMatch(denied);
    }
  });

  test('but a change of something else does not disturb it', async () => {
    const outcome = await ask('TagResource', ([KeyId = '']) =>
      kms.updateKeyDescription({ KeyId, Description: 'another' }),
    );
    expect(outcome).toBe('ok');
  });
});

test('a grant is not made through a grant that is revoked while its commit waits', async () => {
  const { KeyId } = await newKey(kms);
  const Operations = ['CreateGrant' as const, 'Decrypt' as const];
  const { GrantId } = await newGrant(kms, KeyId, { Operations });
  const through = () =>
    kms.as(somebody, { identityPolicy: nothingAllowed }).createGrant({
      KeyId,
      GranteePrincipal: 'arn:aws:iam::444455556666:user/stranger',
      Operations: ['Decrypt'],
    });
  expect(await outcomeOf(through())).toBe('ok');
  meanwhile = () => kms.revokeGrant({ KeyId, GrantId });
  expect(await outcomeOf(through())).toMatch(denied);
  expect((await kms.listGrants({ KeyId })).Grants).toHaveLength(1);
});

test('a grant is revoked though its key changes while the commit waits', async () => {
  const { KeyId } = await newKey(kms);
  const { GrantId } = await newGrant(kms, KeyId);
  meanwhile = () => kms.updateKeyDescription({ KeyId, Description: 'another' });
  await kms.as(somebody).revokeGrant({ KeyId, GrantId });
  expect((await kms.listGrants({ KeyId })).Grants).toEqual([]);
});
