import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpuShare } from '../../lib/core/cpu-share.ts';
import { Pairmint } from '../../lib/service/pairmint.ts';

const script = fileURLToPath(new URL('../support/crew-process.mjs', import.meta.url));

async function run(task: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [script, task], { env: { ...process.env, ...env } });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, output };
}

const ended = (output: string) => ({ code: 0, signal: null, output });

describe('a process that mints', () => {
  it('stays until the pair is there, and then ends by itself', async () => {
    expect(await run('finish')).toEqual(ended('minted\n'));
  });

  it('may exit in the middle of it', async () => {
    for (let i = 0; i < 5; i++) {
      expect(await run('exitWhileMinting')).toEqual(ended('leaving\n'));
    }
  });

  it('leaves every libuv thread to others, even if there is one', async () => {
    const { code, output } = await run('readWhileMinting', { UV_THREADPOOL_SIZE: '1' });
    expect(code).toBe(0);
    const [, minted] = /^read 5 times while (\d+) of 12 were minted$/m.exec(output) ?? [];
    expect(Number(minted)).toBeLessThan(12);
  });

  it('may terminate its workers while they mint, and no thread goes on for them', async () => {
    expect(await run('terminateWorkers')).toEqual(ended('idle true\nminted\n'));
  });

  it('survives workers that are terminated while answers are made', async () => {
    expect(await run('terminateWhileAnswering')).toEqual(ended('survived\n'));
  });

  it('mints in several workers at once', async () => {
    const { code, output } = await run('mintInWorkers');
    expect(code).toBe(0);
    expect(output).toContain('workers ended with 0,0,0');
  });
});

describe('a request with an abort signal', () => {
  const request = { KeyId: 'alias/pairmint/default', KeyPairSpec: 'RSA_4096' } as const;
  let kms: Pairmint;
  beforeAll(async () => {
    kms = await Pairmint.open({ store: 'memory:' });
  });
  afterAll(() => kms.close());

  it('rejects with an AbortError when it is aborted on the way', async () => {
    for (let i = 0; i < 10; i++) {
      const controller = new AbortController();
      const minting = kms.generateDataKeyPair(request, { abortSignal: controller.signal });
      setTimeout(() => controller.abort(), i);
      await expect(minting).rejects.toMatchObject({ name: 'AbortError' });
    }
  });

  it('rejects with the reason that was given', async () => {
    const controller = new AbortController();
    const minting = kms.generateDataKeyPair(request, { abortSignal: controller.signal });
    setImmediate(() => controller.abort(new Error('changed my mind')));
    await expect(minting).rejects.toThrow('changed my mind');
  });

  it('is not begun when it was aborted before', async () => {
    const abortSignal = AbortSignal.abort();
    await expect(kms.generateDataKeyPair(request, { abortSignal })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('is answered if it is not aborted, and later aborts change nothing', async () => {
    const controller = new AbortController();
    const pair = await kms.generateDataKeyPair(
      { ...request, KeyPairSpec: 'RSA_2048' },
      { abortSignal: controller.signal },
    );
    controller.abort();
    expect(pair.KeyPairSpec).toBe('RSA_2048');
  });

  it('rejects at once when it still waits for its turn', async () => {
    let minted = 0;
    const ahead = Array.from({ length: 20 }, () =>
      kms.generateDataKeyPair(request).then(() => minted++),
    );
    const controller = new AbortController();
    const waiting = kms.generateDataKeyPair(request, { abortSignal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(minted).toBeLessThan(ahead.length);
    await Promise.all(ahead);
  });

  it('leaves other requests alone', async () => {
    const controller = new AbortController();
    const others = [1, 2, 3].map(() =>
      kms.generateDataKeyPair({ ...request, KeyPairSpec: 'RSA_2048' }),
    );
    const aborted = kms.generateDataKeyPair(request, { abortSignal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect(await Promise.all(others)).toHaveLength(3);
  });
});

describe('the share of the CPU', () => {
  const files = (entries: Record<string, string>) => (file: string) => entries[file];
  const available = cpuShare(() => undefined);

  it('is what the system says if there is no quota', () => {
    expect(cpuShare(files({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' }))).toBe(available);
  });

  it('is cut by the quota of either version of control groups, and never below one', () => {
    expect(cpuShare(files({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' }))).toBe(1);
    const old = {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '10000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    };
    expect(cpuShare(files(old))).toBe(1);
    expect(cpuShare(files({ ...old, '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n' }))).toBe(
      available,
    );
    expect(cpuShare(files({ '/sys/fs/cgroup/cpu.max': '9900000 100000\n' }))).toBe(available);
  });

  it('is cut by the quota of its own control group, and of any above it', () => {
    const own = { '/proc/self/cgroup': '0::/system.slice/pairmint.service/inner\n' };
    const slice = '/sys/fs/cgroup/system.slice';
    for (const folder of [slice, `${slice}/pairmint.service`, `${slice}/pairmint.service/inner`]) {
      expect(cpuShare(files({ ...own, [`${folder}/cpu.max`]: '100000 100000\n' }))).toBe(1);
    }
    const others = {
      ...own,
      [`${slice}/other.service/cpu.max`]: '100000 100000\n',
      [`${slice}/pairmint.service/cpu.max`]: 'max 100000\n',
      [`${slice}/cpu.max`]: '9900000 100000\n',
    };
    expect(cpuShare(files(others))).toBe(available);
  });

  it('is cut by the smallest of them, and by a group of the first version as well', () => {
    const both = {
      '/proc/self/cgroup': '0::/a/b\n',
      '/sys/fs/cgroup/a/b/cpu.max': '9900000 100000\n',
      '/sys/fs/cgroup/a/cpu.max': '50000 100000\n',
    };
    expect(cpuShare(files(both))).toBe(1);
    const old = '/sys/fs/cgroup/cpu/docker/abc';
    const first = {
      '/proc/self/cgroup': '12:cpuset:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n',
      [`${old}/cpu.cfs_quota_us`]: '60000\n',
      [`${old}/cpu.cfs_period_us`]: '100000\n',
    };
    expect(cpuShare(files(first))).toBe(1);
  });

  it('is that of the group at the mount if a container is told a path that it cannot see', () => {
    const container = {
      '/proc/self/cgroup': '0::/../../kubepods/pod1/abc\n',
      '/sys/fs/cgroup/cpu.max': '100000 100000\n',
    };
    expect(cpuShare(files(container))).toBe(1);
  });
});

describe('a signature', () => {
  it('does not wait for the pairs that were asked for before it', async () => {
    await using kms = await Pairmint.open({ store: 'memory:' });
    const { KeyMetadata } = await kms.createKey({
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
    });
    let minted = 0;
    const pairs = Array.from({ length: 12 }, async () => {
      const request = { KeyId: 'alias/pairmint/default', KeyPairSpec: 'RSA_4096' } as const;
      await kms.generateDataKeyPairWithoutPlaintext(request);
      minted++;
    });
    await kms.sign({
      KeyId: KeyMetadata?.KeyId as string,
      Message: Buffer.from('a message'),
      SigningAlgorithm: 'ECDSA_SHA_256',
    });
    // Those that were already at it, one a thread, come first.
    expect(minted).toBeLessThanOrEqual(cpuShare() + 1);
    await Promise.all(pairs);
  });
});
