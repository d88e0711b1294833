import crypto from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { isAlone, UnderWay } from '../lib/core/under-way.ts';
import { createServer } from '../lib/http/server.ts';
import type { DataKeyPairSpec } from '../lib/model/types.ts';
import { joinCalls, type KeyMaterial, type MintedPair } from '../lib/native/addon.ts';
import { joined, type Packed } from '../lib/native/joined.ts';
import { Pairmint } from '../lib/service/pairmint.ts';
import { internals } from './support/internals.ts';

/** Answers a number with as many bytes of that value, and a negative one with an error. */
function numbers() {
  const crossings: number[][] = [];
  const buffers: ArrayBuffer[] = [];
  const ask = joined(
    (requests: readonly number[]) => {
      crossings.push([...requests]);
      const lengths = requests.flatMap((n) => (n < 0 ? [2 ** 32 - 1, 0, 0] : [n, 0, 1]));
      const parts = requests.flatMap((n) => (n < 0 ? [] : [...Array(n).fill(n), 255]));
      const bytes = Uint8Array.from([
        ...new Uint8Array(Uint32Array.from(lengths).buffer),
        ...parts,
      ]);
      buffers.push(bytes.buffer);
      return [bytes.buffer, ...requests.filter((n) => n < 0).map((n) => new Error(String(n)))];
    },
    (parts) => parts.map((part) => part && [...part]),
  );
  return { ask, crossings, buffers };
}

describe('requests of one turn of the event loop', () => {
  test('enter native code together, and those of the next turn by themselves', async () => {
    const { ask, crossings } = numbers();
    const first = [1, 2].map((n) => ask(n));
    await Promise.resolve();
    first.push(ask(3));
    await turn();
    const last = ask(4);
    expect(await Promise.all([...first, last])).toEqual([
      [[1], undefined, [255]],
      [[2, 2], undefined, [255]],
      [[3, 3, 3], undefined, [255]],
      [[4, 4, 4, 4], undefined, [255]],
    ]);
    expect(crossings).toEqual([[1, 2, 3], [4]]);
  });

  test('are split if there are many', async () => {
    const { ask, crossings } = numbers();
    const answers = await Promise.all(Array.from({ length: 70 }, (_, i) => ask(i + 1)));
    expect(answers.map(([part]) => part?.length)).toEqual(Array.from(answers, (_, i) => i + 1));
    expect(crossings.map(({ length }) => length)).toEqual([32, 32, 6]);
  });

  test('fail each for itself', async () => {
    const { ask } = numbers();
    const answers = await Promise.allSettled([-1, 1, -2, 2].map((n) => ask(n)));
    expect(answers).toMatchObject([
      { reason: { message: '-1' } },
      { value: [[1], undefined, [255]] },
      { reason: { message: '-2' } },
      { value: [[2, 2], undefined, [255]] },
    ]);
  });

  test('fail separately if the errors are of another realm', async () => {
    const error = runInNewContext('new Error("elsewhere")');
    const lengths = Uint32Array.of(2 ** 32 - 1, 0, 0, 0, 0, 0);
    const ask = joined(
      (_requests: readonly number[]): Packed => [lengths.buffer, error],
      () => 'answered',
    );
    expect(await Promise.allSettled([1, 2].map((n) => ask(n)))).toMatchObject([
      { reason: { message: 'elsewhere' } },
      { value: 'answered' },
    ]);
  });

  test('are dropped if they are abandoned before', async () => {
    const { ask, crossings } = numbers();
    const [gone, stays] = [new AbortController(), new AbortController()];
    const asked = [ask(1, gone.signal), ask(2, stays.signal), ask(3)];
    gone.abort(new Error('gone'));
    expect(await Promise.allSettled(asked)).toMatchObject([
      { reason: { message: 'gone' } },
      { value: [[2, 2], undefined, [255]] },
      { value: [[3, 3, 3], undefined, [255]] },
    ]);
    expect(crossings).toEqual([[2, 3]]);
    await expect(ask(4, gone.signal)).rejects.toThrow('gone');
    const many = Array.from({ length: 100 }, (_, i) => ask(i, i === 99 ? undefined : gone.signal));
    const settled = await Promise.allSettled(many);
    expect(settled.pop()).toMatchObject({ value: [Array(99).fill(99), undefined, [255]] });
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
    expect(crossings).toEqual([[2, 3], [99]]);
  });

  test('all fail if the crossing fails, and the next ones do not', async () => {
    let broken = true;
    const ask = joined(
      (requests: readonly number[]): Packed => {
        if (broken) throw new Error('broken');
        return [Uint32Array.from(requests.flatMap(() => [0, 0, 0])).buffer];
      },
      () => 'answered',
    );
    const failed = { reason: { message: 'broken' } };
    expect(await Promise.allSettled([1, 2].map((n) => ask(n)))).toMatchObject([failed, failed]);
    broken = false;
    expect(await ask(1)).toBe('answered');
  });

  test('leave nothing in the buffer that their answers came in', async () => {
    const { ask, buffers } = numbers();
    await Promise.all([ask(5), ask(6)]);
    for (const buffer of buffers)
      expect(Buffer.from(buffer).every((byte) => byte === 0)).toBe(true);
  });
});

/** The public key of a private key, both in DER. */
function publicKeyOf(pkcs8: Uint8Array): Buffer {
  const key = crypto.createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return crypto.createPublicKey(key).export({ format: 'der', type: 'spki' });
}

describe('a request with no other work under way in the process', () => {
  test('enters native code at once, without a turn of the event loop', async () => {
    const { ask, crossings } = numbers();
    const end = new UnderWay().begin();
    let turned = false;
    setImmediate(() => (turned = true));
    expect(await ask(2)).toEqual([[2, 2], undefined, [255]]);
    await expect(ask(-1)).rejects.toThrow('-1');
    await expect(ask(1, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(crossings).toEqual([[2], [-1]]);
    expect(turned).toBe(false);
    end();
  });

  test('waits for the others as soon as there are others', async () => {
    const { ask, crossings } = numbers();
    const ends = [new UnderWay().begin(), new UnderWay().begin()];
    const asked = [ask(1), ask(2)];
    ends.pop()?.();
    // Alone by now, but behind the two.
    asked.push(ask(3));
    await Promise.all(asked);
    expect(crossings).toEqual([[1, 2, 3]]);
    ends.pop()?.();
  });

  test('is not alone while a server listens in the process', async () => {
    const end = new UnderWay().begin();
    expect(isAlone()).toBe(true);
    await using kms = await Pairmint.open({ store: 'memory:' });
    const server = createServer(kms, {});
    await server.listen({ port: 0 });
    expect(isAlone()).toBe(false);
    await server.drain();
    expect(isAlone()).toBe(true);
    end();
    expect(isAlone()).toBe(false);
  });
});

describe('a pair', () => {
  const material = {} as KeyMaterial;
  const request = { material, context: new Uint8Array(), plaintext: false };

  /** The ways that pairs take into native code. */
  function ways(quick: DataKeyPairSpec[]) {
    const taken: string[] = [];
    const native = joinCalls({
      ...internals,
      mintsQuickly: (spec: DataKeyPairSpec) => quick.includes(spec),
      generateDataKeyPairsHere(_spec: DataKeyPairSpec, requests: readonly object[]): Packed {
        taken.push(`${requests.length} here`);
        return [Uint32Array.from(requests.flatMap(() => [0, 0, 0])).buffer];
      },
      async generateDataKeyPair(): Promise<MintedPair> {
        taken.push('1 on a thread');
        return { publicKey: new Uint8Array(), privateKeyCiphertext: new Uint8Array() };
      },
    });
    return { native, taken };
  }

  test('is minted in the calling thread as long as native code is quick with its spec', async () => {
    const quick: DataKeyPairSpec[] = [];
    const { native, taken } = ways(quick);
    const mint = (spec: DataKeyPairSpec) => native.generateDataKeyPair({ ...request, spec });
    await mint('SM2');
    quick.push('SM2');
    await Promise.all([mint('SM2'), mint('SM2'), mint('ECC_NIST_P384')]);
    quick.pop();
    await mint('SM2');
    expect(taken).toEqual(['1 on a thread', '1 on a thread', '2 here', '1 on a thread']);
  });

  test('is always so for P-256, and never for RSA', async () => {
    const { native, taken } = ways(['RSA_2048']);
    for (const spec of ['ECC_NIST_P256', 'RSA_2048'] as const) {
      await native.generateDataKeyPair({ ...request, spec });
    }
    expect(taken).toEqual(['1 here', '1 on a thread']);
  });
});

describe('in one crossing into native code', () => {
  const context = Buffer.alloc(4);
  const rootKey = internals.openRootKey(undefined);
  const materialOf = (length: number) => {
    const { header, wrapped } = internals.createKeyMaterial(
      rootKey,
      Buffer.alloc(16),
      Buffer.alloc(0),
      length,
    );
    return internals.openKeyMaterial(rootKey, header, wrapped);
  };
  const material = materialOf(32);
  const other = materialOf(32);
  const mac = materialOf(64);

  test('every data key is sealed for its own request', async () => {
    const requests = [
      { material, length: 32, context, plaintext: true },
      { material: mac, length: 32, context, plaintext: true },
      { material: other, length: 1024, context: Buffer.from('context'), plaintext: true },
      { material, length: 16, context, plaintext: false },
    ];
    const answers = await Promise.allSettled(
      requests.map((request) => internals.generateDataKey(request)),
    );
    for (const [i, answer] of answers.entries()) {
      if (i === 1) {
        expect(answer).toMatchObject({ reason: { code: 'INVALID_ARGUMENT' } });
        continue;
      }
      if (answer.status === 'rejected') throw answer.reason;
      const { ciphertext, plaintext } = answer.value;
      const request = requests[i] as (typeof requests)[0];
      const opened = internals.decrypt({ ...request, ciphertext });
      expect(opened.length).toBe(request.length);
      expect(plaintext).toEqual(request.plaintext ? opened : undefined);
      expect(ciphertext.buffer.byteLength).toBe(ciphertext.byteLength);
    }
  });

  test.each(['ECC_NIST_P256', 'ECC_NIST_EDWARDS25519'] as const)(
    'every pair of %s is sealed for its own request',
    async (spec) => {
      for (const count of [1, 2, 3, 5, 40]) {
        const requests = Array.from({ length: count }, (_, i) => ({
          ...{ spec, context: Buffer.from(`${i}`), plaintext: i % 2 === 0 },
          material: i % 3 === 2 ? mac : i % 3 === 1 ? other : material,
        }));
        const answers = await Promise.allSettled(
          requests.map((request) => internals.generateDataKeyPair(request)),
        );
        const publicKeys = new Set<string>();
        for (const [i, answer] of answers.entries()) {
          if (i % 3 === 2) {
            expect(answer).toMatchObject({ reason: { code: 'INVALID_ARGUMENT' } });
            continue;
          }
          if (answer.status === 'rejected') throw answer.reason;
          const { publicKey, privateKeyCiphertext, privateKeyPlaintext } = answer.value;
          const request = requests[i] as (typeof requests)[0];
          const opened = internals.decrypt({ ...request, ciphertext: privateKeyCiphertext });
          expect(privateKeyPlaintext).toEqual(i % 2 === 0 ? opened : undefined);
          expect(publicKeyOf(opened)).toEqual(Buffer.from(publicKey));
          publicKeys.add(Buffer.from(publicKey).toString('hex'));
        }
        expect(publicKeys.size).toBe(count - Math.floor(count / 3));
      }
    },
  );
});
