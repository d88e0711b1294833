import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpuShare } from '../lib/core/cpu-share.ts';
import { createHandler } from '../lib/http/handler.ts';
import { Metrics } from '../lib/http/metrics.ts';
import { Admission, workOf } from '../lib/service/admission.ts';
import { Pairmint } from '../lib/service/pairmint.ts';
import { sampleOf } from './http/exposition.ts';
import { callHeaders, toRequest } from './http/support.ts';
import { importWith, parametersFor, wrap } from './operations/importing.ts';
import { generateWithNode, pkcs8Of, wrapHybrid } from './support/kms-keys.ts';

const text =
  'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.';

describe('the admission of work', () => {
  const rsa4096 = { kind: 'rsa', units: 10 } as const;

  it('refuses requests beyond a caller’s limit, and says when to come again', () => {
    const admission = new Admission({ threads: 2 });
    for (let i = 0; i < 102; i++) admission.enter('alice', rsa4096);
    expect(() => admission.enter('alice', rsa4096)).toThrow(
      expect.objectContaining({ name: 'ThrottlingException', message: text, retryAfter: 8 }),
    );
    expect(admission.load()).toEqual({
      underWay: { rsa: 102, brief: 0, step: 0 },
      refused: { rsa: 1, brief: 0, step: 0, quota: 0 },
    });
  });

  it('admits again when some of it is done', () => {
    const admission = new Admission({ threads: 1 });
    const leave = Array.from({ length: 51 }, () => admission.enter('alice', rsa4096));
    expect(() => admission.enter('alice', rsa4096)).toThrow(text);
    leave[0]?.();
    admission.enter('alice', rsa4096);
    for (const end of leave.slice(1)) end();
    expect(admission.load().underWay.rsa).toBe(1);
  });

  it('limits each caller by itself, each kind by itself, and all callers together', () => {
    const admission = new Admission({ threads: 1 });
    for (const caller of ['a', 'b', 'c', 'd']) {
      for (let i = 0; i < 512; i++) admission.enter(caller, { kind: 'rsa', units: 1 });
      expect(() => admission.enter(caller, { kind: 'rsa', units: 1 })).toThrow(text);
      admission.enter(caller, { kind: 'brief', units: 1 });
    }
    expect(() => admission.enter('e', { kind: 'rsa', units: 1 })).toThrow(text);
  });

  it('lets work of any size come to an empty queue', () => {
    new Admission({ threads: 1, scale: 0.001 }).enter('alice', rsa4096);
  });

  it('has its limits multiplied, or lifted', () => {
    const doubled = new Admission({ threads: 1, scale: 2 });
    for (let i = 0; i < 102; i++) doubled.enter('alice', rsa4096);
    expect(() => doubled.enter('alice', rsa4096)).toThrow(text);
    const lifted = new Admission({ threads: 1, scale: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 10_000; i++) lifted.enter('alice', rsa4096);
  });

  it('counts work that has a bound of its own, and neither refuses it nor makes room for it', () => {
    const admission = new Admission({ threads: 1 });
    const leave = Array.from({ length: 3000 }, () => admission.count('rsa'));
    expect(admission.load().underWay.rsa).toBe(3000);
    admission.enter('alice', rsa4096);
    admission.enter('alice', rsa4096);
    for (const end of leave) end();
    expect(admission.load()).toMatchObject({ underWay: { rsa: 2 }, refused: { rsa: 0 } });
  });

  it.each([
    ['GenerateDataKeyPair', { KeyPairSpec: 'RSA_3072' }, { kind: 'rsa', units: 4 }],
    ['GenerateDataKeyPairWithoutPlaintext', { KeyPairSpec: 'SM2' }, { kind: 'brief', units: 1 }],
    ['CreateKey', { KeySpec: 'RSA_2048' }, { kind: 'rsa', units: 1 }],
    ['CreateKey', { KeySpec: 'RSA_2048', Origin: 'EXTERNAL' }, undefined],
    ['CreateKey', { CustomerMasterKeySpec: 'ECC_NIST_P384' }, { kind: 'brief', units: 1 }],
    ['CreateKey', { KeySpec: 'ML_DSA_87' }, { kind: 'brief', units: 1 }],
    ['CreateKey', { KeySpec: 'HMAC_256' }, undefined],
    ['CreateKey', {}, undefined],
    ['GetParametersForImport', { WrappingKeySpec: 'RSA_4096' }, { kind: 'rsa', units: 10 }],
    ['Sign', { SigningAlgorithm: 'ECDSA_SHA_256' }, { kind: 'step', units: 1 }],
    ['Decrypt', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }, { kind: 'step', units: 1 }],
    ['Decrypt', { EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }, undefined],
    ['Encrypt', {}, undefined],
    ['ReEncrypt', { DestinationEncryptionAlgorithm: 'SM2PKE' }, { kind: 'step', units: 1 }],
    ['DescribeKey', {}, undefined],
  ] as const)('takes %s of %o for its kind of work', (operation, request, work) => {
    expect(workOf(operation, request)).toEqual(work);
  });
});

const arn = (name: string) => `arn:aws:iam::000000000000:user/${name}`;
const KeyId = 'alias/pairmint/default';

describe('the work of ImportKeyMaterial', () => {
  const workOfImport = (EncryptedKeyMaterial: Uint8Array) =>
    workOf('ImportKeyMaterial', { EncryptedKeyMaterial });
  let wrappingKeys: readonly KeyObject[];

  beforeAll(() => {
    wrappingKeys = [2048, 3072, 4096].map(
      (modulusLength) => generateKeyPairSync('rsa', { modulusLength }).publicKey,
    );
  });

  it.each([
    ['RSA_2048', { kind: 'rsa', units: 1 }],
    ['RSA_3072', { kind: 'rsa', units: 4 }],
    ['RSA_4096', { kind: 'rsa', units: 10 }],
    ['ECC_NIST_P256', { kind: 'step', units: 1 }],
    ['ECC_NIST_P521', { kind: 'step', units: 1 }],
  ] as const)('of a key %s is the same under every wrapping key', (spec, work) => {
    const material = pkcs8Of(generateWithNode(spec));
    for (const key of wrappingKeys) {
      expect(workOfImport(wrapHybrid(key, 'sha256', material))).toEqual(work);
    }
  });

  it('of a secret is a step', () => {
    for (const length of [256, 384, 512]) {
      expect(workOfImport(new Uint8Array(length))).toEqual({ kind: 'step', units: 1 });
    }
  });
});

describe('a service whose caller imports RSA keys', () => {
  const spec = 'RSA_4096';
  let kms: Pairmint;
  let importing: Promise<unknown>[];
  let imported = 0;
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);

  beforeAll(async () => {
    kms = await Pairmint.open({ store: 'memory:', queueScale: Number.POSITIVE_INFINITY });
    await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P521' });
    const greedy = kms.as(arn('greedy'));
    const { KeyMetadata } = await greedy.createKey({
      Origin: 'EXTERNAL',
      KeySpec: spec,
      KeyUsage: 'SIGN_VERIFY',
    });
    const id = KeyMetadata?.KeyId as string;
    const { ImportToken, PublicKey, WrappingAlgorithm } = await parametersFor(greedy, id);
    const request = {
      KeyId: id,
      ImportToken,
      EncryptedKeyMaterial: wrap[WrappingAlgorithm](PublicKey, pkcs8Of(generateWithNode(spec))),
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' as const,
    };
    importing = Array.from({ length: 60 }, () =>
      greedy
        .importKeyMaterial(request, { abortSignal: stop.signal })
        .then(() => imported++)
        .catch((error) => error),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  afterAll(() => kms.close());

  it('tells that they are under way', () => {
    expect(kms.load().underWay).toMatchObject({ rsa: 60, brief: 0, step: 0 });
  });

  it('serves short work of anybody at once', async () => {
    const before = imported;
    for (let i = 0; i < 20; i++) {
      for (const caller of ['greedy', 'modest']) {
        await kms.as(arn(caller)).generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P521' });
      }
    }
    // Behind imports, each of these forty would have waited for one of them at least.
    expect(imported - before).toBeLessThan(20);
  });

  it("gives another caller's RSA pair its turn", async () => {
    const before = imported;
    await kms.as(arn('modest')).generateDataKeyPair({ KeyId, KeyPairSpec: 'RSA_2048' });
    expect(imported - before).toBeLessThanOrEqual(2 * cpuShare() + 1);
  });

  it('lets go of one when its signal is aborted', async () => {
    const left = importing.length - imported;
    expect(left).toBeGreaterThan(2 * cpuShare());
    const began = performance.now();
    stop.abort();
    const outcomes = await Promise.all(importing);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(outcomes.filter((outcome) => outcome === stop.signal.reason).length).toBeGreaterThan(
      left / 2,
    );
    expect(kms.load().underWay.rsa).toBe(0);
  });
});

describe('a service that has a small limit of work', () => {
  let kms: Pairmint;

  beforeAll(async () => {
    // One RSA_2048 pair, or what comes to an idle queue.
    kms = await Pairmint.open({ store: 'memory:', queueScale: 1 / 512 / cpuShare() });
  });

  afterAll(() => kms.close());

  it('refuses an import of an RSA key that comes too early', async () => {
    const { KeyMetadata } = await kms.createKey({
      Origin: 'EXTERNAL',
      KeySpec: 'RSA_2048',
      KeyUsage: 'SIGN_VERIFY',
    });
    const id = KeyMetadata?.KeyId as string;
    const parameters = await parametersFor(kms, id);
    const material = pkcs8Of(generateWithNode('RSA_2048'));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 3 }, () => importWith(kms, id, parameters, material)),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toMatchObject([
      { reason: { name: 'ThrottlingException' } },
      { reason: { name: 'ThrottlingException' } },
    ]);
  });

  it('lets a batch have as much under way as its concurrency, and single requests beside it', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    const refused = kms.load().refused.rsa;
    let minted = 0;
    let underWay = 0;
    const batch = { count: 24, concurrency: 24 };
    for await (const _pair of kms.mintDataKeyPairs({ KeyId, KeyPairSpec: 'RSA_2048' }, batch)) {
      if (minted++ > 0) continue;
      underWay = kms.load().underWay.rsa;
      await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'RSA_2048' });
    }
    process.off('warning', warned);
    expect(warnings).toEqual([]);
    expect(minted).toBe(24);
    expect(underWay).toBeGreaterThan(1);
    expect(kms.load()).toMatchObject({ underWay: { rsa: 0 }, refused: { rsa: refused } });
  });
});

describe('a service whose caller queues RSA pairs', () => {
  const limit = Math.floor((512 * cpuShare()) / 10);
  let kms: Pairmint;
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  let queued: Promise<unknown>[];
  let done = 0;

  beforeAll(async () => {
    kms = await Pairmint.open({ store: 'memory:' });
    await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P521' });
    const greedy = kms.as(arn('greedy'));
    queued = Array.from({ length: limit }, () =>
      greedy
        .generateDataKeyPair({ KeyId, KeyPairSpec: 'RSA_4096' }, { abortSignal: stop.signal })
        .then(() => done++)
        .catch(() => {}),
    );
    // The first of them are at it.
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  afterAll(async () => {
    stop.abort();
    await Promise.all(queued);
    await kms.close();
  });

  it('refuses more of them with ThrottlingException, HTTP status 400 and Retry-After', async () => {
    const handle = createHandler(kms.as(arn('greedy')), { auth: false });
    const body = JSON.stringify({ KeyId, KeyPairSpec: 'RSA_4096' });
    const headers = callHeaders('GenerateDataKeyPair');
    // Some of those before may be done by now, and as many are admitted: the others come first.
    const answer = await Promise.race(
      Array.from({ length: 10 }, () => {
        const answered = handle(toRequest({ headers, body }), stop.signal);
        answered.catch(() => {});
        return answered;
      }),
    );
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({
      __type: 'ThrottlingException',
      message: text,
    });
    expect(Number(answer.headers['Retry-After'])).toBeGreaterThan(0);
  });

  it('serves short work of anybody at once', async () => {
    const { KeyMetadata } = await kms.createKey({
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
    });
    for (const caller of ['greedy', 'modest']) {
      const acting = kms.as(arn(caller));
      const before = done;
      for (let i = 0; i < 5; i++) {
        await acting.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P521' });
        await acting.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
        await acting.encrypt({ KeyId, Plaintext: Buffer.from('text') });
        await acting.sign({
          KeyId: KeyMetadata?.KeyId as string,
          Message: Buffer.from('a message'),
          SigningAlgorithm: 'ECDSA_SHA_256',
        });
      }
      // Behind RSA, each of these twenty would have waited for one of them at least.
      expect(done - before).toBeLessThan(10);
    }
  });

  it("gives another caller's RSA pair its turn", async () => {
    const before = done;
    await kms.as(arn('modest')).generateDataKeyPair({ KeyId, KeyPairSpec: 'RSA_2048' });
    // Those that were already at it, and perhaps one more a thread.
    expect(done - before).toBeLessThanOrEqual(2 * cpuShare() + 1);
    expect(done).toBeLessThan(limit);
  });

  it("gives another caller's signature its turn, however many one has asked for", async () => {
    const { KeyMetadata } = await kms.createKey({
      KeySpec: 'ECC_NIST_P521',
      KeyUsage: 'SIGN_VERIFY',
    });
    const request = {
      KeyId: KeyMetadata?.KeyId as string,
      Message: Buffer.from('a message'),
      SigningAlgorithm: 'ECDSA_SHA_512',
    } as const;
    let signed = 0;
    const greedy = kms.as(arn('greedy'));
    const many = Array.from({ length: 1000 }, () => greedy.sign(request).then(() => signed++));
    await kms.as(arn('modest')).sign(request);
    expect(signed).toBeLessThan(900);
    await Promise.all(many);
  });

  it('tells of it in metrics', async () => {
    const metrics = new Metrics(kms);
    const page = await metrics.text();
    metrics.close();
    expect(sampleOf(page, 'pairmint_work_under_way', { kind: 'rsa' })).toBeGreaterThan(0);
    expect(sampleOf(page, 'pairmint_throttled_requests_total', { kind: 'rsa' })).toBeGreaterThan(0);
    expect(sampleOf(page, 'pairmint_throttled_requests_total', { kind: 'quota' })).toBe(0);
  });

  it.runIf(process.platform === 'linux')(
    'mints on threads of a lower priority than the event loop',
    () => {
      // proc(5): field 19 of stat, of which the second may have blanks and ends with a bracket.
      const niceness = readdirSync('/proc/self/task').map((thread) => {
        const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
      });
      const own = niceness[0] as number;
      const raised = (by: number) => Math.min(own + by, 19);
      expect(niceness.filter((nice) => nice === raised(5)).length).toBeGreaterThan(0);
      expect(niceness.filter((nice) => nice === raised(10)).length).toBe(cpuShare());
    },
  );
});
