import type { Key } from '../keys/key.ts';
import { requireState } from '../keys/key-checks.ts';
import {
  isInUse,
  isPrimary,
  type KeyRecord,
  type KeyTag,
  type MaterialEntry,
  regionsOf,
  withoutImport,
} from '../keys/key-record.ts';
import { KmsError } from '../model/errors.ts';
import { keyArn } from '../model/key-id.ts';
import { authorizeChanged, changeKey } from './key-change.ts';
import { checkPolicy } from './key-policies.ts';
import { authorize, authorizeIdentity, authorizeNewTags, policyTextOf } from './rules/access.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import { keyMetadata } from './rules/key-metadata.ts';
import type { Operation, Services } from './rules/operation.ts';
import { checkTags, requireFewTags } from './tags.ts';

/**
 * KMS API Reference, ReplicateKey. The replica is ready at once, though the answer says Creating.
 */
export const replicateKey: Operation<'ReplicateKey'> = {
  name: 'ReplicateKey',
  async run(services, request) {
    const { KeyId, ReplicaRegion: region } = request;
    requireFewTags(request.Tags ?? []);
    const key = await findOwnKey(services, KeyId);
    const { record } = key;
    const inReplicaRegion = { ...services, region };
    const arn = keyArn({ ...record, region });
    const wanted = replicaOf(record, region, services.now());
    authorizeIdentity(inReplicaRegion, '*', { action: 'CreateKey', key: wanted });
    if (request.Tags?.length) authorizeNewTags(inReplicaRegion, arn);
    const tags = checkTags((request.Tags ?? []) as readonly KeyTag[]);
    const bypass = request.BypassPolicyLockoutSafetyCheck === true;
    const replica = await services.keysToCreate(arn).replicate(record, region, async (primary) => {
      await authorizeChanged(services, primary, key);
      requirePrimary(primary);
      requireState(primary);
      const next = replicaOf(primary.record, region, services.now());
      if (isWhere(primary.record, region)) throw exists(next);
      return {
        ...next,
        description: request.Description ?? '',
        tags,
        ...(request.Policy !== undefined && {
          policy: checkPolicy(inReplicaRegion, next, { text: request.Policy, bypass }),
        }),
      };
    });
    // On AWS, the replica has no material yet at this moment.
    const { CurrentKeyMaterialId: _, ...metadata } = keyMetadata(replica);
    return {
      ReplicaKeyMetadata: { ...metadata, KeyState: 'Creating', Enabled: false },
      ReplicaPolicy: policyTextOf(replica.record),
      ...(tags.length > 0 && { ReplicaTags: tags.map((tag) => ({ ...tag })) }),
    };
  },
};

/** KMS API Reference, UpdatePrimaryRegion. The change is complete on return. */
export const updatePrimaryRegion: Operation<'UpdatePrimaryRegion'> = {
  name: 'UpdatePrimaryRegion',
  async run(services, { KeyId, PrimaryRegion: region }) {
    const key = await findOwnKey(services, KeyId);
    const replica = await authorizedReplica(services, key.record, region);
    await changeKey(services, key, async (current) => {
      requirePrimary(current);
      requireState(current);
      const { primary, replicas } = regionsOf(current.record);
      if (region === primary) return { record: current.record };
      requireReplica(current.record, region);
      const others = replicas.filter((replica) => replica !== region);
      return {
        record: { ...current.record, regions: { primary: region, replicas: [...others, primary] } },
        checkOther: async (other) => {
          if (other.record.region !== region) return;
          if (other.record !== replica?.record) await authorize(services, other);
          requireState(other);
        },
      };
    });
    return {};
  },
};

async function authorizedReplica(
  services: Services,
  record: KeyRecord,
  region: string,
): Promise<Key | undefined> {
  const replica = await services.keys.findById({ ...record, region });
  if (replica !== undefined) await authorize(services, replica);
  return replica;
}

function isWhere(record: KeyRecord, region: string): boolean {
  const { primary, replicas } = regionsOf(record);
  return region === primary || replicas.includes(region);
}

/** The record of a replica with the shared properties; imported material must be imported again. */
function replicaOf(primary: KeyRecord, region: string, now: number): KeyRecord {
  const { rotation, publicKey, currentMaterialId, materials } = primary;
  const { primary: primaryRegion, replicas } = regionsOf(primary);
  return {
    keyId: primary.keyId,
    region,
    accountId: primary.accountId,
    keySpec: primary.keySpec,
    keyUsage: primary.keyUsage,
    origin: primary.origin,
    multiRegion: true,
    regions: { primary: primaryRegion, replicas: [...replicas, region] },
    creationDate: now,
    description: '',
    enabled: true,
    ...(currentMaterialId !== undefined && { currentMaterialId }),
    materials: primary.origin === 'EXTERNAL' ? materials.map(toImport) : materials,
    ...(publicKey !== undefined && { publicKey }),
    ...(rotation !== undefined && { rotation }),
    aliases: [],
    tags: [],
  };
}

/**
 * An entry for material that this region must still import; a pending rotation waits for it, too.
 */
function toImport(entry: MaterialEntry): MaterialEntry {
  const shared = withoutImport(entry);
  return {
    ...shared,
    state: isInUse(shared.state) ? shared.state : 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION',
    importState: 'PENDING_IMPORT',
  };
}

function requirePrimary({ arn, record }: Key): void {
  if (record.multiRegion && isPrimary(record)) return;
  throw new KmsError('UnsupportedOperationException', `${arn} is not a multi-region primary key.`);
}

function requireReplica(record: KeyRecord, region: string): void {
  if (isWhere(record, region)) return;
  throw new KmsError('NotFoundException', `Key '${keyArn({ ...record, region })}' does not exist`);
}

function exists(record: KeyRecord): KmsError {
  return new KmsError('AlreadyExistsException', `Key '${keyArn(record)}' already exists.`);
}
