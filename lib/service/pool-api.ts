import { cpuShare } from '../core/cpu-share.ts';
import { requireKnown } from '../core/known-options.ts';
import { requireWhole } from '../core/whole-number.ts';
import type { Key } from '../keys/key.ts';
import { requireState, requireSymmetric, requireUsage } from '../keys/key-checks.ts';
import type { Place } from '../keys/paths.ts';
import { KmsError } from '../model/errors.ts';
import { keyArn } from '../model/key-id.ts';
import { refuseMlKem } from '../model/key-specs.ts';
import type { DataKeyPairSpec } from '../model/types.ts';
import type { KeyMaterial } from '../native/addon.ts';
import { findKey } from '../operations/rules/key-lookup.ts';
import type { Services } from '../operations/rules/operation.ts';
import type { Filler } from '../pool/filler.ts';
import type { PoolDirectory, PoolRecord } from '../pool/pool-directory.ts';
import type { PoolCounts, Pools, PoolTraffic } from '../pool/pools.ts';
import type { Minter } from './minter.ts';

/** Which pool: a key, by any form of its id, and a spec. */
export interface PoolId {
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
}

export interface PoolSettings extends PoolId {
  /** How many pairs the pool holds when it is full: 1 to 1,000,000. */
  readonly target: number;
  /** The number of waiting pairs at which a refill starts; half the target by default. */
  readonly low?: number | undefined;
}

/** A pool, its level, and this process's counts. */
export interface PoolDescription extends Readonly<PoolCounts & PoolTraffic> {
  /** The key's ARN. */
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
  readonly target: number;
  readonly low: number;
  /** How many pairs wait: those in the store and those that this process has claimed. */
  readonly level: number;
  /** Pairs that this process has minted into the pool. */
  readonly minted: number;
}

/** How far a pool is filled. */
export interface FillProgress extends PoolId {
  readonly target: number;
  readonly level: number;
}

export interface FillOptions {
  /** The pool to fill; by default all pools of the account and region. */
  readonly pool?: PoolId | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after every few pairs. */
  readonly onProgress?: ((progress: FillProgress) => void) | undefined;
  /**
   * Called for a pool that cannot be filled, such as one whose key is disabled; the others are
   * still filled. Without this function, such a pool ends the filling.
   */
  readonly onRefusal?: ((pool: PoolId, error: KmsError) => void) | undefined;
  /** The most pairs to mint for each pool. */
  readonly most?: number | undefined;
  /** How many crossings into native code are under way at a time; two per thread by default. */
  readonly concurrency?: number | undefined;
}

const largestTarget = 1_000_000;
const poolSettings: Readonly<Record<keyof PoolSettings, true>> = {
  KeyId: true,
  KeyPairSpec: true,
  target: true,
  low: true,
};
const fillOptions: Readonly<Record<keyof FillOptions, true>> = {
  pool: true,
  signal: true,
  onProgress: true,
  onRefusal: true,
  most: true,
  concurrency: true,
};

/** The pools of an account and region, for a caller who may mint pairs under their keys. */
export class PoolApi {
  readonly #attend: Minter['attend'];
  readonly #services: Minter['services'];
  readonly #place: Place;
  readonly #directory: PoolDirectory;
  readonly #pools: Pools;
  readonly #filler: Filler;

  constructor(
    options: Minter & {
      directory: PoolDirectory;
      pools: Pools;
      filler: Filler;
    },
  ) {
    this.#attend = options.attend;
    this.#services = options.services;
    this.#place = options.place;
    this.#directory = options.directory;
    this.#pools = options.pools;
    this.#filler = options.filler;
  }

  /** Makes an empty pool, or changes the levels of the one that exists. */
  async create(settings: PoolSettings): Promise<PoolDescription> {
    requireKnown('pools.create', settings, poolSettings);
    const { target, low = Math.floor(target / 2) } = settings;
    if (!Number.isInteger(target) || target < 1 || target > largestTarget) {
      throw new KmsError('ValidationException', `target must be from 1 to ${largestTarget}`);
    }
    if (!Number.isInteger(low) || low < 0 || low >= target) {
      throw new KmsError('ValidationException', 'low must be from 0 to less than target');
    }
    return this.#attend(async () => {
      const { key, services, spec } = await this.#keyOf(settings);
      const { keyId, region, accountId } = key.record;
      const creationDate = services.now();
      const name = { keyId, region, accountId, spec };
      return this.#describe(await this.#directory.put({ ...name, target, low, creationDate }));
    });
  }

  /** All pools of the account and region, with their levels and this process's counts. */
  async list(): Promise<PoolDescription[]> {
    return this.#attend(async () => {
      const pools = await this.#directory.list(this.#place);
      return Promise.all(pools.map((pool) => this.#describe(pool)));
    });
  }

  /** Deletes a pool and the pairs that wait in it. @throws KmsError NotFoundException */
  async delete(pool: PoolId): Promise<void> {
    return this.#attend(async () => {
      const { record, arn } = await this.#find(pool);
      await this.#directory.delete(record);
      this.#pools.forget(arn, record);
    });
  }

  /**
   * Removes the waiting pairs and returns how many there were. Pairs that other processes have
   * claimed become void, too. @throws KmsError NotFoundException
   */
  async drain(pool: PoolId): Promise<number> {
    return this.#attend(async () => {
      const { record, arn } = await this.#find(pool);
      const drained = await this.#directory.drain(record);
      return (drained ?? 0) + this.#pools.forget(arn, record);
    });
  }

  /**
   * Mints until every pool has reached its target and returns how many pairs were minted. Pairs
   * that were minted before a failure or an abort are kept.
   *
   * @throws KmsError if a pool cannot be filled; the signal's reason; TypeError if a number of
   *   the options is not whole
   */
  async fill(options: FillOptions = {}): Promise<number> {
    requireKnown('pools.fill', options, fillOptions);
    const { most, concurrency, signal: callers } = options;
    for (const [name, value] of Object.entries({ most, concurrency })) {
      if (value !== undefined) requireWhole(name, value);
    }
    callers?.throwIfAborted();
    return this.#attend((signal) => this.#fill({ ...options, signal }), callers);
  }

  async #fill(options: FillOptions): Promise<number> {
    const pools =
      options.pool === undefined
        ? await this.#directory.list(this.#place)
        : [(await this.#find(options.pool)).record];
    let added = 0;
    for (const pool of pools) {
      const named = { KeyId: keyArn(pool), KeyPairSpec: pool.spec };
      try {
        added += await this.#fillOne(pool, named, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        const mayPass = error instanceof KmsError && error.$fault === 'client';
        if (!mayPass || options.onRefusal === undefined) throw error;
        options.onRefusal(named, error);
      }
    }
    return added;
  }

  async #fillOne(pool: PoolRecord, named: PoolId, options: FillOptions): Promise<number> {
    const { signal, most, onProgress, concurrency = 2 * cpuShare() } = options;
    let level = onProgress && (await this.#directory.count(pool, pool.target));
    return this.#filler.fill(pool, {
      material: () => this.#material(named),
      concurrency,
      most,
      signal,
      isPatient: most === undefined,
      onAdded: (pairs) => {
        if (level === undefined) return;
        level += pairs;
        onProgress?.({ ...named, target: pool.target, level });
      },
    });
  }

  async #material(named: PoolId): Promise<KeyMaterial> {
    const { key, services } = await this.#keyOf(named);
    requireState(key);
    return (await services.keys.vault.current(key)).material;
  }

  /** The key of a pool. Other members than those of a PoolId are not looked at. */
  async #keyOf(named: PoolId): Promise<{ key: Key; services: Services; spec: DataKeyPairSpec }> {
    const services = this.#services({ KeyId: named.KeyId, KeyPairSpec: named.KeyPairSpec });
    const { KeyId, KeyPairSpec: spec } = services.call.request as PoolId;
    const key = await findKey(services, KeyId);
    requireUsage(key, 'ENCRYPT_DECRYPT', services.call.operation);
    requireSymmetric(key);
    refuseMlKem(spec);
    return { key, services, spec };
  }

  async #find(pool: PoolId): Promise<{ record: PoolRecord; arn: string }> {
    const { key, spec } = await this.#keyOf(pool);
    const { keyId, region, accountId } = key.record;
    const record = await this.#directory.find({ keyId, region, accountId, spec });
    if (record !== undefined) return { record, arn: key.arn };
    throw new KmsError('NotFoundException', `${key.arn} has no pool of ${spec} pairs.`);
  }

  async #describe(pool: PoolRecord): Promise<PoolDescription> {
    const arn = keyArn(pool);
    const waiting = await this.#directory.count(pool, largestTarget);
    return {
      KeyId: arn,
      KeyPairSpec: pool.spec,
      target: pool.target,
      low: pool.low,
      level: waiting + this.#pools.claimed(arn, pool),
      ...this.#pools.countsOf(arn, pool.spec),
      ...this.#pools.trafficOf(arn, pool.spec),
      minted: this.#filler.minted(arn, pool),
    };
  }
}
