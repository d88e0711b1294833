import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { Cluster, hasPostgres } from '../support/postgres.ts';

const reasonOf = (open: Promise<PostgresStore>) =>
  open.then(
    (store) => store.close().then(() => 'it was opened'),
    ({ message }: Error) => message,
  );

describe.skipIf(!hasPostgres)('a server of a store', () => {
  let cluster: Cluster;
  let files: { ca: string; otherCa: string };
  beforeAll(async () => {
    cluster = await Cluster.start();
    files = await cluster.runWithTls();
  });
  afterAll(() => cluster?.remove());

  const open = (more: string, host = '127.0.0.1') =>
    PostgresStore.open(cluster.url('postgres', { more }).replace('127.0.0.1', host), {
      makeSchema: true,
    });

  it('is spoken to with TLS if its certificate is of the CA and for the host that is named', async () => {
    const store = await open(`?sslmode=verify-full&sslrootcert=${files.ca}`);
    const facts = await store.facts();
    expect(facts[0]?.text).toMatch(/^PostgreSQL .*, with TLS$/);
    await store.close();
  });

  it('is refused where its certificate is of another CA, for another host, or nobody vouches for it', async () => {
    const full = `?sslmode=verify-full&sslrootcert=`;
    expect(await reasonOf(open(full + files.otherCa))).toMatch(/certificate|self.signed/i);
    expect(await reasonOf(open('?sslmode=verify-full'))).toMatch(/certificate|self.signed/i);
    expect(await reasonOf(open(full + files.ca, 'localhost'))).toMatch(
      /Hostname\/IP does not match/,
    );
    const noName = `?sslmode=verify-ca&sslrootcert=`;
    expect(await reasonOf(open(noName + files.otherCa, 'localhost'))).toMatch(
      /certificate|self.signed/i,
    );
    expect(await reasonOf(open(noName + files.ca, 'localhost'))).toBe('it was opened');
    expect(await reasonOf(open('?sslmode=require', 'localhost'))).toBe('it was opened');
  });

  it('that has no TLS is refused where it is asked for', async () => {
    const plain = await Cluster.start();
    onTestFinished(() => plain.remove());
    const url = plain.url('postgres', { more: '?sslmode=require' });
    expect(await reasonOf(PostgresStore.open(url, { makeSchema: true }))).toContain(
      'does not support SSL',
    );
  });

  it('is passed over in the list of hosts if it is a replica, and refused by itself', async () => {
    const standby = await cluster.standby();
    onTestFinished(() => standby.remove());
    const hosts = `127.0.0.1:${standby.port},127.0.0.1:${cluster.port}`;
    const url = cluster.url().replace(`127.0.0.1:${cluster.port}`, hosts);
    const store = await PostgresStore.open(url, { makeSchema: true });
    const value = Buffer.from('1');
    expect(await store.commit([{ path: 'a', expected: undefined, next: value }])).toBe(true);
    await store.close();
    const seen = 'select 1 from pairmint.record';
    await vi.waitFor(async () => expect(await standby.query(seen)).toHaveLength(1), 10_000);
    expect(await reasonOf(PostgresStore.open(standby.url()))).toContain(
      'the server is read-only: a standby, or set so',
    );
  });
});
