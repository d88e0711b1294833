import crypto from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeEncryptionContext } from '../../lib/model/encryption-context.ts';
import * as oracle from '../support/envelope-oracle.ts';
import { internals } from '../support/internals.ts';
import { hex, readVectors } from '../support/vectors.ts';

interface SealedVector {
  why: string;
  material: string;
  keyId: string;
  kind: number;
  context: [string, string][];
  nonce: string;
  iv: string;
  plaintext: string;
  blob: string;
}

const vectors = readVectors<{
  kdf: { kin: string; label: string; context: string; bits: number; out: string }[];
  seal: SealedVector[];
  reject: SealedVector[];
  wrap: Record<'root' | 'keyId' | 'materialId' | 'recordHeader' | 'material' | 'wrapped', string>[];
  twoKeys: Record<'key1' | 'key2' | 'iv' | 'aad' | 'ct' | 'tag' | 'pt1' | 'pt2', string>;
}>('own/envelope-v1.json');

const contextOf = (pairs: [string, string][]) => encodeEncryptionContext(Object.fromEntries(pairs));

function openVector({ material, keyId, context, blob }: SealedVector, bytes = hex(blob)) {
  return internals.open({
    material: hex(material),
    keyId: hex(keyId),
    context: contextOf(context),
    blob: bytes,
  });
}

describe('the DKP envelope', () => {
  it('derives every known key', () => {
    for (const { kin, label, context, bits, out } of vectors.kdf) {
      expect(internals.deriveKey(hex(kin), label, hex(context), bits / 8)).toEqual(
        Uint8Array.from(hex(out)),
      );
    }
  });

  it.each(vectors.seal.map((vector, i) => [i, vector] as const))(
    'seals known message %i to its known blob and opens it again',
    (_, vector) => {
      const sealed = internals.seal({
        material: hex(vector.material),
        keyId: hex(vector.keyId),
        kind: vector.kind,
        nonce: hex(vector.nonce),
        iv: hex(vector.iv),
        context: contextOf(vector.context),
        plaintext: hex(vector.plaintext),
      });
      expect(Buffer.from(sealed ?? []).toString('hex')).toBe(vector.blob);
      expect(Buffer.from(openVector(vector) ?? []).toString('hex')).toBe(vector.plaintext);
    },
  );

  it.each(vectors.reject.map((vector) => [vector.why, vector] as const))(
    'refuses a blob that is wrong in this way: %s',
    (_, vector) => {
      expect(openVector(vector)).toBeUndefined();
    },
  );

  it('refuses the first blob with any one bit flipped, and with any end cut off', () => {
    const [vector] = vectors.seal as [SealedVector];
    const blob = hex(vector.blob);
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const flipped = Buffer.from(blob);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(openVector(vector, flipped), `bit ${bit}`).toBeUndefined();
    }
    for (let length = 0; length < blob.length; length++) {
      expect(openVector(vector, blob.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
    expect(openVector(vector, blob)).toBeDefined();
  });

  it('exchanges blobs of every kind and length with an implementation on node:crypto', () => {
    const material = crypto.randomBytes(32);
    const keyId = crypto.randomBytes(16);
    const context = Buffer.from(encodeEncryptionContext({ purpose: 'exchange', é: '日本' }));
    for (const [length, kind] of [0, 1, 16, 138, 2375, 5996].flatMap((n) =>
      [1, 2, 3].map((k) => [n, k] as const),
    )) {
      const plaintext = crypto.randomBytes(length);
      const theirs = oracle.seal({ material, keyId, kind, context, plaintext });
      expect(internals.open({ material, keyId, context, blob: theirs })).toEqual(
        Uint8Array.from(plaintext),
      );
      const [nonce, iv] = [crypto.randomBytes(32), crypto.randomBytes(12)];
      const ours = internals.seal({ material, keyId, kind, nonce, iv, context, plaintext });
      expect(oracle.open(Buffer.from(ours ?? []), { material, context })).toEqual(plaintext);
    }
  });

  it('seals nothing that would exceed the longest blob of AWS', () => {
    const seal = (length: number) =>
      internals.seal({
        material: Buffer.alloc(32, 1),
        keyId: Buffer.alloc(16, 2),
        kind: 1,
        nonce: Buffer.alloc(32),
        iv: Buffer.alloc(12),
        context: encodeEncryptionContext(undefined),
        plaintext: Buffer.alloc(length),
      });
    expect(seal(5996)?.byteLength).toBe(6144);
    expect(seal(5997)).toBeUndefined();
  });

  it('commits to its key, unlike plain AES-GCM, which can open under two', () => {
    const { key1, key2, iv, aad, ct, tag, pt1, pt2 } = vectors.twoKeys;
    const body = hex(ct + tag);
    const openUnder = (key: string) => internals.gcmOpen(hex(key), hex(iv), hex(aad), body);
    expect(Buffer.from(openUnder(key1) ?? []).toString('hex')).toBe(pt1);
    expect(Buffer.from(openUnder(key2) ?? []).toString('hex')).toBe(pt2);
    const [vector] = vectors.seal as [SealedVector];
    const other = {
      ...vector,
      material: vector.material.replace(/^./, (c) => (c === '0' ? '1' : '0')),
    };
    expect(openVector(other)).toBeUndefined();
  });
});

describe('key material at rest', () => {
  it.each(vectors.wrap)('wraps to the known bytes under the key bound to its header', (vector) => {
    const { root, keyId, materialId, recordHeader, material, wrapped } = vector;
    const out = internals.wrapMaterial(hex(root), hex(recordHeader), hex(material));
    expect(Buffer.from(out ?? []).toString('hex')).toBe(wrapped);
    const id = internals.materialId(hex(material), hex(keyId));
    expect(Buffer.from(id ?? []).toString('hex')).toBe(materialId);
    const rootKey = internals.openRootKey(hex(root));
    expect(internals.openKeyMaterial(rootKey, hex(recordHeader), hex(wrapped))).toBeDefined();
  });

  it('refuses a record with any one bit flipped, and a foreign root key', () => {
    const [{ root, recordHeader, wrapped }] = vectors.wrap as [(typeof vectors.wrap)[number]];
    const rootKey = internals.openRootKey(hex(root));
    const record = hex(recordHeader + wrapped);
    const headerLength = recordHeader.length / 2;
    const openRecord = (bytes: Buffer, key = rootKey) =>
      internals.openKeyMaterial(key, bytes.subarray(0, headerLength), bytes.subarray(headerLength));
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = Buffer.from(record);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => openRecord(flipped), `bit ${bit}`).toThrow('INVALID_RECORD');
    }
    for (let length = 0; length < record.length; length++) {
      expect(() => openRecord(record.subarray(0, length)), `${length} bytes`).toThrow(
        'INVALID_RECORD',
      );
    }
    expect(() => openRecord(record, internals.openRootKey(undefined))).toThrow('INVALID_RECORD');
    expect(openRecord(record)).toBeDefined();
  });

  it('gives a fresh record every time, whose header names the key and its material', () => {
    const rootKey = internals.openRootKey(crypto.randomBytes(32));
    const keyId = crypto.randomBytes(16);
    const [a, b] = [1, 2].map(() =>
      internals.createKeyMaterial(rootKey, keyId, Buffer.from('more'), 32),
    );
    expect(a).not.toEqual(b);
    expect(Buffer.from(a?.header ?? []).subarray(0, 20)).toEqual(
      Buffer.concat([Buffer.from('DKS\x01', 'latin1'), keyId]),
    );
    expect(
      Buffer.from(a?.header ?? [])
        .subarray(52)
        .toString(),
    ).toBe('more');
  });
});
