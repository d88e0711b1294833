import { describe, expect, it, onTestFinished } from 'vitest';
import { operations } from '../lib/operations/index.ts';
import { Pairmint } from '../lib/service/pairmint.ts';
import { awsQuotas, type CountedRequest, RequestQuotas } from '../lib/service/request-quotas.ts';

const text =
  'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.';

/** Quotas under a clock of the test's, and how many of a request in a row they admit. */
function start() {
  let now = 0;
  const quotas = new RequestQuotas(() => now);
  const admitted = (
    operation: CountedRequest['operation'],
    request: object = {},
    { region = 'us-east-1', accountId = '111122223333', most = 200_000 } = {},
  ) => {
    let count = 0;
    try {
      while (count < most) {
        quotas.admit({ operation, request, region, accountId, count: 1 });
        count++;
      }
    } catch (error) {
      expect(error).toMatchObject({ name: 'ThrottlingException', message: text });
    }
    return count;
  };
  const pass = (milliseconds: number) => {
    now += milliseconds;
  };
  return { quotas, admitted, pass };
}

describe("AWS's quotas", () => {
  it('have a row for every operation', () => {
    expect(Object.keys(awsQuotas).sort()).toEqual(Object.keys(operations).sort());
  });

  it.each([
    ['RSA_2048', 20],
    ['RSA_3072', 4],
    ['RSA_4096', 1],
    ['ECC_NIST_P521', 100],
    ['ECC_NIST_EDWARDS25519', 100],
    ['SM2', 25],
  ])('admit %s pairs, with and without plaintext together: %i a second', (KeyPairSpec, rate) => {
    const { admitted, pass } = start();
    const half = Math.ceil(rate / 2);
    expect(admitted('GenerateDataKeyPair', { KeyPairSpec }, { most: half })).toBe(half);
    expect(admitted('GenerateDataKeyPairWithoutPlaintext', { KeyPairSpec })).toBe(rate - half);
    expect(admitted('GenerateDataKeyPair', { KeyPairSpec })).toBe(0);
    pass(1000);
    expect(admitted('GenerateDataKeyPair', { KeyPairSpec })).toBe(rate);
  });

  it('admit one RSA_4096 pair in ten seconds in China', () => {
    const { admitted, pass } = start();
    const china = { region: 'cn-north-1' };
    expect(admitted('GenerateDataKeyPair', { KeyPairSpec: 'RSA_4096' }, china)).toBe(1);
    pass(9900);
    expect(admitted('GenerateDataKeyPair', { KeyPairSpec: 'RSA_4096' }, china)).toBe(0);
    pass(200);
    expect(admitted('GenerateDataKeyPair', { KeyPairSpec: 'RSA_4096' }, china)).toBe(1);
  });

  it('are shared by the operations on one kind of key, and by no others', () => {
    const { admitted } = start();
    expect(admitted('Sign', { SigningAlgorithm: 'RSASSA_PSS_SHA_256' })).toBe(1000);
    expect(admitted('Decrypt', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' })).toBe(0);
    expect(admitted('DeriveSharedSecret', { KeyAgreementAlgorithm: 'ECDH' })).toBe(1000);
    expect(admitted('Verify', { SigningAlgorithm: 'ECDSA_SHA_256' })).toBe(0);
    expect(admitted('Sign', { SigningAlgorithm: 'ML_DSA_SHAKE_256' })).toBe(1000);
    const frankfurt = { region: 'eu-central-1' };
    expect(admitted('GenerateDataKey', {}, frankfurt)).toBe(20_000);
    expect(admitted('Encrypt', {}, frankfurt)).toBe(0);
    expect(admitted('VerifyMac', { MacAlgorithm: 'HMAC_SHA_256' }, frankfurt)).toBe(0);
    expect(admitted('CreateKey')).toBe(5);
  });

  it('draw on two kinds of key if a ciphertext goes from one to the other', () => {
    const { admitted } = start();
    const across = { SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' };
    expect(admitted('ReEncrypt', across)).toBe(1000);
    expect(admitted('Encrypt', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' })).toBe(0);
  });

  it('are of one account in one region', () => {
    const { admitted } = start();
    expect(admitted('CreateKey')).toBe(5);
    expect(admitted('CreateKey', {}, { accountId: '444455556666' })).toBe(5);
    expect(admitted('CreateKey', {}, { region: 'eu-west-1' })).toBe(5);
  });

  it('count a replica twice as a key of its region, and leave a quota alone that is not drawn on', () => {
    const { admitted } = start();
    const replica = { ReplicaRegion: 'eu-west-1' };
    expect(admitted('ReplicateKey', replica)).toBe(2);
    expect(admitted('CreateKey', {}, { region: 'eu-west-1' })).toBe(1);
    expect(admitted('ReplicateKey', { ReplicaRegion: 'eu-west-2' })).toBe(2);
    expect(admitted('UpdatePrimaryRegion', { PrimaryRegion: 'eu-west-1' })).toBe(5);
    expect(admitted('UpdatePrimaryRegion', {}, { region: 'eu-west-1' })).toBe(0);
  });
});

describe('a service with the quota profile aws', () => {
  async function open() {
    const kms = await Pairmint.open({ store: 'memory:', quotaProfile: 'aws' });
    onTestFinished(() => kms.close());
    return kms;
  }

  it('refuses the second RSA_4096 pair of a second as AWS does, and other requests not', async () => {
    const kms = await open();
    const request = { KeyId: 'alias/pairmint/default', KeyPairSpec: 'RSA_4096' } as const;
    const stop = new AbortController();
    const options = { abortSignal: stop.signal };
    const first = kms.generateDataKeyPair(request, options).catch(() => {});
    const second = kms.generateDataKeyPairWithoutPlaintext(request, options);
    await expect(second).rejects.toMatchObject({
      name: 'ThrottlingException',
      message: text,
      httpStatusCode: 400,
    });
    await kms.generateDataKeyPair({ ...request, KeyPairSpec: 'ECC_NIST_P256' });
    expect(kms.load().refused.quota).toBe(1);
    stop.abort();
    await first;
  });

  it('counts every pair of a batch', async () => {
    const kms = await open();
    const request = { KeyId: 'alias/pairmint/default', KeyPairSpec: 'ECC_NIST_P256' } as const;
    const mint = async () => {
      for await (const _ of kms.mintDataKeyPairs(request, { count: 3000 }));
    };
    await expect(mint()).rejects.toMatchObject({ name: 'ThrottlingException' });
  });

  it('keeps no quotas by default', async () => {
    await using kms = await Pairmint.open({ store: 'memory:' });
    const keys = Array.from({ length: 20 }, () => kms.createKey({}));
    expect(await Promise.all(keys)).toHaveLength(20);
  });

  it.each([{ quotaProfile: 'azure' }, { queueScale: 0 }, { queueScale: Number.NaN }])(
    'is not opened with %o',
    async (options) => {
      await expect(Pairmint.open({ store: 'memory:', ...options } as object)).rejects.toMatchObject(
        { name: 'ConfigurationError' },
      );
    },
  );
});
