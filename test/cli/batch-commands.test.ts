import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { lineOf } from '../../lib/cli/files/batch-file.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { Commands } from '../support/batch-processes.ts';
import { temporaryFolder } from '../support/folders.ts';

const KeyId = 'alias/pairmint/default';
const naming = ['--key-id', KeyId, '--key-pair-spec', 'ECC_NIST_P256'];

const waiting = { timeout: 30_000, interval: 20 };

let folder: string;
let out: string;
let commands: Commands;
beforeEach(() => {
  folder = temporaryFolder();
  out = `${folder}/pairs.jsonl`;
  commands = new Commands(`${folder}/home`);
});

/** The service on the store of the commands. */
async function service(): Promise<Pairmint> {
  const home = `${folder}/home`;
  const kms = await Pairmint.open({
    store: `sqlite:${home}/store.db`,
    rootKey: { file: `${home}/root.key` },
    refillPools: false,
  });
  onTestFinished(() => kms.close());
  return kms;
}

const submit = async (count: number, ...more: string[]) => {
  const args = ['batch', 'submit', ...naming, '--count', `${count}`, ...more];
  return (await commands.json<{ BatchId: string }>(...args)).BatchId;
};
const status = (id: string) => commands.json<Record<string, unknown>>('batch', 'status', id);
const exported = (id: string) => commands.run('batch', 'export', id, '--out', out);
const lines = () => readFileSync(out, 'utf8').split('\n').slice(0, -1);

/** Lets a worker work until the batch is done. */
async function mint(id: string): Promise<void> {
  const worker = commands.start('worker', '--batches');
  const watched = await commands.run('batch', 'status', id, '--watch');
  expect(watched.code).toBe(0);
  worker.child.kill('SIGTERM');
  const { code, stderr } = await worker.ended;
  expect([code, stderr]).toEqual([0, expect.stringMatching(/the worker has stopped\n$/)]);
}

describe('batch', () => {
  it('is submitted, minted by a worker, watched, exported as pregenerate does, and deleted', async () => {
    const id = await submit(230, '--chunk', '50', '--encryption-context', 'app=billing');
    const kms = await service();
    const EncryptionContext = { app: 'billing' };
    const submitted = { state: 'waiting', count: 230, chunk: 50, EncryptionContext };
    expect(await kms.batches.status(id)).toMatchObject(submitted);
    await mint(id);
    expect(await status(id)).toMatchObject({
      BatchId: id,
      State: 'done',
      Done: 230,
      Count: 230,
      Chunk: 50,
      EncryptionContext,
      Rate: 0,
      Workers: [{ Done: 230, Active: false }],
    });
    const { Batches } = await commands.json<{ Batches: object[] }>('batch', 'list');
    expect(Batches).toMatchObject([{ BatchId: id, State: 'done', Done: 230, Count: 230 }]);
    expect(await exported(id)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const whole = readFileSync(out, 'utf8');
    let expected = '';
    for await (const pairs of kms.batches.results(id)) expected += pairs.map(lineOf).join('');
    expect(whole).toBe(expected);
    expect(new Set(lines().map((line) => JSON.parse(line).PublicKey)).size).toBe(230);
    // Without --out it goes to stdout.
    expect((await commands.run('batch', 'export', id)).stdout).toBe(whole);
    expect((await commands.run('batch', 'delete', id)).code).toBe(0);
    expect(await kms.batches.list()).toEqual([]);
  });

  it('is exported on where an export was killed, with the same lines', async () => {
    const kms = await service();
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const { batchId } = await kms.batches.submit({ ...request, count: 6000, chunk: 100 });
    await kms.batches.work({ untilIdle: true });
    await exported(batchId);
    const whole = readFileSync(out);
    for (const size of [whole.length - 7, Math.floor(whole.length / 3)]) {
      truncateSync(out, size);
      expect((await exported(batchId)).code).toBe(0);
      expect(readFileSync(out).equals(whole)).toBe(true);
    }
    truncateSync(out, 0);
    const { child, ended } = commands.start('batch', 'export', batchId, '--out', out);
    while (statSync(out).size === 0) await new Promise((done) => setTimeout(done, 5));
    child.kill('SIGKILL');
    await ended;
    expect(statSync(out).size).toBeLessThanOrEqual(whole.length);
    expect((await exported(batchId)).code).toBe(0);
    expect(readFileSync(out).equals(whole)).toBe(true);
  });

  it('is exported as far as it is minted, and later on', async () => {
    const id = await submit(300, '--chunk', '100');
    const early = await exported(id);
    expect([early.code, early.stderr]).toEqual([
      1,
      'pairmint: 0 of 300 pairs are exported; the batch is waiting: the same command goes on later\n',
    ]);
    await mint(id);
    expect((await exported(id)).code).toBe(0);
    expect(new Set(lines()).size).toBe(300);
  });

  it('is cancelled, and what it has can be exported', async () => {
    const id = await submit(500);
    const cancelled = await commands.json('batch', 'cancel', id);
    expect(cancelled).toMatchObject({ BatchId: id, State: 'cancelled', Done: 0, Count: 500 });
    const { code, stderr } = await exported(id);
    expect([code, stderr]).toEqual([
      0,
      'pairmint: 0 of 500 pairs are exported; the batch was cancelled\n',
    ]);
    const watched = await commands.json<object>('batch', 'status', '--watch');
    expect(watched).toMatchObject({ Batches: [{ State: 'cancelled' }] });
  });

  it('says while it is watched that it is stalled, and why, until it goes on or Ctrl-C', async () => {
    const kms = await service();
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const { batchId: id, KeyId: arn } = await kms.batches.submit({ ...request, count: 300 });
    await kms.disableKey({ KeyId: arn });
    const worker = commands.start('worker');
    const watching = ['batch', 'status', id, '--watch'] as const;
    const watches = [commands.start(...watching), commands.start(...watching)] as const;
    const firstLine = ({ child }: (typeof watches)[0]) =>
      new Promise<string>((resolve) => {
        child.stderr.once('data', (data) => resolve(String(data)));
      });
    const stalled = new RegExp(`^pairmint: the batch ${id} is stalled: DisabledException: .*\\n`);
    for (const line of await Promise.all(watches.map(firstLine))) expect(line).toMatch(stalled);
    watches[1].child.kill('SIGINT');
    const interrupted = await watches[1].ended;
    expect([interrupted.code, interrupted.stdout]).toEqual([130, '']);
    expect(interrupted.stderr).toMatch(/\npairmint: interrupted\n$/);
    await kms.enableKey({ KeyId: arn });
    const { code, stdout } = await watches[0].ended;
    expect([code, JSON.parse(stdout).State]).toEqual([0, 'done']);
    worker.child.kill('SIGINT');
    expect((await worker.ended).stderr).toContain(`the batch ${id} cannot be minted: Disabled`);
  });

  it('is not exported into a file that is not its own', async () => {
    const [id, other] = [await submit(20), await submit(20)];
    await mint(id);
    await mint(other);
    await exported(id);
    const foreign = await exported(other);
    expect([foreign.code, foreign.stderr]).toEqual([
      255,
      expect.stringContaining('was begun with other arguments'),
    ]);
    appendFileSync(out, '{"PublicKey":"AAAA"}\n');
    expect((await exported(id)).stderr).toContain('has a line, number 21, that does not belong');
    const nowhere = await commands.run('batch', 'export', id, '--out', `${folder}/no/file`);
    expect([nowhere.code, nowhere.stderr]).toEqual([255, expect.stringContaining('cannot be')]);
  });

  const none = '00000000-0000-0000-0000-000000000000';
  it.each([
    [[], 252, 'the following arguments are required: submit|status|list|cancel|export|delete'],
    [['begin'], 252, 'argument action: Invalid choice, valid choices are:'],
    [['submit'], 252, 'the following arguments are required: --key-id, --key-pair-spec, --count'],
    [['submit', ...naming], 252, 'the following arguments are required: --count'],
    [['submit', ...naming, '--count', '0'], 252, "'0' is not a whole number from 1"],
    [
      ['submit', ...naming, '--count', '5', '--chunk', 'x'],
      252,
      "'x' is not a whole number from 1",
    ],
    [['submit', ...naming, '--count', '5', '--watch'], 252, 'Unknown options: --watch'],
    [['submit', 'x', ...naming, '--count', '5'], 252, 'Unknown options: x'],
    [['submit', ...naming, '--count', '999999999'], 254, '(ValidationException) when calling the'],
    [
      ['submit', ...naming, '--count', '5', '--chunk', '10001'],
      254,
      'chunk must be a whole number',
    ],
    [['status', none, '--count', '5'], 252, 'Unknown options: --count'],
    [
      ['status', none],
      254,
      `(NotFoundException) when calling the DescribeBatch operation: There is`,
    ],
    [['list', none], 252, `Unknown options: ${none}`],
    [['cancel'], 252, 'the following arguments are required: BATCH_ID'],
    [['cancel', none], 254, `the CancelBatch operation: There is no batch ${none}.`],
    [['export'], 252, 'the following arguments are required: BATCH_ID'],
    [['export', none, '--out', '/dev/null'], 254, 'the ExportBatch operation: There is no batch'],
    [['delete', none, '--out', 'x'], 252, 'Unknown options: --out'],
    [['delete', 'x'], 254, 'the DeleteBatch operation: There is no batch x.'],
    [['delete', 'x', 'y'], 252, 'Unknown options: y'],
  ])('%j is refused', async (args, code, why) => {
    const refused = await commands.run('batch', ...args);
    expect([refused.code, refused.stdout]).toEqual([code, '']);
    expect(refused.stderr).toContain(why);
  });
});

describe('worker', () => {
  it('leaves batches alone with --pools, and pools with --batches', async () => {
    const kms = await service();
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
    const made = await kms.batches.submit({ ...request, count: 100 });
    await kms.pools.create({ ...request, target: 20 });
    const hasDone = (batchId: string) =>
      vi.waitFor(async () => expect((await kms.batches.status(batchId)).done).toBe(100), waiting);
    const hasLevel = (level: number) =>
      vi.waitFor(async () => expect(await kms.pools.list()).toMatchObject([{ level }]), waiting);
    const batches = commands.start('worker', '--batches');
    await hasDone(made.batchId);
    batches.child.kill('SIGTERM');
    expect((await batches.ended).stderr).toMatch(/^pairmint: 100 pairs of batches minted, /);
    await hasLevel(0);
    const second = await kms.batches.submit({ ...request, count: 100 });
    const filling = commands.start('worker', '--pools');
    await hasLevel(20);
    filling.child.kill('SIGTERM');
    expect((await filling.ended).stderr).not.toContain('batches');
    expect(await kms.batches.status(second.batchId)).toMatchObject({ state: 'waiting', done: 0 });
    await kms.pools.create({ ...request, target: 30 });
    const both = commands.start('worker');
    await hasDone(second.batchId);
    await hasLevel(30);
    both.child.kill('SIGTERM');
    expect((await both.ended).code).toBe(0);
  });
});
