import { existsSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { BatchDirectory } from '../../lib/batch/batch-directory.ts';
import { loadNative } from '../../lib/native/addon.ts';
import { PoolDirectory } from '../../lib/pool/pool-directory.ts';
import { copyStore, giveUpCopy } from '../../lib/service/copy.ts';
import { type OpenOptions, Pairmint } from '../../lib/service/pairmint.ts';
import { restoreBackup } from '../../lib/service/restore.ts';
import type { KeyStore } from '../../lib/store/key-store.ts';
import { movePath } from '../../lib/store/move-mark.ts';
import { connect } from '../../lib/store/open-store.ts';
import { placesOf } from '../../lib/store/places.ts';
import { PostgresStore } from '../../lib/store/postgres/postgres-store.ts';
import { loadEngine } from '../../lib/store/sqlite/engine.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { failureText } from '../operations/support.ts';
import { Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';
import { Cluster, hasPostgres, secretPassword } from '../support/postgres.ts';

const spec = 'ECC_NIST_EDWARDS25519';
let cluster: Cluster;
beforeAll(async () => {
  if (hasPostgres) cluster = await Cluster.start();
});
afterAll(() => cluster?.remove());

let folder: string;
let rootKeyFile: string;
beforeEach(() => {
  folder = temporaryFolder();
  rootKeyFile = `${folder}/root.key`;
});

async function open(store: string, options: OpenOptions = {}): Promise<Pairmint> {
  const kms = await Pairmint.open({
    store,
    rootKey: { file: rootKeyFile },
    refillPools: false,
    create: true,
    ...options,
  });
  onTestFinished(() => kms.close());
  return kms;
}
const copy = (from: string, to: string) => copyStore({ from, to, rootKeyFile });
const refusalOf = async (done: Promise<unknown>) => {
  const error = await done.then(
    () => undefined,
    (reason) => reason,
  );
  const { message = '', hint = '' } = error ?? {};
  expect(`${message} ${hint}`).not.toContain(secretPassword);
  return { message, hint } as { message: string; hint: string };
};

let number = 0;
const places: Record<string, () => Promise<string>> = {
  'sqlite:': async () => `sqlite:${folder}/store-${++number}.db`,
  ...(hasPostgres && { 'postgres:': async () => cluster.url(await cluster.database()) }),
};
const shown = (url: string) => url.replace(`:${secretPassword}`, '');

/** A store with a bit of everything, and a pool of waiting pairs. */
async function fill(kms: Pairmint, pairs = 40) {
  const { KeyMetadata } = await kms.createKey({ Description: 'moved' });
  const KeyId = KeyMetadata?.KeyId as string;
  await kms.createAlias({ AliasName: 'alias/moved', TargetKeyId: KeyId });
  await kms.createGrant({
    KeyId,
    GranteePrincipal: 'arn:aws:iam::000000000000:user/u',
    Operations: ['Decrypt'],
    Name: 'named',
  });
  const user = 'arn:aws:iam::000000000000:user/u';
  const { accessKeyId } = await kms.credentials.create({ principal: user });
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('secret') });
  await kms.pools.create({ KeyId, KeyPairSpec: spec, target: pairs });
  expect(await kms.pools.fill()).toBe(pairs);
  return { KeyId, accessKeyId, CiphertextBlob, user };
}

/** Holds one call of a method back, as in a process that hangs there, until `goOn`. */
function hold<N extends string>(
  owner: Record<N, (...args: never[]) => Promise<unknown>>,
  name: N,
  isIt: (self: unknown) => boolean = () => true,
) {
  const call = owner[name] as (...args: unknown[]) => Promise<unknown>;
  let reach = () => {};
  let goOn = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let isHeld = false;
  owner[name] = async function (this: unknown, ...args: unknown[]) {
    if (!isHeld && isIt(this)) {
      isHeld = true;
      reach();
      await gate;
    }
    return call.apply(this, args);
  };
  onTestFinished(() => {
    owner[name] = call;
    goOn();
  });
  return { reached, goOn };
}

const take = async (kms: Pairmint, KeyId: string) => {
  const pair = await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: spec });
  return Buffer.from(pair.PublicKey ?? []).toString('hex');
};
const levelOf = async (kms: Pairmint) => (await kms.pools.list())[0]?.level;

const kinds = Object.keys(places);
describe.each(kinds.flatMap((from) => kinds.map((to) => [from, to] as const)))(
  'a store on %s that is copied to %s',
  (fromKind, toKind) => {
    it('is there as it was, with its pairs, and gone here, for those too who have it open', async () => {
      const [from, to] = [await places[fromKind]?.(), await places[toKind]?.()] as [string, string];
      const first = await open(from);
      const made = await fill(first);
      const drawn = await take(first, made.KeyId);
      const other = await open(from);
      const copied = await copy(from, to);
      expect(copied).toMatchObject({ from: shown(from), to: shown(to), batches: 0 });
      // The pairs that the first process had claimed by then are gone, as if it were killed.
      expect(copied.pairs).toBeGreaterThan(0);
      expect(copied.pairs).toBeLessThanOrEqual(39);
      const kms = await open(to, { onDryPool: 'fail' });
      expect(await levelOf(kms)).toBe(copied.pairs);
      expect((await kms.store.check()).faults).toEqual([]);
      const { Plaintext } = await kms.decrypt({ CiphertextBlob: made.CiphertextBlob });
      expect(Buffer.from(Plaintext ?? []).toString()).toBe('secret');
      expect((await kms.listAliases({})).Aliases).toContainEqual(
        expect.objectContaining({ AliasName: 'alias/moved', TargetKeyId: made.KeyId }),
      );
      expect(await kms.credentials.find(made.accessKeyId)).toBeDefined();
      const granted = await kms.as(made.user).decrypt({ CiphertextBlob: made.CiphertextBlob });
      expect(granted.KeyId).toContain(made.KeyId);
      const taken = [drawn];
      for (let left = copied.pairs; left > 0; left--) taken.push(await take(kms, made.KeyId));
      expect(new Set(taken).size).toBe(taken.length);
      expect(await failureText(take(kms, made.KeyId))).toContain('LimitExceededException');
      // Whoever has the first open, and whatever it has in memory.
      const gone = new RegExp(`The key store was moved to ${shown(to).replace(/[.?+]/g, '\\$&')}`);
      for (const kms of [first, other]) {
        const { KeyId } = made;
        await expect(kms.describeKey({ KeyId })).rejects.toThrow(gone);
        await expect(kms.createKey({})).rejects.toThrow(gone);
        await expect(kms.generateDataKey({ KeyId, KeySpec: 'AES_256' })).rejects.toThrow(gone);
        await expect(kms.pools.fill()).rejects.toThrow(gone);
        await expect(kms.checkStore()).rejects.toThrow(gone);
      }
      const refused = await refusalOf(open(from));
      expect(refused.message).toBe(`the store ${shown(from)} was moved to ${shown(to)}`);
      expect(refused.hint).toBe(`go on with --store ${shown(to)}`);
      const again = await refusalOf(
        copy(from, await (places['sqlite:'] as () => Promise<string>)()),
      );
      expect(again.message).toBe(`${refused.message} already`);
      expect((await refusalOf(copy(from, to))).message).toContain(refused.message);
    }, 60_000);
  },
);

describe('a copy', () => {
  const sqlite = () => (places['sqlite:'] as () => Promise<string>)();

  it('takes batches along, those that are not finished too', async () => {
    const [from, to] = [await sqlite(), await sqlite()];
    const kms = await open(from);
    const { KeyId } = await fill(kms, 10);
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const done = await kms.batches.submit({ ...request, count: 25, chunk: 10 });
    await kms.batches.work({ untilIdle: true });
    const cut = await kms.batches.submit({ ...request, count: 30, chunk: 10 });
    const stop = new AbortController();
    const work = kms.batches.work({ signal: stop.signal });
    await vi.waitFor(async () => {
      const { done } = await kms.batches.status(cut.batchId);
      expect(done).toBeGreaterThan(0);
    });
    stop.abort();
    await work;
    const open_ = await kms.batches.submit({ ...request, count: 20, chunk: 5 });
    const cancelled = await kms.batches.submit({ ...request, count: 20, chunk: 5 });
    await kms.batches.cancel(cancelled.batchId);
    const keys = async (from: Pairmint, id: string) => {
      const found: string[] = [];
      for await (const pairs of from.batches.results(id)) {
        for (const { PublicKey = [] } of pairs) found.push(Buffer.from(PublicKey).toString('hex'));
      }
      return found;
    };
    const before = await keys(kms, done.batchId);
    const begun = await keys(kms, cut.batchId);
    expect(await copy(from, to)).toMatchObject({ batches: 4 });
    const moved = await open(to);
    expect(await keys(moved, done.batchId)).toEqual(before);
    expect((await keys(moved, cut.batchId)).slice(0, begun.length)).toEqual(begun);
    expect(await moved.batches.status(cancelled.batchId)).toMatchObject({ state: 'cancelled' });
    await moved.batches.work({ untilIdle: true });
    for (const { batchId } of [cut, open_]) {
      expect(await moved.batches.status(batchId)).toMatchObject({ state: 'done' });
    }
    expect(new Set(await keys(moved, cut.batchId)).size).toBe(30);
    expect((await moved.store.check()).faults).toEqual([]);
  }, 60_000);

  it.runIf(hasPostgres)(
    'that was killed can be started again, at whatever point',
    async () => {
      const commands = new Commands(folder);
      const from = `sqlite:${folder}/store.db`;
      const database = await cluster.database();
      const to = cluster.url(database);
      const kms = await open(from);
      const { KeyId } = await fill(kms, 3000);
      for (let i = 0; i < 150; i++) await kms.createKey({});
      await kms.close();
      // Until the target has so much of each table.
      const points = ['record', "record where path like '%:key/%'", 'lot'];
      for (const [i, table] of points.entries()) {
        const { child, ended } = commands.start('store', 'copy', '--from', from, '--to', to);
        await vi.waitFor(
          async () => {
            const text = `select count(*)::int as n from pairmint.${table}`;
            const [row] = await cluster.query(text, database);
            expect(row?.n).toBeGreaterThan(i === 0 ? 0 : 20);
          },
          { timeout: 20_000, interval: 2 },
        );
        child.kill('SIGKILL');
        await ended;
        expect((await refusalOf(open(to))).message).toBe(
          `the store ${shown(to)} is an unfinished copy of another`,
        );
        if (i > 0) {
          const { message, hint } = await refusalOf(open(from));
          expect(message).toBe(`the store ${from} is being moved to ${shown(to)}`);
          expect(hint).toContain(`pairmint store copy --from ${from} --to ${shown(to)}`);
        }
      }
      const printed = await commands.json<Record<string, unknown>>(
        ...['store', 'copy', '--from', from, '--to', to],
      );
      expect(printed).toMatchObject({ From: from, To: shown(to), Batches: 0 });
      // A record that is gone would be locked and written by each commit that depends on it.
      const mark = "select 1 from pairmint.record where path = 'move' and value is not null";
      expect(await cluster.query(mark, database)).toHaveLength(1);
      const moved = await open(to, { onDryPool: 'fail' });
      expect((await moved.listKeys({ Limit: 1000 })).Keys).toHaveLength(151);
      // A kill loses at most the pairs that were between the stores.
      expect(printed.WaitingPairs).toBeGreaterThan(3000 - 3 * 512);
      expect(await levelOf(moved)).toBe(printed.WaitingPairs);
      const taken = new Set<string>();
      for (let i = 0; i < 300; i++) taken.add(await take(moved, KeyId));
      expect(taken.size).toBe(300);
    },
    120_000,
  );

  it('that was not finished is given up by a fence, and may go elsewhere then', async () => {
    const commands = new Commands(folder);
    const from = `sqlite:${folder}/store.db`;
    const [lost, to] = [`sqlite:${folder}/lost.db`, `sqlite:${folder}/to.db`];
    const kms = await open(from);
    const { KeyId } = await fill(kms);
    const { child, ended } = commands.start('store', 'copy', '--from', from, '--to', lost);
    await vi.waitFor(() => expect(kms.describeKey({ KeyId })).rejects.toThrow('moved to'), 10_000);
    child.kill('SIGKILL');
    await ended;
    const { code, stderr } = await commands.run('store', 'fence', '--store', from);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'pairmint: the copy that was not finished is given up\n',
    });
    const again = await open(from);
    await again.createKey({});
    expect(await giveUpCopy({ store: from, rootKeyFile })).toBe(false);
    // The process that was refused meanwhile goes on as well.
    await vi.waitFor(() => kms.describeKey({ KeyId }), 5000);
    await copy(from, to);
    expect((await (await open(to)).listKeys({})).Keys).toHaveLength(2);
    expect((await refusalOf(open(lost))).message).toContain('is an unfinished copy');
    expect((await refusalOf(copy(from, lost))).message).toContain(`was moved to ${to} already`);
  }, 60_000);

  it('refuses a target that has something else in it, and changes neither store', async () => {
    const [from, to] = [await sqlite(), await sqlite()];
    const kms = await open(from);
    const { KeyId } = await fill(kms);
    await open(to);
    const refused = await refusalOf(copy(from, to));
    expect(refused.message).toBe(`${to} is not empty: it has records`);
    await kms.createKey({});
    expect(await take(kms, KeyId)).toBeTruthy();
    expect((await refusalOf(copy(from, from))).message).toContain('cannot be copied to itself');
    expect((await refusalOf(copy(from, 'memory:'))).message).toContain('a store in memory');
    const nowhere = await sqlite();
    expect((await refusalOf(copy(nowhere, await sqlite()))).message).toBe(
      `there is no store at ${nowhere}`,
    );
    expect(existsSync(nowhere.slice('sqlite:'.length))).toBe(false);
  });

  it('refuses a source with a record that is not sound, which goes on as it was', async () => {
    const [from, to] = [await sqlite(), await sqlite()];
    const kms = await open(from);
    await fill(kms);
    const database = new (loadEngine().DatabaseSync)(from.slice('sqlite:'.length));
    database.exec("update record set value = x'00' where path like '%:alias/%'");
    database.close();
    const { message } = await refusalOf(copy(from, to));
    expect(message).toContain(`the store ${from} is not sound, so it is not copied: `);
    await vi.waitFor(() => kms.createKey({}));
  });

  it.runIf(hasPostgres)(
    'leaves no store on PostgreSQL that holds a mark of somebody else',
    async () => {
      const database = await cluster.database();
      const to = cluster.url(database);
      const store = await PostgresStore.open(to, { makeSchema: true });
      await store.commit([{ path: 'move', expected: undefined, next: Buffer.from('mine') }]);
      await store.close();
      const from = await sqlite();
      await open(from);
      expect((await refusalOf(copy(from, to))).message).toContain('is not empty');
    },
  );

  it('of a store that a process has open is made by the process, from memory too', async () => {
    const to = await sqlite();
    const kms = await open('memory:');
    const { KeyId } = await fill(kms);
    await kms.store.copy(to);
    await expect(kms.describeKey({ KeyId })).rejects.toThrow(`moved to ${to}`);
    expect((await (await open(to)).listKeys({})).Keys).toHaveLength(1);
    const brief = await Pairmint.open({ store: 'memory:' });
    onTestFinished(() => brief.close());
    const refused = await refusalOf(brief.store.copy(await sqlite()));
    expect(refused.message).toBe('the root key of this store ends with its process');
  });

  it('is not undone by the restore of a backup into the store that was left', async () => {
    const [from, to] = [await sqlite(), await sqlite()];
    const kms = await open(from);
    await kms.store.backup(`${folder}/backup.db`);
    await copy(from, to);
    const refused = await refusalOf(
      restoreBackup(`${folder}/backup.db`, { store: from, rootKeyFile }),
    );
    expect(refused.message).toBe(`the store ${from} was moved to ${to}`);
  });
});

describe.each(kinds)('a copy of a store on %s', (kind) => {
  const sqlite = () => (places['sqlite:'] as () => Promise<string>)();

  it('that hangs and is given up meanwhile does not take the place of the store when it goes on', async () => {
    const [from, to] = [await (places[kind] as () => Promise<string>)(), await sqlite()];
    const kms = await open(from);
    await kms.createKey({});
    await kms.close();
    // The source is checked first, then the target.
    let checks = 0;
    const held = hold(PoolDirectory.prototype, 'strayLots', () => ++checks === 2);
    const copying = refusalOf(copy(from, to));
    await held.reached;
    expect(await giveUpCopy({ store: from, rootKeyFile })).toBe(true);
    const again = await open(from);
    const { KeyMetadata } = await again.createKey({});
    const KeyId = KeyMetadata?.KeyId as string;
    held.goOn();
    expect((await copying).message).toBe(
      `another copy of ${shown(from)} has begun, or this one was given up`,
    );
    await again.describeKey({ KeyId });
    await (await open(from)).describeKey({ KeyId });
    expect((await refusalOf(open(to))).message).toContain('is an unfinished copy');
  }, 30_000);

  it('that hangs and is given up meanwhile takes no pairs of the store when it goes on', async () => {
    const [from, to] = [await (places[kind] as () => Promise<string>)(), await sqlite()];
    const kms = await open(from);
    await fill(kms);
    await kms.close();
    const held = hold(PoolDirectory.prototype, 'moveFrom');
    const copying = refusalOf(copy(from, to));
    await held.reached;
    expect(await giveUpCopy({ store: from, rootKeyFile })).toBe(true);
    const again = await open(from);
    const level = await levelOf(again);
    expect(level).toBeGreaterThan(0);
    held.goOn();
    expect((await copying).message).toContain('or this one was given up');
    expect(await levelOf(again)).toBe(level);
  }, 30_000);
});

/** Where a copy may hang. */
const points = {
  'before it marks the source': () => hold(PoolDirectory.prototype, 'strayLots'),
  'before it copies records': (to: string) => {
    const { prototype } = to.startsWith('sqlite:') ? SqliteStore : PostgresStore;
    return hold(prototype, 'getAll', (self) => (self as KeyStore).url === shown(to));
  },
  'before it moves pairs': () => hold(PoolDirectory.prototype, 'moveFrom'),
  'before it copies batches': () => hold(BatchDirectory.prototype, 'copyFrom'),
  'before it has checked the target': () => {
    let checks = 0;
    return hold(PoolDirectory.prototype, 'strayLots', () => ++checks === 2);
  },
};
type Point = keyof typeof points;
const everyPoint = Object.keys(points) as Point[];
const hangs: (readonly [string, string, Point])[] = [
  ...everyPoint.map((point) => ['sqlite:', 'sqlite:', point] as const),
  ['memory:', 'sqlite:', 'before it copies records'],
  ...(hasPostgres
    ? (['before it copies records', 'before it copies batches'] as const).map(
        (point) => ['postgres:', 'postgres:', point] as const,
      )
    : []),
];

describe('a copy that hangs, and that is finished by another process meanwhile,', () => {
  const overtaken = (to: string) =>
    `another process has gone on with the copy to ${shown(to)}, or has finished it, so this one ends`;
  const placeOf = async (kind: string) =>
    kind === 'memory:' ? kind : await (places[kind] as () => Promise<string>)();

  it.each(hangs)(
    'from %s to %s %s, changes nothing there when it goes on',
    async (...row) => {
      const [fromKind, toKind, point] = row;
      const [from, to] = [await placeOf(fromKind), await placeOf(toKind)];
      const kms = await open(from);
      const { KeyId } = await fill(kms, 600);
      const batch = { KeyId, KeyPairSpec: 'ECC_NIST_P256', count: 20, chunk: 5 } as const;
      await kms.batches.submit(batch);
      const copying = () => (from === 'memory:' ? kms.store.copy(to) : copy(from, to));
      const held = points[point](to);
      const first = refusalOf(copying());
      await held.reached;
      await copying();
      const moved = await open(to);
      await moved.disableKey({ KeyId });
      const other = (await moved.createKey({})).KeyMetadata?.KeyId as string;
      await moved.pools.create({ KeyId: other, KeyPairSpec: spec, target: 10 });
      await moved.pools.fill();
      const bare = await connect(placesOf({ store: to }), loadNative(), {});
      onTestFinished(() => bare.close());
      const claims = await bare.batches.claim({ worker: 'w', most: 1, seconds: 60 });
      expect(claims).toHaveLength(1);
      const records = await bare.list('', { limit: 1000 });
      const pools = await bare.lots.pools();
      const levels = await bare.lots.levels(pools);
      held.goOn();
      expect((await first).message).toBe(overtaken(to));
      expect(await bare.list('', { limit: 1000 })).toEqual(records);
      expect(await bare.lots.pools()).toEqual(pools);
      expect(await bare.lots.levels(pools)).toEqual(levels);
      expect(await bare.batches.renew('w', claims, 60)).toEqual([true]);
      expect((await moved.describeKey({ KeyId })).KeyMetadata?.Enabled).toBe(false);
      expect((await moved.store.check()).faults).toEqual([]);
    },
    60_000,
  );

  it('ends, when it goes on before the other has finished, and the other finishes', async () => {
    const [from, to] = [await placeOf('sqlite:'), await placeOf('sqlite:')];
    const kms = await open(from);
    await fill(kms);
    await kms.close();
    const early = points['before it has checked the target']();
    const first = refusalOf(copy(from, to));
    await early.reached;
    const late = points['before it copies records'](to);
    const second = copy(from, to);
    await late.reached;
    early.goOn();
    expect((await first).message).toBe(overtaken(to));
    expect((await refusalOf(open(from))).message).toContain('is being moved');
    late.goOn();
    const { pairs } = await second;
    expect(await levelOf(await open(to))).toBe(pairs);
  }, 30_000);
});

describe.each(kinds)('a copy to a place on %s where a store is being made', (kind) => {
  const commitsTo = (to: string) => {
    const { prototype } = kind === 'sqlite:' ? SqliteStore : PostgresStore;
    return hold(prototype, 'commit', (self) => (self as KeyStore).url === shown(to));
  };
  const begin = async () => {
    const from = await (places['sqlite:'] as () => Promise<string>)();
    const kms = await open(from);
    await kms.createKey({});
    return { from, to: await (places[kind] as () => Promise<string>)(), kms };
  };

  it('is refused if the store is made first, and the source goes on', async () => {
    const { from, to, kms } = await begin();
    const held = commitsTo(to);
    const copying = refusalOf(copy(from, to));
    await held.reached;
    const made = await open(to);
    held.goOn();
    expect((await copying).message).toContain(`${shown(to)} is not empty`);
    await kms.createKey({});
    await made.createKey({});
  }, 30_000);

  it('is made if it begins first, and the store is not', async () => {
    const { from, to } = await begin();
    const held = commitsTo(to);
    const making = refusalOf(open(to));
    await held.reached;
    const copying = copy(from, to);
    const marked = await connect(placesOf({ store: to }), loadNative(), { create: true });
    onTestFinished(() => marked.close());
    await vi.waitFor(async () => expect(await marked.get(movePath)).toBeDefined(), 5000);
    held.goOn();
    expect((await making).message).not.toBe('');
    await copying;
    expect((await (await open(to)).listKeys({})).Keys).toHaveLength(1);
  }, 30_000);
});
