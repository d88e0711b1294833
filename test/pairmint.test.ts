import { readdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pairmint, type RequestOptions } from '../lib/service/pairmint.ts';
import { temporaryFolder } from './support/folders.ts';

const KeyId = 'alias/pairmint/default';

let kms: Pairmint;
beforeEach(async () => {
  const folder = temporaryFolder();
  kms = await Pairmint.open({
    store: `sqlite:${folder}/store.db`,
    rootKey: { file: `${folder}/root.key` },
  });
});
afterEach(() => kms.close());

describe('options that nothing reads', () => {
  const misspelt: readonly [object, string][] = [
    [{ rootKeyFile: 'root.key' }, "Pairmint.open has no option 'rootKeyFile'"],
    [{ Region: 'us-east-1', store: 'memory:' }, "Pairmint.open has no option 'Region'"],
    [{ a: 1, b: undefined }, "Pairmint.open has no option 'a', 'b'"],
    [{ rootKey: { path: 'root.key' } }, "rootKey of Pairmint.open has no option 'path'"],
    [
      { rootKey: { bytes: Buffer.alloc(32), File: 'root.key' } },
      "rootKey of Pairmint.open has no option 'File'",
    ],
  ];

  it.each(misspelt)('are refused before a store is made: %j', async (options, message) => {
    const folder = temporaryFolder();
    const store = { store: `sqlite:${folder}/store.db` };
    const rootKey = { rootKey: { file: `${folder}/root.key` } };
    const opening = Pairmint.open({ ...store, ...rootKey, ...options });
    await expect(opening).rejects.toMatchObject({ name: 'ConfigurationError', message });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('are named beside the known ones', async () => {
    const opening = Pairmint.open({ rootKeyFile: 'x' } as object);
    await expect(opening).rejects.toMatchObject({ hint: expect.stringContaining('rootKey,') });
  });

  it('are refused of callers and of batches, too', () => {
    const caller = 'arn:aws:iam::000000000000:user/alice';
    expect(() => kms.as(caller, { policy: '{}' } as object)).toThrow("as has no option 'policy'");
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const options = { count: 1, abortSignal: AbortSignal.timeout(1) };
    expect(() => kms.mintDataKeyPairs(request, options)).toThrow(
      "mintDataKeyPairs has no option 'abortSignal'",
    );
  });

  it('may be given as undefined if they are known', async () => {
    const options = { store: 'memory:', rootKey: undefined, caller: undefined, seed: undefined };
    await (await Pairmint.open(options)).close();
  });
});

describe('closing', () => {
  const requests = [
    () => kms.createKey({}),
    () => kms.describeKey({ KeyId }),
    () => kms.listKeys({}),
    () => kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
    () => kms.encrypt({ KeyId, Plaintext: Buffer.from('x') }),
  ];

  it('waits for the requests under way, and leaves nothing behind that fails later', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtException', note);
    const started = Array.from({ length: 10 }, () => requests.map((start) => start())).flat();
    let settled = 0;
    for (const request of started) void request.then(() => settled++);
    await kms.close();
    expect(settled).toBe(50);
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.off('uncaughtException', note);
    expect(uncaught).toEqual([]);
  });

  it('waits for an aborted request too', async () => {
    const request = { KeyId, KeyPairSpec: 'RSA_4096' } as const;
    const controller = new AbortController();
    const { signal: abortSignal } = controller;
    let settled = false;
    const minting = kms.generateDataKeyPair(request, { abortSignal }).finally(() => {
      settled = true;
    });
    minting.catch(() => {});
    setTimeout(() => controller.abort(), 5);
    await kms.close();
    expect(settled).toBe(true);
  });

  it('may be asked for twice, also at once', async () => {
    await Promise.all([kms.close(), kms.close()]);
    await kms.close();
  });

  it.each(requests.map((start, i) => [i, start] as const))(
    'refuses request %i afterwards, and while it waits',
    async (_i, start) => {
      const closing = kms.close();
      const refusal = { name: 'KMSInternalException', message: 'this Pairmint is closed' };
      await expect(start()).rejects.toMatchObject(refusal);
      await closing;
      await expect(start()).rejects.toMatchObject(refusal);
    },
  );
});

describe('closing while requests never stop coming', () => {
  it('waits for the requests that had begun', async () => {
    const other = await Pairmint.open({
      store: 'memory:',
      audit: () => new Promise((resolve) => setTimeout(resolve, 2)),
    });
    let isOver = false;
    const ask = async () => {
      while (!isOver) await other.listKeys({}).catch(() => {});
    };
    const asking = [ask(), ask(), ask()];
    await other.listKeys({});
    await other.close();
    isOver = true;
    await Promise.all(asking);
  });
});

describe('the options of a request', () => {
  it.each([
    ['null', null],
    ['an abortSignal of null', { abortSignal: null }],
    ['an object for a signal', { abortSignal: {} }],
    ['a controller for a signal', { abortSignal: new AbortController() }],
  ])('are refused if they are %s, before anything starts', async (_what, options) => {
    const creation = kms.createKey({}, options as unknown as RequestOptions);
    await expect(creation).rejects.toThrow(new TypeError('abortSignal must be an AbortSignal'));
    expect((await kms.listKeys({})).Keys).toEqual([]);
  });

  it.each([undefined, {}, { abortSignal: undefined }])('may be %j', async (options) => {
    await kms.createKey({}, options);
  });
});

describe('two on one file', () => {
  it('see what the other changes though the count of commits was deleted under them', async () => {
    const folder = temporaryFolder();
    const places = { store: `sqlite:${folder}/store.db`, rootKey: { file: `${folder}/root.key` } };
    const first = await Pairmint.open(places);
    const { KeyId } = (await first.createKey({})).KeyMetadata as { KeyId: string };
    await first.describeKey({ KeyId });
    rmSync(`${folder}/store.db-commits`);
    const second = await Pairmint.open(places);
    await second.updateKeyDescription({ KeyId, Description: 'changed' });
    // At once, where what is remembered is not what is there.
    await first.disableKey({ KeyId });
    const { KeyMetadata } = await first.describeKey({ KeyId });
    expect(KeyMetadata).toMatchObject({ Enabled: false, Description: 'changed' });
    await first.close();
    await second.close();
  });

  it('see at once what the other one did, and outlive it', async () => {
    const { url, rootKeyFile } = kms.describeStore();
    const other = await Pairmint.open({ store: url, rootKey: { file: rootKeyFile as string } });
    const { KeyMetadata } = await kms.createKey({});
    const request = { KeyId: KeyMetadata?.KeyId as string };
    await other.describeKey(request);
    await kms.close();
    await other.disableKey(request);
    await other.close();
  });
});

describe('another region of the store', () => {
  it('has keys of its own, for the same caller, and the audit says where', async () => {
    const regions: string[] = [];
    const audited = await Pairmint.open({
      store: 'memory:',
      audit: ({ awsRegion }) => void regions.push(awsRegion),
    });
    const alice = audited.as('arn:aws:iam::000000000000:user/alice');
    const west = alice.inRegion('us-west-2');
    expect(west.principal).toBe(alice.principal);
    expect(west.describeStore().region).toBe('us-west-2');
    const { KeyMetadata } = await west.createKey({});
    expect(KeyMetadata?.Arn).toContain(':kms:us-west-2:');
    await west.as(alice.principal).describeKey({ KeyId: KeyMetadata?.KeyId });
    await expect(alice.describeKey({ KeyId: KeyMetadata?.KeyId })).rejects.toMatchObject({
      name: 'NotFoundException',
    });
    expect(regions).toEqual(['us-west-2', 'us-west-2', 'us-east-1']);
    const pool = { KeyId: KeyMetadata?.KeyId ?? '', KeyPairSpec: 'ECC_NIST_P256' } as const;
    await west.pools.create({ ...pool, target: 1 });
    expect(await west.pools.list()).toHaveLength(1);
    expect(await alice.pools.list()).toEqual([]);
    // It closes nothing.
    await west.close();
    await alice.listKeys({});
    await audited.close();
  });

  it.each(['', 'here', 'us-east-1 ', `us-${'x'.repeat(40)}-1`])(
    'is none by the name of %j',
    (name) => {
      expect(() => kms.inRegion(name)).toThrow(`'${name}' is not a region name such as us-east-1`);
    },
  );
});
