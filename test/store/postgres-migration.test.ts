import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { migratePostgres } from '../../lib/store/postgres/postgres-store.ts';
import { currentVersion, steps } from '../../lib/store/postgres/schema.ts';
import { Cluster, hasPostgres, secretPassword } from '../support/postgres.ts';

/** The statements of a version of the schema, as the pairmint that was released with it ran them. */
function released(version: number): string[] {
  const file = new URL(`../vectors/own/postgres-schema-${version}.sql`, import.meta.url);
  const [_, ...lines] = readFileSync(fileURLToPath(file), 'utf8').split('\n');
  return lines.join('\n').slice(0, -1).split('\n-- next\n');
}

it('the steps of the schema that were released never change', () => {
  expect(steps[0]?.('pairmint')).toEqual(released(1));
});

describe.skipIf(!hasPostgres)('a store that the first version of the schema has', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.remove());

  const rootKey = { bytes: Buffer.alloc(32, 1) };

  /** A store with a key and a pool in a schema of version 1, and a role that serves it. */
  async function earlier() {
    const made = await cluster.database();
    const kms = await Pairmint.open({ store: cluster.url(made), rootKey, create: true });
    const { KeyMetadata } = await kms.createKey({});
    const request = { KeyId: KeyMetadata?.KeyId as string, KeyPairSpec: 'ECC_NIST_P256' } as const;
    await kms.pools.create({ ...request, target: 5 });
    await kms.close();
    const database = await cluster.database();
    const role = `role_${database}`;
    await cluster.query('create schema pairmint', database);
    for (const statement of released(1)) await cluster.query(statement, database);
    await cluster.query('update pairmint.meta set version = 1', database);
    // The first version kept no note of the database that it was in.
    const records = "select * from pairmint.record where path <> 'history'";
    for (const { path, value } of await cluster.query(records, made)) {
      const hex = (value as Buffer).toString('hex');
      await cluster.query(
        `insert into pairmint.record (path, value, epoch) values ('${path}', '\\x${hex}', 0)`,
        database,
      );
    }
    await cluster.query(`create role "${role}" login password '${secretPassword}'`);
    const rights = 'select, insert, update, delete on all tables in schema pairmint';
    await cluster.query(`grant usage on schema pairmint to "${role}"`, database);
    await cluster.query(`grant ${rights} to "${role}"`, database);
    const url = cluster.url(database);
    const service = cluster.url(database, { user: role });
    return { url, service, request };
  }

  it('is refused with the way out, and brought up to date once by several that try', async () => {
    const { url } = await earlier();
    const error = await Pairmint.open({ store: url, rootKey }).catch((reason) => reason);
    expect(error.message).toBe(
      `the schema pairmint has version 1; this pairmint works with ${currentVersion}`,
    );
    expect(error.hint).toContain('pairmint store migrate');
    const outcomes = await Promise.all(Array.from({ length: 3 }, () => migratePostgres(url)));
    const { from, to } = { from: 1, to: currentVersion };
    expect(outcomes.map((outcome) => outcome.to)).toEqual([to, to, to]);
    expect(outcomes.map((outcome) => outcome.from).sort()).toEqual([from, to, to]);
  });

  it('goes on with its keys and pools, and has batches, for a role that had rights before', async () => {
    const { url, service, request } = await earlier();
    await migratePostgres(url);
    const kms = await Pairmint.open({ store: service, rootKey, refillPools: false });
    onTestFinished(() => kms.close());
    expect((await kms.generateDataKeyPairWithoutPlaintext(request)).KeyId).toContain(request.KeyId);
    expect(await kms.pools.fill()).toBe(5);
    const { batchId } = await kms.batches.submit({ ...request, count: 20 });
    expect(await kms.batches.work({ untilIdle: true })).toBe(20);
    expect(await kms.batches.status(batchId)).toMatchObject({ state: 'done', done: 20 });
    expect(await kms.store.check()).toMatchObject({ faults: [] });
  });
});
