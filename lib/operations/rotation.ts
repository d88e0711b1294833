import type { Key } from '../keys/key.ts';
import { isSymmetric, requireOrigin, requireState } from '../keys/key-checks.ts';
import { isPrimary, type MaterialEntry, stateOf, withCurrentMaterial } from '../keys/key-record.ts';
import { dayInMilliseconds } from '../keys/settlement.ts';
import { KmsError } from '../model/errors.ts';
import { changeKey } from './key-change.ts';
import { findOwnKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';
import { page } from './rules/pages.ts';

const usualPeriodInDays = 365;
// AWS's quota: on-demand rotations of a KMS key.
const mostOnDemand = 25;

/** KMS API Reference, EnableKeyRotation. */
export const enableKeyRotation: Operation<'EnableKeyRotation'> = {
  name: 'EnableKeyRotation',
  async run(services, { KeyId, RotationPeriodInDays: periodInDays = usualPeriodInDays }) {
    const key = await findOwnKey(services, KeyId);
    await changeKey(services, key, (current) => {
      requireOrigin(current, 'AWS_KMS');
      requireState(current);
      requireRotatable(current);
      const { rotation } = current.record;
      if (rotation?.periodInDays === periodInDays) return current.record;
      const nextDate = services.now() + periodInDays * dayInMilliseconds;
      return { ...current.record, rotation: { periodInDays, nextDate } };
    });
    return {};
  },
};

/** KMS API Reference, DisableKeyRotation. */
export const disableKeyRotation: Operation<'DisableKeyRotation'> = {
  name: 'DisableKeyRotation',
  async run(services, { KeyId }) {
    const key = await findOwnKey(services, KeyId);
    await changeKey(services, key, (current) => {
      requireOrigin(current, 'AWS_KMS');
      requireState(current);
      // AWS also accepts this for keys that cannot rotate.
      if (isSymmetric(current)) requireRotatable(current);
      const { rotation, ...without } = current.record;
      return rotation === undefined ? current.record : without;
    });
    return {};
  },
};

/** KMS API Reference, GetKeyRotationStatus. */
export const getKeyRotationStatus: Operation<'GetKeyRotationStatus'> = {
  name: 'GetKeyRotationStatus',
  readOnly: true,
  async run(services, { KeyId }) {
    const { arn, record } = await findOwnKey(services, KeyId);
    const { rotation } = record;
    // KMS Developer Guide, rotate-keys: a key pending deletion is not rotated and says so.
    const enabled = rotation !== undefined && !stateOf(record).endsWith('Deletion');
    return {
      KeyRotationEnabled: enabled,
      KeyId: arn,
      ...(enabled && {
        RotationPeriodInDays: rotation.periodInDays,
        NextRotationDate: new Date(rotation.nextDate),
      }),
    };
  },
};

/** KMS API Reference, RotateKeyOnDemand. The new material is the current one on return. */
export const rotateKeyOnDemand: Operation<'RotateKeyOnDemand'> = {
  name: 'RotateKeyOnDemand',
  async run(services, { KeyId }) {
    const key = await findOwnKey(services, KeyId);
    const { arn } = await changeKey(services, key, async (current) => {
      requireState(current);
      requireRotatable(current);
      requireRotationsLeft(current);
      const how = { rotationDate: services.now(), rotationType: 'ON_DEMAND' as const };
      const pending = pendingMaterial(current);
      if (pending !== undefined) {
        return { record: withCurrentMaterial(current.record, { ...pending, ...how }) };
      }
      const { id, change } = services.keys.vault.makeSymmetric(current.record);
      return { record: withCurrentMaterial(current.record, { id, ...how }), others: [change] };
    });
    return { KeyId: arn };
  },
};

/** KMS API Reference, ListKeyRotations. */
export const listKeyRotations: Operation<'ListKeyRotations'> = {
  name: 'ListKeyRotations',
  readOnly: true,
  async run(services, request) {
    const key = await findKeyOfRotations(services, request.KeyId);
    const { materials, origin } = key.record;
    const listed =
      request.IncludeKeyMaterial === 'ALL_KEY_MATERIAL'
        ? materials
        : materials.filter(({ rotationDate }) => rotationDate !== undefined);
    const { items, ...more } = await page(
      request,
      { usual: 100, largest: 1000 },
      async ({ after, limit }) => {
        const start = listed.findIndex(({ id }) => id === after) + 1;
        return listed.slice(start, start + limit);
      },
      ({ id }) => id,
    );
    return {
      Rotations: items.map((entry) => ({
        KeyId: key.arn,
        KeyMaterialId: entry.id,
        KeyMaterialState: entry.state,
        ...(origin === 'EXTERNAL' && importMembers(entry)),
        ...(entry.rotationDate !== undefined && { RotationDate: new Date(entry.rotationDate) }),
        ...(entry.rotationType !== undefined && { RotationType: entry.rotationType }),
      })),
      ...more,
    };
  },
};

async function findKeyOfRotations(
  services: Parameters<typeof findOwnKey>[0],
  keyId: string,
): Promise<Key> {
  const key = await findOwnKey(services, keyId);
  if (!isSymmetric(key)) throw new KmsError('UnsupportedOperationException');
  return key;
}

function importMembers({ importState, description, expirationModel, validTo }: MaterialEntry) {
  return {
    ...(importState !== undefined && { ImportState: importState }),
    ...(description !== undefined && { KeyMaterialDescription: description }),
    ...(expirationModel !== undefined && { ExpirationModel: expirationModel }),
    ...(validTo !== undefined && { ValidTo: new Date(validTo) }),
  };
}

/** Only symmetric keys rotate; a multi-Region key's rotation is set on its primary key. */
function requireRotatable(key: Key): void {
  if (!isSymmetric(key)) throw new KmsError('UnsupportedOperationException');
  if (isPrimary(key.record)) return;
  throw new KmsError(
    'UnsupportedOperationException',
    `${key.arn} is a replica key; its rotation is that of its primary key.`,
  );
}

function requireRotationsLeft({ arn, record }: Key): void {
  const done = record.materials.filter(({ rotationType }) => rotationType === 'ON_DEMAND').length;
  if (done < mostOnDemand) return;
  throw new KmsError(
    'LimitExceededException',
    'The on-demand rotations limit has been reached for the given keyId. No more on-demand ' +
      `rotations can be performed for this key: ${arn}`,
  );
}

/** The imported material that waits to become the current one; undefined if KMS makes it. */
function pendingMaterial({ arn, record }: Key): Omit<MaterialEntry, 'state'> | undefined {
  if (record.origin !== 'EXTERNAL') return undefined;
  const pending = record.materials.find(
    ({ state, importState }) => state === 'PENDING_ROTATION' && importState === 'IMPORTED',
  );
  if (pending !== undefined) return pending;
  throw new KmsError(
    'KMSInvalidStateException',
    `No available key material pending rotation for the key: ${arn}.`,
  );
}
