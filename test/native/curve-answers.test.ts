import crypto from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { allCurves, fieldLength } from '../support/curves.ts';
import { internals } from '../support/internals.ts';
import { hex as toNumber } from '../support/numbers.ts';
import { hex, readVectors } from '../support/vectors.ts';

interface Answer {
  curve: string;
  d: bigint;
  point: Buffer;
}

const encodings = readVectors<{
  tests: { type: string; curve?: string; d: string; spki: string }[];
}>('own/key-encodings.json').tests;

const fromEncodings = encodings
  .filter(({ type }) => type === 'ec')
  .map(({ curve = '', d, spki }): Answer => {
    const { length } = hex(spki);
    const found = allCurves.find(({ name }) => name === curve);
    if (!found) throw new Error(`no curve ${curve}`);
    const point = hex(spki).subarray(length - 1 - 2 * fieldLength(found));
    return { curve, d: toNumber(d), point };
  });

const named: Record<string, string> = {
  secp256r1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

// Keys that c2sp.org/det-keygen derives from seeds, with their public keys.
const fromSeeds = readVectors<{ curve: string; private_key_pkcs8: string }[]>(
  'c2sp/det-keygen-ecdsa.json',
)
  .filter(({ curve }) => curve in named)
  .map(({ curve, private_key_pkcs8 }): Answer => {
    const key = crypto.createPrivateKey({
      key: Buffer.from(private_key_pkcs8, 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
    const bytes = (text = '') => Buffer.from(text, 'base64url');
    const { d, x, y } = key.export({ format: 'jwk' }) as Record<string, string>;
    const point = Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)]);
    return { curve: named[curve] as string, d: toNumber(bytes(d).toString('hex')), point };
  });

const fromStandard = readVectors<{ tests: { d: string; x: string; y: string }[] }>(
  'own/sm2.json',
).tests.map(({ d, x, y }): Answer => ({ curve: 'SM2', d: toNumber(d), point: hex(`04${x}${y}`) }));

const answers = [...fromEncodings, ...fromSeeds, ...fromStandard];

const kernels = {
  lanes: internals.plantLanesFault,
  comb: (name: string, fault: 'none' | 'nothing', compared?: boolean) => {
    // Every OpenSSL has code of its own for P-256, which never gets a comb.
    internals.plantCombFault(name, fault, compared);
    return true;
  },
};
const names = internals.capabilities().kernels.includes('avx512ifma')
  ? (['lanes', 'comb'] as const)
  : (['comb'] as const);

afterEach(() => {
  for (const { name } of allCurves) {
    for (const kernel of names) kernels[kernel](name, 'none');
  }
});

describe.each(names)('published keys, by the %s', (kernel) => {
  it.each(allCurves.map(({ name }) => name))('have the published points on %s', (name) => {
    kernels[kernel](name, 'nothing', true);
    const ours = answers.filter(({ curve }) => curve === name);
    expect(ours.length).toBeGreaterThanOrEqual(4);
    const points = (keys: bigint[]) => Buffer.from(internals.multiplyByComb(name, keys) ?? []);
    expect(points(ours.map(({ d }) => d))).toEqual(Buffer.concat(ours.map(({ point }) => point)));
    for (const { d, point } of ours) expect(points([d])).toEqual(point);
  });
});

describe.runIf(names.length > 1)('published keys of Ed25519, by the lanes', () => {
  afterEach(() => {
    internals.plantEdwardsFault('none');
  });

  it('have the published public keys', () => {
    internals.plantEdwardsFault('nothing', true);
    const ours = encodings.filter(({ type }) => type === 'ed25519');
    expect(ours.length).toBeGreaterThanOrEqual(1);
    const seeds = ours.map(({ d }) => hex(d));
    const keys = ours.map(({ spki }) => hex(spki).subarray(-32));
    expect(internals.ed25519ByLanes(Buffer.concat(seeds))).toEqual(Buffer.concat(keys));
    for (const [i, seed] of seeds.entries()) {
      expect(internals.ed25519ByLanes(seed)).toEqual(keys[i]);
    }
  });
});
