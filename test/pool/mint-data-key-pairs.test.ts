import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pairmint } from '../../lib/service/pairmint.ts';
import { failureText, members, newKey, openKms } from '../operations/support.ts';
import { publicKeyText } from './support.ts';

let kms: Pairmint;
let KeyId: string;

beforeEach(async () => {
  kms = await openKms();
  ({ KeyId } = await newKey(kms));
});
afterEach(() => kms.close());

async function read(pairs: AsyncIterable<object>): Promise<object[]> {
  const all: object[] = [];
  for await (const pair of pairs) all.push(pair);
  return all;
}

const quick = () => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }) as const;
const slow = () => ({ KeyId, KeyPairSpec: 'RSA_4096' }) as const;

describe('a batch', () => {
  it.each([1, 15, 16, 17, 500])(
    'of %d has so many different pairs, each of which opens',
    async (count) => {
      const EncryptionContext = { batch: 'b' };
      const pairs = await read(kms.mintDataKeyPairs({ ...quick(), EncryptionContext }, { count }));
      expect(new Set(pairs.map(publicKeyText)).size).toBe(count);
      for (const { PrivateKeyCiphertextBlob: CiphertextBlob } of pairs as Record<string, never>[]) {
        await kms.decrypt({ CiphertextBlob, EncryptionContext });
      }
    },
  );

  it('has the members of the operation, and plaintext when that is asked for', async () => {
    const single = await kms.generateDataKeyPair(quick());
    const [pair = {}] = await read(kms.mintDataKeyPairs(quick(), { count: 1 }));
    const [open = {}] = await read(kms.mintDataKeyPairs(quick(), { count: 1, plaintext: true }));
    expect(members(open)).toEqual(members(single));
    expect(members(pair)).toEqual(members(single).filter((m) => m !== 'PrivateKeyPlaintext'));
  });

  it.each([{ count: 0 }, { count: 1.5 }, { count: -1 }, { count: 2, concurrency: 0 }])(
    'of %j is refused at once',
    (options) => {
      expect(() => kms.mintDataKeyPairs(quick(), options)).toThrow(TypeError);
    },
  );

  it('fails as its request does, without a stack of ours', async () => {
    const bogus = { ...quick(), KeyPairSpec: 'RSA_1' as 'SM2' };
    expect(await failureText(read(kms.mintDataKeyPairs(bogus, { count: 2 })))).toContain(
      "ValidationException: 1 validation error detected: Value 'RSA_1' at 'keyPairSpec'",
    );
    const absent = { ...quick(), KeyId: 'alias/absent' };
    expect(await failureText(read(kms.mintDataKeyPairs(absent, { count: 2 })))).toMatch(
      /^NotFoundException: .*alias\/absent/,
    );
  });

  it('ends with the failure when its key is disabled under way', async () => {
    let taken = 0;
    const reading = (async () => {
      for await (const _ of kms.mintDataKeyPairs(quick(), { count: 1_000_000 })) {
        if (++taken === 100) await kms.disableKey({ KeyId });
      }
    })();
    expect(await failureText(reading)).toMatch(/^DisabledException: .* is disabled\.$/);
    expect(taken).toBeGreaterThanOrEqual(100);
  });

  it('mints no further than its consumer reads', async () => {
    const pairs = kms.mintDataKeyPairs(quick(), { count: 1_000_000, concurrency: 8 });
    await pairs.next();
    const before = process.cpuUsage();
    await new Promise((done) => setTimeout(done, 300));
    // Minting without end would have taken 300 ms of each core.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(150);
    await pairs.return();
  });

  it('stops as soon as its signal is aborted, with the reason', async () => {
    const stop = new AbortController();
    const reading = read(kms.mintDataKeyPairs(slow(), { count: 1000, signal: stop.signal }));
    await new Promise((done) => setTimeout(done, 100));
    const reason = new Error('enough');
    const began = performance.now();
    stop.abort(reason);
    await expect(reading).rejects.toBe(reason);
    // `npm run bench -- --pools` measures that it takes less than 50 ms; here others may be at work.
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('does not begin if its signal was aborted before', async () => {
    const signal = AbortSignal.abort();
    const pairs = kms.mintDataKeyPairs(quick(), { count: 1, signal });
    await expect(read(pairs)).rejects.toBe(signal.reason);
  });

  it('is abandoned when its consumer leaves, and closing waits for nothing', async () => {
    for await (const _ of kms.mintDataKeyPairs(slow(), { count: 1000 })) break;
    const began = performance.now();
    await kms.close();
    expect(performance.now() - began).toBeLessThan(1000);
    kms = await openKms();
  });

  it('ends if the service is closed under way', async () => {
    const pairs = kms.mintDataKeyPairs(quick(), { count: 1_000_000 });
    await pairs.next();
    const closing = kms.close();
    expect(await failureText(read(pairs))).toBe('KMSInternalException: this Pairmint is closed');
    await closing;
    kms = await openKms();
  });
});
