import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../lib/native/addon.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';

const principal = 'arn:aws:iam::000000000000:user/alice';

let folder: string;
let kms: Pairmint;
beforeEach(async () => {
  folder = temporaryFolder();
  kms = await open();
});
afterEach(() => kms.close());

function open(): Promise<Pairmint> {
  return Pairmint.open({
    store: `sqlite:${folder}/store.db`,
    rootKey: { file: `${folder}/root.key` },
  });
}

/** Changes the store's value at a path, behind pairmint's back. */
async function tamper(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const store = await SqliteStore.open(`${folder}/store.db`);
  const bytes = Buffer.from((await store.get(path)) ?? []);
  await store.commit([{ path, expected: bytes, next: change(Buffer.from(bytes)) }]);
  await store.close();
}

describe('a credential', () => {
  it('has the forms of AWS', async () => {
    const made = await kms.credentials.create({ principal });
    expect(made).toEqual({
      accessKeyId: expect.stringMatching(/^AKIA[A-Z2-7]{16}$/),
      secretAccessKey: expect.stringMatching(/^[A-Za-z0-9+/]{40}$/),
    });
  });

  it('of a session has a token and an end', async () => {
    const began = Date.now();
    const made = await kms.credentials.create({ principal, durationSeconds: 900 });
    expect(made).toEqual({
      accessKeyId: expect.stringMatching(/^ASIA[A-Z2-7]{16}$/),
      secretAccessKey: expect.stringMatching(/^[A-Za-z0-9+/]{40}$/),
      sessionToken: expect.stringMatching(/^[A-Za-z0-9+/]{128}$/),
      expirationDate: expect.any(Number),
    });
    expect(Math.abs((made.expirationDate ?? 0) - began - 900_000)).toBeLessThan(60_000);
  });

  it('derives what AWS calls kDate, for every length of HMAC messages', async () => {
    const { accessKeyId, secretAccessKey } = await kms.credentials.create({ principal });
    const credential = await kms.credentials.find(accessKeyId);
    for (const date of ['20261122', '', 'x'.repeat(200)]) {
      const expected = createHmac('sha256', `AWS4${secretAccessKey}`).update(date).digest();
      expect(Buffer.from(credential?.dateKey(date) ?? [])).toEqual(expected);
    }
  });

  it('is not in the store in the clear', async () => {
    const made = await kms.credentials.create({ principal, durationSeconds: 900 });
    const store = await SqliteStore.open(`${folder}/store.db`);
    const entries = await store.list('', { limit: 1000 });
    await store.close();
    const all = Buffer.concat(entries.map(({ value }) => Buffer.from(value))).toString('latin1');
    expect(all).toContain(made.accessKeyId);
    for (const secret of [made.secretAccessKey, made.sessionToken ?? '']) {
      const bytes = Buffer.from(secret, 'base64');
      for (const form of [secret, bytes.toString('hex'), bytes.toString('latin1')]) {
        expect(all).not.toContain(form);
      }
    }
  });

  it.each([
    ['no ARN', { principal: 'alice' }],
    ['a service', { principal: 'ec2.amazonaws.com' }],
    ['an invalid policy', { principal, identityPolicy: '{}' }],
    [
      'a policy of a root',
      { principal: 'arn:aws:iam::000000000000:root', identityPolicy: '{"Statement":[]}' },
    ],
  ])('is not made for %s', async (_title, given) => {
    await expect(kms.credentials.create(given)).rejects.toMatchObject({
      name: 'ConfigurationError',
    });
    expect(await kms.credentials.list({ limit: 10 })).toEqual([]);
  });
});

describe('a limit of an access key', () => {
  it.each([
    { identitypolicy: '{"Statement":[]}' },
    { policy: '{"Statement":[]}' },
    { durationSecond: 900 },
  ])('that is misspelt is refused, not dropped: %j', async (limit) => {
    await expect(kms.credentials.create({ principal, ...limit })).rejects.toThrow(
      `credentials.create has no option '${Object.keys(limit)[0]}'`,
    );
    expect(await kms.credentials.list({ limit: 10 })).toEqual([]);
  });

  it.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '900', null])(
    'cannot be a duration of %j',
    async (durationSeconds) => {
      const given = { principal, durationSeconds: durationSeconds as number };
      await expect(kms.credentials.create(given)).rejects.toThrow(
        /^durationSeconds must be a whole/,
      );
      expect(await kms.credentials.list({ limit: 10 })).toEqual([]);
    },
  );
});

describe('the credentials of a store', () => {
  it('are listed page by page in the order of their ids', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await kms.credentials.create({ principal })).accessKeyId);
    const found: string[] = [];
    for (let after: string | undefined; ; after = found.at(-1)) {
      const page = await kms.credentials.list({ after, limit: 2 });
      found.push(...page.map(({ accessKeyId }) => accessKeyId));
      if (page.length < 2) break;
    }
    expect(found).toEqual(ids.sort());
  });

  it('of sessions that have ended are removed when it is asked for, and no others', async () => {
    const ends: number[] = [];
    for (let i = 0; i < 120; i++) {
      const made = await kms.credentials.create({ principal, durationSeconds: 900 + i });
      ends.push(made.expirationDate ?? 0);
    }
    const { accessKeyId } = await kms.credentials.create({ principal });
    expect(await kms.credentials.removeExpired(Date.now())).toBe(0);
    ends.sort((a, b) => a - b);
    expect(await kms.credentials.removeExpired(ends[109] ?? 0)).toBe(110);
    expect(await kms.credentials.list({ limit: 999 })).toHaveLength(11);
    expect(await kms.credentials.removeExpired(ends[119] ?? 0)).toBe(10);
    expect(await kms.credentials.list({ limit: 999 })).toMatchObject([{ accessKeyId }]);
  });

  it('are the same object as long as the record is the same', async () => {
    const { accessKeyId } = await kms.credentials.create({ principal });
    expect(await kms.credentials.find(accessKeyId)).toBe(await kms.credentials.find(accessKeyId));
  });

  it('end at once for everyone who shares the store', async () => {
    const { accessKeyId } = await kms.credentials.create({ principal });
    const other = await open();
    expect((await other.credentials.find(accessKeyId))?.record.principal).toBe(principal);
    expect(await kms.credentials.delete(accessKeyId)).toBe(true);
    expect(await other.credentials.find(accessKeyId)).toBeUndefined();
    expect(await other.credentials.delete(accessKeyId)).toBe(false);
    await other.close();
  });

  it.each(['', 'x', 'AKIA', `AKIA${'a'.repeat(16)}`, `AKIA${'A'.repeat(17)}`, '../identity', 'é'])(
    'have none of the id %j',
    async (id) => {
      expect(await kms.credentials.find(id)).toBeUndefined();
      expect(await kms.credentials.delete(id)).toBe(false);
    },
  );
});

describe('a record that was changed behind our back', () => {
  const damaged = { name: 'KMSInternalException' };

  it.each([
    ['another principal', (text: string) => text.replace('user/alice', 'user/admin')],
    ['a byte less', (text: string) => text.slice(0, -1)],
    ['nothing', () => ''],
  ])('to %s is refused', async (_title, change) => {
    const { accessKeyId } = await kms.credentials.create({ principal });
    await kms.credentials.find(accessKeyId);
    await tamper(`credential/${accessKeyId}`, (bytes) =>
      Buffer.from(change(bytes.toString('latin1')), 'latin1'),
    );
    await expect(kms.credentials.find(accessKeyId)).rejects.toMatchObject(damaged);
    await expect(kms.credentials.list({ limit: 10 })).rejects.toMatchObject(damaged);
  });

  it("to another credential's is refused", async () => {
    const alice = await kms.credentials.create({ principal });
    const bob = await kms.credentials.create({ principal: 'arn:aws:iam::000000000000:user/bob' });
    const store = await SqliteStore.open(`${folder}/store.db`);
    const stolen = Buffer.from((await store.get(`credential/${bob.accessKeyId}`)) ?? []);
    await store.close();
    await tamper(`credential/${alice.accessKeyId}`, () => stolen);
    await expect(kms.credentials.find(alice.accessKeyId)).rejects.toMatchObject(damaged);
  });

  it('from AKIA to ASIA is refused, though both are bound to the same 16 characters', async () => {
    const { accessKeyId } = await kms.credentials.create({ principal });
    const session = accessKeyId.replace('AKIA', 'ASIA');
    const store = await SqliteStore.open(`${folder}/store.db`);
    const next = Buffer.from((await store.get(`credential/${accessKeyId}`)) ?? []);
    await store.commit([{ path: `credential/${session}`, expected: undefined, next }]);
    await store.close();
    await expect(kms.credentials.find(session)).rejects.toMatchObject(damaged);
  });
});

it('can be opened by no other root key', async () => {
  const { accessKeyId } = await kms.credentials.create({ principal });
  const { CredentialDirectory } = await import('../../lib/keys/credential-directory.ts');
  const native = loadNative();
  const store = await SqliteStore.open(`${folder}/store.db`);
  const other = new CredentialDirectory({
    store,
    native,
    rootKey: native.openRootKey(undefined),
    now: Date.now,
    check: () => {},
  });
  await expect(other.find(accessKeyId)).rejects.toMatchObject({ name: 'KMSInternalException' });
  await store.close();
});
